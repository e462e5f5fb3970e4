/**
 * What has been so for a while.
 *
 * Owns: which of several things are there, and have been there for long.
 * Promises: a thing counts once it has been there for the whole time without a break; one that goes stops counting at once.
 */
import type { Clock } from './clock.js';

export interface SettlingOptions {
  readonly ms: number;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly signal: AbortSignal;
  /** What counted before this process started: no need to wait again. */
  readonly before: () => readonly string[];
  /** Something counts now. */
  readonly onSettled: () => void;
}

export class Settling {
  readonly #options: SettlingOptions;
  /** What is there, and whether it counts. */
  readonly #present = new Map<string, { counts: boolean }>();

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  /** What is there now. @returns whether what counts differs */
  update(present: Iterable<string>): boolean {
    const counted = this.settled().join();
    const now = new Set(present);
    for (const one of this.#present.keys()) if (!now.has(one)) this.#present.delete(one);
    const known = this.#options.before();
    const waiting: { counts: boolean }[] = [];
    for (const one of now) {
      if (this.#present.has(one)) continue;
      const state = { counts: known.includes(one) };
      this.#present.set(one, state);
      if (!state.counts) waiting.push(state);
    }
    if (waiting.length > 0) void this.#wait(waiting);
    return this.settled().join() !== counted;
  }

  /** What counts, sorted. */
  settled(): string[] {
    return [...this.#present].flatMap(([one, { counts }]) => (counts ? [one] : [])).sort();
  }

  /** What has gone meanwhile, and is perhaps there again, is another. */
  async #wait(waiting: readonly { counts: boolean }[]): Promise<void> {
    const { ms, clock, signal, onSettled } = this.#options;
    await clock.sleep(ms, signal);
    if (signal.aborted) return;
    for (const state of waiting) state.counts = true;
    onSettled();
  }
}
