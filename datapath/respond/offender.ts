/**
 * The packet an error is about.
 *
 * Owns: what is read of it, and whether the RFCs allow an error about it at all.
 * Assumes: the frame may be cut, but not within what is quoted.
 */
import { isLoopbackIpv4, isMulticastIpv4, isMulticastIpv6, type Ip } from '../../flows/net/ip.js';
import { isMulticastMac } from '../../flows/net/mac.js';
import { decodeEthernet, type EthernetFrame } from '../../flows/packet/ethernet.js';
import { decodeIpv4, IPV4_HEADER, type Ipv4Packet } from '../../flows/packet/ipv4.js';
import { decodeIpv6, IPV6_HEADER, walkExtensions, type Ipv6Packet } from '../../flows/packet/ipv6.js';
import { ETH_TYPE, ICMPV4_TYPE, ICMPV6_TYPE, IP_PROTOCOL } from '../../flows/packet/numbers.js';

export interface Offender {
  readonly eth_src: number;
  readonly eth_dst: number;
  readonly sender: Ip;
  readonly target: Ip;
  readonly protocol: number;
  /** What the protocol's header begins; may be cut. */
  readonly upper: Uint8Array;
  /** Offset in the packet of the field that names the protocol. */
  readonly protocol_at: number;
  /** As much of the packet as can be quoted. */
  readonly quotation: Uint8Array;
}

/** Longest IP packet an error may be, and what of it is left for the quotation (RFC 1812 §4.3.2.3, RFC 4443 §2.4 (c)). */
const QUOTABLE = { ipv4: 576 - IPV4_HEADER - 8, ipv6: 1280 - IPV6_HEADER - 8 } as const;
const IPV4_PROTOCOL_AT = 9;
const IPV6_NEXT_HEADER_AT = 6;

const ICMPV4_ERRORS: readonly number[] = [
  ICMPV4_TYPE.UNREACHABLE,
  ICMPV4_TYPE.SOURCE_QUENCH,
  ICMPV4_TYPE.REDIRECT,
  ICMPV4_TYPE.TIME_EXCEEDED,
  ICMPV4_TYPE.PARAMETER_PROBLEM,
];

/** `not_due`: no error may be sent about it. */
export function readOffender(data: Uint8Array): Offender | 'malformed' | 'not_due' {
  const frame = decodeEthernet(data);
  if (!frame.ok) return 'malformed';
  const { src, dst, vlan_tci, eth_type } = frame.value;
  if (vlan_tci !== undefined || isMulticastMac(dst) || isMulticastMac(src)) return 'not_due';
  if (eth_type === ETH_TYPE.IPV4) return readIpv4(frame.value);
  return eth_type === ETH_TYPE.IPV6 ? readIpv6(frame.value) : 'malformed';
}

function readIpv4({ src: eth_src, dst: eth_dst, payload }: EthernetFrame): Offender | 'malformed' | 'not_due' {
  const packet = decodeIpv4(payload, { mayBeCut: true });
  if (!packet.ok) return 'malformed';
  const { src, dst, protocol, options, payload: upper } = packet.value;
  if (!isIpv4ErrorDue(packet.value)) return 'not_due';
  const length = IPV4_HEADER + options.length + upper.length;
  return {
    eth_src,
    eth_dst,
    sender: { family: 'ipv4', value: src },
    target: { family: 'ipv4', value: dst },
    protocol,
    upper,
    protocol_at: IPV4_PROTOCOL_AT,
    quotation: payload.subarray(0, Math.min(length, QUOTABLE.ipv4)),
  };
}

function readIpv6({ src: eth_src, dst: eth_dst, payload }: EthernetFrame): Offender | 'malformed' | 'not_due' {
  const packet = decodeIpv6(payload, { mayBeCut: true });
  if (!packet.ok) return 'malformed';
  const { src, dst, payload: carried } = packet.value;
  const walked = walkExtensions(packet.value);
  if (!walked.ok || !isIpv6ErrorDue(packet.value)) return 'not_due';
  const { protocol, payload: upper, named_at } = walked.value;
  return {
    eth_src,
    eth_dst,
    sender: { family: 'ipv6', value: src },
    target: { family: 'ipv6', value: dst },
    protocol,
    upper,
    protocol_at: named_at === undefined ? IPV6_NEXT_HEADER_AT : IPV6_HEADER + named_at,
    quotation: payload.subarray(0, Math.min(IPV6_HEADER + carried.length, QUOTABLE.ipv6)),
  };
}

/** RFC 1812 §4.3.2.7. */
function isIpv4ErrorDue({ src, dst, protocol, fragment_offset, payload }: Ipv4Packet): boolean {
  if (fragment_offset > 0 || !isIpv4Host(dst) || !isIpv4Host(src)) return false;
  return protocol !== IP_PROTOCOL.ICMPV4 || (payload.length > 0 && !ICMPV4_ERRORS.includes(payload[0]!));
}

/** Names one host: not 0.0.0.0/8 (this network), loopback, multicast, reserved or broadcast. */
function isIpv4Host(address: number): boolean {
  return address >>> 24 !== 0 && !isLoopbackIpv4(address) && !isMulticastIpv4(address) && address >>> 28 !== 0xf;
}

/** RFC 4443 §2.4 (e); later fragments are left out as in IPv4: what they belong to cannot be told. */
function isIpv6ErrorDue(packet: Ipv6Packet): boolean {
  if (!isIpv6Host(packet.src) || !isIpv6Host(packet.dst)) return false;
  const upper = walkExtensions(packet);
  if (!upper.ok || (upper.value.fragment?.offset ?? 0) > 0) return false;
  const { protocol, payload } = upper.value;
  if (protocol !== IP_PROTOCOL.ICMPV6) return true;
  const type = payload[0] ?? 0;
  return type >= ICMPV6_TYPE.FIRST_INFORMATIONAL && type !== ICMPV6_TYPE.REDIRECT;
}

/** Names one host: not unspecified, loopback or multicast. */
function isIpv6Host(address: bigint): boolean {
  return address > 1n && !isMulticastIpv6(address);
}
