/**
 * Giving way during long work.
 *
 * Owns: when to let other events of the process run.
 * Promises: work that asks often enough never holds the process for much longer than the slice.
 */
import { setImmediate } from 'node:timers/promises';

export class Breath {
  private readonly sliceMs: number;
  private since: number | undefined;

  /** @param sliceMs how long work may run in one go. */
  constructor(sliceMs = 5) {
    this.sliceMs = sliceMs;
  }

  /** Resolves at once while the slice lasts. */
  async takeIfDue(): Promise<void> {
    const now = performance.now();
    this.since ??= now;
    if (now - this.since < this.sliceMs) return;
    await setImmediate();
    this.since = performance.now();
  }
}
