/**
 * Packets in Open vSwitch's words.
 *
 * Owns: packets written as `ofproto/trace` takes them and read as it prints them (flow_format in lib/flow.c).
 * Promises: what is read back equals what was written, for fields that the interpreter models.
 */
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../../net/ip.js';
import { formatMac, parseMac } from '../../net/mac.js';
import { PORTS } from '../../openflow/constants.js';
import { FIELDS, isFieldName, type FieldName } from '../../openflow/fields.js';
import type { FieldValue } from '../../openflow/match.js';
import type { FieldRecord } from '../microflow.js';
import { CT_STATE, ETH_TYPE, IP_PROTO } from '../prerequisite.js';

type Mutable = Partial<Record<FieldName, FieldValue>>;

/** Fields in an order in which each comes after those it needs. */
const ORDER: readonly RegExp[] = [
  /^(in_port|metadata|pkt_mark|reg|tun_)/,
  /^ct_(state|zone|mark|label)/,
  /^(eth_|vlan_)/,
  /^nw_proto/,
  /^ip_frag/,
];

function rank(field: FieldName): number {
  if (field === 'eth_type') return ORDER.length - 2;
  if (field.startsWith('nd_')) return Infinity;
  const at = ORDER.findIndex((pattern) => pattern.test(field));
  return at < 0 ? ORDER.length : at < 3 ? at : at + 1;
}

/** The flow argument of `ofproto/trace`. */
export function formatPacket(fields: FieldRecord): string {
  const entries = (Object.entries(fields) as [FieldName, FieldValue][]).filter(([field]) => !/^ct_(nw|ipv6|tp)_/.test(field));
  const tci = (Number(fields.vlan_vid ?? 0) & 0x1fff) | (Number(fields.vlan_pcp ?? 0) << 13);
  return entries
    .sort(([a], [b]) => Math.sign(rank(a) - rank(b)) || 0)
    .flatMap(([field, value]) => {
      if (field === 'ct_state' && value === 0) return [];
      if (field === 'vlan_vid') return [`vlan_tci=${tci}`];
      return field === 'vlan_pcp' || field === 'vlan_tci' ? [] : [`${field}=${formatValue(field, value)}`];
    })
    .join(',');
}

function formatValue(field: FieldName, value: FieldValue): string {
  switch (FIELDS[field].format) {
    case 'mac':
      return formatMac(Number(value));
    case 'ipv4':
      return formatIpv4(Number(value));
    case 'ipv6':
      return formatIpv6(value as bigint);
    case 'frag':
      return ['no', 'first', '?', 'later'][Number(value)]!;
    case 'ct_state':
      return Object.entries(CT_STATE)
        .filter(([, bit]) => (Number(value) & bit) !== 0)
        .map(([name]) => name)
        .join('|');
    case 'port':
      return String(value);
    default:
      return `0x${(value as number | bigint).toString(16)}`;
  }
}

const PROTOCOLS: Readonly<Record<string, readonly [ethType: number, proto?: number]>> = {
  ip: [ETH_TYPE.ipv4],
  ipv6: [ETH_TYPE.ipv6],
  arp: [ETH_TYPE.arp],
  rarp: [ETH_TYPE.rarp],
  icmp: [ETH_TYPE.ipv4, IP_PROTO.icmp],
  icmp6: [ETH_TYPE.ipv6, IP_PROTO.icmpv6],
  tcp: [ETH_TYPE.ipv4, IP_PROTO.tcp],
  tcp6: [ETH_TYPE.ipv6, IP_PROTO.tcp],
  udp: [ETH_TYPE.ipv4, IP_PROTO.udp],
  udp6: [ETH_TYPE.ipv6, IP_PROTO.udp],
  sctp: [ETH_TYPE.ipv4, IP_PROTO.sctp],
  sctp6: [ETH_TYPE.ipv6, IP_PROTO.sctp],
};

const NAMES: Readonly<Record<string, FieldName>> = {
  dl_src: 'eth_src',
  dl_dst: 'eth_dst',
  dl_type: 'eth_type',
  nw_src: 'ip_src',
  nw_dst: 'ip_dst',
  nw_frag: 'ip_frag',
};

const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns'];
const FRAGMENTS: Readonly<Record<string, number>> = { no: 0, first: 1, later: 3 };
const NOT_MODELLED =
  /^(skb_priority|recirc_id|dp_hash|vlan_tci1|dl_vlan1|dl_vlan_pcp1|tun_(tos|ttl|flags|erspan_\w+)|gtpu_\w+|actset_output|conj_id|packet_type)$/;

/** A packet as printed behind `Flow:` and `Final flow:`. */
export function parsePacket(text: string): FieldRecord {
  const fields: Mutable = {};
  const ports: [string, string][] = [];
  let tci = 0;
  for (const item of text.trim().split(',')) {
    const [key = '', value] = item.split('=', 2);
    if (value === undefined) {
      const [ethType, proto] = PROTOCOLS[key] ?? [];
      if (ethType !== undefined) fields.eth_type = ethType;
      if (proto !== undefined) fields.nw_proto = proto;
    } else if (/^(tp_|icmp_)/.test(key)) {
      ports.push([key, value]);
    } else if (key === 'dl_vlan') {
      tci |= 0x1000 | Number(value);
    } else if (key === 'dl_vlan_pcp') {
      tci |= Number(value) << 13;
    } else if (!NOT_MODELLED.test(key) && key !== 'vlan_tci') {
      const name = NAMES[key] ?? key;
      if (!isFieldName(name)) throw new Error(`unknown field ${key} in ${text}`);
      fields[name] = parseValue(name, value);
    }
  }
  if (tci !== 0) fields.vlan_tci = tci;
  for (const [key, value] of ports) fields[portName(key, fields)] = Number(value);
  return fields;
}

/** Which protocol's port or type a generic name stands for. */
export function portName(key: string, fields: FieldRecord): FieldName {
  const icmp = fields.eth_type === ETH_TYPE.ipv6 ? 'icmpv6' : 'icmp';
  if (key.startsWith('icmp')) return `${icmp}_${key.endsWith('type') ? 'type' : 'code'}`;
  const side = key.endsWith('src') ? 'src' : 'dst';
  if (fields.nw_proto === IP_PROTO.udp) return `udp_${side}`;
  if (fields.nw_proto === IP_PROTO.sctp) return `sctp_${side}`;
  return `tcp_${side}`;
}

function parseValue(field: FieldName, value: string): FieldValue {
  switch (FIELDS[field].format) {
    case 'mac':
      return parseMac(value);
    case 'ipv4':
      return parseIpv4(value);
    case 'ipv6':
      return parseIpv6(value);
    case 'frag':
      return FRAGMENTS[value]!;
    case 'port':
      return value in PORTS ? PORTS[value as keyof typeof PORTS] : Number(value);
    case 'tcp_flags':
      return /^(0x)?\d/.test(value) ? Number(value) : flags(value, (name) => 1 << TCP_FLAGS.indexOf(name));
    case 'ct_state':
      return flags(value, (name) => CT_STATE[name as keyof typeof CT_STATE]);
    default:
      return FIELDS[field].bits > 48 ? BigInt(value) : Number(value);
  }
}

function flags(text: string, bitOf: (name: string) => number): number {
  return text.split('|').reduce((bits, name) => bits | (/^\[/.test(name) ? Number(`0x${name.slice(1, -1)}`) : bitOf(name)), 0);
}
