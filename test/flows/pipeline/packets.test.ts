import { createCompiler } from '../../../flows/compile/compiler.js';
import { parseIpv4, parseIpv6 } from '../../../flows/net/ip.js';
import { parseMac } from '../../../flows/net/mac.js';
import { decodePunt } from '../../../flows/pipeline/punt.js';
import { DROP_REASONS } from '../../../flows/pipeline/tables.js';
import { ConnectionTable } from '../../../flows/trace/connection-table.js';
import { Interpreter } from '../../../flows/trace/interpreter.js';
import type { FieldRecord } from '../../../flows/trace/microflow.js';
import type { Trace } from '../../../flows/trace/result.js';
import type { InputRecord } from '../../../flows/pipeline/rule.js';
import {
  dhcp,
  groupRule,
  iface,
  ipLease,
  localPort,
  macLease,
  network,
  policyClass,
  route,
  routeLink,
  securityGroup,
  segment,
} from '../compile/slice-builder.js';

/**
 * nw-n1 10.0.1.0/24, nw-n2 10.0.2.0/24 joined by rl-l; a transit network nw-n3 to rl-m, behind which is nw-n4.
 * v1, v2 in n1, v3 in n2, v4 in n4; v2 and v3 are in groups; s1, s2 in a segment without addresses.
 */
function records(): InputRecord[] {
  const vrf = 77;
  const all: InputRecord[] = [routeLink('l', 5), routeLink('m', 6)];
  for (const n of [1, 2, 3, 4]) all.push(network(`n${n}`, n, { vrf_key: vrf, ipv6_network: `fd00:${n}::`, ipv6_prefix: 64 }));
  const port = (name: string, n: number, host: number, mac: string) =>
    all.push(
      iface(name, 100 + n * 10 + host, { mode: 'simulated', enable_routing: true }),
      macLease(name, mac),
      ipLease(name, `n${n}`, `10.0.${n}.${host}`),
      ipLease(name, `n${n}`, `fd00:${n}::${host}`),
    );
  port('gw1', 1, 1, '02:00:00:00:01:01');
  port('gw2', 2, 1, '02:00:00:00:02:01');
  port('gw3', 3, 1, '02:00:00:00:03:01');
  port('gx3', 3, 2, '02:00:00:00:03:02');
  port('gx4', 4, 1, '02:00:00:00:04:01');
  all.push(dhcp('d1', 'gw1'));
  const routed = (key: number, link: string, via: string, n: number, to: number) =>
    all.push(
      route(`${link}${to}`, key, {
        interface_uuid: `if-${via}`,
        network_uuid: `nw-n${n}`,
        route_link_uuid: `rl-${link}`,
        ipv4_network: `10.0.${to}.0`,
        ipv4_prefix: 24,
      }),
    );
  routed(1, 'l', 'gw1', 1, 1);
  routed(2, 'l', 'gw2', 2, 2);
  routed(3, 'l', 'gw3', 3, 4);
  routed(4, 'm', 'gx3', 3, 1);
  routed(5, 'm', 'gx4', 4, 4);
  const vm = (v: number, n: number, cls: number) =>
    all.push(
      iface(`v${v}`, v, { policy_class_key: cls }),
      macLease(`v${v}`, `0a:00:00:00:00:0${v}`),
      ipLease(`v${v}`, `n${n}`, `10.0.${n}.1${v}`),
      ipLease(`v${v}`, `n${n}`, `fd00:${n}::1${v}`),
      localPort(`v${v}`, v),
    );
  vm(1, 1, 0);
  vm(2, 1, 1);
  vm(3, 2, 2);
  vm(4, 4, 0);
  all.push(
    policyClass(1, ['web']),
    policyClass(2, ['web', 'out']),
    securityGroup('web', [
      groupRule('w22', 21, { protocol: 'tcp', ports: ['22', '8000-8100'] }),
      groupRule('self', 22, { remote: { security_group_uuid: 'sg-web' }, protocol: 'udp' }),
    ]),
    securityGroup('out', [groupRule('o', 31, { direction: 'egress', protocol: 'tcp', remote: { cidr: '10.0.1.0/24' } })]),
    segment('s', 50),
  );
  for (const v of [5, 6])
    all.push(iface(`s${v}`, v), macLease(`s${v}`, `0a:00:00:00:00:0${v}`, { segment_uuid: 'seg-s' }), localPort(`s${v}`, v));
  return all;
}

const mac = parseMac;
const ip = parseIpv4;
const base = (v: number, over: FieldRecord): FieldRecord => ({ in_port: v, eth_src: mac(`0a:00:00:00:00:0${v}`), vlan_vid: 0, ...over });
const arp = (v: number, spa: string, tpa: string, over: FieldRecord = {}) =>
  base(v, {
    eth_type: 0x806,
    eth_dst: 0xffff_ffff_ffff,
    arp_op: 1,
    arp_sha: mac(`0a:00:00:00:00:0${v}`),
    arp_tha: 0,
    arp_spa: ip(spa),
    arp_tpa: ip(tpa),
    ...over,
  });
const ipv4 = (v: number, src: string, dst: string, dstMac: string, over: FieldRecord) =>
  base(v, { eth_type: 0x800, eth_dst: mac(dstMac), ip_src: ip(src), ip_dst: ip(dst), nw_ttl: 64, ip_frag: 0, ...over });
const tcp = (dst: number, flags = 2): FieldRecord => ({ nw_proto: 6, tcp_src: 40000, tcp_dst: dst, tcp_flags: flags });
const udp = (dst: number): FieldRecord => ({ nw_proto: 17, udp_src: 40000, udp_dst: dst });
const echo: FieldRecord = { nw_proto: 1, icmp_type: 8, icmp_code: 0 };

const REASONS = new Map<number, string>(Object.entries(DROP_REASONS).map(([name, { code }]) => [code, name]));

/** What came of a packet in a few words. */
function outcome(trace: Trace): string {
  if (trace.outputs.length > 0)
    return `out ${trace.outputs
      .map((o) => (o.to_in_port ? 'in_port' : o.port))
      .sort()
      .join(',')}`;
  if (trace.punts.length > 0) return `punt ${decodePunt(trace.punts[0]!.userdata!)!.kind}`;
  const reason = trace.drops[0]?.packet.get('reg15');
  return `drop ${REASONS.get(Number(reason)) ?? 'without reason'}`;
}

describe('compiled pipeline', () => {
  const compiler = createCompiler();
  compiler.update(records(), []);
  const interpreter = new Interpreter(compiler.tables);
  const send = (packet: FieldRecord) => interpreter.trace(packet);

  it('delivers, answers, punts or drops with a reason', () => {
    const gw1 = '02:00:00:00:01:01';
    const v2 = '0a:00:00:00:00:02';
    const cases: Record<string, FieldRecord> = {
      'ARP for the router': arp(1, '10.0.1.11', '10.0.1.1'),
      'ARP for a neighbour': arp(1, '10.0.1.11', '10.0.1.12'),
      'ARP for nobody': arp(1, '10.0.1.11', '10.0.1.200'),
      'ARP for itself': arp(1, '10.0.1.11', '10.0.1.11'),
      'ARP with a stolen address': arp(1, '10.0.1.12', '10.0.1.1'),
      'ARP in a segment without addresses': arp(5, '1.2.3.4', '1.2.3.5'),
      'an unplugged port': { ...arp(1, '10.0.1.11', '10.0.1.1'), in_port: 99 },
      'a tagged frame': { ...arp(1, '10.0.1.11', '10.0.1.1'), vlan_vid: 0x1005 },
      'a stolen MAC': { ...ipv4(1, '10.0.1.11', '10.0.1.12', v2, udp(9)), eth_src: mac(v2) },
      'a stolen IP': ipv4(1, '10.0.1.12', '10.0.1.12', v2, udp(9)),
      'to an admitted port': ipv4(1, '10.0.1.11', '10.0.1.12', v2, tcp(22)),
      'to the end of an admitted range': ipv4(1, '10.0.1.11', '10.0.1.12', v2, tcp(8100)),
      'past the end of an admitted range': ipv4(1, '10.0.1.11', '10.0.1.12', v2, tcp(8101)),
      'to a port nobody admits': ipv4(1, '10.0.1.11', '10.0.1.12', v2, tcp(23)),
      'between members across the router': ipv4(2, '10.0.1.12', '10.0.2.13', gw1, udp(9)),
      'from outside the group': ipv4(1, '10.0.1.11', '10.0.2.13', gw1, udp(9)),
      'egress admitted': ipv4(3, '10.0.2.13', '10.0.1.11', '02:00:00:00:02:01', tcp(80)),
      'egress refused': ipv4(3, '10.0.2.13', '10.0.1.11', '02:00:00:00:02:01', udp(80)),
      'echo to the near router address': ipv4(1, '10.0.1.11', '10.0.1.1', gw1, echo),
      'echo to the far router address': ipv4(1, '10.0.1.11', '10.0.2.1', gw1, echo),
      'UDP to the router': ipv4(1, '10.0.1.11', '10.0.1.1', gw1, udp(33434)),
      'TCP to the router': ipv4(1, '10.0.1.11', '10.0.1.1', gw1, tcp(22)),
      'TTL 1 through the router': ipv4(1, '10.0.1.11', '10.0.2.13', gw1, { ...udp(33434), nw_ttl: 1 }),
      'TTL 1 in a later fragment': ipv4(1, '10.0.1.11', '10.0.2.13', gw1, { nw_proto: 17, nw_ttl: 1, ip_frag: 3 }),
      'no route': ipv4(1, '10.0.1.11', '192.0.2.1', gw1, udp(9)),
      'routed to nobody': ipv4(1, '10.0.1.11', '10.0.2.200', gw1, udp(9)),
      'unknown MAC': ipv4(1, '10.0.1.11', '10.0.1.12', '0a:00:00:00:00:77', udp(9)),
      'to itself': ipv4(1, '10.0.1.11', '10.0.1.11', '0a:00:00:00:00:01', udp(9)),
      'through two routers': ipv4(1, '10.0.1.11', '10.0.4.14', gw1, udp(9)),
      'TTL 1 at the first of two routers': ipv4(1, '10.0.1.11', '10.0.4.14', gw1, { ...udp(9), nw_ttl: 1 }),
      'TTL 2 at the second of two routers': ipv4(1, '10.0.1.11', '10.0.4.14', gw1, { ...udp(9), nw_ttl: 2 }),
      DHCP: { ...ipv4(1, '0.0.0.0', '255.255.255.255', 'ff:ff:ff:ff:ff:ff', { nw_proto: 17, udp_src: 68, udp_dst: 67 }) },
      'renewal of an address': ipv4(1, '10.0.1.11', '10.0.1.1', gw1, { nw_proto: 17, udp_src: 68, udp_dst: 67 }),
      'renewal of an address it has lost': ipv4(1, '10.0.1.99', '10.0.1.1', gw1, { nw_proto: 17, udp_src: 68, udp_dst: 67 }),
      'renewal where there is no DHCP': ipv4(3, '10.0.2.99', '10.0.2.1', '02:00:00:00:02:01', { nw_proto: 17, udp_src: 68, udp_dst: 67 }),
      'a DHCP server': ipv4(1, '10.0.1.11', '10.0.1.12', v2, { nw_proto: 17, udp_src: 67, udp_dst: 68 }),
      'IP broadcast, to those it may reach': ipv4(2, '10.0.1.12', '255.255.255.255', 'ff:ff:ff:ff:ff:ff', udp(9)),
      IGMP: ipv4(1, '10.0.1.11', '224.0.0.22', '01:00:5e:00:00:16', { nw_proto: 2 }),
    };
    expect(Object.fromEntries(Object.entries(cases).map(([name, packet]) => [name, outcome(send(packet))]))).toEqual({
      'ARP for the router': 'out in_port',
      'ARP for a neighbour': 'out in_port',
      'ARP for nobody': 'drop unknown_arp',
      'ARP for itself': 'drop own_address',
      'ARP with a stolen address': 'drop spoof',
      'ARP in a segment without addresses': 'out 6',
      'an unplugged port': 'drop no_port',
      'a tagged frame': 'drop vlan_tagged',
      'a stolen MAC': 'drop spoof',
      'a stolen IP': 'drop spoof',
      'to an admitted port': 'out 2',
      'to the end of an admitted range': 'out 2',
      'past the end of an admitted range': 'drop ingress_policy',
      'to a port nobody admits': 'drop ingress_policy',
      'between members across the router': 'out 3',
      'from outside the group': 'drop ingress_policy',
      'egress admitted': 'out 1',
      'egress refused': 'drop egress_policy',
      'echo to the near router address': 'out in_port',
      'echo to the far router address': 'out in_port',
      'UDP to the router': 'punt port_unreachable',
      'TCP to the router': 'punt port_unreachable',
      'TTL 1 through the router': 'punt time_exceeded',
      'TTL 1 in a later fragment': 'drop ttl',
      'no route': 'punt net_unreachable',
      'routed to nobody': 'punt host_unreachable',
      'unknown MAC': 'drop unknown_mac',
      'to itself': 'drop to_sender',
      'through two routers': 'out 4',
      'TTL 1 at the first of two routers': 'punt time_exceeded',
      'TTL 2 at the second of two routers': 'punt time_exceeded',
      DHCP: 'punt dhcpv4',
      'renewal of an address': 'punt dhcpv4',
      'renewal of an address it has lost': 'punt dhcpv4',
      'renewal where there is no DHCP': 'drop egress_policy',
      'a DHCP server': 'drop rogue_server',
      'IP broadcast, to those it may reach': 'out 1',
      IGMP: 'drop group_management',
    });
  });

  it('says by which port a packet came to the router where it expires', () => {
    const at = (ttl: number) => {
      const [punt] = send(ipv4(1, '10.0.1.11', '10.0.4.14', '02:00:00:00:01:01', { ...udp(9), nw_ttl: ttl })).punts;
      return [decodePunt(punt!.userdata!)?.kind, punt!.packet.get('reg14'), Number(punt!.packet.get('reg0')) >>> 16];
    };
    // gw1 and gx3 by their port keys; one router crossed before the second answers.
    expect([at(1), at(2)]).toEqual([
      ['time_exceeded', 111, 0x1000],
      ['time_exceeded', 132, 0x1001],
    ]);
  });

  it('takes one from the TTL for each router and rewrites both MACs', () => {
    const [out] = send(ipv4(1, '10.0.1.11', '10.0.4.14', '02:00:00:00:01:01', udp(9))).outputs;
    expect([out!.packet.get('nw_ttl'), out!.packet.get('eth_src'), out!.packet.get('eth_dst')]).toEqual([
      62,
      mac('02:00:00:00:04:01'),
      mac('0a:00:00:00:00:04'),
    ]);
  });

  it('answers neighbour solicitations with flags, target and link-layer address', () => {
    const solicit = (target: string, over: FieldRecord = {}) =>
      send(
        base(1, {
          eth_type: 0x86dd,
          eth_dst: mac('33:33:ff:00:00:01'),
          ipv6_src: parseIpv6('fd00:1::11'),
          ipv6_dst: parseIpv6('ff02::1:ff00:1'),
          nw_proto: 58,
          nw_ttl: 255,
          ip_frag: 0,
          icmpv6_type: 135,
          icmpv6_code: 0,
          nd_target: parseIpv6(target),
          nd_sll: mac('0a:00:00:00:00:01'),
          ...over,
        }),
      );
    const answer = (trace: Trace) => {
      const [out] = trace.outputs;
      const get = (name: 'eth_dst' | 'ipv6_src' | 'ipv6_dst' | 'icmpv6_type' | 'nd_tll' | 'nd_reserved') => out?.packet.get(name);
      return [out?.to_in_port, get('eth_dst'), get('ipv6_src'), get('ipv6_dst'), get('icmpv6_type'), get('nd_tll'), get('nd_reserved')];
    };
    const v1 = mac('0a:00:00:00:00:01');
    expect([
      answer(solicit('fd00:1::1')),
      answer(solicit('fd00:1::12')),
      outcome(solicit('fd00:1::99')),
      outcome(solicit('fd00:1::1', { nw_ttl: 64 })),
    ]).toEqual([
      [true, v1, parseIpv6('fd00:1::1'), parseIpv6('fd00:1::11'), 136, mac('02:00:00:00:01:01'), 0xe000_0000],
      [true, v1, parseIpv6('fd00:1::12'), parseIpv6('fd00:1::11'), 136, mac('0a:00:00:00:00:02'), 0x6000_0000],
      'drop unknown_arp',
      'drop unknown_arp',
    ]);
  });

  it('admits replies of a connection, and stops it when its rule is gone', () => {
    const own = createCompiler();
    own.update(records(), []);
    const switchTables = new Interpreter(own.tables);
    const conntrack = new ConnectionTable();
    const forward = (flags: number) =>
      outcome(switchTables.trace(ipv4(1, '10.0.1.11', '10.0.1.12', '0a:00:00:00:00:02', tcp(22, flags)), { conntrack }));
    const back = (flags: number) =>
      outcome(
        switchTables.trace(
          ipv4(2, '10.0.1.12', '10.0.1.11', '0a:00:00:00:00:01', { nw_proto: 6, tcp_src: 22, tcp_dst: 40000, tcp_flags: flags }),
          { conntrack },
        ),
      );
    const before = [forward(0x02), back(0x12), forward(0x10), back(0x18)];
    const [web] = records().filter((r) => r.uuid === 'sg-web');
    if (web?.kind !== 'security_group') throw new Error('sg-web is missing');
    switchTables.apply(own.update([{ ...web, rules: web.rules.slice(1) }], []));
    const revoked = [forward(0x18), back(0x18)];
    switchTables.apply(own.update([web], []));
    const again = [forward(0x18), back(0x18)];
    expect({ before, revoked, again }).toEqual({
      before: ['out 2', 'out 1', 'out 2', 'out 1'],
      revoked: ['drop ingress_revoked', 'drop egress_revoked'],
      again: ['out 2', 'out 1'],
    });
  });

  it('has an explicit miss in every table, and drops nowhere but in DROP', () => {
    const flows = [...compiler.tables.flows.values()];
    const tables = [...new Set(flows.map((f) => f.table))];
    expect({
      withoutMiss: tables.filter((t) => !flows.some((f) => f.table === t && f.priority === 0 && f.match.length === 0)),
      bareDrops: flows.filter((f) => f.table !== 250 && f.instructions.length === 0),
    }).toEqual({ withoutMiss: [], bareDrops: [] });
  });
});
