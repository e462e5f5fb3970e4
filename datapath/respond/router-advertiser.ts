/**
 * Router advertisements (RFC 4861 §6): the answer to a solicitation, and what hosts are told unasked.
 *
 * Assumes: hosts are told again long before what they were told runs out; should nobody be there to do so, it lasts as long as can be said: prefixes and
 * resolvers for ever, the default router for 18 hours.
 * Promises: M and O are 0 (there is no DHCPv6), hop limit 255, the source is the link-local address of the interface that speaks.
 */
import { parseIpv6 } from '../../flows/net/ip.js';
import { eui64LinkLocal, ipv6MulticastMac } from '../../flows/net/mac.js';
import { decodeEthernet } from '../../flows/packet/ethernet.js';
import { decodeIcmpv6, encodeIcmpv6 } from '../../flows/packet/icmp.js';
import { encodeIpFrame } from '../../flows/packet/ip-frame.js';
import { decodeIpv6 } from '../../flows/packet/ipv6.js';
import { decodeNd, encodeNd, INFINITE_LIFETIME, type NdOption, type RouterAdvert } from '../../flows/packet/nd.js';
import { ETH_TYPE, IP_PROTOCOL } from '../../flows/packet/numbers.js';
import { answer, type AdvertisedPrefix, type Advertisement, type PuntedFrame, type RespondContext, type Response } from './contract.js';

/** Where an advertisement goes. */
export interface LinkDestination {
  readonly mac: number;
  readonly address: bigint;
}

/** What hosts were told before and are to forget. */
export interface Withdrawn {
  readonly prefixes: readonly AdvertisedPrefix[];
  readonly dns_servers: readonly bigint[];
}

const ALL_NODES_ADDRESS = parseIpv6('ff02::1');
export const ALL_NODES: LinkDestination = { mac: ipv6MulticastMac(ALL_NODES_ADDRESS), address: ALL_NODES_ADDRESS };

const ND_HOP_LIMIT = 255;
/** What hosts are to put into packets. */
const HOST_HOP_LIMIT = 64;
/** Seconds; the longest there is (RFC 8319). */
const ROUTER_LIFETIME = 0xffff;
const MIN_IPV6_MTU = 1280;
const UNSPECIFIED = 0n;

export function respondRouterSolicit({ data, port_key }: PuntedFrame, context: RespondContext): Response {
  const solicit = receive(data);
  if (solicit === undefined) return answer('malformed');
  const advertisements = context.routerAdvertisements(port_key, solicit.mac);
  if (advertisements.length === 0) return answer('no_lease');
  const to = solicit.address === UNSPECIFIED ? ALL_NODES : solicit;
  return answer('advertised', ...advertisements.map((advertisement) => routerAdvertFrame(advertisement, to)));
}

export function routerAdvertFrame(advertisement: Advertisement, to: LinkDestination, withdrawn?: Withdrawn): Uint8Array {
  const ip = { family: 'ipv6', src: eui64LinkLocal(advertisement.mac), dst: to.address } as const;
  const message = encodeIcmpv6(encodeNd(routerAdvert(advertisement, withdrawn)), ip);
  return encodeIpFrame({ eth_src: advertisement.mac, eth_dst: to.mac, ip, ttl: ND_HOP_LIMIT }, IP_PROTOCOL.ICMPV6, message);
}

function routerAdvert({ mac, is_router, mtu, prefixes, dns_servers }: Advertisement, withdrawn?: Withdrawn): RouterAdvert {
  const options: NdOption[] = [{ kind: 'source_link_address', mac }];
  // A smaller MTU cannot be advertised (RFC 8200 §5).
  if (mtu >= MIN_IPV6_MTU) options.push({ kind: 'mtu', mtu });
  for (const one of prefixes) options.push(prefixOption(one, INFINITE_LIFETIME));
  for (const one of withdrawn?.prefixes ?? []) options.push(prefixOption(one, 0));
  if (dns_servers.length > 0) options.push({ kind: 'rdnss', lifetime: INFINITE_LIFETIME, servers: dns_servers });
  if (withdrawn !== undefined && withdrawn.dns_servers.length > 0)
    options.push({ kind: 'rdnss', lifetime: 0, servers: withdrawn.dns_servers });
  return {
    kind: 'router_advert',
    hop_limit: HOST_HOP_LIMIT,
    managed: false,
    other: false,
    router_lifetime: is_router ? ROUTER_LIFETIME : 0,
    reachable_time: 0,
    retrans_timer: 0,
    options,
  };
}

/** @param lifetime seconds; 0 takes it back */
function prefixOption({ prefix, autonomous }: AdvertisedPrefix, lifetime: number): NdOption {
  return {
    kind: 'prefix_information',
    prefix: prefix.network,
    prefix_length: prefix.prefix,
    on_link: true,
    autonomous,
    valid_lifetime: lifetime,
    preferred_lifetime: lifetime,
  };
}

/** The sender of a solicitation that passes the checks of RFC 4861 §6.1.1 (and RFC 6980: no fragments, here no extension headers at all). */
function receive(data: Uint8Array): LinkDestination | undefined {
  const frame = decodeEthernet(data);
  if (!frame.ok || frame.value.eth_type !== ETH_TYPE.IPV6) return undefined;
  const packet = decodeIpv6(frame.value.payload);
  if (!packet.ok || packet.value.next_header !== IP_PROTOCOL.ICMPV6 || packet.value.hop_limit !== ND_HOP_LIMIT) return undefined;
  const { src, dst, payload } = packet.value;
  const icmp = decodeIcmpv6(payload, { family: 'ipv6', src, dst });
  if (!icmp.ok) return undefined;
  const message = decodeNd(icmp.value);
  if (!message.ok || message.value.kind !== 'router_solicit') return undefined;
  if (src === UNSPECIFIED && message.value.options.some(({ kind }) => kind === 'source_link_address')) return undefined;
  return { mac: frame.value.src, address: src };
}
