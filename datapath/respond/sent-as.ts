/**
 * The packet an error is about, as its sender knows it.
 *
 * Assumes: what was changed on the way is its destination, by a translation that conntrack remembers; a changed source is put back by conntrack itself
 * when the error comes back through it.
 * Promises: what is quoted has the address and port the sender wrote, and an IPv4 header checksum that agrees.
 */
import type { Ip } from '../../flows/net/ip.js';
import { internetChecksum } from '../../flows/packet/checksum.js';
import { IPV4_HEADER } from '../../flows/packet/ipv4.js';
import { IPV6_HEADER } from '../../flows/packet/ipv6.js';
import { IP_PROTOCOL } from '../../flows/packet/numbers.js';
import type { Offender } from './offender.js';

/** Where a packet was sent before it was translated. */
export interface SentTo {
  readonly ip: Ip;
  /** TCP or UDP port. */
  readonly port: number | undefined;
}

const IPV4_DESTINATION_AT = 16;
const IPV4_CHECKSUM_AT = 10;
const IPV6_DESTINATION_AT = 24;

export function asSent(offender: Offender, { ip, port }: SentTo): Offender {
  if (ip.family !== offender.target.family || ip.value === offender.target.value) return offender;
  const quotation = offender.quotation.slice();
  const view = new DataView(quotation.buffer);
  let header = IPV6_HEADER;
  if (ip.family === 'ipv4') {
    header = (quotation[0]! & 0xf) * 4;
    view.setUint32(IPV4_DESTINATION_AT, ip.value);
    view.setUint16(IPV4_CHECKSUM_AT, 0);
    view.setUint16(IPV4_CHECKSUM_AT, internetChecksum(quotation.subarray(0, Math.max(header, IPV4_HEADER))));
  } else {
    view.setBigUint64(IPV6_DESTINATION_AT, ip.value >> 64n);
    view.setBigUint64(IPV6_DESTINATION_AT + 8, ip.value & 0xffff_ffff_ffff_ffffn);
  }
  const hasPorts = offender.protocol === IP_PROTOCOL.TCP || offender.protocol === IP_PROTOCOL.UDP;
  if (hasPorts && port !== undefined && quotation.length >= header + 4) view.setUint16(header + 2, port);
  return { ...offender, target: ip, quotation };
}
