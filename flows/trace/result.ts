/**
 * What became of a packet.
 *
 * Owns: the shape of a trace: the steps in the order they happened and what came of them.
 * Promises: plain data, apart from packets, which are immutable Microflows.
 */
import type { FlowKey } from '../compile/contract.js';
import type { NatAction } from '../openflow/action.js';
import type { FieldName } from '../openflow/fields.js';
import type { Flow } from '../openflow/flow.js';
import type { Source } from './operation.js';
import type { Microflow } from './microflow.js';

/** How a table was come to. */
export type Via = 'start' | 'goto_table' | 'resubmit' | 'output_table' | 'ct';

export interface FlowRef {
  readonly key: FlowKey;
  readonly flow: Flow;
}

/** The conjunction that made a flow match, with the flows that were its dimensions. */
export interface ConjunctionStep {
  readonly id: number;
  readonly dimensions: readonly FlowRef[];
  /** Other conjunctions satisfied at the same priority: the switch takes any. */
  readonly alternatives: readonly number[];
}

interface Place {
  /** 0 for the packet as it came in, counting up with each `ct(table=)`. */
  readonly pass: number;
  /** Nesting below the first table of the pass: resubmits, buckets, clones. `goto_table` does not nest. */
  readonly depth: number;
}

export interface TableStep extends Place {
  readonly kind: 'table';
  readonly table: number;
  readonly via: Via;
  /** Absent on a miss. */
  readonly hit?: FlowRef | undefined;
  readonly conjunction?: ConjunctionStep | undefined;
  /** Other flows of the same priority that match and do something else: the switch takes any. */
  readonly overlaps: readonly FlowRef[];
  /** The packet as it came to the table; only where it was asked for. */
  readonly packet?: Microflow | undefined;
}

export interface FieldChange {
  readonly field: FieldName;
  readonly before: number | bigint;
  readonly after: number | bigint;
}

export interface ActionStep extends Place {
  readonly kind: 'action';
  readonly action: Source;
  readonly change?: FieldChange | undefined;
  /** What is worth knowing beyond the action itself. */
  readonly note?: string | undefined;
}

export interface BucketStep extends Place {
  readonly kind: 'bucket';
  readonly group_id: number;
  /** From 0. */
  readonly bucket: number;
}

export interface ActionSetStep extends Place {
  readonly kind: 'action_set';
}

export type TraceStep = TableStep | ActionStep | BucketStep | ActionSetStep;

/** Where something came of the packet. */
interface Where {
  readonly pass: number;
  readonly table: number;
  /** Absent for a miss. */
  readonly by?: FlowRef | undefined;
  /** The packet as it was then. */
  readonly packet: Microflow;
}

export interface Output extends Where {
  readonly port: number;
  /** True if the port is the one the packet came in on. */
  readonly to_in_port: boolean;
}

export interface Punt extends Where {
  readonly reason: 'no_match' | 'action' | 'invalid_ttl' | 'action_set' | 'group' | 'packet_out' | number;
  readonly controller_id: number;
  readonly userdata?: Uint8Array | undefined;
  readonly meter_id?: number | undefined;
  readonly max_len: number;
  /** Made by dec_ttl, not by an action of its own: a switch does not send these unless the controller asks for them (OFPT_SET_ASYNC). */
  readonly implicit: boolean;
}

/**
 * `miss`: no flow of the table matched. `no_actions`: the flow has none. `no_output`: the flow's actions lead nowhere. `in_port`: the only way out
 * was the way in. `ttl`: dec_ttl of a TTL of 0 or 1. `no_port`: the port does not exist. `no_group`: the group does not exist.
 */
export type DropWhy = 'miss' | 'no_actions' | 'no_output' | 'in_port' | 'ttl' | 'no_port' | 'no_group';

export interface Drop extends Where {
  readonly why: DropWhy;
}

export interface Commit extends Where {
  readonly zone: number;
  readonly force: boolean;
  readonly mark: { readonly value: number; readonly mask: number };
  readonly label: { readonly value: bigint; readonly mask: bigint };
  readonly nat?: NatAction | undefined;
}

/** One lookup in conntrack whose answer the packet went on with. */
export interface Tracked {
  readonly pass: number;
  /** The pass that went on with the answer. */
  readonly resumed: number;
  readonly zone: number;
  readonly state: number;
}

/** A place where the switch may do one of several things and the interpreter was told, or assumed, which. */
export type Decision = { readonly taken: number } & (
  | { readonly kind: 'select_bucket'; readonly group_id: number; readonly options: readonly number[] }
  /** 1 if the packet is longer than `length` bytes, 0 if not. */
  | { readonly kind: 'packet_larger'; readonly length: number; readonly options: readonly number[] }
  | { readonly kind: 'conjunction'; readonly table: number; readonly options: readonly number[] }
  /** Flows of one priority that match both: 0 is the one whose key sorts first, then the step's `overlaps`. */
  | { readonly kind: 'overlap'; readonly table: number; readonly options: readonly number[] }
);

export type Choice = Decision extends infer D ? (D extends Decision ? Omit<D, 'taken'> : never) : never;

/** Why the interpreter cannot tell what the switch does. */
export interface Undecided {
  readonly pass: number;
  readonly table: number;
  readonly by?: FlowRef | undefined;
  readonly why: string;
}

/**
 * `delivered`: out of at least one other port. `answered`: back to where it came from and nowhere else. `punted`: to the controller, not
 * merely by dec_ttl, and nowhere else. `dropped`: nowhere. `undecidable`: part of its way is unknown.
 */
export type Verdict = 'delivered' | 'answered' | 'punted' | 'dropped' | 'undecidable';

export interface Trace {
  readonly verdict: Verdict;
  readonly steps: readonly TraceStep[];
  readonly outputs: readonly Output[];
  readonly punts: readonly Punt[];
  readonly drops: readonly Drop[];
  readonly commits: readonly Commit[];
  readonly tracked: readonly Tracked[];
  readonly meters: readonly { readonly meter_id: number; readonly by?: FlowRef | undefined }[];
  readonly decisions: readonly Decision[];
  readonly undecided: readonly Undecided[];
  /** Passes that hit a limit of the switch: nothing of them happens. */
  readonly errors: readonly { readonly pass: number; readonly why: string }[];
  /** The packet at the end of each pass. */
  readonly finals: readonly Microflow[];
  /** Lookups done, of the 4096 a packet may make in one pass; the most of any pass. */
  readonly resubmits: number;
}
