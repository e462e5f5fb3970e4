import fc from 'fast-check';
import { SortedKeys } from '../../../flows/model/sorted-keys.js';

const key = fc.integer({ min: 0, max: 3000 }).map((n) => `k${n}`);

it('SortedKeys answers as a sorted array does', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), key), { maxLength: 3000, size: 'max' }),
      key,
      fc.nat(3000),
      fc.nat(50),
      (changes, probe, offset, limit) => {
        const keys = new SortedKeys();
        const model = new Set<string>();
        for (const [add, one] of changes) {
          expect(add ? keys.add(one) : keys.delete(one)).toBe(add ? !model.has(one) : model.has(one));
          if (add) model.add(one);
          else model.delete(one);
        }
        const sorted = [...model].sort();
        expect(keys.size).toBe(sorted.length);
        expect(keys.has(probe)).toBe(model.has(probe));
        expect([...keys.from(probe)]).toEqual(sorted.filter((one) => one >= probe));
        expect([...keys.before(probe)]).toEqual(sorted.filter((one) => one < probe).reverse());
        expect(keys.page(offset, limit)).toEqual(sorted.slice(offset, offset + limit));
      },
    ),
    { numRuns: 30 },
  );
});
