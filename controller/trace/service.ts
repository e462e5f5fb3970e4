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
import { HotoriError } from '../../flows/model/errors.js';
import type { Operation, Status, TraceRequest } from '../contract.js';
import type { Clock, Random } from '../kernel/ambient.js';
import { Breath } from '../kernel/breath.js';
import type { Replica, ReplicaFollower } from '../replica.js';
import type { StoredChange } from '../store/contract.js';
import { transact, type EntityChange } from '../transaction/transaction.js';
import type { TwinOptions } from './datapath-twin.js';
import { History } from './history.js';
import { inverse, Twin } from './twin.js';

export type TraceOptions = Partial<TwinOptions>;

export interface TraceParts {
  readonly replica: Replica;
  readonly clock: Clock;
  readonly random: Random;
  /** What datapaths have applied. */
  readonly status: () => Promise<Status>;
  readonly options?: TraceOptions | undefined;
}

const IDLE_MS = 600_000;

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
  async trace({ question, revision, operations }: TraceRequest): Promise<TraceAnswer> {
    const traced = await this.alone(async (twin) => {
      const now = this.parts.replica.revision();
      const at = { ...now, number: revision ?? now.number };
      const past = this.history.since(at.number, now.number);
      const found = await this.onTop(twin, past, operations ?? [], at.number, () => explain(twin, question));
      const isCurrent = at.number === now.number && operations === undefined;
      const passed = isCurrent ? found.visits.map(({ datapath_uuid }) => datapath_uuid).filter((uuid) => twin.isPresented(uuid)) : [];
      return { at, found, passed };
    });
    const { at, found, passed } = traced;
    const { pending, note } = await this.pendingAmong(new Set(passed), at.number);
    const answer = {
      revision: at.number,
      incarnation: at.incarnation,
      uncommitted: operations !== undefined,
      pending,
      would_be: null,
      ...found,
    };
    if (note !== undefined) return { ...answer, assumptions: [...answer.assumptions, note] };
    const [first] = pending;
    if (first === undefined) return answer;
    const { verdict, reason } = found;
    return {
      ...answer,
      verdict: 'undecidable',
      reason: { ...reason, ...notApplied(first, at.number), told: null, nearest: null },
      would_be: { verdict, reason },
    };
  }

  /** Runs `look` with the model as it was before `past`, changed by operations; then everything is as before. */
  private async onTop<T>(
    twin: Twin,
    past: readonly (readonly EntityChange[])[],
    operations: readonly Operation[],
    revision: number,
    look: () => T,
  ): Promise<T> {
    const done: (readonly EntityChange[])[] = [];
    const apply = (changes: readonly EntityChange[]) => {
      done.push(changes);
      twin.apply(changes);
    };
    try {
      for (const changes of past.toReversed()) apply(inverse(changes));
      if (operations.length > 0) apply(await this.changesOf(twin, operations, revision));
      return look();
    } finally {
      for (const changes of done.toReversed()) twin.apply(inverse(changes));
    }
  }

  private async changesOf(twin: Twin, operations: readonly Operation[], revision: number): Promise<readonly EntityChange[]> {
    const { replica, clock, random } = this.parts;
    const now = new Date(clock.now()).toISOString();
    const context = { random, now, counters: replica.counters(), revision: revision + 1, breath: new Breath() };
    try {
      return (await transact(new Draft(twin.model), operations, context)).changes;
    } catch (error) {
      throw error instanceof HotoriError ? refusedOperations(error) : error;
    }
  }

  private follow(changes: readonly EntityChange[]): void {
    if (this.held) this.held.push(changes);
    else this.twin?.apply(changes);
  }

  /** One after another; what is committed meanwhile comes to the twin afterwards. */
  private alone<T>(work: (twin: Twin) => Promise<T>): Promise<T> {
    const run = async () => {
      const twin = (this.twin ??= new Twin(this.parts.replica.model.values(), this.options));
      this.held = [];
      try {
        return await work(twin);
      } catch (error) {
        if (!(error instanceof HotoriError)) this.twin = undefined;
        throw error;
      } finally {
        const { held } = this;
        this.held = undefined;
        for (const changes of held) this.twin?.apply(changes);
        this.rest();
      }
    };
    const result = this.last.then(run, run);
    this.last = result.catch(() => undefined);
    return result;
  }

  private rest(): void {
    clearTimeout(this.idle);
    this.idle = setTimeout(() => (this.twin = undefined), IDLE_MS);
    this.idle.unref();
  }

  private async pendingAmong(datapaths: ReadonlySet<string>, revision: number): Promise<{ pending: PendingDatapath[]; note?: string }> {
    if (datapaths.size === 0) return { pending: [] };
    try {
      const status = await this.parts.status();
      const behind = status.datapaths.filter(({ uuid, applied_revision }) => datapaths.has(uuid) && (applied_revision ?? -1) < revision);
      return {
        pending: behind.map(({ uuid, applied_revision, last_error }) => ({ datapath_uuid: uuid, applied_revision, error: last_error })),
      };
    } catch (error) {
      if (!(error instanceof HotoriError)) throw error;
      return { pending: [], note: `that the datapaths have applied revision ${revision}: ${error.message}` };
    }
  }
}

function notApplied({ datapath_uuid, applied_revision, error }: PendingDatapath, revision: number) {
  const has = applied_revision === null ? 'nothing that is known' : `revision ${applied_revision}`;
  const why = error === null ? '' : `: ${error}`;
  const text = `${datapath_uuid} has applied ${has}, not ${revision} yet${why}`;
  return { code: 'not_applied_yet', text, uuids: [datapath_uuid], datapath_uuid, table: null, cookie: null };
}

/** Tells a refusal of the operations from one of the question. */
function refusedOperations(error: HotoriError): HotoriError {
  const { code, message, reasons, details } = error;
  return new HotoriError(code, message, { reasons, details: { ...details, refused: 'operations' }, cause: error });
}
