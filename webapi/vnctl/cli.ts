/**
 * The vnctl program.
 *
 * Promises: what was asked for goes to standard output, everything else to standard error; the exit code is one of EXIT; nothing a user or server does
 * wrong prints a stack trace.
 */
import { Command, CommanderError, Option } from 'commander';
import type { Plan } from '../../controller/messages/plan.js';
import { addStatusCommands } from './status-commands.js';
import { readBatch } from './batch-file.js';
import { Client, DEFAULT_SERVER } from './client.js';
import { CliError, EXIT, usageError, type Io } from './io.js';
import { addOpenflowCommands } from './openflow-commands.js';
import { normaliseArguments } from './options.js';
import { FORMATS, formatData, type OutputFormat } from './output.js';
import { planText } from './plan-text.js';
import { addRelationCommands } from './relation-commands.js';
import { addSecurityCommands } from './security-commands.js';
import { addResourceCommands } from './resource-commands.js';
import { Session } from './session.js';
import { addTopologyCommands } from './topology-commands.js';
import { addReachCommand } from './reach-command.js';
import { addTraceCommand } from './trace-commands.js';

interface GlobalOptions {
  readonly server?: string;
  readonly output: OutputFormat;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly dry_run?: boolean;
}

/** @returns the exit code. */
export async function runVnctl(argv: readonly string[], io: Io, version: string): Promise<number> {
  try {
    await buildProgram(io, version).parseAsync(normaliseArguments(argv), { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (!(error instanceof CliError)) throw error;
    for (const line of error.lines) io.err(`vnctl: ${line}\n`);
    return error.exitCode;
  }
}

function buildProgram(io: Io, version: string): Command {
  const program = new Command('vnctl')
    .description('Command line of Hotori: virtual networks, routers and security groups for Open vSwitch')
    .version(version, '--version', 'print the version')
    .addOption(new Option('-o, --output <format>', 'form of the output').choices(FORMATS).default('table'))
    .option('--server <address>', `HOST:PORT or URL of the REST API; else HOTORI_SERVER, else ${DEFAULT_SERVER}`)
    .option('--wait', 'after a change, wait until every datapath it concerns has confirmed it')
    .option('--timeout <seconds>', 'how long to wait')
    .option('--dry_run', 'of a change, show what it would do, and do nothing')
    .helpCommand(false)
    .showHelpAfterError('(--help explains)')
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .exitOverride();

  const session = () => sessionOf(program.opts<GlobalOptions>(), io);
  addResourceCommands(program, session);
  addRelationCommands(program, session);
  addSecurityCommands(program, session);
  addStatusCommands(program, session);
  addTraceCommand(program, session);
  addReachCommand(program, session);
  addTopologyCommands(program, session);
  addOpenflowCommands(program, io);
  program
    .command('batch')
    .description('run the vnctl commands of a file, one on a line, until one fails')
    .argument('[file]', 'standard input when absent')
    .action(async (file: string | undefined) => runBatch(program.opts<GlobalOptions>(), file, io, version));
  return program;
}

function sessionOf({ server, output, wait = false, timeout, dry_run = false }: GlobalOptions, io: Io): Session {
  if (timeout !== undefined && !/^\d{1,3}(\.\d+)?$/.test(timeout)) throw usageError('--timeout: must be seconds, at most 300');
  const showPlan = (plan: Plan): never => {
    io.out(output === 'table' ? planText(plan) : formatData(plan, output));
    throw new CliError(EXIT.ok, []);
  };
  const seconds = timeout === undefined ? undefined : Number(timeout);
  return new Session(
    io,
    new Client(server ?? io.env['HOTORI_SERVER'] ?? DEFAULT_SERVER, {
      wait: wait || seconds !== undefined,
      timeout: seconds,
      plan: dry_run ? showPlan : undefined,
    }),
    output,
  );
}

async function runBatch(options: GlobalOptions, file: string | undefined, io: Io, version: string): Promise<void> {
  const name = file ?? 'standard input';
  const given = [
    ...(options.server === undefined ? [] : ['--server', options.server]),
    ...['--output', options.output],
    ...(options.wait === true ? ['--wait'] : []),
    ...(options.dry_run === true ? ['--dry_run'] : []),
    ...(options.timeout === undefined ? [] : ['--timeout', options.timeout]),
  ];
  for (const { number, text, argv } of readBatch(name, file === undefined ? await io.stdin() : await io.readFile(file))) {
    io.err(`> ${text}\n`);
    const code = await runVnctl([...given, ...argv], io, version);
    if (code !== EXIT.ok) throw new CliError(code, [`${name}:${number}: failed; what follows was not run`]);
  }
}
