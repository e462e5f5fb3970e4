#!/usr/bin/env -S node --max-semi-space-size=64
/**
 * The `hotori` executable: the composition root.
 *
 * Owns: the commands. What each role is made of stands in roles/.
 * Promises: what an operator got wrong is said in a line and ends in exit code 1 (64 for the command line itself), without a stack trace.
 */
import { Command, CommanderError } from 'commander';
import type { RoleName } from './controller/kernel/settings.js';
import { readVersion } from './controller/kernel/version.js';
import { startAll } from './roles/all.js';
import { addConfigOptions, configText } from './roles/command-line.js';
import { complaintOf } from './roles/complaint.js';
import { runProcess } from './roles/process.js';
import type { StartRole } from './roles/role.js';
import { startVnaRole } from './roles/vna.js';
import { startVnmgrRole } from './roles/vnmgr.js';
import { startWebapiRole } from './roles/webapi.js';

const EXIT_USAGE = 64;

const COMMANDS: Readonly<Record<RoleName, { readonly says: string; readonly start: StartRole }>> = {
  all: { says: 'run everything in one process: REST API, controller, and an agent for each local bridge', start: startAll },
  webapi: { says: 'run a REST API; needs redis', start: startWebapiRole },
  vnmgr: { says: 'run a controller; needs redis', start: startVnmgrRole },
  vna: { says: 'run an agent for each local bridge; needs redis', start: startVnaRole },
};

const version = readVersion(import.meta.url);
await runCommandLine(process.argv.slice(2));

async function runCommandLine(argv: readonly string[]): Promise<void> {
  const program = new Command('hotori')
    .description('Network hypervisor: virtual networks, routers and security groups for Open vSwitch')
    .version(version, '--version', 'print the version')
    .helpCommand(false)
    .showHelpAfterError('(--help explains)')
    .exitOverride();

  for (const [name, { says, start }] of Object.entries(COMMANDS)) {
    const command = program.command(name).description(says);
    const read = addConfigOptions(command, name as RoleName);
    command.action(() => runProcess(start, read(), version));
  }
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
