/**
 * The processes of Hotori under measurement: one for everything, or one for each role, over Redis.
 *
 * Owns: their command lines, configuration and logs, the processes.
 * Promises: they are started together and ended together; what was killed may be started again.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Daemon } from '../../lab/daemon.js';
import { freePort } from '../../lab/free-port.js';
import { repositoryRoot } from '../../lab/hotori.js';
import type { Lab } from '../../lab/lab.js';
import { RedisServer } from '../../lab/redis.js';
import type { Roles } from './processes.js';
import { BRIDGE, type Switch } from './switches.js';

interface Program {
  readonly role: string;
  readonly argv: readonly string[];
  readonly log: string;
}

/** As the executable and the units of the manual have it. */
const NODE_ARGS = ['--max-semi-space-size=64'];

export class Programs {
  /** Where the REST API is: `HOST:PORT`. */
  readonly api: string;
  readonly #programs: readonly Program[];
  readonly #nodeArgs: readonly string[];
  readonly #redis: RedisServer | undefined;
  #running: readonly { readonly role: string; readonly daemon: Daemon }[] = [];

  private constructor(api: string, programs: readonly Program[], nodeArgs: readonly string[], redis?: RedisServer) {
    this.api = api;
    this.#programs = programs;
    this.#nodeArgs = nodeArgs;
    this.#redis = redis;
  }

  /** `hotori all` with a bridge on each switch. */
  static async together({ dir }: Lab, switches: readonly Switch[], nodeArgs: readonly string[]): Promise<Programs> {
    const api = `127.0.0.1:${await freePort()}`;
    const config = path.join(dir, 'hotori.yaml');
    await writeFile(config, JSON.stringify({ api, state_dir: path.join(dir, 'state'), vna: switches.map(vnaOf) }));
    const program = { role: 'hotori', argv: ['all', '--config', config], log: path.join(dir, 'hotori.log') };
    return new Programs(api, [program], nodeArgs);
  }

  /** One vnmgr, one webapi, a vna for each switch, and Redis, which writes each commit to disk before it answers. */
  static async apart({ dir }: Lab, switches: readonly Switch[], nodeArgs: readonly string[]): Promise<Programs> {
    await mkdir(dir, { recursive: true });
    const redis = await RedisServer.start(path.join(dir, 'redis'));
    const listen = async (): Promise<string> => `127.0.0.1:${await freePort()}`;
    const api = await listen();
    const meeting = ['--redis', redis.url];
    const log = (name: string): string => path.join(dir, `${name}.log`);
    const programs: Program[] = [
      { role: 'vnmgr', argv: ['vnmgr', ...meeting, '--vnmgr-listen', await listen()], log: log('vnmgr') },
      { role: 'webapi', argv: ['webapi', ...meeting, '--api', api], log: log('webapi') },
    ];
    for (const one of switches) {
      const config = path.join(dir, `${one.name}.yaml`);
      await writeFile(config, JSON.stringify({ vna: [vnaOf(one)] }));
      const own = ['--config', config, '--vna-listen', await listen(), '--state-dir', path.join(dir, `${one.name}-state`)];
      programs.push({ role: 'vna', argv: ['vna', ...meeting, ...own], log: log(`vna-${one.name}`) });
    }
    return new Programs(api, programs, nodeArgs, redis);
  }

  start(): void {
    this.#running = this.#programs.map(({ role, argv, log }) => {
      const main = path.join(repositoryRoot(), 'dist/main.js');
      return { role, daemon: Daemon.start([process.execPath, ...NODE_ARGS, ...this.#nodeArgs, main, ...argv], log) };
    });
  }

  /** Each role is a process. */
  get areApart(): boolean {
    return this.#redis !== undefined;
  }

  /** Throws when one has ended. */
  check(): void {
    for (const { role, daemon } of this.#running) if (!daemon.isRunning) throw new Error(`${role} ended:\n${daemon.output()}`);
  }

  roles(): Roles {
    const pids: Record<string, number[]> = {};
    for (const { role, daemon } of this.#running) (pids[role] ??= []).push(daemon.pid);
    return this.#redis === undefined ? pids : { ...pids, redis: [this.#redis.pid] };
  }

  async kill9(): Promise<void> {
    await Promise.all(this.#running.map(({ daemon }) => daemon.kill9()));
  }

  /** In order; Redis last. */
  async stop(): Promise<void> {
    await Promise.all(this.#running.map(({ daemon }) => daemon.stop('SIGTERM', 20_000)));
    this.#running = [];
    if (this.#redis?.isRunning === true) await this.#redis.stop();
  }
}

function vnaOf({ name, ovs }: Switch): object {
  return { ovsdb: ovs.ovsdbEndpoint, node_id: name, bridge: BRIDGE };
}
