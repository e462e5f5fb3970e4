/**
 * TCP segments (RFC 9293). The checksum is not verified, for the reason udp.ts gives.
 */
import { viewOf } from './bytes.js';
import { transportChecksum, type IpEnds } from './checksum.js';
import { decoded, failed, type Decoded } from './decoded.js';
import { IP_PROTOCOL } from './numbers.js';

export interface TcpSegment {
  readonly src_port: number;
  readonly dst_port: number;
  readonly seq: number;
  readonly ack: number;
  /** 12 bits; TCP_FLAG. */
  readonly flags: number;
  readonly window: number;
  readonly urgent: number;
  /** As they are, padded to a multiple of 4; up to 40 bytes. */
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
}

export const TCP_FLAG = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32 } as const;

const HEADER = 20;
const MAX_OPTIONS = 40;

export function decodeTcp(bytes: Uint8Array): Decoded<TcpSegment> {
  if (bytes.length < HEADER) return failed('tcp', 'truncated');
  const view = viewOf(bytes);
  const control = view.getUint16(12);
  const header = (control >> 12) * 4;
  if (header < HEADER || header > bytes.length) return failed('tcp', 'bad_length');
  return decoded({
    src_port: view.getUint16(0),
    dst_port: view.getUint16(2),
    seq: view.getUint32(4),
    ack: view.getUint32(8),
    flags: control & 0xfff,
    window: view.getUint16(14),
    urgent: view.getUint16(18),
    options: bytes.subarray(HEADER, header),
    payload: bytes.subarray(header),
  });
}

/** The checksum is filled in. @throws RangeError for options of an impossible length. */
export function encodeTcp(segment: TcpSegment, ends: IpEnds): Uint8Array {
  if (segment.options.length % 4 !== 0 || segment.options.length > MAX_OPTIONS)
    throw new RangeError(`TCP options cannot have ${segment.options.length} bytes`);
  const header = HEADER + segment.options.length;
  const bytes = new Uint8Array(header + segment.payload.length);
  const view = viewOf(bytes);
  view.setUint16(0, segment.src_port);
  view.setUint16(2, segment.dst_port);
  view.setUint32(4, segment.seq);
  view.setUint32(8, segment.ack);
  view.setUint16(12, ((header / 4) << 12) | segment.flags);
  view.setUint16(14, segment.window);
  view.setUint16(18, segment.urgent);
  bytes.set(segment.options, HEADER);
  bytes.set(segment.payload, header);
  view.setUint16(16, transportChecksum(ends, IP_PROTOCOL.TCP, bytes));
  return bytes;
}
