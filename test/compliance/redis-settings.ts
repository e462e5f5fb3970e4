/** The settings of a Redis on loopback. */
import type { RedisSettings } from '../../controller/redis/access.js';

export function redisSettings(redis: string, more: Partial<RedisSettings> = {}): RedisSettings {
  return { redis, redis_tls_ca: null, redis_tls_cert: null, redis_tls_key: null, redis_prefix: 'hotori', ...more };
}
