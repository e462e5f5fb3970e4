/**
 * vnmgr: the authority over the model, one of any number on a store.
 *
 * Owns: a replica of the model with its bindings and slices, the queue of what is to be committed, the sessions of the datapaths whose vna is
 * attached here.
 * Promises: all vnmgr of a store come to the same slices, whoever committed a change. Each commit goes to the datapaths it concerns that are
 * attached here before its caller hears of it.
 */
import { setTimeout } from 'node:timers/promises';
import type { UserKind } from '../flows/model/entities.js';
import { chassisUuid } from '../flows/model/entities/presence.js';
import { HotoriError } from '../flows/model/errors.js';
import { dpidKey, kindIndex } from '../flows/model/indexes.js';
import { entityOf } from '../flows/model/view.js';
import type { TraceAnswer } from '../flows/trace/explain/answer.js';
import type { ReachAnswer } from '../flows/trace/reach/answer.js';
import type { ReachQuestion } from '../flows/trace/reach/question.js';
import type { AppliedBoard } from './applied/board.js';
import { MemoryAppliedBoard } from './applied/memory-board.js';
import type {
  Controller,
  DatapathStatus,
  ExecuteOptions,
  ExecuteResult,
  InstalledResult,
  ListPage,
  ListRequest,
  Operation,
  Status,
  TraceRequest,
  View,
  WatchEvent,
} from './contract.js';
import type { Clock, Random } from './kernel/ambient.js';
import type {
  AppliedReport,
  ChassisFacts,
  DatapathHello,
  FlowEntry,
  Revision,
  SliceAttachment,
  SliceMessage,
  SliceSource,
  TraceCheck,
  TraceProbe,
  VifObservation,
} from './messages/slice.js';
import { Replica, type ReplicaFollower, type ReplicaLog } from './replica.js';
import { checkAdmission } from './slices/admission.js';
import { Bindings } from './slices/bindings.js';
import { Confirmations } from './slices/confirmations.js';
import type { LiveAnswer } from './live/answer.js';
import type { LiveQuestion } from './live/question.js';
import type { LiveCommand, LiveReport } from './messages/live.js';
import { GATEWAY_LEASE_MS } from './messages/slice.js';
import { gatewayOwnerOf, gatewaysOf } from '../flows/model/gateways.js';
import { observationOf } from './slices/observation.js';
import { registrationOf } from './slices/registration.js';
import { Session } from './slices/session.js';
import { Slices } from './slices/slices.js';
import type { Store, StoredChange } from './store/contract.js';
import type { Plan } from './messages/plan.js';
import { TraceService, type TraceOptions } from './trace/service.js';
import { TransactionQueue } from './transaction/queue.js';
import type { EntityChange } from './transaction/transaction.js';

export interface VnmgrOptions {
  /** Shown in the status. */
  readonly version: string;
  /** Register a datapath that attaches and is not defined. */
  readonly autoRegister: boolean;
  /** What this vnmgr is called; unique among those on the store. */
  readonly name?: string;
  /** What vnas are told that the model does not say. */
  readonly tracing?: TraceOptions;
}

export interface VnmgrParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly options: VnmgrOptions;
  /** What datapaths have installed, shared with the other vnmgrs on the store; without it this one is alone. */
  readonly board?: AppliedBoard;
  /** It took so many seconds to work out what datapaths are to know: of the whole model, or of a change. */
  readonly onCompiled?: (kind: 'full' | 'incremental', seconds: number) => void;
  readonly log?: ReplicaLog;
}

const DPID = /^0x[0-9a-f]{16}$/;
/** Milliseconds until what a vna sees is taken down again after it could not be. */
const OBSERVE_RETRY_MS = 1_000;
const ID_BYTES = 8;

export class Vnmgr implements Controller, SliceSource, ReplicaFollower {
  readonly name: string;
  readonly version: string;
  private readonly parts: VnmgrParts;
  private readonly replica: Replica;
  private readonly queue: TransactionQueue;
  private readonly bindings: Bindings;
  private readonly slices: Slices;
  private readonly traces: TraceService;
  private readonly board: AppliedBoard;
  private readonly confirmations: Confirmations;
  private readonly sessions = new Map<string, Session>();
  /** Those who wait for a datapath to be defined. */
  private readonly expecting = new Set<() => void>();
  private readonly stop = new AbortController();
  private readonly idPrefix: string;
  private requests = 0;

  private constructor(parts: VnmgrParts, replica: Replica) {
    const { store, clock, random, options, board = new MemoryAppliedBoard() } = parts;
    this.parts = parts;
    this.name = options.name ?? 'vnmgr';
    this.version = options.version;
    this.replica = replica;
    this.board = board;
    this.idPrefix = Buffer.from(random.bytes(ID_BYTES)).toString('hex');
    this.queue = new TransactionQueue({ store, replica, clock, random });
    const started = performance.now();
    this.bindings = new Bindings(replica.model);
    this.slices = new Slices(replica.model, this.bindings);
    this.timed('full', started);
    this.confirmations = new Confirmations(
      board,
      { presented: () => this.presented(), has: (uuid) => this.sessions.has(uuid) },
      replica.revision(),
    );
    for (const uuid of this.uuidsOf('datapath')) this.sessions.set(uuid, new Session(uuid));
    replica.attach(this);
    this.traces = new TraceService({ replica, clock, random, calls: this, options: options.tracing });
    board.watch((uuid) => this.confirmations.changed(uuid), this.stop.signal);
    board.onRefresh(() => void this.publishAll(), this.stop.signal);
    // Rows from before say nothing of revisions that did not concern their datapaths, and here nobody knows whom those concerned.
    board.refresh();
  }

  /** Loads the model from the store. */
  static async start(parts: VnmgrParts): Promise<Vnmgr> {
    return new Vnmgr(parts, await Replica.open(parts.store, parts.log));
  }

  /** Finishes what is being committed and stops; the store stays open. */
  async close(): Promise<void> {
    const closing = this.queue.close();
    this.stop.abort();
    this.traces.close();
    await closing;
    for (const session of this.sessions.values()) this.detach(session);
    await this.replica.close();
  }

  execute(operations: readonly Operation[], { request_id }: ExecuteOptions = {}): Promise<ExecuteResult> {
    // Every request has an id, so that its outcome can be found when the store does not answer.
    return this.queue.run(() => operations, request_id ?? `${this.idPrefix}-${++this.requests}`);
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

  status(): Promise<Status> {
    const datapaths = this.uuidsOf('datapath').map((uuid) => this.datapathStatus(uuid));
    return Promise.resolve({ version: this.version, revision: this.revision(), datapaths });
  }

  async waitInstalled(revision: number, timeoutMs: number, signal: AbortSignal): Promise<InstalledResult> {
    // It may have been committed by another, and not have come here yet. When the store cannot be asked, what is here has to do.
    if (revision > this.revision().number) await this.replica.catchUp().catch(() => undefined);
    return this.confirmations.wait(revision, timeoutMs, signal);
  }

  audience(uuid: string): Promise<readonly string[]> {
    return Promise.resolve([...this.slices.audience(uuid)].sort());
  }

  async flows(datapath_uuid: string, owner?: string): Promise<readonly FlowEntry[]> {
    const { flowProvider } = this.definedSession(datapath_uuid);
    if (flowProvider === undefined) throw notAttached(datapath_uuid);
    return flowProvider(owner);
  }

  async acceptSlice(datapath_uuid: string): Promise<boolean> {
    const { sliceAcceptor } = this.definedSession(datapath_uuid);
    if (sliceAcceptor === undefined) throw notAttached(datapath_uuid);
    return sliceAcceptor();
  }

  async checkTraces(datapath_uuid: string, probes: readonly TraceProbe[]): Promise<readonly TraceCheck[]> {
    const { traceChecker } = this.definedSession(datapath_uuid);
    if (traceChecker === undefined) throw notAttached(datapath_uuid);
    return traceChecker(probes);
  }

  async live(datapath_uuid: string, command: LiveCommand): Promise<LiveReport> {
    const { liveProvider } = this.definedSession(datapath_uuid);
    if (liveProvider === undefined) throw notAttached(datapath_uuid);
    return liveProvider(command);
  }

  /** Whether the datapath is there, or would be registered. */
  isDefined(dpid: string): boolean {
    return this.parts.options.autoRegister || [...this.replica.model.lookup(dpidKey(dpid))].length > 0;
  }

  async attach(hello: DatapathHello, onMessage: (message: SliceMessage) => void, signal: AbortSignal): Promise<SliceAttachment> {
    let session: Session;
    // A commit may have come between the answer and this line.
    do session = await this.sessionFor(hello, signal);
    while (this.sessions.get(session.datapath_uuid) !== session);
    signal.throwIfAborted();
    const { datapath_uuid: uuid } = session;
    checkAdmission(uuid, hello, session.listener?.hello);
    session.observation = observationOf(uuid, hello);

    let isOpen = true;
    const onAbort = () => {
      if (isOpen) this.detach(session);
    };
    const closed = new Promise<void>((resolve) => {
      const close = () => {
        isOpen = false;
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      session.attach({ hello, attached_at: this.parts.clock.now(), onMessage, close });
    });
    signal.addEventListener('abort', onAbort);
    try {
      // The first snapshot has the bindings of the NICs seen so far.
      await this.takeDown(session);
    } catch (error) {
      onAbort();
      throw error;
    }
    signal.throwIfAborted();
    const sendSnapshot = () => {
      if (isOpen) session.sendSnapshot(this.revision(), this.slices.slice(uuid));
    };
    sendSnapshot();
    this.publishApplied(session);
    const see = (seen: { readonly vifs: readonly VifObservation[] } | { readonly chassis: ChassisFacts }) => {
      if (!isOpen) return;
      session.observation = observationOf(uuid, { ...hello, ...session.observation, ...seen });
      void this.observe(session);
    };
    return {
      datapath_uuid: uuid,
      closed,
      reportVifs: (vifs: readonly VifObservation[]) => see({ vifs }),
      reportChassis: (chassis: ChassisFacts) => see({ chassis }),
      reportApplied: (report: AppliedReport) => {
        if (!isOpen) return;
        session.take(report);
        this.publishApplied(session);
      },
      holdGateway: (interface_uuid) => (isOpen ? this.holdGateway(uuid, interface_uuid) : Promise.resolve(false)),
      relist: sendSnapshot,
      serveFlows: (provider) => {
        if (isOpen) session.flowProvider = provider;
      },
      serveAcceptance: (acceptor) => {
        if (isOpen) session.sliceAcceptor = acceptor;
      },
      serveLive: (provider) => {
        if (isOpen) session.liveProvider = provider;
      },
      serveChecks: (checker) => {
        if (isOpen) session.traceChecker = checker;
      },
    };
  }

  /** The replica has a change of the store: everything else in memory follows. */
  changed(change: StoredChange, changes: readonly EntityChange[]): void {
    this.queue.changed(change);
    this.followDatapaths(changes);
    const concerned: string[] = [];
    const at = this.revision();
    const started = performance.now();
    const deltas = this.slices.update(changes, this.bindings.update(changes));
    this.timed('incremental', started);
    for (const [uuid, delta] of deltas) {
      this.sessions.get(uuid)?.sendDelta(at, delta);
      // A datapath that no vna has ever presented has nobody to confirm anything.
      if (this.replica.model.get(chassisUuid(uuid))) concerned.push(uuid);
    }
    this.confirmations.record(at, concerned);
  }

  /** The store was read again, as after it was restored: revisions from before do not compare. */
  reloaded(changes: readonly EntityChange[]): void {
    this.queue.reloaded();
    this.followDatapaths(changes);
    const started = performance.now();
    this.slices.update(changes, this.bindings.update(changes));
    this.timed('full', started);
    const at = this.revision();
    this.confirmations.restart(at);
    for (const session of this.sessions.values()) {
      session.forgetRevisions();
      if (session.listener) session.sendSnapshot(at, this.slices.slice(session.datapath_uuid));
      this.publishApplied(session);
    }
    this.board.refresh();
  }

  private timed(kind: 'full' | 'incremental', started: number): void {
    this.parts.onCompiled?.(kind, (performance.now() - started) / 1000);
  }

  private definedSession(datapath_uuid: string): Session {
    const session = this.sessions.get(datapath_uuid);
    if (session === undefined) throw new HotoriError('unknown_uuid', `there is no datapath ${datapath_uuid}`);
    return session;
  }

  /** The session of the datapath with the switch's dpid: as defined, as registered now, or once it is defined. */
  private async sessionFor(hello: DatapathHello, signal: AbortSignal): Promise<Session> {
    if (!DPID.test(hello.dpid))
      throw new HotoriError('invalid_argument', `${JSON.stringify(hello.dpid)} is not 0x and 16 lower case hex digits`);
    for (;;) {
      signal.throwIfAborted();
      if (this.stop.signal.aborted) throw new HotoriError('unavailable', 'the controller is stopping');
      for (const uuid of this.replica.model.lookup(dpidKey(hello.dpid))) return this.sessions.get(uuid)!;
      if (this.parts.options.autoRegister) await this.register(hello);
      else await this.nextDefinition(signal);
    }
  }

  private async register(hello: DatapathHello): Promise<void> {
    const { model } = this.replica;
    try {
      await this.execute([registrationOf(hello, (uuid) => model.get(uuid) !== undefined)]);
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
    if (session.listener === undefined) return;
    session.detach();
    this.publishApplied(session);
  }

  /** The lease is in the store; who has got it is made known to everybody by a commit. */
  private async holdGateway(datapath: string, interfaceUuid: string): Promise<boolean> {
    const iface = entityOf(this.replica.model, 'interface', interfaceUuid);
    if (iface === undefined || !gatewaysOf(iface).includes(datapath)) return false;
    if (!(await this.parts.store.hold(`gateway/${interfaceUuid}`, datapath, GATEWAY_LEASE_MS))) return false;
    if (gatewayOwnerOf(entityOf(this.replica.model, 'interface', interfaceUuid) ?? iface) !== datapath)
      await this.queue.run(() => [{ verb: 'take_over', interface_uuid: interfaceUuid, datapath_uuid: datapath }]);
    return true;
  }

  /** Commits what the vna of a datapath sees now; several reports that wait become one. Nothing is committed when it is as it was. */
  private takeDown(session: Session): Promise<unknown> {
    return (session.takingDown ??= this.queue.run(() => {
      session.takingDown = undefined;
      return session.observation === undefined ? [] : [session.observation];
    }));
  }

  /** Takes down what the vna of a datapath sees, again and again until it is done or the vna has gone. */
  private async observe(session: Session): Promise<void> {
    while (session.listener && !this.stop.signal.aborted) {
      try {
        await this.takeDown(session);
        return;
      } catch {
        await setTimeout(OBSERVE_RETRY_MS, undefined, { ref: false });
      }
    }
  }

  private publishApplied(session: Session): void {
    const applied = session.applied(this.name, this.revision());
    if (applied && this.sessions.get(session.datapath_uuid) === session) this.board.publish(applied);
  }

  /** As of what is in the store now. */
  private async publishAll(): Promise<void> {
    await this.replica.catchUp().catch(() => undefined);
    for (const session of this.sessions.values()) this.publishApplied(session);
  }

  /** Keeps a session per datapath. One whose switch became another starts anew. */
  private followDatapaths(changes: readonly EntityChange[]): void {
    let changed = false;
    for (const { uuid, before, after } of changes) {
      if (before?.kind === 'chassis' && after === undefined) this.reassert(before.datapath_uuid);
      const [was, is] = [before, after].map((entity) => (entity?.kind === 'datapath' ? entity.dpid : undefined));
      if (was === is) continue;
      changed = true;
      if (was !== undefined) this.drop(uuid);
      if (is !== undefined) this.sessions.set(uuid, new Session(uuid));
    }
    if (changed) for (const look of [...this.expecting]) look();
  }

  private drop(uuid: string): void {
    this.sessions.get(uuid)?.detach();
    this.sessions.delete(uuid);
    this.board.forget(uuid, this.name);
    this.confirmations.changed(uuid);
  }

  /** What the vna of a datapath sees was deleted with the datapath, which may be there again. */
  private reassert(datapath_uuid: string): void {
    const session = this.sessions.get(datapath_uuid);
    if (session) void this.observe(session);
  }

  private uuidsOf(kind: 'datapath' | 'chassis'): string[] {
    return [...this.replica.model.from(kindIndex(kind), '')];
  }

  private presented(): string[] {
    return this.uuidsOf('chassis').map((uuid) => entityOf(this.replica.model, 'chassis', uuid)!.datapath_uuid);
  }

  private datapathStatus(uuid: string): DatapathStatus {
    const applied = this.board.get(uuid);
    return {
      uuid,
      connected: applied?.connected ?? false,
      desired_revision: this.revision().number,
      applied_revision: this.confirmations.appliedRevision(uuid),
      served_by: applied?.attached ? applied.served_by : null,
      flow_count: applied?.flow_count ?? 0,
      flow_mods: applied?.flow_mods ?? 0,
      drift_repairs: applied?.drift_repairs ?? 0,
      last_error: applied?.error?.message ?? null,
      conflicts: this.bindings.conflicts(uuid),
      conditions: applied?.conditions ?? [],
    };
  }
}

function notAttached(datapath_uuid: string): HotoriError {
  return new HotoriError('unavailable', `the vna of ${datapath_uuid} is not attached`);
}
