/**
 * A network namespace with a name.
 *
 * Owns: the namespace, `/etc/netns/NAME` (files that replace those of /etc for programs in it).
 * Promises: `destroy` kills what runs in the namespace, by pid, and removes both.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually } from './eventually.js';
import { run, tryRun, type Argv, type RunOptions, type RunResult } from './run.js';

export class Netns {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  async create(): Promise<void> {
    await mkdir(this.etc, { recursive: true });
    await writeFile(this.resolvConf, '');
    await run(['ip', 'netns', 'add', this.name]);
    // IPv6 addresses from the MAC (EUI-64), as in the VMs that the tests stand for, and the same on every distribution.
    await this.run(['sysctl', '-qw', 'net.ipv6.conf.default.addr_gen_mode=0', 'net.ipv6.conf.default.use_tempaddr=0']);
    await run(['ip', '-n', this.name, 'link', 'set', 'lo', 'up']);
  }

  get etc(): string {
    return path.join('/etc/netns', this.name);
  }

  get resolvConf(): string {
    return path.join(this.etc, 'resolv.conf');
  }

  /** The command line that runs a command in the namespace; the pid stays that of the command. */
  argv(argv: Argv): Argv {
    return ['ip', 'netns', 'exec', this.name, ...argv];
  }

  exec(argv: Argv, options?: RunOptions): Promise<RunResult> {
    return tryRun(this.argv(argv), options);
  }

  /** As exec, but a failure is an error. */
  run(argv: Argv, options?: RunOptions): Promise<string> {
    return run(this.argv(argv), options);
  }

  /** Also where `create` failed half-way. */
  async destroy(): Promise<void> {
    const pids = async (): Promise<number[]> => (await run(['ip', 'netns', 'pids', this.name])).split('\n').filter(Boolean).map(Number);
    if ((await tryRun(['ip', 'netns', 'pids', this.name])).code === 0) {
      await eventually(`processes of ${this.name} gone`, async () => {
        const left = await pids();
        for (const pid of left) killByPid(pid);
        return left.length === 0;
      });
      await run(['ip', 'netns', 'delete', this.name]);
    }
    await rm(this.etc, { recursive: true, force: true });
  }
}

function killByPid(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself meanwhile.
  }
}
