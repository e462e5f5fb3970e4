/**
 * Following the log of a Redis store.
 *
 * Owns: one reader: its connection, its place, what it does when it hears nothing.
 * Promises: every change once and in order, or an end that says why. Silence is looked into: what a reader waits for may never come where the server
 * has lost what the reader has seen.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { callOut } from '../kernel/call-out.js';
import type { Revision } from '../messages/slice.js';
import { RedisError } from '../redis/errors.js';
import type { CallOptions, RedisLink } from '../redis/link.js';
import type { StoreCodec } from './codec.js';
import { StoreError, type StoredChange } from './contract.js';
import { storeErrorOf, worthAnotherTry } from './redis-errors.js';
import type { Head } from './redis-head.js';
import { entriesRead, nextEntry } from './redis-log.js';

const BLOCK_MS = 1_000;
/** An answer that is due and does not come: the server hangs, or the network does. */
const GRACE_MS = 5_000;
const READ_COUNT = 100;
const PAUSE_MS = 100;

export interface RedisWatchOptions {
  /** Its own: it is blocked most of the time. */
  readonly link: RedisLink;
  readonly logKey: string;
  readonly codec: StoreCodec;
  readonly where: string;
  /** Throws StoreError `compacted` unless the log leads from there to the head. */
  readonly look: (at: Revision, options: CallOptions) => Promise<Head>;
  readonly note: (revision: Revision, id: string) => void;
  readonly sink: (change: StoredChange) => void;
  readonly signal: AbortSignal;
}

export class RedisWatch {
  private readonly options: RedisWatchOptions;
  private readonly stopping = new AbortController();
  private readonly signal: AbortSignal;
  private at: Revision = { incarnation: '', number: 0 };
  private id: string | undefined;

  constructor(options: RedisWatchOptions) {
    this.options = options;
    this.signal = AbortSignal.any([options.signal, this.stopping.signal]);
  }

  /** Goes to the head of the log. Throws StoreError, RedisError. */
  async begin(from: Revision, id: string | undefined): Promise<void> {
    this.at = from;
    this.id = id;
    const head = await this.options.look(from, { signal: this.signal });
    while (this.at.number < head.revision.number)
      if (!(await this.read(false))) throw new StoreError('compacted', `the log ends at revision ${this.at.number}, before the head`);
  }

  /** Follows the log. Resolves as StoreWatch.ended does. */
  async run(): Promise<StoreError | undefined> {
    let isQuiet = false;
    while (!this.signal.aborted)
      try {
        if (isQuiet) await this.options.look(this.at, { signal: this.signal });
        isQuiet = !(await this.read(true));
      } catch (error) {
        if (error === this.signal.reason) return undefined;
        if (error instanceof StoreError) return error;
        if (!(error instanceof RedisError)) throw error;
        if (error.code !== 'unavailable' && !worthAnotherTry(error)) return storeErrorOf(error, `cannot watch ${this.options.where}`);
        isQuiet = true;
        await sleep(PAUSE_MS, undefined, { signal: this.signal }).catch(() => {});
      }
    return undefined;
  }

  stop(): void {
    this.stopping.abort();
  }

  /** Reads on. @returns whether there was anything. */
  private async read(block: boolean): Promise<boolean> {
    const { link, logKey, codec, note, sink } = this.options;
    const command = ['XREAD', ...(block ? ['BLOCK', BLOCK_MS] : []), 'COUNT', READ_COUNT, 'STREAMS', logKey, `${this.at.number}-0`];
    const found = entriesRead(await link.call(command, { timeoutMs: BLOCK_MS + GRACE_MS, signal: this.signal }));
    for (const reply of found) {
      const entry = nextEntry(codec, { number: this.at.number, id: this.id }, reply);
      this.at = { ...this.at, number: entry.number };
      this.id = entry.id;
      note(this.at, entry.id);
      callOut(() => sink(entry.change));
      this.signal.throwIfAborted();
    }
    return found.length > 0;
  }
}
