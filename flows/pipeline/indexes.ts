/**
 * Indexes the rules look things up by.
 *
 * Owns: one constant per question asked. Each is a pure function of one record.
 */
import { cidrOf, networkIp, type Cidr } from '../net/cidr.js';
import { formatIp, parseIpv4, parseIpv6 } from '../net/ip.js';
import type { Route } from '../model/entities/routing.js';
import { pairOf } from '../model/entities/tunnel.js';
import { FILTERED, FLOOD_CHUNKS, UNKNOWN_HOLDERS, type Nic } from './facts.js';
import { shortHash } from './short-hash.js';
import { index } from './rule.js';

export const macLeasesOfInterface = index('mac_lease', (r) => [r.interface_uuid]);
export const ipLeasesOfMacLease = index('ip_lease', (r) => (r.mac_lease_uuid === null ? [] : [r.mac_lease_uuid]));
/** Leases attached to an interface and to none of its MACs: they belong to its first MAC. */
export const ipLeasesOfInterfaceAlone = index('ip_lease', (r) =>
  r.interface_uuid === null || r.mac_lease_uuid !== null ? [] : [r.interface_uuid],
);
export const routesOfInterface = index('route', (r) => (r.interface_uuid === null ? [] : [r.interface_uuid]));

export const classesWithGroup = index('policy_class', (r) => r.security_group_uuids);
export const filtersOfInterface = index('filter', (r) => [r.interface_uuid]);
export const filteredNicsOfSegment = index('nic', (r) => (r.filtered ? [String(r.segment_key)] : []));

export const nicsOfFloodChunk = index('nic', (r) => floodClasses(r).map((c) => floodChunkUuid(r.segment_key, c, chunkOf(r))));
/** NICs on other hypervisors whose MAC several segments have. */
export const remoteNicsOfSharedMac = index('remote_nic', (r) => (r.mac_shared ? [String(r.mac)] : []));
export const floodSetsOfSegment = index('flood_set', (r) => [String(r.segment_key)]);
export const floodChunksOfSet = index('flood_chunk', (r) => [floodSetUuid(r.segment_key, r.policy_class_key)]);
export const routerPortsOfSegment = index('router_port', (r) => [String(r.segment_key)]);
export const routerPortsOfInterface = index('router_port', (r) => [r.interface_uuid]);

/** Ports of a router: interfaces that some route of it leads through. */
export const routerPortsOfRouteLink = index('router_port', (r) => r.links.map(({ uuid }) => uuid));
/** By `<network>|<address>`. */
export const routerPortsAtAddress = index('router_port', (r) => r.addresses.map((a) => `${a.network_uuid}|${formatIp(a.ip)}`));
export const ipLeasesAtAddress = index('ip_lease', (r) => [`${r.network_uuid}|${(r.ipv4_address ?? r.ipv6_address)!}`]);
export const natPortsOfRouteLink = index('nat_port', (r) => [r.route_link_uuid]);
/** Routes of a router through a network it has a port in, by `<route link>|<network>`. */
export const routesThrough = index('route', (r) => (r.network_uuid === null ? [] : [`${r.route_link_uuid}|${r.network_uuid}`]));
export const ipLeasesWithAddress = index('ip_lease', (r) => [(r.ipv4_address ?? r.ipv6_address)!]);
export const everyNatZones = index('nat_zones', () => ['']);
export const peersOfDomain = index('peer_domain', (r) => [String(r.vrf_key)]);
export const ownDomains = index('own_domain', (r) => [String(r.vrf_key)]);
/** Under HERE, the gateways that are on this datapath now, or may come. */
export const gatewaysHere = index('gateway', (r) => (r.ofport === null && !r.contends ? [] : [HERE]));
export const HERE = 'here';
/** Routes of a router that lead to next hops. */
export const viaRoutesOfRouteLink = index('route', (r) => (r.via.length === 0 ? [] : [r.route_link_uuid]));
export const policiesOfRouteLink = index('policy_route', (r) => [r.route_link_uuid]);

/** Prefix lengths are looked up in steps of this many bits, to touch few index keys. */
export const STRIDE = 8;

/** The bucket of a router's routes for prefixes that begin alike. */
export function routeBucket(link: string, prefix: Cidr): string {
  const bits = prefix.prefix - (prefix.prefix % STRIDE);
  const { family, network } = cidrOf(networkIp(prefix), bits);
  return `${link}|${family}|${bits}|${network.toString(16)}`;
}

/** Each route in the one bucket of its own length: where routes that cover a prefix are found. */
export const routesByBucket = index('route', (r) => [routeBucket(r.route_link_uuid, prefixOf(r))]);
/** Each route in the buckets of its own and all shorter lengths: where routes within a prefix are found. */
export const routesWithin = index('route', (r) => {
  const prefix = prefixOf(r);
  const keys: string[] = [];
  for (let bits = prefix.prefix - (prefix.prefix % STRIDE); bits >= 0; bits -= STRIDE)
    keys.push(routeBucket(r.route_link_uuid, cidrOf(networkIp(prefix), bits)));
  return keys;
});

/** The destination of a route. */
export function prefixOf(r: Route): Cidr {
  return r.ipv4_network !== null
    ? cidrOf({ family: 'ipv4', value: parseIpv4(r.ipv4_network) }, r.ipv4_prefix!)
    : cidrOf({ family: 'ipv6', value: parseIpv6(r.ipv6_network!) }, r.ipv6_prefix!);
}

export const presencesOfChunk = index('presence', (r) => [reachChunkUuid(r.segment_key, r.policy_class_key, chunkOfPeer(r.datapath_uuid))]);
export const reachChunksOf = index('reach_chunk', (r) => [reachUuid(r.segment_key, r.policy_class_key)]);
/** Rows that name a network, or a segment, for a datapath. */
export const networkRowsOf = index('datapath_network', (r) => [`${r.datapath_uuid} ${r.network_uuid}`]);
export const linkRowsOf = index('datapath_route_link', (r) => [`${r.datapath_uuid} ${r.route_link_uuid}`]);
/** Routes through a network, and those of a router. */
export const routesThroughNetwork = index('route', (r) => (r.network_uuid === null ? [] : [r.network_uuid]));
export const routesOfRouteLink = index('route', (r) => [r.route_link_uuid]);
export const segmentRowsOf = index('datapath_segment', (r) => [`${r.datapath_uuid} ${r.segment_uuid}`]);
/** What is said of a pair of datapaths, by `pairOf` the two. */
export const tunnelsOfPair = index('tunnel', (r) => [pairOf(r.datapath_uuid, r.peer_datapath_uuid)]);
export const networksOfSegment = index('network', (r) => (r.segment_uuid === null ? [] : [r.segment_uuid]));
/** Chassis whose datapath uuids have one hash: nearly always one. */
export const chassisWithHash = index('chassis', (r) => [String(peerHash(r.datapath_uuid))]);

/** The flood sets a NIC is in: its policy class's, and the unknown holders' when it has no addresses of its own. */
export function floodClasses(nic: Pick<Nic, 'policy_class_key' | 'addresses' | 'filtered'>): number[] {
  const own = nic.filtered ? FILTERED : nic.policy_class_key;
  return nic.addresses.length === 0 ? [own, UNKNOWN_HOLDERS] : [own];
}

/** Spreads ports over chunks; neighbours in key order land in different chunks, so that bulk creation fills them evenly. */
export function chunkOf(nic: Pick<Nic, 'port_key'>): number {
  return nic.port_key % FLOOD_CHUNKS;
}

/** Hash of a datapath, 28 bits. */
export function peerHash(datapathUuid: string): number {
  return shortHash(datapathUuid) >>> 4;
}

/** Spreads peers over chunks. */
export function chunkOfPeer(datapathUuid: string): number {
  return shortHash(datapathUuid) % FLOOD_CHUNKS;
}

export function reachUuid(segmentKey: number, policyClassKey: number): string {
  return `re-${segmentKey}-${policyClassKey}`;
}

export function reachChunkUuid(segmentKey: number, policyClassKey: number, chunk: number): string {
  return `rc-${segmentKey}-${policyClassKey}-${chunk}`;
}

export function floodSetUuid(segmentKey: number, policyClassKey: number): string {
  return `fs-${segmentKey}-${policyClassKey}`;
}

export function floodChunkUuid(segmentKey: number, policyClassKey: number, chunk: number): string {
  return `fc-${segmentKey}-${policyClassKey}-${chunk}`;
}

export function namedGroupUuid(direction: 'ingress' | 'egress', group: string): string {
  return `ng-${direction}-${group}`;
}
