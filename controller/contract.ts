/**
 * vnmgr as webapi sees it.
 *
 * Owns: operations (what a user can ask for), their results, status and watch events.
 * Assumes: parameters are JSON values already; text forms (query strings) were converted by the caller.
 * Promises: `execute` is all or nothing and gets one revision; a refusal is a HotoriError with every reason and changes nothing.
 */
import type { UserKind } from '../flows/model/entities.js';
import type { HotoriError } from '../flows/model/errors.js';
import type { TraceAnswer } from '../flows/trace/explain/answer.js';
import type { TraceQuestion } from '../flows/trace/explain/question.js';
import type { ReachAnswer } from '../flows/trace/reach/answer.js';
import type { ReachQuestion } from '../flows/trace/reach/question.js';
import type { LiveAnswer } from './live/answer.js';
import type { LiveQuestion } from './live/question.js';
import type { LiveCommand, LiveReport } from './messages/live.js';
import type { Plan } from './messages/plan.js';
import type { Condition, FlowEntry, Revision, TraceCheck, TraceProbe } from './messages/slice.js';

export type Params = Readonly<Record<string, unknown>>;

export type Operation =
  | { readonly verb: 'create'; readonly kind: UserKind; readonly params: Params }
  /** Partial: parameters absent stay as they are. `if_match` is the etag the caller saw. */
  | {
      readonly verb: 'update';
      readonly kind: UserKind;
      readonly uuid: string;
      readonly params: Params;
      readonly if_match?: string | undefined;
    }
  | {
      readonly verb: 'delete';
      readonly kind: UserKind;
      readonly uuid: string;
      readonly cascade?: boolean | undefined;
      readonly if_match?: string | undefined;
    }
  /** Deletes every entity of the kind that refers to `of` and has these values; for interface_ports, also the interface's own place. */
  | { readonly verb: 'unlink'; readonly kind: UserKind; readonly of: string; readonly where: Params };

/** An entity as REST shows it: the stored record without `kind` and allocated keys, with what OpenVNet adds; its shape is view-schemas.ts. */
export type View = Readonly<Record<string, unknown>> & { readonly uuid: string };

export interface ExecuteResult {
  readonly revision: Revision;
  /** False when nothing differed: the revision is then the current one. */
  readonly changed: boolean;
  /** One per operation: the view of what was created or updated, or the uuids deleted (the named one first; an interface that lost its own place, too). */
  readonly results: readonly (View | readonly string[])[];
}

export interface ListRequest {
  readonly offset: number;
  readonly limit: number;
  readonly of?: string | undefined;
}

export interface ListPage {
  readonly total_count: number;
  readonly offset: number;
  readonly limit: number;
  readonly items: readonly View[];
  readonly revision: Revision;
}

export interface DatapathStatus {
  readonly uuid: string;
  readonly connected: boolean;
  readonly desired_revision: number;
  /** All that concerns the datapath up to here is installed; null when that is not known. */
  readonly applied_revision: number | null;
  /** Name of the vnmgr that its vna is attached to; null while it is attached to none. */
  readonly served_by: string | null;
  readonly flow_count: number;
  /** Flow and group modifications its agent has sent since it started. */
  readonly flow_mods: number;
  /** Flows and groups found missing, foreign or altered in the switch and put right, since its agent started. */
  readonly drift_repairs: number;
  readonly last_error: string | null;
  /** What is not as it should be and keeps nothing from being applied. */
  readonly conditions: readonly Condition[];
  /** NICs there that claim an interface which is plugged elsewhere, in words. */
  readonly conflicts: readonly string[];
}

export interface Status {
  readonly version: string;
  readonly revision: Revision;
  readonly datapaths: readonly DatapathStatus[];
}

export interface InstalledResult {
  readonly installed: true;
  /** uuids of the datapaths that had something to confirm. */
  readonly datapaths: readonly string[];
}

export interface WatchEvent {
  readonly revision: Revision;
  readonly changes: readonly { readonly op: 'put' | 'delete'; readonly kind: UserKind; readonly uuid: string; readonly value?: View }[];
}

export interface ExecuteOptions {
  /** Chosen by whoever asks, unpredictable. A request that was committed under this id is answered again and not carried out again. */
  readonly request_id?: string | undefined;
}

export interface TraceRequest {
  readonly question: TraceQuestion;
  /** The current one when absent. */
  readonly revision?: number | undefined;
  /** Tried on top of it, and not committed. */
  readonly operations?: readonly Operation[] | undefined;
  /** Compare with what the switches on the way say of the same packet. */
  readonly verify?: boolean | undefined;
}

/** What only a vnmgr can do; webapi reaches it over the bus, or in its own process. */
export interface VnmgrCalls {
  /**
   * Throws HotoriError (pointers start at `/operations/<index>` when there is more than one operation, else at the parameter). `unavailable` with
   * `details.unknown` true leaves open whether the change was made: asking again with the same id tells.
   */
  execute(operations: readonly Operation[], options?: ExecuteOptions): Promise<ExecuteResult>;
  status(): Promise<Status>;
  /**
   * Resolves when every datapath whose slice changed at `revision` has confirmed it. Throws HotoriError `wait_timeout` naming the laggards,
   * `datapath_error` with the switch's error, `compacted` when the revision is too old to tell.
   */
  waitInstalled(revision: number, timeoutMs: number, signal: AbortSignal): Promise<InstalledResult>;
  /** uuids of the datapaths that know of an entity, sorted: nobody else has flows of it. None for one that there is not. */
  audience(uuid: string): Promise<readonly string[]>;
  /** The flows a datapath's vna wants on its bridge. Throws HotoriError `unknown_uuid`, or `unavailable` when that vna is not attached. */
  flows(datapath_uuid: string, owner?: string): Promise<readonly FlowEntry[]>;
  /**
   * Tells a datapath's vna that the slice it holds back is right. Answers false when it holds none. Throws as `flows`; when the vna was lost
   * meanwhile, it may have heard it.
   */
  acceptSlice(datapath_uuid: string): Promise<boolean>;
  /** Runs packets through the own trace of a datapath's switch. Throws as `flows`. */
  checkTraces(datapath_uuid: string, probes: readonly TraceProbe[]): Promise<readonly TraceCheck[]>;
  /** Has a datapath's vna take part in a live trace. Throws as `flows`, and `conflict` where that is not possible now. */
  live(datapath_uuid: string, command: LiveCommand): Promise<LiveReport>;
}

export interface Controller extends VnmgrCalls {
  /** Of the program. */
  readonly version: string;
  /** undefined when there is none. `etag` is strong. */
  get(kind: UserKind, uuid: string): { readonly view: View; readonly etag: string; readonly revision: Revision } | undefined;
  /** In uuid order; with `of`, only those that refer to it. */
  list(kind: UserKind, page: ListRequest): ListPage;
  revision(): Revision;
  /**
   * Runs a packet through the flows that are, or would be, installed. Nothing is changed. Throws HotoriError `invalid_argument` or `invalid_reference` with
   * pointers into the question, `compacted` for a revision that is gone, and as `execute`, with `details.refused` 'operations', for operations that would be refused.
   */
  trace(request: TraceRequest): Promise<TraceAnswer>;
  /**
   * Follows real packets of an interface until enough have been seen, the time is over or the signal aborts; nothing is left on any switch then. Throws
   * HotoriError `invalid_argument` and `invalid_reference` with pointers into the question, `conflict` while the interface is traced already, `unavailable`.
   */
  traceLive(question: LiveQuestion, signal: AbortSignal): Promise<LiveAnswer>;
  /**
   * Which of the sources reach which of the destinations, by classes of interfaces that flows cannot tell apart. Throws HotoriError `invalid_reference` and
   * `invalid_argument` with pointers into the question, `too_many_classes`, and `unavailable` when the signal aborts.
   */
  reachability(question: ReachQuestion, signal: AbortSignal): Promise<ReachAnswer>;
  /** What executing the operations would do; throws as `execute` would. Nothing is changed. */
  plan(operations: readonly Operation[]): Promise<Plan>;
  /**
   * Calls `sink` for each commit after `from` (a revision number) that changes something users know of, in order, until the signal. Throws
   * `compacted` at once if `from` is too old.
   * @param onEnd told `compacted` when changes got lost later, as after the store was restored: no more events come then
   */
  watch(from: number, sink: (event: WatchEvent) => void, signal: AbortSignal, onEnd?: (error: HotoriError) => void): void;
}
