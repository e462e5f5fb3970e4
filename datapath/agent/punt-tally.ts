/**
 * Packet-ins counted by why the switch sent them and what they are for.
 */
import type { PuntKind } from '../../flows/pipeline/punt.js';

/** OpenFlow 1.3 §7.4.1, and those of OpenFlow 1.4 that Open vSwitch sends in its own message. */
const REASONS = ['no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out'] as const;
export type PuntReason = (typeof REASONS)[number] | 'other';

export interface PuntCount {
  readonly reason: PuntReason;
  /** `none`: nothing of ours asked for it. */
  readonly service: PuntKind | 'none';
  readonly count: number;
}

export class PuntTally {
  readonly #counts = new Map<PuntReason, Map<PuntCount['service'], number>>();

  /** @param reason as in the message */
  note(reason: number, kind: PuntKind | undefined): void {
    const name = REASONS[reason] ?? 'other';
    const service = kind ?? 'none';
    let services = this.#counts.get(name);
    if (services === undefined) this.#counts.set(name, (services = new Map<PuntCount['service'], number>()));
    services.set(service, (services.get(service) ?? 0) + 1);
  }

  counts(): readonly PuntCount[] {
    return [...this.#counts].flatMap(([reason, services]) => [...services].map(([service, count]) => ({ reason, service, count })));
  }
}
