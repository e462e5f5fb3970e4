/**
 * Token buckets, one for each key.
 *
 * Promises: at most `limit` buckets; the one not used for longest makes room, and starts full if its key comes back.
 */
export interface Rate {
  readonly per_second: number;
  /** How many at once after a pause. */
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  /** When `tokens` was right, in milliseconds. */
  at: number;
}

export class TokenBuckets {
  readonly #rate: Rate;
  readonly #limit: number;
  /** Least recently used first. */
  readonly #buckets = new Map<number, Bucket>();

  constructor(rate: Rate, limit: number) {
    this.#rate = rate;
    this.#limit = limit;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Whether one more is within the rate. @param now Milliseconds of a clock that does not go back. */
  take(key: number, now: number): boolean {
    const { per_second, burst } = this.#rate;
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now };
    this.#buckets.delete(key);
    if (this.#buckets.size >= this.#limit) this.#evict();
    this.#buckets.set(key, bucket);
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * per_second);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #evict(): void {
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest);
      return;
    }
  }
}
