import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../lab/eventually.js';
import type { RedisServer } from '../lab/redis.js';
import { RedisSentinel } from '../lab/redis-sentinel.js';
import { TcpProxy } from '../lab/tcp-proxy.js';
import { errorOf, openStore, withStores } from './redis-world.js';
import { Follower, Writer } from './store-users.js';
import { change, segment } from './store-values.js';

/** Seconds for which a master takes changes that no replica has. */
const LAG_S = 2;

describe('Redis store under Sentinel', () => {
  let dir: string;
  let redis: RedisSentinel;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'hotori-redis-'));
    redis = await RedisSentinel.start(dir);
  }, 60_000);

  afterEach(async () => {
    await redis.stop();
    await rm(dir, { recursive: true });
  }, 30_000);

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

  it('acknowledges nothing that a master cut off takes, but for the lag that is allowed, and tells all who have seen it', async () => {
    await withStores(async (open) => {
      const [old] = redis.servers as [RedisServer];
      for (const server of redis.servers) {
        await server.cli('config', 'set', 'min-replicas-to-write', '1');
        await server.cli('config', 'set', 'min-replicas-max-lag', String(LAG_S));
      }
      // Whoever is on the wrong side of the partition, until it is over and its Sentinel knows better.
      const side = await TcpProxy.start(old.port);
      const inside = `redis://127.0.0.1:${side.port}`;
      const patient = { logRevisions: 1_000_000, commitMs: 4_000 };
      const writers = [
        new Writer(await open(inside, { ...patient, durability: 'replicated' }), 'inside', 20),
        new Writer(await open(inside, patient), 'careless', 20),
        new Writer(await open(redis.url, { ...patient, durability: 'replicated' }), 'outside', 20),
      ] as const;
      const followers = [new Follower(await open(inside)), new Follower(await open(redis.url))];
      const working = [...writers, ...followers].map((one) => one.run());
      const counts = () => writers.map(({ acknowledged }) => acknowledged.length);
      const more = async (which: readonly number[], count: number) => {
        const before = counts();
        await eventually('them to go on', () => which.every((i) => counts()[i]! >= before[i]! + count), { timeoutMs: 30_000, everyMs: 5 });
      };
      await more([0, 1, 2], 5);

      redis.wire.silence();
      const atCut = counts();
      await eventually('another master', async () => (await redis.master()) !== old, { timeoutMs: 30_000 });
      await more([2], 5);
      // Of what had been sent when the wire was cut, one commit may have been confirmed.
      const whileCut = counts();
      expect(whileCut[0]! - atCut[0]!).toBeLessThanOrEqual(1);
      // It has found out by now that nobody follows it.
      await eventually('the old master taking nothing any more', async () => /^NOREPLICAS/.test(await old.cli('set', 'x', '1')));
      const careless = writers[1].acknowledged.length;
      expect(careless).toBeGreaterThan(atCut[1]!);
      await more([2], 5);
      expect(writers[1].acknowledged.length).toBe(careless);

      redis.wire.open();
      await eventually('the old master following', async () => /^slave/.test(await old.cli('role')), { timeoutMs: 30_000 });
      side.aim((await redis.master()).port);
      await more([0, 1, 2], 5);
      for (const writer of writers) writer.stop();
      await Promise.all(working.slice(0, writers.length));
      const reader = await open(redis.url);
      const end = await reader.load();
      const history = await reader.changesSince({ ...end.revision, number: 0 });
      for (const follower of followers) await follower.reach(end);
      await Promise.all(working);
      writers[0].expectTruth(history);
      writers[1].expectTruth(history, writers[1].acknowledged.slice(atCut[1]! - 1, careless));
      writers[2].expectTruth(history);
      // Who has seen what was lost was told.
      expect(followers[0]!.loads).toBeGreaterThan(1);
      await side.close();
    });
  }, 90_000);
});
