/**
 * Leases of a store that one process has to itself: whoever asks first, in turn.
 */
import type { Lease } from './contract.js';

export class LocalLeases {
  private readonly held = new Map<string, string>();
  private readonly waiting = new Set<() => void>();
  private readonly timed = new Map<string, { readonly holder: string; readonly until: number }>();
  private granted = 0;
  /** Milliseconds since some fixed moment. */
  private readonly now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** Resolves when the lease is free. Rejects with the signal's reason. */
  async lease(name: string, signal: AbortSignal): Promise<Lease> {
    signal.throwIfAborted();
    while (this.held.has(name)) await this.nextRelease(signal);
    const token = String(++this.granted);
    this.held.set(name, token);
    const lost = new AbortController();
    const release = (): Promise<void> => {
      if (this.held.get(name) === token) this.held.delete(name);
      lost.abort();
      for (const wake of [...this.waiting]) wake();
      return Promise.resolve();
    };
    return { name, token, lost: lost.signal, release };
  }

  /** As Store.hold. */
  hold(name: string, holder: string, ms: number): boolean {
    const now = this.now();
    const held = this.timed.get(name);
    if (held !== undefined && held.holder !== holder && held.until > now) return false;
    this.timed.set(name, { holder, until: now + ms });
    return true;
  }

  holds({ name, token }: Lease): boolean {
    return this.held.get(name) === token;
  }

  private nextRelease(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => () => {
        this.waiting.delete(wake);
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const wake = finish(resolve);
      const onAbort = finish(() => reject(signal.reason as Error));
      this.waiting.add(wake);
      signal.addEventListener('abort', onAbort);
    });
  }
}
