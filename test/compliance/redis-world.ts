/**
 * A Redis for tests of the store, and the processes that use it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRandom } from '../../controller/kernel/ambient.js';
import { redisAccess, type RedisSettings } from '../../controller/redis/access.js';
import { RedisConnections } from '../../controller/redis/connections.js';
import { StoreError, type Store } from '../../controller/store/contract.js';
import { openRedisStore, type RedisStoreOptions } from '../../controller/store/redis.js';
import { RedisServer, type RedisConfig } from '../lab/redis.js';
import { redisSettings } from './redis-settings.js';

export type TestStoreOptions = Partial<Omit<RedisStoreOptions, 'connections' | 'random'>> & { readonly settings?: Partial<RedisSettings> };

/** A store with connections of its own, as a process has. Closing it closes them. */
export async function openStore(url: string, { settings, ...options }: TestStoreOptions = {}): Promise<Store> {
  const connections = new RedisConnections({ access: redisAccess(redisSettings(url, settings)), random: systemRandom, name: 'test' });
  try {
    const store = await openRedisStore({ durability: 'local', ...options, connections, random: systemRandom });
    const close = store.close.bind(store);
    store.close = async () => {
      await close();
      await connections.close();
    };
    return store;
  } catch (error) {
    await connections.close();
    throw error;
  }
}

/** Runs with a directory that is removed afterwards. */
export async function withDirectory(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'hotori-redis-'));
  try {
    await work(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** A redis-server for all tests of a file. */
export function redisOfFile(): () => RedisServer {
  let dir: string;
  let server: RedisServer;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'hotori-redis-'));
    server = await RedisServer.start(dir);
  });
  afterAll(async () => {
    await server.stop();
    await rm(dir, { recursive: true });
  });
  return () => server;
}

/** Runs with a redis-server and stores in it, all of which end afterwards. */
export async function withRedis(
  work: (server: RedisServer, open: (options?: TestStoreOptions) => Promise<Store>) => Promise<void>,
  config?: RedisConfig,
): Promise<void> {
  await withDirectory(async (dir) => {
    const server = await RedisServer.start(dir, config);
    try {
      await withStores((open) => work(server, (options) => open(server.url, options)));
    } finally {
      await server.stop();
    }
  });
}

/** Runs with stores, which are closed afterwards. */
export async function withStores(work: (open: typeof openStore) => Promise<void>): Promise<void> {
  const stores: Store[] = [];
  try {
    await work(async (url, options) => {
      const store = await openStore(url, options);
      stores.push(store);
      return store;
    });
  } finally {
    for (const store of stores) await store.close();
  }
}

export async function errorOf(promise: Promise<unknown>): Promise<StoreError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof StoreError) return error;
  throw error instanceof Error ? error : new Error('nothing was thrown');
}
