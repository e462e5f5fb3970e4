import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildScripts } from './build-scripts.js';
import { withRedis } from './redis-world.js';
import { change } from './store-values.js';

const LEASE_MS = 500;
const forEver = new AbortController().signal;

describe('a lease in Redis', () => {
  it('is lost to the next one when its holder is stopped, and then nothing is written under it', async () => {
    const scripts = await buildScripts();
    await withRedis(async (server, open) => {
      const store = await open({ leaseMs: LEASE_MS });
      const child = spawn(process.execPath, [join(scripts, 'test/compliance/lease-holder.js'), server.url, String(LEASE_MS)], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const said = async () => String(((await once(child.stdout, 'data')) as [Buffer])[0]);
      expect(await said()).toBe('held\n');
      const waiting = store.lease('duty', forEver);
      // Kept for as long as its holder runs.
      await sleep(3 * LEASE_MS);
      expect(await Promise.race([waiting.then(() => 'taken'), sleep(1, 'kept')])).toBe('kept');
      child.kill('SIGSTOP');
      const ours = await waiting;
      const { revision } = await store.load();
      await store.commit([change(1, [])], revision, ours);
      // What it is to do when it goes on is there before it knows that time has passed.
      child.stdin.write('go\n');
      child.kill('SIGCONT');
      expect(await said()).toBe('fenced lost\n');
      expect(await store.load()).toMatchObject({ revision: { number: 1 }, entities: [] });
    }).finally(() => rm(scripts, { recursive: true }));
  }, 30_000);

  it('is given up by its holder when Redis is out of reach for longer than it lasts', async () => {
    await withRedis(async (server, open) => {
      const store = await open({ leaseMs: LEASE_MS });
      const lease = await store.lease('duty', forEver);
      await server.kill9();
      await once(lease.lost, 'abort');
      await server.run();
      const again = await store.lease('duty', forEver);
      expect(again.token).not.toBe(lease.token);
    });
  });
});
