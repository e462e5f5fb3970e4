/**
 * UDP datagrams (RFC 768).
 *
 * Promises: `payload` of a decoded datagram ends where the datagram says. The checksum is not verified by `decodeUdp`: a NIC that offloads checksums hands
 * packets of its own VM to the switch with the checksum still to be filled in.
 */
import { viewOf } from './bytes.js';
import { transportChecksum, type IpEnds } from './checksum.js';
import { decoded, failed, type Decoded } from './decoded.js';
import { IP_PROTOCOL } from './numbers.js';

export interface UdpDatagram {
  readonly src_port: number;
  readonly dst_port: number;
  readonly payload: Uint8Array;
}

const HEADER = 8;
const MAX_LENGTH = 0xffff;

export function decodeUdp(bytes: Uint8Array): Decoded<UdpDatagram> {
  if (bytes.length < HEADER) return failed('udp', 'truncated');
  const view = viewOf(bytes);
  const length = view.getUint16(4);
  if (length < HEADER || length > bytes.length) return failed('udp', 'bad_length');
  return decoded({ src_port: view.getUint16(0), dst_port: view.getUint16(2), payload: bytes.subarray(HEADER, length) });
}

/** Length and checksum are filled in. @throws RangeError for a datagram over 65,535 bytes. */
export function encodeUdp(datagram: UdpDatagram, ends: IpEnds): Uint8Array {
  const length = HEADER + datagram.payload.length;
  if (length > MAX_LENGTH) throw new RangeError(`a UDP datagram cannot have ${length} bytes`);
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  view.setUint16(0, datagram.src_port);
  view.setUint16(2, datagram.dst_port);
  view.setUint16(4, length);
  bytes.set(datagram.payload, HEADER);
  // 0 would mean "no checksum".
  view.setUint16(6, transportChecksum(ends, IP_PROTOCOL.UDP, bytes) || 0xffff);
  return bytes;
}
