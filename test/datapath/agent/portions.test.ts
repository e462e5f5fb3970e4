import fc from 'fast-check';
import { flowKey } from '../../../flows/openflow/canonical.js';
import { makeCookie } from '../../../flows/pipeline/cookie.js';
import { Entry } from '../../../datapath/agent/ledger.js';
import { portionsOf } from '../../../datapath/agent/portions.js';
import { testFlow } from './tables.js';

describe('portions', () => {
  it('hold every flow of ours exactly once, those included that were not wanted when they were made', () => {
    const hash = fc.bigInt({ min: 0n, max: 2n ** 40n - 1n });
    fc.assert(
      fc.property(fc.array(hash, { minLength: 5, maxLength: 40 }), hash, (hashes, foreign) => {
        const flows = hashes.map((one, n) => testFlow(n, 0, makeCookie(36, one)));
        const wanted = new Map(flows.map((flow) => [flowKey(flow), new Entry(flow, '')]));
        const portions = portionsOf(wanted, 4)!;
        const planted = testFlow(1_000, 0, makeCookie(96, foreign));
        const readIn = (cookie: bigint) => portions.filter(({ filter }) => (cookie & filter.cookie_mask) === filter.cookie);
        expect({
          keys: portions.flatMap(({ keys }) => keys).sort(),
          read: flows.map((flow) => readIn(flow.cookie).length),
          planted: readIn(planted.cookie).map((portion) => portion.has(planted)),
          has: portions.every((portion) => portion.keys.every((key) => portion.has(wanted.get(key)!.value))),
        }).toEqual({ keys: [...wanted.keys()].sort(), read: flows.map(() => 1), planted: [true], has: true });
      }),
    );
  });

  it('are not made of what fits one', () => {
    const flow = testFlow(1, 0);
    expect(portionsOf(new Map([[flowKey(flow), new Entry(flow, '')]]), 4)).toBeUndefined();
  });
});
