/**
 * Redis, as the roles of a process use it.
 *
 * Owns: its connections, the store and the bus over them, and saying in the log when it is there and when it is not.
 */
import type { Bus } from '../controller/bus/contract.js';
import { RedisBus } from '../controller/bus/redis-bus.js';
import { systemRandom } from '../controller/kernel/ambient.js';
import { ConfigError } from '../controller/kernel/config.js';
import { redisAccess } from '../controller/redis/access.js';
import { RedisConnections } from '../controller/redis/connections.js';
import type { LinkState } from '../controller/redis/link.js';
import type { Store } from '../controller/store/contract.js';
import { openRedisStore } from '../controller/store/redis.js';
import type { RoleContext } from './role.js';

export interface RedisParts {
  readonly connections: RedisConnections;
  readonly bus: Bus;
}

/** @param role what the process is. @param node where it runs. Together with chance they make the member's name. Throws ConfigError, RedisError. */
export function openRedis({ config, logger, started }: RoleContext, role: string): RedisParts {
  if (config.redis === null) throw new ConfigError([`hotori ${role} needs redis: it meets the others there`]);
  const access = redisAccess({ ...config, redis: config.redis });
  let last = '';
  const connections = new RedisConnections({
    access,
    random: systemRandom,
    name: `hotori-${role}`,
    onState: (purpose, state) => {
      if (purpose !== 'bus') return;
      const text = textOf(state);
      if (text !== last) logger[state.state === 'connected' ? 'info' : 'warn']({ redis: access.text }, text);
      last = text;
    },
  });
  started({ name: 'redis', stop: () => connections.close() });
  const name = config.vna[0]!.node_id.replaceAll(/[^A-Za-z0-9._-]/g, '_');
  const member = `${role}:${name}:${Buffer.from(systemRandom.bytes(6)).toString('hex')}`;
  const bus = new RedisBus({
    member,
    prefix: connections.keyPrefix,
    commands: connections.link('bus'),
    blocking: connections.link('bus-reader'),
  });
  started({ name: 'bus', stop: () => bus.close() });
  return { connections, bus };
}

/** Throws StoreError. */
export async function openStore({ config, logger, started }: RoleContext, connections: RedisConnections): Promise<Store> {
  const { durability } = config;
  const store = await openRedisStore({ connections, random: systemRandom, durability, onNotice: (text) => logger.warn(text) });
  started({ name: 'store', stop: () => store.close() });
  return store;
}

function textOf(state: LinkState): string {
  if (state.state === 'connected') return `connected to Redis at ${state.address}`;
  return `no connection to Redis: ${state.error?.message ?? 'lost'}`;
}
