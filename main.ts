#!/usr/bin/env node
/**
 * The `hotori` executable: the composition root.
 *
 * Owns: the command line, building the roles in their order (store, vnmgr, webapi, one agent for each local bridge) and stopping them in the reverse one.
 * Promises: what an operator got wrong is said in a line and ends in exit code 1 (64 for the command line itself), without a stack trace; SIGTERM and
 * SIGINT end the process within DRAIN_MS, a second one at once.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { Command, CommanderError, Option } from 'commander';
import { destination, pino, stdTimeFunctions, type Logger } from 'pino';
import { stringify } from 'yaml';
import { systemClock, systemRandom } from './controller/kernel/ambient.js';
import { ConfigError, loadConfig, type Config } from './controller/kernel/config.js';
import { flagOf, SETTINGS, variableOf, VNA_SETTINGS, type Setting, type VnaConfig } from './controller/kernel/settings.js';
import { readVersion } from './controller/kernel/version.js';
import { redactRedisUrl } from './controller/redis/url.js';
import { StoreError } from './controller/store/contract.js';
import { openEmbeddedStore } from './controller/store/embedded.js';
import { Vnmgr } from './controller/vnmgr.js';
import { Agent } from './datapath/agent/agent.js';
import type { OverlayOptions } from './datapath/agent/endpoints.js';
import { ListenError, startWebServer } from './webapi/rest/server.js';

const DRAIN_MS = 10_000;
const EXIT_USAGE = 64;

/** Something that runs until it is stopped. */
interface Role {
  readonly name: string;
  stop(): Promise<void>;
}

const version = readVersion(import.meta.url);
await runCommandLine(process.argv.slice(2));

async function runCommandLine(argv: readonly string[]): Promise<void> {
  const program = new Command('hotori')
    .description('Network hypervisor: virtual networks, routers and security groups for Open vSwitch')
    .version(version, '--version', 'print the version')
    .helpCommand(false)
    .showHelpAfterError('(--help explains)')
    .exitOverride();

  const all = program.command('all').description('run everything in one process: REST API, controller, and an agent for each local bridge');
  const readAll = addConfigOptions(all);
  all.action(() => runAll(readAll()));

  const check = program.command('check-config').description('check the configuration and print what it comes to');
  const readCheck = addConfigOptions(check);
  check.action(() => void process.stdout.write(configText(readCheck())));

  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE);
    for (const line of complaintOf(error)) process.stderr.write(`hotori: ${line}\n`);
    process.exit(1);
  }
}

/** Gives a command an option for each setting. @returns what reads the configuration once the command line is parsed. */
function addConfigOptions(command: Command): () => ReturnType<typeof loadConfig> {
  command.option('--config <FILE>', 'YAML file with settings; also HOTORI_CONFIG');
  const options = Object.entries<Setting>(SETTINGS).map(([key, { placeholder, help, default: fallback }]) => {
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

function readText(name: string): string {
  try {
    return readFileSync(name, 'utf8');
  } catch (error) {
    // A directory is opened before it is refused, and the refusal does not name it.
    throw Object.assign(error as NodeJS.ErrnoException, { path: name });
  }
}

/** As a file would say it, without secrets. */
function configText({ config, warnings }: ReturnType<typeof loadConfig>): string {
  const { host, port } = config.api;
  const comments = warnings.map((warning) => `# ${warning}\n`).join('');
  return (
    comments +
    stringify({
      ...config,
      api: `${host.includes(':') ? `[${host}]` : host}:${port}`,
      redis: config.redis && redactRedisUrl(config.redis),
    })
  );
}

async function runAll({ config, warnings }: { readonly config: Config; readonly warnings: readonly string[] }): Promise<void> {
  // Written at once: what is logged before the process dies is what explains it.
  const logger = pino(
    { level: config.log_level, base: { pid: process.pid }, timestamp: stdTimeFunctions.isoTime },
    destination({ dest: 1, sync: true }),
  );
  for (const warning of warnings) logger.warn(warning);
  process.on('unhandledRejection', (error) => die(logger, error));
  process.on('uncaughtException', (error) => die(logger, error));

  const roles: Role[] = [];
  const stopped = stopOnSignal(roles, logger);
  try {
    await startRoles(config, logger, (role) => roles.push(role));
  } catch (error) {
    await stopRoles(roles, logger);
    throw error;
  }
  await stopped;
  process.exit(0);
}

async function startRoles(config: Config, logger: Logger, started: (role: Role) => void): Promise<void> {
  const store = await openEmbeddedStore({ dir: config.state_dir, random: systemRandom });
  started({ name: 'store', stop: () => store.close() });

  const vnmgr = await Vnmgr.start({
    store,
    clock: systemClock,
    random: systemRandom,
    options: { version, autoRegister: config.auto_register },
  });
  started({ name: 'vnmgr', stop: () => vnmgr.close() });

  const web = await startWebServer({
    controller: vnmgr,
    logger: logger.child({ role: 'webapi' }),
    newRequestId: randomUUID,
    listen: config.api,
  });
  started(startAgents(config, vnmgr, logger));
  // Last in, first out: nothing is accepted any more when the rest stops.
  started({ name: 'webapi', stop: () => web.stop(DRAIN_MS / 2) });
  logger.info({ api: web.address, state_dir: config.state_dir, revision: vnmgr.revision().number }, 'hotori is up');
}

/** One agent for each bridge. They find their switches in their own time, and again when they lose them; stopping leaves all flows in place. */
function startAgents(config: Config, vnmgr: Vnmgr, logger: Logger): Role {
  const { audit_period, default_mtu, traceroute, dhcp_lease_time, overlay } = config;
  const stopping = new AbortController();
  const running = config.vna.map((vna) => {
    const log = logger.child({ role: 'vna', bridge: vna.bridge });
    const agent = new Agent({
      ...vna,
      overlay: overlayOptions(vna, overlay.mode),
      sliceSource: vnmgr,
      auditPeriodMs: audit_period * 1000,
      default_mtu,
      traceroute,
      dhcp_lease_time,
      log,
    });
    return agent.run(stopping.signal);
  });
  return {
    name: 'vna',
    stop: async () => {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

function overlayOptions(vna: VnaConfig, mode: Config['overlay']['mode']): OverlayOptions {
  return {
    bridge_mappings: vna.bridge_mappings ?? {},
    addresses: vna['overlay.address'],
    encaps: vna['overlay.encap'],
    mac2mac: vna['overlay.mac2mac'],
    underlay: vna['overlay.underlay'],
    mtu: vna['overlay.underlay_mtu'],
    mode,
  };
}

/** Resolves when a signal has come and the roles have stopped. */
function stopOnSignal(roles: readonly Role[], logger: Logger): Promise<void> {
  return new Promise((resolve) => {
    let isStopping = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (isStopping) process.exit(1);
      isStopping = true;
      logger.info({ signal }, 'stopping');
      setTimeout(() => {
        logger.warn('stopping took too long; leaving what is not finished');
        process.exit(0);
      }, DRAIN_MS).unref();
      void stopRoles(roles, logger).then(resolve);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

async function stopRoles(roles: readonly Role[], logger: Logger): Promise<void> {
  for (const role of roles.toReversed()) {
    try {
      await role.stop();
    } catch (error) {
      logger.error({ err: error, role: role.name }, 'did not stop cleanly');
    }
  }
}

function die(logger: Logger, error: unknown): never {
  logger.fatal({ err: error }, 'unexpected error');
  process.exit(1);
}

/** What to tell the operator of an error at start-up; only a defect of ours comes with its stack. */
function complaintOf(error: unknown): readonly string[] {
  if (error instanceof ConfigError) return error.reasons;
  if (error instanceof ListenError || error instanceof StoreError) return [error.message];
  if (error instanceof Error && 'syscall' in error) return [systemComplaint(error as NodeJS.ErrnoException)];
  return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
}

function systemComplaint(error: NodeJS.ErrnoException): string {
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such file',
    EACCES: 'not permitted',
    EISDIR: 'is a directory',
    ENOTDIR: 'is not a directory',
  };
  const reason = reasons[error.code ?? ''];
  return reason === undefined || error.path === undefined ? error.message : `${error.path}: ${reason}`;
}
