/**
 * Indexes the rules look things up by.
 *
 * Owns: one constant per question asked. Each is a pure function of one record.
 */
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
export const servicesOfInterface = index('network_service', (r) => (r.interface_uuid === null ? [] : [r.interface_uuid]));
export const routesOfRouteLink = index('route', (r) => [r.route_link_uuid]);

export const classesWithGroup = index('policy_class', (r) => r.security_group_uuids);
export const filtersOfInterface = index('filter', (r) => [r.interface_uuid]);
export const filteredNicsOfSegment = index('nic', (r) => (r.filtered ? [String(r.segment_key)] : []));

export const nicsOfFloodChunk = index('nic', (r) => floodClasses(r).map((c) => floodChunkUuid(r.segment_key, c, chunkOf(r))));
export const floodSetsOfSegment = index('flood_set', (r) => [String(r.segment_key)]);
export const floodChunksOfSet = index('flood_chunk', (r) => [floodSetUuid(r.segment_key, r.policy_class_key)]);
export const routerPortsOfSegment = index('router_port', (r) => [String(r.segment_key)]);
export const routerPortsOfInterface = index('router_port', (r) => [r.interface_uuid]);

export const presencesOfChunk = index('presence', (r) => [reachChunkUuid(r.segment_key, r.policy_class_key, chunkOfPeer(r.datapath_uuid))]);
export const reachChunksOf = index('reach_chunk', (r) => [reachUuid(r.segment_key, r.policy_class_key)]);
/** Rows that name a network, or a segment, for a datapath. */
export const networkRowsOf = index('datapath_network', (r) => [`${r.datapath_uuid} ${r.network_uuid}`]);
export const segmentRowsOf = index('datapath_segment', (r) => [`${r.datapath_uuid} ${r.segment_uuid}`]);
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
