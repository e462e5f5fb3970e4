/**
 * `bench store`: what a store costs, embedded and in Redis.
 *
 * Figures: the time one commit takes (one interface with its MAC and address lease), one after another; and loading 100,000 entities.
 * With `--entities N`, that many.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { segment } from '../compliance/store-values.js';
import type { Entity } from '../../flows/model/entities.js';
import { systemRandom } from '../../controller/kernel/ambient.js';
import { redisAccess } from '../../controller/redis/access.js';
import { RedisConnections } from '../../controller/redis/connections.js';
import type { Store, StoredChange } from '../../controller/store/contract.js';
import { openEmbeddedStore } from '../../controller/store/embedded.js';
import { openRedisStore } from '../../controller/store/redis.js';
import { eventually } from '../lab/eventually.js';
import { RedisServer, type RedisConfig } from '../lab/redis.js';
import { percentile, type BenchResult } from './result.js';

const COMMITS = 1_000;
const BULK = 1_000;

interface Opened {
  readonly store: Store;
  readonly close: () => Promise<void>;
}

export async function* benchStore(args: readonly string[]): AsyncIterable<BenchResult> {
  const count = Number(args[args.indexOf('--entities') + 1] || 100_000);
  const stores: readonly [string, (dir: string) => Promise<Opened>][] = [
    ['embedded', openEmbedded],
    ['redis, appendfsync everysec', openRedis({ appendonly: 'yes', appendfsync: 'everysec' })],
    ['redis, appendfsync always', openRedis({ appendonly: 'yes', appendfsync: 'always' })],
    ['redis, replicated', openReplicated],
  ];
  for (const [name, open] of stores) {
    const dir = await mkdtemp(join(tmpdir(), 'hotori-bench-'));
    const { store, close } = await open(dir);
    try {
      yield* commits(name, store);
      yield* load(name, store, count);
    } finally {
      await close();
      await rm(dir, { recursive: true });
    }
  }
}

async function* commits(name: string, store: Store): AsyncIterable<BenchResult> {
  let { revision } = await store.load();
  const samples: number[] = [];
  for (let i = 0; i < COMMITS + 100; i++) {
    const number = revision.number + 1;
    const start = performance.now();
    await store.commit([changeOf(number, entities(3, `c${i}`))], revision);
    // The first ones find everything cold.
    if (i >= 100) samples.push(performance.now() - start);
    revision = { ...revision, number };
  }
  yield {
    bench: 'store',
    case: name,
    metric: 'commit',
    value: percentile(samples, 0.5),
    unit: 'ms',
    n: samples.length,
    p50: percentile(samples, 0.5),
    p99: percentile(samples, 0.99),
  };
}

async function* load(name: string, store: Store, count: number): AsyncIterable<BenchResult> {
  let { revision } = await store.load();
  for (let done = 0; done < count; done += BULK) {
    const number = revision.number + 1;
    await store.commit([changeOf(number, entities(BULK, `b${done}`))], revision);
    revision = { ...revision, number };
  }
  const start = performance.now();
  const { entities: loaded } = await store.load();
  yield {
    bench: 'store',
    case: name,
    metric: 'load',
    value: performance.now() - start,
    unit: 'ms',
    n: 1,
    note: `${loaded.length} entities`,
  };
}

function changeOf(revision: number, puts: readonly Entity[]): StoredChange {
  return { revision, puts, deletes: [], counters: { segment_key: revision }, requests: [] };
}

function entities(count: number, name: string): readonly Entity[] {
  return Array.from({ length: count }, (_, i) => segment(`seg-${name}-${i}`, `segment ${i} of ${name}`));
}

async function openEmbedded(dir: string): Promise<Opened> {
  const store = await openEmbeddedStore({ dir: join(dir, 'state'), random: systemRandom });
  return { store, close: () => store.close() };
}

function openRedis(config: RedisConfig): (dir: string) => Promise<Opened> {
  return async (dir) => {
    const server = await RedisServer.start(dir, config);
    return connect(server, 'local', () => server.stop());
  };
}

async function openReplicated(dir: string): Promise<Opened> {
  const config = { appendonly: 'yes', appendfsync: 'everysec', 'repl-diskless-sync-delay': 0 };
  const server = await RedisServer.start(join(dir, 'master'), config);
  const replica = await RedisServer.start(join(dir, 'replica'), { ...config, replicaof: `127.0.0.1 ${server.port}` });
  await eventually('the replica to have all', async () => (await server.cli('info', 'replication')).includes('state=online'));
  return connect(server, 'replicated', async () => {
    await replica.stop();
    await server.stop();
  });
}

async function connect(server: RedisServer, durability: 'local' | 'replicated', stop: () => Promise<void>): Promise<Opened> {
  const settings = { redis: server.url, redis_tls_ca: null, redis_tls_cert: null, redis_tls_key: null, redis_prefix: 'hotori' };
  const connections = new RedisConnections({ access: redisAccess(settings), random: systemRandom, name: 'bench' });
  const store = await openRedisStore({ connections, random: systemRandom, durability });
  return {
    store,
    close: async () => {
      await store.close();
      await connections.close();
      await stop();
    },
  };
}
