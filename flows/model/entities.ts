/**
 * The entities of the model, as they are stored, sliced and compiled.
 *
 * Owns: one zod schema per kind (the single source for types, storage checks, REST output and docs), the kind ↔ prefix ↔ collection table.
 * Assumes: an entity here is already valid on its own; what holds between entities is invariants.ts.
 * Promises: plain immutable records, every field present (null where unset), addresses in canonical text, references by uuid.
 *
 * Fields ending in `_key` are small integers allocated once by vnmgr and never reused; users cannot set them.
 */
import { z } from 'zod';

export const UUID_TAIL = /^[a-z0-9][a-z0-9-]{0,31}$/;

const uuid = (prefix: string) =>
  z.string().regex(new RegExp(`^${prefix}-[a-z0-9][a-z0-9-]{0,31}$`), `must be ${prefix}- and 1 to 32 of a-z 0-9 -`);
const key = (bits: number) =>
  z
    .int()
    .min(0)
    .max(2 ** bits - 1);
const stamps = { created_at: z.string(), updated_at: z.string() };
const ipv4 = z.string();
const ipv6 = z.string();
/** Name of a routing table. */
const vrf = z.string().max(63);
/** The router that made the entity, and that alone changes it; null for what users made. */
const routerUuid = () => uuid('rt').nullable();
const port = z.string().regex(/^(\d{1,5})(-\d{1,5})?$/);

export const datapathSchema = z.strictObject({
  kind: z.literal('datapath'),
  uuid: uuid('dp'),
  display_name: z.string().max(255),
  /** `0x` and 16 hex digits. */
  dpid: z.string(),
  node_id: z.string().max(255),
  enable_ovs_learn_action: z.boolean(),
  ...stamps,
});

export const segmentSchema = z.strictObject({
  kind: z.literal('segment'),
  uuid: uuid('seg'),
  display_name: z.string().max(255),
  mode: z.enum(['virtual', 'physical']),
  /** VNI of this L2 domain, 24 bits. */
  segment_key: key(24),
  vrf_key: key(32),
  ...stamps,
});

export const networkSchema = z.strictObject({
  kind: z.literal('network'),
  uuid: uuid('nw'),
  display_name: z.string().max(255),
  domain_name: z.string().max(255),
  mode: z.enum(['virtual', 'physical', 'internal']),
  ipv4_network: ipv4.nullable(),
  ipv4_prefix: z.int().min(0).max(32).nullable(),
  ipv6_network: ipv6.nullable(),
  ipv6_prefix: z.int().min(0).max(128).nullable(),
  /** RA with A=1: hosts form their own addresses. Their leases must be the EUI-64 addresses. */
  ipv6_slaac: z.boolean(),
  /** Bytes, as told to VMs; null is the system's default. */
  mtu: z.int().min(576).max(65535).nullable(),
  dns_servers: z.array(z.string()).max(8),
  segment_uuid: uuid('seg').nullable(),
  /** The routing table it is in; null: that of the networks it is joined to. */
  vrf: vrf.nullable(),
  /** VNI of the network's own L2 domain; its segment's key when it is in one. */
  segment_key: key(24),
  vrf_key: key(32),
  ...stamps,
});

export const interfaceSchema = z.strictObject({
  kind: z.literal('interface'),
  uuid: uuid('if'),
  display_name: z.string().max(255),
  mode: z.enum(['vif', 'simulated', 'host', 'internal', 'patch', 'promiscuous', 'remote']),
  owner_datapath_uuid: uuid('dp').nullable(),
  /** OVS port name that binds this interface where `external_ids:iface-id` does not name it. */
  port_name: z.string().max(15).nullable(),
  enable_routing: z.boolean(),
  enable_route_translation: z.boolean(),
  enable_filtering: z.boolean(),
  /** Sorted, without repeats. */
  security_group_uuids: z.array(uuid('sg')).max(64),
  router_uuid: routerUuid(),
  port_key: key(31),
  /** Key of the policy_class with exactly these groups; 0 without groups. */
  policy_class_key: key(32),
  ...stamps,
});

export const macLeaseSchema = z.strictObject({
  kind: z.literal('mac_lease'),
  uuid: uuid('ml'),
  interface_uuid: uuid('if'),
  /** Lower case, colons. */
  mac_address: z.string(),
  segment_uuid: uuid('seg').nullable(),
  /** A NIC of another L2 domain has the same address; managed by vnmgr, not visible in REST. */
  mac_shared: z.boolean().default(false),
  ...stamps,
});

export const ipLeaseSchema = z.strictObject({
  kind: z.literal('ip_lease'),
  uuid: uuid('il'),
  /** Both null: the address is reserved and unattached. */
  interface_uuid: uuid('if').nullable(),
  mac_lease_uuid: uuid('ml').nullable(),
  network_uuid: uuid('nw'),
  /** Exactly one of the two is set. */
  ipv4_address: ipv4.nullable(),
  ipv6_address: ipv6.nullable(),
  enable_routing: z.boolean(),
  ...stamps,
});

/** What becomes of packets whose TTL runs out at a virtual router. */
export const tracerouteSchema = z.enum(['virtual-hops', 'collapsed', 'off']);

export const routeLinkSchema = z.strictObject({
  kind: z.literal('route_link'),
  uuid: uuid('rl'),
  mac_address: z.string(),
  /** Only networks of this routing table are routed by it; null: any. */
  vrf: vrf.nullable(),
  /** null: the system's default. */
  traceroute: tracerouteSchema.nullable(),
  router_uuid: routerUuid(),
  /** Names the virtual router this link is, in FIB rows. */
  router_key: key(24),
  ...stamps,
});

export const routeTypeSchema = z.enum(['forward', 'blackhole', 'unreachable', 'prohibit']);
const via = z.array(z.string()).max(16);

export const routeSchema = z.strictObject({
  kind: z.literal('route'),
  uuid: uuid('r'),
  mode: z.literal('gateway'),
  /** forward: to where the packet is sent; the others drop it: silently, with "unreachable", with "prohibited". */
  type: routeTypeSchema,
  /** The router's port: a simulated interface with enable_routing. null with next hops and where nothing is forwarded. */
  interface_uuid: uuid('if').nullable(),
  /** The network that port is in. Set exactly when interface_uuid is. */
  network_uuid: uuid('nw').nullable(),
  route_link_uuid: uuid('rl'),
  /** Destination prefix reached through that port. Exactly one family. */
  ipv4_network: ipv4.nullable(),
  ipv4_prefix: z.int().min(0).max(32).nullable(),
  ipv6_network: ipv6.nullable(),
  ipv6_prefix: z.int().min(0).max(128).nullable(),
  /** Next hops in networks the router has a port in; flows are spread over several. Sorted, without repeats. */
  via,
  /** Packets may enter the router from this side / leave it to this side. */
  ingress: z.boolean(),
  egress: z.boolean(),
  router_uuid: routerUuid(),
  /** Names the route, or the paths that begin with it, in flows. */
  route_key: key(32),
  ...stamps,
});

/** What a policy route looks at; null and empty lists are anything. */
const policyMatch = {
  source: z.string().nullable(),
  destination: z.string().nullable(),
  protocol: z.enum(['any', 'tcp', 'udp', 'sctp', 'icmp', 'icmpv6']),
  source_ports: z.array(port).max(16),
  ports: z.array(port).max(16),
};

export const policyRouteTypeSchema = z.enum(['forward', 'routing-table', 'blackhole', 'unreachable', 'prohibit']);

/** Looked at before the routes of a router: by source, protocol and ports. */
export const policyRouteSchema = z.strictObject({
  kind: z.literal('policy_route'),
  uuid: uuid('pbr'),
  route_link_uuid: uuid('rl'),
  /** The lowest that matches decides; unique in the router. */
  priority: z.int().min(1).max(32000),
  ...policyMatch,
  /** forward: to `via`; routing-table: as if there were no policy. */
  type: policyRouteTypeSchema,
  via,
  router_uuid: routerUuid(),
  route_key: key(32),
  ...stamps,
});

export const routerNetworkSchema = z.strictObject({
  network_uuid: uuid('nw'),
  ip_addresses: z.array(z.string()).min(1).max(16),
  interface_uuid: uuid('if'),
  mac_address: z.string(),
});

export const routerRouteSchema = z.strictObject({ destination: z.string(), type: routeTypeSchema, via });

export const routerPolicyRouteSchema = z.strictObject({
  priority: z.int().min(1).max(32000),
  ...policyMatch,
  type: policyRouteTypeSchema,
  via,
});

/** A router in one piece. Its route link, ports, addresses and routes are made from it and follow it. */
export const routerSchema = z.strictObject({
  kind: z.literal('router'),
  uuid: uuid('rt'),
  display_name: z.string().max(255),
  vrf: vrf.nullable(),
  traceroute: tracerouteSchema.nullable(),
  networks: z.array(routerNetworkSchema).max(256),
  routes: z.array(routerRouteSchema).max(1000),
  policy_routes: z.array(routerPolicyRouteSchema).max(256),
  route_link_uuid: uuid('rl'),
  ...stamps,
});

export const ruleRemoteSchema = z.union([
  z.strictObject({ any: z.literal(true) }),
  z.strictObject({ cidr: z.string() }),
  z.strictObject({ security_group_uuid: uuid('sg') }),
  z.strictObject({ address_set_uuid: uuid('as') }),
]);

/** The order in which rules are asked: every rule of a tier before any of the next. */
export const TIERS = ['admin', 'tenant', 'baseline'] as const;
/** Rules with a higher number are asked first. */
export const MAX_RULE_PRIORITY = 999;
export const DEFAULT_RULE_PRIORITY = 500;

export const securityGroupRuleSchema = z.strictObject({
  uuid: uuid('sgr'),
  direction: z.enum(['ingress', 'egress']),
  action: z.enum(['allow', 'drop', 'reject']).default('allow'),
  priority: z.int().min(0).max(MAX_RULE_PRIORITY).default(DEFAULT_RULE_PRIORITY),
  /** null: the group's. */
  tier: z.enum(TIERS).nullable().default(null),
  /** Of an allow rule: replies pass without a rule of their own. */
  stateful: z.boolean().default(true),
  /** Of a stateful allow rule: connections outlive the rule. */
  persist_established: z.boolean().default(false),
  /** Log connections it decides, at most so many per second and hypervisor. */
  log: z
    .strictObject({ rate: z.int().min(1).max(1000) })
    .nullable()
    .default(null),
  /** null: both families (decided by the remote when it is a CIDR, by the protocol when it is icmp or icmpv6). */
  family: z.enum(['ipv4', 'ipv6']).nullable(),
  protocol: z.enum(['tcp', 'udp', 'sctp', 'icmp', 'icmpv6', 'any']),
  /** `"22"` or `"8000-8100"`; empty is every port. */
  ports: z.array(port).max(64),
  icmp_type: z.int().min(0).max(255).nullable(),
  icmp_code: z.int().min(0).max(255).nullable(),
  remote: ruleRemoteSchema,
  /** Conjunction id, register value and conntrack label of the rule. */
  rule_key: key(32),
});

export const securityGroupSchema = z.strictObject({
  kind: z.literal('security_group'),
  uuid: uuid('sg'),
  display_name: z.string().max(255),
  /** What becomes of what no rule decides. An interface is as closed as the strictest of its groups. */
  default: z.enum(['deny', 'allow']).default('deny'),
  /** Of rules that name none. */
  tier: z.enum(TIERS).default('tenant'),
  rules: z.array(securityGroupRuleSchema).max(10_000),
  ...stamps,
});

/** A named list of prefixes that rules can mean as a whole. */
export const addressSetSchema = z.strictObject({
  kind: z.literal('address_set'),
  uuid: uuid('as'),
  display_name: z.string().max(255),
  /** Prefixes, sorted, without repeats; both families may be mixed. */
  addresses: z.array(z.string()).max(10_000),
  ...stamps,
});

/** One row of a filter, seen from outside: source is the peer, destination the interface. */
export const filterStaticSchema = z.strictObject({
  protocol: z.enum(['tcp', 'udp', 'icmp', 'arp', 'ip']),
  action: z.enum(['pass', 'drop', 'conn']),
  /** IPv4 prefix; null is any address of either family. */
  src_address: z.string().nullable(),
  dst_address: z.string().nullable(),
  /** null: any. Only with tcp and udp. */
  src_port: z.int().min(1).max(65535).nullable(),
  dst_port: z.int().min(1).max(65535).nullable(),
});

export const filterSchema = z.strictObject({
  kind: z.literal('filter'),
  uuid: uuid('fil'),
  interface_uuid: uuid('if'),
  mode: z.literal('static'),
  /** What no row decides passes towards / from the interface. */
  ingress_passthrough: z.boolean(),
  egress_passthrough: z.boolean(),
  statics: z.array(filterStaticSchema).max(1_000),
  ...stamps,
});

export const networkServiceSchema = z.strictObject({
  kind: z.literal('network_service'),
  uuid: uuid('ns'),
  display_name: z.string().max(255),
  mode: z.enum(['dhcp', 'dns', 'router']),
  interface_uuid: uuid('if').nullable(),
  incoming_port: z.int().min(1).max(65535).nullable(),
  outgoing_port: z.int().min(1).max(65535).nullable(),
  ...stamps,
});

/** A further place of an interface, beside its own owner_datapath_uuid and port_name: a datapath, a port name, or a port of a datapath. */
export const interfacePortSchema = z.strictObject({
  kind: z.literal('interface_port'),
  uuid: uuid('ifp'),
  interface_uuid: uuid('if'),
  /** null: any datapath. */
  datapath_uuid: uuid('dp').nullable(),
  /** null: whatever port names the interface. */
  port_name: z.string().max(15).nullable(),
  singular: z.boolean(),
  ...stamps,
});

/** What a datapath's rows for networks, segments and route links have in common: by which of its addresses others reach it for that one. */
const underlay = {
  datapath_uuid: uuid('dp'),
  /** The hypervisor's own interface, mode host. */
  interface_uuid: uuid('if'),
  /** Stands for the datapath on that underlay; unique among all such rows. */
  mac_address: z.string(),
  /** The lease of the interface that is meant; null is its first. */
  ip_lease_uuid: uuid('il').nullable(),
  /** The address of that lease, and its network: the underlay. Both null while the interface is not on the datapath or has no address. */
  endpoint_address: z.string().nullable(),
  endpoint_network_uuid: uuid('nw').nullable(),
  ...stamps,
};

export const datapathNetworkSchema = z.strictObject({
  kind: z.literal('datapath_network'),
  uuid: uuid('dpn'),
  network_uuid: uuid('nw'),
  ...underlay,
});

export const datapathSegmentSchema = z.strictObject({
  kind: z.literal('datapath_segment'),
  uuid: uuid('dpseg'),
  segment_uuid: uuid('seg'),
  ...underlay,
});

export const datapathRouteLinkSchema = z.strictObject({
  kind: z.literal('datapath_route_link'),
  uuid: uuid('dprl'),
  route_link_uuid: uuid('rl'),
  ...underlay,
});

/** A distinct set of security groups that at least one interface has; managed by vnmgr, not visible in REST. uuid is `pc-` and the key. */
export const policyClassSchema = z.strictObject({
  kind: z.literal('policy_class'),
  uuid: uuid('pc'),
  policy_class_key: key(32),
  /** Sorted, at least one. */
  security_group_uuids: z.array(uuid('sg')).min(1),
});

/** A NIC that a vna sees on its bridge; managed by vnmgr, not visible in REST. uuid is `vif-`, the datapath's uuid, `/` and the port name. */
export const vifSchema = z.strictObject({
  kind: z.literal('vif'),
  uuid: z.string(),
  datapath_uuid: uuid('dp'),
  /** OVS port name. */
  port_name: z.string().min(1).max(255),
  /** `external_ids:iface-id`, whatever it says. */
  iface_id: z.string().max(255).nullable(),
  /** Number of the revision in which this port appeared with this iface_id. */
  since: z.int().min(0),
});

export const encapsulation = z.enum(['geneve', 'vxlan', 'gre']);

/** Where tunnels to a hypervisor end. */
export const chassisEndpointSchema = z.strictObject({
  /** IPv4 or IPv6 in canonical text. */
  address: z.string(),
  /** Of the device that has the address; null where it is not known. */
  mac: z.string().nullable(),
  /** Name of the physical L2 the endpoint is on. */
  underlay: z.string().min(1).max(255),
  /** Bytes of an IP packet that the underlay carries. */
  mtu: z.int().min(576).max(65535),
});

/** What a vna says of its hypervisor; managed by vnmgr, not visible in REST. A datapath without one was never attached. uuid is `ch-` and the datapath's uuid. */
export const chassisSchema = z.strictObject({
  kind: z.literal('chassis'),
  uuid: z.string(),
  datapath_uuid: uuid('dp'),
  node_id: z.string().max(255),
  endpoints: z.array(chassisEndpointSchema).max(16),
  /** Encapsulations it can send and receive, the preferred one first. */
  encaps: z.array(encapsulation),
});

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
  addressSetSchema,
  filterSchema,
  policyClassSchema,
  vifSchema,
  chassisSchema,
]);

export type Datapath = Readonly<z.infer<typeof datapathSchema>>;
export type Segment = Readonly<z.infer<typeof segmentSchema>>;
export type Network = Readonly<z.infer<typeof networkSchema>>;
export type Interface = Readonly<z.infer<typeof interfaceSchema>>;
export type MacLease = Readonly<z.infer<typeof macLeaseSchema>>;
export type IpLease = Readonly<z.infer<typeof ipLeaseSchema>>;
export type RouteLink = Readonly<z.infer<typeof routeLinkSchema>>;
export type Route = Readonly<z.infer<typeof routeSchema>>;
export type RouteType = z.infer<typeof routeTypeSchema>;
export type TracerouteMode = z.infer<typeof tracerouteSchema>;
export type PolicyRoute = Readonly<z.infer<typeof policyRouteSchema>>;
export type Router = Readonly<z.infer<typeof routerSchema>>;
export type RouterNetwork = Router['networks'][number];
export type RouterRoute = Router['routes'][number];
export type RouterPolicyRoute = Router['policy_routes'][number];
export type RuleRemote = Readonly<z.infer<typeof ruleRemoteSchema>>;
export type SecurityGroupRule = Readonly<z.infer<typeof securityGroupRuleSchema>>;
export type SecurityGroup = Readonly<z.infer<typeof securityGroupSchema>>;
export type AddressSet = Readonly<z.infer<typeof addressSetSchema>>;
export type FilterStatic = Readonly<z.infer<typeof filterStaticSchema>>;
export type Filter = Readonly<z.infer<typeof filterSchema>>;
export type NetworkService = Readonly<z.infer<typeof networkServiceSchema>>;
export type InterfacePort = Readonly<z.infer<typeof interfacePortSchema>>;
export type DatapathNetwork = Readonly<z.infer<typeof datapathNetworkSchema>>;
export type DatapathSegment = Readonly<z.infer<typeof datapathSegmentSchema>>;
export type DatapathRouteLink = Readonly<z.infer<typeof datapathRouteLinkSchema>>;
/** A datapath's row for something that may cross between hypervisors. */
export type DatapathLink = DatapathNetwork | DatapathSegment | DatapathRouteLink;
export type PolicyClass = Readonly<z.infer<typeof policyClassSchema>>;
export type VifRecord = Readonly<z.infer<typeof vifSchema>>;
export type Encapsulation = z.infer<typeof encapsulation>;
export type ChassisEndpoint = Readonly<z.infer<typeof chassisEndpointSchema>>;
export type Chassis = Readonly<z.infer<typeof chassisSchema>>;

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
  | AddressSet
  | Filter
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
  address_set: { collection: 'address_sets', prefix: 'as' },
  filter: { collection: 'filters', prefix: 'fil' },
} as const satisfies Partial<Record<EntityKind, { collection: string; prefix: string }>>;

export type UserKind = keyof typeof KINDS;

export type UserEntity = Extract<Entity, { kind: UserKind }>;

/** Whether users know this entity; the other kinds are vnmgr's own. */
export function isUserEntity(entity: Entity): entity is UserEntity {
  return Object.hasOwn(KINDS, entity.kind);
}

export const vifUuid = (datapath: string, portName: string) => `vif-${datapath}/${portName}`;
export const chassisUuid = (datapath: string) => `ch-${datapath}`;
