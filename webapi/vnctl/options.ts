/**
 * Command line options made from the schemas of the API.
 *
 * Owns: option names (OpenVNet's: the parameter's own, with underscores; dashes do as well), their help, and flags that may stand without a value.
 */
import type { Command } from 'commander';
import type { z } from 'zod';
import { INPUTS } from '../../flows/model/inputs.js';
import { typeOf } from '../words.js';

const BOOLEAN_TEXTS = ['true', 'false', 't', 'f', '1', '0'];

/** Adds an option for each parameter. Whether one is required is left to the server: it names all that are missing. */
export function addParameterOptions(command: Command, schema: z.ZodObject): void {
  for (const [name, field] of Object.entries(schema.shape) as [string, z.ZodType][]) {
    const required = field.safeParse(undefined).success ? '' : ' (required)';
    command.option(`--${name} <${typeOf(field)}>`, `${field.description ?? ''}${required}`);
  }
}

/** The options given, as text, without those of the command line itself. */
export function givenParameters(options: Readonly<Record<string, unknown>>, schema: z.ZodObject): Record<string, string> {
  return Object.fromEntries(
    Object.keys(schema.shape)
      .filter((name) => options[name] !== undefined)
      .map((name) => [name, String(options[name])]),
  );
}

/**
 * Makes the command line regular: `--ipv4-network` is `--ipv4_network`, a flag without a value is true, `--no-FLAG` is false.
 */
export function normaliseArguments(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  const head = end < 0 ? argv : argv.slice(0, end);
  const normal = head.map((argument, index) => {
    if (!argument.startsWith('--')) return argument;
    const [name = '', ...value] = argument.slice(2).split('=');
    const known = name.replaceAll('-', '_');
    const negated = known.startsWith('no_') ? known.slice(3) : '';
    if (value.length > 0) return `--${[known, ...value].join('=')}`;
    if (FLAGS.has(negated)) return `--${negated}=false`;
    const next = head[index + 1];
    return FLAGS.has(known) && (next === undefined || !BOOLEAN_TEXTS.includes(next.toLowerCase())) ? `--${known}=true` : `--${known}`;
  });
  return [...normal, ...argv.slice(head.length)];
}

const FLAGS: ReadonlySet<string> = new Set(
  Object.values(INPUTS).flatMap(({ create, update }) =>
    [create, update].flatMap(({ shape }) =>
      Object.entries(shape)
        .filter(([, field]) => typeOf(field as z.ZodType) === 'boolean')
        .map(([name]) => name),
    ),
  ),
);
