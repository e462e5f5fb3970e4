/**
 * Slice records with all fields filled in, for tests of what is compiled from them.
 */
import type { FloatingIp, NatRule, Translation, TranslationStatic } from '../../../flows/model/entities/nat.js';
import type { NatZones } from '../../../flows/pipeline/rule.js';
import type { Binding } from '../../../flows/model/binding.js';
import type { DatapathNetwork, DatapathRouteLink, DatapathSegment } from '../../../flows/model/entities/datapath.js';
import type { Filter, FilterStatic } from '../../../flows/model/entities/filter.js';
import type { Interface, IpLease, MacLease } from '../../../flows/model/entities/interface.js';
import type { Network, NetworkService, Segment } from '../../../flows/model/entities/network.js';
import type { Chassis, Encapsulation } from '../../../flows/model/entities/presence.js';
import type { PolicyRoute, Route, RouteLink } from '../../../flows/model/entities/routing.js';
import type { AddressSet, PolicyClass, SecurityGroup, SecurityGroupRule } from '../../../flows/model/entities/security-group.js';
import type { Tunnel } from '../../../flows/model/entities/tunnel.js';
import type { Here, LiveTrace, LocalPort, TunnelPort, UnderlayPort } from '../../../flows/pipeline/rule.js';
import * as values from '../model/values.js';
import { stamps } from '../model/values.js';

export function network(name: string, key: number, over: Partial<Network> = {}): Network {
  const names = { display_name: name, domain_name: name };
  const prefix = { ipv4_network: `10.0.${key}.0`, ipv4_prefix: 24 };
  return values.network(`nw-${name}`, { ...names, ...prefix, segment_key: key, vrf_key: 1000 + key, ...over });
}

export function segment(name: string, key: number, over: Partial<Segment> = {}): Segment {
  return values.segment(`seg-${name}`, { display_name: name, segment_key: key, vrf_key: 1000 + key, ...over });
}

export function iface(name: string, key: number, over: Partial<Interface> = {}): Interface {
  return values.iface(`if-${name}`, { display_name: name, port_key: key, ...over });
}

export function macLease(name: string, mac: string, over: Partial<MacLease> = {}): MacLease {
  return values.macLease(`ml-${name}`, `if-${name}`, mac, over);
}

export function ipLease(name: string, networkName: string, address: string, over: Partial<IpLease> = {}): IpLease {
  const v6 = address.includes(':');
  return {
    kind: 'ip_lease',
    uuid: `il-${name}${v6 ? '-6' : ''}`,
    interface_uuid: `if-${name}`,
    mac_lease_uuid: `ml-${name}`,
    network_uuid: `nw-${networkName}`,
    ipv4_address: v6 ? null : address,
    ipv6_address: v6 ? address : null,
    enable_routing: false,
    ...stamps,
    ...over,
  };
}

export function routeLink(name: string, key: number, over: Partial<RouteLink> = {}): RouteLink {
  return values.routeLink(`rl-${name}`, { router_key: key, ...over });
}

export function route(name: string, key: number, over: Partial<Route> & Pick<Route, 'route_link_uuid'>): Route {
  return {
    kind: 'route',
    uuid: `r-${name}`,
    mode: 'gateway',
    type: 'forward',
    interface_uuid: null,
    network_uuid: null,
    ipv4_network: null,
    ipv4_prefix: null,
    ipv6_network: null,
    ipv6_prefix: null,
    via: [],
    ingress: true,
    egress: true,
    router_uuid: null,
    route_key: key,
    ...stamps,
    ...over,
  };
}

export function policyRoute(name: string, key: number, over: Partial<PolicyRoute> & Pick<PolicyRoute, 'route_link_uuid'>): PolicyRoute {
  return {
    kind: 'policy_route',
    uuid: `pbr-${name}`,
    priority: 1,
    source: null,
    destination: null,
    protocol: 'any',
    source_ports: [],
    ports: [],
    type: 'forward',
    via: [],
    router_uuid: null,
    route_key: key,
    ...stamps,
    ...over,
  };
}

export function groupRule(name: string, key: number, over: Partial<SecurityGroupRule> = {}): SecurityGroupRule {
  return {
    uuid: `sgr-${name}`,
    direction: 'ingress',
    action: 'allow',
    priority: 500,
    tier: null,
    stateful: true,
    persist_established: false,
    log: null,
    family: null,
    protocol: 'any',
    ports: [],
    icmp_type: null,
    icmp_code: null,
    remote: { any: true },
    rule_key: key,
    ...over,
  };
}

export function securityGroup(name: string, rules: SecurityGroupRule[], over: Partial<SecurityGroup> = {}): SecurityGroup {
  return { kind: 'security_group', uuid: `sg-${name}`, display_name: name, default: 'deny', tier: 'tenant', rules, ...stamps, ...over };
}

export function addressSet(name: string, addresses: string[]): AddressSet {
  return { kind: 'address_set', uuid: `as-${name}`, display_name: name, addresses, ...stamps };
}

export function filter(name: string, interfaceName: string, statics: FilterStatic[], over: Partial<Filter> = {}): Filter {
  return {
    kind: 'filter',
    uuid: `fil-${name}`,
    interface_uuid: `if-${interfaceName}`,
    mode: 'static',
    ingress_passthrough: false,
    egress_passthrough: false,
    statics,
    ...stamps,
    ...over,
  };
}

export function filterStatic(over: Partial<FilterStatic>): FilterStatic {
  return { protocol: 'ip', action: 'pass', src_address: null, dst_address: null, src_port: null, dst_port: null, ...over };
}

export function floatingIp(name: string, address: string, over: Partial<FloatingIp> = {}): FloatingIp {
  return {
    kind: 'floating_ip',
    uuid: `fip-${name}`,
    display_name: name,
    network_uuid: 'nw-n1',
    ip_address: address,
    mac_address: `02:f0:00:00:00:${name.padStart(2, '0')}`,
    route_link_uuid: 'rl-l1',
    ip_lease_uuid: null,
    ...stamps,
    ...over,
  };
}

export function natRule(name: string, address: string, over: Partial<NatRule> = {}): NatRule {
  return {
    kind: 'nat_rule',
    uuid: `nat-${name}`,
    type: 'snat',
    route_link_uuid: 'rl-l1',
    network_uuid: 'nw-n1',
    ip_address: address,
    mac_address: '02:f1:00:00:00:01',
    source: null,
    datapath_uuid: null,
    router_uuid: null,
    ...stamps,
    ...over,
  };
}

export function translation(name: string, interfaceName: string, rows: TranslationStatic[], passthrough = false): Translation {
  return {
    kind: 'translation',
    uuid: `tr-${name}`,
    interface_uuid: `if-${interfaceName}`,
    mode: 'static_address',
    passthrough,
    static_addresses: rows,
    ...stamps,
  };
}

/** Of `rl-NAME`. */
export function natZones(name: string, zone: number): NatZones {
  return { kind: 'nat_zones', uuid: `nz-rl-${name}`, source_zone: zone, target_zone: zone + 1 };
}

export function policyClass(key: number, groups: string[]): PolicyClass {
  return { kind: 'policy_class', uuid: `pc-${key}`, policy_class_key: key, security_group_uuids: groups.map((g) => `sg-${g}`).sort() };
}

export function dhcp(name: string, interfaceName: string): NetworkService {
  return values.dhcpService(`ns-${name}`, `if-${interfaceName}`, { display_name: name });
}

export function localPort(name: string, ofport: number): LocalPort {
  return { kind: 'local_port', uuid: `port-if-${name}`, interface_uuid: `if-${name}`, ofport, ct_zone: 100 + ofport };
}

export function binding(name: string, datapath: string): Binding {
  return { kind: 'binding', uuid: `bind-if-${name}`, interface_uuid: `if-${name}`, datapath_uuid: `dp-${datapath}`, port_name: name };
}

/** Of `dp-NAME`, with one endpoint at each address. */
export function chassis(name: string, addresses: readonly string[], over: Partial<Chassis> = {}): Chassis {
  return {
    kind: 'chassis',
    uuid: `ch-dp-${name}`,
    datapath_uuid: `dp-${name}`,
    node_id: name,
    endpoints: addresses.map((address) => ({ address, mac: null, underlay: 'underlay', mtu: 1500 })),
    encaps: ['geneve'],
    underlay: null,
    physical_networks: [],
    ...over,
  };
}

/** The datapath that reports this chassis. */
export function here({ datapath_uuid, endpoints, encaps, underlay }: Chassis, over: Partial<Here> = {}): Here {
  return { kind: 'here', uuid: 'here', datapath_uuid, endpoints, encaps, underlay, overlay_mode: 'auto', settled_peers: [], ...over };
}

/** The row that lets `nw-NAME` cross to and from `dp-DATAPATH` in the explicit mode. */
export function datapathNetwork(datapath: string, name: string): DatapathNetwork {
  return {
    kind: 'datapath_network',
    uuid: `dpn-${datapath}-${name}`,
    datapath_uuid: `dp-${datapath}`,
    network_uuid: `nw-${name}`,
    ...throughHost(datapath),
  };
}

export function datapathSegment(datapath: string, name: string): DatapathSegment {
  return {
    kind: 'datapath_segment',
    uuid: `dpseg-${datapath}-${name}`,
    datapath_uuid: `dp-${datapath}`,
    segment_uuid: `seg-${name}`,
    ...throughHost(datapath),
  };
}

/** What is said of the pair of `dp-ONE` and `dp-OTHER`. */
export function tunnel(one: string, other: string, over: Partial<Tunnel> = {}): Tunnel {
  const ends = { datapath_uuid: `dp-${one}`, peer_datapath_uuid: `dp-${other}` };
  return { kind: 'tunnel', uuid: `t-${one}-${other}`, ...ends, encapsulation: null, mac2mac: true, ...stamps, ...over };
}

export function datapathRouteLink(datapath: string, name: string): DatapathRouteLink {
  return {
    kind: 'datapath_route_link',
    uuid: `dprl-${datapath}-${name}`,
    datapath_uuid: `dp-${datapath}`,
    route_link_uuid: `rl-${name}`,
    ...throughHost(datapath),
  };
}

function throughHost(datapath: string) {
  return {
    interface_uuid: `if-host${datapath}`,
    mac_address: '02:00:00:00:00:02',
    ip_lease_uuid: null,
    endpoint_address: `192.0.2.${datapath}`,
    endpoint_network_uuid: 'nw-underlay',
    ...stamps,
  };
}

export function tunnelPort(encap: Encapsulation, ofport: number): TunnelPort {
  return { kind: 'tunnel_port', uuid: `tunnel-${encap}`, encap, ofport };
}

/** @param uuid another: of an underlay that was given up */
export function underlayPort(ofport: number, uuid = 'underlay'): UnderlayPort {
  return { kind: 'underlay_port', uuid, ofport };
}

export function liveTrace(session: number, interfaceUuid: string, over: Partial<LiveTrace> = {}): LiveTrace {
  const filter = { protocol: 'udp', destination_port: 5000 } as const;
  return {
    kind: 'live_trace',
    uuid: `live-${session}`,
    session,
    interface_uuid: interfaceUuid,
    filter,
    dropped_only: false,
    seconds: 15,
    ...over,
  };
}
