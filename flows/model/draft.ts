/**
 * A model in the making: changes laid over a committed one.
 *
 * Owns: the difference, its index entries, and what was there before the transaction under way.
 * Assumes: the model beneath does not change while drafts over it are used.
 * Promises: reads see the changes made so far; putting, deleting and rolling back cost what is changed. Several transactions may follow one
 * another on one draft: `begin` starts the next on top of what the last left.
 */
import type { Entity, EntityKind, EntityOf } from './entities.js';
import { keyChange, orderedKeys, setKeys } from './indexes.js';
import { KeySets, type IndexKey } from './key-sets.js';
import type { Model } from './model.js';
import { SortedKeys } from './sorted-keys.js';
import type { ModelView } from './view.js';

/** Keys laid over an ordered index. */
interface Overlay {
  readonly added: SortedKeys;
  readonly removed: Set<string>;
}

/** An entity that a transaction has touched: what it was before, and what it is now. */
export interface Touched<K extends EntityKind> {
  readonly uuid: string;
  readonly before: EntityOf<K> | undefined;
  readonly after: EntityOf<K> | undefined;
}

export class Draft implements ModelView {
  private readonly model: Model;
  /** What lies over the model; null for what is deleted. */
  private readonly entities = new Map<string, Entity | null>();
  /** Entries of set indexes laid over the model's, and those of the model's that are gone. */
  private readonly added = new KeySets();
  private readonly removed = new KeySets();
  private readonly ordered = new Map<string, Overlay>();
  /** What each touched uuid was when the transaction began. */
  private readonly was = new Map<string, Entity | undefined>();
  private readonly touchedUuids = new Map<EntityKind, string[]>();

  constructor(model: Model) {
    this.model = model;
  }

  /** Starts a transaction. */
  begin(): void {
    this.was.clear();
    this.touchedUuids.clear();
  }

  /** Undoes the transaction. */
  rollback(): void {
    for (const [uuid, entity] of this.was) this.replace(uuid, this.get(uuid), entity);
    this.begin();
  }

  /** uuids the transaction touched, with what each was before it; in the order they were first touched. */
  touched(): ReadonlyMap<string, Entity | undefined> {
    return this.was;
  }

  /** Those of one kind, as they are when this is called. */
  touchedOf<K extends EntityKind>(kind: K): Touched<K>[] {
    const uuids = this.touchedUuids.get(kind) ?? [];
    // What has a uuid keeps its kind.
    return uuids.map((uuid) => ({ uuid, before: this.was.get(uuid), after: this.get(uuid) }) as Touched<K>);
  }

  /** What `uuid` was before the transaction. */
  original(uuid: string): Entity | undefined {
    return this.was.has(uuid) ? this.was.get(uuid) : this.get(uuid);
  }

  put(entity: Entity): void {
    const old = this.get(entity.uuid);
    this.remember(entity.uuid, old, entity.kind);
    this.replace(entity.uuid, old, entity);
  }

  delete(uuid: string): void {
    const old = this.get(uuid);
    this.remember(uuid, old, old?.kind);
    this.replace(uuid, old, undefined);
  }

  get(uuid: string): Entity | undefined {
    const entity = this.entities.get(uuid);
    return entity === undefined ? this.model.get(uuid) : (entity ?? undefined);
  }

  lookup(key: IndexKey): Iterable<string> {
    // Most keys are either as the model has them, or new.
    if (this.removed.count(key) > 0) return this.overlaid(key);
    if (this.added.count(key) === 0) return this.model.lookup(key);
    return this.model.count(key) === 0 ? this.added.get(key) : this.overlaid(key);
  }

  private *overlaid(key: IndexKey): Generator<string> {
    for (const uuid of this.model.lookup(key)) if (!this.removed.has(key, uuid)) yield uuid;
    yield* this.added.get(key);
  }

  count(key: IndexKey): number {
    return this.model.count(key) + this.added.count(key) - this.removed.count(key);
  }

  from(index: string, key: string): Iterable<string> {
    return this.merged(
      index,
      (keys) => keys.from(index, key),
      (keys) => keys.from(key),
      (a, b) => a < b,
    );
  }

  before(index: string, key: string): Iterable<string> {
    return this.merged(
      index,
      (keys) => keys.before(index, key),
      (keys) => keys.before(key),
      (a, b) => a > b,
    );
  }

  private *merged(
    index: string,
    beneath: (model: Model) => Iterable<string>,
    above: (added: SortedKeys) => Iterable<string>,
    comesFirst: (a: string, b: string) => boolean,
  ): Generator<string> {
    const overlay = this.ordered.get(index);
    const added = overlay ? above(overlay.added)[Symbol.iterator]() : undefined;
    let next = added?.next();
    for (const key of beneath(this.model)) {
      if (overlay?.removed.has(key)) continue;
      for (; next && !next.done && comesFirst(next.value, key); next = added?.next()) yield next.value;
      yield key;
    }
    for (; next && !next.done; next = added?.next()) yield next.value;
  }

  private remember(uuid: string, old: Entity | undefined, kind: EntityKind | undefined): void {
    if (this.was.has(uuid)) return;
    this.was.set(uuid, old);
    if (kind === undefined) return;
    const uuids = this.touchedUuids.get(kind);
    if (uuids) uuids.push(uuid);
    else this.touchedUuids.set(kind, [uuid]);
  }

  private replace(uuid: string, old: Entity | undefined, entity: Entity | undefined): void {
    this.entities.set(uuid, entity ?? null);
    const set = keyChange(old, entity, setKeys);
    for (const key of set.gone) if (!this.added.delete(key, uuid)) this.removed.add(key, uuid);
    for (const key of set.come) if (!this.removed.delete(key, uuid)) this.added.add(key, uuid);
    const ordered = keyChange(old, entity, orderedKeys);
    for (const { index, key } of ordered.gone) this.removeOrdered(index, key);
    for (const { index, key } of ordered.come) this.addOrdered(index, key);
  }

  private addOrdered(index: string, key: string): void {
    const overlay = this.orderedOverlay(index);
    if (!overlay.removed.delete(key)) overlay.added.add(key);
  }

  private removeOrdered(index: string, key: string): void {
    const overlay = this.orderedOverlay(index);
    if (!overlay.added.delete(key)) overlay.removed.add(key);
  }

  private orderedOverlay(index: string): Overlay {
    let overlay = this.ordered.get(index);
    if (overlay === undefined) this.ordered.set(index, (overlay = { added: new SortedKeys(), removed: new Set() }));
    return overlay;
  }
}
