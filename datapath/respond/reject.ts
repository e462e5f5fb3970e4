/**
 * What a reject rule answers: a TCP reset, or ICMP unreachable (RFC 9293 §3.10.7.1, RFC 792, RFC 4443 §3.1).
 *
 * Assumes: the frame may be cut, but not within what is quoted; the addresses of a local sender were checked before.
 * Promises: nothing is answered to an ICMP error, a reset, a later fragment, or to what is not for one host: two that reject cannot answer each other.
 * What the sender's own rules reject is answered at its port. What the receiver's rules reject is answered in the receiver's name and sent through the
 * pipeline like a packet of its own, over routers and to other hypervisors, but past the policy of a receiver on this one.
 */
import { concatBytes } from '../../flows/packet/bytes.js';
import type { IpEnds } from '../../flows/packet/checksum.js';
import { encodeIcmpv4, encodeIcmpv6 } from '../../flows/packet/icmp.js';
import { encodeIpFrame } from '../../flows/packet/ip-frame.js';
import { decodeIpv4 } from '../../flows/packet/ipv4.js';
import { decodeIpv6, walkExtensions } from '../../flows/packet/ipv6.js';
import { ETH_TYPE, ICMPV4_TYPE, ICMPV6_TYPE, IP_PROTOCOL } from '../../flows/packet/numbers.js';
import { resubmit } from '../../flows/pipeline/build.js';
import type { PolicyPunt } from '../../flows/pipeline/punt.js';
import { regLoad } from '../../flows/pipeline/registers.js';
import { answer, type PuntedFrame, type Response } from './contract.js';
import { readOffender, type Offender } from './offender.js';
import { resetFor } from './tcp-reset.js';

const UNUSED = new Uint8Array(4);
/** Port unreachable for UDP, administratively prohibited for the rest. */
const UNREACHABLE = {
  ipv4: { udp: [ICMPV4_TYPE.UNREACHABLE, 3], other: [ICMPV4_TYPE.UNREACHABLE, 13] },
  ipv6: { udp: [ICMPV6_TYPE.UNREACHABLE, 4], other: [ICMPV6_TYPE.UNREACHABLE, 1] },
} as const;

export function respondReject({ direction }: PolicyPunt, { data, registers }: PuntedFrame): Response {
  const offender = readOffender(data);
  if (typeof offender === 'string') return answer(offender);
  const reply = replyTo(offender);
  if (typeof reply === 'string') return answer(reply);
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

function replyTo({ eth_src, eth_dst, sender, target, protocol, upper, quotation }: Offender): Uint8Array | 'malformed' | 'not_due' {
  const back = { family: sender.family, src: target.value, dst: sender.value } as IpEnds;
  const envelope = { eth_src: eth_dst, eth_dst: eth_src, ip: back };
  if (protocol === IP_PROTOCOL.TCP) {
    const reset = resetFor(upper, back);
    return typeof reset === 'string' ? reset : encodeIpFrame(envelope, IP_PROTOCOL.TCP, reset);
  }
  const [type, code] = UNREACHABLE[back.family][protocol === IP_PROTOCOL.UDP ? 'udp' : 'other'];
  const message = { type, code, body: concatBytes([UNUSED, quotation]) };
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
