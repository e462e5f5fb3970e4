/**
 * A store in memory, for tests that are not about durability. It keeps the store contract (test/compliance/store.ts) but for outliving the process.
 */
import type { Entity } from '../../flows/model/entities.js';
import type { Revision } from '../../controller/messages/slice.js';
import { StoreError, type Counters, type Store, type StoredChange, type StoreSnapshot } from '../../controller/store/contract.js';

/** What stays when a memory store is closed. */
export class MemoryDisk {
  readonly entities = new Map<string, Entity>();
  readonly log: StoredChange[] = [];
  readonly incarnation: string;
  counters: Counters = {};
  revision = 0;
  epoch = 0;
  writing = false;

  constructor(incarnation = 'memory') {
    this.incarnation = incarnation;
  }
}

export class MemoryStore implements Store {
  private readonly disk: MemoryDisk;
  private readonly logRevisions: number;
  private readonly epoch: number;
  private readonly watchers = new Set<(change: StoredChange) => void>();
  /** Set to make every commit fail. */
  broken = false;

  constructor(disk = new MemoryDisk(), logRevisions = 10_000) {
    if (disk.writing) throw new StoreError('locked', 'the store is in use');
    disk.writing = true;
    this.disk = disk;
    this.logRevisions = logRevisions;
    this.epoch = ++disk.epoch;
  }

  load(): Promise<StoreSnapshot> {
    return Promise.resolve({ revision: this.revision(), entities: [...this.disk.entities.values()], counters: this.disk.counters });
  }

  async commit(changes: readonly StoredChange[], expected: Revision): Promise<void> {
    await Promise.resolve();
    const { disk } = this;
    if (this.broken) throw new StoreError('failed', 'the store could not be written: no space left');
    if (disk.epoch !== this.epoch) throw new StoreError('fenced', 'another process has taken the store over');
    const dense = changes.every(({ revision }, index) => revision === expected.number + 1 + index);
    if (expected.incarnation !== disk.incarnation || expected.number !== disk.revision || !dense)
      throw new StoreError('conflict', `the store is at revision ${disk.revision}, not at ${expected.number}`);
    for (const change of changes) {
      for (const uuid of change.deletes) disk.entities.delete(uuid);
      for (const entity of change.puts) disk.entities.set(entity.uuid, entity);
      disk.counters = { ...disk.counters, ...change.counters };
      disk.revision = change.revision;
      disk.log.push(change);
    }
    disk.log.splice(0, Math.max(0, disk.log.length - this.logRevisions));
    for (const change of changes) for (const watcher of [...this.watchers]) watcher(change);
  }

  async changesSince(from: Revision): Promise<readonly StoredChange[]> {
    await Promise.resolve();
    if (from.incarnation !== this.disk.incarnation || from.number > this.disk.revision || from.number < this.floor())
      throw new StoreError('compacted', `changes are kept from revision ${this.floor()} on`);
    return this.disk.log.slice(from.number - this.floor());
  }

  async watch(from: Revision, sink: (change: StoredChange) => void, signal: AbortSignal): Promise<void> {
    for (const change of await this.changesSince(from)) sink(change);
    if (signal.aborted) return;
    this.watchers.add(sink);
    signal.addEventListener('abort', () => this.watchers.delete(sink), { once: true });
  }

  floor(): number {
    return this.disk.revision - this.disk.log.length;
  }

  close(): Promise<void> {
    this.disk.writing = false;
    return Promise.resolve();
  }

  private revision(): Revision {
    return { incarnation: this.disk.incarnation, number: this.disk.revision };
  }
}
