import { join } from 'node:path';
import { Certificates } from '../lab/certificates.js';
import { eventually } from '../lab/eventually.js';
import { freePort } from '../lab/free-port.js';
import { APPEND_ALWAYS, RedisServer } from '../lab/redis.js';
import type { RedisSettings } from '../../controller/redis/access.js';
import { errorOf, withDirectory, withStores } from './redis-world.js';
import { change } from './store-values.js';

/** What docs/operations/high-availability.md gives a user of ours. */
const RIGHTS = '~{hotori}:* -@all +@read +@write +@connection +@scripting -@dangerous +info +role +wait';

describe('a Redis with users and TLS', () => {
  it('is open to the right user, with just the rights the manual names', async () => {
    await withDirectory(async (dir) => {
      const server = await RedisServer.start(dir, { ...APPEND_ALWAYS, user: `hotori on >secret ${RIGHTS}` });
      await server.cli('acl', 'setuser', 'default', 'off');
      const at = (user: string) => server.url.replace('//', `//${user}@`);
      await withStores(async (open) => {
        const store = await open(at('hotori:secret'));
        const { revision } = await store.load();
        const seen: number[] = [];
        await store.watch(revision, (one) => seen.push(one.revision), new AbortController().signal);
        const lease = await store.lease('duty', new AbortController().signal);
        await store.commit([change(1, [])], revision, lease);
        await eventually('the change to be seen', () => seen.length === 1);
        await lease.release();

        const denied = 'WRONGPASS invalid username-password pair or user is disabled.';
        expect(await errorOf(open(at('hotori:wrong')))).toMatchObject({ code: 'failed', message: expect.stringContaining(denied) });
        expect(await errorOf(open(server.url))).toMatchObject({ code: 'failed', message: expect.stringContaining('NOAUTH') });
        expect(await errorOf(open(at('hotori:secret'), { settings: { redis_prefix: 'others' } }))).toMatchObject({
          code: 'failed',
          message: expect.stringContaining('NOPERM'),
        });
        expect((await errorOf(open(at('hotori:wrong')))).message).not.toContain('hotori:wrong');
      });
      await server.stop();
    });
  });

  it('is open to those with a certificate, and is asked for its own', async () => {
    await withDirectory(async (dir) => {
      const certificates = await Certificates.in(dir);
      for (const name of ['ca', 'stranger']) await certificates.authority(name);
      for (const name of ['server', 'client']) await certificates.certify('ca', name);
      const pem = (name: string) => certificates.pem(name);
      const key = (name: string) => certificates.key(name);
      const tls = certificates.redisConfig('ca', 'server', await freePort());
      const server = await RedisServer.start(join(dir, 'redis'), { ...APPEND_ALWAYS, ...tls });
      const url = `rediss://127.0.0.1:${server.port}`;
      const trusting: Partial<RedisSettings> = { redis_tls_ca: pem('ca') };
      const known = { ...trusting, redis_tls_cert: pem('client'), redis_tls_key: key('client') };
      await withStores(async (open) => {
        const store = await open(url, { settings: known });
        await store.commit([change(1, [])], (await store.load()).revision);
        const refusal = async (settings: Partial<RedisSettings>) => {
          const { code, message } = await errorOf(open(url, { settings }));
          return `${code} ${message.slice(message.lastIndexOf('Redis at'))}`;
        };
        expect(await refusal(trusting)).toMatch(/^failed Redis at .*certificate required/);
        expect(await refusal({ ...trusting, redis_tls_cert: pem('stranger'), redis_tls_key: key('stranger') })).toMatch(
          /^failed Redis at .*unknown ca/,
        );
        expect(await refusal({})).toMatch(/^failed Redis at .*(unable to verify|self-signed)/);
        expect(await refusal({ ...known, redis_tls_ca: pem('stranger') })).toMatch(/^failed Redis at .*(unable to|self-signed)/);
      });
      await server.stop();
    });
  }, 60_000);
});
