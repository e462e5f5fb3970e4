/**
 * Leases in Redis: what one process at a time may do.
 *
 * Owns: asking for a lease, keeping it, telling its holder when it may be somebody else's.
 * Assumes: clocks run equally fast everywhere to within a tenth; nothing of what time it is.
 * Promises: the token of a lease is its fence. A holder that was stopped for longer than the lease lasts learns of it late, but what it writes
 * under its token is refused once somebody else has got the lease.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../kernel/ambient.js';
import type { RedisReply } from './connection.js';
import { RedisError } from './errors.js';
import type { CallOptions } from './link.js';

const LEASE_MS = 10_000;
const LONGEST_PAUSE_MS = 1_000;

export interface RedisLease {
  readonly name: string;
  readonly token: string;
  /** Aborts when the lease may be somebody else's. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

export interface RedisLeasesOptions {
  /** Runs one of the scripts, given the name of the lease and what follows it in ARGV. Throws RedisError. */
  readonly run: (
    script: 'take' | 'keep' | 'drop',
    name: string,
    args: readonly (string | number)[],
    options: CallOptions,
  ) => Promise<RedisReply>;
  readonly random: Random;
  /** How long a lease outlives its holder, in ms; LEASE_MS when absent. */
  readonly leaseMs?: number | undefined;
}

export class RedisLeases {
  private readonly options: RedisLeasesOptions;
  private readonly leaseMs: number;
  private readonly held = new Set<Holding>();

  constructor(options: RedisLeasesOptions) {
    this.options = options;
    this.leaseMs = options.leaseMs ?? LEASE_MS;
  }

  /** Resolves when the lease is ours. Rejects with the signal's reason, or RedisError `denied`, `refused` or `closed`. */
  async lease(name: string, signal: AbortSignal): Promise<RedisLease> {
    const token = Buffer.from(this.options.random.bytes(16)).toString('hex');
    for (;;) {
      signal.throwIfAborted();
      const since = performance.now();
      let waitMs = LONGEST_PAUSE_MS;
      try {
        // The same token each time: an answer that was lost does no harm.
        const reply = await this.options.run('take', name, [token, this.leaseMs], { signal });
        if (reply === null) return this.hold(name, token, since);
        waitMs = Math.min(Math.max(Number(reply), 1), LONGEST_PAUSE_MS);
      } catch (error) {
        if (!(error instanceof RedisError) || error.code !== 'unavailable') throw error;
      }
      await sleep(waitMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Takes or keeps a lease for a holder known by other means; false while another has it. Whoever asks knows by its own clock how long it lasts. */
  async takeFor(name: string, holder: string, ms: number): Promise<boolean> {
    return (await this.options.run('take', name, [holder, ms], { timeoutMs: ms })) === null;
  }

  /** Releases what is held. */
  async close(): Promise<void> {
    await Promise.all([...this.held].map((one) => one.release()));
  }

  private hold(name: string, token: string, since: number): RedisLease {
    const { run } = this.options;
    const holding = new Holding(name, token, this.leaseMs, (script, timeoutMs) =>
      run(script, name, script === 'drop' ? [token] : [token, this.leaseMs], { timeoutMs }),
    );
    this.held.add(holding);
    void holding.keep(since).finally(() => this.held.delete(holding));
    return holding;
  }
}

class Holding implements RedisLease {
  readonly name: string;
  readonly token: string;
  readonly lost: AbortSignal;
  private readonly ending = new AbortController();
  private readonly leaseMs: number;
  private readonly run: (script: 'keep' | 'drop', timeoutMs: number) => Promise<RedisReply>;

  constructor(name: string, token: string, leaseMs: number, run: (script: 'keep' | 'drop', timeoutMs: number) => Promise<RedisReply>) {
    this.name = name;
    this.token = token;
    this.leaseMs = leaseMs;
    this.run = run;
    this.lost = this.ending.signal;
  }

  /** Keeps the lease until it is released or lost. @param since when it was last asked for, which is before it began. */
  async keep(since: number): Promise<void> {
    let until = since + this.leaseMs * 0.9;
    // Beside the asking, which may hang.
    const watchdog = setInterval(() => {
      if (performance.now() >= until) this.ending.abort();
    }, this.leaseMs / 20);
    try {
      for (;;) {
        await sleep(this.leaseMs / 3, undefined, { signal: this.lost }).catch(() => {});
        if (this.lost.aborted) return;
        const asked = performance.now();
        if (asked >= until) return this.ending.abort();
        const kept = await this.run('keep', this.leaseMs / 3).catch((error: unknown) => {
          if (error instanceof RedisError && error.code === 'unavailable') return undefined;
          return 0;
        });
        if (kept === 0) return this.ending.abort();
        if (kept !== undefined) until = asked + this.leaseMs * 0.9;
      }
    } finally {
      clearInterval(watchdog);
    }
  }

  async release(): Promise<void> {
    if (this.lost.aborted) return;
    this.ending.abort();
    // What cannot be given back ends by itself.
    await this.run('drop', this.leaseMs / 3).catch(() => undefined);
  }
}
