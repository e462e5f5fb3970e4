/**
 * Whether a packet has a field.
 *
 * Owns: the prerequisites of fields (ovs-fields(7)) as tests on a packet's words.
 * Promises: as Open vSwitch does at run time: a set_field or move whose field the packet lacks is skipped, not an error.
 */
import { FIELDS, type FieldName } from '../openflow/fields.js';
import type { Prereq } from '../openflow/field-table.js';
import { slot } from './layout.js';

export const ETH_TYPE = { ipv4: 0x0800, arp: 0x0806, rarp: 0x8035, ipv6: 0x86dd } as const;
export const IP_PROTO = { icmp: 1, igmp: 2, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;
export const ND_TYPE = { solicit: 135, advert: 136 } as const;

/** ip_frag bits, ovs-fields(7). */
export const FRAG = { any: 1, later: 2 } as const;

/** ct_state bits, ovs-fields(7). */
export const CT_STATE = { new: 0x01, est: 0x02, rel: 0x04, rpl: 0x08, inv: 0x10, trk: 0x20, snat: 0x40, dnat: 0x80 } as const;

/** The tag-present bit of a VLAN TCI. */
export const VLAN_PRESENT = 0x1000;

const ETH_TYPE_WORD = slot('eth_type').last;
const VLAN_WORD = slot('vlan_tci').last;
const IP_WORD = slot('nw_proto').last;
const L4_WORD = slot('tcp_src').last;
const CT_STATE_WORD = slot('ct_state').last;

export const ethType = (words: Int32Array): number => words[ETH_TYPE_WORD]!;
export const ipProto = (words: Int32Array): number => words[IP_WORD]! & 0xff;
export const ipFrag = (words: Int32Array): number => (words[IP_WORD]! >>> 24) & 3;
/** TCP, UDP or SCTP source port, or the ICMP type. */
export const l4Source = (words: Int32Array): number => words[L4_WORD]! >>> 16;
/** TCP, UDP or SCTP destination port, or the ICMP code. */
export const l4Destination = (words: Int32Array): number => words[L4_WORD]! & 0xffff;

export function isIp(words: Int32Array): boolean {
  const type = ethType(words);
  return type === ETH_TYPE.ipv4 || type === ETH_TYPE.ipv6;
}

function isNd(words: Int32Array): boolean {
  return isIcmpv6(words) && (l4Source(words) === ND_TYPE.solicit || l4Source(words) === ND_TYPE.advert) && l4Destination(words) === 0;
}

function isIcmpv6(words: Int32Array): boolean {
  return ethType(words) === ETH_TYPE.ipv6 && ipProto(words) === IP_PROTO.icmpv6;
}

function hasPorts(words: Int32Array, proto: number): boolean {
  return isIp(words) && ipProto(words) === proto && (ipFrag(words) & FRAG.later) === 0;
}

/** Whether the prerequisite holds for the packet. */
export function meets(words: Int32Array, prereq: Prereq): boolean {
  switch (prereq) {
    case 'none':
    case 'ethernet':
    case 'in_port':
      return true;
    case 'vlan_vid':
      return (words[VLAN_WORD]! & VLAN_PRESENT) !== 0;
    case 'arp':
      return ethType(words) === ETH_TYPE.arp || ethType(words) === ETH_TYPE.rarp;
    case 'ip':
      return isIp(words);
    case 'ipv4':
      return ethType(words) === ETH_TYPE.ipv4;
    case 'ipv6':
      return ethType(words) === ETH_TYPE.ipv6;
    case 'tcp':
      return hasPorts(words, IP_PROTO.tcp);
    case 'udp':
      return hasPorts(words, IP_PROTO.udp);
    case 'sctp':
      return hasPorts(words, IP_PROTO.sctp);
    case 'icmpv4':
      return ethType(words) === ETH_TYPE.ipv4 && ipProto(words) === IP_PROTO.icmp;
    case 'icmpv6':
      return isIcmpv6(words);
    case 'nd':
      return isNd(words);
    case 'nd_solicit':
      return isNd(words) && l4Source(words) === ND_TYPE.solicit;
    case 'nd_advert':
      return isNd(words) && l4Source(words) === ND_TYPE.advert;
    case 'ct':
      return (words[CT_STATE_WORD]! & (CT_STATE.trk | CT_STATE.inv)) === CT_STATE.trk;
    case 'mpls':
    case 'pbb':
    case 'nsh':
      return false;
  }
}

/** Whether the packet has the field. */
export function hasField(words: Int32Array, field: FieldName): boolean {
  return meets(words, FIELDS[field].prereq);
}
