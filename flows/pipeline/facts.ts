/**
 * Facts: what the first stratum of rules derives from the slice for the others to look up.
 *
 * Owns: the records in between entities and flows.
 * Promises: a fact is a pure function of the slice and the local ports; two rules that emit the same fact id emit the same content.
 */
import type { Cidr } from '../net/cidr.js';
import type { Ip } from '../net/ip.js';
import type { SecurityGroupRule, TIERS } from '../model/entities/security-group.js';

export type Tier = (typeof TIERS)[number];

/** One address of a NIC or router port. */
export interface FactAddress {
  readonly ip: Ip;
  readonly network_uuid: string;
  readonly ip_lease_uuid: string;
}

/** A MAC lease of a locally plugged interface, in its L2 domain. */
export interface Nic {
  readonly kind: 'nic';
  /** `nic-<mac lease uuid>`. */
  readonly uuid: string;
  readonly interface_uuid: string;
  readonly mac_lease_uuid: string;
  readonly port_key: number;
  readonly ofport: number;
  readonly ct_zone: number;
  /** 0 without security groups. */
  readonly policy_class_key: number;
  readonly mac: number;
  readonly segment_key: number;
  readonly vrf_key: number;
  /** The segment, or the network when it is its own L2 domain. */
  readonly domain_uuid: string;
  readonly addresses: readonly FactAddress[];
  /** Filters apply: enable_filtering of its interface. */
  readonly filtered: boolean;
  /** IPv6 is spoken here: the NIC has an IPv6 lease, its network has a prefix, or it has no addresses at all. */
  readonly ipv6: boolean;
}

/** A MAC lease of an interface plugged on another hypervisor, in its L2 domain. */
export interface RemoteNic {
  readonly kind: 'remote_nic';
  /** `rn-<mac lease uuid>`. */
  readonly uuid: string;
  readonly interface_uuid: string;
  readonly mac_lease_uuid: string;
  /** Where it is plugged. */
  readonly datapath_uuid: string;
  readonly port_key: number;
  /** 0 without security groups. */
  readonly policy_class_key: number;
  readonly mac: number;
  /** The MAC is in another segment too. */
  readonly mac_shared: boolean;
  readonly segment_key: number;
  readonly vrf_key: number;
  readonly domain_uuid: string;
  readonly addresses: readonly FactAddress[];
  readonly ipv6: boolean;
}

/** Another hypervisor that has something to do with this one. */
export interface Peer {
  readonly kind: 'peer';
  /** `peer-<datapath uuid>`. */
  readonly uuid: string;
  readonly datapath_uuid: string;
  /** What stands for it in a register. Means nothing elsewhere. */
  readonly peer_key: number;
}

/** By which addresses packets of an L2 domain go to a hypervisor and come from there, where rows say so (overlay mode explicit). */
export interface Way {
  readonly kind: 'way';
  /** `way-<segment>-<datapath uuid>`. */
  readonly uuid: string;
  readonly segment_key: number;
  readonly datapath_uuid: string;
  /** Underlay addresses here and there. */
  readonly local: string;
  readonly remote: string;
  /** Both are in one network. */
  readonly same_underlay: boolean;
}

/** A peer on the same physical L2, to which frames may go without a tunnel. */
export interface DirectPeer {
  readonly kind: 'direct_peer';
  /** `direct-<datapath uuid>`. */
  readonly uuid: string;
  readonly datapath_uuid: string;
  /** Bytes of the longest IP packet. */
  readonly mtu: number;
  /** It has had the time to accept such frames. */
  readonly settled: boolean;
}

/** Some MAC of this segment is in another segment too: on a physical L2 the two could not be told apart. */
export interface SharedMacs {
  readonly kind: 'shared_macs';
  /** `shared-<segment>`. */
  readonly uuid: string;
  readonly segment_key: number;
}

/** A peer has an interface in a routing domain: it may send into segments of that domain. */
export interface PeerDomain {
  readonly kind: 'peer_domain';
  /** `pd-<vrf>-<datapath uuid>`. */
  readonly uuid: string;
  readonly vrf_key: number;
  readonly datapath_uuid: string;
}

/** A peer has ports in a segment; with class UNKNOWN_HOLDERS, ports that may have any address. */
export interface Presence {
  readonly kind: 'presence';
  /** `pr-<segment>-<class>-<datapath uuid>`. */
  readonly uuid: string;
  readonly segment_key: number;
  /** 0 or UNKNOWN_HOLDERS. */
  readonly policy_class_key: number;
  readonly domain_uuid: string;
  readonly datapath_uuid: string;
}

/** A segment has ports on some peer. */
export interface Reach {
  readonly kind: 'reach';
  /** `re-<segment>-<class>`. */
  readonly uuid: string;
  readonly segment_key: number;
  readonly policy_class_key: number;
  readonly domain_uuid: string;
}

/** A part of a reach: at most a few dozen peers, so that one more rewrites little. */
export interface ReachChunk {
  readonly kind: 'reach_chunk';
  /** `rc-<segment>-<class>-<chunk>`. */
  readonly uuid: string;
  readonly segment_key: number;
  readonly policy_class_key: number;
  readonly domain_uuid: string;
  readonly chunk: number;
}

/** Where a router has a MAC: a MAC lease of a simulated interface in a segment. */
interface RouterMac {
  readonly interface_uuid: string;
  readonly mac_lease_uuid: string;
  readonly mac: number;
  readonly segment_key: number;
  readonly vrf_key: number;
  readonly domain_uuid: string;
  readonly port_key: number;
}

/** A MAC lease of a simulated interface: something the pipeline itself answers for. */
export interface RouterPort extends RouterMac {
  readonly kind: 'router_port';
  /** `rp-<mac lease uuid>`. */
  readonly uuid: string;
  /** 0 and null when packets do not enter a router here. */
  readonly router_key: number;
  readonly route_link_uuid: string | null;
  /** Routers that may send packets out here. */
  readonly links: readonly { readonly uuid: string; readonly router_key: number }[];
  readonly addresses: readonly (FactAddress & { readonly prefix: number })[];
}

/** An L2 domain that exists outside, and the port here that leads to it. */
export interface PhysicalSegment {
  readonly kind: 'physical_segment';
  /** `ps-<segment>`. */
  readonly uuid: string;
  readonly segment_key: number;
  readonly vrf_key: number;
  readonly domain_uuid: string;
  readonly ofport: number;
}

/** A router's port in a physical network by which the outside is reached. */
export interface Gateway extends RouterMac {
  readonly kind: 'gateway';
  /** `gw-<mac lease uuid>`. */
  readonly uuid: string;
  /** The router that what comes from outside enters. */
  readonly router_key: number;
  /** Routers that may send out here. */
  readonly router_keys: readonly number[];
  readonly addresses: readonly FactAddress[];
  /** Prefixes of the networks it has addresses in. */
  readonly subnets: readonly Cidr[];
  /** Addresses that routes send to by it and that nobody here has. */
  readonly next_hops: readonly Ip[];
  /** The datapath that has it now; null: none. */
  readonly datapath_uuid: string | null;
  /** The port to the physical network; null where the gateway is not here. */
  readonly ofport: number | null;
  readonly physical_network: string;
  /** Those who may be the gateway, the preferred one first. */
  readonly candidates: readonly string[];
  /** Whether this datapath is one of several, and is on the physical network. */
  readonly contends: boolean;
}

/** A policy class that some local port has: the rules of its groups are enforced here. */
export interface LocalClass {
  readonly kind: 'local_class';
  /** `lc-<policy class key>`. */
  readonly uuid: string;
  readonly policy_class_key: number;
}

/** Ports of one class in one segment; class 0 is without policy, UNKNOWN_HOLDERS those that may have any address. */
export interface FloodSet {
  readonly kind: 'flood_set';
  /** `fs-<segment>-<class>`. */
  readonly uuid: string;
  readonly segment_key: number;
  readonly vrf_key: number;
  readonly policy_class_key: number;
  readonly domain_uuid: string;
}

/** A part of a flood set: at most a few dozen ports, so that one more port rewrites little. */
export interface FloodChunk {
  readonly kind: 'flood_chunk';
  /** `fc-<segment>-<class>-<chunk>`. */
  readonly uuid: string;
  readonly segment_key: number;
  readonly policy_class_key: number;
  readonly chunk: number;
}

/** One rule of a security group, on its own so that changing it touches only its flows. */
export interface GroupRule {
  readonly kind: 'group_rule';
  /** The rule's uuid. */
  readonly uuid: string;
  readonly security_group_uuid: string;
  readonly rule: SecurityGroupRule;
  /** The rule's own, or the group's. */
  readonly tier: Tier;
}

/** What a group's rules amount to for a port that has it, however many they are. */
export interface GroupStance {
  readonly kind: 'group_stance';
  /** `gs-<group>`. */
  readonly uuid: string;
  /** What its rules do not decide is denied. */
  readonly closes_ingress: boolean;
  readonly closes_egress: boolean;
  /** Some rule drops or rejects. */
  readonly refuses_ingress: boolean;
  readonly refuses_egress: boolean;
  readonly has_rules: boolean;
  /** Some rule allows with state / without state. */
  readonly has_stateful: boolean;
  readonly has_stateless: boolean;
}

/** A group that some rule names as remote: the addresses of its members need an identity. */
export interface NamedGroup {
  readonly kind: 'named_group';
  /** `ng-<direction>-<group>`. */
  readonly uuid: string;
}

/** A network with addresses of interfaces that have a policy class. */
export interface MemberNetwork {
  readonly kind: 'member_network';
  /** `mn-<network>-<family>-<policy class>`. */
  readonly uuid: string;
  readonly network_uuid: string;
  readonly family: Ip['family'];
  readonly policy_class_key: number;
}

/** Leaving this router to this segment, and coming from there, addresses may be translated: the router decides by more than the destination. */
export interface NatPort {
  readonly kind: 'nat_port';
  /** `np-<route link>-<segment>`. */
  readonly uuid: string;
  readonly route_link_uuid: string;
  readonly segment_key: number;
}

/** One address outside that stands for others behind a router. */
export interface Nat {
  readonly kind: 'nat';
  /** `xl-<uuid of what a user defined>`, with `-<row>` where that has several. */
  readonly uuid: string;
  /** Who is responsible. */
  readonly owner_uuids: readonly string[];
  readonly route_link_uuid: string;
  readonly router_key: number;
  /** Silent where packets expire. */
  readonly is_silent: boolean;
  readonly segment_key: number;
  readonly vrf_key: number;
  /** Port key, MAC and MAC lease of the router's port outside. */
  readonly arrival: number;
  readonly port_mac: number;
  readonly port_lease_uuid: string;
  readonly external: Ip;
  /** What is sent to the address has this destination MAC within the pipeline: what its network is told, or for the router's own one that nobody is told. */
  readonly external_mac: number;
  /** What other hypervisors send by it to be translated has this destination MAC: nobody else's. */
  readonly entry_mac: number;
  /** The router's own address, at its own MAC. */
  readonly is_own: boolean;
  /** Whose packets leave with it; null: those of everything behind. */
  readonly source: Cidr | null;
  /** Who gets what is sent to it; null: nobody but replies. */
  readonly target: Ip | null;
  /** It is translated where the target is. */
  readonly is_at_target: boolean;
  /** The interface that has the target, if any. */
  readonly interface_uuid: string | null;
  /** Only these TCP and UDP ports. */
  readonly ports: { readonly external: number; readonly target: number } | null;
  /** The hypervisor where it is done; null: one of those that have a part in it. */
  readonly datapath_uuid: string | null;
}

/** What leaves this router to this segment, or comes from there, without a translation is dropped. */
export interface ClosedPort {
  readonly kind: 'closed_port';
  /** `cp-<route link>-<segment>`. */
  readonly uuid: string;
  readonly router_key: number;
  readonly segment_key: number;
  /** Port key of the router's port there. */
  readonly arrival: number;
  readonly owner_uuids: readonly string[];
}

/** Something plugged in here is in this routing domain. */
export interface OwnDomain {
  readonly kind: 'own_domain';
  /** `od-<vrf>`. */
  readonly uuid: string;
  readonly vrf_key: number;
}

export type Fact =
  | ClosedPort
  | OwnDomain
  | Nat
  | NatPort
  | Nic
  | RouterPort
  | LocalClass
  | FloodSet
  | FloodChunk
  | GroupRule
  | GroupStance
  | NamedGroup
  | MemberNetwork
  | RemoteNic
  | Peer
  | DirectPeer
  | Way
  | SharedMacs
  | PeerDomain
  | Presence
  | Reach
  | ReachChunk
  | PhysicalSegment
  | Gateway;

/** Pseudo policy class of the ports that may own addresses nobody has leased. */
export const UNKNOWN_HOLDERS = 0xffff_ffff;

/** Pseudo policy class of filtered ports: each is judged on its own. */
export const FILTERED = 0xffff_fffe;

/** Flood sets, and the peers of a segment, are cut in this many chunks at most; each is one flow. */
export const FLOOD_CHUNKS = 32;
