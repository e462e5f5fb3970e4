/**
 * Two tenants' VMs behind routers that translate, and an outside with a router of its own.
 *
 *     a, b, c ── nw-in ── rt-in ── nw-mid ── rt-nat ── nw-out ── x
 *                                                        └── rt-far ── nw-far ── y
 *
 * Owns: what is defined; `place` says on which hypervisor each VM is.
 */
import type { Attachment } from '../lab/underlay.js';
import type { Vm } from '../lab/vm.js';
import type { Argv } from '../lab/run.js';
import { parseIpv4, parseIpv6 } from '../../flows/net/ip.js';
import { eui64LinkLocal, parseMac } from '../../flows/net/mac.js';
import type { Endpoint } from '../oracle/packets.js';
import { post } from './world.js';

/** Network, prefixes, and the VM's host number. */
export const NETS = {
  in: { v4: '10.60.1', v6: 'fd60:1:' },
  mid: { v4: '10.60.0', v6: 'fd60:2:' },
  out: { v4: '203.0.113', v6: '2001:db8:113:' },
  far: { v4: '198.51.100', v6: '2001:db8:100:' },
  tr: { v4: '10.61.0', v6: 'fd61:0:' },
} as const;
export type Net = keyof typeof NETS;

export const at = (net: Net, host: number | string, v6 = false) => (v6 ? `${NETS[net].v6}:${host}` : `${NETS[net].v4}.${host}`);

export const VMS = {
  /** Has a floating IP. */
  a: { net: 'in', host: 10, gateway: 1, groups: [] },
  /** Leaves by the router's address. */
  b: { net: 'in', host: 11, gateway: 1, groups: ['sg-shut'] },
  /** Has a floating IP, and lets in only TCP 80 and echo. */
  c: { net: 'in', host: 12, gateway: 1, groups: ['sg-web'] },
  x: { net: 'out', host: 10, gateway: 1, groups: [] },
  y: { net: 'far', host: 10, gateway: 1, groups: [] },
  /** Is named by a translation. */
  d: { net: 'tr', host: 10, gateway: 1, groups: [] },
  /** Is behind the same interface and named by none. */
  e: { net: 'tr', host: 11, gateway: 1, groups: [] },
} as const satisfies Record<string, { net: Net; host: number; gateway: number; groups: readonly string[] }>;
export type VmName = keyof typeof VMS;

/** Floating IPs: host numbers outside. */
export const FLOATING = { a: 50, c: 52 } as const;
/** The router's own address outside, which others leave by. */
export const MASQUERADE = 1;

/** A translation's addresses: of all of d, of one port of it, and the interface's own. */
export const STATIC = { whole: 60, port: 61, own: 3 } as const;

export function definitions(): { method: string; path: string; body: object }[] {
  const both = (net: Net, host: number) => [at(net, host), at(net, host, true)];
  const port = (net: Net, host: number, mac: number) => ({
    network_uuid: `nw-${net}`,
    ip_addresses: both(net, host),
    mac_address: `02:00:00:00:60:${mac.toString(16).padStart(2, '0')}`,
  });
  const route = (net: Net, host: number, ...to: readonly (readonly [string, string])[]) =>
    to.flatMap(([v4, v6]) => [
      { destination: v4, via: at(net, host) },
      { destination: v6, via: at(net, host, true) },
    ]);
  const everything = ['0.0.0.0/0', '::/0'] as const;
  const inside = [`${NETS.in.v4}.0/24`, `${NETS.in.v6}:/64`] as const;
  const rule = (over: object) => ({ direction: 'ingress', protocol: 'any', remote: { any: true }, ...over });
  const out = { direction: 'egress', protocol: 'any', remote: { any: true } };
  return [
    ...(Object.keys(NETS) as Net[]).map((net) =>
      post('networks', { uuid: `nw-${net}`, ipv4_network: `${NETS[net].v4}.0`, ipv6_network: `${NETS[net].v6}:` }),
    ),
    post('routers', { uuid: 'rt-in', networks: [port('in', 1, 1), port('mid', 1, 2)], routes: route('mid', 2, everything) }),
    post('routers', {
      uuid: 'rt-nat',
      networks: [port('mid', 2, 3), port('out', MASQUERADE, 4)],
      routes: [...route('mid', 1, inside), ...route('out', 2, everything)],
      nat: both('out', MASQUERADE).map((ip_address) => ({ network_uuid: 'nw-out', ip_address })),
    }),
    ...translations(),
    post('routers', { uuid: 'rt-far', networks: [port('out', 2, 5), port('far', 1, 6)] }),
    post('security_groups', { uuid: 'sg-shut', rules: [out] }),
    post('security_groups', {
      uuid: 'sg-web',
      rules: [
        out,
        rule({ protocol: 'tcp', ports: ['80'], remote: { cidr: `${NETS.far.v4}.0/24` } }),
        rule({ protocol: 'tcp', ports: ['80'], remote: { cidr: `${NETS.out.v4}.0/24` } }),
        rule({ protocol: 'icmp', icmp_type: 8 }),
        rule({ protocol: 'icmpv6', icmp_type: 128 }),
      ],
    }),
    ...(Object.keys(VMS) as VmName[]).map((name) => {
      const { net, host, groups } = VMS[name];
      const addresses = { ipv4_address: at(net, host), ipv6_address: at(net, host, true) };
      return post('interfaces', { uuid: `if-${name}`, mode: 'vif', network_uuid: `nw-${net}`, ...addresses, security_group_uuids: groups });
    }),
    ...(['a', 'c'] as const).flatMap((name) =>
      [false, true].map((v6) =>
        post('floating_ips', {
          uuid: `fip-${name}${v6 ? '6' : '4'}`,
          network_uuid: 'nw-out',
          ip_address: at('out', FLOATING[name], v6),
          router_uuid: 'rt-nat',
          interface_uuid: `if-${name}`,
        }),
      ),
    ),
  ];
}

/** What lets every network cross between these hypervisors in the explicit overlay mode. */
export function crossings(places: readonly Attachment[]) {
  const host = (name: string) => `if-host-${name}`;
  return [
    post('networks', { uuid: 'nw-under', mode: 'physical', ipv4_network: '172.16.1.0' }),
    ...places.flatMap(({ hypervisor: { name }, ipv4 }) => [
      post('interfaces', {
        uuid: host(name),
        mode: 'host',
        owner_datapath_uuid: `dp-${name}`,
        port_name: 'eth-phy',
        network_uuid: 'nw-under',
        ipv4_address: ipv4,
      }),
      ...(Object.keys(NETS) as Net[]).map((net) => post(`datapaths/dp-${name}/networks/nw-${net}`, { interface_uuid: host(name) })),
    ]),
  ];
}

/** Piece by piece, as OpenVNet's users define them. */
function translations() {
  const routing = { mode: 'simulated', enable_routing: true };
  const route = (uuid: string, name: string, net: Net) =>
    post('routes', { uuid, interface_uuid: name, network_uuid: `nw-${net}`, route_link_uuid: 'rl-tr', ipv4_network: at(net, 0) });
  return [
    post('route_links', { uuid: 'rl-tr' }),
    post('interfaces', { uuid: 'if-trin', ...routing, network_uuid: 'nw-tr', ipv4_address: at('tr', 1), ipv6_address: at('tr', 1, true) }),
    post('interfaces', {
      uuid: 'if-trout',
      ...routing,
      enable_route_translation: true,
      network_uuid: 'nw-out',
      ipv4_address: at('out', STATIC.own),
    }),
    ...([STATIC.whole, STATIC.port] as const).map((host) =>
      post('ip_leases', { interface_uuid: 'if-trout', network_uuid: 'nw-out', ipv4_address: at('out', host), enable_routing: true }),
    ),
    route('r-trin', 'if-trin', 'tr'),
    route('r-trout', 'if-trout', 'out'),
    post('routes', { uuid: 'r-tr', route_link_uuid: 'rl-tr', ipv4_network: '0.0.0.0', ipv4_prefix: 0, via: [at('out', 2)] }),
  ];
}

/** What a translation is asked for, once the host behind it is there. */
export const translation = {
  uuid: 'tr-1',
  interface_uuid: 'if-trout',
  mode: 'static_address',
  static_addresses: [
    { ingress_ipv4_address: at('out', STATIC.whole), egress_ipv4_address: at('tr', VMS.d.host) },
    {
      ingress_ipv4_address: at('out', STATIC.port),
      egress_ipv4_address: at('tr', VMS.d.host),
      ingress_port_number: 8080,
      egress_port_number: 80,
    },
  ],
};

export async function configure(name: VmName, vm: Vm): Promise<void> {
  const { net, host, gateway } = VMS[name];
  await vm.configure(`${at(net, host)}/24`, at(net, gateway));
  await vm.configure(`${at(net, host, true)}/64`, at(net, gateway, true));
}

/** What each line of hops names; `*` where nobody answered. */
export async function hops(from: Vm, ...argv: Argv): Promise<string[]> {
  const { stdout } = await from.exec(argv, { timeoutMs: 30_000 });
  return stdout.split('\n').flatMap((line) => /^\s*\d+(?:[:?.|-]*\s+|\s)\s*(\*|[0-9a-f.:]{3,})/.exec(line)?.[1] ?? []);
}

export const traceroute = (from: Vm, ...more: string[]) => hops(from, 'traceroute', '-n', '-q', '1', '-w', '1', '-m', '8', ...more);

/** Listens on a TCP port of both families and answers with the address it was reached from. */
export function serve(vm: Vm, port: number): void {
  vm.spawn([
    process.execPath,
    '-e',
    `require('net').createServer((s) => s.on('error', () => {}).end(s.remoteAddress.replace('::ffff:', ''))).listen(${port}, '::')`,
  ]);
}

/** The address a server saw this VM come from; empty when it does not answer. */
export async function seenAs(from: Vm, address: string, port: number): Promise<string> {
  return (await from.exec(['nc', '-N', '-w', '1', address, String(port)])).stdout;
}

/** A VM in sampled packets: it sends from its own address, and others send to that and to the one it is known by outside. */
export function endpointOf(name: VmName, vm: Vm): Endpoint {
  const { net, host } = VMS[name];
  const mac = parseMac(vm.mac);
  return { mac, ipv4: [parseIpv4(at(net, host))], ipv6: [parseIpv6(at(net, host, true)), eui64LinkLocal(mac)] };
}
