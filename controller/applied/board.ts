/**
 * What datapaths have installed, as every vnmgr knows it.
 *
 * Owns: one row per datapath and vnmgr that serves or served it, and which of a datapath's rows counts.
 * Assumes: a row is written by the vnmgr it names alone. Implementations carry rows between processes, and drop those of a vnmgr that is gone.
 */
import type { Condition } from '../messages/slice.js';

export interface Applied {
  readonly datapath_uuid: string;
  /** Name of the vnmgr that says so. */
  readonly served_by: string;
  /** When the vna attached there, milliseconds since 1970: of several rows the latest counts. */
  readonly attached_at: number;
  /** Of the store: revisions of another one cannot be compared. */
  readonly incarnation: string;
  /** All that concerns the datapath up to this revision is in the switch; null while nothing is known. */
  readonly revision: number | null;
  /** Whether the vna is attached, and it is connected to its switch. */
  readonly attached: boolean;
  readonly connected: boolean;
  readonly flow_count: number;
  readonly flow_mods: number;
  readonly drift_repairs: number;
  /** What keeps the datapath from applying more; `revision` is the last that it keeps back. */
  readonly error: { readonly revision: number; readonly message: string; readonly uuids: readonly string[] } | null;
  /** What is not as it should be but keeps nothing back; absent is nothing. */
  readonly conditions?: readonly Condition[] | undefined;
}

export interface AppliedBoard {
  /** The row that counts. */
  get(datapath_uuid: string): Applied | undefined;
  /** Writes the row of this vnmgr. Never throws; what cannot be sent now is sent later. */
  publish(applied: Applied): void;
  /** The datapath was deleted: drops the row of this vnmgr. */
  forget(datapath_uuid: string, served_by: string): void;
  /** Calls `sink` after the rows of a datapath have changed, whoever wrote them. */
  watch(sink: (datapath_uuid: string) => void, signal: AbortSignal): void;
  /** Asks every vnmgr to write its rows again: rows are not rewritten for revisions that do not concern their datapath. */
  refresh(): void;
  /** Calls `sink` when somebody asks for that. */
  onRefresh(sink: () => void, signal: AbortSignal): void;
}

/** The rows known here. */
export class AppliedRows {
  private readonly rows = new Map<string, Map<string, Applied>>();

  /** @returns the row that counts. */
  get(datapath_uuid: string): Applied | undefined {
    let best: Applied | undefined;
    for (const row of this.rows.get(datapath_uuid)?.values() ?? []) if (best === undefined || counts(row, best)) best = row;
    return best;
  }

  set(row: Applied): void {
    const rows = this.rows.get(row.datapath_uuid);
    if (rows) rows.set(row.served_by, row);
    else this.rows.set(row.datapath_uuid, new Map([[row.served_by, row]]));
  }

  delete(datapath_uuid: string, served_by: string): void {
    const rows = this.rows.get(datapath_uuid);
    rows?.delete(served_by);
    if (rows?.size === 0) this.rows.delete(datapath_uuid);
  }
}

/** Whether `a` counts rather than `b`: where the vna is, else where it was last. */
function counts(a: Applied, b: Applied): boolean {
  if (a.attached !== b.attached) return a.attached;
  return a.attached_at > b.attached_at;
}
