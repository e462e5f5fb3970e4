import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../lab/eventually.js';
import { RedisSentinel } from '../lab/redis-sentinel.js';
import { errorOf, openStore, withStores } from './redis-world.js';
import { Follower, Writer } from './store-users.js';
import { change, segment } from './store-values.js';

describe('Redis store under Sentinel', () => {
  let dir: string;
  let redis: RedisSentinel;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'hotori-redis-'));
    redis = await RedisSentinel.start(dir);
  }, 30_000);

  afterEach(async () => {
    await redis.stop();
    await rm(dir, { recursive: true });
  });

  it('loses nothing that a replica has confirmed when the master dies, and all who follow it agree', async () => {
    await withStores(async () => {
      const open = (durability: 'local' | 'replicated') => openStore(redis.url, { durability, logRevisions: 1_000_000, commitMs: 20_000 });
      const stores = [await open('replicated'), await open('local'), await open('local')];
      const [replicated, local, watching] = stores as [Awaited<ReturnType<typeof open>>, ...Awaited<ReturnType<typeof open>>[]];
      const writers = [new Writer(replicated, 'a'), new Writer(local!, 'b', 20)];
      const followers = [new Follower(replicated), new Follower(watching!)];
      const working = [...writers, ...followers].map((one) => one.run());
      const more = async (count: number) => {
        const before = writers.map(({ acknowledged }) => acknowledged.length);
        await eventually('both to go on', () => writers.every(({ acknowledged }, i) => acknowledged.length > before[i]! + count), {
          timeoutMs: 30_000,
          everyMs: 5,
        });
      };
      try {
        await more(20);
        const old = await redis.master();
        await old.kill9();
        await more(20);
        // The one that was the master comes back, as a replica of the new one.
        await old.run();
        await more(20);
      } finally {
        for (const writer of writers) writer.stop();
      }
      await Promise.all(working.slice(0, 2));
      const end = await watching!.load();
      const history = await watching!.changesSince({ ...end.revision, number: 0 });
      for (const follower of followers) await follower.reach(end);
      await Promise.all(working);
      expect(followers.every(({ loads }) => loads > 1)).toBe(true);
      writers[0]!.expectTruth(history);
      // Without waiting for a replica, what a master took before it was replaced may be gone; what was refused must not be there all the same.
      writers[1]!.expectTruth(history, writers[1]!.acknowledged);
      for (const store of stores) await store.close();
    });
  }, 90_000);

  it('tells everybody who has seen a change that the failover has lost', async () => {
    await withStores(async (open) => {
      const [store, other, careful] = [
        await open(redis.url),
        await open(redis.url),
        await open(redis.url, { durability: 'replicated', commitMs: 1_500 }),
      ];
      const { revision } = await store.load();
      await careful.commit([change(1, [segment('seg-a', 'kept')])], revision);
      const old = await redis.master();
      const replicas = redis.servers.filter((one) => one !== old);
      for (const replica of replicas) replica.signal('SIGSTOP');
      const at = (number: number) => ({ ...revision, number });
      expect(await errorOf(careful.commit([change(2, [segment('seg-a', 'unconfirmed')])], at(1)))).toMatchObject({ code: 'unavailable' });
      // What was sent to a stopped process still reaches it. From here on nothing is sent.
      await old.cli('client', 'kill', 'type', 'replica');
      expect(await errorOf(careful.commit([change(3, [])], at(2)))).toMatchObject({
        code: 'failed',
        message: expect.stringContaining('has no replica that keeps up'),
      });
      const { ended } = await other.watch(at(1), () => {}, new AbortController().signal);
      await store.commit([change(3, [segment('seg-a', 'lost')])], at(2));
      await old.kill9();
      for (const replica of replicas) replica.signal('SIGCONT');
      expect(await ended).toMatchObject({ code: 'compacted' });
      const after = await eventually('a new master', () => store.load(), { timeoutMs: 30_000 });
      expect(after).toMatchObject({ revision: { number: 2 }, entities: [segment('seg-a', 'unconfirmed')] });
      expect(after.revision.incarnation).not.toBe(revision.incarnation);
      // The number is used again, under another incarnation; what was built on the lost one is refused.
      expect(await errorOf(store.commit([change(4, [])], at(3)))).toMatchObject({ code: 'conflict' });
      await store.commit([change(3, [segment('seg-a', 'again')])], after.revision);
      expect(await errorOf(other.changesSince(at(3)))).toMatchObject({ code: 'compacted' });
      expect(await errorOf(other.settle(at(3)))).toMatchObject({ code: 'compacted' });
    });
  }, 90_000);
});
