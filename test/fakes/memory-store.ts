/**
 * A store in memory, for tests that are not about durability. It keeps the store contract (test/compliance/store.ts) but for outliving the process.
 */
import type { Entity } from '../../flows/model/entities.js';
import type { Revision } from '../../controller/messages/slice.js';
import {
  StoreError,
  type Counters,
  type Lease,
  type Store,
  type StoredChange,
  type StoreSnapshot,
  type StoreWatch,
} from '../../controller/store/contract.js';
import { LocalLeases } from '../../controller/store/local-leases.js';

/** What stays when a memory store is closed. */
export class MemoryDisk {
  readonly entities = new Map<string, Entity>();
  readonly log: StoredChange[] = [];
  readonly leases = new LocalLeases();
  readonly watchers = new Set<(change: StoredChange) => void>();
  /** Several stores at a time write to it, as to a Redis; else one, as to a directory. */
  readonly shared: boolean;
  incarnation: string;
  counters: Counters = {};
  revision = 0;
  epoch = 0;
  writing = false;

  constructor(incarnation = 'memory', shared = false) {
    this.incarnation = incarnation;
    this.shared = shared;
  }
}

export class MemoryStore implements Store {
  private readonly disk: MemoryDisk;
  private readonly logRevisions: number;
  private readonly taken: number;
  /** Set to make every commit fail. */
  broken = false;

  constructor(disk = new MemoryDisk(), logRevisions = 10_000) {
    if (disk.writing && !disk.shared) throw new StoreError('locked', 'the store is in use');
    disk.writing = true;
    this.disk = disk;
    this.logRevisions = logRevisions;
    this.taken = ++disk.epoch;
  }

  load(): Promise<StoreSnapshot> {
    return Promise.resolve({ revision: this.revision(), entities: [...this.disk.entities.values()], counters: this.disk.counters });
  }

  async commit(changes: readonly StoredChange[], expected: Revision, lease?: Lease): Promise<void> {
    await Promise.resolve();
    const { disk } = this;
    if (this.broken) throw new StoreError('failed', 'the store could not be written: no space left');
    if (!disk.shared && disk.epoch !== this.taken) throw new StoreError('fenced', 'another process has taken the store over');
    if (lease && !disk.leases.holds(lease)) throw new StoreError('fenced', `the lease ${lease.name} is somebody else's`);
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
    for (const change of changes) for (const watcher of [...disk.watchers]) watcher(change);
  }

  async settle(at: Revision): Promise<void> {
    await Promise.resolve();
    if (at.incarnation !== this.disk.incarnation || at.number > this.disk.revision)
      throw new StoreError('compacted', `revision ${at.number} is not of this store`);
  }

  async changesSince(from: Revision): Promise<readonly StoredChange[]> {
    await Promise.resolve();
    if (from.incarnation !== this.disk.incarnation || from.number > this.disk.revision || from.number < this.floor())
      throw new StoreError('compacted', `changes are kept from revision ${this.floor()} on`);
    return this.disk.log.slice(from.number - this.floor());
  }

  async watch(from: Revision, sink: (change: StoredChange) => void, signal: AbortSignal): Promise<StoreWatch> {
    for (const change of await this.changesSince(from)) sink(change);
    if (!signal.aborted) this.disk.watchers.add(sink);
    const ended = new Promise<undefined>((resolve) => {
      const onAbort = () => {
        this.disk.watchers.delete(sink);
        resolve(undefined);
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
    return { ended };
  }

  floor(): number {
    return this.disk.revision - this.disk.log.length;
  }

  epoch(): number {
    return this.disk.shared ? 1 : this.taken;
  }

  hold(name: string, holder: string, ms: number): Promise<boolean> {
    return Promise.resolve(this.disk.leases.hold(name, holder, ms));
  }

  lease(name: string, signal: AbortSignal): Promise<Lease> {
    return this.disk.leases.lease(name, signal);
  }

  close(): Promise<void> {
    this.disk.writing = false;
    return Promise.resolve();
  }

  private revision(): Revision {
    return { incarnation: this.disk.incarnation, number: this.disk.revision };
  }
}
