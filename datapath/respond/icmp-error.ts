/**
 * ICMP errors: of virtual routers (RFC 1812 §4.3 and §5.2.7, RFC 4443 §3), and of the overlay that a packet is too big for it (RFC 1191 §4, RFC 8201 §4).
 *
 * Assumes: the source MAC of the frame may be that of a router already crossed. Its destination MAC is the first router's, but where it is too big: then it
 * is already that of its destination.
 * Promises: an error comes from the address of the router port by which the packet came to the router that speaks: the one in the sender's own network if
 * there is one, else the lowest (RFC 1812 §4.3.2.4). What a router itself was addressed for is refused from that address, TCP by a reset (RFC 9293
 * §3.5.2). No error is sent where the RFCs forbid one, so errors cannot multiply or answer each other.
 */
import { eui64LinkLocal } from '../../flows/net/mac.js';
import type { Ip } from '../../flows/net/ip.js';
import type { Action } from '../../flows/openflow/action.js';
import { resubmit } from '../../flows/pipeline/build.js';
import { enterSegment, regLoad } from '../../flows/pipeline/registers.js';
import type { IpEnds } from '../../flows/packet/checksum.js';
import { concatBytes } from '../../flows/packet/bytes.js';
import { encodeIcmpv4, encodeIcmpv6 } from '../../flows/packet/icmp.js';
import { encodeIpFrame, type Envelope } from '../../flows/packet/ip-frame.js';
import { ICMPV4_TYPE, ICMPV6_TYPE, IP_PROTOCOL } from '../../flows/packet/numbers.js';
import { answer, type Gateway, type PuntedFrame, type RespondContext, type Response, type TranslatedAddress } from './contract.js';
import { readOffender, type Offender } from './offender.js';
import { asSent } from './sent-as.js';
import { resetFor } from './tcp-reset.js';

/** Type and code of each error. */
const ERRORS = {
  time_exceeded: { ipv4: [ICMPV4_TYPE.TIME_EXCEEDED, 0], ipv6: [ICMPV6_TYPE.TIME_EXCEEDED, 0] },
  net_unreachable: { ipv4: [ICMPV4_TYPE.UNREACHABLE, 0], ipv6: [ICMPV6_TYPE.UNREACHABLE, 0] },
  host_unreachable: { ipv4: [ICMPV4_TYPE.UNREACHABLE, 1], ipv6: [ICMPV6_TYPE.UNREACHABLE, 3] },
  port_unreachable: { ipv4: [ICMPV4_TYPE.UNREACHABLE, 3], ipv6: [ICMPV6_TYPE.UNREACHABLE, 4] },
  prohibited: { ipv4: [ICMPV4_TYPE.UNREACHABLE, 13], ipv6: [ICMPV6_TYPE.UNREACHABLE, 1] },
  protocol_unreachable: { ipv4: [ICMPV4_TYPE.UNREACHABLE, 2], ipv6: [ICMPV6_TYPE.PARAMETER_PROBLEM, 1] },
  /** IPv4 has no such scopes; nothing asks for it. */
  beyond_scope: { ipv4: [ICMPV4_TYPE.UNREACHABLE, 0], ipv6: [ICMPV6_TYPE.UNREACHABLE, 2] },
  too_big: { ipv4: [ICMPV4_TYPE.UNREACHABLE, 4], ipv6: [ICMPV6_TYPE.PACKET_TOO_BIG, 0] },
} as const;

export type IcmpErrorKind = keyof typeof ERRORS;

/** Internetwork control (RFC 1812 §4.3.2.5). */
const IPV4_TOS = 0xc0;
const OWN_TTL = 255;

export function respondIcmpError(kind: IcmpErrorKind, punted: PuntedFrame, context: RespondContext): Response {
  const read = readOffender(punted.data);
  if (typeof read === 'string') return answer(read);
  const offender = punted.sent_to === undefined ? read : asSent(read, punted.sent_to);
  const deliver = (frame: Uint8Array): Response => deliverTo(offender.sender, frame, punted, context);
  const speaker = speakerOf(kind, offender, punted, context);
  if (speaker === undefined) return answer('not_due');
  const { sender } = offender;
  const ip = { family: sender.family, src: speaker.ip.value, dst: sender.value } as IpEnds;
  const eth_dst = translatedSender(sender, punted, context)?.mac ?? context.macOf(punted.port_key, sender) ?? offender.eth_src;
  const envelope: Envelope = { eth_src: speaker.mac, eth_dst, ip, ttl: OWN_TTL - routersBack(kind, punted) };
  if (kind === 'port_unreachable' && offender.protocol === IP_PROTOCOL.TCP) {
    const reset = resetFor(offender.upper, ip);
    return typeof reset === 'string' ? answer(reset) : deliver(encodeIpFrame(envelope, IP_PROTOCOL.TCP, reset));
  }

  const [type, code] = ERRORS[kind][sender.family];
  const message = { type, code, body: concatBytes([secondWord(kind, offender, punted), offender.quotation]) };
  return deliver(
    ip.family === 'ipv4'
      ? encodeIpFrame({ ...envelope, tos: IPV4_TOS }, IP_PROTOCOL.ICMPV4, encodeIcmpv4(message))
      : encodeIpFrame(envelope, IP_PROTOCOL.ICMPV6, encodeIcmpv6(message, ip)),
  );
}

/**
 * Out of the port it came from, but for senders who are known by another address here: what is sent to that address finds them. Those on other hypervisors
 * are sent to by the router that speaks; on that way nothing is translated, so that they see who speaks.
 */
function deliverTo(sender: Ip, data: Uint8Array, punted: PuntedFrame, context: RespondContext): Response {
  const { metadata = 0n, router_key = 0 } = punted;
  const inject = (...actions: readonly Action[]): Response => ({
    outcome: 'sent',
    frames: [],
    injected: [{ data, actions: [...actions.slice(0, -1), regLoad('skip_policy', 1), ...actions.slice(-1)] }],
  });
  const known = translatedSender(sender, punted, context);
  if (known !== undefined) return inject(enterSegment(known.segment_key, Number(metadata >> 32n)), resubmit('L2L3'));
  if (punted.is_remote !== true || router_key === 0) return answer('sent', data);
  return inject(enterMetadata(metadata), regLoad('router', router_key), regLoad('nat_exempt', 1), resubmit('FIB'));
}

function enterMetadata(value: bigint): Action {
  return { kind: 'set_field', field: 'metadata', value };
}

function translatedSender(sender: Ip, { metadata = 0n }: PuntedFrame, context: RespondContext): TranslatedAddress | undefined {
  return context.translated(Number(metadata >> 32n), sender);
}

function speakerOf(kind: IcmpErrorKind, offender: Offender, punted: PuntedFrame, context: RespondContext): Gateway | undefined {
  const { eth_dst: mac, sender, target } = offender;
  if (kind === 'too_big') return whoSaysTooBig(offender, punted, context);
  if (kind === 'port_unreachable' || kind === 'protocol_unreachable') return { mac, ip: target };
  // Who is known by a link-local address is spoken to from one (RFC 6724 §5, rule 2).
  if (kind === 'beyond_scope') return { mac, ip: { family: 'ipv6', value: eui64LinkLocal(mac) } };
  const ip = context.addressFacing(punted.arrival_key ?? 0, sender);
  return ip && { mac, ip };
}

/**
 * The router that took the packet, or, within a segment, where no router is to be seen, the destination itself: a host believes what quotes its packet, and a
 * tunnel has no address of its own in the segment (RFC 4459 §3.2 leaves the source open).
 */
function whoSaysTooBig({ eth_dst: mac, sender, target }: Offender, punted: PuntedFrame, context: RespondContext): Gateway {
  const { port_key, router_key = 0, arrival_key = 0 } = punted;
  const gateway = router_key === 0 ? undefined : context.gatewayOf(port_key, sender);
  return { mac: gateway?.mac ?? mac, ip: context.addressFacing(arrival_key, sender) ?? gateway?.ip ?? target };
}

/** Routers that take one from the TTL of the answer on its way back. */
function routersBack(kind: IcmpErrorKind, { routers_crossed = 0 }: PuntedFrame): number {
  // The router that finds nobody at the end of its path has taken one itself.
  return kind === 'host_unreachable' ? Math.max(0, routers_crossed - 1) : routers_crossed;
}

/** The next hop's MTU (its lower half in ICMPv4, RFC 1191), where in the packet the problem is, or nothing. */
function secondWord(kind: IcmpErrorKind, { sender, protocol_at }: Offender, { mtu = 0 }: PuntedFrame): Uint8Array {
  if (kind === 'too_big') return Uint8Array.of(0, 0, mtu >>> 8, mtu & 0xff);
  if (kind === 'protocol_unreachable' && sender.family === 'ipv6') return Uint8Array.of(0, 0, protocol_at >>> 8, protocol_at & 0xff);
  return new Uint8Array(4);
}
