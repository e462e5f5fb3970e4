import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../lab/eventually.js';
import { APPEND_ALWAYS, freePort, RedisServer } from '../lab/redis.js';
import { run } from '../lab/run.js';
import type { RedisSettings } from '../../controller/redis/access.js';
import { errorOf, withDirectory, withStores } from './redis-world.js';
import { change } from './store-values.js';

/** What docs/operations/high-availability.md gives a user of ours. */
const RIGHTS = '~{hotori}:* -@all +@read +@write +@connection +@scripting -@dangerous +info +role +wait';

/** A certificate signed by the authority of that name, which is made when it is not there. */
async function certify(dir: string, ca: string, name: string): Promise<void> {
  const path = (file: string) => join(dir, file);
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  if (ca === name) {
    await run(['openssl', 'req', '-x509', ...ec, '-subj', `/CN=${ca}`, '-keyout', path(`${ca}.key`), '-out', path(`${ca}.pem`)]);
    return;
  }
  await writeFile(path('san'), 'subjectAltName=IP:127.0.0.1');
  await run(['openssl', 'req', ...ec, '-subj', `/CN=${name}`, '-keyout', path(`${name}.key`), '-out', path(`${name}.csr`)]);
  const signed = ['-CA', path(`${ca}.pem`), '-CAkey', path(`${ca}.key`), '-CAcreateserial', '-extfile', path('san'), '-days', '1'];
  await run(['openssl', 'x509', '-req', '-in', path(`${name}.csr`), ...signed, '-out', path(`${name}.pem`)]);
}

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
      await certify(dir, 'ca', 'ca');
      await certify(dir, 'ca', 'server');
      await certify(dir, 'ca', 'client');
      await certify(dir, 'stranger', 'stranger');
      const pem = (name: string) => join(dir, `${name}.pem`);
      const key = (name: string) => join(dir, `${name}.key`);
      const tls = {
        'tls-cert-file': pem('server'),
        'tls-key-file': key('server'),
        'tls-ca-cert-file': pem('ca'),
        'tls-auth-clients': 'yes',
      };
      const server = await RedisServer.start(join(dir, 'redis'), { ...APPEND_ALWAYS, port: 0, 'tls-port': await freePort(), ...tls });
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
