import type { DatapathNetwork, DatapathSegment } from '../../../flows/model/entities/datapath.js';
import type { Encapsulation } from '../../../flows/model/entities/presence.js';
import type { Tunnel } from '../../../flows/model/entities/tunnel.js';
import { formatIpv4, parseIpv4 } from '../../../flows/net/ip.js';
import { parseMac } from '../../../flows/net/mac.js';
import { traceFabric, tunnelEnd, type FabricTrace } from '../../../flows/trace/fabric.js';
import { Interpreter } from '../../../flows/trace/interpreter.js';
import type { FieldRecord } from '../../../flows/trace/microflow.js';
import { chassis, datapathNetwork, datapathSegment, here, tunnel } from '../compile/slice-builder.js';

import { MAC, TUNNELS, fabric, outcome, send, udp, type Fabric } from './three-sites.js';

describe('the explicit overlay mode', () => {
  /** Rows of all hypervisors, each through an address of its own for each thing: `198.51.100.N` for network a, `192.0.2.N` for segment s. */
  const named = [
    ...['1', '2'].map((n) => ({ ...datapathNetwork(n, 'a'), endpoint_address: `198.51.100.${n}` })),
    ...['1', '2'].map((n) => datapathSegment(n, 's')),
    datapathNetwork('3', 'd'),
    // Its host interface is elsewhere, or has no address.
    { ...datapathNetwork('3', 'a'), endpoint_address: null },
    // Of a hypervisor that has no part in any of it.
    datapathNetwork('9', 'a'),
  ];

  function explicit(rows: readonly (DatapathNetwork | DatapathSegment | Tunnel)[], encaps: readonly Encapsulation[] = ['geneve']): Fabric {
    const { compilers, sites } = fabric(encaps);
    const all = ['1', '2', '3'].map((n) =>
      chassis(n, [], { encaps: [...encaps], underlay: { mac: null, underlay: 'underlay', mtu: 1500 } }),
    );
    return {
      compilers,
      sites: sites.map((site, i) => {
        const n = String(i + 1);
        compilers[n]!.update([...all, here(all[i]!, { overlay_mode: 'explicit' }), ...rows], []);
        const addresses = [`192.0.2.${n}`, `198.51.100.${n}`];
        return { ...site, addresses, interpreter: new Interpreter(compilers[n]!.tables) };
      }),
    };
  }

  it('what is named for both ends crosses between the addresses that its rows give, and nothing else does', () => {
    const world = explicit(named);
    const unicast = (to: string, host: number) => send(world, 'a1', udp('a1', parseMac(MAC[to]!), '10.0.1.11', `10.0.1.${host}`));
    const broadcast = send(world, 's1', { ...udp('s1', 0xffff_ffff_ffff, '10.9.9.1', '10.9.9.255') });
    const routed = send(world, 'a1', udp('a1', parseMac('02:00:00:00:01:01'), '10.0.1.11', '10.0.4.13'));
    const over = ({ visits }: FabricTrace) =>
      visits.slice(1).map(({ packet }) => [formatIpv4(packet['tun_src'] as number), formatIpv4(packet['tun_dst'] as number)]);
    expect([unicast('a2', 12), unicast('a3', 13), routed, broadcast].map((trace) => [outcome(trace), over(trace)])).toEqual([
      [{ to: ['a2'], crossings: 1, lost: [], dropped: [] }, [['198.51.100.1', '198.51.100.2']]],
      [{ to: [], crossings: 0, lost: [], dropped: ['unknown_mac'] }, []],
      [{ to: [], crossings: 0, lost: [], dropped: [] }, []],
      [{ to: ['s2'], crossings: 1, lost: [], dropped: expect.anything() as string[] }, [['192.0.2.1', '192.0.2.2']]],
    ]);
  });

  it('a routed packet crosses by what the rows of the network of its destination say', () => {
    const world = explicit([
      ...['1', '3'].map((n) => ({ ...datapathNetwork(n, 'd'), endpoint_address: `198.51.100.${n}` })),
      ...['1', '3'].map((n) => datapathNetwork(n, 'a')),
    ]);
    const trace = send(world, 'a1', udp('a1', parseMac('02:00:00:00:01:01'), '10.0.1.11', '10.0.4.13'));
    expect([outcome(trace), tunnelEnd(trace.visits[0]!.trace.outputs[0]!.packet, 'dst')]).toEqual([
      { to: ['d3'], crossings: 1, lost: [], dropped: [] },
      '198.51.100.3',
    ]);
  });

  it('what is not named for the two does not come in either', () => {
    const world = explicit(named);
    const arriving = (segment: bigint, from: string): FieldRecord => ({
      in_port: TUNNELS.geneve,
      tun_src: parseIpv4(from),
      tun_dst: parseIpv4('198.51.100.2'),
      tun_id: segment,
      eth_src: parseMac(MAC['a1']!),
      eth_dst: parseMac(MAC['a2']!),
      eth_type: 0x0800,
    });
    const dropped = (packet: FieldRecord) => {
      const { to, dropped } = outcome(traceFabric(world.sites, 'dp-2', packet));
      return dropped[0] ?? to[0];
    };
    expect([dropped(arriving(1n, '198.51.100.1')), dropped(arriving(1n, '198.51.100.3')), dropped(arriving(1n, '192.0.2.1'))]).toEqual([
      'a2',
      'unknown_peer',
      'unknown_peer',
    ]);
  });

  it('the tunnel between two hypervisors decides their encapsulation, and that of no others', () => {
    const both = ['geneve', 'gre'] as const;
    const rows = ['1', '2', '3'].map((n) => datapathNetwork(n, 'a'));
    const ports = (tunnels: readonly Tunnel[]) => {
      const world = explicit([...rows, ...tunnels], both);
      return [
        send(world, 'a1', udp('a1', parseMac(MAC['a2']!), '10.0.1.11', '10.0.1.12')),
        send(world, 'a1', udp('a1', parseMac(MAC['a3']!), '10.0.1.11', '10.0.1.13')),
      ].map((trace) => [trace.visits[0]!.trace.outputs[0]?.port, outcome(trace).to[0]]);
    };
    expect([ports([]), ports([tunnel('2', '1', { encapsulation: 'gre' })]), ports([tunnel('1', '3', { encapsulation: 'vxlan' })])]).toEqual(
      [
        [
          [TUNNELS.geneve, 'a2'],
          [TUNNELS.geneve, 'a3'],
        ],
        [
          [TUNNELS.gre, 'a2'],
          [TUNNELS.geneve, 'a3'],
        ],
        // Neither offers it.
        [
          [TUNNELS.geneve, 'a2'],
          [undefined, undefined],
        ],
      ],
    );
  });
});
