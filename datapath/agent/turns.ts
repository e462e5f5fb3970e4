/**
 * Agents of one process that have something to do at the same time.
 *
 * Owns: the order in which they do it.
 * Promises: first come, first served, each in a turn of the event loop of its own, later than the one it was asked in: what one agent has for its switch is
 * on its way while the next one compiles.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];

  ask(work: () => void): void {
    if (this.#waiting.push(work) === 1) setImmediate(this.#take);
  }

  readonly #take = (): void => {
    try {
      this.#waiting[0]?.();
    } finally {
      // Not before: what is asked for meanwhile must not begin another turn.
      this.#waiting.shift();
      if (this.#waiting.length > 0) setImmediate(this.#take);
    }
  };
}
