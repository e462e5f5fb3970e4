/**
 * Agents of one process that have much to do at the same time.
 *
 * Owns: the order in which they do it.
 * Promises: first come, first served, in a later turn of the event loop than the one it was asked in. What is short is done one after the other; after what
 * is long the event loop runs, so that what one agent has for its switch is on its way while the next one compiles.
 */

/** Work goes on in one turn of the event loop for this long, milliseconds. */
const TURN_MS = 3;

export class Turns {
  readonly #now: () => number;
  #waiting: (() => void)[] = [];

  /** @param now milliseconds since some fixed moment */
  constructor(now: () => number) {
    this.#now = now;
  }

  ask(work: () => void): void {
    if (this.#waiting.push(work) === 1) setImmediate(this.#take);
  }

  readonly #take = (): void => {
    const until = this.#now() + TURN_MS;
    try {
      do this.#next();
      while (this.#waiting.length > 0 && this.#now() < until);
    } finally {
      if (this.#waiting.length > 0) setImmediate(this.#take);
    }
  };

  #next(): void {
    const [work] = this.#waiting;
    try {
      work?.();
    } finally {
      // Not before: what is asked for meanwhile must not begin another turn.
      this.#waiting.shift();
    }
  }
}
