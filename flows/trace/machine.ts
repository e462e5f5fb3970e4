/**
 * What single actions need of the run they are part of.
 *
 * Owns: the seam between run.ts, which keeps the order of things, and perform.ts and ct.ts, which say what an action does.
 */
import type { Classifier } from './classifier.js';
import type { Conntrack } from './conntrack.js';
import type { CompiledGroup } from './group.js';
import type { Microflow } from './microflow.js';
import type { Operation } from './operation.js';
import type { Recorder } from './recorder.js';
import type { Choice, DropWhy, FieldChange, FlowRef, Punt, Via } from './result.js';
import type { WorkingPacket } from './working-packet.js';

/** What stays the same for the whole of a trace. */
export interface RunContext {
  readonly tables: ReadonlyMap<number, Classifier>;
  readonly groups: ReadonlyMap<number, CompiledGroup>;
  readonly conntrack: Conntrack;
  readonly quoted: Microflow | undefined;
  readonly length: number | undefined;
  readonly ports: ReadonlySet<number> | undefined;
  readonly choose: (choice: Choice) => number | undefined;
  readonly details: boolean;
  readonly snapshots: boolean;
}

/** A packet waiting to go on after conntrack. */
export interface Pending {
  readonly packet: WorkingPacket;
  readonly table: number;
  readonly via: Via;
}

export type PuntRequest = Pick<Punt, 'reason' | 'controller_id' | 'userdata' | 'meter_id'> &
  Partial<{ readonly max_len: number | undefined; readonly implicit: boolean }>;

export interface Machine {
  readonly context: RunContext;
  readonly record: Recorder;
  /** The packet as it is now. */
  readonly packet: WorkingPacket;
  readonly pass: number;
  readonly table: number;
  readonly inActionSet: boolean;
  /** The flow whose actions run. */
  by(): FlowRef | undefined;
  /** Looks up another table and runs what is found there. */
  enter(table: number, via: Via, inPort: number | undefined, withCt: boolean): void;
  execute(operations: readonly Operation[]): void;
  /** Runs a list, then the action set, on a copy of the packet. */
  clone(operations: readonly Operation[]): void;
  /** False if the group does not exist. */
  group(group_id: number): boolean;
  exit(): void;
  /** Whether `exit` was met in this pass, even if only a bucket ended by it. */
  readonly hasExited: boolean;
  /** Puts a packet in the queue of passes; returns the number of its pass. */
  queue(pending: Pending): number;
  /** Sends the packet out, if the port exists. */
  emit(port: number): void;
  punt(punt: PuntRequest): void;
  /** Records an action, with what is worth knowing of it. */
  step(action: Operation['source'], note?: string, change?: FieldChange): void;
  /** Why the packet is dropped if nothing else comes of it. */
  note(why: DropWhy): void;
  undecided(why: string): void;
  /** Nothing of this pass happens. */
  fail(why: string): void;
}
