/**
 * A Hotori process under test.
 *
 * Owns: a `hotori all` child with its own state directory and API port; requests to its API.
 * Assumes: `npm run build` was run.
 * Promises: `start` resolves when the API answers; a start that fails says what the process printed.
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Daemon } from './daemon.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import type { Ovs } from './ovs.js';

export interface HotoriOptions {
  /** Own to this process and its successors: state and logs. */
  readonly dir: string;
  /** The switch it runs. */
  readonly ovs: Ovs;
  readonly bridge?: string;
  readonly nodeId?: string;
  /** `HOST:PORT`; default: a free port of 127.0.0.1. */
  readonly api?: string;
  /** Entries of `vna:` for several bridges; then `ovs`, `bridge` and `nodeId` say nothing. */
  readonly vna?: readonly object[];
  /** More of the command line. */
  readonly args?: readonly string[];
}

/** JSON of the API: tests pick from it what they expect to be there. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- `unknown` would make every look at an answer a cast
export type Json = any;

export interface ApiResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}

export class Hotori {
  readonly bridge: string;
  readonly #options: HotoriOptions;
  #api: string | undefined;
  #process: Daemon | undefined;

  constructor(options: HotoriOptions) {
    this.#options = options;
    this.bridge = options.bridge ?? 'br-int';
    this.#api = options.api;
  }

  get stateDir(): string {
    return path.join(this.#options.dir, 'state');
  }

  /** `http://HOST:PORT/api/1.0` */
  get url(): string {
    return `http://${this.#api ?? ''}/api/1.0`;
  }

  get process(): Daemon {
    if (this.#process === undefined) throw new Error('Hotori was not started');
    return this.#process;
  }

  async start(): Promise<void> {
    const { dir, ovs, args = [] } = this.#options;
    await mkdir(this.stateDir, { recursive: true });
    this.#api ??= `127.0.0.1:${await freePort()}`;
    const where = ['--api', this.#api, '--state-dir', this.stateDir, ...(await this.#bridges(ovs))];
    const main = path.join(repositoryRoot(), 'dist/main.js');
    const daemon = Daemon.start([process.execPath, '--enable-source-maps', main, 'all', ...where, ...args], path.join(dir, 'hotori.log'));
    this.#process = daemon;
    await eventually(
      'the API of Hotori answering',
      async () => {
        if (!daemon.isRunning) return true;
        return (await this.request('GET', '/status')).status === 200;
      },
      { timeoutMs: 20_000 },
    ).catch((error: unknown) => {
      throw new Error(`Hotori does not answer:\n${daemon.output()}`, { cause: error });
    });
    if (!daemon.isRunning) throw new Error(`Hotori ended:\n${daemon.output()}`);
  }

  async #bridges(ovs: Ovs): Promise<string[]> {
    const { dir, vna, nodeId = 'hv1' } = this.#options;
    if (vna === undefined)
      return ['--ovsdb', ovs.ovsdbEndpoint, '--bridge', this.bridge, '--datapath-type', ovs.datapathType, '--node-id', nodeId];
    const file = path.join(dir, 'hotori.yaml');
    await writeFile(file, JSON.stringify({ vna }));
    return ['--config', file];
  }

  /** Resolves once its bridge is connected and what is wanted of it is installed. */
  async untilInstalled(timeoutMs = 10_000): Promise<void> {
    await eventually(
      'every datapath connected and up to date',
      async () => {
        const { datapaths } = await this.get('/status');
        return (
          datapaths.length > 0 &&
          datapaths.every(
            (datapath: Json) =>
              datapath.connected === true && datapath.applied_revision !== null && datapath.applied_revision >= datapath.desired_revision,
          )
        );
      },
      { timeoutMs },
    );
  }

  /** As a package upgrade does. */
  async stop(): Promise<void> {
    await this.#process?.stop('SIGTERM', 15_000);
  }

  async kill9(): Promise<void> {
    await this.#process?.kill9();
  }

  /** Stops what runs, if it still does, and starts anew on the same state and port. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** All its processes have logged. */
  log(): string {
    return this.process.output();
  }

  /** Log lines of level warn and above, but those that match `allowed`. */
  unexpectedWarnings(allowed: readonly RegExp[] = []): string[] {
    return this.log()
      .split('\n')
      .filter((line) => /"level":(40|50|60|"(warn|error|fatal)")/.test(line) || /^\S*(Error|Warning): /.test(line))
      .filter((line) => !allowed.some((pattern) => pattern.test(line)));
  }

  /** Any answer. `path` starts with a slash and may carry a query. */
  request(method: string, path: string, body?: unknown): Promise<ApiResponse> {
    return this.requestAt(this.#api ?? '', method, path, body);
  }

  /** @param api `HOST:PORT` */
  protected async requestAt(api: string, method: string, path: string, body?: unknown): Promise<ApiResponse> {
    const response = await fetch(`http://${api}/api/1.0${path}`, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, body: isJson && text !== '' ? JSON.parse(text) : text };
  }

  async get(path: string): Promise<Json> {
    return this.#expectOk('GET', path, undefined);
  }

  async post(path: string, body: unknown): Promise<Json> {
    return this.#expectOk('POST', path, body);
  }

  async put(path: string, body: unknown): Promise<Json> {
    return this.#expectOk('PUT', path, body);
  }

  async delete(path: string): Promise<Json> {
    return this.#expectOk('DELETE', path, undefined);
  }

  async #expectOk(method: string, path: string, body: unknown): Promise<Json> {
    const response = await this.request(method, path, body);
    if (response.status < 200 || response.status > 299) {
      throw new Error(
        `${method} ${path}: ${response.status} ${typeof response.body === 'string' ? response.body : JSON.stringify(response.body)}`,
      );
    }
    return response.body;
  }
}

/** The directory of package.json, from the sources or from dist/. */
export function repositoryRoot(): string {
  let dir = import.meta.dirname;
  while (!existsSync(path.join(dir, 'package.json'))) dir = path.dirname(dir);
  return dir;
}
