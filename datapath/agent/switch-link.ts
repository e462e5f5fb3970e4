/**
 * The two connections to the bridge.
 *
 * Owns: holding them, one for flows and one for punts, so that packets never wait behind bundles; which bridge is spoken to; the numbers its ports
 * have, where OVSDB has not caught up.
 * Promises: nothing is attended to before the bridge was seen as it should be. A switch that speaks for another datapath is not used.
 */
import type { DropReason } from '../../flows/pipeline/tables.js';
import { connectChannel } from '../channel/connect.js';
import type { Channel } from '../channel/contract.js';
import { ChannelError } from '../channel/errors.js';
import type { OpenFlowChannel } from '../channel/openflow-channel.js';
import type { Vif } from '../ovsdb/vif-watcher.js';
import type { Clock } from './clock.js';
import { CurrentChannel } from './current-channel.js';
import { readDrops, type FlowCount } from './flow-counters.js';
import { holdConnection } from './hold-connection.js';
import type { AgentLog } from './log.js';
import { PortNumbers } from './port-numbers.js';
import { unlessAborted } from './unless-aborted.js';

type Attend = (channel: OpenFlowChannel, signal: AbortSignal) => Promise<void>;

export interface SwitchLinkParts {
  /** `0x` and 16 hex digits. */
  readonly dpid: string;
  /** `unix:PATH` or `tcp:HOST:PORT`, as soon as the bridge was seen. */
  readonly target: () => string;
  /** What a connection for flows needs before any flow. */
  readonly prepare: (channel: OpenFlowChannel) => Promise<void>;
  readonly attendFlows: Attend;
  readonly attendPunts: Attend;
  /** NICs as OVSDB shows them. */
  readonly vifs: () => ReadonlyMap<string, Vif>;
  /** The switch has told its ports, by name. */
  readonly onPorts: (told: ReadonlyMap<string, number>) => void;
  /** Others who wait for OVSDB to catch up. */
  readonly isNumberPending: () => boolean;
  /** The connection for flows is up, or gone. */
  readonly onChange: () => void;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: AgentLog;
}

const PORT_NUMBER_POLL_MS = 200;
const ZONE_RETRY_MS = 50;

export class SwitchLink {
  readonly #parts: SwitchLinkParts;
  readonly #channel = new CurrentChannel();
  readonly #numbers = new PortNumbers<Vif>();
  readonly #bridgeKnown: Promise<void>;
  #sawBridge!: () => void;

  constructor(parts: SwitchLinkParts) {
    this.#parts = parts;
    this.#bridgeKnown = new Promise((resolve) => (this.#sawBridge = resolve));
  }

  get isUp(): boolean {
    return this.#channel.isUp;
  }

  /** The connection for flows. */
  get channel(): Channel | undefined {
    return this.#channel.current;
  }

  /** The switch has had the bridge as it should be; it may be gone again. */
  bridgeSeen(): void {
    this.#sawBridge();
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.#hold('flows', (channel, over) => this.#program(channel, over), signal),
      this.#hold('punts', this.#parts.attendPunts, signal),
    ]);
  }

  /** The NICs OVSDB shows, with the port numbers the switch has. */
  vifs(): ReadonlyMap<string, Vif> {
    return this.#numbers.correct(this.#parts.vifs());
  }

  /** Packets the switch has dropped so far, by reason; nothing while it cannot be asked. */
  async drops(): Promise<ReadonlyMap<DropReason, FlowCount>> {
    const channel = this.#channel.current;
    if (channel === undefined) return new Map();
    try {
      return await readDrops(channel);
    } catch (error) {
      if (error instanceof ChannelError) return new Map();
      throw error;
    }
  }

  /** Empties a conntrack zone over the connection that is up, or the next one that is. */
  async flushZone(zone: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const channel = await this.#channel.get(signal);
      if (channel === undefined) return;
      try {
        await channel.ctFlushZone(zone);
        return;
      } catch (error) {
        if (!(error instanceof ChannelError)) throw error;
        await this.#parts.clock.sleep(ZONE_RETRY_MS, signal);
      }
    }
  }

  #hold(purpose: string, attend: Attend, signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#parts;
    return holdConnection({ purpose, connect: (connecting) => this.#connect(connecting, signal), attend, clock, random, log }, signal);
  }

  async #connect(connecting: AbortSignal, stop: AbortSignal): Promise<OpenFlowChannel> {
    await unlessAborted(this.#bridgeKnown, stop);
    connecting.throwIfAborted();
    const { dpid } = this.#parts;
    const target = this.#parts.target();
    const channel = await connectChannel(target, {}, connecting);
    const { datapath_id } = channel.features;
    if (datapath_id === BigInt(dpid)) return channel;
    channel.close();
    throw new Error(`${target} speaks for datapath 0x${datapath_id.toString(16).padStart(16, '0')}, not for ${dpid}`);
  }

  async #program(channel: OpenFlowChannel, signal: AbortSignal): Promise<void> {
    const { prepare, attendFlows, onChange } = this.#parts;
    const over = new AbortController();
    try {
      await prepare(channel);
      await this.#learnPortNumbers(channel);
      this.#channel.up(channel);
      onChange();
      void this.#followPortNumbers(channel, over.signal);
      await attendFlows(channel, signal);
    } finally {
      over.abort();
      this.#channel.down();
      onChange();
    }
  }

  async #learnPortNumbers(channel: OpenFlowChannel): Promise<void> {
    const told = new Map<string, number>();
    await channel.connection.multipart({ kind: 'port_desc' }, ({ ports }) => {
      for (const { name, port_no } of ports) told.set(name, port_no);
    });
    this.#numbers.learn(this.#parts.vifs(), told);
    this.#parts.onPorts(told);
  }

  async #followPortNumbers(channel: OpenFlowChannel, signal: AbortSignal): Promise<void> {
    while (this.#numbers.arePending || this.#parts.isNumberPending()) {
      await this.#parts.clock.sleep(PORT_NUMBER_POLL_MS, signal);
      if (signal.aborted) return;
      try {
        await this.#learnPortNumbers(channel);
      } catch {
        // The connection is over; the next one asks again.
        return;
      }
    }
  }
}
