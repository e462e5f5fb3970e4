/**
 * Redis under Sentinel: a master, two replicas, three Sentinels.
 *
 * Owns: all six processes and their data, under a directory of the test; the wire by which all others reach the first master.
 * Promises: when `start` resolves everybody knows everybody, so that a failover can begin.
 */
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { APPEND_ALWAYS, RedisServer, type RedisConfig } from './redis.js';
import { TcpProxy } from './tcp-proxy.js';

/** Long enough that a pause of a busy machine is not taken for a death. */
export const SENTINEL_DOWN_MS = 1_500;

export class RedisSentinel {
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];
  /** Cut, it parts the first master, and whoever uses it by its own port, from the rest. */
  readonly wire: TcpProxy;

  private constructor(servers: readonly RedisServer[], sentinels: readonly RedisServer[], wire: TcpProxy) {
    this.servers = servers;
    this.sentinels = sentinels;
    this.wire = wire;
  }

  /** @param config more lines of each server's redis.conf */
  static async start(dir: string, config: RedisConfig = {}): Promise<RedisSentinel> {
    const all = { ...APPEND_ALWAYS, 'repl-diskless-sync-delay': 0, 'repl-ping-replica-period': 1, ...config };
    const master = await RedisServer.start(join(dir, 'redis0'), all);
    const wire = await TcpProxy.start(master.port);
    const replicas = await Promise.all(
      ['redis1', 'redis2'].map((name) => RedisServer.start(join(dir, name), { ...all, replicaof: `127.0.0.1 ${wire.port}` })),
    );
    await eventually('the replicas to be there', async () => /connected_slaves:2/.test(await master.cli('info', 'replication')));
    const watched = {
      'sentinel monitor': `main 127.0.0.1 ${wire.port} 2`,
      'sentinel down-after-milliseconds': `main ${SENTINEL_DOWN_MS}`,
      'sentinel failover-timeout': 'main 2000',
      'sentinel parallel-syncs': 'main 2',
    };
    const sentinels = await Promise.all(
      ['sentinel0', 'sentinel1', 'sentinel2'].map((name) => RedisServer.start(join(dir, name), watched, ['--sentinel'])),
    );
    const site = new RedisSentinel([master, ...replicas], sentinels, wire);
    await site.untilComplete();
    return site;
  }

  get url(): string {
    return `redis+sentinel://${this.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/main`;
  }

  /** Every Sentinel knows the others, and two replicas that follow. */
  async untilComplete(): Promise<void> {
    for (const sentinel of this.sentinels)
      await eventually(
        'the Sentinels to know all',
        async () => {
          const told = await sentinel.cli('sentinel', 'master', 'main');
          const replicas = await sentinel.cli('sentinel', 'replicas', 'main');
          return (
            /num-other-sentinels\n2\n/.test(told) &&
            /num-slaves\n2\n/.test(told) &&
            replicas.match(/\nflags\nslave\n/g)?.length === 2 &&
            replicas.match(/master-link-status\nok\n/g)?.length === 2
          );
        },
        { timeoutMs: 30_000 },
      );
  }

  /** As the Sentinels have it. */
  async master(): Promise<RedisServer> {
    const [, port] = (await this.sentinels[0]!.cli('sentinel', 'get-master-addr-by-name', 'main')).split('\n');
    return Number(port) === this.wire.port ? this.servers[0]! : this.servers.find((one) => one.port === Number(port))!;
  }

  async stop(): Promise<void> {
    for (const one of [...this.sentinels, ...this.servers]) await one.stop();
    await this.wire.close();
  }
}
