/**
 * What makes two packets part of one connection.
 *
 * Owns: the 5-tuple of a packet, its reverse, and which packets conntrack refuses to track.
 * Assumes: ICMP identifiers are not matchable, hence ignored: two pings between the same addresses are one connection.
 */
import type { FieldName } from '../openflow/fields.js';
import type { FieldValue } from '../openflow/match.js';
import { portField } from './conntrack.js';
import type { Microflow } from './microflow.js';
import { ETH_TYPE, FRAG, IP_PROTO } from './prerequisite.js';

export interface Tuple {
  readonly eth_type: number;
  readonly proto: number;
  readonly src: number | bigint;
  readonly dst: number | bigint;
  readonly sport: number;
  readonly dport: number;
}

/** `icmp_error`: belongs to the connection of the packet it quotes. `fragment`: its ports are elsewhere. `untrackable`: no connection can hold it. */
export type Tracking = { readonly kind: 'tuple'; readonly tuple: Tuple } | { readonly kind: 'icmp_error' | 'fragment' | 'untrackable' };

const ICMP_ERRORS = new Set([3, 4, 5, 11, 12]);
const ICMPV6_ERRORS = new Set([1, 2, 3, 4]);

/** Queries and their answers: type → what both are known by. */
const ICMP_QUERIES: Readonly<Record<number, number>> = { 8: 8, 0: 8, 13: 13, 14: 13, 15: 15, 16: 15 };
const ICMPV6_QUERIES: Readonly<Record<number, number>> = { 128: 128, 129: 128 };
const ICMP_REQUESTS = new Set([8, 13, 15]);

export function trackingOf(packet: Microflow): Tracking {
  const eth_type = packet.number('eth_type');
  if (eth_type !== ETH_TYPE.ipv4 && eth_type !== ETH_TYPE.ipv6) return { kind: 'untrackable' };
  const proto = packet.number('nw_proto');
  const v4 = eth_type === ETH_TYPE.ipv4;
  if ((packet.number('ip_frag') & FRAG.later) !== 0) return { kind: 'fragment' };
  const addresses = { eth_type, proto, src: packet.get(v4 ? 'ip_src' : 'ipv6_src'), dst: packet.get(v4 ? 'ip_dst' : 'ipv6_dst') };
  const source = portField(packet, 'src');
  if (source !== undefined) {
    return { kind: 'tuple', tuple: { ...addresses, sport: packet.number(source), dport: packet.number(portField(packet, 'dst')!) } };
  }
  if (proto === (v4 ? IP_PROTO.icmp : IP_PROTO.icmpv6)) {
    const type = packet.number('icmp_type');
    if ((v4 ? ICMP_ERRORS : ICMPV6_ERRORS).has(type)) return { kind: 'icmp_error' };
    const query = (v4 ? ICMP_QUERIES : ICMPV6_QUERIES)[type];
    return query === undefined ? { kind: 'untrackable' } : { kind: 'tuple', tuple: { ...addresses, sport: query, dport: query } };
  }
  return { kind: 'tuple', tuple: { ...addresses, sport: 0, dport: 0 } };
}

export function reverse(tuple: Tuple): Tuple {
  return { ...tuple, src: tuple.dst, dst: tuple.src, sport: tuple.dport, dport: tuple.sport };
}

export function tupleKey(zone: number, { eth_type, proto, src, dst, sport, dport }: Tuple): string {
  return `${zone}/${eth_type}/${proto}/${src}/${dst}/${sport}/${dport}`;
}

const TCP = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10, urg: 0x20 } as const;

/** Whether a packet may be the first that is seen of a connection (valid_new of lib/conntrack*.c). Mid-stream TCP may; SYN+ACK may not. */
export function mayBegin(packet: Microflow): boolean {
  const proto = packet.number('nw_proto');
  if (proto === IP_PROTO.icmp) return ICMP_REQUESTS.has(packet.number('icmp_type'));
  if (proto === IP_PROTO.icmpv6) return packet.number('icmpv6_type') === 128;
  if (proto !== IP_PROTO.tcp) return true;
  const flags = packet.number('tcp_flags');
  // An abstract packet that says nothing of its flags stands for whatever is in order.
  if (flags === 0) return true;
  return !nonsense(flags) && (flags & (TCP.syn | TCP.ack)) !== (TCP.syn | TCP.ack);
}

function nonsense(flags: number): boolean {
  if ((flags & TCP.syn) !== 0) return (flags & (TCP.rst | TCP.fin)) !== 0;
  if ((flags & (TCP.ack | TCP.rst)) === 0) return true;
  return (flags & TCP.ack) === 0 && (flags & (TCP.fin | TCP.psh | TCP.urg)) !== 0;
}

/** A bare SYN: opens a connection anew if the old one was closed. */
export function isOpening(packet: Microflow): boolean {
  return packet.number('nw_proto') === IP_PROTO.tcp && (packet.number('tcp_flags') & (TCP.syn | TCP.ack)) === TCP.syn;
}

export function isReset(packet: Microflow): boolean {
  return packet.number('nw_proto') === IP_PROTO.tcp && (packet.number('tcp_flags') & TCP.rst) !== 0;
}

/** The ct_nw_src, ct_tp_src, … fields of a connection's original direction. */
export function originalFields(tuple: Tuple): Partial<Record<FieldName, FieldValue>> {
  const { eth_type, proto, src, dst, sport, dport } = tuple;
  const icmp = proto === IP_PROTO.icmp || proto === IP_PROTO.icmpv6;
  const ports = { ct_nw_proto: proto, ct_tp_src: sport, ct_tp_dst: icmp ? 0 : dport };
  return eth_type === ETH_TYPE.ipv4 ? { ...ports, ct_nw_src: src, ct_nw_dst: dst } : { ...ports, ct_ipv6_src: src, ct_ipv6_dst: dst };
}
