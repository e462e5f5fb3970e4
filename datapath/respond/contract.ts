/**
 * What a responder is given, what it may ask, and what it answers.
 *
 * Owns: the interface between the responders, the slice they ask (slice-context.ts) and the agent that carries packets.
 * Promises: a responder is a pure function of these; it keeps no state, so any restart between two packets goes unnoticed.
 */
import type { Ipv4Cidr, Ipv6Cidr } from '../../flows/net/cidr.js';
import type { Ip } from '../../flows/net/ip.js';
import type { Action } from '../../flows/openflow/action.js';
import type { SentTo } from './sent-as.js';
import type { Punt } from '../../flows/pipeline/punt.js';

/** A frame the switch handed over. */
export interface PuntedFrame {
  readonly punt: Punt;
  readonly data: Uint8Array;
  /** By which it came to the switch. */
  readonly in_port?: number | undefined;
  /** Port key of the sender, whose addresses port security has checked. */
  readonly port_key: number;
  /** Key of the router it is in; 0 or absent where it has not met one. */
  readonly router_key?: number | undefined;
  /** Port key of the router port by which it came there. */
  readonly arrival_key?: number | undefined;
  /** How many routers took one from its TTL. */
  readonly routers_crossed?: number | undefined;
  /** Bytes of the longest IP packet that fits the way it was to take; absent where that did not matter. */
  readonly mtu?: number | undefined;
  /** Segment and routing domain it is in. */
  readonly metadata?: bigint | undefined;
  /** It came through a tunnel: an answer does not leave by the port it came in on. */
  readonly is_remote?: boolean | undefined;
  /** Where its sender sent it, if that was translated. */
  readonly sent_to?: SentTo | undefined;
  /** Where it was in the pipeline, of a packet that a security group rule has decided on. */
  readonly registers?: PolicyRegisters | undefined;
}

export interface PolicyRegisters {
  /** Key of the rule. */
  readonly rule_key: number;
  /** Segment and routing domain the packet is in. */
  readonly metadata: bigint;
  /** Port key of the receiver; 0 where that is not known yet, or are many. */
  readonly destination_port: number;
}

/** A frame that goes through the pipeline instead of out of a port. */
export interface InjectedFrame {
  readonly data: Uint8Array;
  readonly actions: readonly Action[];
}

/** One address a DHCP client may have, and what it is told with it. */
export interface DhcpLease {
  readonly address: number;
  readonly network: Ipv4Cidr;
  /** The simulated interface that carries the network's DHCP service. */
  readonly server_mac: number;
  readonly server_address: number;
  readonly router: number | undefined;
  readonly dns_servers: readonly number[];
  /** Empty for none. */
  readonly domain_name: string;
  readonly mtu: number;
  readonly lease_seconds: number;
}

export interface AdvertisedPrefix {
  readonly prefix: Ipv6Cidr;
  /** Hosts form addresses in it by themselves. */
  readonly autonomous: boolean;
}

/** What one router tells the hosts of a link. */
export interface Advertisement {
  /** MAC of the interface that speaks; its link-local address is the source. */
  readonly mac: number;
  /** Whether hosts may use it as their default router. */
  readonly is_router: boolean;
  readonly mtu: number;
  readonly prefixes: readonly AdvertisedPrefix[];
  readonly dns_servers: readonly bigint[];
}

/** A router as the hosts of a network see it. */
export interface Gateway {
  readonly mac: number;
  readonly ip: Ip;
}

/** An address that a router translates, in the outside network. */
export interface TranslatedAddress {
  readonly mac: number;
  readonly segment_key: number;
}

/** Look-ups in the slice. A port key or MAC that is not known gives nothing. */
export interface RespondContext {
  /** Leases of the NIC with this MAC behind the port, in networks that have a DHCP service; lowest address first. */
  dhcp(portKey: number, mac: number): readonly DhcpLease[];
  /** For the networks the NIC with this MAC has addresses in: one advertisement per interface that speaks there. */
  routerAdvertisements(portKey: number, mac: number): readonly Advertisement[];
  /** The router that a NIC with this address sends to, in the network of the address; of several, the one with the lowest address. */
  gatewayOf(portKey: number, ip: Ip): Gateway | undefined;
  /** The address that the router port with this key is known by to a host: the one in the host's own network, else the lowest of its family. */
  addressFacing(routerPortKey: number, host: Ip): Ip | undefined;
  /** Where an address is found that stands for others in a routing domain, if it does. */
  translated(vrfKey: number, ip: Ip): TranslatedAddress | undefined;
  /** MAC of the NIC behind the port that owns the address. */
  macOf(portKey: number, ip: Ip): number | undefined;
}

/**
 * What became of a punted frame. With frames: `offered` … `sent`. Without: `noted` (for the log), `released`, `declined` (noted, nothing is due), `no_lease` (nothing is configured for
 * the sender), `other_client` (asked on behalf of another NIC), `other_server` (meant for another DHCP server), `not_due` (the RFCs forbid an answer),
 * `malformed`, `limited` (over its rate).
 */
export type Outcome =
  | 'offered'
  | 'acknowledged'
  | 'refused'
  | 'advertised'
  | 'sent'
  | 'noted'
  | 'released'
  | 'declined'
  | 'no_lease'
  | 'other_client'
  | 'other_server'
  | 'not_due'
  | 'malformed'
  | 'limited';

export interface Response {
  readonly outcome: Outcome;
  /** Whole Ethernet frames, to be sent out of the port the punted frame came in on. */
  readonly frames: readonly Uint8Array[];
  readonly injected?: readonly InjectedFrame[] | undefined;
}

export function answer(outcome: Outcome, ...frames: readonly Uint8Array[]): Response {
  return { outcome, frames };
}
