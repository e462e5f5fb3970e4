/**
 * Those who wait until the switch holds certain flows.
 *
 * Promises: each is released once, as soon as none of its flows differs or is on its way. One who waits costs the others nothing.
 */
import type { FlowDelta, FlowKey } from '../../flows/compile/contract.js';

interface Waiter {
  readonly keys: readonly FlowKey[];
  readonly resolve: () => void;
}

export class Waiters {
  #waiting: Waiter[] = [];

  get areNone(): boolean {
    return this.#waiting.length === 0;
  }

  /** Resolves at once when everything the delta touched is in place, or at the first `release` that finds it so. */
  wait(delta: FlowDelta, isInPlace: (key: FlowKey) => boolean): Promise<void> {
    const keys = [...delta.flows_put.keys(), ...delta.flows_deleted.keys()];
    if (keys.every(isInPlace)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ keys, resolve }));
  }

  /** @param isInPlace whether the switch holds what is wanted under the key */
  release(isInPlace: (key: FlowKey) => boolean): void {
    const waiting: Waiter[] = [];
    for (const waiter of this.#waiting) {
      if (waiter.keys.every(isInPlace)) waiter.resolve();
      else waiting.push(waiter);
    }
    this.#waiting = waiting;
  }
}
