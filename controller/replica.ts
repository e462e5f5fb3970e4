/**
 * The model in memory, following the store.
 *
 * Owns: the model, the revision it is at, the journal of its commits; reading, listing and watching.
 * Promises: every change of the store is applied once and in order, whoever committed it. Where changes are lost (a trimmed log, a restored
 * store) everything is read again, and what differs is told. While the store is out of reach what was known last stands.
 */
import { setTimeout } from 'node:timers/promises';
import type { Entity, UserEntity, UserKind } from '../flows/model/entities.js';
import type { HotoriError } from '../flows/model/errors.js';
import { Model } from '../flows/model/model.js';
import { sameValue } from '../flows/model/same.js';
import { entityOf } from '../flows/model/view.js';
import type { ListPage, ListRequest, View, WatchEvent } from './contract.js';
import { Journal } from './journal.js';
import type { Revision } from './messages/slice.js';
import { StoreError, type Counters, type Store, type StoredChange, type StoreSnapshot } from './store/contract.js';
import type { EntityChange } from './transaction/transaction.js';
import { etagOf, listOf, viewOf } from './views.js';

/** Whoever keeps something in step with the model. */
export interface ReplicaFollower {
  /** A change was applied. */
  changed(change: StoredChange, changes: readonly EntityChange[]): void;
  /** Everything was read again; these are the differences. */
  reloaded(changes: readonly EntityChange[]): void;
}

/** Told what an operator should know. */
export type ReplicaLog = (message: string, error: unknown) => void;

const RETRY_MS = 500;

export class Replica {
  readonly model = new Model();
  private readonly store: Store;
  private readonly log: ReplicaLog;
  private readonly journal: Journal;
  private readonly followers = new Set<ReplicaFollower>();
  private readonly waiting = new Set<() => void>();
  private readonly stop = new AbortController();
  private readonly following: Promise<void>;
  /** What was said last of what keeps the store from being followed; nothing since then came through. */
  private complaint: string | undefined;
  /** Ends one watch of the store, to begin another from where the model is then. */
  private watchStop = new AbortController();
  /** While somebody reads: changes that wait. */
  private held: StoredChange[] | undefined;
  private readonly released: (() => void)[] = [];
  private reloading: Promise<void> | undefined;
  private now: Revision;
  private allCounters: Counters;

  private constructor(store: Store, { revision, entities, counters }: StoreSnapshot, log: ReplicaLog) {
    this.store = store;
    this.log = log;
    this.now = revision;
    this.allCounters = counters;
    this.model.apply(entities, []);
    this.journal = new Journal(store, this.model, revision);
    this.following = this.follow();
  }

  /** Reads the store, and follows it from then on. */
  static async open(store: Store, log: ReplicaLog = () => undefined): Promise<Replica> {
    return new Replica(store, await store.load(), log);
  }

  /** Stops following; the store stays open. */
  async close(): Promise<void> {
    this.stop.abort();
    this.watchStop.abort();
    await this.following;
  }

  revision(): Revision {
    return this.now;
  }

  /** Highest key handed out so far, by name. */
  counters(): Counters {
    return this.allCounters;
  }

  get(kind: UserKind, uuid: string): { readonly view: View; readonly etag: string; readonly revision: Revision } | undefined {
    const entity = entityOf(this.model, kind, uuid) as UserEntity | undefined;
    if (entity === undefined) return undefined;
    const view = viewOf(this.model, entity);
    return { view, etag: etagOf(view), revision: this.now };
  }

  list(kind: UserKind, request: ListRequest): ListPage {
    return listOf(this.model, kind, request, this.now);
  }

  /** As Controller.watch. */
  watch(from: number, sink: (event: WatchEvent) => void, signal: AbortSignal, onEnd?: (error: HotoriError) => void): void {
    this.journal.watch(from, sink, signal, onEnd);
  }

  /** Keeps `follower` in step; it has seen what is in the model now. */
  attach(follower: ReplicaFollower): void {
    this.followers.add(follower);
  }

  /** Lets the model stand still until `release`, for a transaction on top of it. */
  hold(): void {
    this.held ??= [];
  }

  release(): void {
    const { held } = this;
    this.held = undefined;
    for (const change of held ?? []) this.take(change);
    for (const go of this.released.splice(0)) go();
  }

  /** Takes a change that the store has. One that is here already is let pass. */
  take(change: StoredChange): void {
    if (change.revision <= this.now.number) return;
    if (this.held) this.held.push(change);
    else if (change.revision === this.now.number + 1) this.apply(change);
    // Something is missing before it: the watch begins anew from where the model is.
    else this.watchStop.abort();
  }

  /** Brings the model to where the store is now; waits while it is held. Throws StoreError. @returns whether anything was new. */
  async catchUp(): Promise<boolean> {
    const before = this.now;
    try {
      for (const change of await this.store.changesSince(before)) this.take(change);
      await this.whileHeld();
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'compacted') throw error;
      await this.reload();
    }
    return this.now !== before;
  }

  /** Resolves when the model is at `revision`, or a later one of its incarnation. Rejects with the signal's reason. */
  waitFor(revision: Revision, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        this.waiting.delete(look);
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const look = () => {
        if (this.now.incarnation === revision.incarnation && this.now.number >= revision.number) finish(resolve);
      };
      const onAbort = () => finish(() => reject(signal.reason as Error));
      if (signal.aborted) return onAbort();
      this.waiting.add(look);
      signal.addEventListener('abort', onAbort);
      look();
    });
  }

  private async follow(): Promise<void> {
    const { signal } = this.stop;
    while (!signal.aborted) {
      this.watchStop = new AbortController();
      const lost = await this.followOnce(AbortSignal.any([signal, this.watchStop.signal]));
      if (lost === undefined) continue;
      try {
        if (lost instanceof StoreError && lost.code === 'compacted') {
          await this.reload();
          continue;
        }
        this.complain('the store cannot be followed; trying again', lost);
      } catch (error) {
        this.complain('the store cannot be read; trying again', error);
      }
      await setTimeout(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private complain(message: string, error: unknown): void {
    const complaint = `${message} ${String(error)}`;
    if (complaint !== this.complaint) this.log(message, error);
    this.complaint = complaint;
  }

  /** @returns why no more changes come, undefined after the signal. */
  private async followOnce(signal: AbortSignal): Promise<unknown> {
    try {
      const watch = await this.store.watch(this.now, (change) => this.take(change), signal);
      return await watch.ended;
    } catch (error) {
      return signal.aborted ? undefined : error;
    }
  }

  private async whileHeld(): Promise<void> {
    while (this.held) await new Promise<void>((resolve) => this.released.push(resolve));
  }

  private reload(): Promise<void> {
    return (this.reloading ??= this.readAgain().finally(() => (this.reloading = undefined)));
  }

  private async readAgain(): Promise<void> {
    const { revision, entities, counters } = await this.store.load();
    await this.whileHeld();
    const { now } = this;
    // Changes that came meanwhile may be later than what was read.
    if (revision.incarnation === now.incarnation && revision.number <= now.number) return;
    const present = new Set<string>();
    const changes: EntityChange[] = [];
    for (const after of entities) {
      present.add(after.uuid);
      const before = this.model.get(after.uuid);
      if (!sameValue(before, after, () => false)) changes.push({ uuid: after.uuid, before, after });
    }
    for (const before of this.model.values()) if (!present.has(before.uuid)) changes.push({ uuid: before.uuid, before, after: undefined });
    this.model.apply(puts(changes), deletes(changes));
    this.now = revision;
    this.complaint = undefined;
    this.allCounters = counters;
    this.watchStop.abort();
    for (const follower of this.followers) follower.reloaded(changes);
    this.journal.restart(revision);
    for (const look of [...this.waiting]) look();
  }

  private apply(change: StoredChange): void {
    const changes: EntityChange[] = [];
    for (const uuid of change.deletes) {
      const before = this.model.get(uuid);
      if (before) changes.push({ uuid, before, after: undefined });
    }
    for (const after of change.puts) changes.push({ uuid: after.uuid, before: this.model.get(after.uuid), after });
    this.complaint = undefined;
    this.model.apply(change.puts, change.deletes);
    this.allCounters = { ...this.allCounters, ...change.counters };
    this.now = { ...this.now, number: change.revision };
    for (const follower of this.followers) follower.changed(change, changes);
    this.journal.append(change);
    for (const look of [...this.waiting]) look();
  }
}

function puts(changes: readonly EntityChange[]): Entity[] {
  return changes.flatMap(({ after }) => after ?? []);
}

function deletes(changes: readonly EntityChange[]): string[] {
  return changes.flatMap(({ uuid, after }) => (after ? [] : uuid));
}
