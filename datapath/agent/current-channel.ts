/**
 * The connection to the bridge that is up now, for whoever needs it once.
 *
 * Owns: which channel that is; those who wait for the next.
 */
import type { Channel } from '../channel/contract.js';
import { unlessAborted } from './unless-aborted.js';

export class CurrentChannel {
  #channel: Channel | undefined;
  #waiting: ((channel: Channel) => void)[] = [];

  get isUp(): boolean {
    return this.#channel !== undefined;
  }

  get current(): Channel | undefined {
    return this.#channel;
  }

  up(channel: Channel): void {
    this.#channel = channel;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve(channel);
  }

  down(): void {
    this.#channel = undefined;
  }

  /** The channel, now or as soon as there is one; undefined when the signal is aborted first. */
  get(signal: AbortSignal): Promise<Channel | undefined> {
    if (this.#channel !== undefined || signal.aborted) return Promise.resolve(this.#channel);
    return unlessAborted(new Promise<Channel>((resolve) => this.#waiting.push(resolve)), signal);
  }
}
