/**
 * Table features on the wire (OpenFlow 1.3.5 §7.3.5.5).
 *
 * Assumes: property lengths exclude the padding to 8 bytes; entry lengths include it.
 */
import { OF_ERRORS } from './errors.js';
import type { FeatureId, OxmId, TableFeatureProperty, TableFeatures } from './multipart.js';
import { align8, fail, fixedString, need, slice } from './read.js';
import type { Writer } from './writer.js';

const OF = OF_ERRORS.bad_table_features_len;
const EXPERIMENTER = 0xfffe;
const EXPERIMENTER_MISS = 0xffff;

/** Wire type of each property, without the miss variant, which is one more. */
const PROPERTY_TYPES = {
  instructions: 0,
  next_tables: 2,
  write_actions: 4,
  apply_actions: 6,
  match: 8,
  wildcards: 10,
  write_setfield: 12,
  apply_setfield: 14,
  experimenter: EXPERIMENTER,
} as const;

export function decodeTableFeatures(view: DataView, start: number, end: number): TableFeatures[] {
  const tables: TableFeatures[] = [];
  let o = start;
  while (o < end) {
    need(o, end, 64, 'table features', OF);
    const length = view.getUint16(o);
    if (length < 64 || length > end - o || (length & 7) !== 0) fail('bad_length', o, 'a table features length of 64, 72, … that fits', OF);
    tables.push({
      table: view.getUint8(o + 2),
      name: fixedString(view, o + 8, 32),
      metadata_match: view.getBigUint64(o + 40),
      metadata_write: view.getBigUint64(o + 48),
      config: view.getUint32(o + 56),
      max_entries: view.getUint32(o + 60),
      properties: decodeProperties(view, o + 64, o + length),
    });
    o += length;
  }
  return tables;
}

function decodeProperties(view: DataView, start: number, end: number): TableFeatureProperty[] {
  const properties: TableFeatureProperty[] = [];
  let o = start;
  while (o < end) {
    need(o, end, 4, 'a table feature property', OF);
    const length = view.getUint16(o + 2);
    if (length < 4 || align8(length) > end - o) fail('bad_length', o + 2, 'a property length of at least 4 that fits', OF);
    properties.push(decodeProperty(view, view.getUint16(o), o + 4, o + length));
    o += align8(length);
  }
  return properties;
}

function decodeProperty(view: DataView, type: number, o: number, end: number): TableFeatureProperty {
  const miss = (type & 1) !== 0;
  switch (type) {
    case 0:
    case 1:
      return { kind: 'instructions', miss, ids: decodeIds(view, o, end) };
    case 2:
    case 3:
      return { kind: 'next_tables', miss, tables: [...slice(view, o, end)] };
    case 4:
    case 5:
      return { kind: 'write_actions', miss, ids: decodeIds(view, o, end) };
    case 6:
    case 7:
      return { kind: 'apply_actions', miss, ids: decodeIds(view, o, end) };
    case 8:
      return { kind: 'match', oxms: decodeOxmIds(view, o, end) };
    case 10:
      return { kind: 'wildcards', oxms: decodeOxmIds(view, o, end) };
    case 12:
    case 13:
      return { kind: 'write_setfield', miss, oxms: decodeOxmIds(view, o, end) };
    case 14:
    case 15:
      return { kind: 'apply_setfield', miss, oxms: decodeOxmIds(view, o, end) };
    case EXPERIMENTER:
    case EXPERIMENTER_MISS:
      need(o, end, 8, 'an experimenter property', OF);
      return {
        kind: 'experimenter',
        miss,
        experimenter: view.getUint32(o),
        exp_type: view.getUint32(o + 4),
        data: slice(view, o + 8, end),
      };
    default:
      return { kind: 'unknown', type, data: slice(view, o, end) };
  }
}

/** Instruction and action ids: 4 bytes, at least 8 for experimenters. */
function decodeIds(view: DataView, start: number, end: number): FeatureId[] {
  const ids: FeatureId[] = [];
  let o = start;
  while (o < end) {
    need(o, end, 4, 'an id', OF);
    const type = view.getUint16(o);
    const length = view.getUint16(o + 2);
    const min = type === 0xffff ? 8 : 4;
    if (length < min || length > end - o) fail('bad_length', o + 2, `an id length of at least ${min} that fits`, OF);
    const experimenter = type === 0xffff ? view.getUint32(o + 4) : undefined;
    ids.push({ type, experimenter, data: length > min ? slice(view, o + min, o + length) : undefined });
    o += length;
  }
  return ids;
}

function decodeOxmIds(view: DataView, start: number, end: number): OxmId[] {
  const oxms: OxmId[] = [];
  let o = start;
  while (o < end) {
    need(o, end, 4, 'an OXM header', OF);
    const header = view.getUint32(o);
    const size = header >>> 16 === 0xffff ? 8 : 4;
    need(o, end, size, 'an experimenter OXM header', OF);
    oxms.push({ header, experimenter: size === 8 ? view.getUint32(o + 4) : undefined });
    o += size;
  }
  return oxms;
}

export function encodeTableFeatures(w: Writer, tables: readonly TableFeatures[]): void {
  for (const table of tables) {
    w.room(64);
    const start = w.pos;
    w.u16(0);
    w.u8(table.table);
    w.zeros(5);
    w.string(table.name, 32);
    w.u64(table.metadata_match);
    w.u64(table.metadata_write);
    w.u32(table.config);
    w.u32(table.max_entries);
    for (const property of table.properties) encodeProperty(w, property);
    w.view.setUint16(start, w.pos - start);
  }
}

function encodeProperty(w: Writer, property: TableFeatureProperty): void {
  w.room(16);
  const start = w.pos;
  w.u16(property.kind === 'unknown' ? property.type : PROPERTY_TYPES[property.kind] + ('miss' in property && property.miss ? 1 : 0));
  w.u16(0);
  switch (property.kind) {
    case 'instructions':
    case 'write_actions':
    case 'apply_actions':
      for (const id of property.ids) encodeId(w, id);
      break;
    case 'next_tables':
      w.bytes(Uint8Array.from(property.tables));
      break;
    case 'match':
    case 'wildcards':
    case 'write_setfield':
    case 'apply_setfield':
      for (const oxm of property.oxms) {
        w.room(8);
        w.u32(oxm.header);
        if (oxm.experimenter !== undefined) w.u32(oxm.experimenter);
      }
      break;
    case 'experimenter':
      w.u32(property.experimenter);
      w.u32(property.exp_type);
      w.bytes(property.data);
      break;
    case 'unknown':
      w.bytes(property.data);
      break;
  }
  w.view.setUint16(start + 2, w.pos - start);
  w.pad8(start);
}

function encodeId(w: Writer, id: FeatureId): void {
  w.room(8);
  const start = w.pos;
  w.u16(id.type);
  w.u16(0);
  if (id.experimenter !== undefined) w.u32(id.experimenter);
  if (id.data !== undefined) w.bytes(id.data);
  w.view.setUint16(start + 2, w.pos - start);
}
