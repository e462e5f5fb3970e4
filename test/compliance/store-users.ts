/**
 * Those who use a store while things break.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Entity } from '../../flows/model/entities.js';
import { StoreError, type Store, type StoredChange, type StoreSnapshot } from '../../controller/store/contract.js';
import { eventually } from '../lab/eventually.js';
import { change, segment } from './store-values.js';
import { refusal } from './store.js';

const ENTITIES = 10;

/** Loads, however long that takes. */
export async function loadAtLast(store: Store): Promise<StoreSnapshot> {
  for (;;)
    try {
      return await store.load();
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'unavailable') throw error;
    }
}

/** Commits changes, each of which sets all of its entities, one after another, and keeps account of what it was told of each. */
export class Writer {
  readonly acknowledged: string[] = [];
  readonly refused: string[] = [];
  readonly unknown: string[] = [];
  private readonly store: Store;
  private readonly name: string;
  private readonly pauseMs: number;
  private isStopped = false;

  /** @param pauseMs after each commit, so that a slower one has a chance to be first */
  constructor(store: Store, name: string, pauseMs = 0) {
    this.store = store;
    this.name = name;
    this.pauseMs = pauseMs;
  }

  async run(): Promise<void> {
    let { revision } = await loadAtLast(this.store);
    for (let serial = 1; !this.isStopped; serial++) {
      const id = `${this.name}-${serial}`;
      const number = revision.number + 1;
      const puts = Array.from({ length: ENTITIES }, (_, i) => segment(`seg-${this.name}-${i}`, id));
      const one = { ...change(number, puts, [], { vrf_key: number }), requests: [{ id, outcomes: [] }] };
      const answer = await refusal(this.store.commit([one], revision));
      const list = answer === 'accepted' ? this.acknowledged : answer === 'unavailable' ? this.unknown : this.refused;
      list.push(id);
      if (this.pauseMs > 0) await sleep(this.pauseMs);
      revision = answer === 'accepted' ? { ...revision, number } : (await loadAtLast(this.store)).revision;
    }
  }

  stop(): void {
    this.isStopped = true;
  }

  /** @param mayLose acknowledged ones that may be missing */
  expectTruth(history: readonly StoredChange[], mayLose: readonly string[] = []): void {
    const there = history.flatMap(({ requests }) => requests.map(({ id }) => id)).filter((id) => id.startsWith(`${this.name}-`));
    expect(new Set(there).size).toBe(there.length);
    expect(this.acknowledged.filter((id) => !there.includes(id) && !mayLose.includes(id))).toEqual([]);
    expect(this.refused.filter((id) => there.includes(id))).toEqual([]);
  }
}

/** Follows a store as every process does: load, watch, and again when the store says so. */
export class Follower {
  /** How often it had to load. */
  loads = 0;
  private readonly store: Store;
  private readonly stopping = new AbortController();
  private readonly entities = new Map<string, Entity>();
  private number = 0;
  private incarnation = '';

  constructor(store: Store) {
    this.store = store;
  }

  async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const { revision, entities } = await loadAtLast(this.store);
      this.loads++;
      this.incarnation = revision.incarnation;
      this.number = revision.number;
      this.entities.clear();
      for (const entity of entities) this.entities.set(entity.uuid, entity);
      try {
        const { ended } = await this.store.watch(revision, (one) => this.apply(one), this.stopping.signal);
        const end = await ended;
        if (end !== undefined && end.code !== 'compacted') throw end;
      } catch (error) {
        if (!(error instanceof StoreError) || (error.code !== 'compacted' && error.code !== 'unavailable')) throw error;
      }
    }
  }

  /** Waits until it is where the store is, compares, and stops. */
  async reach({ revision, entities }: StoreSnapshot): Promise<void> {
    await eventually(
      'the follower to be where the store is',
      () => this.number === revision.number && this.incarnation === revision.incarnation,
      { timeoutMs: 20_000 },
    );
    this.stopping.abort();
    const sorted = (all: Iterable<Entity>) => [...all].sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
    expect(sorted(this.entities.values())).toEqual(sorted(entities));
  }

  private apply({ revision, puts, deletes }: StoredChange): void {
    expect(revision).toBe(this.number + 1);
    this.number = revision;
    for (const uuid of deletes) this.entities.delete(uuid);
    for (const entity of puts) this.entities.set(entity.uuid, entity);
  }
}
