import type { Chassis } from '../../../flows/model/entities/presence.js';
import { parseIp, parseIpv4 } from '../../../flows/net/ip.js';
import { parseMac } from '../../../flows/net/mac.js';
import type { Offer } from '../../../flows/pipeline/pairing.js';
import { WAY_PROBE } from '../../../flows/pipeline/stages/way-probe.js';
import { traceFabric, tunnelEnd } from '../../../flows/trace/fabric.js';
import { Interpreter } from '../../../flows/trace/interpreter.js';
import type { FieldRecord } from '../../../flows/trace/microflow.js';
import { binding, chassis, here, iface, macLease, underlayPort } from '../compile/slice-builder.js';

import { MAC, TUNNELS, addressOf, fabric, outcome, portOf, send, udp, type Fabric } from './three-sites.js';

describe('overlay', () => {
  it.each(['geneve', 'vxlan', 'gre'] as const)('carries packets of a network to the hypervisor of their destination over %s', (encap) => {
    const over4 = fabric([encap]);
    const over6 = fabric([encap], 'ipv6');
    const v4 = send(over4, 'a1', udp('a1', parseMac(MAC['a3']!), '10.0.1.11', '10.0.1.13'));
    const v6 = send(over6, 'a1', udp('a1', parseMac(MAC['a2']!), 'fd00:1::11', 'fd00:1::12'));
    expect([outcome(v4), outcome(v6)]).toEqual([
      { to: ['a3'], crossings: 1, lost: [], dropped: [] },
      { to: ['a2'], crossings: 1, lost: [], dropped: [] },
    ]);
    const arrived = v4.delivered[0]!.output.packet;
    // The sender's port key comes along where the encapsulation can carry it.
    expect([arrived.number('reg1'), tunnelEnd(v6.visits[1]!.trace.finals[0]!, 'src')]).toEqual([encap === 'geneve' ? 1 : 0, '2001:db8::1']);
  });

  it('crosses the underlay once for a chain of three routers, with every TTL taken at the first hypervisor', () => {
    const gateway = parseMac('02:00:00:00:01:01');
    const world = fabric();
    const v4 = send(world, 'a1', udp('a1', gateway, '10.0.1.11', '10.0.4.13'));
    const v6 = send(world, 'a1', udp('a1', gateway, 'fd00:1::11', 'fd00:4::13'));
    expect([outcome(v4), outcome(v6)]).toEqual([
      { to: ['d3'], crossings: 1, lost: [], dropped: [] },
      { to: ['d3'], crossings: 1, lost: [], dropped: [] },
    ]);
    expect(
      [v4, v6].map(({ delivered }) => [delivered[0]!.output.packet.number('nw_ttl'), delivered[0]!.output.packet.number('eth_dst')]),
    ).toEqual([
      [61, parseMac(MAC['d3']!)],
      [61, parseMac(MAC['d3']!)],
    ]);
  });

  it('copies a broadcast once to each hypervisor with ports in the segment and never from tunnel to tunnel', () => {
    const broadcast = udp('a1', 0xffff_ffff_ffff, '10.0.1.11', '255.255.255.255');
    expect(outcome(send(fabric(), 'a1', broadcast))).toEqual({
      to: ['a2', 'a3'],
      crossings: 2,
      lost: [],
      dropped: expect.anything() as string[],
    });
  });

  it('answers ARP for a remote address where it is asked, and floods only for what nobody has to those who may have anything', () => {
    const arp = (from: string, target: string): FieldRecord => ({
      in_port: portOf(from),
      eth_src: parseMac(MAC[from]!),
      eth_dst: 0xffff_ffff_ffff,
      eth_type: 0x0806,
      arp_op: 1,
      arp_sha: parseMac(MAC[from]!),
      arp_spa: parseIpv4(from === 'a1' ? '10.0.1.11' : '10.9.9.1'),
      arp_tha: 0,
      arp_tpa: parseIpv4(target),
    });
    const world = fabric();
    expect([
      outcome(send(world, 'a1', arp('a1', '10.0.1.13'))),
      outcome(send(world, 'a1', arp('a1', '10.0.1.99'))),
      outcome(send(world, 's1', arp('s1', '10.9.9.2'))),
    ]).toEqual([
      { to: ['a1'], crossings: 0, lost: [], dropped: [] },
      { to: [], crossings: 0, lost: [], dropped: ['unknown_arp'] },
      { to: ['s2', 's3'], crossings: 2, lost: [], dropped: [] },
    ]);
  });

  it('holds stateful groups across hypervisors in both directions', () => {
    const world = fabric();
    const between = (from: string, to: string, source: string, destination: string, over: FieldRecord = {}) =>
      outcome(send(world, from, udp(from, parseMac(MAC[to]!), source, destination, over))).to;
    expect([
      between('g1', 'g3', '10.0.1.21', '10.0.1.23'),
      between('g3', 'g1', '10.0.1.23', '10.0.1.21', { udp_src: 5000, udp_dst: 4000 }),
      between('a2', 'g3', '10.0.1.12', '10.0.1.23'),
      between('g3', 'a2', '10.0.1.23', '10.0.1.12', { udp_src: 7000, udp_dst: 8000 }),
      between('a2', 'g3', '10.0.1.12', '10.0.1.23', { udp_src: 8000, udp_dst: 7000 }),
    ]).toEqual([['g3'], ['g1'], [], ['a2'], ['g3']]);
  });

  it('refuses what comes from an unknown address, for no segment of ours, or from a peer without a part in the domain', () => {
    const world = fabric();
    world.compilers['2']!.update([], ['bind-if-s1', 'bind-if-s3']);
    const [site] = [{ ...world.sites[1]!, interpreter: new Interpreter(world.compilers['2']!.tables) }];
    const arriving = (over: FieldRecord): FieldRecord => ({
      in_port: TUNNELS.geneve,
      tun_src: parseIpv4('192.0.2.1'),
      tun_dst: parseIpv4('192.0.2.2'),
      tun_id: 1n,
      eth_src: parseMac(MAC['a1']!),
      eth_dst: parseMac(MAC['a2']!),
      eth_type: 0x0800,
      ...over,
    });
    const dropped = (over: FieldRecord) => {
      const { to, dropped } = outcome(traceFabric([site], 'dp-2', arriving(over)));
      return dropped[0] ?? to[0];
    };
    expect([
      dropped({}),
      dropped({ tun_src: parseIpv4('192.0.2.9') }),
      dropped({ tun_dst: parseIpv4('192.0.2.9') }),
      dropped({ in_port: TUNNELS.vxlan }),
      dropped({ tun_id: 999n }),
      dropped({ tun_id: 50n }),
      dropped({ eth_dst: parseMac(MAC['a3']!) }),
    ]).toEqual(['a2', 'unknown_peer', 'unknown_peer', 'no_port', 'unknown_segment', 'foreign_segment', 'tunnel_to_tunnel']);
  });

  it.each(['ipv4', 'ipv6'] as const)('a probe that comes over %s is sent back where it came from, and an answer is punted', (family) => {
    const world = fabric(['geneve'], family);
    const [source, destination] = family === 'ipv4' ? (['tun_src', 'tun_dst'] as const) : (['tun_ipv6_src', 'tun_ipv6_dst'] as const);
    const address = (n: string) => parseIp(addressOf(n, family)).value;
    const probe = (from: string, eth_dst: number): FieldRecord => ({
      in_port: TUNNELS.geneve,
      [source]: address(from),
      [destination]: address('2'),
      tun_id: 0n,
      eth_src: WAY_PROBE.source,
      eth_dst,
      eth_type: WAY_PROBE.eth_type,
    });
    const seen = (from: string, eth_dst: number) => {
      const { outputs, punts, drops } = world.sites[1]!.interpreter.trace(probe(from, eth_dst), { length: 60 });
      return [
        outputs.map(({ port, packet }) => [port, tunnelEnd(packet, 'src'), tunnelEnd(packet, 'dst'), packet.number('eth_dst')]),
        punts.length,
        drops.length,
      ];
    };
    const back = [TUNNELS.geneve, addressOf('2', family), addressOf('1', family), WAY_PROBE.answer];
    expect([
      seen('1', WAY_PROBE.question),
      seen('1', WAY_PROBE.answer),
      seen('1', parseMac(MAC['a2']!)),
      seen('9', WAY_PROBE.question),
    ]).toEqual([
      [[back], 0, 0],
      [[], 1, 0],
      [[], 0, 1],
      [[], 0, 1],
    ]);
  });

  it('tells the sender of what is too long for the overlay, and drops what no answer is due for', () => {
    const world = fabric();
    const punts = (packet: FieldRecord, length: number) =>
      send(world, 'a1', packet, length).visits[0]!.trace.punts.map(({ packet: p }) => p.number('reg11') >>> 16);
    const near = udp('a1', parseMac(MAC['a3']!), '10.0.1.11', '10.0.1.13');
    const far = udp('a1', parseMac('02:00:00:00:01:01'), '10.0.1.11', '10.0.4.13');
    expect([punts(near, 1442 + 14), punts(near, 1442 + 15), punts(far, 1442 + 15), punts({ ...near, ip_frag: 3 }, 1442 + 15)]).toEqual([
      [],
      [1442],
      [1442],
      [],
    ]);
  });

  it('rewrites a few rows for a peer that changes its address, and one chunk for a peer more', () => {
    const { compilers } = fabric();
    const one = compilers['1']!;
    const moved = one.update([chassis('3', ['192.0.2.33'])], []);
    const more = one.update(
      [iface('s4', 99), macLease('s4', '0a:00:00:00:00:99', { segment_uuid: 'seg-s' }), binding('s4', '4'), chassis('4', ['192.0.2.4'])],
      [],
    );
    const tables = (flows: ReadonlyMap<string, { table: number }>) => [...flows.values()].map(({ table }) => table).sort((a, b) => a - b);
    expect({ moved: [tables(moved.flows_put), tables(moved.flows_deleted)], more: more.flows_put.size }).toEqual({
      moved: [[2, 114], [2]],
      more: expect.any(Number) as number,
    });
    expect(more.flows_put.size).toBeLessThan(12);
  });

  it('takes in what comes by ways that are given up, and sends nothing by them', () => {
    const both = ['geneve', 'vxlan'] as const;
    const before = fabric(both);
    const [, , own] = ['1', '2', '3'].map((n) => chassis(n, [addressOf(n)], { encaps: [...both] }));
    const changed = (accepts: Offer | undefined): Fabric => {
      const { compilers, sites } = fabric(both);
      const compiler = compilers['3']!;
      compiler.update([here({ ...own!, encaps: ['vxlan'] }, { accepts })], []);
      return {
        compilers: {},
        sites: [before.sites[0]!, before.sites[1]!, { ...sites[2]!, interpreter: new Interpreter(compiler.tables) }],
      };
    };
    const there = (world: Fabric) => outcome(send(world, 'a1', udp('a1', parseMac(MAC['a3']!), '10.0.1.11', '10.0.1.13')));
    const { visits, delivered } = send(changed(own), 'a3', udp('a3', parseMac(MAC['a1']!), '10.0.1.13', '10.0.1.11'));
    expect({
      there: [there(changed(undefined)), there(changed(own))],
      back: [visits[0]!.trace.outputs.map(({ port }) => port), delivered.map(({ output }) => Object.keys(MAC)[output.port - 1])],
    }).toEqual({
      there: [
        { to: [], crossings: 1, lost: [], dropped: ['unknown_peer'] },
        { to: ['a3'], crossings: 1, lost: [], dropped: [] },
      ],
      back: [[TUNNELS.vxlan], ['a1']],
    });
  });

  describe('on one physical L2', () => {
    const UNDERLAY = 950;
    const onL2 = (n: string): Chassis => {
      const plain = chassis(n, [addressOf(n)]);
      return {
        ...plain,
        endpoints: plain.endpoints.map((end) => ({ ...end, underlay: n === '3' ? 'far' : 'near', mac: `02:00:00:00:99:0${n}` })),
      };
    };

    /** @param shared MACs that NICs have which another segment has as well */
    function direct(settled: boolean, shared: Readonly<Record<string, string>> = {}): Fabric {
      const { compilers, sites } = fabric();
      const all = ['1', '2', '3'].map(onL2);
      const marked = Object.entries(shared).map(([name, mac]) => macLease(name, mac, { mac_shared: true }));
      return {
        compilers,
        sites: sites.map((site, i) => {
          const own = all[i]!;
          const settled_peers = settled ? all.map(({ datapath_uuid }) => datapath_uuid) : [];
          const compiler = compilers[String(i + 1)]!;
          compiler.update([...all, ...marked, here(own, { settled_peers }), underlayPort(UNDERLAY)], []);
          const l2 = own.endpoints[0]!.underlay;
          return { ...site, interpreter: new Interpreter(compiler.tables), direct: { port: UNDERLAY, l2 } };
        }),
      };
    }
    const ways = (world: Fabric, from: string, to: string, destination: string) => {
      const { delivered, visits } = send(world, from, udp(from, parseMac(MAC[to]!), '10.0.1.11', destination));
      const outputs = visits[0]!.trace.outputs.map(({ port }) =>
        port === UNDERLAY ? 'direct' : port === TUNNELS.geneve ? 'tunnel' : 'local',
      );
      return { outputs, to: delivered.map(({ output }) => [Object.keys(MAC)[output.port - 1], output.packet.number('reg1')]) };
    };

    it('unicast of a segment goes as it is, with its sender known, once the other end has had the time to accept it', () => {
      expect([
        ways(direct(false), 'a1', 'a2', '10.0.1.12'),
        ways(direct(true), 'a1', 'a2', '10.0.1.12'),
        ways(direct(true), 'a1', 'a3', '10.0.1.13'),
      ]).toEqual([
        { outputs: ['tunnel'], to: [['a2', 1]] },
        { outputs: ['direct'], to: [['a2', 1]] },
        { outputs: ['tunnel'], to: [['a3', 1]] },
      ]);
    });

    it('a segment with a MAC that another segment has goes through the tunnel, and what comes without one is taken in unless it could be of either', () => {
      const from = (senders: Fabric, receivers: Fabric) =>
        ways({ compilers: {}, sites: [senders.sites[0]!, receivers.sites[1]!, receivers.sites[2]!] }, 'a1', 'a2', '10.0.1.12');
      const before = direct(true);
      const [other, own, either] = [{ a3: MAC['a3']! }, { a1: MAC['a1']! }, { a1: MAC['a1']!, d3: MAC['a1']! }].map((shared) =>
        direct(true, shared),
      ) as [Fabric, Fabric, Fabric];
      expect([from(other, other), from(before, other), from(before, own), from(before, either)]).toEqual([
        { outputs: ['tunnel'], to: [['a2', 1]] },
        { outputs: ['direct'], to: [['a2', 1]] },
        { outputs: ['direct'], to: [['a2', 1]] },
        { outputs: ['direct'], to: [] },
      ]);
    });

    it('frames are taken in by the port of an underlay that was given up, and none leave by it', () => {
      const [before, after] = [direct(true), fabric()];
      const [own] = [onL2('2')];
      const compiler = after.compilers['2']!;
      const changed = (accepts: Offer | undefined): Fabric => {
        compiler.update(
          [onL2('1'), here(chassis('2', [addressOf('2')]), { accepts, settled_peers: ['dp-1'] }), underlayPort(UNDERLAY, 'underlay-old')],
          [],
        );
        const site = { ...before.sites[1]!, interpreter: new Interpreter(compiler.tables) };
        return { compilers: {}, sites: [before.sites[0]!, site, before.sites[2]!] };
      };
      const got = [undefined, own].map((accepts) => ways(changed(accepts), 'a1', 'a2', '10.0.1.12'));
      const sent = send(changed(own), 'a2', udp('a2', parseMac(MAC['a1']!), '10.0.1.12', '10.0.1.11')).visits[0]!.trace.outputs;
      expect({ got, sent: sent.map(({ port }) => port) }).toEqual({
        got: [
          { outputs: ['direct'], to: [] },
          { outputs: ['direct'], to: [['a2', 1]] },
        ],
        sent: [TUNNELS.geneve],
      });
    });

    it('refuses frames of the physical network that no NIC of a neighbour has sent, and all broadcasts', () => {
      const world = direct(true);
      const dropped = (over: FieldRecord) =>
        outcome(
          traceFabric(world.sites, 'dp-2', {
            in_port: UNDERLAY,
            eth_src: parseMac(MAC['a1']!),
            eth_dst: parseMac(MAC['a2']!),
            eth_type: 0x0800,
            ...over,
          }),
        );
      expect(
        [{}, { eth_src: parseMac(MAC['a3']!) }, { eth_dst: 0xffff_ffff_ffff }, { eth_dst: parseMac(MAC['a3']!) }].map(dropped),
      ).toEqual([
        { to: ['a2'], crossings: 0, lost: [], dropped: [] },
        { to: [], crossings: 0, lost: [], dropped: ['not_ours'] },
        { to: [], crossings: 0, lost: [], dropped: ['not_ours'] },
        { to: [], crossings: 0, lost: [], dropped: ['tunnel_to_tunnel'] },
      ]);
    });
  });
});
