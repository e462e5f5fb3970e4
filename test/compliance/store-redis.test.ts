import { openStore, redisOfFile } from './redis-world.js';
import { storeCompliance } from './store.js';

const server = redisOfFile();

storeCompliance('Redis', 'many', async () => {
  await server().cli('flushall');
  return {
    open: (logRevisions) => openStore(server().url, { leaseMs: 500, ...(logRevisions === undefined ? {} : { logRevisions }) }),
    destroy: () => Promise.resolve(),
  };
});
