/**
 * The two times a packet is judged: by the groups of who sends it, and of who receives it.
 *
 * Owns: which tables and registers each of them uses.
 */
import type { RegisterName } from '../registers.js';
import type { TableName } from '../tables.js';

export interface PolicySide {
  readonly direction: 'egress' | 'ingress';
  readonly ct: TableName;
  readonly state: TableName;
  readonly id: TableName;
  readonly policy: TableName;
  readonly metric: TableName;
  readonly commit: TableName;
  readonly deny: TableName;
  /** Where what is admitted goes on. */
  readonly next: TableName;
  readonly class: RegisterName;
  /** Of the address at the other end. */
  readonly identity: RegisterName;
  readonly zone: RegisterName;
  readonly decided: RegisterName;
  /** Where the rule's key stands in ct_label. */
  readonly label: number;
}

const EGRESS: PolicySide = {
  direction: 'egress',
  ct: 'EG_CT',
  state: 'EG_STATE',
  id: 'EG_ID',
  policy: 'EG_POLICY',
  metric: 'EG_METRIC',
  commit: 'EG_COMMIT',
  deny: 'EG_DENY',
  next: 'L2L3',
  class: 'source_class',
  identity: 'found_identity',
  zone: 'source_zone',
  decided: 'egress_rule',
  label: 32,
};

const INGRESS: PolicySide = {
  direction: 'ingress',
  ct: 'IN_CT',
  state: 'IN_STATE',
  id: 'IN_ID',
  policy: 'IN_POLICY',
  metric: 'IN_METRIC',
  commit: 'IN_COMMIT',
  deny: 'IN_DENY',
  next: 'IN_FILTER_CT',
  class: 'destination_class',
  identity: 'source_identity',
  zone: 'destination_zone',
  decided: 'ingress_rule',
  label: 0,
};

export const SIDES = { egress: EGRESS, ingress: INGRESS } as const;
export const BOTH_SIDES: readonly PolicySide[] = [EGRESS, INGRESS];
