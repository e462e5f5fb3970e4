/**
 * A growing slab that messages are encoded into.
 *
 * Owns: the memory, the write position, the length limit of a message.
 * Assumes: one writer per connection; bytes handed over by `take` are only read from then on.
 * Promises: memory handed over is never written again; a message that does not fit 65,535 bytes leaves the writer as it was (encodeMessage rewinds).
 */
import { EncodeError } from './errors.js';

const MAX_MESSAGE = 0xffff;
/** `room` is asked for the longest form of a part; a message may end closer to its limit than that. Whether it is too long is seen at its end. */
const SLACK = 2048;
const RESERVE = MAX_MESSAGE + SLACK;
const DEFAULT_SLAB = 256 * 1024;

export class Writer {
  /** The slab. Public for the encoders, which write in place. */
  buf: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  /** Where the next byte goes. */
  pos = 0;
  #taken = 0;
  #end = 0;
  readonly #slab: number;

  /** @param slab bytes allocated at a time; at least 128 KiB is sensible. */
  constructor(slab = DEFAULT_SLAB) {
    this.#slab = Math.max(slab, 2 * RESERVE);
    this.buf = new Uint8Array(this.#slab);
    this.view = new DataView(this.buf.buffer);
  }

  /** Bytes written and not taken yet. */
  get pending(): number {
    return this.pos - this.#taken;
  }

  /** Opens a message: afterwards 65,535 bytes fit from `pos` on. Returns its start. */
  begin(): number {
    if (this.pos + RESERVE > this.buf.length) this.#grow();
    this.#end = this.pos + RESERVE;
    return this.pos;
  }

  /** Makes sure that `n` bytes can be written; every part asks before it writes. Throws EncodeError `too_long`. */
  room(n: number): void {
    if (this.pos + n > this.#end) throw new EncodeError('too_long', 'message exceeds 65535 bytes');
  }

  /** Everything written since the last call, as a view of the slab; the writer goes on behind it. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.buf.subarray(this.#taken, this.pos);
    this.#taken = this.pos;
    return bytes;
  }

  u8(value: number): void {
    this.view.setUint8(this.pos, value);
    this.pos += 1;
  }

  u16(value: number): void {
    this.view.setUint16(this.pos, value);
    this.pos += 2;
  }

  u32(value: number): void {
    this.view.setUint32(this.pos, value);
    this.pos += 4;
  }

  /** A MAC address or any number below 2^48. */
  u48(value: number): void {
    this.view.setUint16(this.pos, Math.floor(value / 0x1_0000_0000));
    this.view.setUint32(this.pos + 2, value >>> 0);
    this.pos += 6;
  }

  u64(value: bigint): void {
    this.view.setBigUint64(this.pos, value);
    this.pos += 8;
  }

  u128(value: bigint): void {
    this.view.setBigUint64(this.pos, value >> 64n);
    this.view.setBigUint64(this.pos + 8, value);
    this.pos += 16;
  }

  /** `n` zero bytes, n below 2048. The slab is dirty: padding must be written. */
  zeros(n: number): void {
    // Mostly 2 to 7 bytes: a call of fill would cost more than the stores.
    const end = this.pos + n;
    let o = this.pos;
    for (; end - o >= 4; o += 4) this.view.setUint32(o, 0);
    for (; o < end; o++) this.view.setUint8(o, 0);
    this.pos = end;
  }

  /** Zeros up to a multiple of 8 bytes from `start`. */
  pad8(start: number): void {
    const rest = (this.pos - start) & 7;
    if (rest !== 0) this.zeros(8 - rest);
  }

  /** Copies bytes; checks the limit itself. */
  bytes(data: Uint8Array): void {
    this.room(data.length);
    this.buf.set(data, this.pos);
    this.pos += data.length;
  }

  /** A string in `size` bytes, one byte per character; the rest is zero. Switches that use all bytes are not unheard of. */
  string(text: string, size: number): void {
    if (text.length > size) throw new EncodeError('bad_value', `string longer than ${size} bytes`);
    for (let i = 0; i < text.length; i++) this.buf[this.pos + i] = text.charCodeAt(i);
    this.buf.fill(0, this.pos + text.length, this.pos + size);
    this.pos += size;
  }

  #grow(): void {
    const pending = this.pos - this.#taken;
    // Doubling keeps the copying linear when a caller never takes.
    const buf = new Uint8Array(Math.max(this.#slab, 2 * (pending + RESERVE)));
    buf.set(this.buf.subarray(this.#taken, this.pos));
    this.buf = buf;
    this.view = new DataView(buf.buffer);
    this.#taken = 0;
    this.pos = pending;
  }
}
