/**
 * Which entities have a key.
 *
 * Owns: sets of uuids by index and key; a lone uuid is kept without a set around it, since most keys have one.
 */

/** A key of one index. In two parts, so that a key that is a uuid or an address needs no text of its own. */
export interface IndexKey {
  readonly index: string;
  readonly key: string;
}

const NONE: readonly string[] = [];

export class KeySets {
  private readonly indexes = new Map<string, Map<string, string | Set<string>>>();

  /** In the order they came. They must not change while they are iterated. */
  get({ index, key }: IndexKey): Iterable<string> {
    const found = this.indexes.get(index)?.get(key);
    return typeof found === 'string' ? [found] : (found ?? NONE);
  }

  has({ index, key }: IndexKey, uuid: string): boolean {
    const found = this.indexes.get(index)?.get(key);
    return typeof found === 'string' ? found === uuid : (found?.has(uuid) ?? false);
  }

  count({ index, key }: IndexKey): number {
    const found = this.indexes.get(index)?.get(key);
    return typeof found === 'string' ? 1 : (found?.size ?? 0);
  }

  add({ index, key }: IndexKey, uuid: string): void {
    let sets = this.indexes.get(index);
    if (sets === undefined) this.indexes.set(index, (sets = new Map<string, string | Set<string>>()));
    const found = sets.get(key);
    if (found === undefined) sets.set(key, uuid);
    else if (typeof found === 'string') sets.set(key, new Set([found, uuid]));
    else found.add(uuid);
  }

  /** False when it was not there. */
  delete({ index, key }: IndexKey, uuid: string): boolean {
    const sets = this.indexes.get(index);
    const found = sets?.get(key);
    if (typeof found === 'object' ? !found.delete(uuid) : found !== uuid) return false;
    if (typeof found === 'object' && found.size > 0) return true;
    sets!.delete(key);
    if (sets!.size === 0) this.indexes.delete(index);
    return true;
  }
}
