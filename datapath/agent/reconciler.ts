/**
 * Keeps the tables of one bridge as the compiler wants them.
 *
 * Owns: what is wanted, what the switch is known to hold, which slice messages it has confirmed; the sessions with the switch.
 * Assumes: nothing is sent before the first complete set of tables is wanted (`begin`), so that a deletion is never a guess.
 * Promises: never clears. A new connection is adopted by its canary: when that says what is wanted, nothing is sent and an audit follows in the
 * background; else the tables are read and the difference goes out as one bundle. Changes that come while a bundle is on its way are merged,
 * the later per flow, into the next. Every audit period, or more rarely where reading takes long, the switch is read and what drifted is put back.
 */
import type { AppliedReport } from '../../controller/messages/slice.js';
import type { FlowDelta, FlowKey, Tables } from '../../flows/compile/contract.js';
import type { Meter } from '../../flows/openflow/flow.js';
import { PIPELINE_VERSION } from '../../flows/pipeline/tables.js';
import type { Channel, SwitchError, TableMod } from '../channel/contract.js';
import type { BundleError } from '../channel/errors.js';
import { findCanary, putMeters, takeStock } from './auditor.js';
import type { Step } from './batch.js';
import type { Clock } from './clock.js';
import { Image } from './image.js';
import { Installer } from './installer.js';
import type { DriftCount } from './ledger.js';
import type { AgentLog } from './log.js';
import { Operations } from './operations.js';
import { portionsOf } from './portions.js';
import { Progress } from './progress.js';
import { describeStep, findTrouble, type Explain } from './trouble.js';
import { isAborted, unlessAborted } from './unless-aborted.js';
import { Waiters } from './waiters.js';
import { Wakeup } from './wakeup.js';

export interface ReconcilerOptions {
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: AgentLog;
  readonly auditPeriodMs: number;
  /** Flows that an audit reads at a time, about; AUDIT_PORTION when absent. */
  readonly auditPortion?: number | undefined;
  /** Who made the flow with this cookie. */
  readonly explain: Explain;
  /** `status` may have changed. */
  readonly onProgress: () => void;
  /** What was wanted is in the switch, so many seconds after the first of it came. */
  readonly onSynced?: ((seconds: number) => void) | undefined;
}

export interface ReconcilerStatus {
  /** The switch is connected and what it holds is known. */
  readonly isAdopted: boolean;
  readonly applied_seq: number | null;
  /** Flows of ours the switch holds, the canary among them. */
  readonly flow_count: number;
  readonly error: AppliedReport['error'];
}

export interface ReconcilerCounters {
  bundles: number;
  modifications: number;
  refusals: number;
  audits: number;
  readonly operations: Operations;
  readonly drift: DriftCount;
}

/** An audit is followed by at least this many times its own duration without one: large tables are not read all the time. */
const AUDIT_REST = 20;
/** Flows read at a time: a switch carries nothing else out while it collects them. */
const AUDIT_PORTION = 1_000;
/** The part of the period over which portions are spread. */
const AUDIT_SPREAD = 0.75;
/** Between portions when somebody waits for the audit. */
const URGENT_GAP_MS = 2;
/** The next portion waits for a change on its way, so often for so many milliseconds. */
const MAX_WAITS = 20;
const WAIT_MS = 5;
/** In a first snapshot, or one that comes this soon after it, a mass deletion is held back until this time is over. */
const GRACE_MS = 10_000;
const MASS_DELETION = 50;

export class Reconciler {
  readonly counters: ReconcilerCounters = {
    bundles: 0,
    modifications: 0,
    refusals: 0,
    audits: 0,
    operations: new Operations(),
    drift: { missing: 0, extra: 0, changed: 0 },
  };
  readonly #options: ReconcilerOptions;
  readonly #image = new Image();
  readonly #progress = new Progress();
  readonly #waiters = new Waiters();
  readonly #installer: Installer;
  readonly #work: Wakeup;
  readonly #audit: Wakeup;
  readonly #begun: Promise<void>;
  #resolveBegun!: () => void;
  #isBegun = false;
  #graceEnds = -Infinity;
  #meters: ReadonlyMap<number, Meter> = new Map();
  #adopted = false;
  /** Somebody waits for the next audit: it is not spread over the period. */
  #isAuditUrgent = false;
  #refusedMeters: readonly string[] = [];

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#begun = new Promise((resolve) => (this.#resolveBegun = resolve));
    this.#work = new Wakeup(options.clock);
    this.#audit = new Wakeup(options.clock);
    this.#installer = new Installer({
      image: this.#image,
      clock: options.clock,
      random: options.random,
      onBundle: (mods, refused) => this.#onBundle(mods, refused),
      onRefused: (step, error) => this.#onRefused(step, error),
    });
  }

  /** The tables wanted are complete from now on: the switch may be changed. */
  begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#graceEnds = this.#options.clock.now() + GRACE_MS;
    this.#resolveBegun();
  }

  /** Changes what is wanted. */
  change(delta: FlowDelta): void {
    const change = this.#progress.nextChange();
    const { flows, groups } = this.#image;
    for (const [key, flow] of delta.flows_put) flows.want(key, flow, change);
    for (const key of delta.flows_deleted.keys()) flows.want(key, undefined, change);
    for (const [key, group] of delta.groups_put) groups.want(key, group, change);
    for (const key of delta.groups_deleted.keys()) groups.want(key, undefined, change);
    this.#work.raise();
  }

  /** Wants exactly these tables. */
  replace(tables: Tables): void {
    this.#meters = tables.meters;
    const change = this.#progress.nextChange();
    const { flows, groups } = this.#image;
    for (const key of [...flows.wanted.keys()]) if (!tables.flows.has(key)) flows.want(key, undefined, change);
    for (const [key, flow] of tables.flows) flows.want(key, flow, change);
    for (const key of [...groups.wanted.keys()]) if (!tables.groups.has(key)) groups.want(key, undefined, change);
    for (const [key, group] of tables.groups) groups.want(key, group, change);
    this.#work.raise();
  }

  /** With the changes so far, everything that slice message `seq` asks for is wanted. */
  mark(seq: number): void {
    this.#progress.mark(seq);
    this.#confirm();
  }

  /** With the changes so far, everything that a revision asks for is wanted; the first of it came at `since`, milliseconds of the clock. */
  aim(revision: number, since: number): void {
    this.#progress.aim(revision, since);
    this.#confirm();
  }

  /** What is wanted now came with a snapshot: should it be less than half of what the switch holds, and that soon after the start, deletions wait. */
  suspect(): void {
    const { flows } = this.#image;
    const { size } = flows.wanted;
    if (flows.count - size <= MASS_DELETION || size * 2 >= flows.count || this.#options.clock.now() >= this.#graceEnds) return;
    this.#installer.holdDeletions(this.#graceEnds);
    this.#options.log.warn(
      { wanted: size, held: flows.count, grace_ms: GRACE_MS },
      'the slice leaves out most of what is installed; deletions wait',
    );
  }

  /** Another attachment: the seq of slice messages starts anew. */
  restartSeq(): void {
    this.#progress.restart();
    this.#options.onProgress();
  }

  /** Something happened that may have cost the switch its flows. */
  auditSoon(): void {
    this.#isAuditUrgent = true;
    this.#audit.raise();
  }

  /** Resolves once the switch holds what `delta` wanted, or what was wanted in its place later; also when the signal is aborted. */
  async settled(delta: FlowDelta, signal: AbortSignal): Promise<void> {
    await unlessAborted(
      this.#waiters.wait(delta, (key) => this.#adopted && this.#isInPlace(key)),
      signal,
    );
  }

  /** Whether the switch is known to hold all that is wanted. */
  get isInForce(): boolean {
    return this.#adopted && this.#image.isSettled() && this.#installer.inFlight.length === 0;
  }

  status(): ReconcilerStatus {
    const { flows, canary } = this.#image;
    return {
      isAdopted: this.#adopted,
      applied_seq: this.#progress.applied,
      flow_count: flows.count + (canary === undefined ? 0 : 1),
      error: findTrouble(this.#image, this.#progress, this.#installer.stalled, this.#options.explain),
    };
  }

  /** The last revision all of which the switch was seen to hold, over whatever attachment it came; null before the first. */
  get installedRevision(): number | null {
    return this.#progress.revision;
  }

  /** Of the tables wanted now. */
  wantedDigest(): bigint {
    return this.#image.wantedDigest();
  }

  /** Flows of ours the switch holds, by table; the canary is not among them. */
  flowsByTable(): ReadonlyMap<number, number> {
    const counts = new Map<number, number>();
    for (const { table } of this.#image.flows.allHeld()) counts.set(table, (counts.get(table) ?? 0) + 1);
    return counts;
  }

  /** Serves one connection until it is over or the signal is aborted. The flows stay. */
  async attend(channel: Channel, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const ended = { isExpected: false };
    const end = (): void => {
      ended.isExpected = true;
      over.abort();
    };
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    void channel.closed.then(end);
    try {
      await unlessAborted(this.#begun, over.signal);
      if (over.signal.aborted) return;
      const isAudited = await this.#adopt(channel, over.signal);
      // Both to their end: what is left of one must not meddle with the next connection.
      const ends = await Promise.allSettled([this.#install(channel, over), this.#auditPeriodically(channel, isAudited, over)]);
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
    } catch (error) {
      // Why the connection is over, its `closed` says.
      if (!ended.isExpected) throw error;
    } finally {
      signal.removeEventListener('abort', end);
      over.abort();
      this.#adopted = false;
      this.#options.onProgress();
    }
  }

  /** Finds out what the switch holds. @returns true when everything was read, false when the canary was believed */
  async #adopt(channel: Channel, signal: AbortSignal): Promise<boolean> {
    const { log, clock } = this.#options;
    const image = this.#image;
    const started = clock.now();
    await this.#putMeters(channel, signal);
    const canary = await findCanary(channel, signal);
    const digest = canary?.pipelineVersion === PIPELINE_VERSION ? canary.digest : undefined;
    image.canary = digest;
    const isAsWanted = digest !== undefined && digest === image.wantedDigest();
    if (isAsWanted) image.flows.holdAll();
    if (isAsWanted) image.groups.holdAll();
    const isKnown = isAsWanted || (digest !== undefined && digest === image.digest);
    if (!isKnown) {
      // What the last connection left open may have reached the switch, and later messages may have wanted it gone.
      const open = this.#installer.inFlight.reduce((oldest, { since }) => Math.min(oldest, since), Infinity);
      const change = (): number => Math.min(open, this.#progress.change);
      await takeStock(channel, image, { inFlight: () => [], sent: () => 0, change, signal });
      if (digest !== undefined) this.suspect();
    }
    log.info(
      {
        canary: isAsWanted ? 'as wanted' : isKnown ? 'as left' : canary === undefined ? 'none' : 'other',
        flows: image.flows.count,
        differences: image.flows.differences.size + image.groups.differences.size,
        ms: Math.round(clock.now() - started),
      },
      'switch adopted',
    );
    this.#installer.adopt();
    this.#adopted = true;
    this.#confirm();
    return !isKnown;
  }

  async #install(channel: Channel, over: AbortController): Promise<void> {
    const { clock } = this.#options;
    try {
      while (!over.signal.aborted) {
        await this.#installer.flush(channel, over.signal);
        this.#confirm();
        await this.#work.wait(this.#installer.nextDue() - clock.now(), over.signal);
      }
    } finally {
      over.abort();
    }
  }

  async #auditPeriodically(channel: Channel, isAudited: boolean, over: AbortController): Promise<void> {
    const { auditPeriodMs, random, clock } = this.#options;
    let restMs = auditPeriodMs;
    try {
      if (!isAudited) this.auditSoon();
      while (!over.signal.aborted) {
        await this.#audit.wait(restMs * (0.9 + random() / 5), over.signal);
        if (isAborted(over.signal)) return;
        const started = clock.now();
        const readMs = await this.#auditOnce(channel, over.signal);
        // It has taken part of the period already.
        restMs = Math.max(auditPeriodMs, AUDIT_REST * readMs) - (clock.now() - started);
      }
    } finally {
      over.abort();
    }
  }

  /** @returns for how long the switch was read, milliseconds */
  async #auditOnce(channel: Channel, signal: AbortSignal): Promise<number> {
    const { counters } = this;
    const { clock, auditPeriodMs, auditPortion = AUDIT_PORTION } = this.#options;
    const started = clock.now();
    let paused = 0;
    const inFlight = (): readonly Step[] => this.#installer.inFlight;
    const portions = portionsOf(this.#image.flows.wanted, auditPortion);
    const isUrgent = this.#isAuditUrgent;
    this.#isAuditUrgent = false;
    const pace = async (): Promise<void> => {
      const from = clock.now();
      // What was found is put right while the rest is read.
      this.#work.raise();
      const isUrgentNow = isUrgent || this.#isAuditUrgent;
      await clock.sleep(isUrgentNow ? URGENT_GAP_MS : (auditPeriodMs * AUDIT_SPREAD) / portions!.length, signal);
      for (let waits = 0; waits < MAX_WAITS && inFlight().length > 0; waits++) await clock.sleep(WAIT_MS, signal);
      paused += clock.now() - from;
    };
    await this.#putMeters(channel, signal);
    const found = await takeStock(channel, this.#image, {
      ...(portions === undefined ? {} : { portions, pace }),
      inFlight,
      sent: () => (inFlight().length > 0 ? undefined : counters.bundles),
      change: () => this.#progress.change,
      signal,
    });
    counters.audits++;
    const { flows, groups } = found;
    for (const drift of [flows, groups]) {
      counters.drift.missing += drift.missing;
      counters.drift.extra += drift.extra;
      counters.drift.changed += drift.changed;
    }
    if (flows.examples.length + groups.examples.length > 0) {
      this.#options.log.warn({ flows, groups }, 'the switch differed from what was installed; putting it right');
    }
    this.#work.raise();
    return clock.now() - started - paused;
  }

  async #putMeters(channel: Channel, signal: AbortSignal): Promise<void> {
    const { put, refused } = await putMeters(channel, this.#meters, signal);
    if (put.length > 0) this.#options.log.info({ meters: put }, 'meters put right');
    const messages = refused.map(({ meter_id, message }) => `meter ${meter_id}: ${message}`);
    if (messages.join() !== this.#refusedMeters.join()) {
      this.#refusedMeters = messages;
      if (messages.length > 0) this.#options.log.error({ refused: messages }, 'the switch refuses meters');
      this.#options.onProgress();
    }
  }

  #onBundle(mods: readonly TableMod[], refused: BundleError | undefined): void {
    this.counters.bundles++;
    this.counters.modifications += mods.length;
    this.counters.operations.note(mods, refused);
    this.#confirm();
  }

  #onRefused(step: Step | undefined, error: SwitchError): void {
    this.counters.refusals++;
    this.#options.log.error(
      { error: error.name, ...describeStep(step, this.#image, this.#options.explain) },
      'the switch refused a modification',
    );
    this.auditSoon();
  }

  #confirm(): void {
    if (!this.#adopted) return;
    const { inFlight } = this.#installer;
    let oldest = this.#image.oldestDifference();
    for (const { since } of inFlight) oldest = Math.min(oldest, since);
    const now = this.#options.clock.now();
    for (const since of this.#progress.confirm(oldest)) this.#options.onSynced?.((now - since) / 1000);
    if (!this.#waiters.areNone) this.#waiters.release((key) => this.#isInPlace(key));
    this.#options.onProgress();
  }

  #isInPlace(key: FlowKey): boolean {
    return !this.#image.flows.differences.has(key) && !this.#installer.flowsInFlight.has(key);
  }
}
