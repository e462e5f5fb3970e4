import fc from 'fast-check';
import { Ledger, type DriftCount, type Entry } from '../../../datapath/agent/ledger.js';

type Book = Ledger<string, number>;

const book = (): Book => new Ledger('test', String);

function end(ledger: Book): DriftCount {
  const steps = ledger.endSweep(0);
  for (;;) {
    const step = steps.next();
    if (step.done === true) {
      const { missing, extra, changed } = step.value;
      return { missing, extra, changed };
    }
  }
}

/** Reads a whole table into the ledger. */
function sweep(ledger: Book, held: ReadonlyMap<string, number>): DriftCount {
  ledger.beginSweep();
  for (const [key, value] of held) ledger.see(key, value);
  return end(ledger);
}

/** What the ledger wants the switch to be told. */
function todo(ledger: Book): Record<string, number | null> {
  return Object.fromEntries([...ledger.differences.keys()].map((key) => [key, ledger.wanted.get(key)?.value ?? null]));
}

const table = fc
  .dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.integer({ min: 0, max: 2 }))
  .map((o) => new Map(Object.entries(o)));

describe('a ledger', () => {
  it('asks for what is wanted when the switch holds nothing', () => {
    const ledger = book();
    ledger.want('a', 1, 1);
    ledger.want('b', 2, 2);
    expect({ todo: todo(ledger), count: ledger.count, digest: ledger.digest }).toEqual({ todo: { a: 1, b: 2 }, count: 0, digest: 0n });
  });

  it('asks for nothing when a wish is taken back before it was sent', () => {
    const ledger = book();
    ledger.want('a', 1, 1);
    ledger.hold('a', ledger.wanted.get('a'), 1);
    ledger.want('a', 2, 2);
    ledger.want('a', 1, 3);
    expect(todo(ledger)).toEqual({});
  });

  it('asks again when a wish was taken back while it was on its way', () => {
    const ledger = book();
    ledger.want('a', 1, 1);
    ledger.hold('a', ledger.wanted.get('a'), 1);
    ledger.want('a', 2, 2);
    const sent = ledger.wanted.get('a');
    ledger.want('a', 1, 3);
    ledger.hold('a', sent, 2);
    expect(todo(ledger)).toEqual({ a: 1 });
  });

  it('forgets a refusal when something else is wanted', () => {
    const ledger = book();
    ledger.want('a', 1, 1);
    ledger.refuse('a', { message: 'no', attempts: 1, retryAt: 5 });
    expect(ledger.differences.get('a')?.refusal?.message).toBe('no');
    ledger.want('a', 2, 2);
    expect(ledger.differences.get('a')).toEqual({ held: undefined, since: 1 });
  });

  it('has a digest that does not depend on order, and is zero again when everything is gone', () => {
    const one = book();
    const other = book();
    for (const key of ['a', 'b', 'c']) one.want(key, 7, 1);
    for (const key of ['c', 'a', 'b']) other.want(key, 7, 1);
    one.holdAll();
    expect(one.digest).toBe(other.wantedDigest());
    for (const key of ['a', 'b', 'c']) {
      one.want(key, undefined, 2);
      one.hold(key, undefined, 2);
    }
    expect(one.digest).toBe(0n);
  });

  it('tells equal values under different keys apart in the digest', () => {
    const one = book();
    const other = book();
    one.want('a', 1, 1);
    other.want('b', 1, 1);
    expect(one.wantedDigest()).not.toBe(other.wantedDigest());
  });

  it('counts drift by kind and asks for its repair', () => {
    const ledger = book();
    for (const [key, value] of [
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ] as const)
      ledger.want(key, value, 1);
    ledger.holdAll();
    const drift = sweep(
      ledger,
      new Map([
        ['a', 1],
        ['b', 9],
        ['x', 5],
      ]),
    );
    expect({ drift, todo: todo(ledger) }).toEqual({ drift: { missing: 1, extra: 1, changed: 1 }, todo: { b: 2, c: 3, x: null } });
  });

  it('does not take for drift what was sent while the dump was on its way', () => {
    const ledger = book();
    ledger.want('a', 1, 1);
    ledger.holdAll();
    ledger.beginSweep();
    ledger.see('a', 1);
    ledger.want('a', undefined, 2);
    ledger.want('b', 2, 2);
    for (const key of ['a', 'b']) {
      ledger.touch(key);
      ledger.hold(key, ledger.wanted.get(key), 2);
    }
    expect({ drift: end(ledger), todo: todo(ledger) }).toEqual({ drift: { missing: 0, extra: 0, changed: 0 }, todo: {} });
  });

  it('does not take for drift what is wanted differently while the dump is on its way', () => {
    const ledger = book();
    ledger.want('a', 1, 1);
    ledger.want('b', 1, 1);
    ledger.holdAll();
    ledger.beginSweep();
    ledger.see('a', 1);
    ledger.want('a', 2, 2);
    ledger.want('b', undefined, 2);
    ledger.see('b', 1);
    ledger.want('a', 1, 3);
    expect({ drift: end(ledger), todo: todo(ledger) }).toEqual({ drift: { missing: 0, extra: 0, changed: 0 }, todo: { b: null } });
  });

  it('brings any table to any other: doing what it asks for gives what is wanted', () => {
    fc.assert(
      fc.property(table, table, table, (held, first, second) => {
        const ledger = book();
        for (const [key, value] of first) ledger.want(key, value, 1);
        sweep(ledger, held);
        for (const key of first.keys()) if (!second.has(key)) ledger.want(key, undefined, 2);
        for (const [key, value] of second) ledger.want(key, value, 2);
        const after = new Map(held);
        for (const [key, value] of Object.entries(todo(ledger))) {
          if (value === null) after.delete(key);
          else after.set(key, value);
          expect(held.get(key)).not.toBe(value ?? undefined);
        }
        const sent: [string, Entry<number> | undefined][] = [...ledger.differences.keys()].map((key) => [key, ledger.wanted.get(key)]);
        const predicted = sent.reduce((digest, [key, entry]) => digest ^ ledger.digestChange(key, entry), ledger.digest);
        for (const [key, entry] of sent) ledger.hold(key, entry, 2);
        expect(Object.fromEntries(after)).toEqual(Object.fromEntries(second));
        expect({ todo: todo(ledger), count: ledger.count, digest: ledger.digest }).toEqual({
          todo: {},
          count: second.size,
          digest: ledger.wantedDigest(),
        });
        expect(predicted).toBe(ledger.digest);
      }),
    );
  });
});
