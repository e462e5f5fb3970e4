/**
 * One OpenFlow connection: requests with their replies, modifications with their errors.
 *
 * Owns: the states HELLO → FEATURES → ready → closed, and the pairing of what was sent with what came back.
 * Promises: every promise given out settles, at the latest when the connection ends. Sends of one lane keep their order.
 */
import type { Socket } from 'node:net';
import type { FeaturesReplyMessage, Message } from '../../flows/openflow/message.js';
import type { MultipartRequestBody } from '../../flows/openflow/multipart.js';
import type { SwitchError } from './contract.js';
import { noEvents } from './counters.js';
import type { ChannelSnapshot, EventCounts } from './counters.js';
import { ChannelError, SwitchRejection } from './errors.js';
import { Exchanges } from './exchanges.js';
import type { ErrorScope, Exchange } from './exchanges.js';
import { Intake } from './intake.js';
import { Link } from './link.js';
import { MultipartExchange } from './multipart.js';
import type { MultipartKind, MultipartPart } from './multipart.js';
import type { ChannelLimits } from './options.js';
import { LANE } from './send-queue.js';
import type { Lane } from './send-queue.js';
import { Semaphore } from './semaphore.js';
import { toSwitchError } from './switch-error.js';
import type { WriterPool } from './writer-pool.js';

/** Requests with exactly one reply, and its kind. */
const REPLY_KIND = {
  echo_request: 'echo_reply',
  features_request: 'features_reply',
  get_config_request: 'get_config_reply',
  barrier_request: 'barrier_reply',
  queue_get_config_request: 'queue_get_config_reply',
  role_request: 'role_reply',
  get_async_request: 'get_async_reply',
  tlv_table_request: 'tlv_table_reply',
  bundle_control: 'bundle_control',
} as const;

/** Requests that need not wait for the modifications before them. */
const LANE_OF: { readonly [K in RequestKind]?: Lane } = { echo_request: LANE.URGENT, role_request: LANE.CONTROL };

export type RequestKind = keyof typeof REPLY_KIND;
export type ReplyTo<K extends RequestKind> = Message & { readonly kind: (typeof REPLY_KIND)[K] };

export interface RequestOptions {
  /** Milliseconds; the connection's own when absent. */
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ConnectionSetup {
  readonly limits: ChannelLimits;
  readonly writers: WriterPool;
  readonly now: () => number;
  /** Anything that is not a reply, an error or an echo, once the handshake is done. */
  readonly onMessage: (message: Message) => void;
  /** An error of a message that nobody waits for. */
  readonly onSwitchError: (error: SwitchError) => void;
}

const NO_BYTES = new Uint8Array(0);
/** Kinds of errors counted apart: a switch could make up any number of them. */
const MAX_ERROR_NAMES = 256;

export class Connection {
  /** Resolves with the peer's features when the handshake is done; rejects when it fails. */
  readonly ready: Promise<FeaturesReplyMessage>;
  /** Resolves when the connection is over, with the reason, or undefined when this side closed it. */
  readonly closed: Promise<Error | undefined>;
  readonly counts: EventCounts = noEvents();
  readonly exchanges = new Exchanges();
  /** Paces reading for receivers that return promises. */
  readonly intake: Intake;
  readonly limits: ChannelLimits;
  readonly #socket: Socket;
  readonly #link: Link;
  readonly #setup: ConnectionSetup;
  readonly #errors = new Map<string, number>();
  readonly #dumps: Semaphore;
  readonly #handshakeTimer: NodeJS.Timeout;
  #features: FeaturesReplyMessage | undefined;
  #endReason: Error | undefined;
  #echoRtt: number | undefined;
  #barrierLatency: number | undefined;
  #resolveClosed!: (reason: Error | undefined) => void;
  #resolveReady!: (features: FeaturesReplyMessage) => void;
  #rejectReady!: (reason: unknown) => void;

  constructor(socket: Socket, setup: ConnectionSetup) {
    const { limits } = setup;
    this.limits = limits;
    this.#socket = socket;
    this.#setup = setup;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    // Whoever does not wait for the handshake still has `closed`.
    this.ready.catch(() => undefined);
    this.intake = new Intake(socket, limits, () => this.counts.pauses++);
    this.#dumps = new Semaphore(limits.multipartConcurrency);
    this.#handshakeTimer = setTimeout(
      () => this.end(new ChannelError('handshake_timeout', `no OpenFlow handshake in ${limits.handshakeTimeout} ms`)),
      limits.handshakeTimeout,
    );
    this.#link = new Link(socket, { limits, writers: setup.writers, now: setup.now, counts: this.counts }, this.exchanges.xids(), {
      onOpen: () => void this.#askFeatures(),
      onMessage: this.#onMessage,
      onMalformed: (xid, cause) => this.exchanges.abandon(xid, new ChannelError('unexpected_reply', 'the reply is malformed', { cause })),
      onSilence: () => void this.echo({ timeout: limits.echoInterval }).catch(() => undefined),
      onEnd: this.#onEnd,
    });
  }

  get state(): ChannelSnapshot['state'] {
    if (this.#link.state !== 'open') return this.#link.state;
    return this.#features === undefined ? 'features' : 'ready';
  }

  /** Sends without waiting for anything. False when the lane is full or the connection over. @throws EncodeError */
  post(lane: Lane, message: Message, xid = this.exchanges.xids()): boolean {
    return this.#link.queue.post(lane, message, xid);
  }

  /** Sends a request and waits for its reply. @throws SwitchRejection, ChannelError, EncodeError, the reason of the signal. */
  request<K extends RequestKind>(message: Message & { readonly kind: K }, options: RequestOptions = {}): Promise<ReplyTo<K>> {
    const kind: K = message.kind;
    return new Promise((resolve, reject) => {
      this.#open(message, LANE_OF[kind] ?? LANE.ORDERED, 'request_timeout', this.limits.requestTimeout, options, {
        reply: (reply) => {
          if (reply.kind !== REPLY_KIND[kind])
            throw new ChannelError('unexpected_reply', `expected ${REPLY_KIND[kind]}, got ${reply.kind}`);
          resolve(reply as ReplyTo<K>);
          return true;
        },
        fail: reject,
        refuse: (error) => reject(new SwitchRejection(error)),
      });
    });
  }

  /** Sends a multipart request; its reply goes to `onPart`, part by part. A promise from `onPart` slows the switch down. */
  multipart<K extends MultipartKind>(
    body: MultipartRequestBody & { readonly kind: K },
    onPart: (part: MultipartPart<K>) => void | Promise<void>,
    options: RequestOptions = {},
  ): Promise<void> {
    return this.#dumps.run(async () => {
      const { multipartBytes, multipartTimeout, receiverBacklog } = this.limits;
      const exchange = new MultipartExchange<K>(body.kind, onPart, { intake: this.intake, maxBytes: multipartBytes, receiverBacklog });
      this.#open({ kind: 'multipart_request', flags: 0, body }, LANE.ORDERED, 'multipart_stalled', multipartTimeout, options, exchange);
      try {
        await exchange.done;
      } catch (error) {
        // A reply without end cannot be called off.
        if (error instanceof ChannelError && error.code === 'multipart_overflow') this.end(error);
        throw error;
      }
    }, options.signal);
  }

  /** Resolves when the switch has done everything sent before. */
  async barrier(options: RequestOptions = {}): Promise<void> {
    const start = this.#setup.now();
    await this.request({ kind: 'barrier_request' }, options);
    this.#barrierLatency = this.#setup.now() - start;
  }

  /** Resolves with the round trip in milliseconds. */
  async echo(options: RequestOptions = {}): Promise<number> {
    const start = this.#setup.now();
    await this.request({ kind: 'echo_request', data: NO_BYTES }, options);
    this.#echoRtt = this.#setup.now() - start;
    return this.#echoRtt;
  }

  /** Sends messages that have no reply, then a barrier. @throws SwitchRejection with the first error and the index of its message. */
  async transact(messages: readonly Message[], options: RequestOptions = {}): Promise<void> {
    let refused: SwitchRejection | undefined;
    const scope = this.exchanges.openScope(messages.length, (index, error) => (refused ??= new SwitchRejection(error, index)));
    try {
      await this.stream(messages, scope, () => refused === undefined, options.signal);
      await this.barrier(options);
    } finally {
      this.exchanges.closeScope(scope);
    }
    if (refused !== undefined) throw refused;
  }

  /** Posts messages under the ids of `scope`, as fast as the switch takes them and while `goOn` says so. */
  async stream(messages: Iterable<Message>, scope: ErrorScope, goOn: () => boolean, signal?: AbortSignal): Promise<void> {
    const { queue } = this.#link;
    let xid = scope.first;
    for (const message of messages) {
      if (queue.isFull(LANE.ORDERED)) await queue.room(LANE.ORDERED, signal);
      signal?.throwIfAborted();
      if (!goOn()) return;
      if (!this.post(LANE.ORDERED, message, xid)) throw this.#unsent();
      xid++;
    }
  }

  /** Ends the connection; without a reason, it is this side's wish. */
  end(reason?: Error): void {
    this.#link.end(reason);
  }

  snapshot(): Omit<ChannelSnapshot, 'role' | 'generation_id'> {
    const { queue, rx, tx } = this.#link;
    return {
      state: this.state,
      rx: rx.snapshot(),
      tx: tx.snapshot(),
      errors: Object.fromEntries(this.#errors),
      events: { ...this.counts },
      pending_requests: this.exchanges.pending,
      queued_bytes: {
        urgent: queue.bytes(LANE.URGENT),
        control: queue.bytes(LANE.CONTROL),
        packet_out: queue.bytes(LANE.PACKET_OUT),
        ordered: queue.bytes(LANE.ORDERED),
        socket: this.#socket.writableLength,
      },
      echo_rtt: this.#echoRtt,
      barrier_latency: this.#barrierLatency,
    };
  }

  #open(
    message: Message,
    lane: Lane,
    timeoutCode: 'request_timeout' | 'multipart_stalled',
    timeout: number,
    options: RequestOptions,
    exchange: Exchange,
  ): void {
    options.signal?.throwIfAborted();
    const xid = this.exchanges.xids();
    this.exchanges.open(xid, exchange, { timeout: options.timeout ?? timeout, timeoutCode, signal: options.signal });
    try {
      if (!this.post(lane, message, xid)) this.exchanges.fail(xid, this.#unsent());
    } catch (error) {
      this.exchanges.fail(xid, error);
    }
  }

  /** Why a message could not be queued. */
  #unsent(): Error {
    return this.#endReason ?? new ChannelError('busy', 'too much waits to be sent to the switch');
  }

  async #askFeatures(): Promise<void> {
    let features: FeaturesReplyMessage;
    try {
      features = await this.request({ kind: 'features_request' });
    } catch (cause) {
      this.end(
        cause instanceof ChannelError ? cause : new ChannelError('handshake_failed', 'the switch refused to tell its features', { cause }),
      );
      return;
    }
    clearTimeout(this.#handshakeTimer);
    this.#features = features;
    this.#resolveReady(features);
  }

  readonly #onMessage = (message: Message, xid: number, length: number): void => {
    switch (message.kind) {
      case 'error': {
        const error = toSwitchError(message, xid);
        this.#countError(error.name);
        if (!this.exchanges.refuse(error)) this.#setup.onSwitchError(error);
        return;
      }
      case 'echo_reply':
      case 'features_reply':
      case 'get_config_reply':
      case 'barrier_reply':
      case 'queue_get_config_reply':
      case 'role_reply':
      case 'get_async_reply':
      case 'tlv_table_reply':
      case 'bundle_control':
        if (!this.exchanges.deliver(xid, message, length)) this.counts.orphans++;
        return;
      case 'multipart_reply':
        if (this.exchanges.deliver(xid, message, length)) return;
        // Flow monitors report under xid 0, unasked.
        if (xid !== 0) this.counts.orphans++;
        else if (this.#features !== undefined) this.#setup.onMessage(message);
        return;
      default:
        if (this.#features !== undefined) this.#setup.onMessage(message);
    }
  };

  #countError(name: string): void {
    const key = this.#errors.has(name) || this.#errors.size < MAX_ERROR_NAMES ? name : 'other';
    this.#errors.set(key, (this.#errors.get(key) ?? 0) + 1);
  }

  readonly #onEnd = (reason: Error | undefined): void => {
    this.#endReason = reason ?? new ChannelError('closed', 'the connection was closed');
    clearTimeout(this.#handshakeTimer);
    this.intake.stop();
    this.#rejectReady(this.#endReason);
    this.exchanges.failAll(this.#endReason);
    this.#resolveClosed(reason);
  };
}
