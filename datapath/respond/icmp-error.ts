/**
 * ICMP errors of virtual routers: time exceeded and port unreachable (RFC 1812 §4.3, RFC 4443 §2.4).
 *
 * Assumes: the frame may be cut, but not within what is quoted; its source MAC may be that of a router already crossed, its destination MAC is the first router's.
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
import { answer, type PuntedFrame, type RespondContext, type Response } from './contract.js';

export type IcmpErrorPunt = Extract<Punt, { source: Uint8Array }>;

/** Type and code of each error. */
const ERRORS = {
  time_exceeded: { ipv4: [ICMPV4_TYPE.TIME_EXCEEDED, 0], ipv6: [ICMPV6_TYPE.TIME_EXCEEDED, 0] },
  port_unreachable: { ipv4: [ICMPV4_TYPE.UNREACHABLE, 3], ipv6: [ICMPV6_TYPE.UNREACHABLE, 4] },
} as const;

/** Longest IP packet an error may be, and what of it is left for the quotation. */
const QUOTABLE = { ipv4: 576 - IPV4_HEADER - 8, ipv6: 1280 - IPV6_HEADER - 8 } as const;
/** Internetwork control (RFC 1812 §4.3.2.5). */
const IPV4_TOS = 0xc0;
const UNUSED = new Uint8Array(4);

const ICMPV4_ERRORS: readonly number[] = [
  ICMPV4_TYPE.UNREACHABLE,
  ICMPV4_TYPE.SOURCE_QUENCH,
  ICMPV4_TYPE.REDIRECT,
  ICMPV4_TYPE.TIME_EXCEEDED,
  ICMPV4_TYPE.PARAMETER_PROBLEM,
];

/** The packet an error is about: its sender, and as much of it as can be quoted. */
interface Offender {
  readonly sender: Ip;
  readonly quotation: Uint8Array;
}

export function respondIcmpError(punt: IcmpErrorPunt, { data, port_key }: PuntedFrame, context: RespondContext): Response {
  const frame = decodeEthernet(data);
  if (!frame.ok) return answer('malformed');
  const { src, dst, vlan_tci } = frame.value;
  if (vlan_tci !== undefined || isMulticastMac(dst) || isMulticastMac(src)) return answer('not_due');
  const offender = readOffender(frame.value, punt.source.length);
  if (typeof offender === 'string') return answer(offender);
  const { sender, quotation } = offender;
  const [type, code] = ERRORS[punt.kind][sender.family];
  const ip: IpEnds =
    sender.family === 'ipv4'
      ? { family: 'ipv4', src: ipv4FromBytes(punt.source), dst: sender.value }
      : { family: 'ipv6', src: ipv6FromBytes(punt.source), dst: sender.value };
  const envelope = { eth_src: dst, eth_dst: context.macOf(port_key, sender) ?? src, ip, ttl: punt.ttl };
  const message = { type, code, body: concatBytes([UNUSED, quotation]) };
  return answer(
    'sent',
    ip.family === 'ipv4'
      ? encodeIpFrame({ ...envelope, tos: IPV4_TOS }, IP_PROTOCOL.ICMPV4, encodeIcmpv4(message))
      : encodeIpFrame(envelope, IP_PROTOCOL.ICMPV6, encodeIcmpv6(message, ip)),
  );
}

/** @param addressBytes Length of the address the error will come from: of the packet's family, or the punt is not for this packet. */
function readOffender({ eth_type, payload }: EthernetFrame, addressBytes: number): Offender | 'malformed' | 'not_due' {
  if (eth_type === ETH_TYPE.IPV4 && addressBytes === 4) {
    const packet = decodeIpv4(payload, { mayBeCut: true });
    if (!packet.ok) return 'malformed';
    const { src, options, payload: carried } = packet.value;
    if (!isIpv4ErrorDue(packet.value)) return 'not_due';
    const length = IPV4_HEADER + options.length + carried.length;
    return { sender: { family: 'ipv4', value: src }, quotation: payload.subarray(0, Math.min(length, QUOTABLE.ipv4)) };
  }
  if (eth_type === ETH_TYPE.IPV6 && addressBytes === 16) {
    const packet = decodeIpv6(payload, { mayBeCut: true });
    if (!packet.ok) return 'malformed';
    if (!isIpv6ErrorDue(packet.value)) return 'not_due';
    const length = IPV6_HEADER + packet.value.payload.length;
    return { sender: { family: 'ipv6', value: packet.value.src }, quotation: payload.subarray(0, Math.min(length, QUOTABLE.ipv6)) };
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
