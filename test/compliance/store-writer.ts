/**
 * A process that commits to the embedded store until it is killed. Says `ready`, then each revision once it is acknowledged.
 *
 * Every commit of revision r sets all entities to r, so that anything half-written shows.
 */
import { systemRandom } from '../../controller/kernel/ambient.js';
import { openEmbeddedStore } from '../../controller/store/embedded.js';
import { change, segment } from './store-values.js';

const store = await openEmbeddedStore({ dir: process.argv[2]!, random: systemRandom, logRevisions: 20 });
let { revision } = await store.load();
process.stdout.write('ready\n');
for (;;) {
  const number = revision.number + 1;
  const entities = Array.from({ length: 30 }, (_, index) => segment(`seg-${index}`, String(number)));
  // Every other revision deletes what the one before it added.
  const extra = number % 2 === 0 ? [] : [segment('seg-odd', String(number))];
  await store.commit([change(number, [...entities, ...extra], number % 2 === 0 ? ['seg-odd'] : [], { vrf_key: number })], revision);
  revision = { ...revision, number };
  process.stdout.write(`${number}\n`);
}
