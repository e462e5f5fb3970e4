/**
 * The store in Redis, for any number of processes.
 *
 * Owns: opening and loading; committing (redis-commit.ts), watching (redis-watch.ts) and leases are its parts, over the keys of redis-scripts.ts.
 * Assumes: Redis 7 or newer, or what speaks like it, that keeps its data (docs/operations/high-availability.md).
 * Promises: what the store contract says.
 */
import type { Entity } from '../../flows/model/entities.js';
import type { Random } from '../kernel/ambient.js';
import { Breath } from '../kernel/breath.js';
import type { Revision } from '../messages/slice.js';
import type { RedisConnections } from '../redis/connections.js';
import { RedisLeases } from '../redis/lease.js';
import type { RedisLink } from '../redis/link.js';
import { RedisError } from '../redis/errors.js';
import { StoreCodec } from './codec.js';
import { StoreError, type Lease, type Store, type StoredChange, type StoreSnapshot, type StoreWatch } from './contract.js';
import { STORE_SCHEMA, type StoreSchema } from './migrations.js';
import { RedisCommitter } from './redis-commit.js';
import { storeErrorOf } from './redis-errors.js';
import { RedisHead, type Head } from './redis-head.js';
import { list, nextEntry, Positions, type LogPosition } from './redis-log.js';
import { migrateRedis } from './redis-migrate.js';
import { DROP_LEASE, KEEP_LEASE, TAKE_LEASE } from './redis-scripts.js';
import { RedisWatch } from './redis-watch.js';

const LOAD_ATTEMPTS = 10;
const READ_ATTEMPTS = 5;
const SCAN_COUNT = 1_000;
const LOG_PAGE = 100;

export interface RedisStoreOptions {
  /** The store makes links of its own, whose purposes begin with `store`; one store for each RedisConnections. Closing them is up to the caller. */
  readonly connections: RedisConnections;
  readonly random: Random;
  /** `replicated`: a commit is acknowledged once a replica has it too. */
  readonly durability: 'local' | 'replicated';
  /** How many revisions the log keeps, unless they take too much memory. */
  readonly logRevisions?: number;
  /** How long a commit may take, in ms, whatever happens. */
  readonly commitMs?: number;
  /** What is written; STORE_SCHEMA when absent. */
  readonly schema?: StoreSchema;
  /** How long a lease outlives its holder, in ms. */
  readonly leaseMs?: number;
  /** Told what an operator should know: a new incarnation, a Redis that forgets. */
  readonly onNotice?: (message: string) => void;
}

/** Opens the store, making one where there is none. Throws StoreError `newer_schema`, `corrupt`, `unavailable` or `failed`. */
export async function openRedisStore(options: RedisStoreOptions): Promise<Store> {
  const store = new RedisStore(options);
  try {
    await store.open();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

class RedisStore implements Store {
  private readonly options: RedisStoreOptions;
  private readonly where: string;
  private readonly schema: StoreSchema;
  private readonly codec: StoreCodec;
  private readonly head: RedisHead;
  private readonly committer: RedisCommitter;
  private readonly leases: RedisLeases;
  private readonly positions = new Positions();
  private readonly watches = new Set<RedisWatch>();
  private readonly purposes = ['store', 'store-commit'];
  private watchNumber = 0;
  private lowest = 0;
  private latestEpoch = 0;

  constructor(options: RedisStoreOptions) {
    const { connections, random } = options;
    this.options = options;
    this.where = `the store in ${connections.text}`;
    this.schema = options.schema ?? STORE_SCHEMA;
    this.codec = new StoreCodec(this.where);
    this.head = new RedisHead({
      keyPrefix: connections.keyPrefix,
      where: this.where,
      random,
      schema: this.schema,
      onNotice: (text) => options.onNotice?.(text),
    });
    this.committer = new RedisCommitter({
      ...options,
      schema: this.schema,
      link: this.link('store-commit'),
      settledKey: this.key('settled'),
      where: this.where,
      codec: this.codec,
      head: this.head,
      positions: this.positions,
    });
    this.leases = new RedisLeases({
      random,
      leaseMs: options.leaseMs,
      run: (script, name, args, call) => {
        const source = { take: TAKE_LEASE, keep: KEEP_LEASE, drop: DROP_LEASE }[script];
        return this.link('store').call(['EVAL', source, 2, this.key(`lease:${name}`), this.key('leases'), name, ...args], call);
      },
    });
  }

  async open(): Promise<void> {
    await this.attempt('cannot open', async () => {
      await this.migrate();
      this.noteHead(await this.head.look(this.link('store')));
      const info = String(await this.link('store').call(['INFO']));
      const field = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? '';
      if (field('maxmemory') !== '0' && field('maxmemory_policy').startsWith('allkeys'))
        throw new StoreError('failed', `${this.where} would be evicted when memory is short: set maxmemory-policy noeviction`);
      if (field('aof_enabled') === '0')
        this.options.onNotice?.(`${this.where} forgets its last changes when Redis stops: set appendonly yes`);
    });
  }

  load(): Promise<StoreSnapshot> {
    return this.read('cannot load', async () => {
      for (let attempt = 0; attempt < LOAD_ATTEMPTS; attempt++) {
        const before = await this.look();
        const entities = new Map<string, Entity>();
        await this.scan((uuid, value) => entities.set(uuid, this.codec.entity(value, uuid)));
        let id = before.id;
        let { number } = before.revision;
        let { counters } = before;
        try {
          // What was read may be of any of the revisions since; each is put in its place once more.
          await this.readLog({ number, id }, (change, entryId) => {
            for (const uuid of change.deletes) entities.delete(uuid);
            for (const entity of change.puts) entities.set(entity.uuid, entity);
            counters = { ...counters, ...change.counters };
            number = change.revision;
            id = entryId;
          });
        } catch (error) {
          if (error instanceof StoreError && error.code === 'compacted') continue;
          throw error;
        }
        // Otherwise the cursor of one server was given to another.
        const after = await this.look();
        if (after.revision.incarnation !== before.revision.incarnation) continue;
        const revision = { ...before.revision, number };
        this.positions.note(revision, id);
        return { revision, entities: [...entities.values()], counters };
      }
      throw new StoreError('unavailable', `${this.where} changes faster than it can be read`);
    });
  }

  commit(changes: readonly StoredChange[], expected: Revision, lease?: Lease): Promise<void> {
    return this.attempt('cannot commit to', async () => {
      const floor = await this.committer.commit(changes, expected, lease);
      if (floor !== undefined) this.lowest = floor;
    });
  }

  settle(at: Revision): Promise<void> {
    return this.read('cannot ask', async () => {
      const link = this.link('store-commit');
      await this.expectLine(link, at);
      if (this.options.durability === 'replicated') await this.committer.replicate();
    });
  }

  changesSince(from: Revision): Promise<readonly StoredChange[]> {
    return this.read('cannot read', async () => {
      const head = await this.expectLine(this.link('store'), from);
      const changes: StoredChange[] = [];
      if (from.number < head.revision.number)
        await this.readLog({ number: from.number, id: this.positions.idOf(from) }, (change) => changes.push(change));
      return changes;
    });
  }

  watch(from: Revision, sink: (change: StoredChange) => void, signal: AbortSignal): Promise<StoreWatch> {
    return this.attempt('cannot watch', async () => {
      const purpose = `store-watch-${++this.watchNumber}`;
      const watch = new RedisWatch({
        link: this.link(purpose),
        logKey: this.key('log'),
        codec: this.codec,
        where: this.where,
        look: (at, options) => this.expectLine(this.link(purpose), at, options),
        note: (revision, id) => this.positions.note(revision, id),
        sink,
        signal,
      });
      try {
        await watch.begin(from, this.positions.idOf(from));
      } catch (error) {
        await this.options.connections.release(purpose);
        if (signal.aborted) return { ended: Promise.resolve(undefined) };
        throw error;
      }
      this.watches.add(watch);
      const ended = watch.run().finally(async () => {
        this.watches.delete(watch);
        await this.options.connections.release(purpose);
      });
      return { ended };
    });
  }

  floor(): number {
    return this.lowest;
  }

  epoch(): number {
    return this.latestEpoch;
  }

  async hold(name: string, holder: string, ms: number): Promise<boolean> {
    try {
      return await this.leases.takeFor(name, holder, ms);
    } catch (error) {
      throw error instanceof RedisError ? storeErrorOf(error, this.where) : error;
    }
  }

  async lease(name: string, signal: AbortSignal): Promise<Lease> {
    try {
      return await this.leases.lease(name, signal);
    } catch (error) {
      throw error instanceof RedisError ? storeErrorOf(error, this.where) : error;
    }
  }

  async close(): Promise<void> {
    for (const watch of this.watches) watch.stop();
    await this.leases.close();
    await Promise.all(this.purposes.map((purpose) => this.options.connections.release(purpose)));
  }

  private key(name: string): string {
    return this.options.connections.keyPrefix + name;
  }

  private link(purpose: string): RedisLink {
    return this.options.connections.link(purpose);
  }

  private async attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw error instanceof RedisError ? storeErrorOf(error, `${what} ${this.where}`) : error;
    }
  }

  /** Something that can be done again when the connection was lost on the way. */
  private read<T>(what: string, work: () => Promise<T>): Promise<T> {
    return this.attempt(what, async () => {
      for (let attempt = 1; ; attempt++)
        try {
          return await work();
        } catch (error) {
          if (!(error instanceof RedisError) || !error.sent || attempt === READ_ATTEMPTS) throw error;
        }
    });
  }

  private async look(): Promise<Head> {
    const head = await this.head.look(this.link('store'));
    this.noteHead(head);
    return head;
  }

  private noteHead({ revision, id, floor, epoch }: Head): void {
    this.lowest = floor;
    this.latestEpoch = epoch;
    this.positions.note(revision, id);
  }

  /** Looks, and throws StoreError `compacted` unless the log leads from there to the head. */
  private async expectLine(link: RedisLink, from: Revision, options = {}): Promise<Head> {
    const head = await this.head.look(link, { ...from, id: this.positions.idOf(from) }, options);
    const { incarnation, number } = head.revision;
    this.latestEpoch = head.epoch;
    if (from.incarnation !== incarnation)
      throw new StoreError('compacted', `revision ${from.number} is of another incarnation of the store`);
    if (from.number > number) throw new StoreError('compacted', `revision ${from.number} is ahead of the store, which is at ${number}`);
    this.lowest = head.floor;
    if (from.number < head.floor) throw new StoreError('compacted', `changes are kept from revision ${head.floor} on`);
    return head;
  }

  private migrate(): Promise<void> {
    return migrateRedis({
      head: this.head,
      link: this.link('store'),
      committer: this.committer,
      codec: this.codec,
      schema: this.schema,
      scan: (visit) => this.scan(visit),
      lease: (name, signal) => this.leases.lease(name, signal),
    });
  }

  private async scan(visit: (uuid: string, value: Buffer) => void): Promise<void> {
    const breath = new Breath();
    let cursor: string | Buffer = '0';
    do {
      const [next, found] = list(await this.link('store').call(['HSCAN', this.key('entities'), cursor, 'COUNT', SCAN_COUNT]));
      const all = list(found!);
      for (let i = 0; i + 1 < all.length; i += 2) {
        visit(String(all[i]), all[i + 1] as Buffer);
        if (breath.isDue()) await breath.take();
      }
      cursor = next as Buffer;
    } while (String(cursor) !== '0');
  }

  /** Calls `visit` for each change after that one. Throws StoreError `compacted` at a hole. */
  private async readLog(after: LogPosition, visit: (change: StoredChange, id: string) => void): Promise<void> {
    const breath = new Breath();
    let at = after;
    for (;;) {
      const page = list(await this.link('store').call(['XRANGE', this.key('log'), `${at.number + 1}-0`, '+', 'COUNT', LOG_PAGE]));
      for (const one of page) {
        const entry = nextEntry(this.codec, at, one);
        visit(entry.change, entry.id);
        at = entry;
        if (breath.isDue()) await breath.take();
      }
      if (page.length < LOG_PAGE) return;
    }
  }
}
