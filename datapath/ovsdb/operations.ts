/**
 * Database operations as OVSDB writes them (RFC 7047 §5.2).
 *
 * Owns: the few operations we use and the wire form of their values.
 */
import type { TableName } from './schema.js';

/** A value of RFC 7047 §5.1. */
export type Wire = string | number | boolean | readonly [string, unknown];
export type WireRow = Readonly<Record<string, Wire>>;

export type Condition = readonly [column: string, test: '==' | '!=' | 'includes' | 'excludes', value: Wire];
export type Mutation = readonly [column: string, how: 'insert' | 'delete', value: Wire];

export type Operation =
  | { readonly op: 'insert'; readonly table: TableName; readonly row: WireRow; readonly 'uuid-name'?: string }
  | { readonly op: 'update'; readonly table: TableName; readonly where: readonly Condition[]; readonly row: WireRow }
  | { readonly op: 'mutate'; readonly table: TableName; readonly where: readonly Condition[]; readonly mutations: readonly Mutation[] }
  | { readonly op: 'comment'; readonly comment: string };

export const wireSet = (elements: Iterable<Wire>): Wire => ['set', [...elements]];
export const wireMap = (pairs: Iterable<readonly [string, string]>): Wire => ['map', [...pairs]];
export const wireUuid = (uuid: string): Wire => ['uuid', uuid];
/** A row inserted in the same transaction under this `uuid-name`. */
export const newRow = (name: string): Wire => ['named-uuid', name];

export const byUuid = (uuid: string): readonly Condition[] => [['_uuid', '==', wireUuid(uuid)]];

/** Sets keys of a map column to the values given (null removes the key) and leaves the other keys alone. */
export function setKeys(column: string, pairs: Readonly<Record<string, string | null>>): readonly Mutation[] {
  const entries = Object.entries(pairs);
  const kept = entries.filter((entry): entry is [string, string] => entry[1] !== null);
  // `insert` does not replace the value of a key that is there.
  const remove: Mutation = [column, 'delete', wireSet(entries.map(([key]) => key))];
  return kept.length === 0 ? [remove] : [remove, [column, 'insert', wireMap(kept)]];
}
