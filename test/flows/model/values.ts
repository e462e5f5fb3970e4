/**
 * Entities for tests of the model, complete but for what a test is about.
 */
import type { Interface, IpLease, MacLease } from '../../../flows/model/entities/interface.js';
import type { Network, NetworkService, Segment } from '../../../flows/model/entities/network.js';
import type { Route, RouteLink } from '../../../flows/model/entities/routing.js';

export const stamps = { created_at: '2026-01-01T00:00:00.000Z', updated_at: '2026-01-01T00:00:00.000Z' };

export function network(uuid: string, fields: Partial<Network> = {}): Network {
  return {
    kind: 'network',
    uuid,
    display_name: '',
    domain_name: '',
    mode: 'virtual',
    ipv4_network: null,
    ipv4_prefix: null,
    ipv6_network: null,
    ipv6_prefix: null,
    ipv6_slaac: false,
    mtu: null,
    dns_servers: [],
    segment_uuid: null,
    physical_network: null,
    vrf: null,
    segment_key: 1,
    vrf_key: 0,
    ...stamps,
    ...fields,
  };
}

export function segment(uuid: string, fields: Partial<Segment> = {}): Segment {
  return { kind: 'segment', uuid, display_name: '', mode: 'virtual', learning: false, segment_key: 1, vrf_key: 0, ...stamps, ...fields };
}

export function routeLink(uuid: string, fields: Partial<RouteLink> = {}): RouteLink {
  return {
    kind: 'route_link',
    uuid,
    mac_address: '02:00:00:00:00:01',
    vrf: null,
    traceroute: null,
    router_uuid: null,
    router_key: 1,
    ...stamps,
    ...fields,
  };
}

export function route(uuid: string, network_uuid: string, route_link_uuid: string): Route {
  const prefixes = { ipv4_network: '10.0.0.0', ipv4_prefix: 24, ipv6_network: null, ipv6_prefix: null };
  const rest = {
    mode: 'gateway',
    type: 'forward',
    interface_uuid: 'if-1',
    router_uuid: null,
    ingress: true,
    egress: true,
    route_key: 1,
  } as const;
  return { kind: 'route', uuid, network_uuid, route_link_uuid, ...prefixes, ...rest, ...stamps, via: [] };
}

export function iface(uuid: string, fields: Partial<Interface> = {}): Interface {
  return {
    kind: 'interface',
    uuid,
    display_name: '',
    mode: 'vif',
    owner_datapath_uuid: null,
    gateway_datapath_uuids: [],
    gateway_owner_uuid: null,
    port_name: null,
    enable_routing: false,
    enable_route_translation: false,
    enable_filtering: false,
    security_group_uuids: [],
    router_uuid: null,
    port_key: 1,
    policy_class_key: 0,
    ...stamps,
    ...fields,
  };
}

export function ipLease(uuid: string, network_uuid: string, ipv4_address: string): IpLease {
  const rest = { interface_uuid: null, mac_lease_uuid: null, ipv6_address: null, enable_routing: false };
  return { kind: 'ip_lease', uuid, network_uuid, ipv4_address, ...rest, ...stamps };
}

export function macLease(uuid: string, interface_uuid: string, mac_address: string, fields: Partial<MacLease> = {}): MacLease {
  return { kind: 'mac_lease', uuid, interface_uuid, mac_address, segment_uuid: null, mac_shared: false, ...stamps, ...fields };
}

export function dhcpService(uuid: string, interface_uuid: string, fields: Partial<NetworkService> = {}): NetworkService {
  const rest = { display_name: '', incoming_port: null, outgoing_port: null };
  return { kind: 'network_service', uuid, mode: 'dhcp', interface_uuid, ...rest, ...stamps, ...fields };
}
