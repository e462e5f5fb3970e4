import fc from 'fast-check';
import { createCompiler } from '../../../flows/compile/compiler.js';
import type { Flow } from '../../../flows/openflow/flow.js';
import { parseIp } from '../../../flows/net/ip.js';
import { MAX_BRANCHES } from '../../../flows/pipeline/paths.js';
import { decodePunt } from '../../../flows/pipeline/punt.js';
import { SLOTS } from '../../../flows/pipeline/spread.js';
import { DROP_REASONS, TABLES } from '../../../flows/pipeline/tables.js';
import type { InputRecord } from '../../../flows/pipeline/rule.js';
import { checkTables } from '../../../flows/trace/checkers.js';
import { Interpreter } from '../../../flows/trace/interpreter.js';
import type { FieldRecord } from '../../../flows/trace/microflow.js';
import type { Trace } from '../../../flows/trace/result.js';
import { inLan, inTransit, lan, records, routerMac, transit, VM_HOST, walk, type Plan, type Probe } from './routing-world.js';
import { ipLease, network, route } from './slice-builder.js';

const REASONS = new Map<number, string>(Object.entries(DROP_REASONS).map(([name, { code }]) => [code, name]));

function packet({ from, to, ttl, udpPort }: Probe): FieldRecord {
  const dst = parseIp(to);
  const common = {
    in_port: from,
    vlan_vid: 0,
    eth_src: 0x0a00_0000_0000 + from,
    eth_dst: routerMac(from, from),
    nw_proto: 17,
    udp_src: 40000,
    udp_dst: udpPort,
    nw_ttl: ttl,
    ip_frag: 0,
  };
  const src = parseIp(inLan(from, VM_HOST, dst.family === 'ipv6')).value;
  return dst.family === 'ipv4'
    ? { ...common, eth_type: 0x800, ip_src: src, ip_dst: dst.value }
    : { ...common, eth_type: 0x86dd, ipv6_src: src, ipv6_dst: dst.value };
}

/** In the words of `walk`. */
function outcome(trace: Trace): string {
  const [out] = trace.outputs;
  if (out !== undefined) return `out ${out.port} ttl ${Number(out.packet.get('nw_ttl'))}`;
  const [punt] = trace.punts;
  if (punt !== undefined) {
    const kind = decodePunt(punt.userdata!)!.kind;
    if (kind === 'port_unreachable') return 'self';
    const flags = Number(punt.packet.get('reg0') ?? 0);
    const ones = ((flags >>> 16) & 0xfff).toString(2).replaceAll('0', '').length + ((flags >>> 3) & 1);
    return `${kind} at ${Number(punt.packet.get('reg14'))} crossed ${ones}`;
  }
  return `drop ${REASONS.get(Number(trace.drops[0]?.packet.get('reg15'))) ?? 'without reason'}`;
}

const pick = <T>(...values: readonly T[]) => fc.constantFrom(...values);

const plans: fc.Arbitrary<Plan> = fc
  .record({
    modes: fc.array(pick('virtual-hops' as const, 'collapsed' as const, 'collapsed' as const, 'off' as const), {
      minLength: 2,
      maxLength: 5,
    }),
    members: fc.array(fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 3 }), { minLength: 0, maxLength: 3 }),
    seeds: fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat(9)), { maxLength: 8 }),
    policies: fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat()), { maxLength: 2 }),
  })
  .map(({ modes, members, seeds, policies }) => {
    const count = modes.length;
    const chained = modes.slice(1).map((_, i) => [i + 1, i + 2]);
    const transits = [...chained, ...members.map((list) => list.filter((n) => n <= count)).filter((list) => list.length > 1)];
    const links = transits.flatMap((list, i) => list.map((router) => ({ router, others: list.filter((n) => n !== router), n: i + 1 })));
    const prefixes = modes
      .flatMap((_, i) => [lan(i + 1), lan(i + 1, true)])
      .concat(['10.0.0.0/8', '0.0.0.0/0', '::/0', 'fd00::/16', '10.1.0.96/27', '10.2.0.64/26', 'fd00:1::/96', '10.0.0.0/14', transit(1)]);
    const nextHop = (a: number, b: number, v6: boolean) => {
      const link = links[a % links.length]!;
      return { router: link.router, via: inTransit(link.n, link.others[b % link.others.length]!, v6) };
    };
    const routes = new Map<string, Plan['routes'][number]>();
    for (const [i] of chained.entries())
      for (const [prefix, v6] of [
        ['0.0.0.0/0', false],
        ['::/0', true],
      ] as const)
        routes.set(`${i + 1} ${prefix}`, { router: i + 1, prefix, type: 'forward', via: [inTransit(i + 1, i + 2, v6)] });
    for (const [a, b, c, d] of links.length === 0 ? [] : seeds) {
      const prefix = prefixes[c % prefixes.length]!;
      const v6 = prefix.includes(':');
      const { router, via } = nextHop(a, b, v6);
      const vm = inLan(router, VM_HOST, v6);
      const type = d === 0 ? 'blackhole' : d === 1 ? 'unreachable' : d === 2 ? 'prohibit' : 'forward';
      const connected = [
        lan(router),
        lan(router, true),
        ...links.filter((one) => one.router === router).flatMap(({ n }) => [transit(n), transit(n, true)]),
      ];
      if (connected.includes(prefix)) continue;
      const hops = type !== 'forward' ? [] : d === 3 ? [vm] : d === 4 ? [vm, via].sort() : [via];
      routes.set(`${router} ${prefix}`, { router, prefix, type, via: hops });
    }
    const rules = new Map<string, Plan['policies'][number]>();
    for (const [a, b, c, d] of links.length === 0 ? [] : policies) {
      const { router, via } = nextHop(a, b, false);
      const type = (['forward', 'routing-table', 'blackhole', 'prohibit'] as const)[c % 4]!;
      const udpPort = d % 2 === 0 ? null : 53;
      rules.set(`${router} ${d % 3}`, {
        router,
        priority: 1 + (d % 3),
        source: d % 5 === 0 ? null : lan(1 + (d % count)),
        udpPort,
        type,
        via: type === 'forward' ? [via] : [],
      });
    }
    return { modes, transits, routes: [...routes.values()], policies: [...rules.values()] };
  });

const probes = fc.record({
  from: pick(1, 1, 1, 2, 3),
  to: fc.tuple(fc.integer({ min: 1, max: 5 }), pick('vm', 'router', 'nobody', 'transit', 'far'), fc.boolean()).map(([n, what, v6]) => {
    if (what === 'vm') return inLan(n, VM_HOST, v6);
    if (what === 'router') return inLan(n, 1, v6);
    if (what === 'transit') return inTransit(n, 2, v6);
    return what === 'far' ? (v6 ? '2001:db8::1' : '10.200.0.1') : inLan(n, 77, v6);
  }),
  ttl: fc.integer({ min: 1, max: 7 }),
  udpPort: pick(53, 33434),
});

const sorted = (flows: ReadonlyMap<string, Flow>) => [...flows].sort(([a], [b]) => (a < b ? -1 : 1));
const fresh = (all: readonly InputRecord[]) => {
  const compiler = createCompiler();
  compiler.update(all, []);
  return compiler;
};

/** What brings one set of records to another. */
function difference(before: readonly InputRecord[], after: readonly InputRecord[]): [InputRecord[], string[]] {
  const kept = new Set(after.map(({ uuid }) => uuid));
  return [[...after], before.map(({ uuid }) => uuid).filter((uuid) => !kept.has(uuid))];
}

describe('composed paths', () => {
  it('lead every packet where walking from router to router leads it', () => {
    let told = 0;
    let far = 0;
    let spread = 0;
    fc.assert(
      fc.property(plans, fc.array(probes, { minLength: 20, maxLength: 20 }), (plan, packets) => {
        const interpreter = new Interpreter(fresh(records(plan)).tables);
        for (const probe of packets) {
          if (probe.from > plan.modes.length) continue;
          const expected = walk(plan, probe);
          if (expected === undefined) continue;
          told++;
          if (expected.some((end) => /crossed [1-9]|ttl [0-4]/.test(end))) far++;
          if (new Set(expected).size > 1) spread++;
          const found = outcome(interpreter.trace(packet(probe)));
          expect([probe, expected.includes(found) ? found : expected.join(' or ')]).toEqual([probe, found]);
        }
      }),
      { numRuns: 80 },
    );
    // Otherwise the property would be about first routers only.
    expect([told > 500, far > 100, spread > 0]).toEqual([true, true, true]);
  });

  it('are the same incrementally as from scratch, and no checker objects to them', () => {
    fc.assert(
      fc.property(fc.array(plans, { minLength: 2, maxLength: 4 }), (history) => {
        const compiler = createCompiler();
        let held: InputRecord[] = [];
        for (const plan of history) {
          const next = records(plan);
          compiler.update(...difference(held, next));
          held = next;
          const expected = fresh(held).tables;
          expect(sorted(compiler.tables.flows)).toEqual(sorted(expected.flows));
        }
        // One policy may well make another needless.
        const problems = checkTables(compiler.tables, { dropTables: [TABLES.DROP.id] });
        expect(problems.filter(({ kind, flow }) => kind !== 'shadowed' || flow?.table !== TABLES.POLICY_ROUTES.id)).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });
});

/** A chain: router 1 – transit 1 – router 2 – … with defaults towards the end and routes back. */
function chain(count: number, mode: Plan['modes'][number] = 'virtual-hops'): Plan {
  const routers = Array.from({ length: count }, (_, i) => i + 1);
  return {
    modes: routers.map(() => mode),
    transits: routers.slice(1).map((n) => [n - 1, n]),
    routes: [
      ...routers.slice(0, -1).map((n) => ({ router: n, prefix: '0.0.0.0/0', type: 'forward' as const, via: [inTransit(n, n + 1)] })),
      ...routers.slice(1).map((n) => ({ router: n, prefix: lan(1), type: 'forward' as const, via: [inTransit(n - 1, n - 1)] })),
    ],
    policies: [],
  };
}

const inTable = (flows: ReadonlyMap<string, Flow>, ...names: readonly (keyof typeof TABLES)[]) =>
  [...flows.values()].filter(({ table }) => names.some((name) => TABLES[name].id === table));

describe('a chain of routers', () => {
  it('is crossed in one visit to each table', () => {
    const trace = new Interpreter(fresh(records(chain(8))).tables).trace(packet({ from: 1, to: inLan(8, VM_HOST), ttl: 64, udpPort: 9 }));
    expect([
      outcome(trace),
      trace.steps.filter((step) => step.kind === 'table' && (step.table === TABLES.FIB.id || step.table === TABLES.HOPS.id)).length,
    ]).toEqual(['out 8 ttl 56', 2]);
  });

  it('counts as one hop when it is collapsed, and changes no other path when its mode changes', () => {
    const all = records(chain(4));
    const compiler = fresh(all);
    const before = new Map(compiler.tables.flows);
    const link = all.find((record) => record.uuid === 'rl-r3');
    if (link?.kind !== 'route_link') throw new Error('rl-r3 is missing');
    const delta = compiler.update([{ ...link, traceroute: 'off' }], []);
    const owners = [...delta.flows_put.values(), ...delta.flows_deleted.values()].map(({ cookie }) => compiler.provenance(cookie)?.uuids);
    expect(owners.filter((uuids) => uuids !== undefined && !uuids.includes('rl-r3'))).toEqual([]);
    expect(delta.flows_put.size).toBeLessThan(20);
    expect(before.size).toBeGreaterThan(300);

    const collapsed = new Interpreter(fresh(records(chain(4, 'collapsed'))).tables);
    expect(outcome(collapsed.trace(packet({ from: 1, to: inLan(4, VM_HOST), ttl: 64, udpPort: 9 })))).toBe('out 4 ttl 63');
  });

  it('needs rows in proportion to the lengths of its paths, whatever ports there are', () => {
    const rows = (count: number) => inTable(fresh(records(chain(count))).tables.flows, 'FIB', 'HOPS').length;
    const withVms = records(chain(3));
    for (let n = 0; n < 50; n++) {
      // More addresses in a network that the chain leads to.
      withVms.push(ipLease(`vm3x${n}`, 'l3', `10.3.0.${110 + n}`, { interface_uuid: 'if-vm3', mac_lease_uuid: 'ml-vm3' }));
    }
    expect(inTable(fresh(withVms).tables.flows, 'FIB', 'HOPS').length).toBe(rows(3));
    // Each router knows every network behind it: the sum of path lengths of a chain of n is cubic, that of one router's paths is not.
    expect([rows(2), rows(4), rows(8)].every((n, i) => n < [60, 200, 1100][i]!)).toBe(true);
  });

  it('recomputes what goes through a router when a route in the middle changes, and nothing else', () => {
    const all = records(chain(6));
    const compiler = fresh(all);
    const runs = compiler.runs;
    const one = route('new', 777, { route_link_uuid: 'rl-r5', type: 'blackhole', ipv4_network: '192.0.2.0', ipv4_prefix: 24 });
    const delta = compiler.update([one], []);
    // Rows for the new part in routers 1 to 5; those beyond keep theirs.
    const routers = inTable(delta.flows_put, 'FIB').map(({ match }) => match.find((field) => field.field === 'reg10'));
    expect(routers.map((field) => (field === undefined || !('value' in field) ? undefined : Number(field.value))).sort()).toEqual([
      1, 2, 3, 4, 5,
    ]);
    expect([delta.flows_deleted.size, compiler.runs - runs <= 12]).toEqual([0, true]);
  });

  it('is cut where a router tells more parts of a prefix apart than a path may have', () => {
    const all = records(chain(3));
    for (let n = 0; n <= MAX_BRANCHES; n++)
      all.push(route(`b${n}`, 500 + n, { route_link_uuid: 'rl-r2', type: 'blackhole', ipv4_network: `198.51.${n}.0`, ipv4_prefix: 24 }));
    const { tables } = fresh(all);
    const interpreter = new Interpreter(tables);
    const rows = inTable(tables.flows, 'FIB').filter(({ match }) =>
      match.some((f) => f.field === 'reg10' && 'value' in f && f.value === 1),
    );
    expect(rows.length).toBeLessThan(12);
    expect(
      ['198.51.7.9', inLan(3, VM_HOST), '192.0.2.1'].map((to) => outcome(interpreter.trace(packet({ from: 1, to, ttl: 64, udpPort: 9 })))),
    ).toEqual(['drop blackhole', 'out 3 ttl 61', 'net_unreachable at 1203 crossed 2']);
  });
});

describe('several next hops', () => {
  const plan: Plan = {
    modes: ['virtual-hops', 'virtual-hops', 'virtual-hops', 'virtual-hops'],
    transits: [[1, 2, 3, 4]],
    routes: [
      { router: 1, prefix: '198.51.100.0/24', type: 'forward', via: [inTransit(1, 2), inTransit(1, 3), inTransit(1, 4)] },
      ...[2, 3, 4].map((router) => ({ router, prefix: '198.51.100.0/24', type: 'unreachable' as const, via: [] })),
    ],
    policies: [],
  };
  const choices = (all: readonly InputRecord[]) => {
    const interpreter = new Interpreter(fresh(all).tables);
    return Array.from({ length: 600 }, (_, i) =>
      outcome(interpreter.trace({ ...packet({ from: 1, to: '198.51.100.9', ttl: 64, udpPort: 1000 + i }), udp_src: 40000 + 7 * i })),
    );
  };

  it('share flows evenly, and only the flows of one that goes move', () => {
    const all = records(plan);
    const before = choices(all);
    const count = (router: number) => before.filter((one) => one === `host_unreachable at ${1100 + router} crossed 1`).length;
    expect([2, 3, 4].map(count).every((n) => n > 130 && n < 270)).toBe(true);
    const after = choices(all.filter(({ uuid }) => uuid !== 'il-p1103'));
    const moved = before.filter((one, i) => one !== after[i]);
    expect([...new Set(moved)]).toEqual(['host_unreachable at 1103 crossed 1']);
    expect(moved.length).toBe(count(3));
  });

  it('make one row for each value of the hash', () => {
    expect(inTable(fresh(records(plan)).tables.flows, 'NEXT_HOPS').length).toBe(SLOTS + 1);
  });
});

describe('a router in a network with others', () => {
  it('never passes on what is link-local, multicast, loopback or broadcast', () => {
    const interpreter = new Interpreter(fresh([...records(chain(2)), network('x', 90)]).tables);
    const results = [
      '224.0.0.5',
      '255.255.255.255',
      '127.0.0.1',
      '0.0.0.1',
      'ff0e::1',
      'fe80::1234',
      '::1',
      '10.2.0.255',
      '172.16.1.255',
    ].map((to) => [to, outcome(interpreter.trace(packet({ from: 1, to, ttl: 64, udpPort: 9 })))]);
    expect(results.filter(([, what]) => what !== 'drop not_routable')).toEqual([]);
  });
});
