/**
 * The part of the Open_vSwitch schema we read (ovs-vswitchd.conf.db(5)).
 *
 * Owns: tables and columns, their kinds, and the conversion of wire values (RFC 7047 §5.1) into plain typed ones.
 * Promises: a value that does not have its column's kind is an OvsdbError `protocol`; a column left out has its default.
 */
import { OvsdbError } from './ovsdb-error.js';

/** `?` is at most one value; `strings` and `uuids` are sets; `map` is strings to strings. */
interface KindType {
  string: string;
  'string?': string | null;
  'integer?': number | null;
  strings: ReadonlySet<string>;
  uuids: ReadonlySet<string>;
  map: ReadonlyMap<string, string>;
}

type Kind = keyof KindType;

export const COLUMNS = {
  Open_vSwitch: { bridges: 'uuids', ovs_version: 'string?' },
  Bridge: {
    name: 'string',
    ports: 'uuids',
    controller: 'uuids',
    protocols: 'strings',
    fail_mode: 'string?',
    datapath_id: 'string?',
    datapath_type: 'string',
    other_config: 'map',
    external_ids: 'map',
  },
  Port: { name: 'string', interfaces: 'uuids' },
  Interface: {
    name: 'string',
    type: 'string',
    ofport: 'integer?',
    error: 'string?',
    mtu: 'integer?',
    options: 'map',
    link_state: 'string?',
    mac_in_use: 'string?',
    external_ids: 'map',
  },
} as const satisfies Record<string, Record<string, Kind>>;

export type TableName = keyof typeof COLUMNS;
export const TABLE_NAMES = Object.keys(COLUMNS) as TableName[];

export type Row<T extends TableName> = { readonly _uuid: string } & {
  readonly [C in keyof (typeof COLUMNS)[T]]: (typeof COLUMNS)[T][C] extends Kind ? KindType[(typeof COLUMNS)[T][C]] : never;
};

/** Rows by uuid. */
export type Tables = { readonly [T in TableName]: ReadonlyMap<string, Row<T>> };

/**
 * A row from its wire form; columns not there have their default, columns we do not know are ignored.
 * @throws OvsdbError `protocol`
 */
export function decodeRow<T extends TableName>(table: T, uuid: string, wire: Readonly<Record<string, unknown>>): Row<T> {
  const row: Record<string, unknown> = { _uuid: uuid };
  for (const [column, kind] of Object.entries(COLUMNS[table]) as [string, Kind][]) {
    row[column] = Object.hasOwn(wire, column) ? decode(kind, wire[column], `${table}.${column}`) : decode(kind, defaultOf(kind), '');
  }
  return row as Row<T>;
}

/**
 * A row after a `modify` of `update2` (ovsdb-server(7) §4.1.14): sets carry the elements that changed sides, maps the pairs
 * that changed, everything else its new value.
 * @throws OvsdbError `protocol`
 */
export function modifyRow<T extends TableName>(table: T, row: Row<T>, wire: Readonly<Record<string, unknown>>): Row<T> {
  const next: Record<string, unknown> = { ...row };
  for (const [column, kind] of Object.entries(COLUMNS[table]) as [string, Kind][]) {
    if (!Object.hasOwn(wire, column)) continue;
    const value = decode(kind, wire[column], `${table}.${column}`);
    if (value instanceof Map) next[column] = mapDifference(next[column] as ReadonlyMap<string, string>, value);
    else if (value instanceof Set) next[column] = symmetricDifference(next[column] as ReadonlySet<string>, value);
    else next[column] = value;
  }
  return next as Row<T>;
}

function defaultOf(kind: Kind): unknown {
  if (kind === 'string') return '';
  return kind === 'map' ? ['map', []] : ['set', []];
}

function decode(kind: Kind, wire: unknown, where: string): KindType[Kind] {
  switch (kind) {
    case 'string':
      return string(wire, where);
    case 'string?':
      return optional(wire, where, string);
    case 'integer?':
      return optional(wire, where, integer);
    case 'strings':
      return new Set(elements(wire, where).map((element) => string(element, where)));
    case 'uuids':
      return new Set(elements(wire, where).map((element) => uuid(element, where)));
    case 'map':
      return stringMap(wire, where);
  }
}

function string(wire: unknown, where: string): string {
  if (typeof wire !== 'string') throw unexpected('a string', where);
  return wire;
}

function integer(wire: unknown, where: string): number {
  if (typeof wire !== 'number' || !Number.isSafeInteger(wire)) throw unexpected('an integer', where);
  return wire;
}

function uuid(wire: unknown, where: string): string {
  if (!Array.isArray(wire) || wire.length !== 2 || wire[0] !== 'uuid' || typeof wire[1] !== 'string') throw unexpected('a uuid', where);
  return wire[1];
}

function optional<T>(wire: unknown, where: string, atom: (wire: unknown, where: string) => T): T | null {
  const values = elements(wire, where);
  if (values.length > 1) throw unexpected('at most one value', where);
  return values.length === 0 ? null : atom(values[0], where);
}

/** A set of one element may be written as the element. */
function elements(wire: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(wire) || wire[0] !== 'set') return [wire];
  if (wire.length !== 2 || !Array.isArray(wire[1])) throw unexpected('a set', where);
  return wire[1];
}

function stringMap(wire: unknown, where: string): ReadonlyMap<string, string> {
  if (!Array.isArray(wire) || wire.length !== 2 || wire[0] !== 'map' || !Array.isArray(wire[1])) throw unexpected('a map', where);
  return new Map(
    wire[1].map((pair: unknown) => {
      if (!Array.isArray(pair) || pair.length !== 2) throw unexpected('a pair', where);
      return [string(pair[0], where), string(pair[1], where)];
    }),
  );
}

function symmetricDifference(before: ReadonlySet<string>, changed: ReadonlySet<string>): ReadonlySet<string> {
  const after = new Set(before);
  for (const element of changed) if (!after.delete(element)) after.add(element);
  return after;
}

function mapDifference(before: ReadonlyMap<string, string>, changed: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const after = new Map(before);
  for (const [key, value] of changed) {
    if (after.get(key) === value) after.delete(key);
    else after.set(key, value);
  }
  return after;
}

function unexpected(expected: string, where: string): OvsdbError {
  return new OvsdbError('protocol', `${where}: expected ${expected}`);
}
