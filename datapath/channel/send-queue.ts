/**
 * What waits to be written to one connection.
 *
 * Owns: four lanes of encoded bytes, their bounds, and when they go to the socket.
 * Promises: within a lane, order is kept; across lanes, the more urgent goes first. No lane grows beyond twice its limit.
 * After `write` answered false nothing more is written until the socket drained. Everything sent in one turn of the event loop goes out in one system call.
 */
import type { Writable } from 'node:stream';
import { encodeMessage } from '../../flows/openflow/codec.js';
import type { Message } from '../../flows/openflow/message.js';
import type { Writer } from '../../flows/openflow/writer.js';
import type { WriterPool } from './writer-pool.js';

/**
 * Lanes, most urgent first. `ORDERED` holds modifications and everything whose place among them matters: barriers, bundles, multipart requests.
 */
export const LANE = { URGENT: 0, CONTROL: 1, PACKET_OUT: 2, ORDERED: 3 } as const;
export type Lane = (typeof LANE)[keyof typeof LANE];
export const LANE_NAMES = ['urgent', 'control', 'packet_out', 'ordered'] as const;

/** Bytes per lane, in the order of `LANE`. */
export type LaneLimits = readonly [number, number, number, number];

/** Enough for one system call; encoding goes on while the kernel and the switch work on it. */
const CHUNK = 64 * 1024;
/** OFPT_ECHO_REPLY. */
const ECHO_REPLY = 3;

interface LaneState {
  readonly limit: number;
  writer: Writer | undefined;
  /** Cut off from the writer, waiting for the socket. */
  chunks: Uint8Array[];
  chunkBytes: number;
}

export class SendQueue {
  readonly #socket: Writable;
  readonly #pool: WriterPool;
  readonly #lanes: readonly LaneState[];
  readonly #onSent: (type: number, length: number) => void;
  #waiters: (() => void)[] = [];
  #blocked = false;
  #closed = false;
  /** Above 0: a batch is under way and flushes when it ends. */
  #batches = 0;
  #flushScheduled = false;

  /** `onSent` learns wire type and length of each message. */
  constructor(socket: Writable, pool: WriterPool, limits: LaneLimits, onSent: (type: number, length: number) => void) {
    this.#socket = socket;
    this.#pool = pool;
    this.#lanes = limits.map((limit) => ({ limit, writer: undefined, chunks: [], chunkBytes: 0 }));
    this.#onSent = onSent;
    socket.on('drain', () => {
      this.#blocked = false;
      this.#flush();
    });
  }

  /** Bytes waiting in a lane. */
  bytes(lane: Lane): number {
    const state = this.#lanes[lane]!;
    return state.chunkBytes + (state.writer?.pending ?? 0);
  }

  /** True when a producer that can wait should: see `room`. */
  isFull(lane: Lane): boolean {
    return this.bytes(lane) >= this.#lanes[lane]!.limit;
  }

  /**
   * Encodes a message into a lane. Returns false, and has done nothing, when the lane holds twice its limit or the connection is over.
   * @throws EncodeError when the message has no form on the wire; the lane is as before.
   */
  post(lane: Lane, message: Message, xid: number): boolean {
    const writer = this.#writerFor(lane);
    if (writer === undefined) return false;
    // Opened here as well as by the encoder: the slab may change now, and then not before the message ends.
    const start = writer.begin();
    encodeMessage(writer, message, xid);
    this.#posted(lane, writer, start);
    return true;
  }

  /** The answer to an echo request: the same bytes under another type (OF1.3.5 §7.5.3). */
  postEchoReply(bytes: Uint8Array, start: number, end: number): boolean {
    const writer = this.#writerFor(LANE.URGENT);
    if (writer === undefined) return false;
    const at = writer.begin();
    writer.bytes(bytes.subarray(start, end));
    writer.buf[at + 1] = ECHO_REPLY;
    this.#posted(LANE.URGENT, writer, at);
    return true;
  }

  /** Resolves, in another turn of the event loop, when the lane is half empty, the connection is over or the signal has fired. */
  async room(lane: Lane, signal?: AbortSignal): Promise<void> {
    const state = this.#lanes[lane]!;
    do {
      await new Promise<void>((resolve) => {
        if (!this.#blocked || this.#closed || signal?.aborted === true) {
          setImmediate(resolve);
          return;
        }
        const go = () => {
          signal?.removeEventListener('abort', go);
          resolve();
        };
        signal?.addEventListener('abort', go, { once: true });
        this.#waiters.push(go);
      });
    } while (!this.#closed && signal?.aborted !== true && this.bytes(lane) > state.limit / 2);
  }

  /** Until `endBatch`, nothing is flushed. */
  beginBatch(): void {
    this.#batches++;
  }

  endBatch(): void {
    this.#batches--;
    if (this.#batches === 0) this.#flush();
  }

  /** Writes what the socket takes now. */
  flush(): void {
    this.#flush();
  }

  /** Forgets everything that waits and lets go those who wait for room. */
  close(): void {
    this.#closed = true;
    for (const lane of this.#lanes) {
      lane.chunks = [];
      lane.chunkBytes = 0;
      lane.writer = undefined;
    }
    this.#releaseWaiters();
  }

  #writerFor(lane: Lane): Writer | undefined {
    const state = this.#lanes[lane]!;
    if (this.#closed || state.chunkBytes + (state.writer?.pending ?? 0) >= 2 * state.limit) return undefined;
    return (state.writer ??= this.#pool.borrow());
  }

  #posted(lane: Lane, writer: Writer, start: number): void {
    this.#onSent(writer.buf[start + 1]!, writer.pos - start);
    if (writer.pending >= CHUNK) {
      this.#cut(this.#lanes[lane]!);
      this.#flush();
    } else if (this.#batches === 0 && !this.#flushScheduled) {
      this.#flushScheduled = true;
      queueMicrotask(this.#scheduledFlush);
    }
  }

  readonly #scheduledFlush = (): void => {
    this.#flushScheduled = false;
    this.#flush();
  };

  #cut(lane: LaneState): void {
    const writer = lane.writer;
    if (writer === undefined) return;
    lane.writer = undefined;
    const bytes = writer.take();
    this.#pool.giveBack(writer);
    if (bytes.length === 0) return;
    lane.chunks.push(bytes);
    lane.chunkBytes += bytes.length;
  }

  #flush(): void {
    if (this.#closed || this.#blocked) return;
    let filled = 0;
    for (const lane of this.#lanes) {
      this.#cut(lane);
      if (lane.chunkBytes > 0) filled++;
    }
    if (filled > 1) this.#socket.cork();
    for (const lane of this.#lanes) if (lane.chunkBytes > 0) this.#writeLane(lane);
    if (filled > 1) this.#socket.uncork();
    if (this.#waiters.length > 0) this.#releaseWaiters();
  }

  #writeLane(lane: LaneState): void {
    let written = 0;
    while (written < lane.chunks.length && !this.#blocked) {
      const chunk = lane.chunks[written]!;
      written++;
      lane.chunkBytes -= chunk.length;
      this.#blocked = !this.#socket.write(chunk);
    }
    lane.chunks = written === lane.chunks.length ? [] : lane.chunks.slice(written);
  }

  /** Through setImmediate, so that a producer that always finds room still lets the event loop read. */
  #releaseWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) setImmediate(waiter);
  }
}
