/**
 * Reading no faster than the receivers work.
 *
 * Owns: the number of receivers at work and whether the socket is paused for them.
 * Promises: with the backlog full, reading pauses until half of it is done, but never longer than the patience: then `overdue` is true, reading goes on,
 * and whoever can must drop. A paused socket delays echo requests too, and the switch gives up after some seconds.
 */
import type { Readable } from 'node:stream';

export interface IntakeLimits {
  readonly receiverBacklog: number;
  /** Milliseconds. */
  readonly receiverPatience: number;
}

export class Intake {
  readonly #socket: Readable;
  readonly #limits: IntakeLimits;
  readonly #onPause: () => void;
  #working = 0;
  #timer: NodeJS.Timeout | undefined;
  #overdue = false;

  constructor(socket: Readable, limits: IntakeLimits, onPause: () => void) {
    this.#socket = socket;
    this.#limits = limits;
    this.#onPause = onPause;
  }

  /** The receivers have had all the time there is. */
  get overdue(): boolean {
    return this.#overdue;
  }

  /** Counts a receiver as at work until its promise settles, either way. `weight` is how much of the backlog it takes up. */
  track(work: Promise<unknown>, weight = 1): void {
    this.#working += weight;
    if (this.#working >= this.#limits.receiverBacklog && this.#timer === undefined && !this.#overdue) this.#pause();
    const done = () => this.#done(weight);
    work.then(done, done);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #pause(): void {
    this.#onPause();
    this.#socket.pause();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#overdue = true;
      this.#socket.resume();
    }, this.#limits.receiverPatience);
  }

  #done(weight: number): void {
    this.#working -= weight;
    if (this.#working > this.#limits.receiverBacklog / 2) return;
    this.#overdue = false;
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#socket.resume();
  }
}
