/**
 * The last slice of a bridge, on disk.
 *
 * Owns: one file: a line that says what it is and its checksum, then CBOR.
 * Promises: a file is replaced whole or not at all. One that is damaged, of another version or another datapath's is as good as none, and said to be so.
 * However large the slice, what else the process has to do waits for no more than STRIDE records of it; where these are the same as the last time, they are
 * not encoded again.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Encoder } from 'cbor-x';
import { z } from 'zod';
import { arrayHead } from '../../controller/kernel/cbor.js';
import { SLICE_SCHEMA_VERSION, type Revision, type SliceRecord } from '../../controller/messages/slice.js';
import { recordsSchema } from '../../controller/messages/slice-service.js';

export interface KeptSlice {
  readonly datapath_uuid: string;
  readonly dpid: string;
  readonly revision: Revision;
  readonly records: readonly SliceRecord[];
}

/** Records taken in one turn of the event loop: about a millisecond's worth. */
const STRIDE = 200;
const CHECKSUM = 'sha256';
const FORM = `hotori-slice/${SLICE_SCHEMA_VERSION}`;
const codec = new Encoder({ useRecords: false, mapsAsObjects: true });
const schema = z.object({
  datapath_uuid: z.string(),
  dpid: z.string(),
  revision: z.object({ incarnation: z.string(), number: z.int() }),
  records: recordsSchema,
});

/** STRIDE records that follow one another, and what they are encoded as. */
interface Part {
  readonly records: readonly SliceRecord[];
  readonly bytes: Uint8Array;
}

/** Why there is nothing to read; `undefined` when there is no file. */
export type Unreadable = { readonly reason: string | undefined };

export class SliceFile {
  readonly path: string;
  /** What was written last: most of it is the same the next time. */
  #last: readonly Part[] = [];

  constructor(file: string) {
    this.path = file;
  }

  read(): KeptSlice | Unreadable {
    let bytes: Buffer;
    try {
      bytes = readFileSync(this.path);
    } catch (error) {
      return { reason: (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : String(error) };
    }
    const end = bytes.indexOf('\n');
    const [form, checksum] = bytes.subarray(0, Math.max(end, 0)).toString('latin1').split(' ');
    if (form !== FORM) return { reason: `it is not of the form ${FORM}` };
    const body = bytes.subarray(end + 1);
    if (checksum !== createHash(CHECKSUM).update(body).digest('hex')) return { reason: 'its checksum is wrong' };
    try {
      return schema.parse(codec.decode(body));
    } catch (error) {
      return { reason: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Throws the system's error. */
  async write({ records, ...about }: KeptSlice): Promise<void> {
    const empty = codec.encode({ ...about, records: [] });
    // The empty list at its end is one byte.
    const head = Buffer.concat([empty.subarray(0, -1), arrayHead(records.length)]);
    const digest = createHash(CHECKSUM).update(head);
    const parts: Part[] = [];
    for (let from = 0; from < records.length; from += STRIDE) {
      const part = partOf(records.slice(from, from + STRIDE), this.#last[parts.length]);
      digest.update(part.bytes);
      parts.push(part);
      await setImmediate();
    }
    this.#last = parts;
    const fresh = `${this.path}.new`;
    const file = await open(fresh, 'w', 0o600);
    try {
      await file.appendFile(`${FORM} ${digest.digest('hex')}\n`);
      await file.appendFile(head);
      for (const { bytes } of parts) await file.appendFile(bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(fresh, this.path);
    const dir = await open(path.dirname(this.path), 'r');
    try {
      await dir.sync();
    } finally {
      await dir.close();
    }
  }
}

function partOf(records: readonly SliceRecord[], before: Part | undefined): Part {
  const isSame = before?.records.length === records.length && records.every((record, i) => record === before.records[i]);
  return isSame ? before : { records, bytes: Buffer.concat(records.map((record) => codec.encode(record))) };
}
