/**
 * IPv6 packets and their extension headers (RFC 8200).
 *
 * Promises: `payload` of a decoded packet ends where the packet says; the walk over extension headers is linear in the bytes it passes.
 */
import { getIpv6, setIpv6, viewOf } from './bytes.js';
import { decoded, failed, type Decoded } from './decoded.js';
import { IP_PROTOCOL } from './numbers.js';

export interface Ipv6Packet {
  readonly traffic_class: number;
  /** 20 bits. */
  readonly flow_label: number;
  /** What `payload` begins with: an extension header or the upper layer. */
  readonly next_header: number;
  readonly hop_limit: number;
  readonly src: bigint;
  readonly dst: bigint;
  readonly payload: Uint8Array;
}

export interface Ipv6Fragment {
  /** Bytes, a multiple of 8. */
  readonly offset: number;
  readonly more_fragments: boolean;
  readonly id: number;
}

export interface Ipv6Upper {
  /** The first header that is not an extension header known here; that of the first fragment's content in later fragments. */
  readonly protocol: number;
  /** Absent for whole packets, those with an atomic fragment header (RFC 6946) among them. */
  readonly fragment: Ipv6Fragment | undefined;
  /** From the header `protocol` on; not a header at all in later fragments. */
  readonly payload: Uint8Array;
  /** Offset in the packet's payload of the extension header that names `protocol` in its first byte; absent where the packet's own header does. */
  readonly named_at: number | undefined;
}

export const IPV6_HEADER = 40;
const MAX_PAYLOAD = 0xffff;
const FRAGMENT_HEADER = 8;

/**
 * Jumbograms (RFC 2675) are not supported.
 * @param mayBeCut The packet may go on where `bytes` end: `payload` is then what there is of it.
 */
export function decodeIpv6(bytes: Uint8Array, { mayBeCut = false }: { mayBeCut?: boolean } = {}): Decoded<Ipv6Packet> {
  if (bytes.length < IPV6_HEADER) return failed('ipv6', 'truncated');
  const view = viewOf(bytes);
  const first = view.getUint32(0);
  if (first >>> 28 !== 6) return failed('ipv6', 'bad_version');
  const length = view.getUint16(4);
  if (IPV6_HEADER + length > bytes.length && !mayBeCut) return failed('ipv6', 'bad_length');
  return decoded({
    traffic_class: (first >>> 20) & 0xff,
    flow_label: first & 0xfffff,
    next_header: view.getUint8(6),
    hop_limit: view.getUint8(7),
    src: getIpv6(view, 8),
    dst: getIpv6(view, 24),
    payload: bytes.subarray(IPV6_HEADER, IPV6_HEADER + length),
  });
}

/** Walks hop-by-hop, routing, destination, fragment and authentication headers; stops at anything else, and behind the header of a later fragment. */
export function walkExtensions(packet: Pick<Ipv6Packet, 'next_header' | 'payload'>): Decoded<Ipv6Upper> {
  let protocol = packet.next_header;
  let payload = packet.payload;
  let fragment: Ipv6Fragment | undefined;
  let named_at: number | undefined;
  while (isExtension(protocol)) {
    if (payload.length < 8) return failed('ipv6', 'truncated');
    const view = viewOf(payload);
    const length = extensionLength(protocol, view.getUint8(1));
    if (length > payload.length) return failed('ipv6', 'bad_length');
    if (protocol === IP_PROTOCOL.FRAGMENT) {
      const word = view.getUint16(2);
      if (word !== 0) fragment = { offset: word & 0xfff8, more_fragments: (word & 1) === 1, id: view.getUint32(4) };
    }
    protocol = view.getUint8(0);
    named_at = packet.payload.length - payload.length;
    payload = payload.subarray(length);
    if (fragment !== undefined && fragment.offset > 0) break;
  }
  return decoded({ protocol, fragment, payload, named_at });
}

function isExtension(protocol: number): boolean {
  switch (protocol) {
    case IP_PROTOCOL.HOP_BY_HOP:
    case IP_PROTOCOL.ROUTING:
    case IP_PROTOCOL.FRAGMENT:
    case IP_PROTOCOL.AH:
    case IP_PROTOCOL.DESTINATION_OPTIONS:
      return true;
    default:
      return false;
  }
}

/** At least 8 for every header, so a walk always advances. */
function extensionLength(protocol: number, lengthField: number): number {
  if (protocol === IP_PROTOCOL.FRAGMENT) return FRAGMENT_HEADER;
  return protocol === IP_PROTOCOL.AH ? (lengthField + 2) * 4 : (lengthField + 1) * 8;
}

/** The length is filled in. @throws RangeError for a payload over 65,535 bytes. */
export function encodeIpv6(packet: Ipv6Packet): Uint8Array {
  if (packet.payload.length > MAX_PAYLOAD) throw new RangeError(`an IPv6 payload cannot have ${packet.payload.length} bytes`);
  const bytes = new Uint8Array(IPV6_HEADER + packet.payload.length);
  const view = viewOf(bytes);
  view.setUint32(0, 0x6000_0000 + packet.traffic_class * 2 ** 20 + packet.flow_label);
  view.setUint16(4, packet.payload.length);
  view.setUint8(6, packet.next_header);
  view.setUint8(7, packet.hop_limit);
  setIpv6(view, 8, packet.src);
  setIpv6(view, 24, packet.dst);
  bytes.set(packet.payload, IPV6_HEADER);
  return bytes;
}
