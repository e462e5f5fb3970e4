/**
 * How long to wait before connecting again.
 *
 * Owns: exponential back-off with jitter, so that many switches that lost the same controller do not come back at the same instant.
 * Promises: every wait is in [floor/2, ceiling]; a connection that lasted resets the series.
 */
export interface BackoffOptions {
  /** Upper bound of the first wait, milliseconds. */
  readonly floor: number;
  /** Upper bound of any wait, milliseconds. */
  readonly ceiling: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Open vSwitch itself waits up to 8 s; a second keeps a flap short without a storm of connects. */
export const DEFAULT_BACKOFF: BackoffOptions = { floor: 100, ceiling: 1_000, random: Math.random };

export class Backoff {
  readonly #options: BackoffOptions;
  #bound: number;

  constructor(options: BackoffOptions = DEFAULT_BACKOFF) {
    this.#options = options;
    this.#bound = options.floor;
  }

  /** The next wait in milliseconds: between half of the current bound and the bound, which then doubles. */
  next(): number {
    const bound = this.#bound;
    this.#bound = Math.min(bound * 2, this.#options.ceiling);
    return bound / 2 + (bound / 2) * this.#options.random();
  }

  reset(): void {
    this.#bound = this.#options.floor;
  }
}
