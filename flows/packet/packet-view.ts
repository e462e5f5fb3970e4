/**
 * The header fields an OpenFlow switch extracts from a frame.
 *
 * Owns: the rules by which Open vSwitch reads a packet (miniflow_extract of its lib/flow.c, with `vlan-limit` 1, its default). They are more lenient than the
 * other decoders here: checksums and versions are not looked at.
 * Promises: a field is present exactly if its prerequisites hold, and 0 where the packet is too short to have it, as it is in a switch.
 */
import { getIpv6, getMac, viewOf } from './bytes.js';
import { walkExtensions } from './ipv6.js';
import { ETH_TYPE, ICMPV6_TYPE, IP_PROTOCOL } from './numbers.js';

/** Named as in ovs-fields(7). MACs and everything up to 48 bits are numbers. */
export interface PacketFields {
  eth_src: number;
  eth_dst: number;
  /** 0x05ff for 802.3 frames without SNAP. */
  eth_type: number;
  /** With bit 12 set; 0 without a tag. */
  vlan_tci: number;
  vlan_vid: number;
  vlan_pcp: number;
  arp_op?: number;
  arp_spa?: number;
  arp_tpa?: number;
  arp_sha?: number;
  arp_tha?: number;
  ip_src?: number;
  ip_dst?: number;
  ipv6_src?: bigint;
  ipv6_dst?: bigint;
  ipv6_label?: number;
  nw_proto?: number;
  /** DSCP in the upper six bits. */
  nw_tos?: number;
  ip_dscp?: number;
  nw_ecn?: number;
  nw_ttl?: number;
  /** Bit 0: a fragment; bit 1: not the first. */
  ip_frag?: number;
  tcp_src?: number;
  tcp_dst?: number;
  tcp_flags?: number;
  udp_src?: number;
  udp_dst?: number;
  sctp_src?: number;
  sctp_dst?: number;
  icmp_type?: number;
  icmp_code?: number;
  icmpv6_type?: number;
  icmpv6_code?: number;
  nd_target?: bigint;
  nd_sll?: number;
  nd_tll?: number;
  nd_reserved?: number;
  nd_options_type?: number;
}

const VLAN_PRESENT = 0x1000;
const NOT_A_TYPE = 0x05ff;
const FIRST_ETH_TYPE = 0x600;
const ANY_FRAGMENT = 1;
const LATER_FRAGMENT = 2;
const TCP_HEADER = 20;
const UDP_HEADER = 8;
const SCTP_HEADER = 12;
const ICMP_HEADER = 8;

/** What the network layer leaves for the transport layer. */
interface Upper {
  readonly protocol: number;
  readonly later: boolean;
  readonly payload: Uint8Array;
}

export function extractFields(frame: Uint8Array): PacketFields {
  const fields: PacketFields = { eth_src: 0, eth_dst: 0, eth_type: 0, vlan_tci: 0, vlan_vid: 0, vlan_pcp: 0 };
  if (frame.length < 14) return fields;
  const view = viewOf(frame);
  fields.eth_dst = getMac(view, 0);
  fields.eth_src = getMac(view, 6);
  const type = view.getUint16(12);
  // A tag needs the type behind it too.
  const tagged = (type === ETH_TYPE.VLAN || type === ETH_TYPE.QINQ) && frame.length >= 18;
  if (tagged) {
    fields.vlan_tci = view.getUint16(14) | VLAN_PRESENT;
    fields.vlan_vid = fields.vlan_tci & 0x1fff;
    fields.vlan_pcp = fields.vlan_tci >> 13;
  }
  const { ethType, payload } = readType(frame, tagged ? 16 : 12);
  fields.eth_type = ethType;
  switch (ethType) {
    case ETH_TYPE.IPV4:
      extractTransport(extractIpv4(payload, fields), fields);
      break;
    case ETH_TYPE.IPV6:
      extractTransport(extractIpv6(payload, fields), fields);
      break;
    case ETH_TYPE.ARP:
    case ETH_TYPE.RARP:
      extractArp(payload, fields);
      break;
  }
  return fields;
}

/** The Ethernet type at `offset`, or that of the SNAP header if there is a length instead. */
function readType(frame: Uint8Array, offset: number): { ethType: number; payload: Uint8Array } {
  const view = viewOf(frame);
  const type = view.getUint16(offset);
  const payload = frame.subarray(offset + 2);
  if (type >= FIRST_ETH_TYPE) return { ethType: type, payload };
  if (payload.length < 8 || view.getUint32(offset + 2) !== 0xaaaa0300 || view.getUint16(offset + 6) !== 0)
    return { ethType: NOT_A_TYPE, payload };
  const snap = view.getUint16(offset + 8);
  return { ethType: snap >= FIRST_ETH_TYPE ? snap : NOT_A_TYPE, payload: payload.subarray(8) };
}

function extractIpv4(bytes: Uint8Array, fields: PacketFields): Upper | undefined {
  Object.assign(fields, { ip_src: 0, ip_dst: 0, nw_proto: 0, nw_tos: 0, ip_dscp: 0, nw_ecn: 0, nw_ttl: 0, ip_frag: 0 });
  if (bytes.length < 20) return undefined;
  const view = viewOf(bytes);
  const header = (view.getUint8(0) & 0x0f) * 4;
  const length = view.getUint16(2);
  if (header < 20 || length < header || length > bytes.length) return undefined;
  const fragment = view.getUint16(6);
  const later = (fragment & 0x1fff) !== 0;
  fields.ip_src = view.getUint32(12);
  fields.ip_dst = view.getUint32(16);
  fields.nw_ttl = view.getUint8(8);
  fields.nw_proto = view.getUint8(9);
  fields.ip_frag = (fragment & 0x3fff ? ANY_FRAGMENT : 0) | (later ? LATER_FRAGMENT : 0);
  setTos(view.getUint8(1), fields);
  return { protocol: fields.nw_proto, later, payload: bytes.subarray(header, length) };
}

function extractIpv6(bytes: Uint8Array, fields: PacketFields): Upper | undefined {
  Object.assign(fields, {
    ipv6_src: 0n,
    ipv6_dst: 0n,
    ipv6_label: 0,
    nw_proto: 0,
    nw_tos: 0,
    ip_dscp: 0,
    nw_ecn: 0,
    nw_ttl: 0,
    ip_frag: 0,
  });
  if (bytes.length < 40) return undefined;
  const view = viewOf(bytes);
  const length = view.getUint16(4);
  if (40 + length > bytes.length) return undefined;
  fields.ipv6_src = getIpv6(view, 8);
  fields.ipv6_dst = getIpv6(view, 24);
  const upper = walkExtensions({ next_header: view.getUint8(6), payload: bytes.subarray(40, 40 + length) });
  if (!upper.ok) return undefined;
  const { fragment, payload } = upper.value;
  const later = fragment !== undefined && fragment.offset > 0;
  const first = view.getUint32(0);
  fields.ipv6_label = first & 0xfffff;
  fields.nw_ttl = view.getUint8(7);
  fields.nw_proto = later ? IP_PROTOCOL.FRAGMENT : upper.value.protocol;
  fields.ip_frag = (fragment ? ANY_FRAGMENT : 0) | (later ? LATER_FRAGMENT : 0);
  setTos((first >>> 20) & 0xff, fields);
  return { protocol: fields.nw_proto, later, payload };
}

function setTos(tos: number, fields: PacketFields): void {
  fields.nw_tos = tos & 0xfc;
  fields.ip_dscp = tos >> 2;
  fields.nw_ecn = tos & 3;
}

function extractArp(bytes: Uint8Array, fields: PacketFields): void {
  Object.assign(fields, { arp_op: 0, arp_spa: 0, arp_tpa: 0, arp_sha: 0, arp_tha: 0 });
  if (bytes.length < 28) return;
  const view = viewOf(bytes);
  if (view.getUint32(0) !== 0x0001_0800 || view.getUint16(4) !== 0x0604) return;
  const op = view.getUint16(6);
  fields.arp_op = op <= 0xff ? op : 0;
  fields.arp_sha = getMac(view, 8);
  fields.arp_spa = view.getUint32(14);
  fields.arp_tha = getMac(view, 18);
  fields.arp_tpa = view.getUint32(24);
}

function extractTransport(upper: Upper | undefined, fields: PacketFields): void {
  if (!upper) return;
  const { protocol, later, payload } = upper;
  const view = viewOf(payload);
  const has = (bytes: number): boolean => !later && payload.length >= bytes;
  const v6 = fields.eth_type === ETH_TYPE.IPV6;
  if (protocol === IP_PROTOCOL.TCP) {
    const header = has(TCP_HEADER) ? (view.getUint8(12) >> 4) * 4 : 0;
    const whole = header >= TCP_HEADER && has(header);
    [fields.tcp_src, fields.tcp_dst, fields.tcp_flags] = whole
      ? [view.getUint16(0), view.getUint16(2), view.getUint16(12) & 0xfff]
      : [0, 0, 0];
  } else if (protocol === IP_PROTOCOL.UDP) {
    [fields.udp_src, fields.udp_dst] = has(UDP_HEADER) ? [view.getUint16(0), view.getUint16(2)] : [0, 0];
  } else if (protocol === IP_PROTOCOL.SCTP) {
    [fields.sctp_src, fields.sctp_dst] = has(SCTP_HEADER) ? [view.getUint16(0), view.getUint16(2)] : [0, 0];
  } else if (protocol === IP_PROTOCOL.ICMPV4 && !v6) {
    [fields.icmp_type, fields.icmp_code] = has(ICMP_HEADER) ? [view.getUint8(0), view.getUint8(1)] : [0, 0];
  } else if (protocol === IP_PROTOCOL.ICMPV6 && v6) {
    [fields.icmpv6_type, fields.icmpv6_code] = has(ICMP_HEADER) ? [view.getUint8(0), view.getUint8(1)] : [0, 0];
    extractNd(payload, fields);
  }
}

function extractNd(bytes: Uint8Array, fields: PacketFields): void {
  const solicit = fields.icmpv6_type === ICMPV6_TYPE.NEIGHBOR_SOLICIT;
  if (fields.icmpv6_code !== 0 || (!solicit && fields.icmpv6_type !== ICMPV6_TYPE.NEIGHBOR_ADVERT)) return;
  const view = viewOf(bytes);
  Object.assign(fields, { nd_target: 0n, nd_reserved: view.getUint32(4), nd_options_type: 0 });
  if (solicit) fields.nd_sll = 0;
  else fields.nd_tll = 0;
  if (bytes.length < 24) return;
  const links = { source: 0, target: 0 };
  for (let offset = 24; offset + 8 <= bytes.length;) {
    const type = view.getUint8(offset);
    const length = view.getUint8(offset + 1) * 8;
    if (length === 0 || offset + length > bytes.length) break;
    if (length === 8 && (type === 1 || type === 2)) {
      const link = type === 1 ? 'source' : 'target';
      // The same address twice makes the whole message void.
      if (links[link] !== 0) {
        fields.nd_options_type = type;
        return;
      }
      links[link] = getMac(view, offset + 2);
      fields.nd_options_type ||= type;
    }
    offset += length;
  }
  fields.nd_target = getIpv6(view, 8);
  if (solicit) fields.nd_sll = links.source;
  else fields.nd_tll = links.target;
}
