import fc from 'fast-check';
import type { FlowDelta } from '../../../flows/compile/contract.js';
import type { Action } from '../../../flows/openflow/action.js';
import type { Flow } from '../../../flows/openflow/flow.js';
import { Interpreter } from '../../../flows/trace/interpreter.js';
import { flow, out, ports, SYN, tables, type MatchRecord } from './tables.js';

const REGISTERS = ['reg0', 'reg1', 'reg2'] as const;
const MASKS = [0xffff_ffff, 0xff, 0xf0, 0x3, 0x8000_0000] as const;

const word = fc.constantFrom(0, 1, 2, 0x10, 0x8000_0001);
const matches = fc.dictionary(fc.constantFrom(...REGISTERS), fc.tuple(word, fc.constantFrom(...MASKS)));

interface Entry {
  readonly priority: number;
  readonly match: Readonly<Record<string, [number, number]>>;
}

/** Priorities are unique, so that there is one right answer. */
const entries = fc.array(matches, { maxLength: 25 }).chain((all) =>
  fc
    .shuffledSubarray(
      all.map((_, n) => n + 1),
      { minLength: all.length },
    )
    .map((priorities) => all.map((match, n): Entry => ({ match, priority: priorities[n]! }))),
);

const packets = fc.array(fc.tuple(word, word, word), { minLength: 1, maxLength: 10 });

function toFlow({ priority, match }: Entry): Flow {
  const masked = Object.entries(match).map(([field, [value, mask]]) => [field, [(value & mask) >>> 0, mask]]);
  return flow(0, priority, Object.fromEntries(masked) as MatchRecord, out(1000 + priority));
}

/** The table as the standard defines it: the highest priority of all that match. */
function slowly(all: readonly Entry[], packet: Record<string, number>): number[] {
  const hits = all.filter(({ match }) => Object.entries(match).every(([field, [value, mask]]) => ((packet[field]! ^ value) & mask) === 0));
  return hits.length === 0 ? [] : [1000 + Math.max(...hits.map(({ priority }) => priority))];
}

const record = (values: readonly number[]): Record<string, number> => Object.fromEntries(REGISTERS.map((name, n) => [name, values[n]!]));

describe('classifier', () => {
  it('hits the flow of highest priority that matches', () => {
    fc.assert(
      fc.property(entries, packets, (all, tried) => {
        const interpreter = new Interpreter(tables(all.map(toFlow)));
        for (const packet of tried.map(record)) expect(ports(interpreter.trace({ in_port: 1, ...packet }))).toEqual(slowly(all, packet));
      }),
    );
  });

  it('after a delta equals one built from the outcome', () => {
    fc.assert(
      fc.property(entries, entries, fc.array(fc.boolean(), { minLength: 25, maxLength: 25 }), packets, (before, after, kept, tried) => {
        const old = before.map((entry, n) => [`old${n}`, entry] as const);
        const added = after.map(
          (entry, n) => [n % 3 === 0 && n < before.length ? `old${n}` : `new${n}`, { ...entry, priority: entry.priority + 100 }] as const,
        );
        const puts = new Map(added);
        const deleted = old.filter(([key], n) => !kept[n]! && !puts.has(key));
        const result = new Map([...old.filter(([key]) => !deleted.some(([gone]) => gone === key)), ...added]);

        const toMap = (all: Iterable<readonly [string, Entry]>) => new Map([...all].map(([key, entry]) => [key, toFlow(entry)]));
        const none = new Map();
        const interpreter = new Interpreter({ flows: toMap(old), groups: none, meters: none });
        const delta: FlowDelta = { flows_put: toMap(puts), flows_deleted: toMap(deleted), groups_put: none, groups_deleted: none };
        interpreter.apply(delta);
        for (const packet of tried.map(record)) {
          expect(ports(interpreter.trace({ in_port: 1, ...packet }))).toEqual(slowly([...result.values()], packet));
        }
      }),
    );
  });

  it('says which other flows of the same priority match', () => {
    const interpreter = new Interpreter(
      tables([flow(0, 5, { tcp_dst: 80 }, out(2)), flow(0, 5, { tcp_src: 40000 }, out(3)), flow(0, 1, {}, out(4))]),
    );
    const step = interpreter.trace(SYN).steps[0]!;
    expect(step.kind === 'table' && [step.hit?.key, step.overlaps.map(({ key }) => key)]).toEqual(['0000', ['0001']]);
  });

  it('follows changes of groups', () => {
    const group = (port: number) => ({ group_id: 1, type: 'all' as const, buckets: [{ actions: [out(port)] }] });
    const interpreter = new Interpreter(tables([flow(0, 1, {}, { kind: 'group', group_id: 1 })], [group(2)]));
    const none = new Map();
    const change = { flows_put: none, flows_deleted: none, groups_deleted: none };
    interpreter.apply({ ...change, groups_put: new Map([[1, group(3)]]) });
    expect(ports(interpreter.trace(SYN))).toEqual([3]);
    interpreter.apply({ ...change, groups_put: none, groups_deleted: new Map([[1, group(3)]]) });
    expect(interpreter.trace(SYN).verdict).toBe('dropped');
  });
});

describe('conjunction', () => {
  const clause = (id: number, n: number, of = 2): Action => ({ kind: 'conjunction', id, clause: n, n_clauses: of });
  const hit = (...flows: readonly Flow[]) => {
    const step = new Interpreter(tables(flows)).trace(SYN).steps[0]!;
    if (step.kind !== 'table') throw new Error('no table');
    return {
      key: step.hit?.key,
      conjunction: step.conjunction && { ...step.conjunction, dimensions: step.conjunction.dimensions.map(({ key }) => key) },
    };
  };

  it('matches when every dimension does, and names the dimensions', () => {
    const flows = [
      flow(0, 9, { ip_src: 0x0a000001 }, clause(7, 0, 3)),
      flow(0, 9, { ip_dst: 0x0a000002 }, clause(7, 1, 3)),
      flow(0, 9, { tcp_dst: 80 }, clause(7, 2, 3)),
      flow(0, 9, { tcp_dst: 81 }, clause(7, 2, 3)),
      flow(0, 9, { conj_id: 7 }, out(2)),
    ];
    expect(hit(...flows)).toEqual({ key: '0004', conjunction: { id: 7, dimensions: ['0000', '0001', '0002'], alternatives: [] } });
    expect(hit(...flows.filter((_, n) => n !== 2))).toEqual({ key: undefined, conjunction: undefined });
  });

  it('is not satisfied by the same dimension twice', () => {
    expect(
      hit(flow(0, 9, { ip_src: 0x0a000001 }, clause(7, 0)), flow(0, 9, { tcp_dst: 80 }, clause(7, 0)), flow(0, 9, { conj_id: 7 })),
    ).toMatchObject({ key: undefined });
  });

  it('falls to lower priority when the flow of its id is missing', () => {
    const flows = [flow(0, 9, { tcp_dst: 80 }, clause(7, 0)), flow(0, 9, { tcp_src: 40000 }, clause(7, 1)), flow(0, 3, {}, out(2))];
    expect(hit(...flows)).toEqual({ key: '0002', conjunction: { id: 7, dimensions: ['0000', '0001'], alternatives: [] } });
  });

  it('yields to an ordinary flow of the same priority', () => {
    const flows = [
      flow(0, 9, { tcp_dst: 80 }, clause(7, 0)),
      flow(0, 9, { tcp_src: 40000 }, clause(7, 1)),
      flow(0, 9, { conj_id: 7 }, out(2)),
      flow(0, 9, { nw_proto: 6 }, out(3)),
    ];
    expect(hit(...flows)).toEqual({ key: '0003', conjunction: undefined });
  });

  it('gives way to what is hidden behind a dimension when it is not satisfied', () => {
    const flows = [flow(0, 9, { tcp_dst: 80 }, clause(7, 0)), flow(0, 5, { tcp_dst: 80 }, out(2)), flow(0, 3, {}, out(3))];
    expect(hit(...flows)).toMatchObject({ key: '0001' });
  });

  it('is looked for at lower priorities too', () => {
    const flows = [
      flow(0, 9, { tcp_dst: 80 }, clause(7, 0)),
      flow(0, 5, { tcp_dst: 80 }, clause(8, 0)),
      flow(0, 5, { tcp_src: 40000 }, clause(8, 1)),
      flow(0, 5, { conj_id: 8 }, out(2)),
    ];
    expect(hit(...flows)).toMatchObject({ key: '0003', conjunction: { id: 8 } });
  });

  it('of several at one priority is a decision, taken first for those with a flow', () => {
    const interpreter = new Interpreter(
      tables([
        flow(0, 9, { tcp_dst: 80 }, clause(7, 0), clause(8, 0), clause(6, 0)),
        flow(0, 9, { tcp_src: 40000 }, clause(7, 1), clause(8, 1), clause(6, 1)),
        flow(0, 9, { conj_id: 7 }, out(2)),
        flow(0, 9, { conj_id: 8 }, out(3)),
      ]),
    );
    expect(interpreter.trace(SYN).decisions).toEqual([{ kind: 'conjunction', table: 0, options: [7, 8, 6], taken: 7 }]);
    expect(interpreter.traceAlternatives(SYN).map(ports).sort()).toEqual([[], [2], [3]]);
  });
});
