/**
 * Traces, for whoever has a replica of the model.
 *
 * Owns: the twin that traces run on, made when the first is asked for and dropped when none was for IDLE_MS; going back to earlier revisions; trying changes
 * that are not committed.
 * Promises: nothing is compiled while nobody asks. A trace sees one state of the model, and leaves nothing behind, neither in the model nor in the twin.
 */
import { Draft } from '../../flows/model/draft.js';
import type { PendingDatapath, TraceAnswer } from '../../flows/trace/explain/answer.js';
import { explain } from '../../flows/trace/explain/explain.js';
import { compiling } from '../../flows/trace/explain/realm.js';
import type { ReachAnswer } from '../../flows/trace/reach/answer.js';
import { reachMatrix } from '../../flows/trace/reach/matrix.js';
import type { ReachQuestion } from '../../flows/trace/reach/question.js';
import { HotoriError } from '../../flows/model/errors.js';
import { entityOf } from '../../flows/model/view.js';
import { addressesOf } from '../../flows/trace/explain/names.js';
import type { Operation, TraceRequest, VnmgrCalls } from '../contract.js';
import type { LiveAnswer } from '../live/answer.js';
import { LiveRun, type Surroundings } from '../live/live-run.js';
import type { LiveQuestion } from '../live/question.js';
import type { Clock, Random } from '../kernel/ambient.js';
import { Breath } from '../kernel/breath.js';
import type { Replica, ReplicaFollower } from '../replica.js';
import type { StoredChange } from '../store/contract.js';
import { transact, type EntityChange } from '../transaction/transaction.js';
import type { TwinOptions } from './datapath-twin.js';
import type { Plan } from '../messages/plan.js';
import { planOf } from './plan.js';
import { History } from './history.js';
import { inverse, Twin } from './twin.js';
import { probesOf, verify } from './verification.js';

export type TraceOptions = Partial<TwinOptions>;

export interface TraceParts {
  readonly replica: Replica;
  readonly clock: Clock;
  readonly random: Random;
  /** What datapaths have applied, and what their switches say. */
  readonly calls: Pick<VnmgrCalls, 'status' | 'checkTraces' | 'live'>;
  readonly options?: TraceOptions | undefined;
}

const IDLE_MS = 600_000;
/** Of all datapaths together, between questions: 4 KB each. */
const MOST_FLOWS = 200_000;

export class TraceService implements ReplicaFollower {
  private readonly parts: TraceParts;
  private readonly options: TwinOptions;
  private readonly history = new History();
  private twin: Twin | undefined;
  /** While a trace is under way: changes that the twin does not have yet. */
  private held: (readonly EntityChange[])[] | undefined;
  /** Resolves when the traces asked for so far are done. */
  private last: Promise<unknown> = Promise.resolve();
  private idle: NodeJS.Timeout | undefined;

  constructor(parts: TraceParts) {
    this.parts = parts;
    this.options = { traceroute: 'virtual-hops', ...parts.options };
    parts.replica.attach(this);
  }

  changed(_change: StoredChange, changes: readonly EntityChange[]): void {
    this.history.append(changes);
    this.follow(changes);
  }

  reloaded(changes: readonly EntityChange[]): void {
    this.history.clear();
    this.follow(changes);
  }

  close(): void {
    clearTimeout(this.idle);
    this.twin = undefined;
  }

  /** Throws HotoriError: `invalid_argument`, `invalid_reference`, `compacted`, and whatever committing the operations would. */
  async trace({ question, revision, operations, verify: isVerified = false }: TraceRequest): Promise<TraceAnswer> {
    const { at, isCurrent, explanation, probes } = await this.alone((twin) => this.explained(twin, { question, revision, operations }));
    if (isVerified && !isCurrent)
      throw new HotoriError('invalid_argument', 'only what is installed can be verified: not an earlier revision, and not changes');
    const [behind, verified] = await Promise.all([
      this.behind(isCurrent ? new Set(probes.map(({ datapath_uuid }) => datapath_uuid)) : new Set(), at.number),
      isVerified ? verify(probes, this.parts.calls) : null,
    ]);
    const head = {
      revision: at.number,
      incarnation: at.incarnation,
      uncommitted: operations !== undefined,
      pending: behind.pending,
      verified,
    };
    const { verdict, reason } = explanation;
    const [first] = behind.pending;
    const assumptions = [...explanation.assumptions, ...behind.notes];
    if (first === undefined) return { ...head, would_be: null, ...explanation, assumptions };
    const late = { ...reason, ...notApplied(first, at.number), told: null, nearest: null };
    return { ...head, ...explanation, assumptions, verdict: 'undecidable', reason: late, would_be: { verdict, reason } };
  }

  /** Throws HotoriError: `invalid_argument`, `invalid_reference`, `too_many_classes`, `unavailable` when the signal aborts. */
  async reachability(question: ReachQuestion, signal: AbortSignal): Promise<ReachAnswer> {
    const { at, matrix } = await this.alone(async (twin) => {
      const at = this.parts.replica.revision();
      return { at, matrix: await workedOut(reachMatrix(twin, question), signal) };
    });
    const datapaths = new Set(matrix.classes.flatMap(({ datapath_uuids }) => datapath_uuids));
    const { pending, notes } = await this.behind(datapaths, at.number);
    return { revision: at.number, incarnation: at.incarnation, pending, notes: [...notes], services: [...question.services], ...matrix };
  }

  /** What committing the operations would do. Throws as committing them would. */
  plan(operations: readonly Operation[]): Promise<Plan> {
    return this.alone(async (twin) => {
      const { number } = this.parts.replica.revision();
      return { revision: number, ...(await workedOut(planOf(twin, await this.changesOf(twin, operations, number)))) };
    });
  }

  /** Throws HotoriError: `invalid_argument`, `invalid_reference`, `conflict`, `unavailable`. */
  live(question: LiveQuestion, signal: AbortSignal): Promise<LiveAnswer> {
    const { calls, random } = this.parts;
    const traces = {
      trace: (request: TraceRequest) => this.trace(request),
      surroundings: (interfaceUuid: string) => this.alone((twin) => Promise.resolve(this.surroundings(twin, interfaceUuid))),
    };
    return new LiveRun({ question, signal, calls, random, traces }).run();
  }

  private surroundings(twin: Twin, uuid: string): Surroundings {
    const iface = entityOf(twin.model, 'interface', uuid);
    const { number, incarnation } = this.parts.replica.revision();
    return {
      revision: number,
      incarnation,
      isKnown: iface !== undefined,
      addresses: iface === undefined ? [] : addressesOf(twin.model, uuid),
      datapath_uuid: twin.placeOf(uuid)?.datapath_uuid ?? null,
      hearing: twin.hearing(uuid),
    };
  }

  private async explained(twin: Twin, { question, revision, operations }: TraceRequest) {
    const now = this.parts.replica.revision();
    const at = { ...now, number: revision ?? now.number };
    const past = this.history.since(at.number, now.number);
    const { explanation, probes } = await this.onTop(twin, past, operations ?? [], at.number, () =>
      workedOut(
        compiling(twin, () => {
          const { explanation, passage } = explain(twin, question);
          return { explanation, probes: passage === undefined ? [] : probesOf(twin, passage) };
        }),
      ),
    );
    return { at, isCurrent: at.number === now.number && operations === undefined, explanation, probes };
  }

  /** Runs `look` with the model as it was before `past`, changed by operations; then everything is as before. */
  private async onTop<T>(
    twin: Twin,
    past: readonly (readonly EntityChange[])[],
    operations: readonly Operation[],
    revision: number,
    look: () => Promise<T>,
  ): Promise<T> {
    const done: (readonly EntityChange[])[] = [];
    const apply = (changes: readonly EntityChange[]) => {
      done.push(changes);
      twin.apply(changes);
    };
    try {
      for (const changes of past.toReversed()) apply(inverse(changes));
      if (operations.length > 0) apply(await this.changesOf(twin, operations, revision).catch(refuseOperations));
      return await look();
    } finally {
      for (const changes of done.toReversed()) twin.apply(inverse(changes));
    }
  }

  private async changesOf(twin: Twin, operations: readonly Operation[], revision: number): Promise<readonly EntityChange[]> {
    const { replica, clock, random } = this.parts;
    const now = new Date(clock.now()).toISOString();
    const context = { random, now, counters: replica.counters(), revision: revision + 1, breath: new Breath() };
    return (await transact(new Draft(twin.model), operations, context)).changes;
  }

  private follow(changes: readonly EntityChange[]): void {
    if (this.held) this.held.push(changes);
    else this.twin?.apply(changes);
  }

  /** One after another; what is committed meanwhile comes to the twin afterwards. */
  private alone<T>(work: (twin: Twin) => Promise<T>): Promise<T> {
    const run = async () => {
      this.held = [];
      try {
        const twin = this.twin ?? (await this.begin());
        return await work(twin);
      } catch (error) {
        if (!(error instanceof HotoriError)) this.twin = undefined;
        throw error;
      } finally {
        const { held } = this;
        this.held = undefined;
        for (const changes of held) this.twin?.apply(changes);
        this.twin?.shrink(MOST_FLOWS);
        this.rest();
      }
    };
    const result = this.last.then(run, run);
    this.last = result.catch(() => undefined);
    return result;
  }

  /** From the model as it is now: what is committed meanwhile is held. */
  private async begin(): Promise<Twin> {
    const twin = new Twin(this.options);
    await workedOut(twin.fill(this.parts.replica.model.values()));
    this.twin = twin;
    return twin;
  }

  private rest(): void {
    clearTimeout(this.idle);
    this.idle = setTimeout(() => (this.twin = undefined), IDLE_MS);
    this.idle.unref();
  }

  /** Which of the datapaths do not have the revision yet; a note where that cannot be known. */
  private async behind(
    datapaths: ReadonlySet<string>,
    revision: number,
  ): Promise<{ readonly pending: PendingDatapath[]; readonly notes: readonly string[] }> {
    if (datapaths.size === 0) return { pending: [], notes: [] };
    try {
      const status = await this.parts.calls.status();
      const late = status.datapaths.filter(({ uuid, applied_revision }) => datapaths.has(uuid) && (applied_revision ?? -1) < revision);
      const pending = late.map(({ uuid, applied_revision, last_error }) => ({ datapath_uuid: uuid, applied_revision, error: last_error }));
      return { pending, notes: [] };
    } catch (error) {
      if (!(error instanceof HotoriError)) throw error;
      return { pending: [], notes: [`that the datapaths have applied revision ${revision}: ${error.message}`] };
    }
  }
}

/** Other work of the process goes on meanwhile. */
async function workedOut<T>(steps: Generator<void, T>, signal?: AbortSignal): Promise<T> {
  const breath = new Breath();
  for (;;) {
    if (signal?.aborted === true) throw new HotoriError('unavailable', 'nobody waits for the answer any more');
    const step = steps.next();
    if (step.done === true) return step.value;
    if (breath.isDue()) await breath.take();
  }
}

function notApplied({ datapath_uuid, applied_revision, error }: PendingDatapath, revision: number) {
  const has = applied_revision === null ? 'nothing that is known' : `revision ${applied_revision}`;
  const why = error === null ? '' : `: ${error}`;
  const text = `${datapath_uuid} has applied ${has}, not ${revision} yet${why}`;
  return { code: 'not_applied_yet', text, uuids: [datapath_uuid], datapath_uuid, table: null, cookie: null };
}

/** Tells a refusal of the operations from one of the question. */
function refuseOperations(error: unknown): never {
  if (!(error instanceof HotoriError)) throw error;
  const { code, message, reasons, details } = error;
  throw new HotoriError(code, message, { reasons, details: { ...details, refused: 'operations' }, cause: error });
}
