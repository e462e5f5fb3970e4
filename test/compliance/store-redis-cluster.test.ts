import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../lab/eventually.js';
import { APPEND_ALWAYS, freePort, RedisServer } from '../lab/redis.js';
import { run } from '../lab/run.js';
import { openStore, withStores } from './redis-world.js';
import { storeCompliance } from './store.js';
import { Follower, Writer } from './store-users.js';

const MASTERS = 3;
let dir: string;
let nodes: RedisServer[];
let url: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hotori-redis-'));
  nodes = [];
  for (let i = 0; i <= MASTERS; i++) {
    const config = { ...APPEND_ALWAYS, 'cluster-enabled': 'yes', 'cluster-node-timeout': 1_000, 'cluster-port': await freePort() };
    nodes.push(await RedisServer.start(join(dir, `node${i}`), config));
  }
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  await run(['redis-cli', '--cluster', 'create', ...addresses.slice(0, MASTERS), '--cluster-yes']);
  url = `redis+cluster://${addresses.slice(0, 2).join(',')}`;
}, 30_000);
afterAll(async () => {
  for (const node of nodes) await node.stop();
  await rm(dir, { recursive: true });
});

/** The node that has our keys, whatever it is asked for. */
async function owner(): Promise<RedisServer> {
  const slot = (await nodes[0]!.cli('cluster', 'keyslot', '{hotori}:meta')).trim();
  const key = (node: RedisServer) => node.cli('cluster', 'countkeysinslot', slot);
  for (const node of nodes.slice(0, MASTERS)) if (node.isRunning && Number(await key(node)) > 0) return node;
  throw new Error('nobody has our keys');
}

storeCompliance('Redis cluster', 'many', async () => {
  for (const node of nodes.slice(0, MASTERS)) await node.cli('flushall');
  return {
    open: (logRevisions) => openStore(url, { leaseMs: 500, ...(logRevisions === undefined ? {} : { logRevisions }) }),
    destroy: () => Promise.resolve(),
  };
});

it('Redis cluster store goes on when the node with its keys is replaced', async () => {
  await withStores(async (open) => {
    const [first, second] = [await open(url), await open(url)];
    await first.load();
    const master = await owner();
    const spare = nodes[MASTERS]!;
    const id = (await master.cli('cluster', 'myid')).trim();
    await run([
      'redis-cli',
      '--cluster',
      'add-node',
      `127.0.0.1:${spare.port}`,
      `127.0.0.1:${master.port}`,
      '--cluster-slave',
      '--cluster-master-id',
      id,
    ]);
    await eventually('the replica to have all', async () => (await spare.cli('info', 'replication')).includes('master_link_status:up'));

    const writer = new Writer(first, 'a');
    const follower = new Follower(second);
    const working = [writer.run(), follower.run()];
    await eventually('something to be committed', () => writer.acknowledged.length > 10, { everyMs: 1 });
    await master.kill9();
    const before = writer.acknowledged.length;
    await eventually('writing to go on', () => writer.acknowledged.length > before + 10, { timeoutMs: 30_000 });
    writer.stop();
    await working[0];
    const end = await second.load();
    await follower.reach(end);
    expect(follower.loads).toBeGreaterThan(1);
    const history = await second.changesSince({ ...end.revision, number: 0 });
    const there = history.flatMap(({ requests }) => requests.map(({ id: one }) => one));
    // The replica may have lacked the last ones.
    writer.expectTruth(history, writer.acknowledged.slice(before - 20, before));
    expect(there.length).toBeGreaterThan(before - 20);
  });
}, 60_000);
