/**
 * A Hotori of separate processes under test: two vnmgr, one or two webapi and a vna for each hypervisor, over Redis.
 *
 * Owns: those processes, by name: `vnmgr1`, `vnmgr2`, `webapi1`, `vna1` and so on; the wire between each vna and Redis.
 * Assumes: somebody else runs Redis. `npm run build` was run.
 * Promises: what is asked of a Hotori can be asked of it as a whole; each process can be stopped, killed, paused and cut off on its own.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Daemon } from './daemon.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { Hotori, repositoryRoot, type ApiResponse, type HotoriOptions, type Json } from './hotori.js';
import { TcpProxy } from './tcp-proxy.js';

/** Redis as the processes are told of it. */
export interface FleetRedis {
  readonly url: string;
  /** For a vna, where it is another; default: `url`. */
  readonly vnaUrl?: string;
  /** Port of a single Redis: what stands in the URLs of vnas is then the port of a wire of their own. */
  readonly port?: number;
  /** More settings. */
  readonly args?: readonly string[];
}

export interface FleetOptions extends HotoriOptions {
  readonly redis: FleetRedis;
  readonly vna: readonly object[];
  /** Default: one. */
  readonly webapis?: number;
}

export class Fleet extends Hotori {
  readonly names: readonly string[];
  readonly #options: FleetOptions & { readonly api: string };
  readonly #wires: readonly TcpProxy[];
  /** Where each process listens. */
  readonly #listens: ReadonlyMap<string, string>;
  readonly #running = new Map<string, Daemon>();
  /** What processes are started from. */
  #program = path.join(repositoryRoot(), 'dist/main.js');
  /** vnmgrs that were killed, as datapaths name them. */
  readonly #dead = new Set<string | null>([null]);

  private constructor(options: FleetOptions, wires: readonly TcpProxy[], listens: ReadonlyMap<string, string>) {
    const api = listens.get('webapi1')!;
    super({ ...options, api });
    this.#options = { ...options, api };
    this.#wires = wires;
    this.#listens = listens;
    this.names = [...listens.keys()];
  }

  static async make(options: FleetOptions): Promise<Fleet> {
    const { redis, vna, webapis = 1 } = options;
    const wires: TcpProxy[] = [];
    while (redis.port !== undefined && wires.length < vna.length) wires.push(await TcpProxy.start(redis.port));
    const names = [...numbered('vnmgr', 2), ...numbered('webapi', webapis), ...numbered('vna', vna.length)];
    const ports = new Set<number>();
    // One that was free may be offered again.
    while (ports.size < names.length) ports.add(await freePort());
    return new Fleet(options, wires, new Map([...ports].map((port, i) => [names[i]!, `127.0.0.1:${port}`])));
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

  /** From now on processes are started from another build. @param main its dist/main.js */
  useProgram(main: string): void {
    this.#program = main;
  }

  /** @param args more of its command line */
  async startRole(name: string, args: readonly string[] = []): Promise<void> {
    const { dir } = this.#options;
    await mkdir(dir, { recursive: true });
    const log = path.join(dir, `${name}.log`);
    const argv = ['--enable-source-maps', this.#program, ...(await this.#argumentsOf(name)), ...args] as const;
    this.#running.set(name, Daemon.start([process.execPath, ...argv], log));
  }

  /** Starts again whatever has ended, as systemd does; resolves when every webapi answers. */
  async revive(): Promise<void> {
    const revive = async (name: string) => {
      if (!this.role(name).isRunning) await this.startRole(name);
      if (name.startsWith('webapi')) await this.ask(name, 'GET', '/segments?limit=1');
      return true;
    };
    for (const name of this.names) await eventually(`${name} being up`, () => revive(name), { timeoutMs: 30_000 });
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

  /** Any answer of one webapi. */
  ask(name: string, method: string, where: string, body?: unknown): Promise<ApiResponse> {
    return this.requestAt(this.#listens.get(name)!, method, where, body);
  }

  /** What a process says under `/livez`, `/readyz` or `/metrics`. */
  async look(name: string, where: string): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`http://${this.#listens.get(name)!}${where}`);
    return { status: response.status, text: await response.text() };
  }

  /** The sum of a metric's series. */
  async metric(name: string, what: string): Promise<number> {
    const { text } = await this.look(name, '/metrics');
    const values = text.split('\n').filter((line) => line.startsWith(`${what}{`) || line.startsWith(`${what} `));
    return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
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
    const { dir, redis, vna, args = [] } = this.#options;
    const listen = this.#listens.get(name)!;
    const meeting = (url: string) => ['--redis', url, ...(redis.args ?? [])];
    if (name.startsWith('vnmgr')) return ['vnmgr', ...meeting(redis.url), '--vnmgr-listen', listen, ...only(args, '--auto-register')];
    if (name.startsWith('webapi')) return ['webapi', ...meeting(redis.url), '--api', listen];
    const n = Number(name.slice('vna'.length));
    const file = path.join(dir, `${name}.yaml`);
    await writeFile(file, JSON.stringify({ vna: [vna[n - 1]] }));
    const url = redis.vnaUrl ?? redis.url;
    const wired = redis.port === undefined ? url : url.replace(`:${redis.port}`, `:${this.wire(n).port}`);
    const state = path.join(dir, `${name}-state`);
    return ['vna', ...meeting(wired), '--config', file, '--vna-listen', listen, '--state-dir', state, ...only(args, '--overlay-mode')];
  }
}

function numbered(role: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${role}${i + 1}`);
}

/** An option of a command line with its value, where it is there. */
function only(args: readonly string[], option: string): string[] {
  const at = args.indexOf(option);
  return at < 0 ? [] : args.slice(at, at + 2);
}
