/**
 * A Redis cluster of three masters.
 *
 * Owns: four nodes and their data, under a directory of the test; the fourth is no member until it replicates one.
 */
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { APPEND_ALWAYS, RedisServer } from './redis.js';
import { run } from './run.js';

const MASTERS = 3;

export class RedisCluster {
  readonly masters: readonly RedisServer[];
  readonly spare: RedisServer;

  private constructor(masters: readonly RedisServer[], spare: RedisServer) {
    this.masters = masters;
    this.spare = spare;
  }

  static async start(dir: string): Promise<RedisCluster> {
    const nodes = await Promise.all(
      Array.from({ length: MASTERS + 1 }, async (_, i) => {
        const config = { ...APPEND_ALWAYS, 'cluster-enabled': 'yes', 'cluster-node-timeout': 1_000, 'cluster-port': await freePort() };
        return RedisServer.start(join(dir, `node${i}`), config);
      }),
    );
    const masters = nodes.slice(0, MASTERS);
    await run(['redis-cli', '--cluster', 'create', ...masters.map(({ port }) => `127.0.0.1:${port}`), '--cluster-yes']);
    return new RedisCluster(masters, nodes[MASTERS]!);
  }

  /** Names two of the nodes. */
  get url(): string {
    return `redis+cluster://${this.masters
      .slice(0, 2)
      .map(({ port }) => `127.0.0.1:${port}`)
      .join(',')}`;
  }

  /** The node that is to have our keys, whether it has some or not. */
  async holder(): Promise<RedisServer> {
    const slot = Number(await this.masters[0]!.cli('cluster', 'keyslot', '{hotori}:meta'));
    for (const node of this.masters) {
      const own = /^.* myself,.*$/m.exec(await node.cli('cluster', 'nodes'))![0];
      for (const [, from, to] of own.matchAll(/ (\d+)-(\d+)/g)) if (Number(from) <= slot && slot <= Number(to)) return node;
    }
    throw new Error('nobody is to have our keys');
  }

  /** The spare node becomes the replica of one; resolves when it has all. */
  async replicate(master: RedisServer): Promise<void> {
    const id = (await master.cli('cluster', 'myid')).trim();
    const [spare, member] = [this.spare, master].map(({ port }) => `127.0.0.1:${port}`);
    await run(['redis-cli', '--cluster', 'add-node', spare!, member!, '--cluster-slave', '--cluster-master-id', id]);
    await eventually('the replica to have all', async () =>
      (await this.spare.cli('info', 'replication')).includes('master_link_status:up'),
    );
  }

  async stop(): Promise<void> {
    for (const node of [...this.masters, this.spare]) await node.stop();
  }
}
