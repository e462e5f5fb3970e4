/**
 * A Redis server of its own.
 *
 * Owns: one redis-server on a free port of 127.0.0.1 and its directory.
 * Promises: what it had is there again after `kill9` and `restart` (AOF, written at every command).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Daemon } from './daemon.js';
import { eventually } from './eventually.js';
import { freePort } from './hotori.js';
import { tryRun } from './run.js';

export class RedisServer {
  readonly dir: string;
  readonly port: number;
  readonly #extra: readonly string[];
  #daemon: Daemon | undefined;

  private constructor(dir: string, port: number, extra: readonly string[]) {
    this.dir = dir;
    this.port = port;
    this.#extra = extra;
  }

  /** @param extra lines of its configuration, as arguments. */
  static async start(extra: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(mkdtempSync(path.join(tmpdir(), 'hotori-redis-')), await freePort(), extra);
    await server.restart();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async restart(): Promise<void> {
    const { dir, port } = this;
    const argv = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      dir,
      '--save',
      '',
      '--appendonly',
      'yes',
      '--appendfsync',
      'always',
    ];
    this.#daemon = Daemon.start(['redis-server', ...argv, ...this.#extra], path.join(dir, 'redis.log'));
    await eventually('redis answering', async () => /PONG|NOAUTH/.test((await this.cli('PING')).stdout));
  }

  async cli(...argv: readonly string[]): Promise<{ readonly stdout: string }> {
    return tryRun(['redis-cli', '-p', String(this.port), ...argv]);
  }

  signal(signal: NodeJS.Signals): void {
    this.#daemon?.signal(signal);
  }

  async kill9(): Promise<void> {
    await this.#daemon?.kill9();
  }

  async remove(): Promise<void> {
    await this.kill9();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
