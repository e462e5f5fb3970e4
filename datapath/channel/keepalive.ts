/**
 * Whether the peer is still there.
 *
 * Owns: the timer of silence. Any message counts as life, since a switch that sends is alive.
 * Promises: a silent peer is probed after each interval and given up after `misses` probes without an answer.
 */
export interface KeepaliveActions {
  readonly probe: () => void;
  readonly giveUp: () => void;
}

export class Keepalive {
  readonly #timer: NodeJS.Timeout;
  readonly #misses: number;
  readonly #actions: KeepaliveActions;
  #probes = 0;

  /** `interval` in milliseconds. */
  constructor(interval: number, misses: number, actions: KeepaliveActions) {
    this.#misses = misses;
    this.#actions = actions;
    this.#timer = setTimeout(() => this.#silent(), interval);
  }

  heard(): void {
    this.#probes = 0;
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #silent(): void {
    if (this.#probes >= this.#misses) {
      this.#actions.giveUp();
      return;
    }
    this.#probes++;
    this.#timer.refresh();
    this.#actions.probe();
  }
}
