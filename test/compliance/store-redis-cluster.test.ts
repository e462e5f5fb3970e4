import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../lab/eventually.js';
import { RedisCluster } from '../lab/redis-cluster.js';
import { openStore, withStores } from './redis-world.js';
import { storeCompliance } from './store.js';
import { Follower, Writer } from './store-users.js';

let dir: string;
let redis: RedisCluster;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hotori-redis-'));
  redis = await RedisCluster.start(dir);
}, 30_000);
afterAll(async () => {
  await redis.stop();
  await rm(dir, { recursive: true });
});

storeCompliance('Redis cluster', 'many', async () => {
  for (const node of redis.masters) await node.cli('flushall');
  return {
    open: (logRevisions) => openStore(redis.url, { leaseMs: 500, ...(logRevisions === undefined ? {} : { logRevisions }) }),
    destroy: () => Promise.resolve(),
  };
});

it('Redis cluster store goes on when the node with its keys is replaced', async () => {
  await withStores(async (open) => {
    const [first, second] = [await open(redis.url), await open(redis.url)];
    await first.load();
    const master = await redis.holder();
    await redis.replicate(master);

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
