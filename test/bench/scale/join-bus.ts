/** A process's place on the bus over Redis. */
import { RedisBus } from '../../../controller/bus/redis-bus.js';
import { systemRandom } from '../../../controller/kernel/ambient.js';
import { redisAccess } from '../../../controller/redis/access.js';
import { RedisConnections } from '../../../controller/redis/connections.js';

export function joinBus(redis: string, member: string): { readonly connections: RedisConnections; readonly bus: RedisBus } {
  const settings = { redis, redis_tls_ca: null, redis_tls_cert: null, redis_tls_key: null, redis_prefix: 'hotori' };
  const connections = new RedisConnections({ access: redisAccess(settings), random: systemRandom, name: member });
  const [commands, blocking] = [connections.link('bus'), connections.link('bus-reader')];
  return { connections, bus: new RedisBus({ member, prefix: connections.keyPrefix, commands, blocking }) };
}
