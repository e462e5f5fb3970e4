/**
 * Packets the switch hands to us.
 *
 * Owns: the punt connection; a bounded queue between it and whoever answers.
 * Assumes: the switch meters each kind of punt, and whoever answers limits each port; an answer takes microseconds.
 * Promises: packets never stall the connection: a few are answered per turn of the event loop, echo requests in between. When more come than
 * can be answered, the oldest are dropped. What is not ours, or of no port, is dropped. All of it is counted.
 */
import type { Action } from '../../flows/openflow/action.js';
import { PORTS } from '../../flows/openflow/constants.js';
import type { FieldName } from '../../flows/openflow/fields.js';
import { CT } from '../../flows/pipeline/build.js';
import { decodePunt, PUNT_CONTROLLER_ID, type LivePunt } from '../../flows/pipeline/punt.js';
import { REGISTERS, type RegisterName } from '../../flows/pipeline/registers.js';
import type { Channel, PacketIn } from '../channel/contract.js';
import type { PolicyRegisters, PuntedFrame, Response } from '../respond/contract.js';
import type { SentTo } from '../respond/sent-as.js';
import type { AgentLog } from './log.js';
import { PuntTally } from './punt-tally.js';
import { unlessAborted } from './unless-aborted.js';

export interface PuntsOptions {
  /** Frames to send out of the port the frame came in on, and through the pipeline. */
  readonly answer: (frame: PuntedFrame) => Pick<Response, 'frames' | 'injected'>;
  /** Told of each answer to a probe, which is of no port. */
  readonly onWayProbe?: ((frame: Uint8Array) => void) | undefined;
  /** Told of each copy that a live trace has of a packet. */
  readonly onLive?: ((punt: LivePunt, packet: PacketIn) => void) | undefined;
  /** A gateway is asked whether it lives, or answers. */
  readonly onGatewayProbe?: ((frame: Uint8Array) => void) | undefined;
  readonly log: AgentLog;
}

export interface PuntCounters {
  received: number;
  /** Frames sent. */
  sent: number;
  /** Without userdata of ours, or without a port. */
  foreign: number;
  /** Dropped because newer ones came faster than they were answered. */
  overflowed: number;
  /** Answering threw. */
  failed: number;
}

const QUEUE_LENGTH = 1_024;
const PER_TURN = 16;

export class Punts {
  /** Those received, by why the switch sent them and what for. */
  readonly kinds = new PuntTally();
  readonly counters: PuntCounters = { received: 0, sent: 0, foreign: 0, overflowed: 0, failed: 0 };
  readonly #options: PuntsOptions;
  /** The oldest is overwritten when the ring is full. */
  readonly #ring: (PuntedFrame | undefined)[] = new Array<undefined>(QUEUE_LENGTH).fill(undefined);
  #first = 0;
  #length = 0;
  #scheduled = false;
  #channel: Channel | undefined;

  constructor(options: PuntsOptions) {
    this.#options = options;
  }

  /** Serves one connection until it is over or the signal is aborted. */
  async attend(channel: Channel, signal: AbortSignal): Promise<void> {
    this.#channel = channel;
    try {
      await channel.enablePunts(PUNT_CONTROLLER_ID, (packet) => this.#receive(packet));
      await unlessAborted(channel.closed, signal);
    } finally {
      this.#channel = undefined;
      this.#length = 0;
      this.#ring.fill(undefined);
    }
  }

  /** Answers a frame that was held back for a while. */
  answerLate(frame: PuntedFrame): void {
    this.#answer(frame);
  }

  /** Sends a frame out of a port, asked or not. @returns false when there is no connection */
  send(data: Uint8Array, ofport: number): boolean {
    // From the controller and not from the port: a switch does not send a packet back to where it is said to come from.
    return this.inject(data, [{ kind: 'output', port: ofport, max_len: 0 }]);
  }

  /** Hands a frame to the switch, to do this with it. @returns false when there is no connection */
  inject(data: Uint8Array, actions: readonly Action[]): boolean {
    if (this.#channel === undefined) return false;
    this.#channel.packetOut(data, PORTS.CONTROLLER, actions);
    this.counters.sent++;
    return true;
  }

  #receive(packet: PacketIn): void {
    const { counters } = this;
    counters.received++;
    const punt = decodePunt(packet.userdata);
    this.kinds.note(packet.reason, punt?.kind);
    if (punt?.kind === 'gateway_probe') {
      this.#options.onGatewayProbe?.(packet.data);
      return;
    }
    if (punt?.kind === 'live') {
      this.#options.onLive?.(punt, packet);
      return;
    }
    if (punt?.kind === 'way_probe') {
      this.#options.onWayProbe?.(packet.data);
      return;
    }
    // What came through a tunnel may not tell the sender's port: VXLAN and GRE have no room for it.
    const isFromTunnel = registerOf(packet, 'from_tunnel') === 1;
    const mayBeUnknown = isFromTunnel || (punt !== undefined && ('direction' in punt || punt.kind === 'resolve'));
    const portKey = registerOf(packet, 'source_port') ?? (mayBeUnknown ? 0 : undefined);
    const inPort = fieldOf(packet, 'in_port');
    if (punt === undefined || portKey === undefined || inPort === undefined) {
      counters.foreign++;
      return;
    }
    if (this.#length === QUEUE_LENGTH) {
      this.#take();
      counters.overflowed++;
    }
    this.#ring[(this.#first + this.#length++) % QUEUE_LENGTH] = {
      punt,
      data: packet.data,
      in_port: inPort,
      port_key: portKey,
      router_key: registerOf(packet, 'router'),
      arrival_key: registerOf(packet, 'arrival'),
      routers_crossed: crossedBy(packet),
      mtu: registerOf(packet, 'overlay_mtu'),
      metadata: metadataOf(packet),
      is_remote: isFromTunnel || registerOf(packet, 'remote_sender') === 1,
      sent_to: sentTo(packet),
      registers: 'direction' in punt ? policyRegisters(packet, punt.direction) : undefined,
    };
    this.#schedule();
  }

  #take(): PuntedFrame | undefined {
    if (this.#length === 0) return undefined;
    const waiting = this.#ring[this.#first];
    this.#ring[this.#first] = undefined;
    this.#first = (this.#first + 1) % QUEUE_LENGTH;
    this.#length--;
    return waiting;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (let i = 0; i < PER_TURN; i++) {
        const waiting = this.#take();
        if (waiting === undefined) return;
        this.#answer(waiting);
      }
      if (this.#length > 0) this.#schedule();
    });
  }

  #answer(frame: PuntedFrame): void {
    const { counters } = this;
    try {
      const { frames, injected = [] } = this.#options.answer(frame);
      for (const data of frames) this.send(data, frame.in_port!);
      for (const { data, actions } of injected) this.inject(data, actions);
    } catch (error) {
      // A frame is anybody's bytes: whatever it does to a responder, the next one is answered. Once is enough for the log.
      if (counters.failed++ === 0) {
        this.#options.log.error(
          { punt: frame.punt.kind, port_key: frame.port_key, error: String(error) },
          'a punted frame could not be answered',
        );
      }
    }
  }
}

/** A run of collapsed routers that has yet to take its one has been crossed all the same. */
function crossedBy(packet: PacketIn): number | undefined {
  const ones = (registerOf(packet, 'routers_crossed') ?? 0).toString(2).replaceAll('0', '').length;
  return ones + (registerOf(packet, 'run_unpaid') ?? 0) || undefined;
}

/** Packet-ins leave out registers that are 0. */
function registerOf(packet: PacketIn, name: RegisterName): number | undefined {
  const { field, offset, bits } = REGISTERS[name];
  const value = fieldOf(packet, field);
  return value === undefined ? undefined : Math.floor(value / 2 ** offset) % 2 ** bits;
}

function fieldOf(packet: PacketIn, field: FieldName): number | undefined {
  for (const oxm of packet.metadata) if (oxm.field === field && typeof oxm.value === 'number') return oxm.value;
  return undefined;
}

function metadataOf(packet: PacketIn): bigint {
  for (const oxm of packet.metadata) if (oxm.field === 'metadata' && typeof oxm.value === 'bigint') return oxm.value;
  return 0n;
}

/** Of a packet on its way there, not of a reply: what conntrack knows as its destination before it was translated. */
function sentTo(packet: PacketIn): SentTo | undefined {
  const state = fieldOf(packet, 'ct_state') ?? 0;
  if ((state & CT.rpl) !== 0) return undefined;
  const port = fieldOf(packet, 'ct_tp_dst');
  const ipv4 = fieldOf(packet, 'ct_nw_dst');
  if (ipv4 !== undefined) return { ip: { family: 'ipv4', value: ipv4 }, port };
  for (const oxm of packet.metadata)
    if (oxm.field === 'ct_ipv6_dst' && typeof oxm.value === 'bigint') return { ip: { family: 'ipv6', value: oxm.value }, port };
  return undefined;
}

function policyRegisters(packet: PacketIn, direction: 'egress' | 'ingress'): PolicyRegisters {
  return {
    rule_key: fieldOf(packet, REGISTERS[direction === 'egress' ? 'egress_rule' : 'ingress_rule'].field) ?? 0,
    metadata: metadataOf(packet),
    destination_port: fieldOf(packet, REGISTERS.destination_port.field) ?? 0,
  };
}
