import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '../../controller/bus/contract.js';
import { RedisBus } from '../../controller/bus/redis-bus.js';
import { redisAccess } from '../../controller/redis/access.js';
import { RedisConnections } from '../../controller/redis/connections.js';
import { TcpProxy } from '../lab/tcp-proxy.js';
import { busCompliance } from './bus.js';
import { redisSettings } from './redis-settings.js';
import { redisOfFile } from './redis-world.js';

const server = redisOfFile();

let worlds = 0;
// Each member reaches Redis through a wire of its own.
busCompliance('Redis', () => {
  const prefix = `test${++worlds}`;
  const proxies = new Map<string, TcpProxy>();
  const connections: RedisConnections[] = [];
  return Promise.resolve({
    join: async (member, isSlow): Promise<Bus> => {
      const proxy = await TcpProxy.start(server().port);
      proxies.set(member, proxy);
      const access = redisAccess(redisSettings(`redis://127.0.0.1:${proxy.port}`, { redis_prefix: prefix }));
      const redis = new RedisConnections({ access, random: { bytes: randomBytes }, name: member });
      connections.push(redis);
      return new RedisBus({
        member,
        prefix: redis.keyPrefix,
        commands: redis.link('bus'),
        blocking: redis.link('bus-reader'),
        ...(isSlow ? {} : { beatMs: 600 }),
      });
    },
    silence: (member) => proxies.get(member)!.silence(),
    sever: (member) => proxies.get(member)!.refuse(),
    restore: (member) => proxies.get(member)!.open(),
    restartTransport: async () => {
      await server().kill9();
      await sleep(500);
      await server().run();
    },
    destroy: async () => {
      await Promise.all(connections.map((redis) => redis.close()));
      await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
    },
  });
});
