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
  /** They are somebody else's too: to be copied before they are changed. */
  #areBorrowed = false;
  /** Places by id, once there are more than a few. */
  #places: Map<K, number> | undefined;

  constructor(idOf: (item: T) => K) {
    this.#idOf = idOf;
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    const id = this.#idOf(item);
    const place = this.#find(id);
    if (this.#areBorrowed) {
      if (place >= 0 && this.#items[place] === item) return;
      this.#items = [...this.#items];
      this.#areBorrowed = false;
    }
    if (place >= 0) {
      this.#items[place] = item;
      return;
    }
    const length = this.#items.push(item);
    if (this.#places !== undefined) this.#places.set(id, length - 1);
    else if (length > FEW) this.#place();
  }

  /** Takes these, each with an id of its own, in place of what there is, which is nothing. */
  borrow(items: readonly T[]): void {
    this.#items = items as T[];
    this.#areBorrowed = true;
    this.#places = undefined;
  }

  get(id: K): T | undefined {
    const place = this.#find(id);
    return place < 0 ? undefined : this.#items[place];
  }

  /** All of them, in order; none are left. */
  take(): readonly T[] {
    const items = this.#items;
    if (items.length === 0) return NOTHING;
    this.#items = [];
    this.#places = undefined;
    this.#areBorrowed = false;
    return items;
  }

  #place(): void {
    this.#places = new Map(this.#items.map((one, at) => [this.#idOf(one), at]));
  }

  #find(id: K): number {
    const items = this.#items;
    if (this.#places === undefined && items.length > FEW) this.#place();
    if (this.#places !== undefined) return this.#places.get(id) ?? -1;
    for (let at = 0; at < items.length; at++) if (this.#idOf(items[at]!) === id) return at;
    return -1;
  }
}
