/**
 * The embedded store: an LMDB environment in a directory.
 *
 * Owns: what is on disk under the keys of embedded-keys.ts, in CBOR. `meta` holds the revision, counters and writer.
 * Assumes: a local file system; one process at a time.
 * Promises: what the store contract says. A commit has reached the disk when it resolves; the log keeps the last LOG_REVISIONS revisions, fewer
 * when they are bigger than LOG_BYTES.
 */
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { z } from 'zod';
import type { Entity } from '../../flows/model/entities.js';
import type { Random } from '../kernel/ambient.js';
import { makeDirectory } from '../kernel/make-directory.js';
import type { Revision } from '../messages/slice.js';
import { StoreCodec, type EncodedChanges } from './codec.js';
import { StoreError, type Lease, type Store, type StoredChange, type StoreSnapshot, type StoreWatch } from './contract.js';
import { ALL_ENTITIES, entityKey, logKey, META } from './embedded-keys.js';
import { migrateEmbedded } from './embedded-migrate.js';
import { dataFileProblem } from './lmdb-file.js';
import { LocalLeases } from './local-leases.js';
import { STORE_SCHEMA, type StoreSchema } from './migrations.js';
import { isRunning, thisWriter } from './writer.js';

const LOG_REVISIONS = 10_000;
const LOG_BYTES = 256 * 2 ** 20;

export interface EmbeddedStoreOptions {
  /** Directory on a local file system; made when absent. */
  readonly dir: string;
  /** Names the incarnation of a new store. */
  readonly random: Random;
  /** How many revisions the log keeps; LOG_REVISIONS when absent. */
  readonly logRevisions?: number;
  /** What it is brought to; STORE_SCHEMA when absent. */
  readonly schema?: StoreSchema;
}

const metaSchema = z.object({
  schema_version: z.int().min(1),
  incarnation: z.string(),
  revision: z.int(),
  counters: z.record(z.string(), z.int()),
  /** The log starts after this revision. */
  log_floor: z.int(),
  log_bytes: z.int(),
  /** Grows with every process that takes the store. */
  epoch: z.int(),
  writer: z.object({ pid: z.int(), started: z.string(), boot: z.string() }).nullable(),
});
type Meta = z.infer<typeof metaSchema>;

/** Opens the store in a directory, for this process alone, and migrates one of an older version. Throws StoreError `locked`, `newer_schema`, `corrupt` or `failed`. */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  const { dir } = options;
  let db: RootDatabase<Buffer> | undefined;
  try {
    makeDirectory(dir, 0o700);
    const problem = dataFileProblem(join(dir, 'data.mdb'));
    if (problem !== undefined) throw new StoreError('corrupt', problem);
    // Without overlapping sync a transaction ends when it is on disk, not before.
    const opened = (db = open<Buffer>({ path: dir, noSubdir: false, encoding: 'binary', noMemInit: true, overlappingSync: false }));
    const codec = new StoreCodec(`the store in ${dir}`);
    const meta = opened.transactionSync(() => claim(opened, codec, options));
    return new EmbeddedStore(opened, codec, meta, options);
  } catch (error) {
    await db?.close();
    throw storeError(error, `cannot open the store in ${dir}`);
  }
}

/** Takes the store for this process, in a transaction. */
function claim(db: RootDatabase<Buffer>, codec: StoreCodec, { dir, random, schema = STORE_SCHEMA }: EmbeddedStoreOptions): Meta {
  const stored = db.get(META);
  if (stored === undefined && db.getKeysCount({ limit: 1 }) > 0)
    throw new StoreError('corrupt', `the store in ${dir} has lost its head record`);
  const old = stored === undefined ? newMeta(random, schema) : readMeta(codec, dir, schema, stored);
  if (old.writer !== null && isRunning(old.writer))
    throw new StoreError('locked', `the store in ${dir} is in use by process ${old.writer.pid}`);
  const meta = { ...migrateEmbedded(db, codec, schema, old), epoch: old.epoch + 1, writer: thisWriter() };
  db.putSync(META, codec.encode(meta));
  return meta;
}

function readMeta(codec: StoreCodec, dir: string, schema: StoreSchema, stored: Buffer): Meta {
  const value = codec.decode(stored, 'the head record');
  const version = z.object({ schema_version: z.int() }).safeParse(value).data?.schema_version;
  if (version !== undefined && version > schema.version)
    throw new StoreError(
      'newer_schema',
      `the store in ${dir} was written by a newer version (schema ${version}; this one knows ${schema.version})`,
    );
  return codec.check(metaSchema, value, 'the head record');
}

function newMeta(random: Random, schema: StoreSchema): Meta {
  const incarnation = Buffer.from(random.bytes(8)).toString('hex');
  return {
    schema_version: schema.version,
    incarnation,
    revision: 0,
    counters: {},
    log_floor: 0,
    log_bytes: 0,
    epoch: 0,
    writer: null,
  };
}

class EmbeddedStore implements Store {
  private readonly db: RootDatabase<Buffer>;
  private readonly dir: string;
  private readonly codec: StoreCodec;
  private readonly schema: StoreSchema;
  private readonly logRevisions: number;
  private readonly leases = new LocalLeases();
  private readonly watchers = new Set<(change: StoredChange) => void>();
  private meta: Meta;
  /** What is stored of it, once this process has written it. */
  private metaBytes: Buffer | undefined;

  constructor(
    db: RootDatabase<Buffer>,
    codec: StoreCodec,
    meta: Meta,
    { dir, logRevisions = LOG_REVISIONS, schema = STORE_SCHEMA }: EmbeddedStoreOptions,
  ) {
    this.db = db;
    this.dir = dir;
    this.codec = codec;
    this.meta = meta;
    this.schema = schema;
    this.logRevisions = logRevisions;
  }

  load(): Promise<StoreSnapshot> {
    return settle(() => {
      const entities: Entity[] = [];
      for (const { value } of this.db.getRange({ ...ALL_ENTITIES, snapshot: true })) entities.push(this.codec.entity(value));
      return { revision: this.revision(), entities, counters: this.meta.counters };
    });
  }

  commit(changes: readonly StoredChange[], expected: Revision, lease?: Lease): Promise<void> {
    return settle(() => {
      if (lease && !this.leases.holds(lease)) throw new StoreError('fenced', `the lease ${lease.name} is somebody else's`);
      if (changes.length === 0) return;
      const encoded = this.codec.encodeChanges(changes);
      try {
        // In this thread: the asynchronous transactions of lmdb 3 leave rejected promises behind when the disk is full.
        const [meta, bytes] = this.db.transactionSync(() => this.write(changes, expected, encoded));
        this.meta = meta;
        this.metaBytes = bytes;
      } catch (error) {
        throw storeError(error, 'the store could not be written');
      }
      for (const change of changes) for (const watcher of [...this.watchers]) watcher(change);
    });
  }

  /** Inside a transaction, which what is thrown undoes. */
  private write(changes: readonly StoredChange[], expected: Revision, { log, entities }: EncodedChanges): readonly [Meta, Buffer] {
    const stored = this.db.get(META);
    const now = stored && (this.metaBytes?.equals(stored) ? this.meta : readMeta(this.codec, this.dir, this.schema, stored));
    if (now?.epoch !== this.meta.epoch) throw new StoreError('fenced', 'another process has taken the store over');
    const dense = changes.every((change, index) => change.revision === expected.number + 1 + index);
    if (now.incarnation !== expected.incarnation || now.revision !== expected.number || !dense)
      throw new StoreError('conflict', `the store is at revision ${now.revision}, not at ${expected.number}`);

    for (const [uuid, value] of entities)
      if (value === undefined) this.db.removeSync(entityKey(uuid));
      else this.db.putSync(entityKey(uuid), value);
    for (const [index, value] of log.entries()) this.db.putSync(logKey(changes[index]!.revision), value);
    const meta: Meta = {
      ...now,
      revision: changes.at(-1)!.revision,
      counters: changes.reduce((counters, change) => ({ ...counters, ...change.counters }), now.counters),
      log_bytes: log.reduce((sum, value) => sum + value.length, now.log_bytes),
    };
    while (meta.revision - meta.log_floor > this.logRevisions || (meta.log_bytes > LOG_BYTES && meta.log_floor < meta.revision - 1)) {
      meta.log_floor++;
      meta.log_bytes -= this.db.get(logKey(meta.log_floor))?.length ?? 0;
      this.db.removeSync(logKey(meta.log_floor));
    }
    const bytes = Buffer.from(this.codec.encode(meta));
    this.db.putSync(META, bytes);
    return [meta, bytes];
  }

  settle(at: Revision): Promise<void> {
    return settle(() => {
      const { incarnation, number } = this.revision();
      if (at.incarnation !== incarnation || at.number > number)
        throw new StoreError('compacted', `revision ${at.number} is not of this store`);
    });
  }

  hold(name: string, holder: string, ms: number): Promise<boolean> {
    return Promise.resolve(this.leases.hold(name, holder, ms));
  }

  lease(name: string, signal: AbortSignal): Promise<Lease> {
    return this.leases.lease(name, signal);
  }

  changesSince(from: Revision): Promise<readonly StoredChange[]> {
    return settle(() => this.changesAfter(from));
  }

  watch(from: Revision, sink: (change: StoredChange) => void, signal: AbortSignal): Promise<StoreWatch> {
    return settle(() => {
      for (const change of this.changesAfter(from)) sink(change);
      if (!signal.aborted) this.watchers.add(sink);
      const ended = new Promise<undefined>((resolve) => {
        const onAbort = () => {
          this.watchers.delete(sink);
          resolve(undefined);
        };
        if (signal.aborted) onAbort();
        else signal.addEventListener('abort', onAbort, { once: true });
      });
      return { ended };
    });
  }

  private changesAfter(from: Revision): StoredChange[] {
    const { incarnation, number } = this.revision();
    if (from.incarnation !== incarnation)
      throw new StoreError('compacted', `revision ${from.number} is of another incarnation of the store`);
    if (from.number > number) throw new StoreError('compacted', `revision ${from.number} is ahead of the store, which is at ${number}`);
    if (from.number < this.floor()) throw new StoreError('compacted', `changes are kept from revision ${this.floor()} on`);
    const changes: StoredChange[] = [];
    for (let revision = from.number + 1; revision <= number; revision++) {
      const value = this.db.get(logKey(revision));
      if (value === undefined) throw new StoreError('corrupt', `revision ${revision} is missing in the log`);
      changes.push(this.codec.change(revision, value));
    }
    return changes;
  }

  epoch(): number {
    return this.meta.epoch;
  }

  floor(): number {
    return this.meta.log_floor;
  }

  async close(): Promise<void> {
    this.db.transactionSync(() => {
      const stored = this.db.get(META);
      const now = stored && readMeta(this.codec, this.dir, this.schema, stored);
      if (now?.epoch === this.meta.epoch) this.db.putSync(META, this.codec.encode({ ...now, writer: null }));
    });
    await this.db.close();
  }

  private revision(): Revision {
    return { incarnation: this.meta.incarnation, number: this.meta.revision };
  }
}

function storeError(error: unknown, what: string): StoreError {
  if (error instanceof StoreError) return error;
  const code = /MDB_(INVALID|CORRUPTED|VERSION_MISMATCH|PAGE_NOTFOUND|BAD_TXN)/.test(String(error)) ? 'corrupt' : 'failed';
  return new StoreError(code, `${what}: ${textOf(error)}`, error);
}

function settle<T>(work: () => T): Promise<T> {
  return new Promise((resolve) => resolve(work()));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
