/**
 * The networks of the demo, as a user defines them over REST.
 *
 * Owns: two networks with a router between them, a group for web servers, a group for databases, four VMs.
 */

export interface DemoVm {
  readonly name: string;
  readonly network: 'nw-front' | 'nw-back';
  readonly ipv4: string;
  readonly mac: string;
  readonly group: 'sg-web' | 'sg-db';
}

/** VM `n` of network `x` is 10.x.0.1n. */
export const VMS = {
  web1: { name: 'web1', network: 'nw-front', ipv4: '10.1.0.11', mac: '52:54:00:01:00:11', group: 'sg-web' },
  web2: { name: 'web2', network: 'nw-front', ipv4: '10.1.0.12', mac: '52:54:00:01:00:12', group: 'sg-web' },
  db1: { name: 'db1', network: 'nw-back', ipv4: '10.2.0.11', mac: '52:54:00:02:00:11', group: 'sg-db' },
  db2: { name: 'db2', network: 'nw-back', ipv4: '10.2.0.12', mac: '52:54:00:02:00:12', group: 'sg-db' },
} as const satisfies Record<string, DemoVm>;

const NETWORKS = [
  { uuid: 'nw-front', display_name: 'front', number: 1 },
  { uuid: 'nw-back', display_name: 'back', number: 2 },
] as const;

export interface Request {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>> & { readonly uuid: string };
}

/** The address a VM forms for itself (RFC 4291, appendix A) in fd00:NUMBER::/64. */
export function ipv6Of(vm: DemoVm): string {
  const [a, b, c, d, e, f] = vm.mac.split(':').map((byte) => parseInt(byte, 16)) as [number, number, number, number, number, number];
  const words = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f];
  return `fd00:${vm.network === 'nw-front' ? 1 : 2}::${words.map((word) => word.toString(16)).join(':')}`;
}

/** Address of the router in the VM's network. */
export function routerOf(vm: DemoVm): string {
  return vm.ipv4.replace(/\d+$/, '1');
}

/** In the order in which a person would define them. */
export function requests(): Request[] {
  return [...NETWORKS.map(network), ...router(), ...groups(), ...Object.values(VMS).map(vmInterface)];
}

function network({ uuid, display_name, number }: (typeof NETWORKS)[number]): Request {
  const subnets = { ipv4_network: `10.${number}.0.0`, ipv4_prefix: 24, ipv6_network: `fd00:${number}::`, ipv6_prefix: 64 };
  return { path: '/networks', body: { uuid, display_name, ...subnets, ipv6_slaac: true } };
}

/** A port in each network, which also serves DHCP there; a route link joins them. */
function router(): Request[] {
  const ports = NETWORKS.flatMap(({ uuid, display_name, number }): Request[] => {
    const port = { uuid: `if-gw-${display_name}`, display_name: `router in ${display_name}`, mode: 'simulated', enable_routing: true };
    const addresses = { mac_address: `52:54:00:0${number}:00:01`, ipv4_address: `10.${number}.0.1`, ipv6_address: `fd00:${number}::1` };
    const way = { network_uuid: uuid, interface_uuid: port.uuid, route_link_uuid: 'rl-core' };
    return [
      { path: '/interfaces', body: { ...port, network_uuid: uuid, ...addresses } },
      { path: '/network_services', body: { uuid: `ns-${display_name}`, mode: 'dhcp', interface_uuid: port.uuid } },
      { path: '/routes', body: { uuid: `r-${display_name}4`, ...way, ipv4_network: `10.${number}.0.0`, ipv4_prefix: 24 } },
      { path: '/routes', body: { uuid: `r-${display_name}6`, ...way, ipv6_network: `fd00:${number}::`, ipv6_prefix: 64 } },
    ];
  });
  return [{ path: '/route_links', body: { uuid: 'rl-core' } }, ...ports];
}

/** Both answer ping and traceroute; web servers serve everybody, databases serve web servers only. */
function groups(): Request[] {
  const everybody = [
    { direction: 'ingress', protocol: 'icmp', remote: { any: true } },
    { direction: 'ingress', protocol: 'icmpv6', remote: { any: true } },
    { direction: 'ingress', protocol: 'udp', ports: ['33434-33534'], remote: { any: true } },
  ];
  const web = { direction: 'ingress', protocol: 'tcp', ports: ['80'], remote: { any: true } };
  const db = { direction: 'ingress', protocol: 'tcp', ports: ['5432'], remote: { security_group_uuid: 'sg-web' } };
  return [
    { path: '/security_groups', body: { uuid: 'sg-web', display_name: 'web servers', rules: [...everybody, web] } },
    { path: '/security_groups', body: { uuid: 'sg-db', display_name: 'databases', rules: [...everybody, db] } },
  ];
}

function vmInterface(vm: DemoVm): Request {
  const addresses = { mac_address: vm.mac, ipv4_address: vm.ipv4, ipv6_address: ipv6Of(vm) };
  const body = { uuid: `if-${vm.name}`, display_name: vm.name, mode: 'vif', network_uuid: vm.network, ...addresses };
  return { path: '/interfaces', body: { ...body, security_group_uuids: [vm.group] } };
}
