/**
 * A process that takes a lease, says `held`, and when it hears a line follows up and commits under it. Says what became of that, and whether it knew that the
 * lease was lost.
 *
 * Arguments: URL of the Redis, how long the lease lasts in ms.
 */
import { once } from 'node:events';
import { systemRandom } from '../../controller/kernel/ambient.js';
import { redisAccess } from '../../controller/redis/access.js';
import { RedisConnections } from '../../controller/redis/connections.js';
import { StoreError } from '../../controller/store/contract.js';
import { openRedisStore } from '../../controller/store/redis.js';
import { redisSettings } from './redis-settings.js';
import { change, segment } from './store-values.js';

const [, , url, leaseMs] = process.argv;
const connections = new RedisConnections({ access: redisAccess(redisSettings(url!)), random: systemRandom, name: 'holder' });
const store = await openRedisStore({ connections, random: systemRandom, durability: 'local', leaseMs: Number(leaseMs) });
const lease = await store.lease('duty', new AbortController().signal);
process.stdout.write('held\n');
await once(process.stdin, 'data');
const { revision } = await store.load();
const answer = await store.commit([change(revision.number + 1, [segment('seg-a', 'stale')])], revision, lease).then(
  () => 'accepted',
  (error: unknown) => (error instanceof StoreError ? error.code : String(error)),
);
process.stdout.write(`${answer} ${lease.lost.aborted ? 'lost' : 'held'}\n`);
process.exit(0);
