/**
 * Cuts a byte stream into OpenFlow messages.
 *
 * Owns: the piece of a message that has not arrived in full. At most one message (65,535 bytes) per connection.
 * Assumes: chunks arrive in order and are not written to after they were pushed.
 * Promises: any split of the same bytes gives the same messages. A message that lies within a chunk is handed on in place, without a copy.
 */
import { ChannelError } from './errors.js';

/** Length of the OpenFlow header (OF1.3.5 §7.1). */
export const HEADER_LENGTH = 8;
/** Bytes of the header up to and including the length. */
const LENGTH_END = 4;

/** Takes the message `bytes[start, end)`. The bytes stay valid after the call. */
export type FrameSink = (bytes: Uint8Array, start: number, end: number) => void;

export class Framer {
  readonly #sink: FrameSink;
  #partial: Uint8Array = new Uint8Array(0);
  /** Bytes of `#partial` that have arrived. */
  #have = 0;
  #stopped = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** True when part of a message has arrived. */
  get midMessage(): boolean {
    return this.#have > 0;
  }

  /** No message reaches the sink any more, not even the rest of the chunk under way. */
  stop(): void {
    this.#stopped = true;
    this.#partial = new Uint8Array(0);
    this.#have = 0;
  }

  /** @throws ChannelError `framing` when a length field is below 8: the stream is lost from there on. */
  push(chunk: Uint8Array): void {
    let offset = this.#have > 0 ? this.#complete(chunk) : 0;
    const size = chunk.length;
    while (!this.#stopped && size - offset >= LENGTH_END) {
      const end = offset + frameLength(chunk, offset);
      if (end > size) break;
      this.#sink(chunk, offset, end);
      offset = end;
    }
    if (!this.#stopped && offset < size) this.#keep(chunk, offset);
  }

  /** Feeds the message begun by earlier chunks; returns where the next one starts in `chunk`. */
  #complete(chunk: Uint8Array): number {
    let offset = 0;
    while (!this.#stopped && this.#have > 0 && offset < chunk.length) {
      const take = Math.min(this.#partial.length - this.#have, chunk.length - offset);
      this.#partial.set(chunk.subarray(offset, offset + take), this.#have);
      this.#have += take;
      offset += take;
      if (this.#have < this.#partial.length) break;
      if (this.#have === LENGTH_END) {
        const whole = new Uint8Array(frameLength(this.#partial, 0));
        whole.set(this.#partial);
        this.#partial = whole;
        continue;
      }
      const message = this.#partial;
      this.#have = 0;
      this.#sink(message, 0, message.length);
    }
    return offset;
  }

  #keep(chunk: Uint8Array, offset: number): void {
    const rest = chunk.length - offset;
    this.#partial = new Uint8Array(rest < LENGTH_END ? LENGTH_END : frameLength(chunk, offset));
    this.#partial.set(chunk.subarray(offset));
    this.#have = rest;
  }
}

function frameLength(bytes: Uint8Array, offset: number): number {
  const length = (bytes[offset + 2]! << 8) | bytes[offset + 3]!;
  if (length < HEADER_LENGTH) throw new ChannelError('framing', `a message header says ${length} bytes; the least is ${HEADER_LENGTH}`);
  return length;
}
