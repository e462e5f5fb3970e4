/**
 * `npm run fuzz -- --inputs N [--seed S]`: broken messages against the OpenFlow decoder. Exits 1 if any was treated badly.
 */
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.js';
import { seeds } from './seeds.js';

const { values } = parseArgs({ options: { inputs: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } } });
const inputs = Number(values.inputs);
const seed = Number(values.seed);
if (!Number.isSafeInteger(inputs) || inputs < 1 || !Number.isSafeInteger(seed)) {
  process.stderr.write('usage: npm run fuzz -- --inputs N [--seed S]\n');
  process.exit(64);
}
// Refusals are most of the work; nobody reads their stacks.
Error.stackTraceLimit = 0;
const report = fuzz({
  inputs,
  seed,
  corpus: seeds(),
  onProgress: (done) => process.stderr.write(`\r${done.toLocaleString('en-US')} inputs`),
});
const { failures, ...figures } = report;
process.stderr.write('\r');
process.stdout.write(
  `${figures.inputs.toLocaleString('en-US')} inputs in ${figures.seconds.toFixed(1)} s: ${Math.round(figures.inputs / figures.seconds).toLocaleString('en-US')} a second, ` +
    `${figures.decoded.toLocaleString('en-US')} decoded, ${figures.refused.toLocaleString('en-US')} refused, slowest ${figures.slowestMs.toFixed(1)} ms, ` +
    `heap ${figures.heapGrowthMb >= 0 ? '+' : ''}${figures.heapGrowthMb.toFixed(1)} MiB, seed ${seed}, ${failures.length} failures\n`,
);
for (const { why, hex } of failures) process.stdout.write(`${why}\n  ${hex}\n`);
process.exit(failures.length === 0 ? 0 : 1);
