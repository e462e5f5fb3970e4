/**
 * How long to wait before asking again.
 *
 * Promises: pauses double from one to the next, and are spread by chance over their upper half, so that many who lost the same server do not come
 * back together.
 */
import type { Random } from '../kernel/ambient.js';

const FIRST_MS = 500;

export class RetryPauses {
  private readonly random: Random;
  private bound = FIRST_MS;

  constructor(random: Random) {
    this.random = random;
  }

  /** @param mostMs upper bound of this pause and those after it, as long as it is asked for. @returns milliseconds. */
  next(mostMs: number): number {
    const bound = Math.min(this.bound, mostMs);
    this.bound = bound * 2;
    const [high, low] = this.random.bytes(2);
    return (bound / 2) * (1 + (high! * 256 + low!) / 65_536);
  }
}
