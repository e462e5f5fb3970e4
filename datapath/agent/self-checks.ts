/**
 * What an agent holds against itself while it works.
 *
 * Owns: the audit that runs packets through the switch's own trace, and the one that compiles everything anew.
 * Promises: neither touches the switch, and neither is made while something is on its way there.
 */
import type { TraceCheck, TraceProbe } from '../../controller/messages/slice.js';
import type { Endpoint } from '../ovsdb/endpoint.js';
import type { AgentOptions } from './agent-options.js';
import type { Clock } from './clock.js';
import { CompileCheck, type CompileCheckCounters } from './compile-check.js';
import { digestInWorker } from './compile-worker.js';
import type { Desired } from './desired.js';
import type { AgentLog } from './log.js';
import type { Reconciler } from './reconciler.js';
import { SwitchChecker } from './switch-checker.js';
import { TraceAudit, type TraceAuditCounters } from './trace-audit.js';

export interface SelfChecksParts {
  readonly options: AgentOptions;
  /** Of OVSDB. */
  readonly endpoint: Endpoint;
  readonly desired: Desired;
  readonly reconciler: Reconciler;
  /** Whether there is a connection to the switch. */
  readonly isUp: () => boolean;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: AgentLog;
}

export class SelfChecks {
  readonly #checker: SwitchChecker;
  readonly #traceAudit: TraceAudit;
  readonly #compileCheck: CompileCheck;

  constructor({ options, endpoint, desired, reconciler, isUp, clock, random, log }: SelfChecksParts) {
    this.#checker = new SwitchChecker({ endpoint, bridge: options.bridge, compiler: () => desired.compiler });
    this.#traceAudit = new TraceAudit({
      rate: options.traceAuditRate ?? 0,
      records: () => desired.compiler.records(),
      check: (packets) => this.#checker.checkPackets(packets),
      steady: () => (isUp() && desired.isCurrent && reconciler.status().error === null ? reconciler.counters.modifications : undefined),
      clock,
      random,
      log,
    });
    this.#compileCheck = new CompileCheck({
      periodMs: options.compileCheckPeriodMs ?? 0,
      state: () => (desired.isCurrent ? { records: [...desired.compiler.records()], digest: reconciler.wantedDigest() } : undefined),
      compile: (records, signal) => digestInWorker(records, { traceroute: options.traceroute }, signal),
      startOver: () => desired.compileAnew(),
      clock,
      random,
      log,
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#traceAudit.run(signal), this.#compileCheck.run(signal)]);
  }

  /** Somebody asks what the switch makes of these packets. */
  check(probes: readonly TraceProbe[]): Promise<readonly TraceCheck[]> {
    return this.#checker.check(probes);
  }

  get traces(): Readonly<TraceAuditCounters> {
    return this.#traceAudit.counters;
  }

  get compiled(): Readonly<CompileCheckCounters> {
    return this.#compileCheck.counters;
  }
}
