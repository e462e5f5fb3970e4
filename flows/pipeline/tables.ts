/**
 * Table numbers and drop reasons of the pipeline.
 *
 * Owns: the fixed numbers. A number never changes meaning within a PIPELINE_VERSION; gaps leave room.
 * Promises: docs/pipeline.md is generated from this file.
 */

/** Changes whenever the meaning of a table, register or cookie changes: an agent that finds another version reprograms. */
export const PIPELINE_VERSION = 3;

export const TABLES = {
  CLASSIFY: { id: 0, does: 'ingress port → source port key, conntrack zone, policy class' },
  TUNNEL_IN: { id: 2, does: 'tunnel addresses → known peer' },
  PORT_SEC: { id: 4, does: 'source MAC, IP and ARP validation; sets segment and VRF' },
  ND_SEC: { id: 5, does: 'neighbour discovery validation' },
  EG_FILTER_CT: { id: 8, does: 'filtered ports: conntrack of the sending port' },
  EG_FILTER: { id: 9, does: 'rows of the filters of the sending port, mirrored' },
  EG_FILTER_CONN: { id: 10, does: 'connections that conn rows open' },
  LOCAL: { id: 12, does: 'ARP and ND answered here; DHCP and RS punted' },
  ND_REPLY: { id: 13, does: 'second half of the ND answer' },
  EG_CT: { id: 16, does: 'conntrack of the sending port' },
  EG_STATE: { id: 18, does: 'egress: invalid dropped, replies and related accepted' },
  IDENTITY: { id: 22, does: 'address of a member → identity' },
  EG_ID: { id: 24, does: 'is the destination in a network whose members rules mean?' },
  EG_POLICY: { id: 28, does: 'egress rules' },
  EG_METRIC: { id: 30, does: 'egress: new connections counted and logged per rule' },
  EG_COMMIT: { id: 32, does: 'egress: new connections committed with their rule' },
  EG_DENY: { id: 34, does: 'egress: what no rule admits or a rule drops; revoked connections marked' },
  L2L3: { id: 36, does: 'addressed to a router port?' },
  L3_IN: { id: 40, does: "the router's own addresses, and what is not routed" },
  POLICY_ROUTES: { id: 44, does: 'source, protocol, ports → next hop' },
  FIB: { id: 48, does: 'longest prefix → path' },
  HOPS: { id: 52, does: 'TTL at the routers of the path; where it ends' },
  NEXT_HOPS: { id: 54, does: 'one of several next hops' },
  NEIGH: { id: 56, does: 'destination address → MAC' },
  ROUTER_SELF: { id: 58, does: 'packets for a router itself: echo answered, the rest refused' },
  ICMP_GATE: { id: 60, does: 'is the sender told? how often?' },
  ICMP_ERROR: { id: 62, does: 'errors punted, each kind on its own' },
  ROUTED: { id: 64, does: 'source MAC of the router port it leaves by' },
  L2_LOOKUP: { id: 72, does: 'destination MAC → port, zone, policy class' },
  IN_CT: { id: 76, does: 'conntrack of the receiving port' },
  IN_STATE: { id: 78, does: 'ingress: invalid dropped, replies and related accepted' },
  IN_ID: { id: 80, does: 'is the source, unless a local port vouches for it, in a network whose members rules mean?' },
  IN_POLICY: { id: 84, does: 'ingress rules' },
  IN_METRIC: { id: 86, does: 'ingress: new connections counted and logged per rule' },
  IN_COMMIT: { id: 88, does: 'ingress: new connections committed with their rule' },
  IN_DENY: { id: 90, does: 'ingress: what no rule admits or a rule drops; revoked connections marked' },
  IN_FILTER_CT: { id: 92, does: 'filtered ports: conntrack of the receiving port' },
  IN_FILTER_CONN: { id: 93, does: 'replies to connections that conn rows opened' },
  IN_FILTER: { id: 94, does: 'rows of the filters of the receiving port' },
  OUT_LOCAL: { id: 96, does: 'port key → output' },
  OUT_REMOTE: { id: 98, does: 'peer → is the packet too long for the way there?' },
  FLOOD: { id: 104, does: 'broadcast and multicast: who may receive it' },
  FLOOD_OUT: { id: 106, does: 'one flood set: its chunks' },
  FLOOD_CHUNK: { id: 108, does: 'one chunk of a flood set: outputs' },
  TUNNEL_SEGMENT: { id: 110, does: 'VNI → segment' },
  TUNNEL_ADMIT: { id: 111, does: 'may that peer send into that routing domain?' },
  FLOOD_PEERS: { id: 112, does: 'peers with ports in the segment: their chunks' },
  PEER_CHUNK: { id: 113, does: 'one chunk of peers: a copy for each' },
  TUNNEL_OUT: { id: 114, does: 'peer → tunnel; packets too long for it are answered' },
  DIRECT_IN: { id: 115, does: 'frames of the physical L2: source MAC → segment and sender' },
  DROP: { id: 250, does: 'every drop ends here, with its reason' },
  CANARY: { id: 253, does: 'digest and version of what is installed; no packet comes here' },
} as const;

/** What a user writes decides what comes first in these. */
export const USER_TABLES: readonly number[] = [TABLES.EG_FILTER, TABLES.EG_POLICY, TABLES.IN_POLICY, TABLES.IN_FILTER].map(({ id }) => id);

export type TableName = keyof typeof TABLES;

/** The reason a packet reaches DROP with, in reg15[0..15]. */
export const DROP_REASONS = {
  no_port: { code: 1, says: 'came in on a port that no interface is bound to' },
  vlan_tagged: { code: 2, says: 'carries a VLAN tag' },
  multicast_source: { code: 3, says: 'has a multicast source MAC' },
  spoof: { code: 4, says: 'source MAC, IP or ARP address is not one of the interface' },
  nd_spoof: { code: 5, says: 'neighbour discovery claims an address that is not one of the interface' },
  rogue_server: { code: 6, says: 'DHCP server, router advertisement or redirect from a VM' },
  own_address: { code: 7, says: 'asks for its own address' },
  egress_invalid: { code: 8, says: 'conntrack calls it invalid (sender)' },
  egress_policy: { code: 9, says: 'no egress rule of the sender admits it' },
  egress_revoked: { code: 10, says: 'the egress rule that admitted the connection is gone' },
  local_service: { code: 11, says: 'addressed to a router, which offers no such service' },
  ttl: { code: 12, says: 'TTL expired where no answer is due' },
  no_route: { code: 13, says: 'the router has no route' },
  no_neighbor: { code: 14, says: 'no interface has the destination address' },
  unknown_mac: { code: 15, says: 'no interface of the segment has the destination MAC' },
  ingress_invalid: { code: 16, says: 'conntrack calls it invalid (receiver)' },
  ingress_policy: { code: 17, says: 'no ingress rule of the receiver admits it' },
  ingress_revoked: { code: 18, says: 'the ingress rule that admitted the connection is gone' },
  no_output: { code: 19, says: 'the destination port is not plugged here' },
  no_flood: { code: 20, says: 'nobody in the segment may receive it' },
  unknown_arp: { code: 21, says: 'asks for an address that nobody has' },
  group_management: { code: 22, says: 'IGMP or MLD: multicast membership is not tracked' },
  to_sender: { code: 23, says: 'would go back to the port it came from' },
  blackhole: { code: 40, says: 'a route or policy says so' },
  unreachable: { code: 41, says: 'a route or policy says unreachable' },
  prohibited: { code: 42, says: 'a route or policy says prohibited' },
  routing_loop: { code: 43, says: 'the routes lead round' },
  not_routable: { code: 44, says: 'sent to a router to or from an address that is not routed' },
  unknown_peer: { code: 30, says: 'came through a tunnel from an address that is no known hypervisor' },
  unknown_segment: { code: 31, says: 'came through a tunnel for a segment that has no port here' },
  foreign_segment: { code: 32, says: 'came through a tunnel from a hypervisor that has no part in that routing domain' },
  no_tunnel: { code: 33, says: 'the hypervisor of its destination cannot be reached: no address or encapsulation in common' },
  tunnel_to_tunnel: { code: 34, says: 'came through a tunnel and would leave through one' },
  not_ours: { code: 36, says: 'came from the physical network and is of no interface on a hypervisor there' },
  too_big: { code: 35, says: 'is longer than the overlay carries, and no answer is due' },
  egress_filter: { code: 60, says: 'a filter of the sender does not let it out' },
  ingress_filter: { code: 61, says: 'a filter of the receiver does not let it in' },
  egress_rule: { code: 62, says: 'an egress rule of the sender drops or rejects it' },
  ingress_rule: { code: 63, says: 'an ingress rule of the receiver drops or rejects it' },
} as const;

export type DropReason = keyof typeof DROP_REASONS;
