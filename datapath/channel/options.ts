/**
 * What can be set on a channel, and what is set when nothing is said.
 *
 * Owns: every limit and timer of a connection, in one place. Times are milliseconds, sizes are bytes.
 */
import type { Message } from '../../flows/openflow/message.js';
import type { PacketIn, SwitchError } from './contract.js';
import type { LaneLimits } from './send-queue.js';
import type { TlsMaterial } from './transport.js';
import type { WriterPool } from './writer-pool.js';

/** Who is told what the switch sends unasked. */
export interface ChannelReceivers {
  /** Receives packet-ins of any format. A promise means "busy": when many are, reading pauses. `enablePunts` replaces it. */
  readonly onPacketIn?: ((packet: PacketIn) => void | Promise<void>) | undefined;
  /** Receives what is neither a reply nor a packet-in: port-status, flow-removed, flow monitor updates, role-status, unknown messages. */
  readonly onMessage?: ((message: Message) => void) | undefined;
  /** Receives errors of messages nobody waits for, such as packet-outs. */
  readonly onSwitchError?: ((error: SwitchError) => void) | undefined;
  /** Learns what the other receivers threw or rejected with; it is counted in any case. */
  readonly onReceiverError?: ((error: unknown) => void) | undefined;
}

export interface ChannelOptions extends ChannelReceivers {
  /** For `ssl:` and `pssl:` targets. */
  readonly tls?: TlsMaterial | undefined;
  /** Shared by connections that run on the same event loop; without it the connection has its own. */
  readonly writers?: WriterPool | undefined;
  readonly limits?: Partial<ChannelLimits> | undefined;
  /** Milliseconds from any fixed instant, monotonic. */
  readonly now?: (() => number) | undefined;
}

export interface ChannelLimits {
  readonly connectTimeout: number;
  /** From the open socket to the features reply. */
  readonly handshakeTimeout: number;
  /** From a request to its reply. */
  readonly requestTimeout: number;
  /** From one part of a multipart reply to the next. */
  readonly multipartTimeout: number;
  /** A whole multipart reply. */
  readonly multipartBytes: number;
  /** Multipart requests under way at once. */
  readonly multipartConcurrency: number;
  /** From the last message of a bundle to the barrier behind it, and from the commit to its reply. */
  readonly bundleTimeout: number;
  /** Silence after which the peer is probed, and between probes. */
  readonly echoInterval: number;
  /** Probes in a row without any message from the peer that end the connection. */
  readonly echoMisses: number;
  /** Per lane: urgent, control, packet-outs, ordered. */
  readonly sendBuffer: LaneLimits;
  /** Malformed messages per minute that are answered; one more ends the connection. */
  readonly malformedPerMinute: number;
  /** Receivers at work at once before reading pauses. */
  readonly receiverBacklog: number;
  /** How long reading may pause. Beyond it packet-ins are shed and dumps that lag fail, since an echo request must be answered in time. */
  readonly receiverPatience: number;
}

export const DEFAULT_LIMITS: ChannelLimits = {
  connectTimeout: 5_000,
  handshakeTimeout: 5_000,
  requestTimeout: 10_000,
  multipartTimeout: 10_000,
  multipartBytes: 256 * 1024 * 1024,
  multipartConcurrency: 2,
  bundleTimeout: 60_000,
  // Open vSwitch probes after 5 s of silence and gives up after 10.
  echoInterval: 5_000,
  echoMisses: 2,
  sendBuffer: [64 * 1024, 64 * 1024, 1024 * 1024, 1024 * 1024],
  malformedPerMinute: 10,
  receiverBacklog: 256,
  receiverPatience: 4_000,
};
