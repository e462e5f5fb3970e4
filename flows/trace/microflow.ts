/**
 * One packet as the tables see it: headers, metadata, registers, conntrack fields.
 *
 * Owns: the conversion between a record of field values and the words the interpreter works on.
 * Promises: immutable once made; `toFields` and `from` are inverse but for the spelling of aliased fields and a second VLAN tag.
 */
import { PORTS } from '../openflow/constants.js';
import type { FieldName } from '../openflow/fields.js';
import type { FieldValue } from '../openflow/match.js';
import { MODELLED_FIELDS, readRange, slot, slotOf, toBigInt, wordBits, WORDS, writeRange, type WordBits } from './layout.js';
import { FRAG, hasField, ipFrag, VLAN_PRESENT } from './prerequisite.js';

/** Field values by name. Absent header fields are absent or 0; `vlan_vid` carries the tag-present bit 0x1000. */
export type FieldRecord = Readonly<Partial<Record<FieldName, FieldValue>>>;

/** A packet given by field values, as a record or as a map. */
export type Fields = FieldRecord | ReadonlyMap<FieldName, FieldValue>;

const VLAN_WORD = slot('vlan_tci').last;
const TPID_CTAG = 0x8100;

/** Bits of nw_tos that belong to it; the lower two are nw_ecn. */
const DSCP_BITS = 0xfc;

/** The bits a value of a field covers in a packet, or undefined if the field is not modelled. As a match or as a write. */
export function fieldBits(field: FieldName, value: FieldValue, mask?: FieldValue): WordBits[] | undefined {
  const place = slotOf(field);
  if (place === undefined) return undefined;
  if (field === 'nw_tos') return wordBits(place, value, DSCP_BITS);
  // A priority is that of a tag: matching or writing it implies the tag.
  if (field === 'vlan_pcp') return wordBits(slot('vlan_tci'), (Number(value) << 13) | VLAN_PRESENT, 0xf000);
  return wordBits(place, value, mask);
}

/** A tag written into a packet without one gets the ordinary ethertype. */
export function fixVlanType(words: Int32Array): void {
  const word = words[VLAN_WORD]!;
  if (word >>> 16 === 0 && (word & 0xffff) !== 0) words[VLAN_WORD] = word | (TPID_CTAG << 16);
}

/** Fields reported when they hold something, prerequisites permitting; aliases of others left out. */
const REPORTED: readonly FieldName[] = MODELLED_FIELDS.filter(
  (field) => !/^x{1,2}reg|^nxm_|^vlan_tci$|^ip_dscp$|^recirc_id$|^packet_type$|^conj_id$|^dp_hash$|^actset_output$/.test(field),
);

/** What a later fragment does not have. */
const TRANSPORT = /^(icmp|icmpv6|nd)_/;

/** Left out while 0: every packet has them, few use them. */
const SILENT = /^(reg|tun_|metadata$|pkt_mark$|ct_|nd_|vlan_vid$)/;

export class Microflow {
  /** Not to be changed. */
  readonly words: Int32Array;

  constructor(words: Int32Array) {
    this.words = words;
  }

  /** @throws RangeError for a field that is not modelled. */
  static from(fields: Fields): Microflow {
    const words = new Int32Array(WORDS);
    writeRange(words, slot('actset_output'), PORTS.UNSET);
    const entries = fields instanceof Map ? fields : Object.entries(fields);
    for (const [name, value] of entries as Iterable<[FieldName, FieldValue | undefined]>) {
      if (value === undefined) continue;
      if (name === 'nw_tos') {
        writeRange(words, slot('ip_dscp'), Number(value) >> 2);
        continue;
      }
      const place = slotOf(name);
      if (place !== undefined) writeRange(words, place, value);
      else if (toBigInt(value) !== 0n) throw new RangeError(`field ${name} is not modelled`);
    }
    fixVlanType(words);
    return new Microflow(words);
  }

  /** Value of a field; 0 if the packet does not have it. A number up to 48 bits, a bigint above. */
  get(field: FieldName): number | bigint {
    return readRange(this.words, slot(field));
  }

  /** As get, for fields of at most 48 bits. */
  number(field: FieldName): number {
    return Number(readRange(this.words, slot(field)));
  }

  /** Every header field the packet has, and the metadata, registers and conntrack fields that are not 0. */
  toFields(): FieldRecord {
    const fields: Partial<Record<FieldName, FieldValue>> = {};
    const isLater = (ipFrag(this.words) & FRAG.later) !== 0;
    for (const field of REPORTED) {
      if (!hasField(this.words, field) || (isLater && TRANSPORT.test(field))) continue;
      const value = this.get(field);
      if ((value !== 0 && value !== 0n) || !SILENT.test(field)) fields[field] = value;
    }
    return fields;
  }
}
