/**
 * A short run of what `npm run fuzz` does at length.
 */
import { fuzz } from '../fuzz/fuzz.js';
import { seeds } from '../fuzz/seeds.js';

describe('broken messages', () => {
  it('are treated well', () => {
    const report = fuzz({ inputs: 60_000, seed: 42, corpus: seeds() });
    expect(report.failures).toEqual([]);
    expect(report.decoded).toBeGreaterThan(10_000);
    expect(report.refused).toBeGreaterThan(10_000);
  }, 60_000);
});
