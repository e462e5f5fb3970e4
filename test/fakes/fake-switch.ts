/**
 * A switch made of tables and real bytes, for tests that need one that does as told.
 *
 * Owns: the OpenFlow 1.3 answers of a well-behaved switch, and ways to misbehave on demand.
 * Assumes: the codec under test encodes and decodes; that it is right is the business of the codec's own tests, against other peoples' bytes.
 * Promises: what it answers follows Open vSwitch 3.1 where a test depends on it: errors come before the barrier reply, a bundle member that cannot be read is
 * left out, a failed commit names the member first, a service connection gets nothing it did not ask for.
 */
import net from 'node:net';
import { Framer } from '../../datapath/channel/framer.js';
import { WriterPool } from '../../datapath/channel/writer-pool.js';
import type { OfError } from '../../flows/openflow/errors.js';
import type { Message, Role, TlvMapping } from '../../flows/openflow/message.js';
import type { MultipartReplyBody } from '../../flows/openflow/multipart.js';
import { decodeMessage, encodeMessage } from '../../flows/openflow/codec.js';
import { answerMultipart } from './fake-multipart.js';
import { FakeTables } from './fake-tables.js';

/** Absent means: behaves. Can be changed at any time. */
export interface Misbehaviour {
  /** Milliseconds before whatever arrived is looked at. */
  delay?: number;
  /** Reads and never answers, not even an echo request. */
  mute?: boolean;
  /** Never reads. */
  deaf?: boolean;
  /** HELLO with this version byte and these bitmaps; no HELLO at all when null. */
  hello?: { readonly version: number; readonly bitmaps: readonly number[] } | null;
  /** The nth modification from now (1 is the next) is refused, where it arrives or when its bundle is committed. */
  failMod?: { nth: number; readonly error: OfError; readonly when?: 'arrival' | 'commit' };
  /** Every role request is stale. */
  staleRole?: boolean;
  /** The connection drops at the nth bundle member from now. */
  disconnectAtMember?: number;
  /** Multipart replies never end. */
  endlessMultipart?: boolean;
  /** Multipart replies stop after this many parts. */
  stallAfterParts?: number;
  /** Bundles are unknown. */
  noBundles?: boolean;
}

export interface FakeSwitchOptions {
  readonly datapathId?: bigint | undefined;
  readonly auxiliaryId?: number | undefined;
  readonly misbehaviour?: Misbehaviour | undefined;
  /** Flows per part of a dump. */
  readonly partSize?: number | undefined;
  /** Port numbers by name. */
  readonly ports?: ReadonlyMap<string, number> | undefined;
  /** Shared by many fake switches, to save memory. */
  readonly writers?: WriterPool | undefined;
  /** Sees every message as it arrives. */
  readonly onMessage?: ((message: Message, xid: number, session: FakeSession) => void) | undefined;
}

const BAD_EXPERIMENTER: OfError = { type: 1, code: 3 };
const BAD_TYPE: OfError = { type: 1, code: 1 };
const BAD_MULTIPART: OfError = { type: 1, code: 2 };
const IS_SLAVE: OfError = { type: 1, code: 10 };
const ROLE_STALE: OfError = { type: 11, code: 0 };
const ONF = 0x4f4e4600;
const BUNDLE_BAD_ID: OfError = { type: 0xffff, code: 2302, experimenter: ONF };
const BUNDLE_FAILED: OfError = { type: 0xffff, code: 2313, experimenter: ONF };
const MORE = 1;

export class FakeSwitch {
  readonly datapathId: bigint;
  readonly tables = new FakeTables();
  readonly sessions = new Set<FakeSession>();
  readonly misbehaviour: Misbehaviour;
  readonly options: FakeSwitchOptions;
  readonly writers: WriterPool;
  /** Messages received, per kind. */
  readonly received = new Map<string, number>();
  generation: bigint | undefined;
  /** Geneve options that have a name. */
  mappings: readonly TlvMapping[] = [];
  #server: net.Server | undefined;

  constructor(options: FakeSwitchOptions = {}) {
    this.options = options;
    this.datapathId = options.datapathId ?? 1n;
    this.misbehaviour = options.misbehaviour ?? {};
    this.writers = options.writers ?? new WriterPool();
  }

  /** Waits for controllers, as a bridge does on its `.mgmt` socket or with `ptcp:`. Returns the port for TCP. */
  async listen(where: { readonly path: string } | { readonly port: number; readonly host: string }): Promise<number> {
    const server = net.createServer((socket) => this.#adopt(socket, true));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(where, resolve));
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Connects to a controller, as a bridge does by `set-controller`. */
  async connect(where: { readonly path: string } | { readonly port: number; readonly host: string }): Promise<FakeSession> {
    const socket = net.connect(where);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return this.#adopt(socket, false);
  }

  /** Sends a packet-in to every session that wants it, in the form it asked for. Returns how many got one. */
  packetIn(packet: { data: Uint8Array; reason?: number; controllerId?: number; userdata?: Uint8Array; inPort?: number }): number {
    let sent = 0;
    for (const session of this.sessions) if (session.packetIn({ reason: 1, controllerId: 0, inPort: 1, ...packet })) sent++;
    return sent;
  }

  async close(): Promise<void> {
    for (const session of this.sessions) session.socket.destroy();
    const server = this.#server;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  #adopt(socket: net.Socket, service: boolean): FakeSession {
    const session = new FakeSession(this, socket, service);
    this.sessions.add(session);
    socket.on('close', () => this.sessions.delete(session));
    return session;
  }
}

/** One controller's connection. */
export class FakeSession {
  readonly socket: net.Socket;
  role: Role = 'equal';
  controllerId = 0;
  packetInFormat = 0;
  /** Reason bits of packet-ins for this session, or none: a service connection starts without. */
  packetInMask: number;
  readonly #fake: FakeSwitch;
  readonly #framer: Framer;
  readonly #bundles = new Map<number, { readonly message: Message; readonly xid: number }[]>();

  constructor(fake: FakeSwitch, socket: net.Socket, service: boolean) {
    this.#fake = fake;
    this.socket = socket;
    this.packetInMask = service ? 0 : 3;
    socket.on('error', () => undefined);
    this.#framer = new Framer((bytes, start, end) => this.#onFrame(bytes, start, end));
    if (fake.misbehaviour.deaf !== true) socket.on('data', (chunk) => this.#onData(chunk));
    const hello = fake.misbehaviour.hello;
    if (hello === null) return;
    const { version, bitmaps } = hello ?? { version: 4, bitmaps: [0x10] };
    this.send({ kind: 'hello', version, elements: bitmaps.length > 0 ? [{ kind: 'version_bitmap', bitmaps }] : [] }, 1);
  }

  send(message: Message, xid = 0): void {
    if (this.socket.destroyed) return;
    const writer = this.#fake.writers.borrow();
    encodeMessage(writer, message, xid);
    this.socket.write(writer.take());
    this.#fake.writers.giveBack(writer);
  }

  /** Anything at all, such as garbage. */
  sendRaw(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  packetIn(packet: { data: Uint8Array; reason: number; controllerId: number; userdata?: Uint8Array; inPort: number }): boolean {
    if (packet.controllerId !== this.controllerId || (this.packetInMask & (1 << packet.reason)) === 0) return false;
    const { data, reason } = packet;
    const match = [{ field: 'in_port', value: packet.inPort }] as const;
    const common = { reason, table: 0, cookie: 0n };
    if (this.packetInFormat === 2) this.send({ kind: 'packet_in2', ...common, packet: data, metadata: match, userdata: packet.userdata });
    else this.send({ kind: 'packet_in', ...common, buffer_id: 0xffffffff, total_len: data.length, match, data });
    return true;
  }

  #onData(chunk: Uint8Array): void {
    this.socket.cork();
    this.#framer.push(chunk);
    this.socket.uncork();
  }

  #onFrame(bytes: Uint8Array, start: number, end: number): void {
    const { delay } = this.#fake.misbehaviour;
    if (delay === undefined) this.#handle(bytes, start, end);
    else setTimeout(() => this.#handle(bytes, start, end), delay);
  }

  #handle(bytes: Uint8Array, start: number, end: number): void {
    const { message, xid } = decodeMessage(bytes, start, end);
    const { received, options, misbehaviour } = this.#fake;
    received.set(message.kind, (received.get(message.kind) ?? 0) + 1);
    options.onMessage?.(message, xid, this);
    if (misbehaviour.mute === true) return;
    this.#answer(message, xid, bytes.subarray(start, Math.min(end, start + 64)));
  }

  #answer(message: Message, xid: number, head: Uint8Array): void {
    const fake = this.#fake;
    const refuse = (error: OfError, of = xid) => this.send({ kind: 'error', ...error, data: head }, of);
    switch (message.kind) {
      case 'echo_request':
        return this.send({ kind: 'echo_reply', data: message.data }, xid);
      case 'features_request':
        return this.send(
          {
            kind: 'features_reply',
            datapath_id: fake.datapathId,
            n_buffers: 0,
            n_tables: 254,
            auxiliary_id: fake.options.auxiliaryId ?? 0,
            capabilities: 0x4f,
            reserved: 0,
          },
          xid,
        );
      case 'get_config_request':
        return this.send({ kind: 'get_config_reply', flags: 0, miss_send_len: 128 }, xid);
      case 'barrier_request':
        return this.send({ kind: 'barrier_reply' }, xid);
      case 'set_controller_id':
        this.controllerId = message.controller_id;
        return;
      case 'set_packet_in_format':
        this.packetInFormat = message.format;
        return;
      case 'set_async':
        this.packetInMask = message.packet_in_mask[this.role === 'slave' ? 1 : 0];
        return;
      case 'role_request':
        return this.#roleRequest(message.role, message.generation_id, xid, refuse);
      case 'flow_mod':
      case 'group_mod':
      case 'meter_mod': {
        const error = this.role === 'slave' ? IS_SLAVE : (this.#planned('arrival') ?? fake.tables.apply(message));
        if (error !== undefined) refuse(error);
        return;
      }
      case 'bundle_add':
      case 'bundle_control':
        return this.#bundle(message, xid, refuse);
      case 'multipart_request': {
        const parts = answerMultipart(message.body, fake.tables, fake.options.partSize ?? 100, fake.options.ports ?? new Map());
        return parts === undefined ? refuse(BAD_MULTIPART) : this.#multipart(parts, xid);
      }
      case 'tlv_table_request':
        return this.send({ kind: 'tlv_table_reply', max_option_space: 256, max_fields: 64, mappings: fake.mappings }, xid);
      case 'tlv_table_mod':
        if (message.command === 'add') fake.mappings = [...fake.mappings, ...message.mappings];
        return;
      case 'packet_out':
      case 'set_config':
      case 'ct_flush_zone':
      case 'hello':
      case 'error':
      case 'echo_reply':
        return;
      default:
        return refuse(BAD_TYPE);
    }
  }

  #roleRequest(role: Role, generation: bigint, xid: number, refuse: (error: OfError) => void): void {
    const fake = this.#fake;
    if (role === 'master' || role === 'slave') {
      const stale = fake.generation !== undefined && BigInt.asIntN(64, generation - fake.generation) < 0n;
      if (stale || fake.misbehaviour.staleRole === true) return refuse(ROLE_STALE);
      fake.generation = generation;
    }
    if (role === 'master') {
      for (const other of fake.sessions) {
        if (other === this || other.role !== 'master') continue;
        other.role = 'slave';
        other.send({ kind: 'role_status', role: 'slave', reason: 0, generation_id: generation });
      }
    }
    if (role !== 'nochange') this.role = role;
    this.send({ kind: 'role_reply', role: this.role, generation_id: fake.generation ?? 0xffffffffffffffffn }, xid);
  }

  #bundle(message: Message & { kind: 'bundle_add' | 'bundle_control' }, xid: number, refuse: (error: OfError, of?: number) => void): void {
    const { misbehaviour, tables } = this.#fake;
    const { bundle_id } = message;
    if (misbehaviour.noBundles === true) return refuse(BAD_EXPERIMENTER);
    if (message.kind === 'bundle_add') {
      if (misbehaviour.disconnectAtMember !== undefined && --misbehaviour.disconnectAtMember === 0) {
        this.socket.destroy();
        return;
      }
      const error = this.#bundles.has(bundle_id) ? this.#planned('arrival') : BUNDLE_BAD_ID;
      if (error !== undefined) return refuse(error);
      this.#bundles.get(bundle_id)!.push({ message: message.message, xid });
      return;
    }
    const members = this.#bundles.get(bundle_id);
    if (message.type === 'open_request') this.#bundles.set(bundle_id, []);
    else if (members === undefined) return refuse(BUNDLE_BAD_ID);
    if (message.type === 'commit_request' || message.type === 'discard_request') this.#bundles.delete(bundle_id);
    if (message.type === 'commit_request') {
      const planned = this.#fake.misbehaviour.failMod;
      const failed =
        planned?.when === 'commit' && planned.nth <= members!.length
          ? { index: planned.nth - 1, error: planned.error }
          : this.role === 'slave'
            ? { index: 0, error: IS_SLAVE }
            : tables.applyAll(members!.map((member) => member.message));
      if (failed !== undefined) {
        refuse(failed.error, members![failed.index]?.xid ?? xid);
        return refuse(BUNDLE_FAILED);
      }
    }
    const reply = {
      open_request: 'open_reply',
      close_request: 'close_reply',
      commit_request: 'commit_reply',
      discard_request: 'discard_reply',
    } as const;
    const type = reply[message.type as keyof typeof reply];
    this.send({ kind: 'bundle_control', bundle_id, type, flags: message.flags }, xid);
  }

  #multipart(parts: readonly MultipartReplyBody[], xid: number): void {
    const { endlessMultipart, stallAfterParts } = this.#fake.misbehaviour;
    if (endlessMultipart === true) {
      const more = (): void => {
        if (this.socket.destroyed) return;
        for (let i = 0; i < 10; i++) this.send({ kind: 'multipart_reply', flags: MORE, body: parts[0]! }, xid);
        setImmediate(more);
      };
      return more();
    }
    const count = Math.min(parts.length, stallAfterParts ?? parts.length);
    for (let i = 0; i < count; i++) this.send({ kind: 'multipart_reply', flags: i < parts.length - 1 ? MORE : 0, body: parts[i]! }, xid);
  }

  /** The error that `misbehaviour` has for this modification. */
  #planned(when: 'arrival'): OfError | undefined {
    const { failMod } = this.#fake.misbehaviour;
    if (failMod === undefined || (failMod.when ?? 'arrival') !== when) return undefined;
    failMod.nth--;
    return failMod.nth === 0 ? failMod.error : undefined;
  }
}
