/**
 * vnmgr as a vna on another host sees it.
 *
 * Owns: finding a vnmgr, noticing that it is gone and going to another, and what has to be told again then.
 * Promises: a slice message is handed on whole and in order, or the attachment ends, or a new snapshot is asked for. While no vnmgr answers, or the bus is
 * away, `attach` waits and says so once; what was told last stands.
 */
import { HotoriError } from '../../flows/model/errors.js';
import { BusError, type Bus } from '../bus/contract.js';
import type { Random } from '../kernel/ambient.js';
import { callOut } from '../kernel/call-out.js';
import { decodeMessage, MessageError } from '../messages/envelope.js';
import type { LiveCommand, LiveProvider } from '../messages/live.js';
import { GATEWAY_LEASE_MS } from '../messages/slice.js';
import type {
  AppliedReport,
  ChassisFacts,
  DatapathHello,
  FlowProvider,
  SliceAcceptor,
  SliceAttachment,
  SliceMessage,
  SliceRecord,
  SliceSource,
  TraceChecker,
  TraceProbe,
  VifObservation,
} from '../messages/slice.js';
import {
  attachedSchema,
  behindSchema,
  checkedSchema,
  DATAPATH_REQUESTS,
  datapathOf,
  heldSchema,
  knownSchema,
  SLICE_MESSAGES,
  SLICES,
  slicesOf,
  topicOf,
  vnaOf,
  type DeltaBody,
  type SnapshotPart,
} from '../messages/slice-service.js';
import { answerMessages, ask, Complaints, isUnreachable } from './exchange.js';
import type { ServiceLog } from './log.js';
import { RetryPauses } from './retry-pauses.js';

export interface SliceClientParts {
  readonly bus: Bus;
  readonly random: Random;
  readonly log: ServiceLog;
  /** What this vna is called, also after a restart. */
  readonly instance: string;
  /** Between two looks at whether vnmgr lives, milliseconds. */
  readonly checkMs?: number;
  /** How long a vnmgr may give no answer before another is looked for, milliseconds. One with much to do may be late with everything. */
  readonly lossMs?: number;
}

const ATTACH_MS = 30_000;
const CHECK_MS = 3_000;
const REQUEST_MS = 5_000;
const LOSS_MS = 8_000;
const RETRY_MS = 500;
/** Where nobody was asked, and where somebody could not answer. */
const MOST_NOBODY_MS = 2_000;
const MOST_BUSY_MS = 15_000;

export class SliceClient implements SliceSource {
  private readonly parts: SliceClientParts;
  private readonly attachments = new Map<string, RemoteAttachment>();
  /** When each vnmgr that has attachments answered last. */
  private readonly heard = new Map<string, number>();
  /** What each bridge, by dpid, was told last: for the log. */
  private readonly told = new Map<string, { readonly datapath: string; readonly revision: number }>();
  private readonly stopping = new AbortController();
  private readonly checking: NodeJS.Timeout;
  private readonly complaints: Complaints;
  private isChecking = false;
  private gaps = 0;
  private relists = 0;

  constructor(parts: SliceClientParts) {
    this.parts = parts;
    this.complaints = new Complaints(parts.log);
    const { bus, log } = parts;
    const answers = { ping: () => Promise.resolve({ known: true }) };
    answerMessages(bus, vnaOf(bus.member), { ping: knownSchema.partial() }, answers, log, this.stopping.signal);
    this.checking = setInterval(() => void this.check(), parts.checkMs ?? CHECK_MS);
  }

  /** How often messages were missing, and snapshots were asked for. */
  get counters(): { readonly gaps: number; readonly relists: number } {
    return { gaps: this.gaps, relists: this.relists };
  }

  async attach(hello: DatapathHello, onMessage: (message: SliceMessage) => void, signal: AbortSignal): Promise<SliceAttachment> {
    const { bus, log, instance, random } = this.parts;
    const pauses = new RetryPauses(random);
    let isSilent = false;
    for (;;) {
      signal.throwIfAborted();
      const attachment_id = `${bus.member}/${Buffer.from(random.bytes(8)).toString('hex')}`;
      try {
        const body = { attachment_id, hello: { ...hello, instance } };
        const { answer, server } = await ask(bus, SLICES, 'attach', body, attachedSchema, { timeoutMs: ATTACH_MS, signal });
        isSilent = false;
        if (answer.pending) continue;
        signal.throwIfAborted();
        const note = (message: SliceMessage) => {
          this.told.set(hello.dpid, { datapath: message.datapath_uuid, revision: message.revision.number });
          onMessage(message);
        };
        return this.begin(attachment_id, answer.datapath_uuid, server, note, signal);
      } catch (error) {
        if (!isUnreachable(error)) throw error;
        const context = this.told.get(hello.dpid) ?? { datapath: hello.dpid, revision: null };
        if (!isSilent) log.warn({ bridge: hello.bridge, ...context, reason: error.message }, 'no vnmgr answers; what is installed stays');
        isSilent = true;
        const isNobody = error.code === 'no_server' || error.code === 'unavailable';
        await pause(pauses.next(isNobody ? MOST_NOBODY_MS : MOST_BUSY_MS), signal);
      }
    }
  }

  /** Ends all attachments. */
  async close(): Promise<void> {
    clearInterval(this.checking);
    const { bus } = this.parts;
    const leaving = [...this.attachments.values()].map(async ({ id, server }) => {
      await ask(bus, slicesOf(server), 'detach', { attachment_id: id }, knownSchema, { timeoutMs: 1_000 }).catch(() => undefined);
    });
    await Promise.all(leaving);
    this.stopping.abort();
    for (const attachment of [...this.attachments.values()]) attachment.end();
  }

  private begin(
    id: string,
    datapath_uuid: string,
    server: string,
    onMessage: (message: SliceMessage) => void,
    signal: AbortSignal,
  ): SliceAttachment {
    const attachment = new RemoteAttachment({ bus: this.parts.bus, log: this.parts.log, id, datapath_uuid, server, onMessage }, (event) => {
      if (event === 'gap') this.gaps++;
      else if (event === 'relist') this.relists++;
      else if (event === 'ended') {
        this.attachments.delete(id);
        signal.removeEventListener('abort', onAbort);
      } else this.complaints.of(server, event);
    });
    const onAbort = () => attachment.end();
    signal.addEventListener('abort', onAbort, { once: true });
    this.attachments.set(id, attachment);
    this.heard.set(server, performance.now());
    return attachment;
  }

  /** Asks each vnmgr whether it still has what it had. */
  private async check(): Promise<void> {
    if (this.isChecking) return;
    this.isChecking = true;
    const byServer = new Map<string, RemoteAttachment[]>();
    for (const attachment of this.attachments.values())
      byServer.set(attachment.server, [...(byServer.get(attachment.server) ?? []), attachment]);
    for (const server of [...this.heard.keys()]) if (!byServer.has(server)) this.heard.delete(server);
    await Promise.all([...byServer].map(([server, attachments]) => this.checkServer(server, attachments)));
    this.isChecking = false;
  }

  private async checkServer(server: string, attachments: readonly RemoteAttachment[]): Promise<void> {
    const { bus, log } = this.parts;
    const before = attachments.map(({ position }) => position);
    try {
      const body = { attachment_ids: attachments.map(({ id }) => id) };
      const { answer } = await ask(bus, slicesOf(server), 'check', body, checkedSchema, {
        timeoutMs: 2 * (this.parts.checkMs ?? CHECK_MS),
      });
      this.heard.set(server, performance.now());
      for (const [index, attachment] of attachments.entries()) {
        const last = answer[attachment.id];
        if (last === undefined) attachment.end();
        else attachment.checkPosition(last, before[index]!);
      }
    } catch (error) {
      // While the bus is away nobody can be reached, and when it is back not everybody at once: that says nothing of vnmgr.
      if (
        error instanceof BusError &&
        (!bus.isSettled || error.code === 'unavailable' || error.code === 'closed' || error.code === 'overloaded')
      )
        return;
      const isLate = error instanceof BusError && error.code !== 'failed';
      if (isLate && performance.now() - (this.heard.get(server) ?? -Infinity) < (this.parts.lossMs ?? LOSS_MS)) return;
      log.warn(
        { vnmgr: server, reason: error instanceof Error ? error.message : String(error) },
        'vnmgr does not answer; going to another',
      );
      for (const attachment of attachments) attachment.end();
    }
  }
}

interface RemoteParts {
  readonly bus: Bus;
  readonly log: ServiceLog;
  readonly id: string;
  readonly datapath_uuid: string;
  readonly server: string;
  readonly onMessage: (message: SliceMessage) => void;
}

interface Reports {
  vifs?: readonly VifObservation[];
  chassis?: ChassisFacts;
  applied?: AppliedReport;
}

class RemoteAttachment implements SliceAttachment {
  readonly id: string;
  readonly datapath_uuid: string;
  readonly server: string;
  readonly closed: Promise<void>;
  /** Of the last message that came. */
  position = 0;
  private readonly parts: RemoteParts;
  private readonly tell: (event: 'gap' | 'relist' | 'ended' | MessageError) => void;
  private readonly over = new AbortController();
  private close!: () => void;
  /** What has to be told, the latest of each. */
  private reports: Reports = {};
  private isReporting = false;
  private flowProvider: FlowProvider | undefined;
  private sliceAcceptor: SliceAcceptor | undefined;
  private traceChecker: TraceChecker | undefined;
  private liveProvider: LiveProvider | undefined;
  private isServing = false;
  private isRelisting = false;
  private snapshot: { readonly head: SnapshotPart; readonly entities: SliceRecord[]; next: number } | undefined;
  /** After a gap only a snapshot is of use. */
  private isBroken = false;
  /** Where the topic stood at the check before, if it was ahead of us. */
  private aheadTo: number | undefined;

  constructor(parts: RemoteParts, tell: (event: 'gap' | 'relist' | 'ended' | MessageError) => void) {
    this.parts = parts;
    this.id = parts.id;
    this.datapath_uuid = parts.datapath_uuid;
    this.server = parts.server;
    this.tell = tell;
    this.closed = new Promise((resolve) => (this.close = resolve));
    parts.bus.read(
      topicOf(this.id),
      0,
      {
        onMessage: ({ position, payload }) => {
          this.position = position;
          this.take(payload);
        },
        onGap: () => {
          tell('gap');
          this.breakOff();
        },
      },
      this.over.signal,
    );
  }

  reportVifs(vifs: readonly VifObservation[]): void {
    this.report({ vifs });
  }

  reportChassis(chassis: ChassisFacts): void {
    this.report({ chassis });
  }

  reportApplied(applied: AppliedReport): void {
    this.report({ applied });
  }

  async holdGateway(interface_uuid: string): Promise<boolean> {
    const { bus, id, server } = this.parts;
    const body = { attachment_id: id, interface_uuid };
    const { answer } = await ask(bus, slicesOf(server), 'hold_gateway', body, heldSchema, { timeoutMs: GATEWAY_LEASE_MS });
    return answer.held;
  }

  async behind(revision: number, datapaths: readonly string[]): Promise<readonly string[]> {
    const { bus, id, server } = this.parts;
    const body = { attachment_id: id, revision, datapaths };
    const { answer } = await ask(bus, slicesOf(server), 'behind', body, behindSchema, { timeoutMs: REQUEST_MS, signal: this.over.signal });
    return answer.datapaths;
  }

  relist(): void {
    if (this.isRelisting || this.over.signal.aborted) return;
    this.isRelisting = true;
    this.tell('relist');
    void this.insist('relist', () => ({ attachment_id: this.id })).then(() => (this.isRelisting = false));
  }

  serveFlows(provider: FlowProvider): void {
    this.flowProvider = provider;
    this.serve();
  }

  serveAcceptance(acceptor: SliceAcceptor): void {
    this.sliceAcceptor = acceptor;
    this.serve();
  }

  serveLive(provider: LiveProvider): void {
    this.liveProvider = provider;
    this.serve();
  }

  serveChecks(checker: TraceChecker): void {
    this.traceChecker = checker;
    this.serve();
  }

  /** vnmgr has not got it any more, or is gone. */
  end(): void {
    if (this.over.signal.aborted) return;
    this.over.abort();
    this.tell('ended');
    this.close();
  }

  /** @param last message of the topic. @param before the position when that was asked: messages take a while. */
  checkPosition(last: number, before: number): void {
    const isStuck = this.aheadTo !== undefined && this.position < this.aheadTo && this.position === before;
    this.aheadTo = last > this.position ? last : undefined;
    // What was asked for may have been lost as well.
    if (isStuck || this.isBroken) this.breakOff();
  }

  private serve(): void {
    if (this.isServing) return;
    this.isServing = true;
    const { bus, log } = this.parts;
    const answers = {
      flows: async ({ owner }: { owner?: string | undefined }) => (this.flowProvider ?? this.refuse())(owner),
      accept_slice: async () => ({ accepted: await (this.sliceAcceptor ?? this.refuse())() }),
      live: (command: LiveCommand) => (this.liveProvider ?? this.refuse())(command),
      check_traces: ({ probes }: { probes: readonly TraceProbe[] }) => (this.traceChecker ?? this.refuse())(probes),
    };
    answerMessages(bus, datapathOf(this.datapath_uuid), DATAPATH_REQUESTS, answers, log, this.over.signal);
  }

  private refuse(): never {
    throw new HotoriError('unavailable', `the vna of ${this.datapath_uuid} does not answer that yet`);
  }

  private report(reports: Reports): void {
    this.reports = { ...this.reports, ...reports };
    if (!this.isReporting) void this.sendReports();
  }

  private async sendReports(): Promise<void> {
    this.isReporting = true;
    while (Object.keys(this.reports).length > 0 && !this.over.signal.aborted) {
      let sent: Reports = {};
      await this.insist('report', () => {
        // What is newer by the time it is sent again goes in its place.
        sent = { ...sent, ...this.reports };
        this.reports = {};
        return { attachment_id: this.id, ...sent };
      });
    }
    // In the same turn as the last look: what is reported later is sent anew.
    this.isReporting = false;
  }

  /** Asks until there is an answer, or the attachment is over. */
  private async insist(kind: string, body: () => unknown): Promise<void> {
    const { bus, log } = this.parts;
    while (!this.over.signal.aborted) {
      try {
        const { answer } = await ask(bus, slicesOf(this.server), kind, body(), knownSchema, {
          timeoutMs: REQUEST_MS,
          signal: this.over.signal,
        });
        if (!answer.known) this.end();
        return;
      } catch (error) {
        if (isOver(this.over.signal)) return;
        if (error instanceof HotoriError || error instanceof MessageError || (error instanceof BusError && error.code === 'closed')) {
          log.error({ datapath: this.datapath_uuid, kind, reason: error.message }, 'vnmgr does not take what it is told; attaching again');
          return this.end();
        }
        // Whether vnmgr is lost, the checks find out.
        await pause(RETRY_MS, this.over.signal).catch(() => undefined);
      }
    }
  }

  private take(payload: Uint8Array): void {
    let message: { kind: string; body: unknown };
    try {
      message = decodeMessage<unknown>(payload, SLICE_MESSAGES);
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.tell(error);
      return error.code === 'version' ? this.end() : this.breakOff();
    }
    if (message.kind === 'closed') return this.end();
    if (message.kind === 'snapshot') return this.takePart(message.body as SnapshotPart);
    this.snapshot = undefined;
    if (!this.isBroken) this.hand({ kind: 'delta', ...(message.body as DeltaBody) });
  }

  private takePart(body: SnapshotPart): void {
    if (body.part === 0) this.snapshot = { head: body, entities: [], next: 0 };
    const { snapshot } = this;
    // The rest of one that was broken off.
    if (snapshot === undefined || body.seq !== snapshot.head.seq || body.part !== snapshot.next) return void (this.snapshot = undefined);
    for (const record of body.entities) snapshot.entities.push(record);
    if (++snapshot.next < body.parts) return;
    this.snapshot = undefined;
    this.isBroken = false;
    const { schema_version, datapath_uuid, seq, revision } = body;
    this.hand({ kind: 'snapshot', schema_version, datapath_uuid, seq, revision, entities: snapshot.entities });
  }

  private breakOff(): void {
    this.snapshot = undefined;
    this.isBroken = true;
    this.relist();
  }

  private hand(message: SliceMessage): void {
    if (!this.over.signal.aborted) callOut(() => this.parts.onMessage(message));
  }
}

/** A call, so that the compiler does not take the state before an await for the state after it. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Rejects with the signal's reason. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
