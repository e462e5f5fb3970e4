/**
 * The committed model, in memory.
 *
 * Owns: all entities and their indexes.
 * Assumes: what is applied was validated.
 * Promises: applying a change costs what the change is, not what the model is; entities are never altered, only replaced.
 */
import type { Entity, EntityKind } from './entities.js';
import { kindIndex, orderedKeys, setKeys } from './indexes.js';
import { SortedKeys } from './sorted-keys.js';
import type { ModelView } from './view.js';

const NONE: readonly string[] = [];

export class Model implements ModelView {
  private readonly entities = new Map<string, Entity>();
  /** A lone uuid is kept without a set around it: most keys have one. */
  private readonly sets = new Map<string, string | Set<string>>();
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

  lookup(key: string): Iterable<string> {
    const found = this.sets.get(key);
    return typeof found === 'string' ? [found] : (found ?? NONE);
  }

  count(key: string): number {
    const found = this.sets.get(key);
    return typeof found === 'string' ? 1 : (found?.size ?? 0);
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
    if (old !== undefined) {
      for (const key of setKeys(old)) this.removeKey(key, uuid);
      for (const { index, key } of orderedKeys(old)) this.removeOrdered(index, key);
    }
    if (entity === undefined) {
      this.entities.delete(uuid);
      return;
    }
    this.entities.set(uuid, entity);
    for (const key of setKeys(entity)) this.addKey(key, uuid);
    for (const { index, key } of orderedKeys(entity)) this.addOrdered(index, key);
  }

  private addKey(key: string, uuid: string): void {
    const found = this.sets.get(key);
    if (found === undefined) this.sets.set(key, uuid);
    else if (typeof found === 'string') this.sets.set(key, new Set([found, uuid]));
    else found.add(uuid);
  }

  private removeKey(key: string, uuid: string): void {
    const found = this.sets.get(key);
    if (typeof found !== 'object') {
      this.sets.delete(key);
      return;
    }
    found.delete(uuid);
    if (found.size === 0) this.sets.delete(key);
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
