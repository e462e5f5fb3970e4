import type { DatapathLink } from '../../../flows/model/entities/datapath.js';
import { createCompiler } from '../../../flows/compile/compiler.js';
import { eui64LinkLocal, parseMac } from '../../../flows/net/mac.js';
import { parseIpv4, parseIpv6 } from '../../../flows/net/ip.js';
import { outsideMac } from '../../../flows/pipeline/outside.js';
import { decodePunt } from '../../../flows/pipeline/punt.js';
import { DROP_REASONS, TABLES } from '../../../flows/pipeline/tables.js';
import type { InputRecord, Neighbor, PhysicalPort } from '../../../flows/pipeline/rule.js';
import { checkTables } from '../../../flows/trace/checkers.js';
import { Interpreter } from '../../../flows/trace/interpreter.js';
import type { FieldRecord } from '../../../flows/trace/microflow.js';
import {
  binding,
  chassis,
  datapathNetwork,
  datapathRouteLink,
  here,
  iface,
  ipLease,
  localPort,
  macLease,
  network,
  route,
  routeLink,
  tunnelPort,
} from '../compile/slice-builder.js';

const [PHYSICAL, VM1, TUNNEL, VM2] = [30, 1, 20, 2];
const GW_MAC = parseMac('02:00:00:00:09:01');
const OUTSIDE = parseMac('00:16:3e:00:00:09');
const REASONS = new Map<number, string>(Object.entries(DROP_REASONS).map(([name, { code }]) => [code, name]));

/** nw-v 10.0.1.0/24 and the physical nw-p 192.0.2.0/24 are routed; the default route is 192.0.2.254, outside; vm2 is in nw-p, on hv1. */
function model(gateways: string[] = ['dp-hv1']): InputRecord[] {
  const connected = (name: string, key: number, net: string, v4: string) =>
    route(`${name}4`, key, {
      interface_uuid: `if-${name}`,
      network_uuid: `nw-${net}`,
      route_link_uuid: 'rl-r',
      ipv4_network: v4,
      ipv4_prefix: 24,
    });
  return [
    network('v', 1, { vrf_key: 7, ipv6_network: 'fd00:1::', ipv6_prefix: 64 }),
    network('p', 9, {
      mode: 'physical',
      physical_network: 'ext',
      vrf_key: 7,
      ipv4_network: '192.0.2.0',
      ipv6_network: '2001:db8::',
      ipv6_prefix: 64,
    }),
    routeLink('r', 5),
    iface('gv', 101, { mode: 'simulated', enable_routing: true }),
    macLease('gv', '02:00:00:00:01:01'),
    ipLease('gv', 'v', '10.0.1.1'),
    ipLease('gv', 'v', 'fd00:1::1'),
    iface('gp', 109, { mode: 'simulated', enable_routing: true, gateway_datapath_uuids: gateways }),
    macLease('gp', '02:00:00:00:09:01'),
    ipLease('gp', 'p', '192.0.2.1'),
    ipLease('gp', 'p', '2001:db8::1'),
    connected('gv', 1, 'v', '10.0.1.0'),
    connected('gp', 2, 'p', '192.0.2.0'),
    route('d', 3, { route_link_uuid: 'rl-r', via: ['192.0.2.254'], ipv4_network: '0.0.0.0', ipv4_prefix: 0 }),
    iface('vm1', VM1),
    macLease('vm1', '0a:00:00:00:00:01'),
    ipLease('vm1', 'v', '10.0.1.11'),
    iface('vm2', VM2),
    macLease('vm2', '0a:00:00:00:00:02'),
    ipLease('vm2', 'p', '192.0.2.12'),
    binding('vm1', 'hv1'),
    binding('vm2', 'hv1'),
    chassis('hv1', ['198.51.100.1']),
    chassis('hv2', ['198.51.100.2']),
  ];
}

const physicalPort: PhysicalPort = { kind: 'physical_port', uuid: 'physical-ext', physical_network: 'ext', ofport: PHYSICAL };
const neighbor = (address: string): Neighbor => ({
  kind: 'neighbor',
  uuid: `neighbor-ml-gp-${address}`,
  mac_lease_uuid: 'ml-gp',
  address,
  mac: OUTSIDE,
});

/** hv1 has the VMs and the port outside. */
function onFirst(records: readonly InputRecord[], ...more: readonly InputRecord[]) {
  return compiled([
    ...records,
    here(chassis('hv1', ['198.51.100.1'])),
    localPort('vm1', VM1),
    localPort('vm2', VM2),
    tunnelPort('geneve', TUNNEL),
    physicalPort,
    ...more,
  ]);
}

/** hv2 has nothing but what it may be the gateway of. */
function onSecond(records: readonly InputRecord[], ...more: readonly InputRecord[]) {
  return compiled([...records, here(chassis('hv2', ['198.51.100.2'])), tunnelPort('geneve', TUNNEL), physicalPort, ...more]);
}

function compiled(records: readonly InputRecord[]) {
  const compiler = createCompiler();
  compiler.update(records, []);
  return compiler;
}

function outcome(compiler: ReturnType<typeof createCompiler>, packet: FieldRecord): string {
  const trace = new Interpreter(compiler.tables).trace(packet, { length: 100 });
  const [out] = trace.outputs;
  const get = (name: 'eth_src' | 'eth_dst' | 'nw_ttl' | 'tun_id') => Number(out?.packet.get(name) ?? 0);
  if (trace.outputs.length > 1) return `out ${trace.outputs.map(({ port }) => port).join()}`;
  if (out?.port === TUNNEL) return `tunnel ${get('tun_id')} ${get('eth_dst').toString(16)}`;
  if (out !== undefined) return `out ${out.port} ${get('eth_src').toString(16)} > ${get('eth_dst').toString(16)} ttl ${get('nw_ttl')}`;
  const [punt] = trace.punts;
  if (punt !== undefined) return decodePunt(punt.userdata!)!.kind;
  return `drop ${REASONS.get(Number(trace.drops[0]?.packet.get('reg15')))}`;
}

const udp = (in_port: number, eth_src: number, eth_dst: number, from: string, to: string): FieldRecord => ({
  in_port,
  vlan_vid: 0,
  eth_src,
  eth_dst,
  eth_type: 0x800,
  ip_src: parseIpv4(from),
  ip_dst: parseIpv4(to),
  nw_proto: 17,
  nw_ttl: 64,
  ip_frag: 0,
  udp_src: 4000,
  udp_dst: 53,
});
const VM1_MAC = parseMac('0a:00:00:00:00:01');
const VM2_MAC = parseMac('0a:00:00:00:00:02');
const fromVm1 = (to: string) => udp(VM1, VM1_MAC, parseMac('02:00:00:00:01:01'), '10.0.1.11', to);
const fromOutside = (eth_dst: number, to: string, from = '192.0.2.9') => udp(PHYSICAL, OUTSIDE, eth_dst, from, to);
const arp = (in_port: number, eth_src: number, spa: string, tpa: string, over: FieldRecord = {}): FieldRecord => ({
  in_port,
  vlan_vid: 0,
  eth_src,
  eth_dst: 0xffff_ffff_ffff,
  eth_type: 0x806,
  arp_op: 1,
  arp_sha: eth_src,
  arp_tha: 0,
  arp_spa: parseIpv4(spa),
  arp_tpa: parseIpv4(tpa),
  ...over,
});

describe('the hypervisor that is the gateway', () => {
  it('sends to neighbours it knows, asks for those it does not, and takes in what is for its MAC', () => {
    const compiler = onFirst(model(), neighbor('192.0.2.254'), neighbor('192.0.2.9'));
    expect({
      far: outcome(compiler, fromVm1('203.0.113.1')),
      near: outcome(compiler, fromVm1('192.0.2.9')),
      unknown: outcome(compiler, fromVm1('192.0.2.77')),
      vm: outcome(compiler, fromVm1('192.0.2.12')),
      in: outcome(compiler, fromOutside(GW_MAC, '10.0.1.11')),
      self: outcome(compiler, fromOutside(GW_MAC, '192.0.2.1')),
      expired: outcome(compiler, { ...fromOutside(GW_MAC, '10.0.1.11'), nw_ttl: 1 }),
      direct: outcome(compiler, fromOutside(VM2_MAC, '192.0.2.12')),
      other: outcome(compiler, fromOutside(0x0a00_0000_0099, '192.0.2.99')),
      itself: outcome(compiler, { ...fromOutside(GW_MAC, '10.0.1.11'), eth_src: GW_MAC }),
      'as a VM': outcome(compiler, { ...fromOutside(GW_MAC, '10.0.1.11'), eth_src: VM2_MAC }),
    }).toEqual({
      far: `out ${PHYSICAL} 20000000901 > 163e000009 ttl 63`,
      near: `out ${PHYSICAL} 20000000901 > 163e000009 ttl 63`,
      unknown: 'resolve',
      vm: `out ${VM2} 20000000901 > a0000000002 ttl 63`,
      in: `out ${VM1} 20000000101 > a0000000001 ttl 63`,
      self: 'port_unreachable',
      expired: 'time_exceeded',
      direct: `out ${VM2} 163e000009 > a0000000002 ttl 64`,
      other: 'drop not_ours',
      itself: 'drop spoof',
      'as a VM': 'drop spoof',
    });
    expect(outcome(onFirst(model()), fromVm1('203.0.113.1'))).toBe('host_unreachable');
  });

  it('answers outside for its own addresses and those of NICs here, and hands over what neighbours answer', () => {
    const compiler = onFirst(model());
    const solicit = (target: bigint): FieldRecord => ({
      in_port: PHYSICAL,
      vlan_vid: 0,
      eth_src: OUTSIDE,
      eth_dst: 0x3333_ff00_0001,
      eth_type: 0x86dd,
      ipv6_src: parseIpv6('2001:db8::9'),
      ipv6_dst: parseIpv6('ff02::1:ff00:1'),
      nw_proto: 58,
      nw_ttl: 255,
      icmpv6_type: 135,
      icmpv6_code: 0,
      nd_target: target,
      nd_sll: OUTSIDE,
    });
    const answered = (by: number) => `out ${PHYSICAL} ${by.toString(16)} > 163e000009 ttl 0`;
    const reply = arp(PHYSICAL, OUTSIDE, '192.0.2.254', '192.0.2.1', { eth_dst: GW_MAC, arp_op: 2 });
    expect({
      own: outcome(compiler, arp(PHYSICAL, OUTSIDE, '192.0.2.9', '192.0.2.1')),
      nic: outcome(compiler, arp(PHYSICAL, OUTSIDE, '192.0.2.9', '192.0.2.12')),
      nd: outcome(compiler, solicit(parseIpv6('2001:db8::1'))).replace('255', '0'),
      ndLinkLocal: outcome(compiler, solicit(eui64LinkLocal(GW_MAC))).replace('255', '0'),
      nobody: outcome(compiler, arp(PHYSICAL, OUTSIDE, '192.0.2.9', '192.0.2.13')),
      reply: outcome(compiler, reply),
    }).toMatchObject({
      own: answered(GW_MAC),
      nic: answered(VM2_MAC),
      nd: answered(GW_MAC),
      ndLinkLocal: answered(GW_MAC),
      nobody: `out ${VM2} 163e000009 > ffffffffffff ttl 0`,
      reply: 'neighbor',
    });
  });

  it('lets a VM of the physical network speak with whoever is out there', () => {
    const compiler = onFirst(model());
    expect([
      outcome(compiler, arp(VM2, VM2_MAC, '192.0.2.12', '192.0.2.9')),
      outcome(compiler, udp(VM2, VM2_MAC, OUTSIDE, '192.0.2.12', '192.0.2.9')),
    ]).toEqual([`out ${PHYSICAL} a0000000002 > ffffffffffff ttl 0`, `out ${PHYSICAL} a0000000002 > 163e000009 ttl 64`]);
  });
});

describe('a hypervisor that is not the gateway', () => {
  const first = () => onFirst(model(['dp-hv2']));

  it('sends what is for outside to the one that is, and answers nobody outside', () => {
    const next = outsideMac(9, { family: 'ipv4', value: parseIpv4('192.0.2.254') }).toString(16);
    expect({
      far: outcome(first(), fromVm1('203.0.113.1')),
      near: outcome(first(), fromVm1('192.0.2.9')),
      arp: outcome(first(), arp(PHYSICAL, OUTSIDE, '192.0.2.9', '192.0.2.1')),
      in: outcome(first(), fromOutside(GW_MAC, '10.0.1.11')),
      ping: outcome(first(), fromVm1('192.0.2.1')),
    }).toMatchObject({
      far: `tunnel 9 ${next}`,
      near: 'tunnel 9 20000000901',
      arp: `out ${VM2} 163e000009 > ffffffffffff ttl 0`,
      in: 'drop not_ours',
      ping: 'port_unreachable',
    });
  });

  it('has what it sends delivered there, and gets what comes from outside', () => {
    const second = onSecond(model(['dp-hv2']), neighbor('192.0.2.254'), neighbor('192.0.2.9'));
    const arrives = (eth_dst: number, to: string): FieldRecord => ({
      ...udp(TUNNEL, GW_MAC, eth_dst, '10.0.1.11', to),
      tun_id: 9n,
      tun_src: parseIpv4('198.51.100.1'),
      tun_dst: parseIpv4('198.51.100.2'),
    });
    const next = outsideMac(9, { family: 'ipv4', value: parseIpv4('192.0.2.254') });
    expect({
      far: outcome(second, arrives(next, '203.0.113.1')),
      near: outcome(second, arrives(GW_MAC, '192.0.2.9')),
      in: outcome(second, fromOutside(GW_MAC, '10.0.1.11')),
    }).toEqual({
      far: `out ${PHYSICAL} 20000000901 > 163e000009 ttl 64`,
      near: `out ${PHYSICAL} 20000000901 > 163e000009 ttl 64`,
      in: `tunnel 1 a0000000001`,
    });
    const delivered = { ...udp(TUNNEL, parseMac('02:00:00:00:01:01'), VM1_MAC, '192.0.2.9', '10.0.1.11'), tun_id: 1n };
    expect(outcome(first(), { ...delivered, tun_src: parseIpv4('198.51.100.2'), tun_dst: parseIpv4('198.51.100.1') })).toContain(
      `out ${VM1} `,
    );
  });

  it('has who sent it told that nobody is there by the port of the router next to that one', () => {
    const second = onSecond(model(['dp-hv2']));
    const next = outsideMac(9, { family: 'ipv4', value: parseIpv4('192.0.2.254') });
    const told = (eth_dst: number, from: string, to: string) => {
      const packet = { ...udp(TUNNEL, GW_MAC, eth_dst, from, to), tun_id: 9n };
      const ends = { tun_src: parseIpv4('198.51.100.1'), tun_dst: parseIpv4('198.51.100.2') };
      return new Interpreter(second.tables).trace({ ...packet, ...ends }, { length: 100 }).punts.map((punt) => {
        const [router, arrival] = [punt.packet.number('reg10'), punt.packet.number('reg14')];
        return { kind: decodePunt(punt.userdata!)!.kind, router, arrival };
      });
    };
    expect({
      near: told(GW_MAC, '10.0.1.11', '192.0.2.77'),
      far: told(next, '10.0.1.11', '203.0.113.1'),
      'from behind another router': told(next, '10.0.9.11', '203.0.113.1'),
    }).toEqual({
      near: [{ kind: 'resolve', router: 5, arrival: 101 }],
      far: [{ kind: 'host_unreachable', router: 5, arrival: 101 }],
      'from behind another router': [{ kind: 'host_unreachable', router: 5, arrival: 101 }],
    });
  });

  it('sends nothing there in the explicit mode unless rows of the physical network or of the router name both', () => {
    const explicit = here(chassis('hv1', ['198.51.100.1']), { overlay_mode: 'explicit' });
    const at = (n: number) => ({ endpoint_address: `198.51.100.${n}` });
    const rows = (row: (datapath: string, name: string) => DatapathLink, name: string) =>
      [1, 2].map((n) => ({ ...row(`hv${n}`, name), ...at(n) }));
    const far = (...more: readonly InputRecord[]) => outcome(onFirst(model(['dp-hv2']), explicit, ...more), fromVm1('203.0.113.1'));
    const next = outsideMac(9, { family: 'ipv4', value: parseIpv4('192.0.2.254') }).toString(16);
    expect([far(), far(...rows(datapathNetwork, 'v')), far(...rows(datapathNetwork, 'p')), far(...rows(datapathRouteLink, 'r'))]).toEqual([
      expect.stringContaining('no_tunnel'),
      expect.stringContaining('no_tunnel'),
      `tunnel 9 ${next}`,
      `tunnel 9 ${next}`,
    ]);
  });

  it('says that nobody is there where no hypervisor is the gateway', () => {
    expect([outcome(onFirst(model([])), fromVm1('203.0.113.1')), outcome(onFirst(model([])), fromVm1('192.0.2.9'))]).toEqual([
      'host_unreachable',
      'host_unreachable',
    ]);
  });
});

it('tables of gateways are the same incrementally as from scratch, and no checker objects to them', () => {
  const sorted = (compiler: ReturnType<typeof createCompiler>) => [...compiler.tables.flows.keys()].sort();
  const whole = onFirst(model(), neighbor('192.0.2.254'), neighbor('192.0.2.9'));
  const built = onFirst(model(['dp-hv2']));
  const before = sorted(built);
  built.update([...model(), neighbor('192.0.2.9'), neighbor('192.0.2.254')], []);
  expect(sorted(built)).toEqual(sorted(whole));
  built.update(model(['dp-hv2']), [neighbor('192.0.2.9').uuid, neighbor('192.0.2.254').uuid]);
  expect(sorted(built)).toEqual(before);
  expect(checkTables(whole.tables, { dropTables: [TABLES.DROP.id] })).toEqual([]);
  expect(checkTables(built.tables, { dropTables: [TABLES.DROP.id] })).toEqual([]);
});
