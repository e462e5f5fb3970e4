import fc from 'fast-check';
import type { Tables } from '../../../flows/compile/contract.js';
import type { Action } from '../../../flows/openflow/action.js';
import type { Flow } from '../../../flows/openflow/flow.js';
import { checkTables } from '../../../flows/trace/checkers.js';
import { findOverlaps, findShadowed } from '../../../flows/trace/overlaps.js';
import { flow, out, resubmit, set, tables, type MatchRecord } from './tables.js';

const clause = (id: number, n: number, of = 2): Action => ({ kind: 'conjunction', id, clause: n, n_clauses: of });
const IP = { eth_type: 0x0800 } as const;

const found = (given: Tables) => checkTables(given, { dropTables: [250] }).map(({ kind, detail }) => `${kind}: ${detail}`);

const word = fc.constantFrom(0, 1, 2, 3);
const mask = fc.constantFrom(0xffff_ffff, 1, 2, 3);
const arbitraryMatch = fc.dictionary(fc.constantFrom('reg0', 'reg1'), fc.tuple(word, mask));
const arbitraryFlows = fc
  .array(fc.tuple(arbitraryMatch, fc.constantFrom(1, 2), fc.constantFrom(1, 2)), { maxLength: 12 })
  .map((all): Flow[] => {
    const flows = all.map(([match, priority, port]) => {
      const masked = Object.entries(match)
        .sort()
        .map(([field, [value, under]]) => [field, [(value & under) >>> 0, under]]);
      return flow(0, priority, Object.fromEntries(masked) as MatchRecord, out(port));
    });
    const unique = new Map(flows.map((each) => [JSON.stringify([each.priority, each.match]), each]));
    return [...unique.values()];
  });

/** Every packet of the small world, as reg0 and reg1. */
const PACKETS = [0, 1, 2, 3].flatMap((a) => [0, 1, 2, 3].map((b) => ({ reg0: a, reg1: b })));

function holds({ match }: Flow, packet: { reg0: number; reg1: number }): boolean {
  return match.every((oxm) => {
    if (oxm.field !== 'reg0' && oxm.field !== 'reg1') throw new Error(oxm.field);
    return ((packet[oxm.field] ^ (oxm.value as number)) & ((oxm.mask ?? -1) as number)) === 0;
  });
}

describe('checkers', () => {
  it('find nothing in tables that are as they should be', () => {
    const good = tables(
      [
        flow(0, 1, IP, { kind: 'ct', zone: 1, table: 1 }),
        flow(1, 5, IP, clause(7, 0)),
        flow(1, 5, { ...IP, ip_dst: 1 }, clause(7, 1)),
        flow(1, 5, { conj_id: 7 }, { kind: 'group', group_id: 1 }),
        flow(1, 0, {}, 250),
        flow(250, 0, {}),
      ],
      [{ group_id: 1, type: 'all', buckets: [{ actions: [out(1)] }] }],
    );
    expect(found(good)).toEqual([]);
  });

  it.each<[string, Tables]>([
    ['bare_drop: table 3 drops without a reason', tables([flow(3, 1, {})])],
    ['unmetered_punt: table 0 punts without a meter', tables([flow(0, 1, {}, { kind: 'clone', actions: [{ kind: 'controller' }] })])],
    [
      'unmetered_punt: group 1 punts without a meter',
      tables([], [{ group_id: 1, type: 'all', buckets: [{ actions: [out(0xffff_fffd)] }] }]),
    ],
    ['missing_meter: table 0 uses meter 4', tables([flow(0, 1, {}, { kind: 'controller', meter_id: 4 })])],
    ['missing_meter: table 0 uses meter 5', tables([flow(0, 1, {}, { kind: 'meter', meter_id: 5 }, out(1))])],
    ['missing_group: table 0 uses group 9', tables([flow(0, 1, {}, { kind: 'group', group_id: 9 })])],
    ['dangling_table: goto_table 7, which is empty', tables([flow(0, 1, {}, 7)])],
    ['dangling_table: table 0: resubmit to table 8, which is empty', tables([flow(0, 1, {}, resubmit(8))])],
    ['backward_goto: goto_table 3 from table 3', tables([flow(3, 1, {}, 3)])],
    ['missing_prerequisite: table 0: match on tcp_dst', tables([flow(0, 1, { ...IP, tcp_dst: 4 }, out(1))])],
    ['missing_prerequisite: table 0: set_field nw_ttl', tables([flow(0, 1, {}, set('nw_ttl', 4), out(1))])],
    ['missing_prerequisite: table 0: ct', tables([flow(0, 1, {}, { kind: 'ct', zone: 1 })])],
    [
      'broken_conjunction: conjunction 7 has no flow of its own at that priority',
      tables([flow(0, 1, {}, clause(7, 0)), flow(0, 1, IP, clause(7, 1))]),
    ],
    ['broken_conjunction: conjunction 7 has 1 of 2 dimensions', tables([flow(0, 1, {}, clause(7, 0)), flow(0, 1, { conj_id: 7 }, out(1))])],
    [
      'action_set_across_ct: table 0 writes to the action set while others use ct(table=)',
      tables([flow(0, 1, IP, { kind: 'ct', zone: 1, table: 1 }, { kind: 'write_actions', actions: [out(1)] }), flow(1, 1, {}, out(1))]),
    ],
  ])('find %s', (expected, given) => {
    expect(found(given)).toEqual([expected]);
  });

  it('let a tag be written where one is pushed', () => {
    expect(found(tables([flow(0, 1, {}, { kind: 'push_vlan', ethertype: 0x8100 }, set('vlan_vid', 0x1003), out(1))]))).toEqual([]);
  });
});

describe('overlaps', () => {
  it('are the pairs of equal priority that a packet may match both and that differ', () => {
    fc.assert(
      fc.property(arbitraryFlows, (flows) => {
        const actions = (each: Flow) => JSON.stringify(each.instructions);
        const expected = flows.flatMap((a, at) =>
          flows
            .slice(at + 1)
            .filter(
              (b) =>
                a.priority === b.priority && actions(a) !== actions(b) && PACKETS.some((packet) => holds(a, packet) && holds(b, packet)),
            )
            .map((b) => [a, b]),
        );
        const ids = (pairs: readonly (readonly Flow[])[]) =>
          pairs
            .map((pair) =>
              pair
                .map((each) => flows.indexOf(each))
                .sort()
                .join(),
            )
            .sort();
        expect(ids(findOverlaps(tables(flows)).map((overlap) => overlap.flows))).toEqual(ids(expected));
      }),
    );
  });

  it('count an ordinary flow against a dimension, but not dimensions against each other or their own id', () => {
    const dimensions = [flow(0, 5, {}, clause(7, 0)), flow(0, 5, IP, clause(7, 1)), flow(0, 5, { conj_id: 7 }, out(1))];
    const ordinary = flow(0, 5, { reg0: 1 }, out(2));
    expect(findOverlaps(tables(dimensions))).toEqual([]);
    expect(findOverlaps(tables([...dimensions, ordinary]))).toHaveLength(3);
  });
});

describe('shadowed flows', () => {
  it('are those of which a higher flow takes every packet', () => {
    fc.assert(
      fc.property(arbitraryFlows, (flows) => {
        for (const { flow: hidden, by } of findShadowed(tables(flows))) {
          expect(by.priority).toBeGreaterThan(hidden.priority);
          for (const packet of PACKETS) if (holds(hidden, packet)) expect(holds(by, packet)).toBe(true);
        }
      }),
    );
    expect(
      findShadowed(tables([flow(0, 9, { reg0: [1, 1] }, out(1)), flow(0, 5, { reg0: 3 }, out(2)), flow(0, 5, { reg0: 2 }, out(3))])),
    ).toMatchObject([{ flow: { match: [{ value: 3 }] }, by: { priority: 9 } }]);
  });
});
