/**
 * What a transaction is made of.
 */
import type { Operation } from '../contract.js';
import type { ChassisFacts, VifObservation } from '../messages/slice.js';

/** What a vna sees, as an operation of vnmgr's own. */
export interface Observation {
  readonly verb: 'observe';
  readonly datapath_uuid: string;
  /** The switch that was looked at: what is seen on one that has been replaced does not count. */
  readonly dpid: string;
  readonly node_id: string;
  readonly vifs: readonly VifObservation[];
  readonly chassis: Required<ChassisFacts>;
}

/** A datapath has become the gateway of a router's port. */
export interface Takeover {
  readonly verb: 'take_over';
  readonly interface_uuid: string;
  readonly datapath_uuid: string;
}

/** What users ask for, or what vnas see and do. */
export type Step = Operation | Observation | Takeover;
