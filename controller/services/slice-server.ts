/**
 * vnmgr for vnas on other hosts.
 *
 * Owns: attachments over the bus: the topic each is told its slice by, who has them, and their end.
 * Assumes: a dpid is served by one vna; which one, all vnmgr see in the table of claims.
 * Promises: a vna that shows no sign of life for DEAD_MS is let go. One that went to another vnmgr is let go here. A second vna for a dpid
 * is refused while the first lives, and both are named.
 */
import { HotoriError } from '../../flows/model/errors.js';
import type { Bus, TopicWriter } from '../bus/contract.js';
import { Breath } from '../kernel/breath.js';
import { encodeMessage } from '../messages/envelope.js';
import type { Revision, SliceAttachment, SliceMessage, SliceSource } from '../messages/slice.js';
import {
  CLAIMS,
  knownSchema,
  SLICE_REQUESTS,
  SLICES,
  slicesOf,
  topicOf,
  vnaOf,
  type Claim,
  type SliceRequest,
} from '../messages/slice-service.js';
import { rivalryOf } from '../slices/admission.js';
import { decodeClaim, encodeClaim } from './claims.js';
import { answerMessages, ask, isUnreachable } from './exchange.js';
import type { ServiceLog } from './log.js';
import { Places } from './places.js';
import { askAcceptance, askChecks, askFlows, askLive } from './vna-questions.js';

export interface SliceServerParts {
  readonly bus: Bus;
  readonly source: SliceSource & {
    /** false: attaching waits until somebody defines the datapath. */
    isDefined(dpid: string): boolean;
    revision(): Revision;
  };
  readonly log: ServiceLog;
}

/** A vna whose datapath is not defined is told to ask again. */
const PENDING_MS = 15_000;
const DEAD_MS = 15_000;
const CLAIM_TTL_MS = 15_000;
const TEND_MS = 3_000;
/** When a vnmgr is lost, all that it served come at once. */
const ATTACHING = 16;
const PLACE_MS = 10_000;
const PING_MS = 2_000;
const SUCCESSOR_PING_MS = 500;
const KEEP_MESSAGES = 5_000;
const PART_RECORDS = 2_000;

interface Attachment {
  readonly claim: Claim;
  readonly dpid: string;
  readonly stop: AbortController;
  readonly slices: SliceAttachment;
  readonly outgoing: Outgoing;
  lastSeen: number;
}

export class SliceServer {
  private readonly parts: SliceServerParts;
  private readonly attachments = new Map<string, Attachment>();
  /** The same: there is one for a dpid. */
  private readonly byDpid = new Map<string, Attachment>();
  /** By dpid: what the bus tells. */
  private readonly claims = new Map<string, Claim>();
  /** Attaching one dpid at a time. */
  private readonly turns = new Map<string, Promise<unknown>>();
  private readonly places = new Places(ATTACHING);
  private tended = performance.now();
  private readonly stopping = new AbortController();
  private readonly tending: NodeJS.Timeout;

  constructor(parts: SliceServerParts) {
    this.parts = parts;
    const { bus, log } = parts;
    const { signal } = this.stopping;
    bus.watch(CLAIMS, (change) => this.followClaims(change), signal);
    const handlers = {
      attach: (body: SliceRequest['attach'], client: string, ending: AbortSignal) => this.attach(body, client, ending),
      detach: ({ attachment_id }: SliceRequest['detach']) => {
        const attachment = this.attachments.get(attachment_id);
        if (attachment !== undefined) {
          this.drop(attachment);
          void this.withdraw(attachment);
        }
        return Promise.resolve({ known: attachment !== undefined });
      },
      relist: ({ attachment_id }: SliceRequest['relist']) => this.with(attachment_id, ({ slices }) => slices.relist()),
      report: ({ attachment_id, vifs, chassis, applied }: SliceRequest['report']) =>
        this.with(attachment_id, ({ slices }) => {
          if (vifs !== undefined) slices.reportVifs(vifs);
          if (chassis !== undefined) slices.reportChassis(chassis);
          if (applied !== undefined) slices.reportApplied(applied);
        }),
      hold_gateway: async ({ attachment_id, interface_uuid }: SliceRequest['hold_gateway']) => ({
        held: (await this.attachments.get(attachment_id)?.slices.holdGateway(interface_uuid)) ?? false,
      }),
      behind: async ({ attachment_id, revision, datapaths }: SliceRequest['behind']) => ({
        datapaths: (await this.attachments.get(attachment_id)?.slices.behind(revision, datapaths)) ?? datapaths,
      }),
      check: ({ attachment_ids }: SliceRequest['check']) => Promise.resolve(this.check(attachment_ids)),
    };
    answerMessages(bus, SLICES, SLICE_REQUESTS, handlers, log, signal);
    answerMessages(bus, slicesOf(bus.member), SLICE_REQUESTS, handlers, log, signal);
    this.tending = setInterval(() => this.tend(), TEND_MS);
  }

  /** Datapaths served from here. */
  get attached(): number {
    return this.attachments.size;
  }

  /** Lets all vnas go: they attach elsewhere, with all flows in place. */
  async close(): Promise<void> {
    clearInterval(this.tending);
    this.stopping.abort(new HotoriError('unavailable', 'this vnmgr is stopping'));
    const farewells = [...this.attachments.values()].map((attachment) => {
      this.drop(attachment);
      return attachment.outgoing.flushed();
    });
    await Promise.all(farewells);
  }

  private attach(body: SliceRequest['attach'], vna: string, ending: AbortSignal): Promise<unknown> {
    const { dpid } = body.hello;
    const before = this.turns.get(dpid) ?? Promise.resolve();
    const turn = before.then(() => this.attachNow(body, vna, ending));
    const settled = turn
      .catch(() => undefined)
      .then(() => {
        if (this.turns.get(dpid) === settled) this.turns.delete(dpid);
      });
    this.turns.set(dpid, settled);
    return turn;
  }

  private async attachNow({ attachment_id, hello }: SliceRequest['attach'], vna: string, ending: AbortSignal): Promise<unknown> {
    const { source, log } = this.parts;
    const { dpid, node_id, bridge } = hello;
    ending.throwIfAborted();
    await this.checkRival(hello, vna);
    const other = this.byDpid.get(dpid);
    if (other !== undefined) this.drop(other);
    const begin = () => this.begin({ attachment_id, hello }, vna, ending);
    // One that waits to be defined keeps nobody busy.
    const attachment = await (source.isDefined(dpid) ? this.places.take(begin, PLACE_MS) : begin());
    if (attachment === undefined) return { pending: true, datapath_uuid: '' };
    const { datapath_uuid } = attachment.slices;
    await this.publish(attachment);
    log.info({ datapath: datapath_uuid, revision: source.revision().number, node_id, bridge, vna }, 'a vna is attached');
    return { pending: false, datapath_uuid };
  }

  /** @returns undefined when it took too long. */
  private async begin({ attachment_id, hello }: SliceRequest['attach'], vna: string, ending: AbortSignal): Promise<Attachment | undefined> {
    const { bus, source } = this.parts;
    const { dpid, node_id, bridge, instance } = hello;
    ending.throwIfAborted();
    const stop = new AbortController();
    const onEnding = () => stop.abort(ending.reason);
    ending.addEventListener('abort', onEnding, { once: true });
    const outgoing = new Outgoing(bus.write(topicOf(attachment_id), { keep: KEEP_MESSAGES }));
    const patience = setTimeout(() => stop.abort(), PENDING_MS);
    let slices: SliceAttachment;
    try {
      slices = await source.attach(hello, (message) => outgoing.send(message), stop.signal);
    } catch (error) {
      ending.removeEventListener('abort', onEnding);
      void outgoing.end();
      if (stop.signal.aborted && !ending.aborted) return undefined;
      throw error;
    } finally {
      clearTimeout(patience);
    }
    const claim: Claim = { attachment_id, node_id, bridge, instance, vna, vnmgr: bus.member };
    const attachment: Attachment = { claim, dpid, stop, slices, outgoing, lastSeen: performance.now() };
    this.attachments.set(attachment_id, attachment);
    this.byDpid.set(dpid, attachment);
    slices.serveFlows((owner) => askFlows(bus, slices.datapath_uuid, owner));
    slices.serveAcceptance(() => askAcceptance(bus, slices.datapath_uuid));
    slices.serveLive((command) => askLive(bus, slices.datapath_uuid, command));
    slices.serveChecks((probes) => askChecks(bus, slices.datapath_uuid, probes));
    void slices.closed.then(() => {
      ending.removeEventListener('abort', onEnding);
      if (this.attachments.get(attachment_id) === attachment) this.drop(attachment);
    });
    return attachment;
  }

  /** Throws HotoriError `conflict` when another vna that lives serves the dpid. */
  private async checkRival({ dpid, node_id, instance }: SliceRequest['attach']['hello'], vna: string): Promise<void> {
    const { bus, log, source } = this.parts;
    const rival = this.claims.get(dpid);
    if (rival === undefined || rival.vna === vna) return;
    try {
      // Of the same vna there is one at a time: what ran before is gone, unless a host was copied.
      const timeoutMs = rival.instance === instance ? SUCCESSOR_PING_MS : PING_MS;
      await ask(bus, vnaOf(rival.vna), 'ping', {}, knownSchema, { timeoutMs });
    } catch (error) {
      if (isUnreachable(error)) return;
      throw error;
    }
    const message = `datapath ${dpid} of node ${node_id} is served by the vna ${rival.vna} of node ${rival.node_id}; ${rivalryOf(node_id, rival.node_id)}`;
    log.error(
      { datapath: dpid, revision: source.revision().number, node_id, vna, other_node_id: rival.node_id, other_vna: rival.vna },
      'a second vna for one datapath is refused',
    );
    throw new HotoriError('conflict', message);
  }

  private with(attachment_id: string, act: (attachment: Attachment) => void): Promise<{ readonly known: boolean }> {
    const attachment = this.attachments.get(attachment_id);
    if (attachment !== undefined) {
      attachment.lastSeen = performance.now();
      act(attachment);
    }
    return Promise.resolve({ known: attachment !== undefined });
  }

  private check(attachment_ids: readonly string[]): Record<string, number> {
    const now = performance.now();
    const known: Record<string, number> = {};
    for (const id of attachment_ids) {
      const attachment = this.attachments.get(id);
      if (attachment === undefined) continue;
      attachment.lastSeen = now;
      known[id] = attachment.outgoing.position;
    }
    return known;
  }

  private tend(): void {
    const { bus, log, source } = this.parts;
    const now = performance.now();
    // What came while we were busy with something else has not been read yet.
    const late = Math.max(0, now - this.tended - TEND_MS);
    this.tended = now;
    for (const attachment of [...this.attachments.values()]) {
      // Nobody can show signs of life while the bus is away.
      if (!bus.isConnected) attachment.lastSeen = now;
      attachment.lastSeen += late;
      if (now - attachment.lastSeen > DEAD_MS) {
        const { claim, slices } = attachment;
        log.warn({ datapath: slices.datapath_uuid, revision: source.revision().number, vna: claim.vna }, 'a vna shows no sign of life');
        this.drop(attachment);
        void this.withdraw(attachment);
      } else void this.publish(attachment);
    }
  }

  private drop(attachment: Attachment): void {
    const { claim, dpid, stop, outgoing } = attachment;
    if (!this.attachments.delete(claim.attachment_id)) return;
    if (this.byDpid.get(dpid) === attachment) this.byDpid.delete(dpid);
    stop.abort();
    void outgoing.end();
  }

  private async publish({ claim, dpid }: Attachment): Promise<void> {
    this.claims.set(dpid, claim);
    // Set again before it is over.
    await this.parts.bus.put(CLAIMS, dpid, encodeClaim(claim), CLAIM_TTL_MS).catch(() => undefined);
  }

  private async withdraw({ claim, dpid }: Attachment): Promise<void> {
    if (this.claims.get(dpid)?.attachment_id !== claim.attachment_id) return;
    await this.parts.bus.remove(CLAIMS, dpid).catch(() => undefined);
  }

  private followClaims(change: ReadonlyMap<string, Uint8Array | undefined>): void {
    for (const [dpid, value] of change) {
      const claim = value === undefined ? undefined : decodeClaim(value);
      if (claim === undefined) {
        this.claims.delete(dpid);
        continue;
      }
      this.claims.set(dpid, claim);
      const attachment = this.byDpid.get(dpid);
      if (attachment !== undefined && claim.attachment_id !== attachment.claim.attachment_id && claim.vnmgr !== this.parts.bus.member)
        this.drop(attachment);
    }
  }
}

/** Slice messages into a topic, one after another, large snapshots in parts. */
class Outgoing {
  private readonly writer: TopicWriter;
  private readonly waiting: SliceMessage[] = [];
  private working: Promise<void> = Promise.resolve();
  private isWorking = false;
  private isEnded = false;
  /** Of the last message. */
  position = 0;

  constructor(writer: TopicWriter) {
    this.writer = writer;
  }

  send(message: SliceMessage): void {
    if (this.isEnded) return;
    // A snapshot says all that those before it would.
    if (message.kind === 'snapshot') this.waiting.length = 0;
    this.waiting.push(message);
    if (this.isWorking) return;
    this.isWorking = true;
    this.working = this.work();
  }

  /** Says that nothing more comes. */
  async end(): Promise<void> {
    if (this.isEnded) return;
    this.isEnded = true;
    this.waiting.length = 0;
    await this.working;
    this.append('closed', {});
    await this.writer.flushed();
    await this.writer.close();
  }

  async flushed(): Promise<void> {
    await this.working;
    await this.writer.flushed();
  }

  private async work(): Promise<void> {
    const breath = new Breath();
    for (let message = this.waiting.shift(); message; message = this.waiting.shift())
      if (message.kind === 'delta') this.append('delta', message);
      else await this.sendSnapshot(message, breath);
    this.isWorking = false;
  }

  private async sendSnapshot({ entities, ...head }: Extract<SliceMessage, { kind: 'snapshot' }>, breath: Breath): Promise<void> {
    const parts = Math.max(1, Math.ceil(entities.length / PART_RECORDS));
    for (let part = 0; part < parts && !this.isEnded; part++) {
      if (breath.isDue()) await breath.take();
      this.append('snapshot', { ...head, part, parts, entities: entities.slice(part * PART_RECORDS, (part + 1) * PART_RECORDS) });
    }
  }

  private append(kind: string, body: unknown): void {
    this.position = this.writer.append(encodeMessage(kind, body));
  }
}
