/**
 * What goes into the compiler and what comes out.
 *
 * Owns: the input of one datapath (slice entities and local ports), the flow tables as a set keyed by identity, and a delta between two of them.
 * Promises: the output is a pure function of the input; no history, no clock, no order.
 */
import type { Flow, Group, Meter } from '../openflow/flow.js';
import type { Gateway } from '../pipeline/facts.js';
import type { InputRecord, Lookup } from '../pipeline/rule.js';

export type {
  GatewayHold,
  Here,
  LiveTrace,
  LocalPort,
  LocalRecord,
  Neighbor,
  PhysicalPort,
  TunnelPort,
  UnderlayPort,
} from '../pipeline/rule.js';
export type { Gateway } from '../pipeline/facts.js';
export type CompileRecord = InputRecord;

/** Flow identity (table, priority, match) as canonical text, from openflow/canonical.ts. */
export type FlowKey = string;

export interface FlowDelta {
  /** New or changed; a change is an add of the same key. */
  readonly flows_put: ReadonlyMap<FlowKey, Flow>;
  readonly flows_deleted: ReadonlyMap<FlowKey, Flow>;
  readonly groups_put: ReadonlyMap<number, Group>;
  readonly groups_deleted: ReadonlyMap<number, Group>;
}

export interface Tables {
  readonly flows: ReadonlyMap<FlowKey, Flow>;
  readonly groups: ReadonlyMap<number, Group>;
  /** Constant for a pipeline version; meters cannot travel in bundles. */
  readonly meters: ReadonlyMap<number, Meter>;
}

/** Which entities made a flow, and by which rule of the compiler. */
export interface Provenance {
  readonly rule: string;
  readonly uuids: readonly string[];
}

export interface Compiler {
  /** Applies changes to the input and returns what changes in the tables. Deletes are uuids. Cost follows the change. */
  update(puts: readonly CompileRecord[], deletes: readonly string[]): FlowDelta;
  readonly tables: Tables;
  /** Every input record held now. */
  records(): Iterable<CompileRecord>;
  /** Router ports by which the outside is reached here, or may be when another hypervisor fails. */
  gateways(): readonly Gateway[];
  /** What rules look up, facts included, for those who explain what came of it. */
  readonly look: Lookup;
  /** Who made the flow with this cookie; undefined for a cookie that no current flow has. */
  provenance(cookie: bigint): Provenance | undefined;
}
