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

  /** Whether the slice is over; the first begins when this is first asked. */
  isDue(): boolean {
    const now = performance.now();
    this.since ??= now;
    return now - this.since >= this.sliceMs;
  }

  /** Gives way, and begins another slice. */
  async take(): Promise<void> {
    await setImmediate();
    this.since = performance.now();
  }
}
