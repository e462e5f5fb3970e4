/**
 * What vnmgr is told of this bridge.
 *
 * Owns: the attachment there is now; what was told over it.
 * Promises: nothing is told twice over one attachment.
 */
import type { AppliedReport, ChassisFacts, DatapathHello, SliceAttachment, VifObservation } from '../../controller/messages/slice.js';

export interface ReportingParts {
  readonly node_id: string;
  /** `0x` and 16 hex digits. */
  readonly dpid: string;
  readonly bridge: string;
  readonly vifs: () => VifObservation[];
  readonly chassis: () => ChassisFacts;
  readonly applied: () => Omit<AppliedReport, 'datapath_uuid'>;
}

export class Reporting {
  readonly #parts: ReportingParts;
  #attachment: SliceAttachment | undefined;
  #applied = '';
  #vifs = '';
  #chassis = '';

  constructor(parts: ReportingParts) {
    this.#parts = parts;
  }

  get isAttached(): boolean {
    return this.#attachment !== undefined;
  }

  /** The first word of an attachment. */
  hello(): DatapathHello {
    const { node_id, dpid, bridge } = this.#parts;
    const vifs = this.#parts.vifs();
    this.#vifs = JSON.stringify(vifs);
    const chassis = this.#parts.chassis();
    this.#chassis = JSON.stringify(chassis);
    this.#applied = '';
    return { node_id, dpid, bridge, vifs, chassis };
  }

  /** What differs from the hello is told at the next look at it. */
  attached(attachment: SliceAttachment): void {
    this.#attachment = attachment;
  }

  detached(): void {
    this.#attachment = undefined;
  }

  /** NICs may differ. */
  vifs(): void {
    if (this.#attachment === undefined) return;
    const vifs = this.#parts.vifs();
    const text = JSON.stringify(vifs);
    if (text === this.#vifs) return;
    this.#vifs = text;
    this.#attachment.reportVifs(vifs);
  }

  /** Where tunnels end may differ. */
  chassis(): void {
    if (this.#attachment === undefined) return;
    const facts = this.#parts.chassis();
    const text = JSON.stringify(facts);
    if (text === this.#chassis) return;
    this.#chassis = text;
    this.#attachment.reportChassis(facts);
  }

  /** What is installed, or how the switch is, may differ. */
  applied(): void {
    if (this.#attachment === undefined) return;
    const report: AppliedReport = { datapath_uuid: this.#attachment.datapath_uuid, ...this.#parts.applied() };
    const text = JSON.stringify(report);
    if (text === this.#applied) return;
    this.#applied = text;
    this.#attachment.reportApplied(report);
  }
}
