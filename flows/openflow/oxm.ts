/**
 * OXM fields and matches on the wire (OpenFlow 1.3.5 §7.2.3).
 *
 * Owns: OXM and NXM entries, `struct ofp_match`, field headers inside Nicira actions.
 * Promises: known fields are decoded whatever header they came with and written with the one of FIELDS; unknown fields are kept and rewritten
 * byte for byte. Order and masks are kept as they are: canonical.ts is where forms are made equal.
 */
import { EncodeError, OF_ERRORS, type OfError } from './errors.js';
import { FIELDS, fieldByHeader, type FieldInfo, type FieldName } from './fields.js';
import type { FieldValue, Match, Oxm, Subfield } from './match.js';
import { align8, fail, need, slice, u128, u48 } from './read.js';
import type { Writer } from './writer.js';

const OXM_CLASS_EXPERIMENTER = 0xffff;
/** OFPMT_OXM. */
const MATCH_TYPE_OXM = 1;
const MAX_U64 = 0xffff_ffff_ffff_ffffn;
const MAX_U128 = (1n << 128n) - 1n;

function readValue(view: DataView, o: number, field: FieldInfo): FieldValue {
  switch (field.bytes) {
    case 1:
      return view.getUint8(o);
    case 2:
      return view.getUint16(o);
    case 3:
      return (view.getUint16(o) << 8) | view.getUint8(o + 2);
    case 4:
      return view.getUint32(o);
    case 6:
      return u48(view, o);
    case 8:
      return view.getBigUint64(o);
    default:
      return u128(view, o);
  }
}

/** The entry at `o`, which ends at `end` = o + 4 + its length byte. */
export function decodeOxm(view: DataView, o: number, end: number, of: OfError): Oxm {
  const header = view.getUint32(o);
  let payload = o + 4;
  let experimenter = 0;
  if (header >>> 16 === OXM_CLASS_EXPERIMENTER) {
    if (end - payload < 4) fail('bad_length', o, 'OXM length of at least 4 for an experimenter field', of);
    experimenter = view.getUint32(payload);
    payload += 4;
  }
  const field = fieldByHeader(header, experimenter);
  if (field === undefined) {
    const opaque = { field: 'unknown', header, bytes: slice(view, payload, end) } as const;
    return payload === o + 4 ? opaque : { ...opaque, experimenter };
  }
  const masked = (header & 0x100) !== 0;
  if (field.variable) {
    const length = end - payload;
    const size = masked ? length >>> 1 : length;
    if (size > field.bytes || size === 0 || (masked && (length & 1) !== 0)) fail('bad_length', o, `1 to 124 bytes of ${field.name}`, of);
    return {
      field: field.name,
      value: slice(view, payload, payload + size),
      mask: masked ? slice(view, payload + size, end) : undefined,
    };
  }
  const size = field.bytes;
  if (masked) {
    if (end - payload !== 2 * size) fail('bad_length', o, `OXM length for ${field.name} with mask`, of);
    return { field: field.name, value: readValue(view, payload, field), mask: readValue(view, payload + size, field) };
  }
  if (end - payload !== size) fail('bad_length', o, `OXM length for ${field.name}`, of);
  return { field: field.name, value: readValue(view, payload, field), mask: undefined };
}

/** A run of entries without padding. */
export function decodeOxms(view: DataView, start: number, end: number, of: OfError = OF_ERRORS.bad_match_len): Oxm[] {
  const oxms: Oxm[] = [];
  let o = start;
  while (o < end) {
    if (end - o < 4) fail('truncated', o, 'an OXM header', of);
    const next = o + 4 + view.getUint8(o + 3);
    if (next > end) fail('bad_length', o, 'an OXM that ends within its match', of);
    oxms.push(decodeOxm(view, o, next, of));
    o = next;
  }
  return oxms;
}

/** Where the padded `struct ofp_match` at `o` ends. */
export function matchEnd(view: DataView, o: number, end: number): number {
  need(o, end, 8, 'a match', OF_ERRORS.bad_match_len);
  const length = view.getUint16(o + 2);
  if (length < 4 || align8(length) > end - o) fail('bad_length', o + 2, 'a match length of at least 4 that fits', OF_ERRORS.bad_match_len);
  return o + align8(length);
}

/** The `struct ofp_match` at `o`; `matchEnd` says where it ends, padding included, and has checked that. */
export function decodeMatch(view: DataView, o: number): Oxm[] {
  if (view.getUint16(o) !== MATCH_TYPE_OXM) fail('bad_value', o, 'match type OFPMT_OXM', OF_ERRORS.bad_match_type);
  return decodeOxms(view, o + 4, o + view.getUint16(o + 2));
}

function bad(field: FieldInfo, value: unknown): never {
  throw new EncodeError('bad_value', `${String(value)} is no ${field.bytes}-byte value of ${field.name}`);
}

/** The value of a fixed-length field. */
function writeValue(w: Writer, field: FieldInfo, value: FieldValue): void {
  if (typeof value === 'number') {
    switch (field.bytes) {
      case 1:
        if ((value & 0xff) !== value) bad(field, value);
        return w.u8(value);
      case 2:
        if ((value & 0xffff) !== value) bad(field, value);
        return w.u16(value);
      case 3:
        if ((value & 0xffffff) !== value) bad(field, value);
        w.u8(value >>> 16);
        return w.u16(value & 0xffff);
      case 4:
        if (value >>> 0 !== value) bad(field, value);
        return w.u32(value);
      case 6:
        if (!(value >= 0 && value <= 0xffff_ffff_ffff && Math.floor(value) === value)) bad(field, value);
        return w.u48(value);
      default:
        bad(field, value);
    }
  }
  if (typeof value !== 'bigint') bad(field, value);
  if (field.bytes === 8) {
    if (value < 0n || value > MAX_U64) bad(field, value);
    w.u64(value);
  } else if (field.bytes === 16) {
    if (value < 0n || value > MAX_U128) bad(field, value);
    w.u128(value);
  } else {
    bad(field, value);
  }
}

function encodeVariable(w: Writer, field: FieldInfo, value: FieldValue, mask: FieldValue | undefined): void {
  if (!(value instanceof Uint8Array) || value.length === 0 || value.length > field.bytes) bad(field, value);
  if (mask === undefined) {
    w.u32(field.oxm.header + value.length);
    w.bytes(value);
    return;
  }
  if (!(mask instanceof Uint8Array) || mask.length !== value.length) bad(field, mask);
  w.u32(field.oxm.headerMasked + 2 * value.length);
  w.bytes(value);
  w.bytes(mask);
}

/** Looks a name up and fails typed when a caller without types made it up. */
export function fieldOf(name: FieldName): FieldInfo {
  const field = FIELDS[name] as FieldInfo | undefined;
  if (field === undefined) throw new EncodeError('bad_value', `no field ${name}`);
  return field;
}

/** One entry with header. */
export function encodeField(w: Writer, field: FieldInfo, value: FieldValue, mask: FieldValue | undefined): void {
  if (field.variable) return encodeVariable(w, field, value, mask);
  const wire = field.oxm;
  if (mask === undefined) {
    w.u32(wire.header);
    if (wire.experimenter !== 0) w.u32(wire.experimenter);
    writeValue(w, field, value);
  } else {
    w.u32(wire.headerMasked);
    if (wire.experimenter !== 0) w.u32(wire.experimenter);
    writeValue(w, field, value);
    writeValue(w, field, mask);
  }
}

export function encodeOxm(w: Writer, oxm: Oxm): void {
  w.room(264);
  if (oxm.field !== 'unknown') return encodeField(w, fieldOf(oxm.field), oxm.value, oxm.mask);
  const prefix = oxm.experimenter === undefined ? 0 : 4;
  if ((oxm.header & 0xff) !== prefix + oxm.bytes.length) throw new EncodeError('bad_value', 'OXM header and bytes differ in length');
  w.u32(oxm.header);
  if (oxm.experimenter !== undefined) w.u32(oxm.experimenter);
  w.bytes(oxm.bytes);
}

export function encodeOxms(w: Writer, match: Match): void {
  for (const oxm of match) encodeOxm(w, oxm);
}

/** `struct ofp_match`, padded. */
export function encodeMatch(w: Writer, match: Match): void {
  w.room(8);
  const start = w.pos;
  w.u16(MATCH_TYPE_OXM);
  w.pos += 2;
  encodeOxms(w, match);
  w.view.setUint16(start + 2, w.pos - start);
  w.pad8(start);
}

/** Bytes of the field header at `o` (8 for experimenter fields), or 0 if it does not fit before `end`. */
export function headerSize(view: DataView, o: number, end: number): number {
  if (end - o < 4) return 0;
  if (view.getUint16(o) !== OXM_CLASS_EXPERIMENTER) return 4;
  return end - o < 8 ? 0 : 8;
}

/** The field named by the bare header at `o`, whose size `headerSize` gave; undefined if unknown. */
export function decodeHeader(view: DataView, o: number, size: number): FieldInfo | undefined {
  return fieldByHeader(view.getUint32(o), size === 8 ? view.getUint32(o + 4) : 0);
}

/** The bare header of a field as Nicira actions write it: 4 bytes, 8 for experimenter fields. */
export function encodeHeader(w: Writer, field: FieldInfo): void {
  w.u32(field.variable ? field.nxm.header + field.bytes : field.nxm.header);
  if (field.nxm.experimenter !== 0) w.u32(field.nxm.experimenter);
}

/** The bare header where the layout leaves 4 bytes. Throws EncodeError for experimenter fields. */
export function encodeHeader4(w: Writer, field: FieldInfo): void {
  if (field.nxm.experimenter !== 0) throw new EncodeError('bad_value', `${field.name} cannot be used here: its header takes 8 bytes`);
  w.u32(field.nxm.header);
}

/** `ofs_nbits`: offset in the upper 10 bits, length less one in the lower 6. */
export function encodeOfsNbits(w: Writer, subfield: Subfield): void {
  if (subfield.bits < 1 || subfield.bits > 64 || subfield.offset < 0 || subfield.offset > 1023) {
    throw new EncodeError('bad_value', `${subfield.field}[${subfield.offset}+${subfield.bits}]: at most 64 bits`);
  }
  w.u16((subfield.offset << 6) | (subfield.bits - 1));
}

/** A part of a field that must lie within it; `o` is where it is said. */
export function decodeSubfield(o: number, field: FieldInfo, offset: number, bits: number): Subfield {
  if (bits < 1 || offset + bits > field.bits) {
    fail('bad_value', o, `bits of ${field.name} within its ${field.bits}`, OF_ERRORS.bad_set_len);
  }
  return { field: field.name, offset, bits };
}

export function decodeOfsNbits(view: DataView, o: number, field: FieldInfo): Subfield {
  const ofsNbits = view.getUint16(o);
  return decodeSubfield(o, field, ofsNbits >>> 6, (ofsNbits & 0x3f) + 1);
}
