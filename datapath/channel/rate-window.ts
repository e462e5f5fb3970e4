/**
 * Allows a number of events per window of time, counted from the first event of the window.
 */
export class RateWindow {
  readonly #limit: number;
  readonly #window: number;
  readonly #now: () => number;
  #start = -Infinity;
  #count = 0;

  /** `window` in the unit of `now`. */
  constructor(limit: number, window: number, now: () => number) {
    this.#limit = limit;
    this.#window = window;
    this.#now = now;
  }

  /** Counts an event; false when it is one too many. */
  allow(): boolean {
    const now = this.#now();
    if (now - this.#start >= this.#window) {
      this.#start = now;
      this.#count = 0;
    }
    this.#count++;
    return this.#count <= this.#limit;
  }
}
