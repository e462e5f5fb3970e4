/**
 * What vnctl prints.
 *
 * Owns: tables, JSON and YAML.
 * Promises: a table leaves out columns that are empty or false in every row, and what has structure of its own; JSON and YAML leave out nothing.
 */
import { stringify } from 'yaml';
import type { Json } from './client.js';

export const FORMATS = ['table', 'json', 'yaml'] as const;
export type OutputFormat = (typeof FORMATS)[number];

/** Always there, and rarely what one looks for. */
const NOT_IN_TABLES = ['created_at', 'updated_at'];

export function formatData(data: unknown, format: 'json' | 'yaml'): string {
  return format === 'json' ? `${JSON.stringify(data, null, 2)}\n` : stringify(data, { compat: 'yaml-1.1', aliasDuplicateObjects: false });
}

/** Rows with the union of their keys as columns, in order of first appearance. */
export function formatTable(rows: readonly Json[]): string {
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter(
    (key) => !NOT_IN_TABLES.includes(key) && rows.some((row) => row[key] !== false && cellOf(row[key]) !== ''),
  );
  if (keys.length === 0) return '';
  const lines = [keys.map((key) => key.toUpperCase()), ...rows.map((row) => keys.map((key) => cellOf(row[key])))];
  const widths = keys.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** One entity: a line for each field, and for each member of a list of entities or rules. */
export function formatRecord(record: Json): string {
  const entries = Object.entries(record).map(([key, value]) => [key, linesOf(value)] as const);
  const width = Math.max(...entries.map(([key]) => key.length));
  return entries
    .flatMap(([key, lines]) => lines.map((line, index) => `${(index === 0 ? key : '').padEnd(width)}  ${line}`.trimEnd() + '\n'))
    .join('');
}

function linesOf(value: unknown): readonly string[] {
  if (!isStructured(value)) return [cellOf(value)];
  return Array.isArray(value) ? value.map((member) => shortOf(member as Json)) : [JSON.stringify(value)];
}

/** A member of a list in one line. Left out is what is empty, and lists inside it: an interface shows the ip_leases of its mac_leases as its own. */
function shortOf(member: Json): string {
  return Object.entries(member)
    .filter(([key, value]) => !NOT_IN_TABLES.includes(key) && value !== false && !(Array.isArray(value) && isStructured(value)))
    .map(([key, value]) => [key, isStructured(value) ? JSON.stringify(value) : cellOf(value)])
    .filter(([, text]) => text !== '')
    .map(([key, text]) => `${key}=${text}`)
    .join(' ');
}

function cellOf(value: unknown): string {
  if (value === undefined || value === null || isStructured(value)) return '';
  if (Array.isArray(value)) return value.join(',');
  return typeof value === 'string' ? value.replaceAll(/\p{Cc}/gu, '?') : JSON.stringify(value);
}

function isStructured(value: unknown): boolean {
  return Array.isArray(value) ? value.some((item) => typeof item === 'object') : value !== null && typeof value === 'object';
}
