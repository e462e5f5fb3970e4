/**
 * The committed model, in memory.
 *
 * Owns: all entities and their indexes.
 * Assumes: what is applied was validated.
 * Promises: applying a change costs what the change is, not what the model is; entities are never altered, only replaced.
 */
import type { Entity, EntityKind } from './entities.js';
import { kindIndex, keyChange, orderedKeys, setKeys } from './indexes.js';
import { KeySets, type IndexKey } from './key-sets.js';
import { SortedKeys } from './sorted-keys.js';
import type { ModelView } from './view.js';

const NONE: readonly string[] = [];

export class Model implements ModelView {
  private readonly entities = new Map<string, Entity>();
  private readonly sets = new KeySets();
  private readonly ordered = new Map<string, SortedKeys>();

  get size(): number {
    return this.entities.size;
  }

  get(uuid: string): Entity | undefined {
    return this.entities.get(uuid);
  }

  values(): IterableIterator<Entity> {
    return this.entities.values();
  }

  lookup(key: IndexKey): Iterable<string> {
    return this.sets.get(key);
  }

  count(key: IndexKey): number {
    return this.sets.count(key);
  }

  from(index: string, key: string): Iterable<string> {
    return this.ordered.get(index)?.from(key) ?? NONE;
  }

  before(index: string, key: string): Iterable<string> {
    return this.ordered.get(index)?.before(key) ?? NONE;
  }

  countOf(kind: EntityKind): number {
    return this.ordered.get(kindIndex(kind))?.size ?? 0;
  }

  /** Entities of a kind in uuid order. */
  page(kind: EntityKind, offset: number, limit: number): Entity[] {
    const uuids = this.ordered.get(kindIndex(kind))?.page(offset, limit) ?? [];
    return uuids.map((uuid) => this.entities.get(uuid)!);
  }

  apply(puts: Iterable<Entity>, deletes: Iterable<string>): void {
    for (const uuid of deletes) this.replace(uuid, undefined);
    for (const entity of puts) this.replace(entity.uuid, entity);
  }

  private replace(uuid: string, entity: Entity | undefined): void {
    const old = this.entities.get(uuid);
    if (entity === undefined) this.entities.delete(uuid);
    else this.entities.set(uuid, entity);
    const set = keyChange(old, entity, setKeys);
    for (const key of set.gone) this.sets.delete(key, uuid);
    for (const key of set.come) this.sets.add(key, uuid);
    const ordered = keyChange(old, entity, orderedKeys);
    for (const { index, key } of ordered.gone) this.removeOrdered(index, key);
    for (const { index, key } of ordered.come) this.addOrdered(index, key);
  }

  private addOrdered(index: string, key: string): void {
    let keys = this.ordered.get(index);
    if (keys === undefined) this.ordered.set(index, (keys = new SortedKeys()));
    keys.add(key);
  }

  private removeOrdered(index: string, key: string): void {
    const keys = this.ordered.get(index);
    keys?.delete(key);
    if (keys?.size === 0) this.ordered.delete(index);
  }
}
