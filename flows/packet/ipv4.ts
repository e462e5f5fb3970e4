/**
 * IPv4 packets (RFC 791).
 *
 * Promises: a decoded packet has a right header checksum, and its `payload` ends where the packet says, without the padding of the frame.
 */
import { viewOf } from './bytes.js';
import { internetChecksum } from './checksum.js';
import { decoded, failed, type Decoded } from './decoded.js';

export interface Ipv4Packet {
  /** DSCP and ECN, 8 bits. */
  readonly tos: number;
  readonly id: number;
  readonly dont_fragment: boolean;
  readonly more_fragments: boolean;
  /** Bytes, a multiple of 8; not 0 in every fragment but the first. */
  readonly fragment_offset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly src: number;
  readonly dst: number;
  /** As they are, padded to a multiple of 4; up to 40 bytes. */
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
}

export const IPV4_HEADER = 20;
const MAX_OPTIONS = 40;
const MAX_LENGTH = 0xffff;
const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const OFFSET_MASK = 0x1fff;

/** @param mayBeCut The packet may go on where `bytes` end: `payload` is then what there is of it. */
export function decodeIpv4(bytes: Uint8Array, { mayBeCut = false }: { mayBeCut?: boolean } = {}): Decoded<Ipv4Packet> {
  if (bytes.length < IPV4_HEADER) return failed('ipv4', 'truncated');
  const view = viewOf(bytes);
  const first = view.getUint8(0);
  if (first >> 4 !== 4) return failed('ipv4', 'bad_version');
  const header = (first & 0x0f) * 4;
  const length = view.getUint16(2);
  if (header < IPV4_HEADER || header > bytes.length || length < header || (length > bytes.length && !mayBeCut))
    return failed('ipv4', 'bad_length');
  if (internetChecksum(bytes.subarray(0, header)) !== 0) return failed('ipv4', 'bad_checksum');
  const fragment = view.getUint16(6);
  return decoded({
    tos: view.getUint8(1),
    id: view.getUint16(4),
    dont_fragment: (fragment & DONT_FRAGMENT) !== 0,
    more_fragments: (fragment & MORE_FRAGMENTS) !== 0,
    fragment_offset: (fragment & OFFSET_MASK) * 8,
    ttl: view.getUint8(8),
    protocol: view.getUint8(9),
    src: view.getUint32(12),
    dst: view.getUint32(16),
    options: bytes.subarray(IPV4_HEADER, header),
    payload: bytes.subarray(header, length),
  });
}

/** Length and checksum are filled in. @throws RangeError for options or a packet of an impossible length. */
export function encodeIpv4(packet: Ipv4Packet): Uint8Array {
  const header = IPV4_HEADER + packet.options.length;
  const length = header + packet.payload.length;
  if (packet.options.length % 4 !== 0 || packet.options.length > MAX_OPTIONS)
    throw new RangeError(`IPv4 options cannot have ${packet.options.length} bytes`);
  if (length > MAX_LENGTH) throw new RangeError(`an IPv4 packet cannot have ${length} bytes`);
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  view.setUint8(0, 0x40 | (header / 4));
  view.setUint8(1, packet.tos);
  view.setUint16(2, length);
  view.setUint16(4, packet.id);
  view.setUint16(
    6,
    (packet.dont_fragment ? DONT_FRAGMENT : 0) | (packet.more_fragments ? MORE_FRAGMENTS : 0) | (packet.fragment_offset / 8),
  );
  view.setUint8(8, packet.ttl);
  view.setUint8(9, packet.protocol);
  view.setUint32(12, packet.src);
  view.setUint32(16, packet.dst);
  bytes.set(packet.options, IPV4_HEADER);
  view.setUint16(10, internetChecksum(bytes.subarray(0, header)));
  bytes.set(packet.payload, header);
  return bytes;
}
