/**
 * A look at an LMDB data file before it is mapped into memory.
 *
 * Owns: telling a data file from anything else. LMDB trusts what it maps: a file that is none, or lacks pages, ends the process instead of failing.
 * Assumes: the layout of lmdb-js on 64-bit little-endian machines (liblmdb 0.9 with data version 2: mdb.c, MDB_meta).
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';

const MAGIC = 0xbeef_c0de;
const DATA_VERSION = 2;
/** Offsets in a meta page, behind the page header of 24 bytes. */
const AT = { magic: 24, version: 28, page_size: 48, last_page: 144, transaction: 152 };
const META_BYTES = 160;

/** Why the file cannot be used; undefined when it can, or is not there yet. */
export function dataFileProblem(path: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    if (size === 0) return undefined;
    const first = metaAt(fd, 0);
    if (first === undefined) return `${path} is not an LMDB data file`;
    const second = metaAt(fd, first.pageSize);
    if (second === undefined) return `${path} is damaged: its second head page is gone`;
    const { lastPage } = first.transaction > second.transaction ? first : second;
    const needed = (lastPage + 1) * first.pageSize;
    // The last pages may be free ones that were never written: a healthy file can be short. Zeros are read as damage where they matter.
    if (size < needed) ftruncateSync(fd, needed);
    return undefined;
  } finally {
    closeSync(fd);
  }
}

function metaAt(fd: number, position: number): { pageSize: number; lastPage: number; transaction: bigint } | undefined {
  const page = Buffer.alloc(META_BYTES);
  if (readSync(fd, page, 0, META_BYTES, position) < META_BYTES) return undefined;
  const pageSize = page.readUInt32LE(AT.page_size);
  const sane =
    page.readUInt32LE(AT.magic) === MAGIC && page.readUInt32LE(AT.version) === DATA_VERSION && pageSize >= 512 && pageSize <= 65_536;
  return sane
    ? { pageSize, lastPage: Number(page.readBigUInt64LE(AT.last_page)), transaction: page.readBigUInt64LE(AT.transaction) }
    : undefined;
}
