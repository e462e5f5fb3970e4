import fc from 'fast-check';
import { flowBody, flowKey } from '../../../flows/openflow/canonical.js';
import type { Tables } from '../../../flows/compile/contract.js';
import type { Flow } from '../../../flows/openflow/flow.js';
import { TABLES } from '../../../flows/pipeline/tables.js';
import { isCanary } from '../../../datapath/agent/canary.js';
import { AUDIT_MS, Bench, EMPTY } from './bench.js';
import { testFlow, testGroup, testTables } from './tables.js';

function textOf(of: { readonly flows: ReadonlyMap<string, Flow> }, key: string): string | undefined {
  const flow = of.flows.get(key);
  return flow === undefined ? undefined : flowBody(flow);
}

const FLOWS = 12;
const GROUPS = [5, 6, 7];

type Wish = typeof wish extends fc.Arbitrary<infer T> ? T : never;

const wish = fc.record({
  flows: fc.dictionary(fc.integer({ min: 0, max: FLOWS - 1 }).map(String), fc.constantFrom(0, 1, ...GROUPS)),
  groups: fc.dictionary(fc.constantFrom(...GROUPS.map(String)), fc.integer({ min: 0, max: 2 })),
});

/** Flows that send to a group bring it along. */
function wishTables({ flows, groups }: Wish): Tables {
  const wanted = new Map(Object.entries(groups).map(([k, v]): [number, number] => [Number(k), v]));
  for (const variant of Object.values(flows)) if (variant >= 2 && !wanted.has(variant)) wanted.set(variant, 0);
  return testTables(new Map(Object.entries(flows).map(([k, v]): [number, number] => [Number(k), v])), wanted);
}

/** Flows that an audit reads at a time; all when undefined. */
const portion = fc.constantFrom(undefined, 1, 4);
const number = fc.integer({ min: 0, max: FLOWS + 3 });
const event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('want' as const), wish }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('turn' as const), turns: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(30, 700, 11_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('disconnect' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart_switch' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('put_by_hand' as const), number, variant: fc.constantFrom(0, 1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete_by_hand' as const), number }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('group_by_hand' as const),
      group: fc.constantFrom(...GROUPS),
      variant: fc.integer({ min: 0, max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('audit' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refuse' as const), number: fc.option(number, { nil: undefined }) }) },
);

describe('the reconciler, whatever happens', () => {
  it('ends with the switch as wanted, foreign flows untouched, nothing sent once it is so', async () => {
    await fc.assert(
      fc.asyncProperty(wish, fc.array(event, { maxLength: 25 }), portion, async (first, events, auditPortion) => {
        const bench = new Bench(undefined, auditPortion);
        const { bridge } = bench;
        const foreign = testFlow(100, 0, 0x11n);
        const plantForeign = (): void => bridge.apply([{ kind: 'flow_add', flow: foreign }]);
        plantForeign();
        await bench.begin(wishTables(first));
        let seq = 1;
        for (const event of events) {
          switch (event.do) {
            case 'want':
              bench.want(wishTables(event.wish), ++seq);
              break;
            case 'settle':
              await bench.clock.settle();
              break;
            case 'turn':
              for (let i = 0; i < event.turns; i++) await new Promise((resolve) => setImmediate(resolve));
              break;
            case 'pass':
              await bench.clock.advance(event.ms);
              break;
            case 'disconnect':
              bench.channel?.disconnect();
              break;
            case 'restart_switch':
              bridge.wipe();
              plantForeign();
              bench.channel?.disconnect();
              break;
            case 'put_by_hand':
              bridge.flows.set(flowKey(testFlow(event.number, event.variant)), testFlow(event.number, event.variant));
              break;
            case 'delete_by_hand':
              bridge.flows.delete(flowKey(testFlow(event.number, 0)));
              break;
            case 'group_by_hand':
              if (bridge.groups.has(event.group)) bridge.groups.set(event.group, testGroup(event.group, event.variant));
              break;
            case 'audit':
              bench.reconciler.auditSoon();
              break;
            case 'refuse': {
              const key = event.number === undefined ? '' : flowKey(testFlow(event.number, 0));
              bridge.refuses = (mod) => (mod.kind === 'flow_add' && flowKey(mod.flow) === key ? 'OFPBAC_BAD_TYPE' : undefined);
            }
          }
        }
        bridge.refuses = () => undefined;
        // The longest back-off, and the audits behind it.
        await bench.clock.advance(90_000);
        expect({ flows: bench.ours(), groups: bridge.groups, status: bench.reconciler.status() }).toEqual({
          flows: bench.wanted.flows,
          groups: bench.wanted.groups,
          status: { isAdopted: true, applied_seq: seq, flow_count: bench.wanted.flows.size + 1, error: null },
        });
        expect(bridge.flows.get(flowKey(foreign))).toEqual(foreign);

        const sent = bridge.applied.length;
        bench.want(bench.wanted, ++seq);
        await bench.clock.advance(3 * AUDIT_MS);
        bench.channel?.disconnect();
        await bench.clock.advance(3 * AUDIT_MS);
        expect({ sent: bridge.applied.length - sent, applied: bench.reconciler.status().applied_seq }).toEqual({ sent: 0, applied: seq });
        await bench.stop();
      }),
      { numRuns: 100 },
    );
  }, 120_000);

  it('takes nothing of its own for drift, and confirms a message only when the switch holds all it asked for', async () => {
    const calm = event.filter((one) => ['want', 'settle', 'turn', 'pass', 'disconnect', 'audit', 'refuse'].includes(one.do));
    await fc.assert(
      fc.asyncProperty(wish, fc.array(calm, { maxLength: 25 }), portion, async (first, events, auditPortion) => {
        const bench = new Bench(undefined, auditPortion);
        const history = [EMPTY, wishTables(first)];
        // Collected, as what is thrown in the middle of the reconciler's work would only end its connection.
        const unfounded: unknown[] = [];
        // What the switch may hold under a key once `seq` is confirmed: what `seq` wanted there, or any later message.
        bench.onProgress = () => {
          const { applied_seq } = bench.reconciler.status();
          if (applied_seq === null) return;
          for (const key of new Set(history.flatMap((one) => [...one.flows.keys()]))) {
            const held = textOf(bench.bridge, key);
            if (!history.slice(applied_seq).some((one) => textOf(one, key) === held)) unfounded.push({ applied_seq, key, held });
          }
        };
        await bench.begin(history[1]!);
        for (const one of events) {
          if (one.do === 'want') {
            history.push(wishTables(one.wish));
            bench.want(history.at(-1)!, history.length - 1);
          } else if (one.do === 'settle') await bench.clock.settle();
          else if (one.do === 'turn') for (let i = 0; i < one.turns; i++) await new Promise((resolve) => setImmediate(resolve));
          else if (one.do === 'pass') await bench.clock.advance(one.ms);
          else if (one.do === 'disconnect') bench.channel?.disconnect();
          else if (one.do === 'audit') bench.reconciler.auditSoon();
          else if (one.do === 'refuse') {
            const key = one.number === undefined ? '' : flowKey(testFlow(one.number, 0));
            bench.bridge.refuses = (mod) => (mod.kind === 'flow_add' && flowKey(mod.flow) === key ? 'OFPBAC_BAD_TYPE' : undefined);
          }
        }
        await bench.clock.advance(90_000);
        const { drift } = bench.reconciler.counters;
        expect({ drift, unfounded }).toEqual({ drift: { missing: 0, extra: 0, changed: 0 }, unfounded: [] });
        await bench.stop();
      }),
      { numRuns: 100 },
    );
  }, 120_000);

  it('keeps the canary in step with what the switch holds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(wish, { minLength: 1, maxLength: 6 }), async (wishes) => {
        const bench = new Bench();
        await bench.begin(EMPTY);
        for (const one of wishes) {
          bench.want(wishTables(one));
          await bench.clock.settle();
        }
        await bench.stop();
        const other = new Bench(bench.bridge);
        const sent = bench.bridge.applied.length;
        await other.begin(wishTables(wishes.at(-1)!));
        expect({ sent: bench.bridge.applied.length - sent, table: [...bench.bridge.flows.values()].filter(isCanary)[0]?.table }).toEqual({
          sent: 0,
          table: TABLES.CANARY.id,
        });
        await other.stop();
      }),
      { numRuns: 50 },
    );
  });
});
