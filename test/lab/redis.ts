/**
 * A redis-server for a test.
 *
 * Owns: its configuration, data and log in a directory of the test, its port; the process, by pid.
 * Promises: ready to answer when start() resolves; it dies with the test.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Daemon } from './daemon.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { run } from './run.js';

export type RedisConfig = Readonly<Record<string, string | number>>;

/** What makes a commit durable before it is answered. */
export const APPEND_ALWAYS: RedisConfig = { appendonly: 'yes', appendfsync: 'always' };

export class RedisServer {
  readonly dir: string;
  readonly port: number;
  private readonly config: RedisConfig;
  private readonly arguments: readonly string[];
  private daemon: Daemon | undefined;

  private constructor(dir: string, port: number, config: RedisConfig, args: readonly string[]) {
    this.dir = dir;
    this.port = port;
    this.config = config;
    this.arguments = args;
  }

  /**
   * @param dir made when absent
   * @param config lines of redis.conf; a port of 0 in `port` for TLS alone
   * @param args such as `--sentinel`
   */
  static async start(dir: string, config: RedisConfig = APPEND_ALWAYS, args: readonly string[] = []): Promise<RedisServer> {
    await mkdir(dir, { recursive: true });
    const server = new RedisServer(dir, Number(config['tls-port'] ?? config['port'] ?? (await freePort())), config, args);
    await server.writeConfig();
    await server.run();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.daemon!.pid;
  }

  get isRunning(): boolean {
    return this.daemon?.isRunning ?? false;
  }

  /** Starts it again on its data. */
  async run(): Promise<void> {
    const seen = await this.log();
    const daemon = Daemon.start(['redis-server', join(this.dir, 'redis.conf'), ...this.arguments], join(this.dir, 'log'));
    this.daemon = daemon;
    await eventually(
      'redis-server to be ready',
      async () => {
        if (!daemon.isRunning) throw new Error(await this.log());
        return /Ready to accept connections|monitor master|Sentinel ID is/.test((await this.log()).slice(seen.length));
      },
      { everyMs: 10 },
    );
  }

  signal(signal: NodeJS.Signals): void {
    this.daemon?.signal(signal);
  }

  async kill9(): Promise<void> {
    await this.daemon?.kill9();
  }

  async stop(): Promise<void> {
    this.daemon?.signal('SIGCONT');
    await this.daemon?.stop();
  }

  /** What redis-cli prints. */
  cli(...args: readonly string[]): Promise<string> {
    return run(['redis-cli', '-p', String(this.port), ...args]);
  }

  /** All it has logged. */
  log(): Promise<string> {
    return readFile(join(this.dir, 'log'), 'utf8').catch(() => '');
  }

  private async writeConfig(): Promise<void> {
    const settings: RedisConfig = {
      port: this.port,
      bind: '127.0.0.1',
      dir: this.dir,
      save: '""',
      daemonize: 'no',
      'enable-debug-command': 'local',
      ...this.config,
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`);
    await writeFile(join(this.dir, 'redis.conf'), lines.join(''));
  }
}
