/**
 * Which entities have a key.
 *
 * Owns: sets of uuids by key; a lone uuid is kept without a set around it, since most keys have one.
 */
const NONE: readonly string[] = [];

export class KeySets {
  private readonly sets = new Map<string, string | Set<string>>();

  /** In the order they came. They must not change while they are iterated. */
  get(key: string): Iterable<string> {
    const found = this.sets.get(key);
    return typeof found === 'string' ? [found] : (found ?? NONE);
  }

  has(key: string, uuid: string): boolean {
    const found = this.sets.get(key);
    return typeof found === 'string' ? found === uuid : (found?.has(uuid) ?? false);
  }

  count(key: string): number {
    const found = this.sets.get(key);
    return typeof found === 'string' ? 1 : (found?.size ?? 0);
  }

  add(key: string, uuid: string): void {
    const found = this.sets.get(key);
    if (found === undefined) this.sets.set(key, uuid);
    else if (typeof found === 'string') this.sets.set(key, new Set([found, uuid]));
    else found.add(uuid);
  }

  /** False when it was not there. */
  delete(key: string, uuid: string): boolean {
    const found = this.sets.get(key);
    if (typeof found === 'string') return found === uuid && this.sets.delete(key);
    if (!found?.delete(uuid)) return false;
    if (found.size === 0) this.sets.delete(key);
    return true;
  }
}
