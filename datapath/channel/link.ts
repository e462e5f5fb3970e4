/**
 * A socket that speaks OpenFlow 1.3: bytes in, messages out, and back.
 *
 * Owns: the socket, framing, version negotiation, the answers to echo requests and to malformed messages, keep-alive, and the traffic counters.
 * Assumes: the socket is open, and TLS, if any, has authenticated the peer.
 * Promises: messages are handed on in the order they arrive. An echo request is answered where it is read, ahead of everything queued.
 * Whatever the peer sends, and whatever a receiver throws over it, ends at most this link.
 */
import type { Socket } from 'node:net';
import { decodeMessage } from '../../flows/openflow/codec.js';
import { DecodeError } from '../../flows/openflow/errors.js';
import type { Message } from '../../flows/openflow/message.js';
import { Traffic } from './counters.js';
import type { EventCounts } from './counters.js';
import { ChannelError } from './errors.js';
import { Framer } from './framer.js';
import { HELLO, VERSION, helloAllows13, incompatible } from './handshake.js';
import { Keepalive } from './keepalive.js';
import type { ChannelLimits } from './options.js';
import { RateWindow } from './rate-window.js';
import { LANE, SendQueue } from './send-queue.js';
import type { WriterPool } from './writer-pool.js';

export interface LinkSetup {
  readonly limits: ChannelLimits;
  readonly writers: WriterPool;
  readonly now: () => number;
  readonly counts: EventCounts;
}

export interface LinkEvents {
  /** The version is agreed; messages may be sent. */
  readonly onOpen: () => void;
  /** `length` is that of the message on the wire. */
  readonly onMessage: (message: Message, xid: number, length: number) => void;
  /** A message under `xid` could not be read. */
  readonly onMalformed: (xid: number, error: DecodeError) => void;
  /** The peer has been silent: ask it for a sign of life. */
  readonly onSilence: () => void;
  /** Once, at the end; undefined when this side asked for it. */
  readonly onEnd: (reason: Error | undefined) => void;
}

/** Wire types that are looked at before decoding (OF1.3.5 §7.1). */
const HELLO_TYPE = 0;
const ERROR_TYPE = 1;
const ECHO_REQUEST_TYPE = 2;
/** How much of a malformed message goes into the error that answers it (OF1.3.5 §7.4.4: at least 64 bytes). */
const ERROR_DATA = 64;
/** Time for last words, such as HELLO_FAILED, to leave. */
const LINGER_MS = 1_000;
const MALFORMED_WINDOW_MS = 60_000;

export class Link {
  readonly queue: SendQueue;
  readonly rx = new Traffic();
  readonly tx = new Traffic();
  readonly #socket: Socket;
  readonly #events: LinkEvents;
  readonly #counts: EventCounts;
  readonly #framer: Framer;
  readonly #keepalive: Keepalive;
  readonly #malformed: RateWindow;
  #state: 'hello' | 'open' | 'closed' = 'hello';
  #messages = 0;
  /** Of the chunk being read. */
  #view: DataView | undefined;

  /** `helloXid` is the transaction id of our HELLO, sent at once: Open vSwitch gives a silent controller one second. */
  constructor(socket: Socket, setup: LinkSetup, helloXid: number, events: LinkEvents) {
    const { limits } = setup;
    this.#socket = socket;
    this.#events = events;
    this.#counts = setup.counts;
    this.#framer = new Framer(this.#onFrame);
    this.queue = new SendQueue(socket, setup.writers, limits.sendBuffer, (type, length) => this.tx.count(type, length));
    this.#malformed = new RateWindow(limits.malformedPerMinute, MALFORMED_WINDOW_MS, setup.now);
    this.#keepalive = new Keepalive(limits.echoInterval, limits.echoMisses, {
      probe: () => {
        if (this.#state === 'open') events.onSilence();
      },
      giveUp: () => this.end(new ChannelError('keepalive_timeout', `the switch left ${limits.echoMisses} echo requests unanswered`)),
    });
    socket.on('data', this.#onData);
    socket.on('error', (cause) => this.end(new ChannelError('connection_lost', `the connection failed: ${cause.message}`, { cause })));
    socket.on('end', () => this.end(new ChannelError('connection_lost', 'the switch closed the connection')));
    socket.on('close', () => this.end(new ChannelError('connection_lost', 'the switch closed the connection')));
    this.queue.post(LANE.URGENT, HELLO, helloXid);
  }

  get state(): 'hello' | 'open' | 'closed' {
    return this.#state;
  }

  /** Only the first reason counts; without one, it is this side's wish. What is queued and can leave at once still does. */
  end(reason?: Error): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#keepalive.stop();
    this.#framer.stop();
    this.queue.flush();
    this.queue.close();
    this.#socket.off('data', this.#onData);
    this.#socket.resume();
    this.#socket.end();
    // A peer that does not read cannot hold the socket longer than this.
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
    this.#events.onEnd(reason);
  }

  readonly #onData = (chunk: Uint8Array): void => {
    this.queue.beginBatch();
    const before = this.#messages;
    try {
      this.#framer.push(chunk);
    } catch (error) {
      this.end(error instanceof ChannelError ? error : new ChannelError('receiver_failed', 'handling a message failed', { cause: error }));
    }
    if (this.#messages !== before) this.#keepalive.heard();
    this.#view = undefined;
    this.queue.endBatch();
  };

  readonly #onFrame = (bytes: Uint8Array, start: number, end: number): void => {
    const type = bytes[start + 1]!;
    this.rx.count(type, end - start);
    this.#messages++;
    if (this.#state === 'hello') {
      this.#negotiate(bytes, start, end, type);
      return;
    }
    if (type === ECHO_REQUEST_TYPE) {
      if (!this.queue.postEchoReply(bytes, start, end)) this.#counts.echo_replies_dropped++;
      return;
    }
    if (bytes[start] !== VERSION && type > ERROR_TYPE) {
      this.end(new ChannelError('framing', `a message of version 0x${bytes[start]!.toString(16)} after 0x0${VERSION} was agreed`));
      return;
    }
    let decoded: { readonly xid: number; readonly message: Message };
    try {
      decoded = decodeMessage(bytes, start, end, this.#viewOf(bytes));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#refuse(error, xidOf(bytes, start), bytes.subarray(start, Math.min(end, start + ERROR_DATA)), type);
      return;
    }
    this.#events.onMessage(decoded.message, decoded.xid, end - start);
  };

  /** One view serves all messages of a chunk. */
  #viewOf(bytes: Uint8Array): DataView {
    if (this.#view?.buffer !== bytes.buffer || this.#view.byteOffset !== bytes.byteOffset) {
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    return this.#view;
  }

  #negotiate(bytes: Uint8Array, start: number, end: number, type: number): void {
    if (type !== HELLO_TYPE) {
      this.end(
        new ChannelError(
          'handshake_failed',
          type === ERROR_TYPE ? 'the switch refused our HELLO' : `the first message has type ${type}, not HELLO`,
        ),
      );
    } else if (!helloAllows13(bytes, start, end)) {
      this.queue.post(LANE.URGENT, incompatible(bytes[start]!), xidOf(bytes, start));
      this.end(
        new ChannelError('version_mismatch', `the switch speaks up to version 0x0${bytes[start]!.toString(16)} and not 0x0${VERSION}`),
      );
    } else {
      this.#state = 'open';
      this.#events.onOpen();
    }
  }

  #refuse(error: DecodeError, xid: number, head: Uint8Array, type: number): void {
    this.#counts.malformed++;
    // An error about an error would go back and forth for ever.
    if (type !== ERROR_TYPE) {
      this.queue.post(
        LANE.URGENT,
        { kind: 'error', type: error.ofType, code: error.ofCode, experimenter: error.experimenter, data: head },
        xid,
      );
    }
    this.#events.onMalformed(xid, error);
    if (!this.#malformed.allow()) this.end(new ChannelError('malformed', 'too many malformed messages', { cause: error }));
  }
}

function xidOf(bytes: Uint8Array, start: number): number {
  return ((bytes[start + 4]! << 24) | (bytes[start + 5]! << 16) | (bytes[start + 6]! << 8) | bytes[start + 7]!) >>> 0;
}
