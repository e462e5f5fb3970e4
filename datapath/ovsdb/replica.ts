/**
 * Our copy of the monitored tables.
 *
 * Owns: the rows, and how `update` (RFC 7047 §4.1.6) and `update2`/`update3` (ovsdb-server(7)) notifications change them.
 * Assumes: one writer (the client), and that notifications of one monitor arrive in order.
 * Promises: rows are replaced, never changed in place; a notification that does not fit is an OvsdbError `protocol`
 * and changes nothing.
 */
import { OvsdbError } from './ovsdb-error.js';
import { COLUMNS, TABLE_NAMES, decodeRow, modifyRow, type Row, type TableName, type Tables } from './schema.js';

export class Replica {
  readonly #tables = Object.fromEntries(TABLE_NAMES.map((table) => [table, new Map()])) as {
    [T in TableName]: Map<string, Row<T>>;
  };

  get tables(): Tables {
    return this.#tables;
  }

  /** `{table: {uuid: {initial|insert|modify|delete: row}}}`: the reply and the updates of monitor_cond and monitor_cond_since. */
  applyUpdate2(updates: unknown): void {
    this.#applyAll(updates, (table, uuid, change) => {
      const row = this.#tables[table].get(uuid);
      if ('initial' in change) return decodeRow(table, uuid, record(change['initial']));
      if ('insert' in change) return decodeRow(table, uuid, record(change['insert']));
      if ('delete' in change) return undefined;
      if ('modify' in change && row !== undefined) return modifyRow(table, row, record(change['modify']));
      throw new OvsdbError('protocol', `${table}: an update that fits no row`);
    });
  }

  /** `{table: {uuid: {old?, new?}}}`: the reply and the updates of monitor. */
  applyUpdate(updates: unknown): void {
    this.#applyAll(updates, (table, uuid, change) => ('new' in change ? decodeRow(table, uuid, record(change['new'])) : undefined));
  }

  /** All rows are decoded before the first is stored: a bad notification changes nothing. */
  #applyAll(
    updates: unknown,
    after: (table: TableName, uuid: string, change: Readonly<Record<string, unknown>>) => Row<TableName> | undefined,
  ): void {
    const changes: (readonly [Map<string, Row<TableName>>, string, Row<TableName> | undefined])[] = [];
    for (const [name, rows] of Object.entries(record(updates))) {
      if (!Object.hasOwn(COLUMNS, name)) throw new OvsdbError('protocol', `update of table ${name}, which was not asked for`);
      const table = name as TableName;
      for (const [uuid, change] of Object.entries(record(rows))) {
        changes.push([this.#tables[table], uuid, after(table, uuid, record(change))]);
      }
    }
    for (const [table, uuid, row] of changes) {
      if (row === undefined) table.delete(uuid);
      else table.set(uuid, row);
    }
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new OvsdbError('protocol', 'expected an object');
  return value as Record<string, unknown>;
}
