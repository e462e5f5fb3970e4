/**
 * A Hotori of separate processes under test: two vnmgr, a webapi and a vna for each hypervisor, over Redis.
 *
 * Owns: those processes, by name: `vnmgr1`, `vnmgr2`, `webapi`, `vna1` and so on; the wire between each vna and Redis.
 * Assumes: somebody else runs Redis. `npm run build` was run.
 * Promises: what is asked of a Hotori can be asked of it as a whole; each process can be stopped, killed, paused and cut off on its own.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Daemon } from './daemon.js';
import { eventually } from './eventually.js';
import { freePort, Hotori, repositoryRoot, type HotoriOptions, type Json } from './hotori.js';
import { TcpProxy } from './tcp-proxy.js';

export interface FleetOptions extends HotoriOptions {
  readonly redisPort: number;
  readonly vna: readonly object[];
}

export class Fleet extends Hotori {
  readonly #options: FleetOptions & { readonly api: string };
  readonly #wires: readonly TcpProxy[];
  readonly #running = new Map<string, Daemon>();
  /** vnmgrs that were killed, as datapaths name them. */
  readonly #dead = new Set<string | null>([null]);

  private constructor(options: FleetOptions & { readonly api: string }, wires: readonly TcpProxy[]) {
    super(options);
    this.#options = options;
    this.#wires = wires;
  }

  static async make(options: FleetOptions): Promise<Fleet> {
    const wires: TcpProxy[] = [];
    while (wires.length < options.vna.length) wires.push(await TcpProxy.start(options.redisPort));
    return new Fleet({ ...options, api: `127.0.0.1:${await freePort()}` }, wires);
  }

  get names(): string[] {
    return ['vnmgr1', 'vnmgr2', 'webapi', ...this.#wires.map((_, i) => `vna${i + 1}`)];
  }

  role(name: string): Daemon {
    const daemon = this.#running.get(name);
    if (daemon === undefined) throw new Error(`${name} was not started`);
    return daemon;
  }

  /** Between the nth vna and Redis, from 1. */
  wire(n: number): TcpProxy {
    return this.#wires[n - 1]!;
  }

  async startRole(name: string): Promise<void> {
    const { dir } = this.#options;
    await mkdir(dir, { recursive: true });
    const log = path.join(dir, `${name}.log`);
    const argv = ['--enable-source-maps', path.join(repositoryRoot(), 'dist/main.js'), ...(await this.#argumentsOf(name))] as const;
    this.#running.set(name, Daemon.start([process.execPath, ...argv], log));
  }

  override async start(): Promise<void> {
    for (const name of this.names) await this.startRole(name);
    await eventually('the API answering', async () => (await this.request('GET', '/status')).status === 200, { timeoutMs: 30_000 }).catch(
      (error: unknown) => {
        throw new Error(`the fleet does not answer:\n${this.log().slice(-4000)}`, { cause: error });
      },
    );
    // What the dead have last said of their datapaths is still there.
    await eventually(
      'each datapath being served by the living',
      async () => (await this.#servers()).every((name) => !this.#dead.has(name)),
      {
        timeoutMs: 30_000,
      },
    );
  }

  override async stop(): Promise<void> {
    await Promise.all([...this.#running.values()].map((daemon) => daemon.stop('SIGTERM', 15_000)));
  }

  override async kill9(): Promise<void> {
    for (const name of await this.#servers()) this.#dead.add(name);
    await Promise.all([...this.#running.values()].map((daemon) => daemon.kill9()));
  }

  override log(): string {
    return [...this.#running.values()].map((daemon) => daemon.output()).join('');
  }

  /** Who serves each datapath. */
  async #servers(): Promise<(string | null)[]> {
    const { datapaths } = await this.get('/status');
    return datapaths.map((datapath: Json) => datapath.served_by as string | null);
  }

  /** Also the wires; nothing can be started any more. */
  async close(): Promise<void> {
    await this.stop();
    for (const wire of this.#wires) await wire.close();
  }

  async #argumentsOf(name: string): Promise<string[]> {
    const { dir, redisPort, api, vna, args = [] } = this.#options;
    const redis = (port: number) => ['--redis', `redis://127.0.0.1:${port}`];
    if (name.startsWith('vnmgr')) return ['vnmgr', ...redis(redisPort), '--vnmgr-listen', '127.0.0.1:0', ...only(args, '--auto-register')];
    if (name === 'webapi') return ['webapi', ...redis(redisPort), '--api', api];
    const n = Number(name.slice('vna'.length));
    const file = path.join(dir, `${name}.yaml`);
    await writeFile(file, JSON.stringify({ vna: [vna[n - 1]] }));
    const state = path.join(dir, `${name}-state`);
    const listen = ['--vna-listen', '127.0.0.1:0', '--state-dir', state];
    return ['vna', ...redis(this.wire(n).port), '--config', file, ...listen, ...only(args, '--overlay-mode')];
  }
}

/** An option of a command line with its value, where it is there. */
function only(args: readonly string[], option: string): string[] {
  const at = args.indexOf(option);
  return at < 0 ? [] : args.slice(at, at + 2);
}
