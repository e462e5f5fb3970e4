/**
 * The reset that answers a TCP segment nobody listens for (RFC 9293 §3.10.7.1).
 */
import type { IpEnds } from '../../flows/packet/checksum.js';
import { decodeTcp, encodeTcp, TCP_FLAG } from '../../flows/packet/tcp.js';

const NOTHING = new Uint8Array(0);

/** @param bytes the segment, which may be cut. @param back ends of the answer. @returns `not_due` for a reset. */
export function resetFor(bytes: Uint8Array, back: IpEnds): Uint8Array | 'malformed' | 'not_due' {
  const segment = decodeTcp(bytes);
  if (!segment.ok) return 'malformed';
  const { flags, seq, ack, src_port, dst_port, payload } = segment.value;
  if ((flags & TCP_FLAG.RST) !== 0) return 'not_due';
  const acknowledges = (flags & TCP_FLAG.ACK) !== 0;
  const length = payload.length + ((flags & TCP_FLAG.SYN) !== 0 ? 1 : 0) + ((flags & TCP_FLAG.FIN) !== 0 ? 1 : 0);
  const reset = {
    src_port: dst_port,
    dst_port: src_port,
    seq: acknowledges ? ack : 0,
    ack: acknowledges ? 0 : (seq + length) >>> 0,
    flags: acknowledges ? TCP_FLAG.RST : TCP_FLAG.RST | TCP_FLAG.ACK,
    window: 0,
    urgent: 0,
    options: NOTHING,
    payload: NOTHING,
  };
  return encodeTcp(reset, back);
}
