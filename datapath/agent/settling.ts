/**
 * What has been so for a while.
 *
 * Owns: since when each of several things is there.
 * Promises: a thing counts once it has been there for the whole time without a break; one that goes stops counting at once.
 */
import type { Clock } from './clock.js';

export interface SettlingOptions {
  readonly ms: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** What counted before this process started: no need to wait again. */
  readonly before: () => readonly string[];
  /** Something counts now. */
  readonly onSettled: () => void;
}

export class Settling {
  readonly #options: SettlingOptions;
  readonly #since = new Map<string, number>();

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  /** What is there now. @returns whether what counts differs */
  update(present: Iterable<string>): boolean {
    const { ms, clock, signal, before, onSettled } = this.#options;
    const counted = this.settled().join();
    const now = new Set(present);
    for (const one of this.#since.keys()) if (!now.has(one)) this.#since.delete(one);
    const known = before();
    let isNew = false;
    for (const one of now) {
      if (this.#since.has(one)) continue;
      this.#since.set(one, known.includes(one) ? -Infinity : clock.now());
      isNew ||= !known.includes(one);
    }
    if (isNew)
      void clock.sleep(ms, signal).then(() => {
        if (!signal.aborted) onSettled();
      });
    return this.settled().join() !== counted;
  }

  /** What counts, sorted. */
  settled(): string[] {
    const before = this.#options.clock.now() - this.#options.ms;
    return [...this.#since]
      .filter(([, since]) => since <= before)
      .map(([one]) => one)
      .sort();
  }
}
