/**
 * Random choices that can be repeated.
 *
 * Promises: the same seed gives the same choices, on every machine.
 */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 32 random bits (mulberry32). */
  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** 0 to `limit - 1`. */
  below(limit: number): number {
    return this.word() % limit;
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new RangeError('nothing to pick from');
    return from[this.below(from.length)]!;
  }

  /** One of several ways, by weight. */
  choose<T>(...ways: readonly (readonly [weight: number, way: () => T])[]): T {
    let at = this.below(ways.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, way] of ways) {
      at -= weight;
      if (at < 0) return way();
    }
    throw new RangeError('no ways');
  }

  times<T>(n: number, make: (index: number) => T): T[] {
    return Array.from({ length: n }, (_, index) => make(index));
  }

  shuffled<T>(items: readonly T[]): T[] {
    const out = [...items];
    for (let at = out.length - 1; at > 0; at--) {
      const other = this.below(at + 1);
      [out[at], out[other]] = [out[other]!, out[at]!];
    }
    return out;
  }

  bigint(bits: number): bigint {
    let value = 0n;
    for (let done = 0; done < bits; done += 32) value = (value << 32n) | BigInt(this.word());
    return value & ((1n << BigInt(bits)) - 1n);
  }
}
