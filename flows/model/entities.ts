/**
 * The kinds of entities of the model, as they are stored, sliced and compiled.
 *
 * Owns: the union of all kinds, the kind ↔ prefix ↔ collection table. Each kind has one zod schema in entities/, the single source for types,
 * storage checks, REST output and docs.
 * Assumes: an entity here is already valid on its own; what holds between entities is in invariants/.
 * Promises: plain immutable records, every field present (null where unset), addresses in canonical text, references by uuid.
 *
 * Fields ending in `_key` are small integers allocated once by vnmgr and never reused; users cannot set them.
 */
import { z } from 'zod';
import {
  type Datapath,
  type DatapathLink,
  datapathNetworkSchema,
  datapathRouteLinkSchema,
  datapathSchema,
  datapathSegmentSchema,
} from './entities/datapath.js';
import { type Filter, filterSchema } from './entities/filter.js';
import {
  type Interface,
  type InterfacePort,
  interfacePortSchema,
  interfaceSchema,
  type IpLease,
  ipLeaseSchema,
  type MacLease,
  macLeaseSchema,
} from './entities/interface.js';
import { type FloatingIp, floatingIpSchema, type NatRule, natRuleSchema, type Translation, translationSchema } from './entities/nat.js';
import { type Network, networkSchema, type NetworkService, networkServiceSchema, type Segment, segmentSchema } from './entities/network.js';
import { type Chassis, chassisSchema, type VifRecord, vifSchema } from './entities/presence.js';
import { type Router, routerSchema } from './entities/router.js';
import { type PolicyRoute, policyRouteSchema, type Route, type RouteLink, routeLinkSchema, routeSchema } from './entities/routing.js';
import {
  type AddressSet,
  addressSetSchema,
  type PolicyClass,
  policyClassSchema,
  type SecurityGroup,
  securityGroupSchema,
} from './entities/security-group.js';
import { type Tunnel, tunnelSchema } from './entities/tunnel.js';

export const entitySchema = z.discriminatedUnion('kind', [
  datapathSchema,
  segmentSchema,
  networkSchema,
  interfaceSchema,
  macLeaseSchema,
  ipLeaseSchema,
  routeLinkSchema,
  routeSchema,
  policyRouteSchema,
  routerSchema,
  securityGroupSchema,
  networkServiceSchema,
  interfacePortSchema,
  datapathNetworkSchema,
  datapathSegmentSchema,
  datapathRouteLinkSchema,
  tunnelSchema,
  addressSetSchema,
  filterSchema,
  floatingIpSchema,
  natRuleSchema,
  translationSchema,
  policyClassSchema,
  vifSchema,
  chassisSchema,
]);

export type Entity =
  | Datapath
  | Segment
  | Network
  | Interface
  | MacLease
  | IpLease
  | RouteLink
  | Route
  | PolicyRoute
  | Router
  | SecurityGroup
  | NetworkService
  | InterfacePort
  | DatapathLink
  | Tunnel
  | AddressSet
  | Filter
  | FloatingIp
  | NatRule
  | Translation
  | PolicyClass
  | VifRecord
  | Chassis;

export type EntityKind = Entity['kind'];
export type EntityOf<K extends EntityKind> = Extract<Entity, { kind: K }>;

/** REST collection name and uuid prefix of every kind a user can create. */
export const KINDS = {
  datapath: { collection: 'datapaths', prefix: 'dp' },
  segment: { collection: 'segments', prefix: 'seg' },
  network: { collection: 'networks', prefix: 'nw' },
  interface: { collection: 'interfaces', prefix: 'if' },
  mac_lease: { collection: 'mac_leases', prefix: 'ml' },
  ip_lease: { collection: 'ip_leases', prefix: 'il' },
  route_link: { collection: 'route_links', prefix: 'rl' },
  route: { collection: 'routes', prefix: 'r' },
  policy_route: { collection: 'policy_routes', prefix: 'pbr' },
  router: { collection: 'routers', prefix: 'rt' },
  security_group: { collection: 'security_groups', prefix: 'sg' },
  network_service: { collection: 'network_services', prefix: 'ns' },
  interface_port: { collection: 'interface_ports', prefix: 'ifp' },
  datapath_network: { collection: 'datapath_networks', prefix: 'dpn' },
  datapath_segment: { collection: 'datapath_segments', prefix: 'dpseg' },
  datapath_route_link: { collection: 'datapath_route_links', prefix: 'dprl' },
  tunnel: { collection: 'tunnels', prefix: 't' },
  address_set: { collection: 'address_sets', prefix: 'as' },
  filter: { collection: 'filters', prefix: 'fil' },
  floating_ip: { collection: 'floating_ips', prefix: 'fip' },
  nat_rule: { collection: 'nat_rules', prefix: 'nat' },
  translation: { collection: 'translations', prefix: 'tr' },
} as const satisfies Partial<Record<EntityKind, { collection: string; prefix: string }>>;

export type UserKind = keyof typeof KINDS;
export type UserEntity = Extract<Entity, { kind: UserKind }>;

/** Whether users know this entity; the other kinds are vnmgr's own. */
export function isUserEntity(entity: Entity): entity is UserEntity {
  return Object.hasOwn(KINDS, entity.kind);
}
