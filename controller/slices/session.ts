/**
 * One datapath as vnmgr knows it at run time.
 *
 * Owns: the numbering of its slice messages, what its vna has confirmed, and handing messages over.
 * Promises: `seq` grows by one with every message or missed change, over all attachments, so that a confirmed seq says the same for ever.
 */
import { callOut } from '../kernel/call-out.js';
import {
  SLICE_SCHEMA_VERSION,
  type AppliedReport,
  type FlowProvider,
  type Revision,
  type SliceMessage,
  type SliceRecord,
} from '../messages/slice.js';
import type { Observation } from '../transaction/step.js';
import type { SliceChange } from './slices.js';

const MAX_UNCONFIRMED = 10_000;

/** The vna that serves the datapath now. */
interface Listener {
  readonly onMessage: (message: SliceMessage) => void;
  readonly close: () => void;
}

export class Session {
  readonly datapath_uuid: string;
  /** Who answers questions about flows. */
  flowProvider: FlowProvider | undefined;
  /** What its vna has seen last. */
  observation: Observation | undefined;
  /** Under way while that waits to be committed. */
  takingDown: Promise<unknown> | undefined;
  private listener: Listener | undefined;
  private seq = 0;
  private applied: AppliedReport | undefined;
  /** Commits that changed the slice and are not confirmed, oldest first. */
  private unconfirmed: { readonly seq: number; readonly revision: number }[] = [];
  private readonly outbox: SliceMessage[] = [];
  private delivering = false;
  /** Whether its vna has had the snapshot that deltas follow. */
  private isTold = false;

  constructor(datapath_uuid: string) {
    this.datapath_uuid = datapath_uuid;
  }

  get attached(): boolean {
    return this.listener !== undefined;
  }

  attach(listener: Listener): void {
    this.listener = listener;
    this.isTold = false;
  }

  detach(): void {
    const { listener } = this;
    this.listener = undefined;
    this.flowProvider = undefined;
    this.observation = undefined;
    this.outbox.length = 0;
    if (this.applied) this.applied = { ...this.applied, connected: false };
    listener?.close();
  }

  sendSnapshot(revision: Revision, entities: readonly SliceRecord[]): void {
    const { datapath_uuid } = this;
    this.isTold = true;
    this.send({ kind: 'snapshot', schema_version: SLICE_SCHEMA_VERSION, datapath_uuid, seq: ++this.seq, revision, entities });
  }

  /** @returns the seq that brings the change. */
  sendDelta(revision: Revision, { puts, deletes }: SliceChange): number {
    const { datapath_uuid } = this;
    const seq = ++this.seq;
    this.unconfirmed.push({ seq, revision: revision.number });
    // The oldest is what counts; what is in between would only pile up while the datapath is away.
    if (this.unconfirmed.length > MAX_UNCONFIRMED) this.unconfirmed.splice(1, 1);
    this.send({ kind: 'delta', schema_version: SLICE_SCHEMA_VERSION, datapath_uuid, seq, revision, puts, deletes });
    return seq;
  }

  /** Takes what the vna reports. */
  report(report: AppliedReport): void {
    this.applied = report;
    const { applied_seq } = report;
    if (applied_seq !== null) this.unconfirmed = this.unconfirmed.filter(({ seq }) => seq > applied_seq);
  }

  hasApplied(seq: number): boolean {
    return (this.applied?.applied_seq ?? -1) >= seq;
  }

  /** Whether the slice as it was when vnmgr started has been confirmed. */
  get hasAppliedAny(): boolean {
    return (this.applied?.applied_seq ?? null) !== null;
  }

  /** The error that keeps `seq` from being applied. */
  errorAt(seq: number): AppliedReport['error'] {
    const error = this.applied?.error ?? null;
    return error !== null && error.seq >= seq && !this.hasApplied(seq) ? error : null;
  }

  get connected(): boolean {
    return this.attached && (this.applied?.connected ?? false);
  }

  get flowCount(): number {
    return this.applied?.flow_count ?? 0;
  }

  get flowMods(): number {
    return this.applied?.flow_mods ?? 0;
  }

  get lastError(): string | null {
    return this.applied?.error?.message ?? null;
  }

  /** The revision that the switch is known to be at, given the store's; null while nothing is known. */
  appliedRevision(current: number): number | null {
    if (!this.hasAppliedAny) return null;
    const [oldest] = this.unconfirmed;
    return oldest ? oldest.revision - 1 : current;
  }

  /** In order, and not while the vna is taking the message before. */
  private send(message: SliceMessage): void {
    if (this.listener === undefined || !this.isTold) return;
    this.outbox.push(message);
    if (this.delivering) return;
    this.delivering = true;
    for (let next = this.outbox.shift(); next; next = this.outbox.shift()) {
      const message = next;
      callOut(() => this.listener?.onMessage(message));
    }
    this.delivering = false;
  }
}
