/**
 * The datapaths whose vna is attached to this vnmgr.
 *
 * Owns: a session per defined datapath, admission of vnas, committing what they see, saying on the board what they have confirmed.
 * Promises: a vna is attached to the datapath with its switch's dpid, once it is defined or registered; it gets a snapshot that has what it sees, and
 * every change of its slice after that. A datapath that was deleted, or got another switch, starts anew.
 */
import { setTimeout } from 'node:timers/promises';
import { HotoriError } from '../../flows/model/errors.js';
import { dpidKey, kindIndex } from '../../flows/model/indexes.js';
import type { AppliedBoard } from '../applied/board.js';
import type { ExecuteResult, Operation } from '../contract.js';
import type { Clock } from '../kernel/ambient.js';
import type {
  AppliedReport,
  ChassisFacts,
  DatapathHello,
  SliceAttachment,
  SliceMessage,
  SliceSource,
  VifObservation,
} from '../messages/slice.js';
import type { Replica } from '../replica.js';
import type { TransactionQueue } from '../transaction/queue.js';
import type { EntityChange } from '../transaction/transaction.js';
import { checkAdmission } from './admission.js';
import { observationOf } from './observation.js';
import { registrationOf } from './registration.js';
import { Session } from './session.js';
import type { SliceChange, Slices } from './slices.js';

const DPID = /^0x[0-9a-f]{16}$/;
/** Milliseconds until what a vna sees is taken down again after it could not be. */
const OBSERVE_RETRY_MS = 1_000;

export interface SessionsParts {
  readonly replica: Replica;
  readonly queue: TransactionQueue;
  readonly slices: Slices;
  readonly board: AppliedBoard;
  readonly clock: Clock;
  /** Of this vnmgr. */
  readonly name: string;
  readonly autoRegister: boolean;
  readonly execute: (operations: readonly Operation[]) => Promise<ExecuteResult>;
  readonly holdGateway: (datapathUuid: string, interfaceUuid: string) => Promise<boolean>;
  /** Of these datapaths, those that have not installed a revision. */
  readonly behind: (revision: number, datapaths: readonly string[]) => readonly string[];
  /** A datapath is no more. */
  readonly onGone: (datapathUuid: string) => void;
  readonly signal: AbortSignal;
}

export class Sessions implements SliceSource {
  private readonly parts: SessionsParts;
  private readonly sessions = new Map<string, Session>();
  /** Those who wait for a datapath to be defined. */
  private readonly expecting = new Set<() => void>();

  constructor(parts: SessionsParts) {
    this.parts = parts;
    for (const uuid of parts.replica.model.from(kindIndex('datapath'), '')) this.sessions.set(uuid, new Session(uuid));
  }

  has(datapath_uuid: string): boolean {
    return this.sessions.has(datapath_uuid);
  }

  /**
   * Asks the vna of a datapath.
   * @throws HotoriError `unknown_uuid`, or `unavailable` when no vna is attached
   */
  async ask<Answer>(datapath_uuid: string, how: (session: Session) => (() => Promise<Answer>) | undefined): Promise<Answer> {
    const session = this.sessions.get(datapath_uuid);
    if (session === undefined) throw new HotoriError('unknown_uuid', `there is no datapath ${datapath_uuid}`);
    const ask = how(session);
    if (ask === undefined) throw new HotoriError('unavailable', `the vna of ${datapath_uuid} is not attached`);
    return ask();
  }

  sendDelta(datapath_uuid: string, delta: SliceChange): void {
    this.sessions.get(datapath_uuid)?.sendDelta(this.parts.replica.revision(), delta);
  }

  /** Revisions from before do not compare: everybody gets a snapshot. */
  restart(): void {
    const at = this.parts.replica.revision();
    for (const session of this.sessions.values()) {
      session.forgetRevisions();
      if (session.listener) session.sendSnapshot(at, this.parts.slices.slice(session.datapath_uuid));
      this.publishApplied(session);
    }
  }

  /** Ends all attachments. */
  close(): void {
    for (const session of this.sessions.values()) this.detach(session);
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
      if (isOpen) session.sendSnapshot(this.parts.replica.revision(), this.parts.slices.slice(uuid));
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
      holdGateway: (interface_uuid) => (isOpen ? this.parts.holdGateway(uuid, interface_uuid) : Promise.resolve(false)),
      behind: (revision, datapaths) => Promise.resolve(this.parts.behind(revision, datapaths)),
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

  /** Whether the datapath is there, or would be registered. */
  isDefined(dpid: string): boolean {
    return this.parts.autoRegister || [...this.parts.replica.model.lookup(dpidKey(dpid))].length > 0;
  }

  /** The session of the datapath with the switch's dpid: as defined, as registered now, or once it is defined. */
  private async sessionFor(hello: DatapathHello, signal: AbortSignal): Promise<Session> {
    if (!DPID.test(hello.dpid))
      throw new HotoriError('invalid_argument', `${JSON.stringify(hello.dpid)} is not 0x and 16 lower case hex digits`);
    for (;;) {
      signal.throwIfAborted();
      if (this.parts.signal.aborted) throw new HotoriError('unavailable', 'the controller is stopping');
      for (const uuid of this.parts.replica.model.lookup(dpidKey(hello.dpid))) return this.sessions.get(uuid)!;
      if (this.parts.autoRegister) await this.register(hello);
      else await this.nextDefinition(signal);
    }
  }

  private async register(hello: DatapathHello): Promise<void> {
    const { model } = this.parts.replica;
    try {
      await this.parts.execute([registrationOf(hello, (uuid) => model.get(uuid) !== undefined)]);
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

  /** Commits what the vna of a datapath sees now; several reports that wait become one. Nothing is committed when it is as it was. */
  private takeDown(session: Session): Promise<unknown> {
    return (session.takingDown ??= this.parts.queue.run(() => {
      session.takingDown = undefined;
      return session.observation === undefined ? [] : [session.observation];
    }));
  }

  /** Takes down what the vna of a datapath sees, again and again until it is done or the vna has gone. */
  private async observe(session: Session): Promise<void> {
    while (session.listener && !this.parts.signal.aborted) {
      try {
        await this.takeDown(session);
        return;
      } catch {
        await setTimeout(OBSERVE_RETRY_MS, undefined, { ref: false });
      }
    }
  }

  private drop(uuid: string): void {
    this.sessions.get(uuid)?.detach();
    this.sessions.delete(uuid);
    this.parts.board.forget(uuid, this.parts.name);
    this.parts.onGone(uuid);
  }

  /** What the vna of a datapath sees was deleted with the datapath, which may be there again. */
  private reassert(datapath_uuid: string): void {
    const session = this.sessions.get(datapath_uuid);
    if (session) void this.observe(session);
  }

  private publishApplied(session: Session): void {
    const applied = session.applied(this.parts.name, this.parts.replica.revision());
    if (applied && this.sessions.get(session.datapath_uuid) === session) this.parts.board.publish(applied);
  }

  /** As of what is in the store now. */
  async publishAll(): Promise<void> {
    await this.parts.replica.catchUp().catch(() => undefined);
    for (const session of this.sessions.values()) this.publishApplied(session);
  }

  /** Keeps a session per datapath. One whose switch became another starts anew. */
  follow(changes: readonly EntityChange[]): void {
    let changed = false;
    for (const { uuid, before, after } of changes) {
      if (before?.kind === 'chassis' && after === undefined) this.reassert(before.datapath_uuid);
      const was = before?.kind === 'datapath' ? before.dpid : undefined;
      const is = after?.kind === 'datapath' ? after.dpid : undefined;
      if (was === is) continue;
      changed = true;
      if (was !== undefined) this.drop(uuid);
      if (is !== undefined) this.sessions.set(uuid, new Session(uuid));
    }
    if (changed) for (const look of [...this.expecting]) look();
  }
}
