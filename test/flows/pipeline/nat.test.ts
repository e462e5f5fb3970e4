import { createCompiler } from '../../../flows/compile/compiler.js';
import { parseIpv4 } from '../../../flows/net/ip.js';
import { parseMac } from '../../../flows/net/mac.js';
import { REGISTERS, regLoad } from '../../../flows/pipeline/registers.js';
import type { InputRecord } from '../../../flows/pipeline/rule.js';
import { DROP_REASONS, TABLES } from '../../../flows/pipeline/tables.js';
import { ConnectionTable } from '../../../flows/trace/connection-table.js';
import { traceFabric, type Site } from '../../../flows/trace/fabric.js';
import { Interpreter } from '../../../flows/trace/interpreter.js';
import type { FieldRecord } from '../../../flows/trace/microflow.js';
import {
  binding,
  chassis,
  datapathNetwork,
  floatingIp,
  groupRule,
  here,
  iface,
  ipLease,
  localPort,
  macLease,
  natRule,
  natZones,
  network,
  policyClass,
  route,
  routeLink,
  securityGroup,
  tunnelPort,
} from '../compile/slice-builder.js';

/** Name, network, address, policy class. a, b and c are behind the router that translates, x is outside; v is behind another router there. */
const VMS = {
  a: ['in', '10.0.1.10', 5],
  b: ['in', '10.0.1.11', 0],
  c: ['in', '10.0.1.12', 6],
  x: ['out', '203.0.113.10', 7],
  v: ['far', '198.51.100.10', 0],
} as const;
type Name = keyof typeof VMS;
const NAMES = Object.keys(VMS) as Name[];
/** Port number and port key. */
const keyOf = (name: Name) => NAMES.indexOf(name) + 1;
const macOf = (name: Name) => `0a:00:00:00:00:0${keyOf(name)}`;
const FLOATING = { a: '203.0.113.50', c: '203.0.113.52' };
const macOfFloating = (address: string) => `02:f0:00:00:00:${address.split('.')[3]!}`;
const MASQUERADE = '203.0.113.1';
const GATEWAYS = { gi: '02:00:00:00:01:01', go: '02:00:00:00:02:01', fo: '02:00:00:00:02:02', ff: '02:00:00:00:03:01' };
const TUNNEL = 901;
const ROUTER = 5;

function model(): InputRecord[] {
  const vrf_key = 77;
  const port = (name: keyof typeof GATEWAYS, key: number, net: string, address: string, link: string) => [
    iface(name, key, { mode: 'simulated', enable_routing: true }),
    macLease(name, GATEWAYS[name]),
    ipLease(name, net, address),
    route(name, key, {
      interface_uuid: `if-${name}`,
      network_uuid: `nw-${net}`,
      route_link_uuid: link,
      ipv4_network: address.replace(/\d+$/, '0'),
      ipv4_prefix: 24,
    }),
  ];
  const out = (key: number) => groupRule(`out${key}`, key, { direction: 'egress', stateful: false });
  const floating = { network_uuid: 'nw-out', route_link_uuid: 'rl-nat' };
  return [
    network('in', 1, { vrf_key }),
    network('out', 2, { vrf_key, ipv4_network: '203.0.113.0' }),
    network('far', 3, { vrf_key, ipv4_network: '198.51.100.0' }),
    routeLink('nat', ROUTER),
    routeLink('far', 6),
    ...port('gi', 501, 'in', '10.0.1.1', 'rl-nat'),
    ...port('go', 502, 'out', MASQUERADE, 'rl-nat'),
    ...port('fo', 503, 'out', '203.0.113.2', 'rl-far'),
    ...port('ff', 504, 'far', '198.51.100.1', 'rl-far'),
    route('d', 505, { route_link_uuid: 'rl-nat', via: ['203.0.113.2'], ipv4_network: '0.0.0.0', ipv4_prefix: 0 }),
    policyClass(5, ['g']),
    policyClass(6, ['w']),
    policyClass(7, ['s']),
    securityGroup('g', [out(11), groupRule('g', 2, {})]),
    // Its members, and x by its address.
    securityGroup('w', [
      out(12),
      groupRule('w', 3, { remote: { security_group_uuid: 'sg-g' } }),
      groupRule('x', 4, { remote: { cidr: '203.0.113.10/32' } }),
    ]),
    // Looks at replies, too: it has no state.
    securityGroup('s', [out(13), groupRule('s', 5, { stateful: false, remote: { security_group_uuid: 'sg-w' } })]),
    ...NAMES.flatMap((name) => {
      const [net, address, policy_class_key] = VMS[name];
      const groups = { 0: [], 5: ['sg-g'], 6: ['sg-w'], 7: ['sg-s'] }[policy_class_key];
      return [
        iface(name, keyOf(name), { policy_class_key, security_group_uuids: groups }),
        macLease(name, macOf(name)),
        ipLease(name, net, address),
      ];
    }),
    floatingIp('50', FLOATING.a, { ...floating, ip_lease_uuid: 'il-a' }),
    floatingIp('52', FLOATING.c, { ...floating, ip_lease_uuid: 'il-c' }),
    natRule('m', MASQUERADE, { ...floating, datapath_uuid: 'dp-1' }),
  ];
}

type Places = Readonly<Record<Name, '1' | '2'>>;
const together: Places = { a: '1', b: '1', c: '1', x: '1', v: '1' };
const apart: Places = { a: '1', b: '2', c: '2', x: '1', v: '2' };

function fabric(places: Places, explicit?: readonly InputRecord[]): Site[] {
  const all = ['1', '2'].map((n) => chassis(n, explicit === undefined ? [`192.0.2.${n}`] : []));
  return ['1', '2'].map((n, i) => {
    const compiler = createCompiler();
    const own = here(all[i]!, explicit === undefined ? {} : { overlay_mode: 'explicit' });
    const local = NAMES.filter((name) => places[name] === n).map((name) => localPort(name, keyOf(name)));
    const bindings = NAMES.map((name) => binding(name, places[name]));
    compiler.update(
      [...model(), ...bindings, ...all, ...local, ...(explicit ?? []), own, natZones('nat', 60_000), tunnelPort('geneve', TUNNEL)],
      [],
    );
    return {
      datapath_uuid: `dp-${n}`,
      interpreter: new Interpreter(compiler.tables),
      conntrack: new ConnectionTable(),
      addresses: [`192.0.2.${n}`],
      tunnels: new Map([['geneve', TUNNEL]]),
    };
  });
}

/** Who gets a datagram, as from whom and how often routed; or why nobody does. */
function send(sites: readonly Site[], places: Places, from: Name, to: string, over: FieldRecord = {}): string {
  const [net, address] = VMS[from];
  const near = new Map(NAMES.flatMap((name) => (VMS[name][0] === net ? [[VMS[name][1] as string, macOf(name)] as const] : [])));
  if (net === 'out') for (const address of Object.values(FLOATING)) near.set(address, macOfFloating(address));
  const router = { in: GATEWAYS.gi, out: GATEWAYS.go, far: GATEWAYS.ff }[net];
  const packet: FieldRecord = {
    in_port: keyOf(from),
    eth_src: parseMac(macOf(from)),
    eth_dst: parseMac(near.get(to) ?? router),
    eth_type: 0x800,
    ip_src: parseIpv4(address),
    ip_dst: parseIpv4(to),
    nw_proto: 17,
    nw_ttl: 64,
    udp_src: 4000,
    udp_dst: 5000,
    ...over,
  };
  return outcome(traceFabric(sites, `dp-${places[from]}`, packet, { length: 100 }));
}

function outcome({ delivered, visits, lost }: ReturnType<typeof traceFabric>): string {
  const [one, ...more] = delivered;
  if (more.length > 0 || lost.length > 0) return `${more.length} more, ${lost.length} lost`;
  if (one === undefined) {
    const [drop] = visits.flatMap(({ trace }) => trace.drops);
    const code = drop === undefined ? 0 : drop.packet.number('reg15') & 0xffff;
    return Object.entries(DROP_REASONS).find(([, reason]) => reason.code === code)?.[0] ?? 'nothing';
  }
  const { packet, port } = one.output;
  const source = [24, 16, 8, 0].map((shift) => (packet.number('ip_src') >>> shift) & 255).join('.');
  return `${source} to ${NAMES[port - 1]!} ttl ${packet.number('nw_ttl')}`;
}

describe.each([
  ['one hypervisor', together],
  ['two hypervisors', apart],
])('who comes by a translated address, on %s', (_where, places) => {
  it('is no member of the group that its own address is in', () => {
    const sites = fabric(places);
    expect({
      'by its own address': send(sites, places, 'a', '10.0.1.12'),
      'by a floating IP': send(sites, places, 'a', FLOATING.c),
      'admitted by address': send(sites, places, 'x', FLOATING.c),
    }).toEqual({
      'by its own address': '10.0.1.10 to c ttl 64',
      'by a floating IP': 'ingress_policy',
      'admitted by address': '203.0.113.10 to c ttl 63',
    });
  });

  it('is none in its answers either', () => {
    const sites = fabric(places);
    const asked = send(sites, places, 'x', FLOATING.c);
    const answered = send(sites, places, 'c', VMS.x[1], { udp_src: 5000, udp_dst: 4000 });
    expect([asked, answered]).toEqual(['203.0.113.10 to c ttl 63', 'ingress_policy']);
  });
});

it('an error of a router behind a floating IP has a TTL that tells how far it is when it leaves for another hypervisor', () => {
  const [site] = fabric(apart);
  const { field, value } = regLoad('router', ROUTER) as { field: 'reg10'; value: number };
  const error = (nw_ttl: number) => {
    const packet: FieldRecord = {
      eth_src: parseMac(GATEWAYS.gi),
      eth_dst: parseMac(GATEWAYS.go),
      eth_type: 0x800,
      ip_src: parseIpv4('10.0.1.1'),
      ip_dst: parseIpv4(VMS.v[1]),
      nw_proto: 1,
      nw_ttl,
      icmp_type: 11,
      icmp_code: 0,
      metadata: (77n << 32n) | 2n,
      [field]: value,
      reg0: (1 << REGISTERS.nat_exempt.offset) | (1 << REGISTERS.skip_policy.offset),
    };
    return site!.interpreter.trace(packet, { length: 100, table: TABLES.FIB.id }).outputs.map(({ packet }) => packet.number('nw_ttl'));
  };
  // The second router takes one; the first, which speaks, none.
  expect([error(255), error(254)]).toEqual([[254], [253]]);
});

describe('in the explicit overlay mode', () => {
  const rows = (...nets: string[]) =>
    nets.flatMap((net) => ['1', '2'].map((n) => ({ ...datapathNetwork(n, net), endpoint_address: `192.0.2.${n}` })));

  it('addresses are translated across hypervisors where the networks they are in, behind and outside, are named for both', () => {
    const of = (...nets: string[]) => {
      const sites = fabric(apart, rows(...nets));
      return {
        'floating, in': send(sites, apart, 'x', FLOATING.c),
        'floating, out': send(sites, apart, 'a', VMS.v[1]),
        masked: send(sites, apart, 'b', VMS.v[1]),
        'its answer': send(sites, apart, 'v', MASQUERADE, { udp_src: 5000, udp_dst: 4000 }),
      };
    };
    expect({ both: of('in', 'out', 'far'), 'not outside': of('in', 'far') }).toEqual({
      both: {
        'floating, in': '203.0.113.10 to c ttl 63',
        'floating, out': '203.0.113.50 to v ttl 62',
        masked: '203.0.113.1 to v ttl 62',
        'its answer': '198.51.100.10 to b ttl 62',
      },
      'not outside': {
        'floating, in': 'no_tunnel',
        'floating, out': '203.0.113.50 to v ttl 62',
        masked: 'no_tunnel',
        'its answer': 'no_tunnel',
      },
    });
  });
});
