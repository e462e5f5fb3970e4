/**
 * Slice records with everything filled in, and the slice most tests use.
 */
import type { Interface, IpLease } from '../../../flows/model/entities/interface.js';
import type { Network } from '../../../flows/model/entities/network.js';
import * as values from '../../flows/model/values.js';
import { dhcpService, macLease, stamps } from '../../flows/model/values.js';

export function network(uuid: string, fields: Partial<Network> = {}): Network {
  return values.network(uuid, { vrf_key: 1, ...fields });
}

export function iface(uuid: string, port_key: number, fields: Partial<Interface> = {}): Interface {
  return values.iface(uuid, { port_key, ...fields });
}

/** Of the MAC lease, or of the interface alone when it begins with `if-`. */
export function ipLease(uuid: string, owner: string, network_uuid: string, address: string): IpLease {
  const isV6 = address.includes(':');
  return {
    kind: 'ip_lease',
    uuid,
    interface_uuid: owner.startsWith('if-') ? owner : null,
    mac_lease_uuid: owner.startsWith('ml-') ? owner : null,
    network_uuid,
    ipv4_address: isV6 ? null : address,
    ipv6_address: isV6 ? address : null,
    enable_routing: false,
    ...stamps,
  };
}

export const VM_PORT = 7;

/** One VM in a dual-stack network with a router, a DHCP server beside it, resolvers and a name. */
export const SLICE = {
  network: network('nw-a', {
    domain_name: 'a.test',
    ipv4_network: '10.1.0.0',
    ipv4_prefix: 24,
    ipv6_network: '2001:db8:1::',
    ipv6_prefix: 64,
    mtu: 1450,
    dns_servers: ['10.1.0.53', '2001:db8:1::53', '192.0.2.53'],
  }),
  vm: iface('if-vm', VM_PORT),
  vmMac: macLease('ml-vm', 'if-vm', '02:00:00:00:00:07'),
  vmIpv4: ipLease('il-vm4', 'ml-vm', 'nw-a', '10.1.0.7'),
  vmIpv6: ipLease('il-vm6', 'ml-vm', 'nw-a', '2001:db8:1::7'),
  router: iface('if-router', 1, { mode: 'simulated', enable_routing: true }),
  routerMac: macLease('ml-router', 'if-router', '02:00:00:00:00:01'),
  routerIpv4: ipLease('il-router4', 'ml-router', 'nw-a', '10.1.0.1'),
  routerIpv6: ipLease('il-router6', 'ml-router', 'nw-a', '2001:db8:1::1'),
  server: iface('if-server', 2, { mode: 'simulated' }),
  serverMac: macLease('ml-server', 'if-server', '02:00:00:00:00:02'),
  serverIpv4: ipLease('il-server4', 'if-server', 'nw-a', '10.1.0.2'),
  dhcp: dhcpService('ns-dhcp', 'if-server'),
} as const;
