import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemRandom } from '../../controller/kernel/ambient.js';
import { openEmbeddedStore } from '../../controller/store/embedded.js';
import { buildScripts } from './build-scripts.js';

const KILLS = 50;

/** Lets a writer work for a while and kills it. @returns the last revision it acknowledged. */
async function writeUntilKilled(script: string, dir: string, forMs: number): Promise<number> {
  const child = spawn(process.execPath, [script, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  const ended = new Promise((resolve) => child.once('close', resolve));
  const ready = new Promise<void>((resolve) =>
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.startsWith('ready\n')) resolve();
    }),
  );
  await Promise.race([ready, ended.then(() => Promise.reject(new Error(`the writer ended by itself: ${output}`)))]);
  await sleep(forMs);
  child.kill('SIGKILL');
  await ended;
  const complete = output.slice(0, output.lastIndexOf('\n')).split('\n').slice(1);
  return Number(complete.at(-1) ?? 0);
}

it(`embedded store survives kill -9 at ${KILLS} moments during writes: nothing acknowledged is lost, nothing is half-written`, async () => {
  const script = await buildScripts();
  const dir = await mkdtemp(join(tmpdir(), 'hotori-crash-'));
  try {
    let before = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const acknowledged = await writeUntilKilled(join(script, 'test/compliance/store-writer.js'), dir, Math.random() * 60);
      const store = await openEmbeddedStore({ dir, random: systemRandom, logRevisions: 20 });
      const { revision, entities, counters } = await store.load();
      const { number } = revision;
      expect(number).toBeGreaterThanOrEqual(Math.max(before, acknowledged));
      const names = number === 0 ? [] : Array.from({ length: 30 }, (_, index) => `seg-${index}`);
      if (number % 2 === 1) names.push('seg-odd');
      expect(entities.map(({ uuid }) => uuid).sort()).toEqual(names.sort());
      expect(new Set(entities.map((entity) => 'display_name' in entity && entity.display_name))).toEqual(
        new Set(number === 0 ? [] : [String(number)]),
      );
      expect(counters).toEqual(number === 0 ? {} : { vrf_key: number });
      const log = await store.changesSince({ ...revision, number: store.floor() });
      expect(log.map((change) => change.revision)).toEqual(
        Array.from({ length: number - store.floor() }, (_, index) => store.floor() + 1 + index),
      );
      await store.close();
      before = number;
    }
    // Some were killed while they wrote, however slow the machine.
    expect(before).toBeGreaterThan(KILLS / 10);
  } finally {
    await rm(script, { recursive: true });
    await rm(dir, { recursive: true });
  }
}, 120_000);
