import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { STORE_SCHEMA } from '../../controller/store/migrations.js';
import { STORE_SCHEMA_VERSION, type Store, type StoredChange } from '../../controller/store/contract.js';
import { eventually } from '../lab/eventually.js';
import { APPEND_ALWAYS, RedisServer } from '../lab/redis.js';
import { FaultyProxy } from './faulty-proxy.js';
import { errorOf, withRedis, withStores } from './redis-world.js';
import { refusal } from './store.js';
import { change, segment } from './store-values.js';

/** So many entities take several reads. */
const COUNT = 1_500;
/** Only a commit carries this. */
const NEEDLE = 'seg-needle';
const needle = (revision: number): StoredChange => change(revision, [segment(NEEDLE, String(revision))]);

async function withProxy(work: (server: RedisServer, proxy: FaultyProxy, behind: Store, direct: Store) => Promise<void>): Promise<void> {
  await withRedis(async (server, open) => {
    const proxy = await FaultyProxy.start(server.port, NEEDLE);
    try {
      await withStores(async (openAt) =>
        work(server, proxy, await openAt(`redis://127.0.0.1:${proxy.port}`, { commitMs: 1_000 }), await open()),
      );
    } finally {
      await proxy.close();
    }
  });
}

describe('Redis store, when the connection is lost during a commit,', () => {
  it('says that it was committed when only the answer was lost', async () => {
    await withProxy(async (_, proxy, store) => {
      const { revision } = await store.load();
      proxy.mode = 'lose reply';
      const committed = store.commit([needle(1)], revision);
      await eventually('the answer to be lost', () => proxy.struck > 0, { everyMs: 1 });
      proxy.mode = 'pass';
      await committed;
      expect((await store.changesSince(revision)).map(({ revision: number }) => number)).toEqual([1]);
    });
  });

  it('commits once when the lost request arrives late', async () => {
    await withProxy(async (_, proxy, store) => {
      const { revision } = await store.load();
      proxy.mode = 'hold request';
      const committed = store.commit([needle(1)], revision);
      await eventually('the request to be held', () => proxy.struck > 0, { everyMs: 1 });
      proxy.mode = 'pass';
      await committed;
      const before = await store.load();
      proxy.deliver();
      await sleep(50);
      expect(await store.load()).toEqual(before);
    });
  });

  it('says that it does not know when it cannot find out, and the log tells later', async () => {
    await withProxy(async (_, proxy, store, direct) => {
      const { revision } = await store.load();
      proxy.mode = 'hold request';
      const answer = errorOf(store.commit([needle(1)], revision));
      await eventually('the request to be held', () => proxy.struck > 0, { everyMs: 1 });
      proxy.mode = 'refuse';
      expect(await answer).toMatchObject({ code: 'unavailable', message: expect.stringContaining('it is not known whether') });
      expect((await direct.load()).revision.number).toBe(0);
      proxy.deliver();
      await eventually('the request to arrive', async () => (await direct.load()).revision.number === 1);
    });
  });

  it('says that nothing was written when nothing was sent', async () => {
    await withRedis(async (server, open) => {
      const store = await open({ commitMs: 300 });
      const { revision } = await store.load();
      await server.kill9();
      // The end of the connection has to reach us, or something would be sent.
      await sleep(100);
      expect(await errorOf(store.commit([needle(1)], revision))).toMatchObject({ code: 'failed' });
    });
  });

  it('tells the truth whatever is lost', async () => {
    await withProxy(async (_, proxy, store, direct) => {
      const mode = fc.constantFrom('pass', 'lose reply', 'hold request');
      await fc.assert(
        fc.asyncProperty(fc.array(fc.record({ mode, rival: fc.boolean() }), { minLength: 1, maxLength: 4 }), async (faults) => {
          const { revision } = await direct.load();
          let { number } = revision;
          const acknowledged: number[] = [];
          const refused: number[] = [];
          for (const { mode, rival } of faults) {
            proxy.struck = 0;
            proxy.mode = mode;
            const names = `${number + 1}`;
            const answer = refusal(store.commit([change(number + 1, [segment(NEEDLE, names)])], { ...revision, number }));
            await eventually('the fault to strike', () => mode === 'pass' || proxy.struck > 0, { everyMs: 1 });
            if (rival) await refusal(direct.commit([change(number + 1, [segment('seg-rival', names)])], { ...revision, number }));
            proxy.mode = 'pass';
            ((await answer) === 'accepted' ? acknowledged : refused).push(number + 1);
            proxy.deliver();
            number = (await direct.load()).revision.number;
          }
          const history = await direct.changesSince(revision);
          const ours = history.flatMap(({ revision: at, puts }) => (puts[0]?.uuid === NEEDLE ? [at] : []));
          expect(ours).toEqual(acknowledged);
          expect(refused.filter((at) => ours.includes(at))).toEqual([]);
        }),
        { numRuns: 15 },
      );
    });
  }, 30_000);
});

describe('Redis store', () => {
  it('waits for a server that hangs for a while', async () => {
    await withRedis(async (server, open) => {
      const store = await open();
      const { revision } = await store.load();
      server.signal('SIGSTOP');
      const committed = store.commit([needle(1)], revision);
      await sleep(300);
      server.signal('SIGCONT');
      await committed;
    });
  });

  it('begins a new incarnation when its file was cut short, and tells whoever has seen more', async () => {
    await withRedis(async (server, open) => {
      const notices: string[] = [];
      const store = await open({ onNotice: (notice) => notices.push(notice) });
      const { revision } = await store.load();
      for (const number of [1, 2, 3]) await store.commit([needle(number)], { ...revision, number: number - 1 });
      const at3 = { ...revision, number: 3 };
      const { ended } = await store.watch(at3, () => {}, new AbortController().signal);
      await server.kill9();
      const folder = join(server.dir, 'appendonlydir');
      const file = join(
        folder,
        (await readdir(folder)).find((name) => name.endsWith('.incr.aof'))!,
      );
      await truncate(file, (await stat(file)).size - 20);
      await server.run();
      expect(await ended).toMatchObject({ code: 'compacted' });
      expect(await refusal(store.commit([needle(4)], at3))).toBe('conflict');
      const now = await store.load();
      expect(now).toMatchObject({ revision: { number: 2 }, entities: [segment(NEEDLE, '2')] });
      expect(now.revision.incarnation).not.toBe(revision.incarnation);
      expect(notices).toEqual([`the store in ${server.url} begins a new incarnation at revision 2: its server was restarted or replaced`]);
      expect(store.epoch()).toBe(2);
    });
  });

  it('tells whoever has seen more when the data was replaced under it', async () => {
    await withRedis(async (server, open) => {
      const store = await open();
      const { revision } = await store.load();
      await store.commit([needle(1)], revision);
      await server.cli('copy', '{hotori}:log', 'log');
      await server.cli('copy', '{hotori}:meta', 'meta');
      await store.commit([needle(2)], { ...revision, number: 1 });
      const { ended } = await store.watch({ ...revision, number: 2 }, () => {}, new AbortController().signal);
      for (const key of ['log', 'meta']) await server.cli('copy', key, `{hotori}:${key}`, 'replace');
      // Somebody else goes on from there, under the same numbers.
      const other = await open();
      await other.commit([change(2, [])], { ...revision, number: 1 });
      await other.commit([change(3, [])], { ...revision, number: 2 });
      expect(await ended).toMatchObject({ code: 'compacted' });
      expect(await refusal(store.commit([needle(3)], { ...revision, number: 2 }))).toBe('conflict');
    });
  });

  it('starts anew when Redis was emptied, and tells its watchers', async () => {
    await withRedis(async (server, open) => {
      const store = await open();
      const { revision } = await store.load();
      await store.commit([needle(1)], revision);
      const { ended } = await store.watch({ ...revision, number: 1 }, () => {}, new AbortController().signal);
      await server.cli('flushall');
      expect(await refusal(store.commit([needle(2)], { ...revision, number: 1 }))).toBe('conflict');
      expect(await ended).toMatchObject({ code: 'compacted' });
      expect(await store.load()).toMatchObject({ revision: { number: 0 }, entities: [] });
    });
  });

  it('names the key that is damaged, and goes on without crashing', async () => {
    await withRedis(async (server, open) => {
      const store = await open();
      const { revision } = await store.load();
      await store.commit([change(1, [segment('seg-a', 'a'), segment('seg-b', 'b')])], revision);
      const at1 = { ...revision, number: 1 };
      const { ended } = await store.watch(at1, () => {}, new AbortController().signal);
      await server.cli('hset', '{hotori}:entities', 'seg-b', 'rubbish');
      expect(await errorOf(store.load())).toMatchObject({ code: 'corrupt', message: expect.stringContaining('seg-b in the store in') });
      await server.cli('xadd', '{hotori}:log', '2-0', 'id', 'x', 'previous', 'y', 'change', 'rubbish');
      expect((await ended)?.code).toMatch(/corrupt|compacted/);
      expect(await refusal(store.watch(revision, () => {}, new AbortController().signal))).toMatch(/corrupt|compacted/);
      await server.cli('xadd', '{hotori}:log', '3-1', 'foreign', 'entry');
      expect(await refusal(store.changesSince(revision))).toMatch(/corrupt|compacted/);
      await server.cli('hdel', '{hotori}:meta', 'revision');
      expect(await errorOf(store.load())).toMatchObject({ code: 'corrupt', message: expect.stringContaining('lost its head record') });
      await server.cli('set', '{hotori}:meta', 'text');
      expect(await errorOf(store.load())).toMatchObject({ code: 'failed', message: expect.stringContaining('WRONGTYPE') });
    });
  });

  it('refuses what a newer version wrote, at the start and later', async () => {
    await withRedis(async (server, open) => {
      const store = await open();
      const { revision } = await store.load();
      const { ended } = await store.watch(revision, () => {}, new AbortController().signal);
      await server.cli('hset', '{hotori}:meta', 'schema', '99');
      const expected = {
        code: 'newer_schema',
        message: `the store in ${server.url} was written by a newer version (schema 99; this one knows ${STORE_SCHEMA_VERSION})`,
      };
      expect(await errorOf(open())).toMatchObject(expected);
      expect(await errorOf(store.commit([needle(1)], revision))).toMatchObject(expected);
      expect(await ended).toMatchObject(expected);
    });
  });

  it('migrates what an older version wrote, once, and stops that version', async () => {
    await withRedis(async (server, open) => {
      const older = await open();
      const { revision } = await older.load();
      await older.commit([change(1, [segment('seg-a', 'a'), segment('seg-b', 'b')], [], { vrf_key: 7 })], revision);
      const at1 = { ...revision, number: 1 };
      const { ended } = await older.watch(at1, () => {}, new AbortController().signal);
      const step = (entity: unknown) => ({ ...(entity as object), display_name: `${(entity as { display_name: string }).display_name}+` });
      const schema = { version: STORE_SCHEMA.version + 1, steps: [...STORE_SCHEMA.steps, step] };
      const newer = await Promise.all([open({ schema }), open({ schema }), open({ schema })]);
      for (const store of newer) {
        const { entities, ...rest } = await store.load();
        expect(rest).toEqual({ revision: { ...revision, number: 2 }, counters: { vrf_key: 7 } });
        expect(new Set(entities)).toEqual(new Set([segment('seg-a', 'a+'), segment('seg-b', 'b+')]));
      }
      expect(await refusal(newer[0].changesSince(revision))).toBe('compacted');
      expect(await server.cli('hget', '{hotori}:meta', 'schema')).toBe(`${schema.version}\n`);
      expect(await refusal(older.commit([needle(2)], at1))).toBe('newer_schema');
      expect(await ended).toMatchObject({ code: expect.stringMatching(/newer_schema/) });
      await newer[0].commit([needle(3)], { ...revision, number: 2 });
    });
  });

  it('commits while a replica keeps up, and waits for it', async () => {
    await withRedis(async (server, open) => {
      const replica = await RedisServer.start(join(server.dir, 'replica'), { ...APPEND_ALWAYS, replicaof: `127.0.0.1 ${server.port}` });
      try {
        await eventually('the replica to have all', async () => (await server.cli('info', 'replication')).includes('state=online'));
        const store = await open({ durability: 'replicated' });
        let { revision } = await store.load();
        // For longer than a second: what Redis tells of the replica changes at its turn.
        for (const until = performance.now() + 1_500; performance.now() < until; revision = { ...revision, number: revision.number + 1 })
          await store.commit([needle(revision.number + 1)], revision);
        expect(Number(await replica.cli('xlen', '{hotori}:log'))).toBe(revision.number);
        await store.settle(revision);
      } finally {
        await replica.stop();
      }
    });
  }, 20_000);

  it('refuses a Redis that throws keys away, and warns of one that forgets', async () => {
    await withRedis(
      async (server, open) => {
        expect(await errorOf(open())).toMatchObject({ code: 'failed', message: expect.stringContaining('noeviction') });
        await server.cli('config', 'set', 'maxmemory-policy', 'noeviction');
        const notices: string[] = [];
        const store = await open({ onNotice: (notice) => notices.push(notice) });
        expect(notices).toEqual([expect.stringContaining('set appendonly yes')]);
        const { revision } = await store.load();
        await server.cli('config', 'set', 'maxmemory', '1');
        const refused = await errorOf(store.commit([change(1, [], ['seg-a'])], revision));
        expect(refused).toMatchObject({ code: 'failed', message: expect.stringContaining('OOM') });
        await server.cli('config', 'set', 'maxmemory', '0');
        expect((await store.load()).revision).toEqual(revision);
      },
      { maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' },
    );
  });

  it('loads one revision while others write', async () => {
    await withRedis(async (_, open) => {
      const [writer, reader] = [await open(), await open()];
      let { revision } = await writer.load();
      const names = Array.from({ length: COUNT }, (_, i) => `seg-${i}`);
      const all = (text: string) => names.map((uuid) => segment(uuid, text));
      await writer.commit([change(1, all('1'))], revision);
      revision = { ...revision, number: 1 };
      let isDone = false;
      const writing = (async () => {
        while (!isDone) {
          const number = revision.number + 1;
          const [odd, even] = [['seg-odd'], ['seg-even']];
          // Everything says the revision, and one of two is there.
          const puts = [...all(String(number)), segment(number % 2 ? odd[0]! : even[0]!, String(number))];
          await writer.commit([change(number, puts, number % 2 ? even : odd, { vrf_key: number })], revision);
          revision = { ...revision, number };
        }
      })();
      for (let i = 0; i < 4; i++) {
        const { revision: at, entities, counters } = await reader.load();
        expect(new Set(entities.map((entity) => 'display_name' in entity && entity.display_name))).toEqual(new Set([String(at.number)]));
        expect(entities).toHaveLength(at.number === 1 ? COUNT : COUNT + 1);
        expect(counters).toEqual(at.number === 1 ? {} : { vrf_key: at.number });
      }
      isDone = true;
      await writing;
    });
  }, 30_000);
});
