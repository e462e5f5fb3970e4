/**
 * The controller as a webapi of its own has it: a replica to read from, and some vnmgr for the rest.
 *
 * Promises: who has written reads what was written: a write is answered once the replica has it.
 */
import type { UserKind } from '../flows/model/entities.js';
import { HotoriError } from '../flows/model/errors.js';
import type { TraceAnswer } from '../flows/trace/explain/answer.js';
import type { ReachAnswer } from '../flows/trace/reach/answer.js';
import type { ReachQuestion } from '../flows/trace/reach/question.js';
import type {
  Controller,
  ExecuteOptions,
  ExecuteResult,
  InstalledResult,
  ListPage,
  ListRequest,
  Operation,
  Status,
  TraceRequest,
  View,
  VnmgrCalls,
  WatchEvent,
} from './contract.js';
import type { LiveAnswer } from './live/answer.js';
import type { LiveQuestion } from './live/question.js';
import type { LiveCommand, LiveReport } from './messages/live.js';
import type { FlowEntry, Revision, TraceCheck, TraceProbe } from './messages/slice.js';
import type { Replica } from './replica.js';
import type { Plan } from './messages/plan.js';
import type { TraceService } from './trace/service.js';

/** Milliseconds that a write which is committed waits for the replica to have it. */
const FOLLOW_MS = 10_000;

export interface ReplicaControllerParts {
  readonly version: string;
  readonly replica: Replica;
  readonly calls: VnmgrCalls;
  readonly traces: Pick<TraceService, 'trace' | 'live' | 'reachability' | 'plan'>;
}

export class ReplicaController implements Controller {
  readonly version: string;
  private readonly replica: Replica;
  private readonly calls: VnmgrCalls;
  private readonly traces: Pick<TraceService, 'trace' | 'live' | 'reachability' | 'plan'>;

  constructor({ version, replica, calls, traces }: ReplicaControllerParts) {
    this.version = version;
    this.replica = replica;
    this.calls = calls;
    this.traces = traces;
  }

  async execute(operations: readonly Operation[], options?: ExecuteOptions): Promise<ExecuteResult> {
    const result = await this.calls.execute(operations, options);
    await this.follow(result.revision);
    return result;
  }

  get(kind: UserKind, uuid: string): { readonly view: View; readonly etag: string; readonly revision: Revision } | undefined {
    return this.replica.get(kind, uuid);
  }

  list(kind: UserKind, request: ListRequest): ListPage {
    return this.replica.list(kind, request);
  }

  revision(): Revision {
    return this.replica.revision();
  }

  watch(from: number, sink: (event: WatchEvent) => void, signal: AbortSignal, onEnd?: (error: HotoriError) => void): void {
    this.replica.watch(from, sink, signal, onEnd);
  }

  trace(request: TraceRequest): Promise<TraceAnswer> {
    return this.traces.trace(request);
  }

  traceLive(question: LiveQuestion, signal: AbortSignal): Promise<LiveAnswer> {
    return this.traces.live(question, signal);
  }

  reachability(question: ReachQuestion, signal: AbortSignal): Promise<ReachAnswer> {
    return this.traces.reachability(question, signal);
  }

  plan(operations: readonly Operation[]): Promise<Plan> {
    return this.traces.plan(operations);
  }

  status(): Promise<Status> {
    return this.calls.status();
  }

  waitInstalled(revision: number, timeoutMs: number, signal: AbortSignal): Promise<InstalledResult> {
    return this.calls.waitInstalled(revision, timeoutMs, signal);
  }

  audience(uuid: string): Promise<readonly string[]> {
    return this.calls.audience(uuid);
  }

  flows(datapath_uuid: string, owner?: string): Promise<readonly FlowEntry[]> {
    return this.calls.flows(datapath_uuid, owner);
  }

  acceptSlice(datapath_uuid: string): Promise<boolean> {
    return this.calls.acceptSlice(datapath_uuid);
  }

  checkTraces(datapath_uuid: string, probes: readonly TraceProbe[]): Promise<readonly TraceCheck[]> {
    return this.calls.checkTraces(datapath_uuid, probes);
  }

  live(datapath_uuid: string, command: LiveCommand): Promise<LiveReport> {
    return this.calls.live(datapath_uuid, command);
  }

  private async follow(revision: Revision): Promise<void> {
    const { incarnation, number } = this.replica.revision();
    if (incarnation === revision.incarnation && number >= revision.number) return;
    try {
      await this.replica.waitFor(revision, AbortSignal.timeout(FOLLOW_MS));
    } catch {
      throw new HotoriError('unavailable', `revision ${revision.number} is committed, but the store cannot be followed from here`, {
        details: { committed: true, revision: revision.number },
      });
    }
  }
}
