import fc from 'fast-check';
import { createCompiler } from '../../../flows/compile/compiler.js';
import type { Compiler, FlowDelta, FlowKey } from '../../../flows/compile/contract.js';
import type { Flow } from '../../../flows/openflow/flow.js';
import { NOMINAL } from '../../../flows/pipeline/registers.js';
import { TABLES, USER_TABLES } from '../../../flows/pipeline/tables.js';
import { checkTables } from '../../../flows/trace/checkers.js';
import type { InputRecord } from '../../../flows/pipeline/rule.js';
import { change, type Change } from './random-slice.js';
import { groupRule, iface, ipLease, localPort, macLease, network, policyClass, route, routeLink, securityGroup } from './slice-builder.js';

const sorted = (flows: ReadonlyMap<FlowKey, Flow>) => [...flows].sort(([a], [b]) => (a < b ? -1 : 1));

function fresh(records: readonly InputRecord[]): Compiler {
  const compiler = createCompiler();
  compiler.update(records, []);
  return compiler;
}

/** Plays a change against the set of records held, as a vnmgr would. */
function play(held: Map<string, InputRecord>, one: Change): { puts: InputRecord[]; deletes: string[] } {
  if ('put' in one) {
    held.set(one.put.uuid, one.put);
    return { puts: [one.put], deletes: [] };
  }
  const uuid = [...held.keys()][one.deleteAt % Math.max(1, held.size)];
  if (uuid === undefined) return { puts: [], deletes: [] };
  held.delete(uuid);
  return { puts: [], deletes: [uuid] };
}

function applied(before: Map<FlowKey, Flow>, delta: FlowDelta): Map<FlowKey, Flow> {
  const after = new Map(before);
  for (const key of delta.flows_deleted.keys()) after.delete(key);
  for (const [key, flow] of delta.flows_put) after.set(key, flow);
  return after;
}

function vm(n: number, net: string, cls = 0): InputRecord[] {
  return [
    iface(`vm${n}`, n, { policy_class_key: cls }),
    macLease(`vm${n}`, `0a:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`),
    ipLease(`vm${n}`, net, `10.${1 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`),
    localPort(`vm${n}`, n),
  ];
}

describe('compiler', () => {
  it('gives the same tables incrementally as from scratch when records come, change and go', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const compiler = createCompiler();
        const held = new Map<string, InputRecord>();
        let mirror = new Map(compiler.tables.flows);
        for (const one of changes) {
          const { puts, deletes } = play(held, one);
          mirror = applied(mirror, compiler.update(puts, deletes));
        }
        const expected = sorted(fresh([...held.values()]).tables.flows);
        expect(sorted(compiler.tables.flows)).toEqual(expected);
        expect(sorted(mirror)).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  it('gives the same tables in whatever order records arrive', () => {
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 40 }).chain((changes) => {
          const held = new Map<string, InputRecord>();
          for (const one of changes) play(held, one);
          const records = [...held.values()];
          return fc.tuple(fc.constant(records), fc.shuffledSubarray(records, { minLength: records.length, maxLength: records.length }));
        }),
        ([records, shuffled]) => {
          const one = createCompiler();
          for (const record of shuffled) one.update([record], []);
          expect(sorted(one.tables.flows)).toEqual(sorted(fresh(records).tables.flows));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('makes no table that a checker objects to', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const held = new Map<string, InputRecord>();
        for (const one of changes) play(held, one);
        expect(
          checkTables(fresh([...held.values()]).tables, { dropTables: [TABLES.DROP.id], userTables: USER_TABLES, nominal: NOMINAL }),
        ).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('returns an empty delta when a record is put again or only its name changed', () => {
    const compiler = fresh([network('n', 1), ...vm(1, 'n'), ...vm(2, 'n')]);
    const again = compiler.update([...vm(1, 'n'), network('n', 1, { display_name: 'other', updated_at: '2027-01-01T00:00:00Z' })], []);
    expect([again.flows_put.size, again.flows_deleted.size]).toEqual([0, 0]);
  });

  it('leaves only the fixed flows when every record is deleted', () => {
    const records = [network('n', 1), ...vm(1, 'n'), ...vm(2, 'n')];
    const compiler = fresh(records);
    compiler.update(
      [],
      records.map((r) => r.uuid),
    );
    expect(sorted(compiler.tables.flows)).toEqual(sorted(createCompiler().tables.flows));
  });

  it('touches only its own rows and one flood chunk when an interface joins a network of 1,000', () => {
    const records: InputRecord[] = [
      network('n', 1, { ipv4_network: '10.1.0.0', ipv4_prefix: 16 }),
      policyClass(1, ['g']),
      securityGroup('g', [
        groupRule('a', 1, { protocol: 'tcp', ports: ['22'] }),
        groupRule('b', 2, { remote: { security_group_uuid: 'sg-g' } }),
      ]),
    ];
    for (let n = 1; n <= 1000; n++) records.push(...vm(n, 'n', 1));
    const compiler = createCompiler();
    compiler.update(records, []);
    const runs = compiler.runs;
    const delta = compiler.update(vm(1001, 'n', 1), []);
    const perTable = new Map<number, number>();
    for (const { table } of delta.flows_put.values()) perTable.set(table, (perTable.get(table) ?? 0) + 1);
    expect(delta.flows_deleted.size).toBe(0);
    expect([...perTable].sort(([a], [b]) => a - b)).toEqual([
      [0, 1],
      [4, 4],
      [12, 2],
      [72, 1],
      [96, 2],
      [108, 1],
      [250, 5],
    ]);
    expect(compiler.runs - runs).toBeLessThanOrEqual(12);
  });

  it('touches the row of its address at its port, and no rule flow, when a member that is here joins a group of a class that exists', () => {
    const records: InputRecord[] = [
      network('n', 1),
      policyClass(1, ['g']),
      policyClass(2, ['g', 'h']),
      securityGroup('g', [groupRule('b', 2, { remote: { security_group_uuid: 'sg-h' } })]),
      securityGroup('h', []),
      ...vm(1, 'n', 1),
      ...vm(2, 'n', 2),
      ...vm(3, 'n', 1),
    ];
    const compiler = fresh(records);
    const delta = compiler.update([iface('vm3', 3, { policy_class_key: 2 })], []);
    const tables = [...delta.flows_put.values(), ...delta.flows_deleted.values()].map((f) => f.table);
    const concerned = [TABLES.PORT_SEC, TABLES.IDENTITY, TABLES.EG_ID, TABLES.EG_POLICY, TABLES.IN_ID, TABLES.IN_POLICY].map(
      ({ id }) => id as number,
    );
    expect(tables.filter((table) => concerned.includes(table))).toEqual([TABLES.PORT_SEC.id]);
  });

  it('names the entities that made a flow by its cookie', () => {
    const compiler = fresh([
      network('n', 1),
      network('m', 2),
      ...vm(1, 'n'),
      iface('gw', 9, { mode: 'simulated', enable_routing: true }),
      macLease('gw', '0a:00:00:00:00:99'),
      ipLease('gw', 'n', '10.0.1.1'),
      routeLink('l', 7),
      route('x', 70, { interface_uuid: 'if-gw', network_uuid: 'nw-n', route_link_uuid: 'rl-l', ipv4_network: '10.0.1.0', ipv4_prefix: 24 }),
    ]);
    const fib = [...compiler.tables.flows.values()].find((f) => f.table === 48 && f.priority > 0)!;
    expect(compiler.provenance(fib.cookie)).toEqual({ rule: 'route', uuids: ['r-x', 'rl-l'] });
  });
});
