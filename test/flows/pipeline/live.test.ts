import fc from 'fast-check';
import type { LiveFilter } from '../../../flows/pipeline/live-filter.js';
import { liveFilterReasons, liveMatches } from '../../../flows/pipeline/live-filter.js';
import { decodePunt } from '../../../flows/pipeline/punt.js';
import { NOMINAL } from '../../../flows/pipeline/registers.js';
import { TABLES, USER_TABLES } from '../../../flows/pipeline/tables.js';
import { parseMac } from '../../../flows/net/mac.js';
import { checkTables } from '../../../flows/trace/checkers.js';
import type { FabricTrace } from '../../../flows/trace/fabric.js';
import type { FieldRecord } from '../../../flows/trace/microflow.js';
import { createCompiler } from '../../../flows/compile/compiler.js';
import type { InputRecord } from '../../../flows/pipeline/rule.js';
import { Interpreter } from '../../../flows/trace/interpreter.js';
import { binding, chassis, here, iface, ipLease, liveTrace, localPort, macLease, network, underlayPort } from '../compile/slice-builder.js';
import { addressOf, fabric, MAC, outcome, send, udp, type Fabric } from './three-sites.js';

const ENCAPS = ['geneve', 'vxlan', 'gre'] as const;
const GATEWAY = parseMac('02:00:00:00:01:01');

/** Arms a trace everywhere. */
function follow(world: Fabric, from: string, filter: LiveFilter, over: { dropped_only?: boolean } = {}): void {
  for (const [i, { interpreter }] of world.sites.entries())
    interpreter.apply(world.compilers[String(i + 1)]!.update([liveTrace(7, `if-${from}`, { filter, ...over })], []));
}

function unfollow(world: Fabric): void {
  for (const [i, { interpreter }] of world.sites.entries()) interpreter.apply(world.compilers[String(i + 1)]!.update([], ['live-7']));
}

/** What is told, hypervisor by hypervisor. */
function told({ visits }: FabricTrace): string[] {
  return visits.flatMap(({ datapath_uuid, trace }) =>
    trace.punts.flatMap(({ userdata }) => {
      const punt = decodePunt(userdata ?? new Uint8Array());
      return punt?.kind === 'live' ? [`${datapath_uuid} ${punt.point} ${punt.session}`] : [];
    }),
  );
}

/** Which rows packets hit, and everything about what comes out, but for rows and registers of the trace. */
function results(trace: FabricTrace) {
  const packets = trace.delivered.map(({ output, datapath_uuid }) => {
    const { reg15, tun_metadata0, ...fields } = output.packet.toFields();
    return {
      datapath_uuid,
      port: output.port,
      ...fields,
      reg15: Number(reg15 ?? 0) & 0x1_ffff,
      key: Number(tun_metadata0 ?? 0) & 0x7fff_ffff,
    };
  });
  const rows = trace.visits.map(({ trace: { steps } }) =>
    steps.flatMap((step) =>
      step.kind === 'table' && step.hit?.flow.hard_timeout === undefined ? [step.hit?.key ?? `miss ${step.table}`] : [],
    ),
  );
  const commits = trace.visits.flatMap((visit) => visit.trace.commits.map(({ zone, mark }) => `commit ${zone} ${mark.value}`));
  return { packets, rows, commits };
}

describe('a live trace', () => {
  it.each(ENCAPS)('is told of a packet on both hypervisors over %s', (encap) => {
    const world = fabric([encap]);
    follow(world, 'a1', { protocol: 'udp', destination_port: 5000 });
    const near = send(world, 'a1', udp('a1', parseMac(MAC['a3']!), '10.0.1.11', '10.0.1.13'));
    const routed = send(world, 'a1', udp('a1', GATEWAY, 'fd00:1::11', 'fd00:4::13'));
    const way = ['dp-1 entry 7', 'dp-1 sent 7', 'dp-3 arrival 7', 'dp-3 delivered 7'];
    expect([told(near), told(routed), outcome(near).to, outcome(routed).to]).toEqual([way, way, ['a3'], ['d3']]);
  });

  it('is told of what others send, and of what the filter leaves out, nothing', () => {
    const world = fabric();
    follow(world, 'a1', { protocol: 'udp', destination_port: 5000 });
    const to = parseMac(MAC['a3']!);
    expect([
      told(send(world, 'a1', udp('a1', to, '10.0.1.11', '10.0.1.13', { udp_dst: 5001 }))),
      told(send(world, 'a2', udp('a2', to, '10.0.1.12', '10.0.1.13'))),
    ]).toEqual([[], []]);
  });

  it('is told only of what is dropped where that is what is wanted', () => {
    const world = fabric();
    follow(world, 'a1', { protocol: 'udp' }, { dropped_only: true });
    const spoofed = udp('a1', parseMac(MAC['a3']!), '10.0.1.99', '10.0.1.13');
    const denied = udp('a1', parseMac(MAC['g3']!), '10.0.1.11', '10.0.1.23');
    const passing = udp('a1', parseMac(MAC['a3']!), '10.0.1.11', '10.0.1.13');
    expect([spoofed, denied, passing].map((packet) => told(send(world, 'a1', packet)))).toEqual([
      ['dp-1 dropped 7'],
      ['dp-3 dropped 7'],
      [],
    ]);
  });

  it('is told by the other hypervisor of a frame that comes without a tunnel', () => {
    const UNDERLAY = 900;
    const world = fabric();
    const all = ['1', '2', '3'].map((n) => {
      const plain = chassis(n, [addressOf(n)]);
      return { ...plain, endpoints: plain.endpoints.map((end) => ({ ...end, mac: `02:00:00:00:99:0${n}` })) };
    });
    const settled_peers = all.map(({ datapath_uuid }) => datapath_uuid);
    const sites = world.sites.map((site, i) => {
      const compiler = world.compilers[String(i + 1)]!;
      compiler.update([...all, here(all[i]!, { settled_peers }), underlayPort(UNDERLAY)], []);
      return { ...site, interpreter: new Interpreter(compiler.tables), direct: { port: UNDERLAY, l2: 'underlay' } };
    });
    const direct = { ...world, sites };
    follow(direct, 'a1', { protocol: 'udp' });
    const trace = send(direct, 'a1', udp('a1', parseMac(MAC['a2']!), '10.0.1.11', '10.0.1.12'));
    expect([trace.visits[0]!.trace.outputs.map(({ port }) => port), told(trace)]).toEqual([
      [UNDERLAY],
      // The third hypervisor is on that L2, too.
      ['dp-1 entry 7', 'dp-1 sent 7', 'dp-2 arrival 7', 'dp-2 delivered 7', 'dp-3 arrival 7', 'dp-3 dropped 7'],
    ]);
  });

  it('is told of what leaves to a physical network, and of what finds no way there', () => {
    const compiler = createCompiler();
    const port: InputRecord = { kind: 'physical_port', uuid: 'physical-ext', physical_network: 'ext', ofport: 30 };
    compiler.update(
      [
        network('p', 9, { mode: 'physical', physical_network: 'ext', ipv4_network: '192.0.2.0' }),
        iface('vm', 1),
        macLease('vm', MAC['a1']!),
        ipLease('vm', 'p', '192.0.2.12'),
        binding('vm', '1'),
        chassis('1', ['198.51.100.1']),
        here(chassis('1', ['198.51.100.1'])),
        localPort('vm', 1),
        liveTrace(7, 'if-vm', { filter: { protocol: 'udp' } }),
        port,
      ],
      [],
    );
    const interpreter = new Interpreter(compiler.tables);
    const packet = udp('a1', 0x0016_3e00_0009, '192.0.2.12', '192.0.2.99');
    const seen = () => {
      const { outputs, punts } = interpreter.trace(packet);
      const points = punts.flatMap(({ userdata }) => {
        const punt = decodePunt(userdata ?? new Uint8Array());
        return punt?.kind === 'live' ? [punt.point] : [];
      });
      return [outputs.map((output) => output.port), points];
    };
    const there = seen();
    interpreter.apply(compiler.update([], ['physical-ext']));
    expect([there, seen()]).toEqual([
      [[30], ['entry', 'left']],
      [[], ['entry', 'dropped']],
    ]);
  });

  it('is told of each copy of a broadcast', () => {
    const world = fabric();
    follow(world, 'a1', { protocol: 'udp' });
    const seen = told(send(world, 'a1', udp('a1', 0xffff_ffff_ffff, '10.0.1.11', '255.255.255.255')));
    expect([...new Set(seen)].sort()).toEqual([
      // Members of the group take it from members alone.
      'dp-1 dropped 7',
      'dp-1 entry 7',
      'dp-1 flooded 7',
      'dp-1 sent 7',
      'dp-2 arrival 7',
      'dp-2 flooded 7',
      'dp-3 arrival 7',
      'dp-3 dropped 7',
      'dp-3 flooded 7',
    ]);
  });

  it('changes nothing of what becomes of any packet, and nothing is left of it afterwards', () => {
    const worlds = new Map(ENCAPS.map((encap) => [encap, [fabric([encap]), fabric([encap])] as const]));
    const names = ['a1', 'a2', 'a3', 'd3', 'g1', 'g3'];
    const hosts: Record<string, [net: number, host: number]> = {
      a1: [1, 11],
      a2: [1, 12],
      a3: [1, 13],
      d3: [4, 13],
      g1: [1, 21],
      g3: [1, 23],
    };
    const ip = (name: string, v6: boolean) => {
      const [net, host] = hosts[name]!;
      return v6 ? `fd00:${net}::${host}` : `10.0.${net}.${host}`;
    };
    const packet = fc.record({
      from: fc.constantFrom('a1', 'g1', 'a2'),
      to: fc.constantFrom(...names),
      v6: fc.boolean(),
      port: fc.constantFrom(5000, 53),
      ttl: fc.constantFrom(1, 2, 64),
      spoofed: fc.boolean(),
      frame: fc.constantFrom('own', 'gateway', 'broadcast'),
    });
    const filter: fc.Arbitrary<LiveFilter> = fc.constantFrom(
      { protocol: 'udp' },
      { destination: '10.0.0.0/16' },
      { destination: 'fd00:4::/32', protocol: 17 },
      { protocol: 'udp', source_port: 4000 },
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...ENCAPS),
        fc.array(packet, { minLength: 1, maxLength: 6 }),
        filter,
        fc.boolean(),
        (encap, packets, of, dropped_only) => {
          const [plain, followed] = worlds.get(encap)!;
          const before = Object.values(followed.compilers).map(({ tables }) => [...tables.flows.keys()].sort());
          follow(followed, packets[0]!.from, of, { dropped_only });
          for (const { tables } of Object.values(followed.compilers))
            expect(checkTables(tables, { dropTables: [TABLES.DROP.id], userTables: USER_TABLES, nominal: NOMINAL })).toEqual([]);
          for (const { from, to, v6, port, ttl, spoofed, frame } of packets) {
            const mac = frame === 'broadcast' ? 0xffff_ffff_ffff : frame === 'gateway' || to === 'd3' ? GATEWAY : parseMac(MAC[to]!);
            const sent: FieldRecord = {
              ...udp(from, mac, spoofed ? ip(from, v6).replace(/\d$/, '9') : ip(from, v6), ip(to, v6)),
              udp_dst: port,
              nw_ttl: ttl,
            };
            expect(results(send(followed, from, sent))).toEqual(results(send(plain, from, sent)));
          }
          unfollow(followed);
          expect(Object.values(followed.compilers).map(({ tables }) => [...tables.flows.keys()].sort())).toEqual(before);
        },
      ),
      { numRuns: 40 },
    );
  }, 60_000);
});

describe('the filter of a live trace', () => {
  it('matches each family once, with what it names', () => {
    const fields = (filter: LiveFilter) => liveMatches(filter).map((match) => match.map(({ field }) => field).join(' '));
    expect([
      fields({ protocol: 'tcp', destination_port: 80 }),
      fields({ destination: '10.0.0.0/8' }),
      fields({ protocol: 'icmpv6', icmp_type: 128 }),
      fields({ protocol: 'arp', destination: '10.0.0.1', source: '0.0.0.0/0' }),
      fields({ protocol: 89, source: 'fd00::1' }),
    ]).toEqual([
      ['eth_type nw_proto tcp_dst', 'eth_type nw_proto tcp_dst'],
      ['eth_type ip_dst'],
      ['eth_type nw_proto icmpv6_type'],
      ['eth_type arp_tpa'],
      ['eth_type ipv6_src nw_proto'],
    ]);
  });

  it('must say more than that a packet is IP', () => {
    const isAll = (filter: LiveFilter) => liveFilterReasons(filter).some(({ detail }) => detail.startsWith('matches every packet'));
    expect(
      [{}, { source: '::/0' }, { destination: '0.0.0.0/0' }, { protocol: 'udp' as const }, { source: '10.0.0.0/8' }].map(isAll),
    ).toEqual([true, true, true, false, false]);
  });
});
