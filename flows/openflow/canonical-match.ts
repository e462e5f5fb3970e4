/**
 * The canonical form of a match: two matches that Open vSwitch treats as one are equal in it, whatever way they were written.
 *
 * Owns: the rules, found in nx_put_raw of lib/nx-match.c and confirmed against a running switch (test/codec/readback.test.ts):
 *  - value bits outside the mask are zero; a mask of all significant bits is no mask; a mask of no bits is no field;
 *  - xregN and xxregN become the regN they consist of; vlan_tci becomes vlan_vid and vlan_pcp; nw_tos becomes ip_dscp; the 16-bit in_port the 32-bit one;
 *  - packet_type Ethernet, which every match of a normal bridge implies, is not written;
 *  - fields come in the order in which Open vSwitch writes them.
 * Promises: the result is a match with the same meaning; canonicalMatch is idempotent and returns its argument when there is nothing to change.
 */
import { FIELDS, FIELD_NAMES, type FieldInfo, type FieldName } from './fields.js';
import type { FieldValue, Match, OpaqueOxm, Oxm, OxmField } from './match.js';

/** Order of nx_put_raw; what it does not write comes after, by name. */
const WIRE_ORDER: readonly string[] = [
  ...[
    'packet_type',
    'dp_hash',
    'recirc_id',
    'conj_id',
    'in_port',
    'in_phy_port',
    'actset_output',
    'eth_src',
    'eth_dst',
    'eth_type',
    'vlan_vid',
    'vlan_pcp',
  ],
  ...[
    'mpls_tc',
    'mpls_bos',
    'mpls_ttl',
    'mpls_label',
    'ip_src',
    'ip_dst',
    'ipv6_src',
    'ipv6_dst',
    'ip_frag',
    'ip_dscp',
    'nw_ecn',
    'nw_ttl',
    'ipv6_label',
  ],
  ...[
    'nw_proto',
    'tcp_src',
    'tcp_dst',
    'tcp_flags',
    'udp_src',
    'udp_dst',
    'sctp_src',
    'sctp_dst',
    'icmp_type',
    'icmp_code',
    'icmpv6_type',
    'icmpv6_code',
  ],
  ...[
    'nd_reserved',
    'nd_target',
    'nd_options_type',
    'nd_sll',
    'nd_tll',
    'arp_op',
    'arp_spa',
    'arp_tpa',
    'arp_sha',
    'arp_tha',
    'tun_id',
    'tun_flags',
  ],
  ...[
    'tun_src',
    'tun_dst',
    'tun_ipv6_src',
    'tun_ipv6_dst',
    'tun_gbp_id',
    'tun_gbp_flags',
    ...FIELD_NAMES.filter((name) => name.startsWith('tun_metadata')),
  ],
  ...[
    'tun_erspan_idx',
    'tun_erspan_ver',
    'tun_erspan_dir',
    'tun_erspan_hwid',
    'tun_gtpu_flags',
    'tun_gtpu_msgtype',
    'nsh_flags',
    'nsh_ttl',
    'nsh_mdtype',
  ],
  ...[
    'nsh_np',
    'nsh_spi',
    'nsh_si',
    'nsh_c1',
    'nsh_c2',
    'nsh_c3',
    'nsh_c4',
    ...FIELD_NAMES.filter((name) => name.startsWith('reg')),
    'pkt_mark',
  ],
  ...[
    'ct_state',
    'ct_zone',
    'ct_mark',
    'ct_label',
    'ct_nw_src',
    'ct_ipv6_src',
    'ct_nw_dst',
    'ct_ipv6_dst',
    'ct_nw_proto',
    'ct_tp_src',
    'ct_tp_dst',
    'metadata',
  ],
];

export interface MatchRule {
  readonly info: FieldInfo;
  readonly order: number;
  /** All significant bits. */
  readonly ones: FieldValue;
  /** Written in another way: see `rewrite`. */
  readonly rewritten: boolean;
}

const REWRITTEN = /^x+reg|^(vlan_tci|nw_tos|nxm_in_port|packet_type)$/;

/** Bits that count, where they are not the width: vlan_vid has "there is a tag" above the VLAN id, ct_state has eight states. */
const SIGNIFICANT_BITS: Partial<Record<FieldName, number>> = { vlan_vid: 13, ct_state: 8 };

function significant(info: FieldInfo): FieldValue {
  if (info.variable) return new Uint8Array(info.bytes).fill(0xff);
  const bits = SIGNIFICANT_BITS[info.name] ?? info.bits;
  return info.type === 'bigint' ? (1n << BigInt(bits)) - 1n : 2 ** bits - 1;
}

const RULES: ReadonlyMap<string, MatchRule> = new Map(
  FIELD_NAMES.map((name) => {
    const at = WIRE_ORDER.indexOf(name);
    const order = at < 0 ? WIRE_ORDER.length + FIELD_NAMES.indexOf(name) : at;
    return [name, { info: FIELDS[name], order, ones: significant(FIELDS[name]), rewritten: REWRITTEN.test(name) }];
  }),
);

/** The rule of a field; unknown fields have none and come last. */
export function matchRule(field: string): MatchRule | undefined {
  return RULES.get(field);
}

const HIGH = 0x1_0000_0000;

/** Bitwise and of two numbers below 2^53. */
function and(a: number, b: number): number {
  if (a < HIGH && b < HIGH) return (a & b) >>> 0;
  return (Math.floor(a / HIGH) & Math.floor(b / HIGH)) * HIGH + (((a % HIGH) & (b % HIGH)) >>> 0);
}

function andBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, i) => byte & (b[i] ?? 0));
}

/** Value and mask of one field in canonical form; undefined when no bit of it is matched. */
export function normalise(oxm: OxmField, rule: MatchRule): OxmField | undefined {
  const { field, value, mask } = oxm;
  if (mask === undefined) return oxm;
  if (typeof mask === 'number' && typeof value === 'number' && typeof rule.ones === 'number') {
    const bits = and(mask, rule.ones);
    if (bits === 0) return undefined;
    const masked = and(value, bits);
    if (bits === rule.ones) return { field, value: masked, mask: undefined };
    return bits === mask && masked === value ? oxm : { field, value: masked, mask: bits };
  }
  if (typeof mask === 'bigint' && typeof value === 'bigint' && typeof rule.ones === 'bigint') {
    const bits = mask & rule.ones;
    if (bits === 0n) return undefined;
    const masked = value & bits;
    if (bits === rule.ones) return { field, value: masked, mask: undefined };
    return bits === mask && masked === value ? oxm : { field, value: masked, mask: bits };
  }
  if (mask instanceof Uint8Array && value instanceof Uint8Array) {
    if (mask.every((byte) => byte === 0)) return undefined;
    if (mask.every((byte) => byte === 0xff)) return { field, value, mask: undefined };
    return value.every((byte, i) => (byte & ~(mask[i] ?? 0)) === 0) ? oxm : { field, value: andBytes(value, mask), mask };
  }
  return oxm;
}

/** 32-bit registers of an xreg (2) or xxreg (4), the most significant first. */
function registers(oxm: OxmField, count: 2 | 4, out: Oxm[]): void {
  const first = Number(oxm.field.slice(oxm.field.indexOf('g') + 1)) * count;
  const value = oxm.value as bigint;
  const mask = oxm.mask as bigint | undefined;
  for (let i = 0; i < count; i++) {
    const shift = BigInt(32 * (count - 1 - i));
    push(
      {
        field: `reg${first + i}` as FieldName,
        value: Number((value >> shift) & 0xffff_ffffn),
        mask: mask === undefined ? undefined : Number((mask >> shift) & 0xffff_ffffn),
      },
      out,
    );
  }
}

function vlanTci(oxm: OxmField, out: Oxm[]): void {
  const value = oxm.value as number;
  const mask = (oxm.mask as number | undefined) ?? 0xffff;
  push({ field: 'vlan_vid', value: value & 0x1fff, mask: mask & 0x1fff }, out);
  if ((mask & 0xe000) !== 0 && (value & 0x1fff) !== 0) out.push({ field: 'vlan_pcp', value: value >>> 13, mask: undefined });
}

function rewrite(oxm: OxmField, out: Oxm[]): void {
  if (oxm.field.startsWith('xxreg')) return registers(oxm, 4, out);
  if (oxm.field.startsWith('xreg')) return registers(oxm, 2, out);
  switch (oxm.field) {
    case 'vlan_tci':
      return vlanTci(oxm, out);
    case 'nw_tos':
      out.push({ field: 'ip_dscp', value: (oxm.value as number) >>> 2, mask: undefined });
      return;
    case 'nxm_in_port': {
      const port = oxm.value as number;
      out.push({ field: 'in_port', value: port >= 0xff00 ? port + 0xffff0000 : port, mask: undefined });
      return;
    }
    default:
      // packet_type
      if (oxm.value !== 0) out.push(oxm);
  }
}

function push(oxm: Oxm, out: Oxm[]): void {
  if (oxm.field === 'unknown') {
    out.push(oxm);
    return;
  }
  const rule = RULES.get(oxm.field)!;
  if (rule.rewritten) return rewrite(oxm, out);
  const normal = normalise(oxm, rule);
  if (normal !== undefined) out.push(normal);
}

function orderOf(oxm: Oxm): number {
  return oxm.field === 'unknown' ? Number.MAX_SAFE_INTEGER : RULES.get(oxm.field)!.order;
}

function compareOpaque(a: OpaqueOxm, b: OpaqueOxm): number {
  return a.header - b.header || (a.experimenter ?? 0) - (b.experimenter ?? 0);
}

function compare(a: Oxm, b: Oxm): number {
  if (a.field === 'unknown' && b.field === 'unknown') return compareOpaque(a, b);
  return orderOf(a) - orderOf(b);
}

function isCanonical(match: Match): boolean {
  let last = -1;
  for (const oxm of match) {
    if (oxm.field === 'unknown') return false;
    const rule = RULES.get(oxm.field)!;
    if (rule.rewritten || rule.order <= last || (oxm.mask !== undefined && normalise(oxm, rule) !== oxm)) return false;
    last = rule.order;
  }
  return true;
}

export function canonicalMatch(match: Match): Match {
  if (isCanonical(match)) return match;
  const out: Oxm[] = [];
  for (const oxm of match) push(oxm, out);
  return out.sort(compare);
}
