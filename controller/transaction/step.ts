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
  readonly chassis: ChassisFacts;
}

/** What users ask for, or what a vna sees. */
export type Step = Operation | Observation;
