import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisServer } from '../lab/redis.js';
import { openStore } from './redis-world.js';
import { storeCompliance } from './store.js';

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

storeCompliance('Redis', 'many', async () => {
  await server.cli('flushall');
  return {
    open: (logRevisions) => openStore(server.url, { leaseMs: 500, ...(logRevisions === undefined ? {} : { logRevisions }) }),
    destroy: () => Promise.resolve(),
  };
});
