/**
 * What a controller answers from its own replica of the model, whoever writes to it.
 *
 * Owns: nothing: it hands on to the replica and to the traces made on it.
 */
import type { UserKind } from '../flows/model/entities.js';
import type { HotoriError } from '../flows/model/errors.js';
import type { TraceAnswer } from '../flows/trace/explain/answer.js';
import type { ReachAnswer } from '../flows/trace/reach/answer.js';
import type { ReachQuestion } from '../flows/trace/reach/question.js';
import type { ListPage, ListRequest, Operation, TraceRequest, View, WatchEvent } from './contract.js';
import type { LiveAnswer } from './live/answer.js';
import type { LiveQuestion } from './live/question.js';
import type { Plan } from './messages/plan.js';
import type { Revision } from './messages/slice.js';
import type { Replica } from './replica.js';
import type { TraceService } from './trace/service.js';

export type Traces = Pick<TraceService, 'trace' | 'live' | 'reachability' | 'plan'>;

export abstract class ReplicaReads {
  protected abstract readonly replica: Replica;
  protected abstract readonly traces: Traces;

  get(kind: UserKind, uuid: string): { readonly view: View; readonly etag: string; readonly revision: Revision } | undefined {
    return this.replica.get(kind, uuid);
  }

  list(kind: UserKind, request: ListRequest): ListPage {
    return this.replica.list(kind, request);
  }

  revision(): Revision {
    return this.replica.revision();
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

  watch(from: number, sink: (event: WatchEvent) => void, signal: AbortSignal, onEnd?: (error: HotoriError) => void): void {
    this.replica.watch(from, sink, signal, onEnd);
  }
}
