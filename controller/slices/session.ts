/**
 * One datapath as the vnmgr that serves it knows it at run time.
 *
 * Owns: the numbering of its slice messages, what its vna sees and has confirmed, and handing messages over.
 * Promises: `seq` grows by one with every message or missed change, over all attachments, so that a confirmed seq says the same for ever. A vna
 * gets nothing before the snapshot it begins with.
 */
import type { Applied } from '../applied/board.js';
import { callOut } from '../kernel/call-out.js';
import type { LiveProvider } from '../messages/live.js';
import {
  SLICE_SCHEMA_VERSION,
  type AppliedReport,
  type DatapathHello,
  type FlowProvider,
  type Revision,
  type SliceAcceptor,
  type SliceMessage,
  type SliceRecord,
  type TraceChecker,
} from '../messages/slice.js';
import type { Observation } from '../transaction/step.js';
import type { SliceChange } from './slices.js';

const MAX_UNCONFIRMED = 10_000;

/** The vna that serves the datapath now. */
export interface Listener {
  readonly hello: DatapathHello;
  /** Milliseconds since 1970. */
  readonly attached_at: number;
  readonly onMessage: (message: SliceMessage) => void;
  readonly close: () => void;
}

export class Session {
  readonly datapath_uuid: string;
  /** Who answers questions about flows. */
  flowProvider: FlowProvider | undefined;
  /** Who takes an operator's word for a slice that is held back. */
  sliceAcceptor: SliceAcceptor | undefined;
  /** Who runs packets through the switch's own trace. */
  traceChecker: TraceChecker | undefined;
  /** Who carries out live traces. */
  liveProvider: LiveProvider | undefined;
  /** What its vna has seen last. */
  observation: Observation | undefined;
  /** Under way while that waits to be committed. */
  takingDown: Promise<unknown> | undefined;
  private current: Listener | undefined;
  private last: Listener | undefined;
  private seq = 0;
  private report: AppliedReport | undefined;
  /** Changes of the slice that are not confirmed, oldest first. */
  private unconfirmed: { readonly seq: number; readonly revision: number }[] = [];
  private readonly outbox: SliceMessage[] = [];
  private delivering = false;
  /** Whether its vna has had the snapshot that deltas follow. */
  private isTold = false;

  constructor(datapath_uuid: string) {
    this.datapath_uuid = datapath_uuid;
  }

  get listener(): Listener | undefined {
    return this.current;
  }

  attach(listener: Listener): void {
    this.current = this.last = listener;
    this.isTold = false;
  }

  detach(): void {
    const { current } = this;
    this.current = undefined;
    this.flowProvider = undefined;
    this.sliceAcceptor = undefined;
    this.traceChecker = undefined;
    this.liveProvider = undefined;
    this.observation = undefined;
    this.outbox.length = 0;
    if (this.report) this.report = { ...this.report, connected: false };
    current?.close();
  }

  sendSnapshot(revision: Revision, entities: readonly SliceRecord[]): void {
    const { datapath_uuid } = this;
    this.isTold = true;
    this.send({ kind: 'snapshot', schema_version: SLICE_SCHEMA_VERSION, datapath_uuid, seq: ++this.seq, revision, entities });
  }

  sendDelta(revision: Revision, { puts, deletes }: SliceChange): void {
    const { datapath_uuid } = this;
    const seq = ++this.seq;
    this.unconfirmed.push({ seq, revision: revision.number });
    // The oldest is what counts; what is in between would only pile up while the datapath is away.
    if (this.unconfirmed.length > MAX_UNCONFIRMED) this.unconfirmed.splice(1, 1);
    this.send({ kind: 'delta', schema_version: SLICE_SCHEMA_VERSION, datapath_uuid, seq, revision, puts, deletes });
  }

  /** The store was read again: what was said of revisions does not count any more. */
  forgetRevisions(): void {
    this.unconfirmed = [];
    if (this.report) this.report = { ...this.report, applied_seq: null, error: null };
  }

  /** Takes what the vna reports. */
  take(report: AppliedReport): void {
    this.report = report;
    const { applied_seq } = report;
    if (applied_seq !== null) this.unconfirmed = this.unconfirmed.filter(({ seq }) => seq > applied_seq);
  }

  /** What is installed, for others to see; undefined while no vna was here. */
  applied(served_by: string, { incarnation, number }: Revision): Applied | undefined {
    const { last, report, datapath_uuid } = this;
    if (last === undefined) return undefined;
    const [oldest] = this.unconfirmed;
    const error = report?.error ?? null;
    return {
      datapath_uuid,
      served_by,
      attached_at: last.attached_at,
      incarnation,
      revision: (report?.applied_seq ?? null) === null ? null : oldest ? oldest.revision - 1 : number,
      attached: this.current !== undefined,
      connected: this.current !== undefined && (report?.connected ?? false),
      flow_count: report?.flow_count ?? 0,
      flow_mods: report?.flow_mods ?? 0,
      drift_repairs: report?.drift_repairs ?? 0,
      conditions: this.current === undefined ? [] : (report?.conditions ?? []),
      error: error && { revision: this.revisionOf(error.seq, number), message: error.message, uuids: error.uuids },
    };
  }

  private revisionOf(seq: number, current: number): number {
    return this.unconfirmed.findLast((one) => one.seq <= seq)?.revision ?? current;
  }

  /** In order, and not while the vna is taking the message before. */
  private send(message: SliceMessage): void {
    if (this.current === undefined || !this.isTold) return;
    this.outbox.push(message);
    if (this.delivering) return;
    this.delivering = true;
    for (let next = this.outbox.shift(); next; next = this.outbox.shift()) {
      const message = next;
      callOut(() => this.current?.onMessage(message));
    }
    this.delivering = false;
  }
}
