/**
 * A model in the making: changes laid over a committed one.
 *
 * Owns: the difference, its index entries, and what was there before the transaction under way.
 * Assumes: the model beneath does not change while drafts over it are used.
 * Promises: reads see the changes made so far; putting, deleting and rolling back cost what is changed. Several transactions may follow one
 * another on one draft: `begin` starts the next on top of what the last left.
 */
import type { Entity } from './entities.js';
import { orderedKeys, setKeys } from './indexes.js';
import type { Model } from './model.js';
import { SortedKeys } from './sorted-keys.js';
import type { ModelView } from './view.js';

/** Keys laid over a set index or an ordered index. */
interface Overlay<Added> {
  readonly added: Added;
  readonly removed: Set<string>;
}

export class Draft implements ModelView {
  private readonly model: Model;
  private readonly entities = new Map<string, Entity | undefined>();
  private readonly sets = new Map<string, Overlay<Set<string>>>();
  private readonly ordered = new Map<string, Overlay<SortedKeys>>();
  /** What each touched uuid was when the transaction began. */
  private readonly was = new Map<string, Entity | undefined>();

  constructor(model: Model) {
    this.model = model;
  }

  /** Starts a transaction. */
  begin(): void {
    this.was.clear();
  }

  /** Undoes the transaction. */
  rollback(): void {
    for (const [uuid, entity] of this.was) this.replace(uuid, entity);
    this.was.clear();
  }

  /** uuids the transaction touched, with what each was before it; in the order they were first touched. */
  touched(): ReadonlyMap<string, Entity | undefined> {
    return this.was;
  }

  /** What `uuid` was before the transaction. */
  original(uuid: string): Entity | undefined {
    return this.was.has(uuid) ? this.was.get(uuid) : this.get(uuid);
  }

  put(entity: Entity): void {
    this.remember(entity.uuid);
    this.replace(entity.uuid, entity);
  }

  delete(uuid: string): void {
    this.remember(uuid);
    this.replace(uuid, undefined);
  }

  get(uuid: string): Entity | undefined {
    return this.entities.has(uuid) ? this.entities.get(uuid) : this.model.get(uuid);
  }

  *lookup(key: string): Generator<string> {
    const overlay = this.sets.get(key);
    for (const uuid of this.model.lookup(key)) if (!overlay?.removed.has(uuid)) yield uuid;
    if (overlay) yield* overlay.added;
  }

  count(key: string): number {
    const overlay = this.sets.get(key);
    return this.model.count(key) + (overlay ? overlay.added.size - overlay.removed.size : 0);
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

  private remember(uuid: string): void {
    if (!this.was.has(uuid)) this.was.set(uuid, this.get(uuid));
  }

  private replace(uuid: string, entity: Entity | undefined): void {
    const old = this.get(uuid);
    this.entities.set(uuid, entity);
    if (old !== undefined) {
      for (const key of setKeys(old)) this.removeKey(key, uuid);
      for (const { index, key } of orderedKeys(old)) this.removeOrdered(index, key);
    }
    if (entity !== undefined) {
      for (const key of setKeys(entity)) this.addKey(key, uuid);
      for (const { index, key } of orderedKeys(entity)) this.addOrdered(index, key);
    }
  }

  private addKey(key: string, uuid: string): void {
    const overlay = this.setOverlay(key);
    if (!overlay.removed.delete(uuid)) overlay.added.add(uuid);
  }

  private removeKey(key: string, uuid: string): void {
    const overlay = this.setOverlay(key);
    if (!overlay.added.delete(uuid)) overlay.removed.add(uuid);
  }

  private addOrdered(index: string, key: string): void {
    const overlay = this.orderedOverlay(index);
    if (!overlay.removed.delete(key)) overlay.added.add(key);
  }

  private removeOrdered(index: string, key: string): void {
    const overlay = this.orderedOverlay(index);
    if (!overlay.added.delete(key)) overlay.removed.add(key);
  }

  private setOverlay(key: string): Overlay<Set<string>> {
    let overlay = this.sets.get(key);
    if (overlay === undefined) this.sets.set(key, (overlay = { added: new Set(), removed: new Set() }));
    return overlay;
  }

  private orderedOverlay(index: string): Overlay<SortedKeys> {
    let overlay = this.ordered.get(index);
    if (overlay === undefined) this.ordered.set(index, (overlay = { added: new SortedKeys(), removed: new Set() }));
    return overlay;
  }
}
