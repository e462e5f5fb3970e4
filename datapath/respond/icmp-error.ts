/**
 * ICMP errors: time exceeded and port unreachable of virtual routers (RFC 1812 §4.3, RFC 4443 §2.4), and of the overlay that a packet is too big for it
 * (RFC 1191 §4, RFC 8201 §4).
 *
 * Assumes: the frame may be cut, but not within what is quoted; its source MAC may be that of a router already crossed. Its destination MAC is the first
 * router's, but where it is too big: then it is already that of its destination.
 * Promises: no error is sent where the RFCs forbid one, so errors cannot multiply or answer each other.
 */
import { ipv4FromBytes, ipv6FromBytes, isLoopbackIpv4, isMulticastIpv4, isMulticastIpv6, type Ip } from '../../flows/net/ip.js';
import { isMulticastMac } from '../../flows/net/mac.js';
import type { IpEnds } from '../../flows/packet/checksum.js';
import { concatBytes } from '../../flows/packet/bytes.js';
import { decodeEthernet, type EthernetFrame } from '../../flows/packet/ethernet.js';
import { encodeIcmpv4, encodeIcmpv6 } from '../../flows/packet/icmp.js';
import { encodeIpFrame } from '../../flows/packet/ip-frame.js';
import { decodeIpv4, IPV4_HEADER, type Ipv4Packet } from '../../flows/packet/ipv4.js';
import { decodeIpv6, IPV6_HEADER, walkExtensions, type Ipv6Packet } from '../../flows/packet/ipv6.js';
import { ETH_TYPE, ICMPV4_TYPE, ICMPV6_TYPE, IP_PROTOCOL } from '../../flows/packet/numbers.js';
import type { Punt } from '../../flows/pipeline/punt.js';
import { answer, type Gateway, type PuntedFrame, type RespondContext, type Response } from './contract.js';

export type IcmpErrorPunt = Extract<Punt, { source: Uint8Array } | { kind: 'too_big' }>;

/** Type and code of each error. */
const ERRORS = {
  time_exceeded: { ipv4: [ICMPV4_TYPE.TIME_EXCEEDED, 0], ipv6: [ICMPV6_TYPE.TIME_EXCEEDED, 0] },
  port_unreachable: { ipv4: [ICMPV4_TYPE.UNREACHABLE, 3], ipv6: [ICMPV6_TYPE.UNREACHABLE, 4] },
  too_big: { ipv4: [ICMPV4_TYPE.UNREACHABLE, 4], ipv6: [ICMPV6_TYPE.PACKET_TOO_BIG, 0] },
} as const;

/** Longest IP packet an error may be, and what of it is left for the quotation. */
const QUOTABLE = { ipv4: 576 - IPV4_HEADER - 8, ipv6: 1280 - IPV6_HEADER - 8 } as const;
/** Internetwork control (RFC 1812 §4.3.2.5). */
const IPV4_TOS = 0xc0;
const UNUSED = new Uint8Array(4);
const OWN_TTL = 255;

const ICMPV4_ERRORS: readonly number[] = [
  ICMPV4_TYPE.UNREACHABLE,
  ICMPV4_TYPE.SOURCE_QUENCH,
  ICMPV4_TYPE.REDIRECT,
  ICMPV4_TYPE.TIME_EXCEEDED,
  ICMPV4_TYPE.PARAMETER_PROBLEM,
];

/** The packet an error is about: its ends, and as much of it as can be quoted. */
export interface Offender {
  readonly sender: Ip;
  readonly target: Ip;
  readonly quotation: Uint8Array;
}

export function respondIcmpError(punt: IcmpErrorPunt, punted: PuntedFrame, context: RespondContext): Response {
  const { data, port_key } = punted;
  const frame = decodeEthernet(data);
  if (!frame.ok) return answer('malformed');
  const { src, dst, vlan_tci } = frame.value;
  if (vlan_tci !== undefined || isMulticastMac(dst) || isMulticastMac(src)) return answer('not_due');
  const offender = readOffender(frame.value, 'source' in punt ? punt.source.length : undefined);
  if (typeof offender === 'string') return answer(offender);
  const { sender, quotation } = offender;
  const speaker = 'source' in punt ? { mac: dst, ip: ipOf(punt.source) } : whoSaysTooBig(offender, dst, punted, context);
  const [type, code] = ERRORS[punt.kind][sender.family];
  const ip = { family: sender.family, src: speaker.ip.value, dst: sender.value } as IpEnds;
  const envelope = { eth_src: speaker.mac, eth_dst: context.macOf(port_key, sender) ?? src, ip, ttl: 'ttl' in punt ? punt.ttl : OWN_TTL };
  const message = { type, code, body: concatBytes([punt.kind === 'too_big' ? limit(punted.mtu ?? 0) : UNUSED, quotation]) };
  return answer(
    'sent',
    ip.family === 'ipv4'
      ? encodeIpFrame({ ...envelope, tos: IPV4_TOS }, IP_PROTOCOL.ICMPV4, encodeIcmpv4(message))
      : encodeIpFrame(envelope, IP_PROTOCOL.ICMPV6, encodeIcmpv6(message, ip)),
  );
}

/**
 * The router that took the packet, or, within a segment, where no router is to be seen, the destination itself: a host believes what quotes its packet, and a
 * tunnel has no address of its own in the segment (RFC 4459 §3.2 leaves the source open).
 */
function whoSaysTooBig(
  { sender, target }: Offender,
  mac: number,
  { port_key, router_key = 0 }: PuntedFrame,
  context: RespondContext,
): Gateway {
  const router = router_key === 0 ? undefined : context.gatewayOf(port_key, sender);
  return router ?? { mac, ip: target };
}

/** The next hop's MTU: the lower half in ICMPv4 (RFC 1191), the whole word in ICMPv6. */
function limit(mtu: number): Uint8Array {
  return Uint8Array.of(0, 0, mtu >>> 8, mtu & 0xff);
}

function ipOf(bytes: Uint8Array): Ip {
  return bytes.length === 4 ? { family: 'ipv4', value: ipv4FromBytes(bytes) } : { family: 'ipv6', value: ipv6FromBytes(bytes) };
}

/** @param addressBytes Length of the address the error will come from: of the packet's family, or the punt is not for this packet. undefined: of any family. */
export function readOffender({ eth_type, payload }: EthernetFrame, addressBytes: number | undefined): Offender | 'malformed' | 'not_due' {
  if (eth_type === ETH_TYPE.IPV4 && (addressBytes ?? 4) === 4) {
    const packet = decodeIpv4(payload, { mayBeCut: true });
    if (!packet.ok) return 'malformed';
    const { src, dst, options, payload: carried } = packet.value;
    if (!isIpv4ErrorDue(packet.value)) return 'not_due';
    const length = IPV4_HEADER + options.length + carried.length;
    const quotation = payload.subarray(0, Math.min(length, QUOTABLE.ipv4));
    return { sender: { family: 'ipv4', value: src }, target: { family: 'ipv4', value: dst }, quotation };
  }
  if (eth_type === ETH_TYPE.IPV6 && (addressBytes ?? 16) === 16) {
    const packet = decodeIpv6(payload, { mayBeCut: true });
    if (!packet.ok) return 'malformed';
    if (!isIpv6ErrorDue(packet.value)) return 'not_due';
    const { src, dst, payload: carried } = packet.value;
    const quotation = payload.subarray(0, Math.min(IPV6_HEADER + carried.length, QUOTABLE.ipv6));
    return { sender: { family: 'ipv6', value: src }, target: { family: 'ipv6', value: dst }, quotation };
  }
  return 'malformed';
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
