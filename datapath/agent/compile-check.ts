/**
 * Watching that changes compiled one by one come to what compiling everything at once would.
 *
 * Owns: compiling all that is known from the beginning, now and then, and comparing the digests; counting where they differ.
 * Assumes: `begin` compiles elsewhere than in this thread, where packets and changes are waited for.
 * Promises: where the two differ, the log says so and what is compiled at once counts from then on. A check that cannot be made is no difference, and is said once.
 */
import type { CompileRecord } from '../../flows/compile/contract.js';
import type { Clock } from './clock.js';
import type { AgentLog } from './log.js';

/** What is wanted now, both at the same moment. */
export interface CompiledState {
  readonly records: readonly CompileRecord[];
  /** Of the tables that changes have led to (Image.wantedDigest). */
  readonly digest: bigint;
}

export interface CompileCheckOptions {
  /** 0: never. */
  readonly periodMs: number;
  /** undefined while nothing is wanted. */
  readonly state: () => CompiledState | undefined;
  /** The digest of the tables that these records make. */
  readonly compile: (records: readonly CompileRecord[], signal: AbortSignal) => Promise<bigint>;
  /** Compiles what is wanted anew, here. */
  readonly startOver: () => void;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: AgentLog;
}

export interface CompileCheckCounters {
  checked: number;
  mismatches: number;
}

export class CompileCheck {
  readonly counters: CompileCheckCounters = { checked: 0, mismatches: 0 };
  readonly #options: CompileCheckOptions;
  #complaint: string | undefined;

  constructor(options: CompileCheckOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { periodMs, clock, random } = this.#options;
    if (periodMs === 0) return;
    for (;;) {
      // Agents that started together do not check together.
      await clock.sleep(periodMs * (0.5 + random()), signal);
      if (signal.aborted) return;
      await this.#check(signal);
    }
  }

  async #check(signal: AbortSignal): Promise<void> {
    const { state, compile, startOver, log } = this.#options;
    const now = state();
    if (now === undefined) return;
    try {
      const digest = await compile(now.records, signal);
      if (signal.aborted) return;
      this.#complaint = undefined;
      this.counters.checked++;
      if (digest === now.digest) return;
    } catch (error) {
      const reason = String(error);
      if (!signal.aborted && reason !== this.#complaint) log.warn({ reason }, 'compiled flows cannot be checked');
      this.#complaint = reason;
      return;
    }
    this.counters.mismatches++;
    log.error(
      { records: now.records.length },
      'changes compiled one by one do not come to what they come to at once; compiling all of it anew',
    );
    startOver();
  }
}
