/**
 * The command line as settings.
 *
 * Owns: the option of each setting that a role has, reading the file, and the configuration as a file would say it.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { Option, type Command } from 'commander';
import { stringify } from 'yaml';
import { loadConfig } from '../controller/kernel/config.js';
import { flagOf, SETTINGS, variableOf, VNA_SETTINGS, type HostPort, type RoleName, type Setting } from '../controller/kernel/settings.js';
import { redactRedisUrl } from '../controller/redis/url.js';

/**
 * Gives a command an option for each setting that concerns the role; all of them without one.
 * @returns what reads the configuration once the command line is parsed.
 */
export function addConfigOptions(command: Command, role?: RoleName): () => ReturnType<typeof loadConfig> {
  command.option('--config <FILE>', 'YAML file with settings; also HOTORI_CONFIG');
  const concerned = Object.entries<Setting>(SETTINGS).filter(([, { roles }]) => role === undefined || (roles?.includes(role) ?? true));
  const options = concerned.map(([key, { placeholder, help, default: fallback }]) => {
    const shown = fallback === undefined || fallback === null ? '' : `; default ${String(fallback)}`;
    const option = new Option(`${flagOf(key)} <${placeholder}>`, `${help} [${variableOf(key)}${shown}]`);
    command.addOption(option);
    return { key, name: option.attributeName() };
  });
  command.addHelpText(
    'after',
    `\nA flag comes before its variable, a variable before the file, the file before the default. Keys of the file are the flags with _ for -
(overlay.mode: mode under overlay). For several bridges, list them there under vna:, each with ${Object.keys(VNA_SETTINGS).join(', ')}.`,
  );
  return () => {
    const given = command.opts<Record<string, string | undefined>>();
    const name = given['config'] ?? process.env['HOTORI_CONFIG'] ?? '';
    return loadConfig({
      flags: Object.fromEntries(options.map(({ key, name: attribute }) => [key, given[attribute]])),
      env: process.env,
      file: name === '' ? undefined : { name, text: readText(name) },
      hostname: hostname(),
    });
  };
}

/** As a file would say it, without secrets. */
export function configText({ config, warnings }: ReturnType<typeof loadConfig>): string {
  const comments = warnings.map((warning) => `# ${warning}\n`).join('');
  return (
    comments +
    stringify(
      {
        ...config,
        api: textOf(config.api),
        vnmgr_listen: config.vnmgr_listen && textOf(config.vnmgr_listen),
        vna_listen: config.vna_listen && textOf(config.vna_listen),
        redis: config.redis && redactRedisUrl(config.redis),
      },
      { aliasDuplicateObjects: false },
    )
  );
}

function textOf({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function readText(name: string): string {
  try {
    return readFileSync(name, 'utf8');
  } catch (error) {
    // A directory is opened before it is refused, and the refusal does not name it.
    throw Object.assign(error as NodeJS.ErrnoException, { path: name });
  }
}
