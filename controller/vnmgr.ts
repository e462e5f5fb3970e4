/**
 * vnmgr: the authority over the model.
 *
 * Owns: the model in memory, the queue of transactions, the sessions of datapaths.
 * Assumes: it is the store's only writer.
 * Promises: transactions are committed one after another; those that wait together reach the disk together. What is readable is committed. Each
 * commit goes to the datapaths it concerns before its caller hears of it.
 */
import { setTimeout } from 'node:timers/promises';
import { Draft } from '../flows/model/draft.js';
import { chassisUuid, type UserEntity, type UserKind } from '../flows/model/entities.js';
import { HotoriError } from '../flows/model/errors.js';
import { dpidKey } from '../flows/model/indexes.js';
import { Model } from '../flows/model/model.js';
import { entityOf } from '../flows/model/view.js';
import type {
  Controller,
  DatapathStatus,
  ExecuteResult,
  InstalledResult,
  ListPage,
  ListRequest,
  Operation,
  Status,
  View,
  WatchEvent,
} from './contract.js';
import { Journal } from './journal.js';
import type { Clock, Random } from './kernel/ambient.js';
import { Breath } from './kernel/breath.js';
import type {
  AppliedReport,
  ChassisFacts,
  DatapathHello,
  FlowEntry,
  Revision,
  SliceAttachment,
  SliceMessage,
  SliceSource,
  VifObservation,
} from './messages/slice.js';
import { Bindings } from './slices/bindings.js';
import { Confirmations } from './slices/confirmations.js';
import { observationOf } from './slices/observation.js';
import { registrationOf } from './slices/registration.js';
import { Session } from './slices/session.js';
import { Slices } from './slices/slices.js';
import { StoreError, type Counters, type Store, type StoredChange, type StoreSnapshot } from './store/contract.js';
import type { Step } from './transaction/step.js';
import { transact, type EntityChange, type TransactionOutcome } from './transaction/transaction.js';
import { etagOf, listOf, viewOf } from './views.js';

export interface VnmgrOptions {
  /** Shown in the status. */
  readonly version: string;
  /** Register a datapath that attaches and is not defined. */
  readonly autoRegister: boolean;
}

export interface VnmgrParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly options: VnmgrOptions;
}

/** Operations that may reach the disk together; more would make the first wait for the last. */
const GROUP_OPERATIONS = 256;

const DPID = /^0x[0-9a-f]{16}$/;

/** Milliseconds until what a vna sees is taken down again after it could not be. */
const OBSERVE_RETRY_MS = 1_000;

interface Request {
  /** What to do, asked for when its turn has come. */
  readonly steps: () => readonly Step[];
  readonly resolve: (result: ExecuteResult) => void;
  readonly reject: (error: unknown) => void;
}

/** A request that passed, with the revision it will have. */
interface Passed {
  readonly request: Request;
  readonly outcome: TransactionOutcome;
  readonly revision: number;
}

export class Vnmgr implements Controller, SliceSource {
  private readonly parts: VnmgrParts;
  private readonly model = new Model();
  private readonly bindings: Bindings;
  private readonly slices: Slices;
  private readonly journal: Journal;
  private readonly confirmations: Confirmations;
  private readonly sessions = new Map<string, Session>();
  private readonly queue: Request[] = [];
  /** Those who wait for a datapath to be defined. */
  private readonly expecting = new Set<() => void>();
  private at: Revision;
  private counters: Counters;
  private working: Promise<void> | undefined;
  private closed = false;

  private constructor(parts: VnmgrParts, { revision, entities, counters }: StoreSnapshot) {
    this.parts = parts;
    this.at = revision;
    this.counters = counters;
    this.model.apply(entities, []);
    this.bindings = new Bindings(this.model);
    this.slices = new Slices(this.model, this.bindings);
    this.journal = new Journal(parts.store, this.model, revision);
    this.confirmations = new Confirmations(this.sessions, revision.number);
    for (const entity of entities) if (entity.kind === 'datapath') this.sessions.set(entity.uuid, new Session(entity.uuid));
  }

  /** Loads the model from the store. */
  static async start(parts: VnmgrParts): Promise<Vnmgr> {
    return new Vnmgr(parts, await parts.store.load());
  }

  /** Finishes what is being committed and stops; the store stays open. */
  async close(): Promise<void> {
    this.closed = true;
    await this.working;
    for (const session of this.sessions.values()) session.detach();
  }

  execute(operations: readonly Operation[]): Promise<ExecuteResult> {
    return this.enqueue(() => operations);
  }

  get(kind: UserKind, uuid: string): { readonly view: View; readonly etag: string; readonly revision: Revision } | undefined {
    const entity = entityOf(this.model, kind, uuid) as UserEntity | undefined;
    if (entity === undefined) return undefined;
    const view = viewOf(this.model, entity);
    return { view, etag: etagOf(view), revision: this.at };
  }

  list(kind: UserKind, request: ListRequest): ListPage {
    return listOf(this.model, kind, request, this.at);
  }

  revision(): Revision {
    return this.at;
  }

  status(): Status {
    const datapaths = this.model
      .page('datapath', 0, this.model.countOf('datapath'))
      .map(({ uuid }) => this.datapathStatus(this.sessions.get(uuid)!));
    return { version: this.parts.options.version, revision: this.at, datapaths };
  }

  waitInstalled(revision: number, timeoutMs: number, signal: AbortSignal): Promise<InstalledResult> {
    return this.confirmations.wait(revision, timeoutMs, signal);
  }

  watch(from: number, sink: (event: WatchEvent) => void, signal: AbortSignal): void {
    this.journal.watch(from, sink, signal);
  }

  async flows(datapath_uuid: string, owner?: string): Promise<readonly FlowEntry[]> {
    const session = this.sessions.get(datapath_uuid);
    if (session === undefined) throw new HotoriError('unknown_uuid', `there is no datapath ${datapath_uuid}`);
    if (session.flowProvider === undefined) throw new HotoriError('unavailable', `the vna of ${datapath_uuid} is not attached`);
    return session.flowProvider(owner);
  }

  async attach(hello: DatapathHello, onMessage: (message: SliceMessage) => void, signal: AbortSignal): Promise<SliceAttachment> {
    let session: Session;
    // A commit may have come between the answer and this line.
    do session = await this.sessionFor(hello, signal);
    while (this.sessions.get(session.datapath_uuid) !== session);
    signal.throwIfAborted();
    const { datapath_uuid: uuid } = session;
    if (session.attached) throw new HotoriError('conflict', `${uuid} (${hello.dpid}) is already served by another vna`);
    session.observation = observationOf(session.datapath_uuid, hello);
    let isOpen = true;
    const onAbort = () => this.detach(session);
    const closed = new Promise<void>((resolve) => {
      const close = () => {
        isOpen = false;
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      session.attach({ onMessage, close });
    });
    signal.addEventListener('abort', onAbort);
    const see = (seen: { readonly vifs: readonly VifObservation[] } | { readonly chassis: ChassisFacts }) => {
      if (!isOpen) return;
      session.observation = observationOf(uuid, { ...hello, ...session.observation, ...seen });
      void this.observe(session);
    };
    try {
      // The first snapshot has the bindings of the NICs seen so far.
      await this.takeDown(session);
    } catch (error) {
      this.detach(session);
      throw error;
    }
    signal.throwIfAborted();
    session.sendSnapshot(this.at, this.slices.slice(uuid));
    return {
      datapath_uuid: uuid,
      closed,
      reportVifs: (vifs: readonly VifObservation[]) => see({ vifs }),
      reportChassis: (chassis: ChassisFacts) => see({ chassis }),
      reportApplied: (report: AppliedReport) => {
        if (!isOpen) return;
        session.report(report);
        this.confirmations.changed();
      },
      relist: () => {
        if (isOpen) session.sendSnapshot(this.at, this.slices.slice(uuid));
      },
      serveFlows: (provider) => {
        if (isOpen) session.flowProvider = provider;
      },
    };
  }

  /** The session of the datapath with the switch's dpid: as defined, as registered now, or once it is defined. */
  private async sessionFor(hello: DatapathHello, signal: AbortSignal): Promise<Session> {
    if (!DPID.test(hello.dpid))
      throw new HotoriError('invalid_argument', `${JSON.stringify(hello.dpid)} is not 0x and 16 lower case hex digits`);
    for (;;) {
      signal.throwIfAborted();
      if (this.closed) throw new HotoriError('unavailable', 'the controller is stopping');
      for (const uuid of this.model.lookup(dpidKey(hello.dpid))) return this.sessions.get(uuid)!;
      if (this.parts.options.autoRegister) await this.register(hello);
      else await this.nextDefinition(signal);
    }
  }

  private async register(hello: DatapathHello): Promise<void> {
    try {
      await this.execute([registrationOf(hello, (uuid) => this.model.get(uuid) !== undefined)]);
    } catch (error) {
      // Somebody defined it, or took its name, in the meantime: look again.
      if (!(error instanceof HotoriError) || (error.code !== 'conflict' && error.code !== 'duplicate_uuid')) throw error;
    }
  }

  /** Resolves when a commit has changed datapaths. */
  private nextDefinition(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        this.expecting.delete(onCommit);
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const onCommit = () => finish(resolve);
      const onAbort = () => finish(() => reject(signal.reason as Error));
      this.expecting.add(onCommit);
      signal.addEventListener('abort', onAbort);
    });
  }

  private detach(session: Session): void {
    if (!session.attached) return;
    session.detach();
    this.confirmations.changed();
  }

  /** Commits what the vna of a datapath sees now; several reports that wait become one. Resolves at once when it is as it was. */
  private takeDown(session: Session): Promise<unknown> {
    return (session.takingDown ??= this.enqueue(() => {
      session.takingDown = undefined;
      return session.observation === undefined ? [] : [session.observation];
    }));
  }

  /** Takes down what the vna of a datapath sees, again and again until it is done or the vna has gone. */
  private async observe(session: Session): Promise<void> {
    while (session.attached && !this.closed) {
      try {
        await this.takeDown(session);
        return;
      } catch {
        await setTimeout(OBSERVE_RETRY_MS, undefined, { ref: false });
      }
    }
  }

  /** What the vna of a datapath sees was deleted with the datapath, which is there again. */
  private reassert(datapath_uuid: string): void {
    const session = this.sessions.get(datapath_uuid);
    if (session) void this.observe(session);
  }

  private enqueue(steps: () => readonly Step[]): Promise<ExecuteResult> {
    if (this.closed) return Promise.reject(new HotoriError('unavailable', 'the controller is stopping'));
    return new Promise((resolve, reject) => {
      this.queue.push({ steps, resolve, reject });
      this.working ??= this.work();
    });
  }

  private async work(): Promise<void> {
    // What is asked for in one turn is committed together.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const { passed, unchanged } = await this.transactGroup();
      const changes = passed.map(storedChange);
      try {
        if (changes.length > 0) await this.parts.store.commit(changes, this.at);
      } catch (error) {
        const refusal = commitError(error);
        for (const { request } of [...passed, ...unchanged]) request.reject(refusal);
        continue;
      }
      for (const [index, one] of passed.entries()) {
        this.publish(one, changes[index]!);
        one.request.resolve(resultOf(one, this.at.incarnation, true));
      }
      for (const one of unchanged) one.request.resolve(resultOf(one, this.at.incarnation, false));
    }
    // In the same turn as the last look at the queue: whoever comes later starts anew.
    this.working = undefined;
  }

  /** Runs the requests that wait, each on top of the ones before it. */
  private async transactGroup(): Promise<{ readonly passed: readonly Passed[]; readonly unchanged: readonly Passed[] }> {
    const { clock, random } = this.parts;
    const draft = new Draft(this.model);
    const breath = new Breath();
    const passed: Passed[] = [];
    const unchanged: Passed[] = [];
    let counters = this.counters;
    let operations = 0;
    for (let request = this.queue.shift(); request; request = operations < GROUP_OPERATIONS ? this.queue.shift() : undefined) {
      const steps = request.steps();
      operations += steps.length;
      const revision = this.at.number + passed.length + 1;
      try {
        const now = new Date(clock.now()).toISOString();
        const outcome = await transact(draft, steps, { random, now, counters, revision, breath });
        const changed = outcome.changes.length > 0;
        (changed ? passed : unchanged).push({ request, outcome, revision: changed ? revision : revision - 1 });
        if (changed) counters = { ...counters, ...outcome.counters };
      } catch (error) {
        request.reject(error);
      }
    }
    return { passed, unchanged };
  }

  /** Brings everything in memory to a committed revision. */
  private publish({ outcome }: Passed, change: StoredChange): void {
    this.model.apply(change.puts, change.deletes);
    this.counters = { ...this.counters, ...change.counters };
    this.at = { ...this.at, number: change.revision };
    this.followDatapaths(outcome.changes);

    const bound = this.bindings.update(outcome.changes);
    const seqs = new Map<string, number>();
    for (const [uuid, delta] of this.slices.update(outcome.changes, bound)) {
      const session = this.sessions.get(uuid);
      if (session === undefined) continue;
      const seq = session.sendDelta(this.at, delta);
      // A datapath that no vna has ever presented has nobody to confirm anything.
      if (this.model.get(chassisUuid(uuid))) seqs.set(uuid, seq);
    }
    this.confirmations.record(change.revision, seqs);
    this.confirmations.changed();
    this.journal.append(change);
  }

  /** Keeps a session per datapath. One whose switch became another starts anew. */
  private followDatapaths(changes: readonly EntityChange[]): void {
    let changed = false;
    for (const { uuid, before, after } of changes) {
      if (before?.kind === 'chassis' && after === undefined) this.reassert(before.datapath_uuid);
      const [was, is] = [before, after].map((entity) => (entity?.kind === 'datapath' ? entity.dpid : undefined));
      if (was === is) continue;
      changed = true;
      if (was !== undefined) this.sessions.get(uuid)?.detach();
      if (is === undefined) this.sessions.delete(uuid);
      else this.sessions.set(uuid, new Session(uuid));
    }
    if (changed) for (const look of [...this.expecting]) look();
  }

  private datapathStatus(session: Session): DatapathStatus {
    const { datapath_uuid: uuid, connected, flowCount: flow_count, flowMods: flow_mods, lastError } = session;
    return {
      uuid,
      connected,
      desired_revision: this.at.number,
      applied_revision: session.appliedRevision(this.at.number),
      flow_count,
      flow_mods,
      last_error: lastError,
      conflicts: this.bindings.conflicts(uuid),
    };
  }
}

function storedChange({ outcome, revision }: Passed): StoredChange {
  return {
    revision,
    puts: outcome.changes.flatMap(({ after }) => after ?? []),
    deletes: outcome.changes.flatMap(({ uuid, after }) => (after ? [] : uuid)),
    counters: outcome.counters,
    requests: [],
  };
}

function resultOf({ outcome, revision }: Passed, incarnation: string, changed: boolean): ExecuteResult {
  return { revision: { incarnation, number: revision }, changed, results: outcome.results };
}

function commitError(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  const what = error.code === 'unavailable' ? 'it is not known whether this was done' : 'nothing was changed';
  return new HotoriError('unavailable', `${what}: ${error.message}`, { cause: error });
}
