/**
 * Live traces on this bridge.
 *
 * Owns: which are armed, what they have seen that nobody has collected yet, and their end.
 * Promises: a trace ends when it is withdrawn, when its time is over, or when nobody has collected for LIVE_LEASE_MS, whatever became of whoever asked.
 * An interface is in one trace at a time. The rows in the switch end by themselves soon after the trace should have, should the agent die.
 */
import {
  LIVE_COLLECT_MS,
  LIVE_KEEP,
  LIVE_LEASE_MS,
  type LiveCommand,
  type LiveObservation,
  type LiveReport,
} from '../../controller/messages/live.js';
import type { FlowDelta, LiveTrace } from '../../flows/compile/contract.js';
import { HotoriError } from '../../flows/model/errors.js';
import type { LivePunt } from '../../flows/pipeline/punt.js';
import type { PacketIn } from '../channel/contract.js';
import type { Clock } from './clock.js';

export interface LiveTracerOptions {
  readonly observe: (punt: LivePunt, packet: PacketIn, at: number) => LiveObservation | undefined;
  /** Whether the switch is connected and holds what is wanted. */
  readonly isReady: () => boolean;
  /** `records` differs. @returns what that changes in the tables */
  readonly onChange: () => FlowDelta | undefined;
  /** Resolves once the switch holds what the delta wanted; also when the signal is aborted. */
  readonly settled: (delta: FlowDelta, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly signal: AbortSignal;
}

interface Armed {
  readonly id: string;
  readonly record: LiveTrace;
  readonly over: AbortController;
  readonly endsAt: number;
  collectedAt: number;
  observations: LiveObservation[];
  missed: number;
  /** Somebody waits for the next observation. */
  wake: () => void;
}

const MOST_TRACES = 32;
const SESSIONS = 255;
/** Seconds that the switch waits beyond the trace before it acts itself. */
const GRACE_S = 5;
const INSTALL_MS = 5_000;
const nothing = (): void => undefined;

export class LiveTracer {
  readonly #options: LiveTracerOptions;
  readonly #armed = new Map<string, Armed>();
  #lastSession = 0;

  constructor(options: LiveTracerOptions) {
    this.#options = options;
  }

  /** What the compiler is to know of them. */
  records(): readonly LiveTrace[] {
    return [...this.#armed.values()].map(({ record }) => record);
  }

  /** Throws HotoriError `conflict`, `unavailable`. */
  async carryOut(command: LiveCommand): Promise<LiveReport> {
    switch (command.act) {
      case 'arm':
        return this.#arm(command);
      case 'collect':
        return this.#collect(command.trace_id);
      case 'disarm':
        await this.#withdraw(this.#armed.get(command.trace_id));
        return { observations: [], missed: 0, over: true };
    }
  }

  take(punt: LivePunt, packet: PacketIn): void {
    for (const trace of this.#armed.values()) {
      if (trace.record.session !== punt.session) continue;
      if (trace.observations.length === LIVE_KEEP) trace.missed++;
      else this.#see(trace, punt, packet);
      trace.wake();
      return;
    }
  }

  #see(trace: Armed, punt: LivePunt, packet: PacketIn): void {
    try {
      const seen = this.#options.observe(punt, packet, this.#options.wallClock());
      if (seen !== undefined) trace.observations.push(seen);
    } catch {
      // A packet is anybody's bytes: whatever it does to whoever reads it, the connection to the switch goes on.
      trace.missed++;
    }
  }

  async #arm({ trace_id, interface_uuid, filter, dropped_only, seconds }: Extract<LiveCommand, { act: 'arm' }>): Promise<LiveReport> {
    const { clock, isReady, onChange, settled, signal } = this.#options;
    const rival = [...this.#armed.values()].find(({ id, record }) => id === trace_id || record.interface_uuid === interface_uuid);
    if (rival !== undefined) throw new HotoriError('conflict', `packets of ${interface_uuid} are being traced already; try again later`);
    if (this.#armed.size >= MOST_TRACES) throw new HotoriError('conflict', `${MOST_TRACES} live traces are under way there already`);
    if (!isReady()) throw new HotoriError('unavailable', 'the switch is not connected, or does not hold what it should yet');
    const session = this.#freeSession();
    const record: LiveTrace = {
      kind: 'live_trace',
      uuid: `live-${session}`,
      session,
      interface_uuid,
      filter,
      dropped_only,
      seconds: seconds + GRACE_S,
    };
    const now = clock.now();
    const trace: Armed = {
      id: trace_id,
      record,
      over: new AbortController(),
      endsAt: now + seconds * 1000,
      collectedAt: now,
      observations: [],
      missed: 0,
      wake: nothing,
    };
    this.#armed.set(trace_id, trace);
    void this.#end(trace);
    const delta = onChange();
    const patience = AbortSignal.any([AbortSignal.timeout(INSTALL_MS), trace.over.signal, signal]);
    if (delta !== undefined) await settled(delta, patience);
    if (delta === undefined || patience.aborted) {
      await this.#withdraw(trace);
      throw new HotoriError('unavailable', 'the switch did not take the rows of the trace');
    }
    return { observations: [], missed: 0, over: false };
  }

  async #collect(id: string): Promise<LiveReport> {
    const trace = this.#armed.get(id);
    if (trace === undefined) return { observations: [], missed: 0, over: true };
    const { clock } = this.#options;
    trace.collectedAt = clock.now();
    if (trace.observations.length === 0) {
      const woken = new AbortController();
      trace.wake = () => woken.abort();
      await clock.sleep(LIVE_COLLECT_MS, AbortSignal.any([woken.signal, trace.over.signal]));
      trace.wake = nothing;
      trace.collectedAt = clock.now();
    }
    const { observations, missed } = trace;
    trace.observations = [];
    trace.missed = 0;
    return { observations, missed, over: trace.over.signal.aborted };
  }

  /** Waits for the end of a trace that nobody withdraws. */
  async #end(trace: Armed): Promise<void> {
    const { clock, signal } = this.#options;
    const over = AbortSignal.any([trace.over.signal, signal]);
    for (;;) {
      const rest = Math.min(trace.endsAt, trace.collectedAt + LIVE_LEASE_MS) - clock.now();
      if (rest <= 0 || over.aborted) break;
      await clock.sleep(rest, over);
    }
    if (!over.aborted) await this.#withdraw(trace);
  }

  async #withdraw(trace: Armed | undefined): Promise<void> {
    if (trace === undefined || trace.over.signal.aborted) return;
    trace.over.abort();
    this.#armed.delete(trace.id);
    const delta = this.#options.onChange();
    if (delta !== undefined) await this.#options.settled(delta, AbortSignal.any([AbortSignal.timeout(INSTALL_MS), this.#options.signal]));
  }

  /** Not one that was in use a moment ago: what it has followed may still be on its way. */
  #freeSession(): number {
    const used = new Set([...this.#armed.values()].map(({ record }) => record.session));
    do this.#lastSession = (this.#lastSession % SESSIONS) + 1;
    while (used.has(this.#lastSession));
    return this.#lastSession;
  }
}
