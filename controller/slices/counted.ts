/**
 * Things counted per key: a pair is there while its count is above zero.
 */
export class Counted<K, V> {
  private readonly counts = new Map<K, Map<V, number>>();
  private readonly none: ReadonlyMap<V, number> = new Map();

  /** The values counted under `key`. */
  get(key: K): ReadonlyMap<V, number> {
    return this.counts.get(key) ?? this.none;
  }

  has(key: K, value: V): boolean {
    return this.counts.get(key)?.has(value) ?? false;
  }

  /** Adds `by` (1 or -1). @returns whether the pair came or went. */
  add(key: K, value: V, by: 1 | -1): boolean {
    let values = this.counts.get(key);
    if (values === undefined) this.counts.set(key, (values = new Map<V, number>()));
    const count = (values.get(value) ?? 0) + by;
    if (count > 0) {
      values.set(value, count);
      return by === 1 && count === 1;
    }
    values.delete(value);
    if (values.size === 0) this.counts.delete(key);
    return true;
  }
}
