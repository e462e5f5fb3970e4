/**
 * vnmgr: the authority over the model, one of any number on a store.
 *
 * Owns: a replica of the model with its bindings and slices, the queue of what is to be committed, the leases of gateways.
 * Promises: all vnmgr of a store come to the same slices, whoever committed a change. Each commit goes to the datapaths it concerns that are
 * attached here before its caller hears of it.
 */
import { chassisUuid } from '../flows/model/entities/presence.js';
import { gatewayOwnerOf, gatewaysOf } from '../flows/model/gateways.js';
import { kindIndex } from '../flows/model/indexes.js';
import { entityOf } from '../flows/model/view.js';
import type { AppliedBoard } from './applied/board.js';
import { MemoryAppliedBoard } from './applied/memory-board.js';
import type { Controller, DatapathStatus, ExecuteOptions, ExecuteResult, InstalledResult, Operation, Status } from './contract.js';
import type { Clock, Random } from './kernel/ambient.js';
import type { LiveCommand, LiveReport } from './messages/live.js';
import {
  GATEWAY_LEASE_MS,
  type DatapathHello,
  type FlowEntry,
  type SliceAttachment,
  type SliceMessage,
  type SliceSource,
  type TraceCheck,
  type TraceProbe,
} from './messages/slice.js';
import { ReplicaReads } from './replica-reads.js';
import { Replica, type ReplicaFollower, type ReplicaLog } from './replica.js';
import { Bindings, type BindingChange } from './slices/bindings.js';
import { Confirmations } from './slices/confirmations.js';
import { Sessions } from './slices/sessions.js';
import { Slices } from './slices/slices.js';
import type { Store, StoredChange } from './store/contract.js';
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

const ID_BYTES = 8;

export class Vnmgr extends ReplicaReads implements Controller, SliceSource, ReplicaFollower {
  readonly name: string;
  readonly version: string;
  private readonly parts: VnmgrParts;
  protected readonly replica: Replica;
  private readonly queue: TransactionQueue;
  private readonly bindings: Bindings;
  private readonly slices: Slices;
  protected readonly traces: TraceService;
  private readonly board: AppliedBoard;
  private readonly confirmations: Confirmations;
  private readonly sessions: Sessions;
  private readonly stop = new AbortController();
  private readonly idPrefix: string;
  private requests = 0;

  private constructor(parts: VnmgrParts, replica: Replica) {
    super();
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
    this.sessions = new Sessions({
      replica,
      queue: this.queue,
      slices: this.slices,
      board,
      clock,
      name: this.name,
      autoRegister: options.autoRegister,
      execute: (operations) => this.execute(operations),
      holdGateway: (datapath, iface) => this.holdGateway(datapath, iface),
      behind: (revision, datapaths) =>
        datapaths.filter((uuid) => this.sessions.has(uuid) && (this.confirmations.appliedRevision(uuid) ?? -1) < revision),
      onGone: (uuid) => this.confirmations.changed(uuid),
      signal: this.stop.signal,
    });
    replica.attach(this);
    this.traces = new TraceService({ replica, clock, random, calls: this, options: options.tracing });
    board.watch((uuid) => this.confirmations.changed(uuid), this.stop.signal);
    board.onRefresh(() => void this.sessions.publishAll(), this.stop.signal);
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
    this.sessions.close();
    await this.replica.close();
  }

  execute(operations: readonly Operation[], { request_id }: ExecuteOptions = {}): Promise<ExecuteResult> {
    // Every request has an id, so that its outcome can be found when the store does not answer.
    return this.queue.run(() => operations, request_id ?? `${this.idPrefix}-${++this.requests}`);
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

  flows(datapath_uuid: string, owner?: string): Promise<readonly FlowEntry[]> {
    return this.sessions.ask(datapath_uuid, ({ flowProvider }) => flowProvider && (() => flowProvider(owner)));
  }

  acceptSlice(datapath_uuid: string): Promise<boolean> {
    return this.sessions.ask(datapath_uuid, ({ sliceAcceptor }) => sliceAcceptor && (async () => sliceAcceptor()));
  }

  checkTraces(datapath_uuid: string, probes: readonly TraceProbe[]): Promise<readonly TraceCheck[]> {
    return this.sessions.ask(datapath_uuid, ({ traceChecker }) => traceChecker && (() => traceChecker(probes)));
  }

  live(datapath_uuid: string, command: LiveCommand): Promise<LiveReport> {
    return this.sessions.ask(datapath_uuid, ({ liveProvider }) => liveProvider && (() => liveProvider(command)));
  }

  isDefined(dpid: string): boolean {
    return this.sessions.isDefined(dpid);
  }

  attach(hello: DatapathHello, onMessage: (message: SliceMessage) => void, signal: AbortSignal): Promise<SliceAttachment> {
    return this.sessions.attach(hello, onMessage, signal);
  }

  /** The replica has a change of the store: everything else in memory follows. */
  changed(change: StoredChange, changes: readonly EntityChange[]): void {
    this.queue.changed(change);
    this.sessions.follow(changes);
    const concerned: string[] = [];
    const at = this.revision();
    const started = performance.now();
    const bound = this.bindings.update(changes);
    const deltas = this.slices.update(changes, bound);
    this.timed('incremental', started);
    for (const uuid of hostsFirst(deltas.keys(), bound)) {
      this.sessions.sendDelta(uuid, deltas.get(uuid)!);
      // A datapath that no vna has ever presented has nobody to confirm anything.
      if (this.replica.model.get(chassisUuid(uuid))) concerned.push(uuid);
    }
    this.confirmations.record(at, concerned);
  }

  /** The store was read again, as after it was restored: revisions from before do not compare. */
  reloaded(changes: readonly EntityChange[]): void {
    this.queue.reloaded();
    this.sessions.follow(changes);
    const started = performance.now();
    this.slices.update(changes, this.bindings.update(changes));
    this.timed('full', started);
    const at = this.revision();
    this.confirmations.restart(at);
    this.sessions.restart();
    this.board.refresh();
  }

  private timed(kind: 'full' | 'incremental', started: number): void {
    this.parts.onCompiled?.(kind, (performance.now() - started) / 1000);
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

/** Where something is plugged comes before those who only hear of it: somebody waits for the NIC. */
function hostsFirst(datapaths: Iterable<string>, bound: readonly BindingChange[]): string[] {
  const hosts = new Set(bound.map(({ after }) => after?.datapath_uuid));
  return [...datapaths].sort((a, b) => Number(hosts.has(b)) - Number(hosts.has(a)));
}
