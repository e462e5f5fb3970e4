/**
 * The channel to one switch, over one connection.
 *
 * Owns: what the contract promises, in terms of requests and modifications; the role; where packet-ins go.
 * Promises: see contract.ts. What this adds to the contract: a snapshot of the counters, roles read back, async masks, and the connection itself for anything else.
 */
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Action } from '../../flows/openflow/action.js';
import { METERS, TABLE_ALL } from '../../flows/openflow/constants.js';
import { EncodeError } from '../../flows/openflow/errors.js';
import type { Flow, Group, Meter } from '../../flows/openflow/flow.js';
import type { Message, ModCommand } from '../../flows/openflow/message.js';
import type { FlowStatsRequest } from '../../flows/openflow/multipart.js';
import { runBundle } from './bundle.js';
import { Connection } from './connection.js';
import type { Channel, FlowFilter, PacketIn, SwitchFeatures, TableMod } from './contract.js';
import type { ChannelSnapshot } from './counters.js';
import { DEFAULT_LIMITS } from './options.js';
import type { ChannelOptions, ChannelReceivers } from './options.js';
import { isPacketIn, toPacketIn } from './packet-in.js';
import { ReadShapes } from './read-shapes.js';
import { RoleState } from './role.js';
import { LANE } from './send-queue.js';
import { Semaphore } from './semaphore.js';
import { WriterPool } from './writer-pool.js';

/** NXT_PACKET_IN2: with registers, userdata and the rest of the pipeline's state. */
const PACKET_IN_FORMAT_2 = 2;
/** NO_MATCH, ACTION and INVALID_TTL. Open vSwitch leaves the last one out unless asked. */
const EVERY_PACKET_IN = 7;
const WHOLE_PACKET = 0xffff;
/** OFPC_FRAG_NX_MATCH (ovs-ofctl(8) set-frags). */
const FRAGMENTS_NX_MATCH = 3;

/** Which asynchronous messages the switch sends (OF1.3.5 §7.3.10): reason bits, the same for every role. */
export interface AsyncMasks {
  readonly packet_in: number;
  readonly port_status: number;
  readonly flow_removed: number;
}

export class OpenFlowChannel implements Channel {
  /** For requests beyond the contract. */
  readonly connection: Connection;
  readonly closed: Promise<Error | undefined>;
  readonly #role: RoleState;
  readonly #bundles = new Semaphore(1);
  readonly #shapes = new ReadShapes();
  #receivers: ChannelReceivers;
  #features: SwitchFeatures | undefined;
  #lastBundle = 0;

  private constructor(socket: Socket, options: ChannelOptions) {
    this.#receivers = options;
    this.connection = new Connection(socket, {
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      writers: options.writers ?? new WriterPool(),
      now: options.now ?? (() => performance.now()),
      onMessage: (message) => this.#receive(message),
      onSwitchError: (error) => this.#receivers.onSwitchError?.(error),
    });
    this.closed = this.connection.closed;
    this.#role = new RoleState(this.connection);
  }

  /** Shakes hands over an open socket. @throws ChannelError; the socket is closed then. */
  static async open(socket: Socket, options: ChannelOptions, signal?: AbortSignal): Promise<OpenFlowChannel> {
    const channel = new OpenFlowChannel(socket, options);
    const onAbort = () => channel.close();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const { datapath_id, n_tables, capabilities, auxiliary_id } = await channel.connection.ready;
      channel.#features = { datapath_id, n_tables, capabilities, auxiliary_id };
      return channel;
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  get features(): SwitchFeatures {
    if (this.#features === undefined) throw new Error('the handshake is not done');
    return this.#features;
  }

  /** Replaces the receivers given when the channel was opened, all of them. */
  setReceivers(receivers: ChannelReceivers): void {
    this.#receivers = receivers;
  }

  /** As last granted by the switch, or taken away by it. */
  get role(): ChannelSnapshot['role'] {
    return this.#role.current;
  }

  bundle(mods: readonly TableMod[], signal?: AbortSignal): Promise<void> {
    return this.#bundles.run(async () => {
      this.#role.assertWritable();
      this.#lastBundle = (this.#lastBundle + 1) >>> 0;
      try {
        const mayWrite = (): boolean => this.#role.current !== 'slave';
        await runBundle(this.connection, mods, { bundleId: this.#lastBundle, shapes: this.#shapes, mayWrite, signal });
        this.connection.counts.bundles_committed++;
      } catch (error) {
        this.connection.counts.bundles_failed++;
        throw error;
      }
    }, signal);
  }

  dumpFlows(filter: FlowFilter, onPart: (flows: readonly Flow[]) => void | Promise<void>, signal?: AbortSignal): Promise<void> {
    return this.connection.multipart(flowRequest('flow', filter), (part) => onPart(part.flows), { signal });
  }

  async countFlows(filter: FlowFilter): Promise<number> {
    let count = 0;
    await this.connection.multipart(flowRequest('aggregate', filter), (part) => {
      count += part.flow_count;
    });
    return count;
  }

  async dumpGroups(signal?: AbortSignal): Promise<readonly Group[]> {
    const groups: Group[] = [];
    await this.connection.multipart({ kind: 'group_desc' }, (part) => void groups.push(...part.groups), { signal });
    return groups;
  }

  async dumpMeters(signal?: AbortSignal): Promise<readonly Meter[]> {
    const meters: Meter[] = [];
    await this.connection.multipart({ kind: 'meter_config', meter_id: METERS.ALL }, (part) => void meters.push(...part.meters), { signal });
    return meters;
  }

  /** @throws SwitchRejection, ChannelError */
  meterMod(command: ModCommand, meter: Meter): Promise<void> {
    return this.#write({ kind: 'meter_mod', command, meter });
  }

  /** @throws SwitchRejection, ChannelError */
  ctFlushZone(zone: number): Promise<void> {
    return this.#write({ kind: 'ct_flush_zone', zone });
  }

  barrier(): Promise<void> {
    return this.connection.barrier();
  }

  async enablePunts(controllerId: number, onPacketIn: (packet: PacketIn) => void | Promise<void>): Promise<void> {
    this.#receivers = { ...this.#receivers, onPacketIn };
    await this.connection.transact([
      { kind: 'set_controller_id', controller_id: controllerId },
      { kind: 'set_packet_in_format', format: PACKET_IN_FORMAT_2 },
      { kind: 'set_config', flags: FRAGMENTS_NX_MATCH, miss_send_len: WHOLE_PACKET },
      asyncMessage({ packet_in: EVERY_PACKET_IN, port_status: 0, flow_removed: 0 }),
    ]);
  }

  /** Lets flows see the ports of first fragments; without it, the switch hides them from tables. Holds for the bridge, until it is made anew. */
  matchFirstFragments(): Promise<void> {
    return this.connection.transact([{ kind: 'set_config', flags: FRAGMENTS_NX_MATCH, miss_send_len: WHOLE_PACKET }]);
  }

  /** Chooses the asynchronous messages of this connection. One to a `.mgmt` socket gets none until it asks. @throws SwitchRejection, ChannelError */
  setAsync(masks: AsyncMasks): Promise<void> {
    return this.connection.transact([asyncMessage(masks)]);
  }

  /**
   * Sends any message without waiting, in order with the other modifications; what the switch has against it goes to `onSwitchError`.
   * False when too much waits already, or the connection is over. @throws EncodeError
   */
  send(message: Message): boolean {
    return this.connection.post(LANE.ORDERED, message);
  }

  packetOut(data: Uint8Array, inPort: number, actions: readonly Action[]): void {
    let sent = false;
    try {
      sent = this.connection.post(LANE.PACKET_OUT, { kind: 'packet_out', in_port: inPort, actions, data });
    } catch (error) {
      if (!(error instanceof EncodeError)) throw error;
    }
    if (!sent) this.connection.counts.packet_outs_dropped++;
  }

  /** @throws SwitchRejection with `OFPRRFC_STALE` when a newer generation has been seen, ChannelError */
  requestRole(role: 'equal' | 'master' | 'slave', generationId: bigint): Promise<void> {
    return this.#role.request(role, generationId);
  }

  /** Resolves with the round trip of an echo in milliseconds. */
  probe(timeout: number): Promise<number> {
    return this.connection.echo({ timeout });
  }

  snapshot(): ChannelSnapshot {
    return { ...this.connection.snapshot(), role: this.#role.current, generation_id: this.#role.generation };
  }

  close(): void {
    this.connection.end();
  }

  async #write(message: Message): Promise<void> {
    this.#role.assertWritable();
    await this.connection.transact([message]);
  }

  #receive(message: Message): void {
    if (!isPacketIn(message)) {
      if (message.kind === 'role_status') this.#role.changedBySwitch(message);
      this.#hand(this.#receivers.onMessage, message);
    } else if (this.connection.intake.overdue) {
      this.connection.counts.packet_ins_shed++;
    } else {
      this.#hand(this.#receivers.onPacketIn, toPacketIn(message));
    }
  }

  #hand<T>(receiver: ((value: T) => void | Promise<void>) | undefined, value: T): void {
    try {
      const work = receiver?.(value);
      if (work === undefined) return;
      this.connection.intake.track(work);
      work.catch(this.#onReceiverError);
    } catch (error) {
      this.#onReceiverError(error);
    }
  }

  readonly #onReceiverError = (error: unknown): void => {
    this.connection.counts.receiver_failures++;
    this.#receivers.onReceiverError?.(error);
  };
}

function flowRequest<K extends FlowStatsRequest['kind']>(kind: K, filter: FlowFilter): FlowStatsRequest & { readonly kind: K } {
  return { kind, table: filter.table ?? TABLE_ALL, cookie: filter.cookie, cookie_mask: filter.cookie_mask, match: [] };
}

function asyncMessage({ packet_in, port_status, flow_removed }: AsyncMasks): Message {
  return {
    kind: 'set_async',
    packet_in_mask: [packet_in, packet_in],
    port_status_mask: [port_status, port_status],
    flow_removed_mask: [flow_removed, flow_removed],
  };
}
