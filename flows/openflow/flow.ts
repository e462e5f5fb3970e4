/**
 * What a switch holds: flows, groups and meters, as values.
 *
 * Owns: the three table entries the compiler produces, the codec encodes, the reconciler diffs and the interpreter runs. One vocabulary for all four.
 * Promises: plain immutable data. A flow's identity is (table, priority, match); the cookie is not part of it (OF1.3.5 §6.4).
 */
import type { Action, Instruction } from './action.js';
import type { Match } from './match.js';

export interface Flow {
  readonly table: number;
  readonly priority: number;
  readonly match: Match;
  readonly instructions: readonly Instruction[];
  readonly cookie: bigint;
  /** Seconds; absent or 0 is never. */
  readonly idle_timeout?: number | undefined;
  readonly hard_timeout?: number | undefined;
  /** OFPFF_* bits (OF1.3.5 §7.3.4.1). */
  readonly flags?: number | undefined;
}

export interface Bucket {
  readonly actions: readonly Action[];
  /** Only for `select` groups. */
  readonly weight?: number | undefined;
  readonly watch_port?: number | undefined;
  readonly watch_group?: number | undefined;
}

export interface Group {
  readonly group_id: number;
  readonly type: 'all' | 'select' | 'indirect' | 'fast_failover';
  readonly buckets: readonly Bucket[];
}

export type MeterBand =
  | { readonly kind: 'drop'; readonly rate: number; readonly burst_size: number }
  | { readonly kind: 'dscp_remark'; readonly rate: number; readonly burst_size: number; readonly prec_level: number }
  | {
      readonly kind: 'experimenter';
      readonly rate: number;
      readonly burst_size: number;
      readonly experimenter: number;
      readonly data: Uint8Array;
    }
  | { readonly kind: 'unknown'; readonly type: number; readonly rate: number; readonly burst_size: number; readonly data: Uint8Array };

export interface Meter {
  readonly meter_id: number;
  /** OFPMF_*: KBPS 1, PKTPS 2, BURST 4, STATS 8 (OF1.3.5 §7.3.4.4). */
  readonly flags: number;
  readonly bands: readonly MeterBand[];
}
