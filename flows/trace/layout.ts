/**
 * Where each match field lives in the working copy of a packet.
 *
 * Owns: a packet as an array of 32-bit words, and the place of every field in it. Fields that Open vSwitch keeps in one place share bits here
 * too: xreg/xxreg are runs of reg, ip_src is arp_spa, tcp_src is udp_src is icmp_type (struct flow, ovs-fields(7)).
 * Assumes: the prerequisites of a field keep two meanings of one place apart.
 * Promises: no I/O, no state; words of absent fields are 0. Fields without a slot (MPLS, NSH, PBB, ERSPAN, GTP-U) are not modelled.
 */
import type { FieldName } from '../openflow/fields.js';
import type { FieldValue, Subfield } from '../openflow/match.js';

/** A run of bits: `low` counts from the least significant bit of word `last`; higher bits continue into `last - 1`, `last - 2`, … */
export interface BitRange {
  readonly last: number;
  readonly low: number;
  readonly bits: number;
}

/** The part of one word that a value covers. Signed 32-bit, as JavaScript's bit operators give it. */
export interface WordBits {
  readonly word: number;
  readonly mask: number;
  readonly value: number;
}

/** Longest tunnel option that is modelled, in bits. */
const TUN_METADATA_BITS = 128;
const TUN_METADATA_FIELDS = 8;

interface Layout {
  readonly slots: ReadonlyMap<FieldName, BitRange>;
  readonly words: number;
}

function buildLayout(): Layout {
  const slots = new Map<FieldName, BitRange>();
  let words = 0;
  const place = (bits: number, ...names: FieldName[]) => {
    words += Math.ceil(bits / 32);
    for (const name of names) slots.set(name, { last: words - 1, low: 0, bits });
  };
  const share = (...parts: readonly (readonly [name: FieldName, low: number, bits: number])[]) => {
    words += 1;
    for (const [name, low, bits] of parts) slots.set(name, { last: words - 1, low, bits });
  };

  for (let n = 0; n < 32; n++) place(32, `reg${n}` as FieldName);
  for (let n = 0; n < 16; n++) slots.set(`xreg${n}` as FieldName, { last: 2 * n + 1, low: 0, bits: 64 });
  for (let n = 0; n < 8; n++) slots.set(`xxreg${n}` as FieldName, { last: 4 * n + 3, low: 0, bits: 128 });
  place(64, 'metadata');
  place(32, 'in_port');
  slots.set('nxm_in_port', { last: words - 1, low: 0, bits: 16 });
  place(64, 'tun_id');
  for (const name of ['tun_src', 'tun_dst'] as const) place(32, name);
  for (const name of ['tun_ipv6_src', 'tun_ipv6_dst'] as const) place(128, name);
  share(['tun_flags', 0, 1], ['tun_gbp_flags', 8, 8], ['tun_gbp_id', 16, 16]);
  for (let n = 0; n < TUN_METADATA_FIELDS; n++) place(TUN_METADATA_BITS, `tun_metadata${n}` as FieldName);
  for (const name of ['pkt_mark', 'dp_hash', 'recirc_id', 'packet_type', 'conj_id', 'actset_output'] as const) place(32, name);
  place(32, 'ct_state');
  share(['ct_zone', 0, 16], ['ct_nw_proto', 16, 8]);
  place(32, 'ct_mark');
  place(128, 'ct_label');
  for (const name of ['ct_nw_src', 'ct_nw_dst'] as const) place(32, name);
  for (const name of ['ct_ipv6_src', 'ct_ipv6_dst'] as const) place(128, name);
  share(['ct_tp_dst', 0, 16], ['ct_tp_src', 16, 16]);
  place(48, 'eth_dst');
  place(48, 'eth_src');
  place(16, 'eth_type');
  // The upper half holds the tag's own ethertype, which no match field reaches; the next word is the inner tag.
  share(['vlan_tci', 0, 16], ['vlan_vid', 0, 13], ['vlan_pcp', 13, 3]);
  words += 1;
  place(32, 'ip_src', 'arp_spa');
  place(32, 'ip_dst', 'arp_tpa');
  place(128, 'ipv6_src');
  place(128, 'ipv6_dst');
  place(20, 'ipv6_label');
  share(
    ['nw_proto', 0, 8],
    ['arp_op', 0, 8],
    ['nw_ttl', 8, 8],
    ['nw_tos', 16, 8],
    ['nw_ecn', 16, 2],
    ['ip_dscp', 18, 6],
    ['ip_frag', 24, 2],
  );
  place(128, 'nd_target');
  place(48, 'arp_sha', 'nd_sll');
  place(48, 'arp_tha', 'nd_tll');
  place(12, 'tcp_flags', 'nd_options_type');
  const sources = ['tcp_src', 'udp_src', 'sctp_src', 'icmp_type', 'icmpv6_type'] as const;
  const destinations = ['tcp_dst', 'udp_dst', 'sctp_dst', 'icmp_code', 'icmpv6_code'] as const;
  share(
    ...sources.map((name) => [name, 16, name.startsWith('icmp') ? 8 : 16] as const),
    ...destinations.map((name) => [name, 0, name.startsWith('icmp') ? 8 : 16] as const),
  );
  place(32, 'nd_reserved');
  return { slots, words };
}

const LAYOUT = buildLayout();

/** Words of a packet. */
export const WORDS = LAYOUT.words;

/** Names of all fields that are modelled. */
export const MODELLED_FIELDS: readonly FieldName[] = [...LAYOUT.slots.keys()];

/** The field's place, or undefined if the field is not modelled. */
export function slotOf(field: FieldName): BitRange | undefined {
  return LAYOUT.slots.get(field);
}

/** As slotOf, for fields known to be modelled. */
export function slot(field: FieldName): BitRange {
  const found = LAYOUT.slots.get(field);
  if (found === undefined) throw new RangeError(`field ${field} is not modelled`);
  return found;
}

/** The place of a subfield, or undefined if its field is not modelled. */
export function rangeOf(subfield: Subfield): BitRange | undefined {
  const whole = LAYOUT.slots.get(subfield.field);
  return whole && { last: whole.last, low: whole.low + subfield.offset, bits: subfield.bits };
}

export function toBigInt(value: FieldValue): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return BigInt(value);
  return value.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** `value` under `mask` (default: all bits) spread over the words of `range`; words without a mask bit are left out. */
export function wordBits(range: BitRange, value: FieldValue, mask?: FieldValue): WordBits[] {
  const all = (1n << BigInt(range.bits)) - 1n;
  const kept = mask === undefined ? all : toBigInt(mask) & all;
  let masks = kept << BigInt(range.low);
  let values = (toBigInt(value) & kept) << BigInt(range.low);
  const out: WordBits[] = [];
  for (let word = range.last; masks !== 0n; word--, masks >>= 32n, values >>= 32n) {
    const part = Number(BigInt.asIntN(32, masks));
    if (part !== 0) out.push({ word, mask: part, value: Number(BigInt.asIntN(32, values)) });
  }
  return out;
}

/** Up to 32 bits of a range, starting `offset` bits above its low end; unsigned. */
export function readBits(words: Int32Array, range: BitRange, offset: number, bits: number): number {
  const position = range.low + offset;
  const word = range.last - (position >> 5);
  const bit = position & 31;
  let value = words[word]! >>> bit;
  if (bit + bits > 32) value |= words[word - 1]! << (32 - bit);
  return (bits === 32 ? value : value & ((1 << bits) - 1)) >>> 0;
}

/** Writes up to 32 bits; the counterpart of readBits. */
export function writeBits(words: Int32Array, range: BitRange, offset: number, bits: number, value: number): void {
  const position = range.low + offset;
  const word = range.last - (position >> 5);
  const bit = position & 31;
  const mask = bits === 32 ? -1 : (1 << bits) - 1;
  words[word] = (words[word]! & ~(mask << bit)) | ((value & mask) << bit);
  const carried = bit + bits - 32;
  if (carried > 0) {
    const carry = (1 << carried) - 1;
    words[word - 1] = (words[word - 1]! & ~carry) | ((value >>> (32 - bit)) & carry);
  }
}

/** The whole range as a field value: a number up to 48 bits, a bigint above. */
export function readRange(words: Int32Array, range: BitRange): number | bigint {
  if (range.bits <= 32) return readBits(words, range, 0, range.bits);
  if (range.bits <= 48) return readBits(words, range, 32, range.bits - 32) * 0x1_0000_0000 + readBits(words, range, 0, 32);
  return readWide(words, range);
}

/** The whole range as a bigint, whatever its width. */
export function readWide(words: Int32Array, range: BitRange): bigint {
  let value = 0n;
  for (let done = 0; done < range.bits; done += 32) {
    value |= BigInt(readBits(words, range, done, Math.min(32, range.bits - done))) << BigInt(done);
  }
  return value;
}

export function writeWide(words: Int32Array, range: BitRange, value: bigint): void {
  for (let done = 0; done < range.bits; done += 32) {
    writeBits(words, range, done, Math.min(32, range.bits - done), Number((value >> BigInt(done)) & 0xffff_ffffn));
  }
}

/** Writes a value of the range's width. */
export function writeRange(words: Int32Array, range: BitRange, value: FieldValue): void {
  if (typeof value !== 'number') {
    writeWide(words, range, toBigInt(value));
    return;
  }
  writeBits(words, range, 0, Math.min(32, range.bits), value | 0);
  if (range.bits > 32) writeBits(words, range, 32, Math.min(32, range.bits - 32), Math.floor(value / 0x1_0000_0000));
  for (let done = 64; done < range.bits; done += 32) writeBits(words, range, done, 32, 0);
}

/** Copies the low `dst.bits` bits of `src`; the two may overlap. */
export function copyBits(words: Int32Array, src: BitRange, dst: BitRange): void {
  if (dst.bits <= 32) {
    writeBits(words, dst, 0, dst.bits, readBits(words, src, 0, dst.bits));
    return;
  }
  const parts: number[] = [];
  for (let done = 0; done < dst.bits; done += 32) parts.push(readBits(words, src, done, Math.min(32, dst.bits - done)));
  parts.forEach((part, index) => writeBits(words, dst, index * 32, Math.min(32, dst.bits - index * 32), part));
}

/** Writes prepared bits. */
export function applyBits(words: Int32Array, bits: readonly WordBits[]): void {
  for (const { word, mask, value } of bits) words[word] = (words[word]! & ~mask) | value;
}
