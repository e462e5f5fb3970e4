import fc from 'fast-check';
import { bagWith, bagWithout, inBag, type Bag } from '../../../flows/compile/bag.js';
import { FactBook } from '../../../flows/compile/fact-book.js';
import { Unique } from '../../../flows/compile/unique.js';
import type { Fact } from '../../../flows/pipeline/facts.js';

const few = fc.array(fc.tuple(fc.boolean(), fc.nat(14)), { maxLength: 60 });

describe('The books of the compiler', () => {
  it('a bag holds what a Set would, in its order', () => {
    const members = Array.from({ length: 15 }, (_, id) => ({ id }));
    fc.assert(
      fc.property(few, (steps) => {
        const expected = new Set<object>();
        let bag: Bag<(typeof members)[number]> | undefined;
        for (const [isPut, which] of steps) {
          const member = members[which]!;
          if (isPut) expected.add(member);
          else expected.delete(member);
          bag = isPut ? bagWith(bag, member) : bagWithout(bag, member);
          expect([...inBag(bag)]).toEqual([...expected]);
        }
      }),
    );
  });

  it('of things with one id the last counts, in the place of the first, and nothing is left after they are taken', () => {
    fc.assert(
      fc.property(few, (steps) => {
        const unique = new Unique<{ readonly id: number; readonly step: number }, number>(({ id }) => id);
        const expected = new Map<number, { readonly id: number; readonly step: number }>();
        for (const [step, [isTaken, id]] of steps.entries()) {
          const item = { id, step };
          unique.add(item);
          expected.set(id, item);
          expect(unique.get(id)).toBe(item);
          if (!isTaken || step % 5 > 0) continue;
          expect(unique.take()).toEqual([...expected.values()]);
          expected.clear();
          expect({ isEmpty: unique.isEmpty, found: unique.get(id) }).toEqual({ isEmpty: true, found: undefined });
        }
      }),
    );
  });

  it('a fact stands as the maker says whose name sorts first, whoever came or went before', () => {
    const makers = Array.from({ length: 6 }, (_, i) => ({ name: `maker ${(i * 5) % 6}` }));
    const said = (what: number) => ({ kind: 'shared_macs', uuid: 'fact', segment_key: what }) satisfies Fact;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(5), fc.nat(2)), { maxLength: 40 }), (steps) => {
        const book = new FactBook<(typeof makers)[number]>();
        const expected = new Map<string, Fact>();
        for (const [isStated, by, what] of steps) {
          const maker = makers[by]!;
          const before = book.get('fact');
          const fact = book.known(said(what));
          const differs = isStated ? book.state(maker, fact) : book.withdraw(maker, 'fact');
          if (isStated) expected.set(maker.name, fact);
          else expected.delete(maker.name);
          const after = book.get('fact');
          expect(after).toEqual(expected.get([...expected.keys()].sort()[0] ?? ''));
          if (!differs) expect(after).toEqual(before);
        }
      }),
      { numRuns: 300 },
    );
  });
});
