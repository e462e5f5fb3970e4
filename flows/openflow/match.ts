/**
 * Match fields as values.
 *
 * Owns: the shape of an OXM field and of a match (a list of them), as used in flows, packet-ins, set-field actions and learn specs.
 * Assumes: field names come from the registry in fields.ts; which JS type carries a value follows from the field's width there.
 * Promises: plain immutable data. Order in a match is kept by the codec; canonical order is the business of canonical.ts.
 */
import type { FieldName } from './fields.js';

/** Up to 48 bits: a number (MAC addresses too: `0x0a0000000001`). 49 to 128 bits: a bigint. Variable-length fields (tun_metadataN): bytes. */
export type FieldValue = number | bigint | Uint8Array;

/** One known field with an optional mask of the same type (OF1.3.5 §7.2.3.2). No mask means exact. */
export interface OxmField {
  readonly field: FieldName;
  readonly value: FieldValue;
  readonly mask?: FieldValue | undefined;
}

/** A field this build does not know: kept so that it is encoded again byte for byte. */
export interface OpaqueOxm {
  readonly field: 'unknown';
  /** The 32-bit OXM header as read. */
  readonly header: number;
  readonly experimenter?: number | undefined;
  /** Value, and mask if the header says so, as read. */
  readonly bytes: Uint8Array;
}

export type Oxm = OxmField | OpaqueOxm;

/** A match: all its fields must hold. The empty list matches every packet. */
export type Match = readonly Oxm[];

/** `bits` bits of a field starting at bit `offset` (0 is the least significant). `{field, offset: 0, bits: width}` is the whole field. */
export interface Subfield {
  readonly field: FieldName;
  readonly offset: number;
  readonly bits: number;
}
