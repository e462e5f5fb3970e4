/**
 * The store: where the model survives.
 *
 * Owns: what is stored (entities, key counters, a log of the last revisions) and the rules every store keeps; test/compliance/store.ts checks them.
 * Assumes: one process writes an embedded store; a networked store may have several writers and settles them by compare-and-set.
 * Promises: `commit` is all or nothing and durable when it resolves; revisions are dense, and a number never means two things within an incarnation; a reader
 * that asks for what was trimmed is told so, never handed a log with a hole.
 */
import type { Entity } from '../../flows/model/entities.js';
import type { Revision } from '../messages/slice.js';

/** Version of what is written: another one whenever an older program would not understand an entity. A store of a newer one is refused, of an older one migrated. */
export const STORE_SCHEMA_VERSION = 2;

/** Highest value handed out so far per kind of key (see controller/transaction/keys.ts). */
export type Counters = Readonly<Record<string, number>>;

/** A request that a change holds, so that it is answered, and not executed, when it comes again. */
export interface StoredRequest {
  /** Chosen by whoever asked; unpredictable. */
  readonly id: string;
  /** One per operation: the uuid created or updated, or the uuids deleted. */
  readonly outcomes: readonly (string | readonly string[])[];
}

/** The outcome of one transaction: what was put and deleted, and the counters that moved. */
export interface StoredChange {
  /** One more than the change before it. */
  readonly revision: number;
  readonly puts: readonly Entity[];
  /** uuids. */
  readonly deletes: readonly string[];
  readonly counters: Counters;
  /** Empty in logs of older versions. */
  readonly requests: readonly StoredRequest[];
}

export interface StoreSnapshot {
  readonly revision: Revision;
  readonly entities: readonly Entity[];
  readonly counters: Counters;
}

export interface StoreWatch {
  /**
   * Resolves when no more changes come: with undefined after the signal, else with why: `compacted` (load again, and watch from there), `corrupt`, `failed`.
   * A store that is out of reach for a while ends nothing.
   */
  readonly ended: Promise<StoreError | undefined>;
}

/** The right to do something that one process at a time may do, held until it is released or lost. */
export interface Lease {
  readonly name: string;
  /** What the store knows this holding by: a commit that carries it is refused once another holds the lease. */
  readonly token: string;
  /** Aborts when the lease may be somebody else's. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

/**
 * What may go wrong is thrown as StoreError; `unavailable` when the store cannot be reached in time.
 */
export interface Store {
  /** Everything, at one revision. Throws StoreError `corrupt`. */
  load(): Promise<StoreSnapshot>;
  /**
   * Appends changes, the first being one more than `expected`, in one atomic and durable step.
   * Throws StoreError `conflict` when the store is not at `expected`, `fenced` when another process took the store or the lease over, `failed`
   * otherwise: nothing is written then. After `unavailable` the changes may have been written, or may yet be, unless somebody else's are there first: whoever must
   * know looks for the id of its request.
   * @param lease under which the changes are made
   */
  commit(changes: readonly StoredChange[], expected: Revision, lease?: Lease): Promise<void>;
  /**
   * Resolves when the store still holds what it did at that revision, as durable as what `commit` has acknowledged. Whoever answers from a change
   * that it did not commit itself asks first. Throws StoreError `compacted` when that revision is no longer, or not yet, of this store.
   */
  settle(at: Revision): Promise<void>;
  /** The changes after `from`, oldest first. Throws StoreError `compacted` when some are gone, or when `from` is of another incarnation or the future. */
  changesSince(from: Revision): Promise<readonly StoredChange[]>;
  /** Calls `sink` with every change after `from`, in order, until the signal; throws StoreError `compacted` as changesSince does. Resolves when watching has begun. */
  watch(from: Revision, sink: (change: StoredChange) => void, signal: AbortSignal): Promise<StoreWatch>;
  /** Oldest revision number from which changesSince can answer, as far as is known. */
  floor(): number;
  /** Grows when the store begins a new incarnation or another process takes it over, as far as is known: who wrote before writes no more. */
  epoch(): number;
  /** Resolves when this process holds the lease, which nobody else does. Rejects with the signal's reason. */
  lease(name: string, signal: AbortSignal): Promise<Lease>;
  /**
   * Takes the lease for a holder, or keeps it, for so many milliseconds from some moment after this was called; false while another has it. A name is for
   * `hold` or for `lease`, never for both.
   */
  hold(name: string, holder: string, ms: number): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * - `conflict`: the store is at another revision;
 * - `compacted`: the log does not reach there;
 * - `fenced`, `locked`: another process has it;
 * - `corrupt`, `newer_schema`: what is stored cannot be used;
 * - `unavailable`: no answer in time; a commit may have happened;
 * - `failed`: anything else; nothing was written.
 */
export type StoreErrorCode = 'conflict' | 'compacted' | 'fenced' | 'locked' | 'corrupt' | 'newer_schema' | 'unavailable' | 'failed';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
