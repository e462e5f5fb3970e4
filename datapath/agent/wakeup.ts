/**
 * Tells a loop that there is something to do.
 *
 * Owns: one flag. Raising it several times before the loop looks is raising it once.
 * Assumes: one loop waits at a time.
 */
import type { Clock } from './clock.js';

export class Wakeup {
  readonly #clock: Clock;
  #raised = false;
  #notify: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  raise(): void {
    this.#raised = true;
    this.#notify?.();
  }

  /** Resolves once raised, after `ms` (Infinity: never by time), or when the signal is aborted; lowers the flag. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#raised && !signal.aborted) await (ms < Infinity ? this.#raisedWithin(ms, signal) : this.#raisedOr(signal));
    this.#notify = undefined;
    this.#raised = false;
  }

  /** Without a timer there is nothing to call off, and an AbortController per change costs more than the rest of the wait. */
  async #raisedOr(signal: AbortSignal): Promise<void> {
    let end!: () => void;
    const over = new Promise<void>((resolve) => (end = resolve));
    this.#notify = end;
    signal.addEventListener('abort', end, { once: true });
    await over;
    signal.removeEventListener('abort', end);
  }

  async #raisedWithin(ms: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const end = (): void => over.abort();
    this.#notify = end;
    signal.addEventListener('abort', end, { once: true });
    await this.#clock.sleep(Math.max(0, ms), over.signal);
    signal.removeEventListener('abort', end);
  }
}
