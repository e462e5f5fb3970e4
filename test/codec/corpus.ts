/**
 * The wire vectors of test/corpus. Where more of them are at hand in a neighbouring directory (rows whose licence keeps them out of this repository,
 * long captures), they are read too.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface Row {
  readonly id: string;
  readonly hex: string;
  readonly name?: string;
  readonly kind?: string;
  readonly style?: string;
  readonly text?: string;
  readonly ovs31?: string;
  readonly ofp_print?: string;
  readonly error?: string;
  readonly canonical_hex?: string;
  readonly expect?: unknown;
  readonly expect_format?: string;
  readonly osken?: unknown;
  readonly strict?: boolean;
  readonly truncated?: boolean;
  readonly not_in_of13?: boolean;
}

const HERE = path.join(process.cwd(), 'test/corpus');
export const MORE = path.join(process.cwd(), '../shared/corpus');

function read(file: string): Row[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);
}

export function rows(name: string): Row[] {
  const own = read(path.join(HERE, name));
  const known = new Set(own.map((row) => row.id));
  return [...own, ...read(path.join(MORE, name)).filter((row) => !known.has(row.id))];
}

export function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
