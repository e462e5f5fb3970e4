/**
 * A few things, each with an id.
 *
 * Owns: finding one by its id: by looking at all while they are few, through a Map when they are more.
 * Promises: of two with the same id the later one counts, in the place of the earlier.
 */
const FEW = 8;
const NOTHING: readonly never[] = [];

export class Unique<T, K extends string | number = string | number> {
  readonly #idOf: (item: T) => K;
  #items: T[] = [];
  /** Places by id, once there are more than a few. */
  #places: Map<K, number> | undefined;

  constructor(idOf: (item: T) => K) {
    this.#idOf = idOf;
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  add(item: T): void {
    const id = this.#idOf(item);
    const place = this.#find(id);
    if (place >= 0) {
      this.#items[place] = item;
      return;
    }
    const length = this.#items.push(item);
    if (this.#places !== undefined) this.#places.set(id, length - 1);
    else if (length > FEW) this.#place();
  }

  get(id: K): T | undefined {
    const place = this.#find(id);
    return place < 0 ? undefined : this.#items[place];
  }

  /** All of them, in order; none are left. */
  take(): readonly T[] {
    if (this.#items.length === 0) return NOTHING;
    // They are kept, without the room for more that an array has which was pushed to.
    const items = this.#items.slice();
    this.#items = [];
    this.#places = undefined;
    return items;
  }

  #place(): void {
    this.#places = new Map(this.#items.map((one, at) => [this.#idOf(one), at]));
  }

  #find(id: K): number {
    const items = this.#items;
    if (this.#places !== undefined) return this.#places.get(id) ?? -1;
    for (let at = 0; at < items.length; at++) if (this.#idOf(items[at]!) === id) return at;
    return -1;
  }
}
