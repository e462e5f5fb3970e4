/**
 * What a reject rule answers: a TCP reset, or ICMP unreachable (RFC 9293 §3.10.7.1, RFC 792, RFC 4443 §3.1).
 *
 * Assumes: the frame may be cut, but not within what is quoted; the addresses of a local sender were checked before.
 * Promises: nothing is answered to an ICMP error, a reset, a later fragment, or to what is not for one host: two that reject cannot answer each other.
 * What the sender's own rules reject is answered at its port. What the receiver's rules reject is answered in the receiver's name and sent through the
 * pipeline like a packet of its own, over routers and to other hypervisors, but past the policy of a receiver on this one.
 */
import { isMulticastMac } from '../../flows/net/mac.js';
import { concatBytes } from '../../flows/packet/bytes.js';
import type { IpEnds } from '../../flows/packet/checksum.js';
import { decodeEthernet, type EthernetFrame } from '../../flows/packet/ethernet.js';
import { encodeIcmpv4, encodeIcmpv6 } from '../../flows/packet/icmp.js';
import { encodeIpFrame } from '../../flows/packet/ip-frame.js';
import { decodeIpv4 } from '../../flows/packet/ipv4.js';
import { decodeIpv6, walkExtensions } from '../../flows/packet/ipv6.js';
import { ETH_TYPE, ICMPV4_TYPE, ICMPV6_TYPE, IP_PROTOCOL } from '../../flows/packet/numbers.js';
import { decodeTcp, encodeTcp, TCP_FLAG } from '../../flows/packet/tcp.js';
import { resubmit } from '../../flows/pipeline/build.js';
import type { PolicyPunt } from '../../flows/pipeline/punt.js';
import { regLoad } from '../../flows/pipeline/registers.js';
import { answer, type PuntedFrame, type Response } from './contract.js';
import { readOffender } from './icmp-error.js';

const UNUSED = new Uint8Array(4);
const NOTHING = new Uint8Array(0);
/** Port unreachable for UDP, administratively prohibited for the rest. */
const UNREACHABLE = {
  ipv4: { udp: [ICMPV4_TYPE.UNREACHABLE, 3], other: [ICMPV4_TYPE.UNREACHABLE, 13] },
  ipv6: { udp: [ICMPV6_TYPE.UNREACHABLE, 4], other: [ICMPV6_TYPE.UNREACHABLE, 1] },
} as const;

export function respondReject({ direction }: PolicyPunt, { data, registers }: PuntedFrame): Response {
  const frame = decodeEthernet(data);
  if (!frame.ok) return answer('malformed');
  const { src, dst, vlan_tci } = frame.value;
  if (vlan_tci !== undefined || isMulticastMac(dst) || isMulticastMac(src)) return answer('not_due');
  const reply = replyTo(frame.value);
  if (reply === 'malformed' || reply === 'not_due') return answer(reply);
  if (direction === 'egress') return answer('sent', reply);
  if (registers === undefined) return answer('malformed');
  const { metadata, destination_port } = registers;
  const actions = [
    { kind: 'set_field', field: 'metadata', value: metadata } as const,
    regLoad('source_port', destination_port),
    regLoad('skip_policy', 1),
    resubmit('L2L3'),
  ];
  return { outcome: 'sent', frames: [], injected: [{ data: reply, actions }] };
}

function replyTo(frame: EthernetFrame): Uint8Array | 'malformed' | 'not_due' {
  const { src, dst, eth_type, payload } = frame;
  const upper = upperOf(eth_type, payload);
  if (upper === undefined) return 'malformed';
  const { ends, protocol, bytes } = upper;
  const back: IpEnds =
    ends.family === 'ipv4' ? { family: 'ipv4', src: ends.dst, dst: ends.src } : { family: 'ipv6', src: ends.dst, dst: ends.src };
  const envelope = { eth_src: dst, eth_dst: src, ip: back };
  const offender = readOffender(frame, ends.family === 'ipv4' ? 4 : 16);
  if (typeof offender === 'string') return offender;
  if (protocol === IP_PROTOCOL.TCP) {
    const segment = decodeTcp(bytes);
    if (!segment.ok) return 'malformed';
    const { flags, seq, ack, src_port, dst_port, payload: carried } = segment.value;
    if ((flags & TCP_FLAG.RST) !== 0) return 'not_due';
    const acknowledges = (flags & TCP_FLAG.ACK) !== 0;
    const length = carried.length + ((flags & TCP_FLAG.SYN) !== 0 ? 1 : 0) + ((flags & TCP_FLAG.FIN) !== 0 ? 1 : 0);
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
    return encodeIpFrame(envelope, IP_PROTOCOL.TCP, encodeTcp(reset, back));
  }
  const [type, code] = UNREACHABLE[ends.family][protocol === IP_PROTOCOL.UDP ? 'udp' : 'other'];
  const message = { type, code, body: concatBytes([UNUSED, offender.quotation]) };
  return back.family === 'ipv4'
    ? encodeIpFrame(envelope, IP_PROTOCOL.ICMPV4, encodeIcmpv4(message))
    : encodeIpFrame(envelope, IP_PROTOCOL.ICMPV6, encodeIcmpv6(message, back));
}

interface Upper {
  readonly ends: IpEnds;
  readonly protocol: number;
  readonly bytes: Uint8Array;
}

/** Addresses and upper-layer packet, which may be cut. */
export function upperOf(eth_type: number, payload: Uint8Array): Upper | undefined {
  if (eth_type === ETH_TYPE.IPV4) {
    const packet = decodeIpv4(payload, { mayBeCut: true });
    if (!packet.ok) return undefined;
    const { src, dst, protocol, payload: bytes } = packet.value;
    return { ends: { family: 'ipv4', src, dst }, protocol, bytes };
  }
  if (eth_type !== ETH_TYPE.IPV6) return undefined;
  const packet = decodeIpv6(payload, { mayBeCut: true });
  const upper = packet.ok ? walkExtensions(packet.value) : packet;
  if (!packet.ok || !upper.ok) return undefined;
  const { src, dst } = packet.value;
  return { ends: { family: 'ipv6', src, dst }, protocol: upper.value.protocol, bytes: upper.value.payload };
}
