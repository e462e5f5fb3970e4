/**
 * The packets of a trace.
 *
 * Owns: the fields of what a sender sends, of the answer to it, and of asking for a MAC.
 */
import { formatIp, solicitedNode, type Ip } from '../../net/ip.js';
import { BROADCAST_MAC, ipv6MulticastMac } from '../../net/mac.js';
import type { FieldName } from '../../openflow/fields.js';
import type { FieldValue } from '../../openflow/match.js';
import type { FieldRecord, Microflow } from '../microflow.js';
import { ETH_TYPE, IP_PROTO, ND_TYPE } from '../prerequisite.js';
import { CLIENT_PORT, hasPorts, protocolOf, type TraceProtocol, type TraceQuestion } from './question.js';

const TCP = { syn: 0x02, ack: 0x10 } as const;
const ECHO = { icmp: [8, 0], icmpv6: [128, 129] } as const;
const REPLY_TTL = 64;

type Flags = 'first' | 'answer' | 'later';
const TCP_FLAGS: Readonly<Record<Flags, number>> = { first: TCP.syn, answer: TCP.syn | TCP.ack, later: TCP.ack };

/** ICMP is that of the addresses' family, whichever of the two was said. */
export function familyProtocol(question: TraceQuestion, family: Ip['family']): TraceProtocol {
  const protocol = protocolOf(question);
  if (protocol !== 'icmp' && protocol !== 'icmpv6') return protocol;
  return family === 'ipv4' ? 'icmp' : 'icmpv6';
}

export interface Sending {
  readonly question: TraceQuestion;
  readonly in_port: number;
  readonly eth_src: number;
  readonly eth_dst: number;
  readonly src: Ip;
  readonly dst: Ip;
  readonly flags: Flags;
}

export function packetOf({ question, in_port, eth_src, eth_dst, src, dst, flags }: Sending): FieldRecord {
  const protocol = familyProtocol(question, src.family);
  const upper: Partial<Record<FieldName, FieldValue>> = {};
  if (hasPorts(protocol)) {
    upper[`${protocol}_src` as FieldName] = question.source_port ?? CLIENT_PORT;
    upper[`${protocol}_dst` as FieldName] = question.destination_port!;
    if (protocol === 'tcp') upper.tcp_flags = TCP_FLAGS[flags];
  } else {
    const kind = protocol as keyof typeof ECHO;
    upper[`${kind}_type`] = question.icmp_type ?? ECHO[kind][0];
    upper[`${kind}_code`] = question.icmp_code ?? 0;
  }
  return { in_port, eth_src, eth_dst, ...network(src, dst), nw_proto: IP_PROTO[protocol], nw_ttl: question.ttl, ...upper };
}

/** The packet that opens the connection in which the one asked about is an answer; undefined where that can be none. Without a source port it is a client's. */
export function openingOf(question: TraceQuestion): TraceQuestion | undefined {
  const { source_port, destination_port, icmp_type } = question;
  if (hasPorts(protocolOf(question)))
    return source_port === undefined ? undefined : { ...question, source_port: destination_port, destination_port: source_port };
  const pair = Object.values(ECHO).find(([, reply]) => reply === icmp_type);
  return pair && { ...question, icmp_type: pair[0] };
}

function network(src: Ip, dst: Ip): FieldRecord {
  return src.family === 'ipv4'
    ? { eth_type: ETH_TYPE.ipv4, ip_src: src.value, ip_dst: dst.value }
    : { eth_type: ETH_TYPE.ipv6, ipv6_src: src.value, ipv6_dst: dst.value };
}

/** Where a packet says it is from, and where it is for. */
export function addressesIn(packet: Microflow): { readonly src: Ip; readonly dst: Ip } | undefined {
  switch (packet.number('eth_type')) {
    case ETH_TYPE.ipv4:
      return { src: { family: 'ipv4', value: packet.number('ip_src') }, dst: { family: 'ipv4', value: packet.number('ip_dst') } };
    case ETH_TYPE.ipv6:
      return {
        src: { family: 'ipv6', value: packet.get('ipv6_src') as bigint },
        dst: { family: 'ipv6', value: packet.get('ipv6_dst') as bigint },
      };
    default:
      return undefined;
  }
}

/** The answer of whoever got the packet; undefined where none is due. */
export function replyTo(packet: Microflow, in_port: number, eth_src: number, eth_dst: number): FieldRecord | undefined {
  const addresses = addressesIn(packet);
  if (addresses === undefined) return undefined;
  const protocol = packet.number('nw_proto');
  const upper = upperReply(packet, protocol);
  if (upper === undefined) return undefined;
  return { in_port, eth_src, eth_dst, ...network(addresses.dst, addresses.src), nw_proto: protocol, nw_ttl: REPLY_TTL, ...upper };
}

function upperReply(packet: Microflow, protocol: number): FieldRecord | undefined {
  const turned = (name: 'tcp' | 'udp' | 'sctp') => ({
    [`${name}_src`]: packet.number(`${name}_dst`),
    [`${name}_dst`]: packet.number(`${name}_src`),
  });
  switch (protocol) {
    case IP_PROTO.tcp:
      return { ...turned('tcp'), tcp_flags: packet.number('tcp_flags') === TCP.syn ? TCP_FLAGS.answer : TCP_FLAGS.later };
    case IP_PROTO.udp:
      return turned('udp');
    case IP_PROTO.sctp:
      return turned('sctp');
    case IP_PROTO.icmp:
      return packet.number('icmp_type') === ECHO.icmp[0] ? { icmp_type: ECHO.icmp[1], icmp_code: 0 } : undefined;
    case IP_PROTO.icmpv6:
      return packet.number('icmpv6_type') === ECHO.icmpv6[0] ? { icmpv6_type: ECHO.icmpv6[1], icmpv6_code: 0 } : undefined;
    default:
      return undefined;
  }
}

/** What a host sends to find the MAC of an address on its link: ARP, or a neighbour solicitation. */
export function whoIs(in_port: number, eth_src: number, src: Ip, target: Ip): FieldRecord {
  if (target.family === 'ipv4' && src.family === 'ipv4')
    return {
      in_port,
      eth_src,
      eth_dst: BROADCAST_MAC,
      eth_type: ETH_TYPE.arp,
      arp_op: 1,
      arp_sha: eth_src,
      arp_spa: src.value,
      arp_tpa: target.value,
    };
  const group = solicitedNode(target.value as bigint);
  return {
    in_port,
    eth_src,
    eth_dst: ipv6MulticastMac(group),
    eth_type: ETH_TYPE.ipv6,
    ipv6_src: src.value,
    ipv6_dst: group,
    nw_proto: IP_PROTO.icmpv6,
    nw_ttl: 255,
    icmpv6_type: ND_TYPE.solicit,
    icmpv6_code: 0,
    nd_target: target.value,
    nd_sll: eth_src,
  };
}

const PROTOCOL_NAMES = new Map(Object.entries(IP_PROTO).map(([name, number]) => [number as number, name]));

/** `tcp 10.1.0.11:40000 → 10.2.0.11:22`. */
export function packetLine(packet: Microflow): string {
  const addresses = addressesIn(packet);
  if (addresses === undefined) return `frame of type 0x${packet.number('eth_type').toString(16)}`;
  const name = PROTOCOL_NAMES.get(packet.number('nw_proto')) ?? `protocol ${packet.number('nw_proto')}`;
  const { src, dst } = addresses;
  if (name === 'tcp' || name === 'udp' || name === 'sctp') {
    const at = (ip: Ip, port: number) => `${ip.family === 'ipv6' ? `[${formatIp(ip)}]` : formatIp(ip)}:${port}`;
    return `${name} ${at(src, packet.number(`${name}_src`))} → ${at(dst, packet.number(`${name}_dst`))}`;
  }
  const type = name === 'icmp' || name === 'icmpv6' ? ` type ${packet.number(`${name}_type`)}` : '';
  return `${name}${type} ${formatIp(src)} → ${formatIp(dst)}`;
}
