/**
 * ICMP for both families (RFC 792, RFC 4443): the common header.
 *
 * Promises: a decoded message has a right checksum.
 */
import { viewOf } from './bytes.js';
import { internetChecksum, transportChecksum, type IpEnds } from './checksum.js';
import { decoded, failed, type Decoded } from './decoded.js';
import { IP_PROTOCOL } from './numbers.js';

export interface IcmpMessage {
  readonly type: number;
  readonly code: number;
  /** What follows the checksum: at least 4 bytes. */
  readonly body: Uint8Array;
}

const HEADER = 4;
const MIN_LENGTH = 8;

export function decodeIcmpv4(bytes: Uint8Array): Decoded<IcmpMessage> {
  if (bytes.length < MIN_LENGTH) return failed('icmpv4', 'truncated');
  return internetChecksum(bytes) === 0 ? decoded(messageOf(bytes)) : failed('icmpv4', 'bad_checksum');
}

export function decodeIcmpv6(bytes: Uint8Array, ends: IpEnds): Decoded<IcmpMessage> {
  if (bytes.length < MIN_LENGTH) return failed('icmpv6', 'truncated');
  return transportChecksum(ends, IP_PROTOCOL.ICMPV6, bytes) === 0 ? decoded(messageOf(bytes)) : failed('icmpv6', 'bad_checksum');
}

export function encodeIcmpv4(message: IcmpMessage): Uint8Array {
  const bytes = withoutChecksum(message);
  viewOf(bytes).setUint16(2, internetChecksum(bytes));
  return bytes;
}

export function encodeIcmpv6(message: IcmpMessage, ends: IpEnds): Uint8Array {
  const bytes = withoutChecksum(message);
  viewOf(bytes).setUint16(2, transportChecksum(ends, IP_PROTOCOL.ICMPV6, bytes));
  return bytes;
}

function messageOf(bytes: Uint8Array): IcmpMessage {
  return { type: bytes[0]!, code: bytes[1]!, body: bytes.subarray(HEADER) };
}

function withoutChecksum({ type, code, body }: IcmpMessage): Uint8Array {
  const bytes = new Uint8Array(HEADER + body.length);
  bytes[0] = type;
  bytes[1] = code;
  bytes.set(body, HEADER);
  return bytes;
}
