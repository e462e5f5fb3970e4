/**
 * The store: where the model survives.
 *
 * Owns: what is stored (entities, key counters, a log of the last revisions) and the rules every store keeps; test/compliance/store.ts checks them.
 * Assumes: one process writes an embedded store; a networked store may have several writers and settles them by compare-and-set.
 * Promises: `commit` is all or nothing and durable when it resolves; revisions are dense; a reader that asks for what was trimmed is told so,
 * never handed a log with a hole.
 */
import type { Entity } from '../../flows/model/entities.js';
import type { Revision } from '../messages/slice.js';

/** Version of what is written. A store of a newer one is refused, of an older one migrated. */
export const STORE_SCHEMA_VERSION = 1;

/** Highest value handed out so far per kind of key (see controller/transaction/keys.ts). */
export type Counters = Readonly<Record<string, number>>;

/** The outcome of one transaction: what was put and deleted, and the counters that moved. */
export interface StoredChange {
  /** One more than the change before it. */
  readonly revision: number;
  readonly puts: readonly Entity[];
  /** uuids. */
  readonly deletes: readonly string[];
  readonly counters: Counters;
}

export interface StoreSnapshot {
  readonly revision: Revision;
  readonly entities: readonly Entity[];
  readonly counters: Counters;
}

export interface Store {
  /** Everything, at one revision. Throws StoreError `corrupt`. */
  load(): Promise<StoreSnapshot>;
  /**
   * Appends changes, the first being one more than `expected`, in one atomic and durable step.
   * Throws StoreError `conflict` when the store is not at `expected`, `fenced` when another process took the store over, `failed` otherwise; nothing is written then.
   */
  commit(changes: readonly StoredChange[], expected: Revision): Promise<void>;
  /** The changes after `from`, oldest first. Throws StoreError `compacted` when some are gone, or when `from` is of another incarnation or the future. */
  changesSince(from: Revision): Promise<readonly StoredChange[]>;
  /** Calls `sink` with every change after `from`, in order, until the signal; throws StoreError `compacted` as changesSince does. Resolves when watching has begun. */
  watch(from: Revision, sink: (change: StoredChange) => void, signal: AbortSignal): Promise<void>;
  /** Oldest revision number from which changesSince can answer. */
  floor(): number;
  close(): Promise<void>;
}

export type StoreErrorCode = 'conflict' | 'compacted' | 'fenced' | 'locked' | 'corrupt' | 'newer_schema' | 'failed';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
