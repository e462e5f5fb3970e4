/**
 * A store that several vnmgr share, seen by one of them over a connection that gets lost, lags, stands still or dies.
 */
import { setImmediate } from 'node:timers/promises';
import type { Revision } from '../../controller/messages/slice.js';
import {
  StoreError,
  type Lease,
  type Store,
  type StoredChange,
  type StoreSnapshot,
  type StoreWatch,
} from '../../controller/store/contract.js';
import { MemoryStore, type MemoryDisk } from './memory-store.js';

/** What becomes of a commit: `before` and `after`, the connection is lost before or after the store has it. */
export type Fate = 'arrives' | 'before' | 'after';

export class ShakyStore implements Store {
  private readonly store: MemoryStore;
  /** Of the commits to come, in order; then they arrive. */
  readonly fates: Fate[] = [];
  /** Turns of the event loop that changes take to get here; Infinity: they are lost. */
  lag = 0;
  /** Nobody keeps up with the master: what it has may not stay. */
  isUnconfirmed = false;
  private gate: Promise<void> = Promise.resolve();
  private open: () => void = () => undefined;
  private isDead = false;

  constructor(disk: MemoryDisk) {
    this.store = new MemoryStore(disk);
  }

  /** The process stands still: nothing that it asks is answered until it goes on. */
  pause(): void {
    // Whoever waits for the gate that is closed already must not be forgotten.
    const { open } = this;
    this.gate = new Promise((resolve) => {
      this.open = () => {
        open();
        resolve();
      };
    });
  }

  resume(): void {
    this.open();
  }

  /** The process dies: nothing that it asks is ever answered. */
  kill(): void {
    this.isDead = true;
    this.open();
  }

  async load(): Promise<StoreSnapshot> {
    await this.pass();
    return this.store.load();
  }

  async commit(changes: readonly StoredChange[], expected: Revision): Promise<void> {
    const fate = this.fates.shift() ?? 'arrives';
    await this.pass();
    if (fate === 'before') throw new StoreError('unavailable', 'the connection was lost');
    await this.store.commit(changes, expected);
    await this.pass();
    if (fate === 'after') throw new StoreError('unavailable', 'the connection was lost');
  }

  async settle(at: Revision): Promise<void> {
    await this.pass();
    if (this.isUnconfirmed) throw new StoreError('failed', 'no replica keeps up');
    return this.store.settle(at);
  }

  async changesSince(from: Revision): Promise<readonly StoredChange[]> {
    await this.pass();
    return this.store.changesSince(from);
  }

  async watch(from: Revision, sink: (change: StoredChange) => void, signal: AbortSignal): Promise<StoreWatch> {
    await this.pass();
    let before = Promise.resolve();
    const late = (change: StoredChange) => {
      if (this.lag === Infinity) return;
      before = before.then(async () => {
        for (let turn = 0; turn < this.lag; turn++) await setImmediate();
        await this.pass();
        if (!signal.aborted) sink(change);
      });
    };
    return this.store.watch(from, late, signal);
  }

  floor(): number {
    return this.store.floor();
  }

  epoch(): number {
    return this.store.epoch();
  }

  hold(name: string, holder: string, ms: number): Promise<boolean> {
    return this.store.hold(name, holder, ms);
  }

  lease(name: string, signal: AbortSignal): Promise<Lease> {
    return this.store.lease(name, signal);
  }

  close(): Promise<void> {
    return this.store.close();
  }

  private async pass(): Promise<void> {
    await this.gate;
    if (this.isDead) await new Promise(() => undefined);
  }
}
