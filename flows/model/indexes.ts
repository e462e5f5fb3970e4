/**
 * What entities can be found by.
 *
 * Owns: the index keys of an entity. Set indexes answer "which entities have this key"; ordered indexes keep keys sorted, for pages and neighbours.
 * Promises: keys are a function of the one entity, so an index changes only where an entity does.
 */
import { physicalNameOf } from './gateways.js';
import { MAX_IPV4 } from '../net/ip.js';
import type { Entity, EntityKind } from './entities.js';
import type { DatapathLink } from './entities/datapath.js';
import type { Network } from './entities/network.js';
import type { Route } from './entities/routing.js';
import type { SecurityGroup } from './entities/security-group.js';
import { pairOf, type Tunnel } from './entities/tunnel.js';
import type { IndexKey } from './key-sets.js';
import { referrerKeys } from './references.js';
import { destination, subnets, type Subnet } from './subnets.js';

export const macKey = (mac: string): IndexKey => ({ index: 'mac', key: mac });
export const ipKey = (network: string, address: string): IndexKey => ({ index: 'ip', key: `${network}|${address}` });
export const dpidKey = (dpid: string): IndexKey => ({ index: 'dpid', key: dpid });
/** Interfaces and interface_ports with a port name, by the datapath they name with it; null for any. */
export const portNameKey = (name: string, owner: string | null): IndexKey => ({
  index: owner === null ? 'port' : `port@${owner}`,
  key: name,
});
/** NICs that name an interface, and NICs on ports of a name. */
export const vifIfaceKey = (ifaceId: string): IndexKey => ({ index: 'vif-iface', key: ifaceId });
export const vifPortKey = (portName: string): IndexKey => ({ index: 'vif-port', key: portName });
/** The row of a datapath for a network, segment or route link. */
export const linkKey = (datapath: string, target: string): IndexKey => ({ index: 'link', key: `${datapath}|${target}` });
/** Rows of datapaths by the underlay address they come to. */
export const endpointKey = (address: string): IndexKey => ({ index: 'endpoint', key: address });
/** The tunnel between two datapaths. */
export const tunnelKey = (tunnel: Pick<Tunnel, 'datapath_uuid' | 'peer_datapath_uuid'>): IndexKey => ({
  index: 'tunnel-of',
  key: pairOf(tunnel.datapath_uuid, tunnel.peer_datapath_uuid),
});
/** Floating IPs and NAT rules with an address of an outside network. */
export const natAddressKey = (network: string, address: string): IndexKey => ({ index: 'nat', key: `${network}|${address}` });
export const linkMacKey = (mac: string): IndexKey => ({ index: 'linkmac', key: mac });
export const destinationKey = (routeLink: string, cidr: string): IndexKey => ({ index: 'destination', key: `${routeLink}|${cidr}` });
export const ruleKey = (rule: string): IndexKey => ({ index: 'rule', key: rule });
/** Networks that name this routing table. */
export const vrfNameKey = (name: string): IndexKey => ({ index: 'vrf-name', key: name });
/** Networks of a routing domain that name their routing table, and those that name this one. */
export const namedKey = (vrf: number, name?: string): IndexKey => ({
  index: 'named',
  key: name === undefined ? `${vrf}` : `${vrf}|${name}`,
});
export const priorityKey = (routeLink: string, priority: number): IndexKey => ({ index: 'priority', key: `${routeLink}|${priority}` });
/** Networks on a physical network. */
export const physicalKey = (name: string): IndexKey => ({ index: 'physical', key: name });
/** Networks and segments of a routing domain. */
export const vrfKey = (vrf: number): IndexKey => ({ index: 'vrf', key: `${vrf}` });
/** Interfaces of a policy class. */
export const classKey = (policyClass: number): IndexKey => ({ index: 'class', key: `${policyClass}` });
/** The policy class of a sorted list of groups. */
export const groupSetKey = (groups: readonly string[]): IndexKey => ({ index: 'groups', key: groups.join() });

const NONE: readonly IndexKey[] = [];

/** Keys of the set indexes; no key twice. */
export function setKeys(entity: Entity): IndexKey[] {
  const keys = referrerKeys(entity);
  switch (entity.kind) {
    case 'datapath':
      keys.push(dpidKey(entity.dpid));
      break;
    case 'segment':
      if (entity.vrf_key !== 0) keys.push(vrfKey(entity.vrf_key));
      break;
    case 'network':
      keys.push(...networkSetKeys(entity));
      break;
    case 'interface':
      if (entity.port_name !== null) keys.push(portNameKey(entity.port_name, entity.owner_datapath_uuid));
      if (entity.policy_class_key !== 0) keys.push(classKey(entity.policy_class_key));
      break;
    case 'mac_lease':
      keys.push(macKey(entity.mac_address));
      break;
    case 'ip_lease':
      keys.push(ipKey(entity.network_uuid, entity.ipv4_address ?? entity.ipv6_address ?? ''));
      break;
    case 'route':
      keys.push(...routeKeys(entity));
      break;
    case 'policy_route':
      keys.push(priorityKey(entity.route_link_uuid, entity.priority));
      break;
    case 'security_group':
      keys.push(...ruleKeys(entity));
      break;
    case 'interface_port':
      if (entity.port_name !== null) keys.push(portNameKey(entity.port_name, entity.datapath_uuid));
      break;
    case 'datapath_network':
    case 'datapath_segment':
    case 'datapath_route_link':
      keys.push(linkKey(entity.datapath_uuid, linkTarget(entity)), linkMacKey(entity.mac_address));
      if (entity.endpoint_address !== null) keys.push(endpointKey(entity.endpoint_address));
      break;
    case 'tunnel':
      keys.push(tunnelKey(entity));
      break;
    case 'policy_class':
      keys.push(groupSetKey(entity.security_group_uuids));
      break;
    case 'vif':
      keys.push(vifPortKey(entity.port_name));
      if (entity.iface_id !== null) keys.push(vifIfaceKey(entity.iface_id));
      break;
    case 'floating_ip':
    case 'nat_rule':
      keys.push(natAddressKey(entity.network_uuid, entity.ip_address));
      break;
    case 'translation':
    case 'route_link':
    case 'router':
    case 'address_set':
    case 'filter':
    case 'network_service':
    case 'chassis':
      break;
  }
  return keys;
}

/** What a datapath's row is about. */
export function linkTarget(link: DatapathLink): string {
  switch (link.kind) {
    case 'datapath_network':
      return link.network_uuid;
    case 'datapath_segment':
      return link.segment_uuid;
    case 'datapath_route_link':
      return link.route_link_uuid;
  }
}

function networkSetKeys(network: Network): IndexKey[] {
  const { vrf, vrf_key } = network;
  const keys = vrf_key === 0 ? [] : [vrfKey(vrf_key)];
  const physical = physicalNameOf(network);
  if (physical !== undefined) keys.push(physicalKey(physical));
  if (vrf !== null) keys.push(vrfNameKey(vrf));
  if (vrf !== null && vrf_key !== 0) keys.push(namedKey(vrf_key), namedKey(vrf_key, vrf));
  return keys;
}

function routeKeys(route: Route): IndexKey[] {
  const cidr = destination(route);
  return cidr === undefined ? [] : [destinationKey(route.route_link_uuid, cidr.text)];
}

function ruleKeys(group: SecurityGroup): IndexKey[] {
  return Array.from(new Set(group.rules.map(({ uuid }) => uuid)), ruleKey);
}

/** All entities of a kind, by uuid. */
export const kindIndex = (kind: EntityKind): string => kind;
/** The subnets of a routing domain, by first address. */
export const subnetIndex = (vrf: number) => `subnets:${vrf}`;

/** Sorts by family, then first address; the uuid of the network follows `|`. */
export function subnetKey(subnet: Subnet, network: string): string {
  return `${subnetFrom(subnet)}|${network}`;
}

/** Sorts before every subnet that starts at or after the first address of `subnet`. */
export function subnetFrom({ cidr }: Subnet): string {
  return position(cidr.family, BigInt(cidr.network));
}

/** Sorts after every subnet that starts at or before the last address of `subnet`. */
export function subnetTo({ cidr }: Subnet): string {
  const hosts = cidr.family === 'ipv4' ? BigInt(MAX_IPV4) >> BigInt(cidr.prefix) : ((1n << 128n) - 1n) >> BigInt(cidr.prefix);
  return `${position(cidr.family, BigInt(cidr.network) | hosts)}~`;
}

export function networkOfSubnetKey(key: string): string {
  return key.slice(key.indexOf('|') + 1);
}

function position(family: 'ipv4' | 'ipv6', address: bigint): string {
  return `${family}:${address.toString(16).padStart(family === 'ipv4' ? 8 : 32, '0')}`;
}

export function orderedKeys(entity: Entity): IndexKey[] {
  const keys = [{ index: kindIndex(entity.kind), key: entity.uuid }];
  if (entity.kind === 'network' && entity.vrf_key !== 0) keys.push(...networkKeys(entity));
  return keys;
}

function networkKeys(network: Network): IndexKey[] {
  return subnets(network).map((subnet) => ({ index: subnetIndex(network.vrf_key), key: subnetKey(subnet, network.uuid) }));
}

/** What of an entity's keys changes when `after` takes the place of `before`. @param keysOf setKeys or orderedKeys */
export function keyChange(
  before: Entity | undefined,
  after: Entity | undefined,
  keysOf: (entity: Entity) => readonly IndexKey[],
): { readonly gone: readonly IndexKey[]; readonly come: readonly IndexKey[] } {
  const [was, is] = [before ? keysOf(before) : NONE, after ? keysOf(after) : NONE];
  // Most changes leave most keys as they are, in their order.
  let kept = 0;
  while (kept < was.length && kept < is.length && was[kept]!.index === is[kept]!.index && was[kept]!.key === is[kept]!.key) kept++;
  return kept === 0 ? { gone: was, come: is } : { gone: was.slice(kept), come: is.slice(kept) };
}
