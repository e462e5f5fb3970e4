/**
 * JSON values out of a byte stream.
 *
 * Owns: framing. OVSDB (RFC 7047 §4.1) sends JSON objects one after the other with nothing between them, so the end of one
 * is where its brackets balance; brackets inside strings do not count.
 * Promises: every byte is looked at once; a value larger or deeper than the limits, or anything but an object or array at the top,
 * is an OvsdbError `protocol`, after which the stream must be abandoned.
 */
import { OvsdbError } from './ovsdb-error.js';

export interface JsonStreamLimits {
  /** Bytes of one value. */
  readonly maxBytes: number;
  /** Brackets open at once. */
  readonly maxDepth: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

export class JsonStream {
  readonly #limits: JsonStreamLimits;
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true });
  /** Pieces of the value that has begun and not ended. */
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(limits: JsonStreamLimits) {
    this.#limits = limits;
  }

  /** The values that end in this chunk, in order. The chunk is kept by reference until its last value has ended. */
  push(chunk: Uint8Array): unknown[] {
    const values: unknown[] = [];
    let start = this.#depth > 0 ? 0 : -1;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at]!;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        if (this.#depth === 0) start = at;
        this.#depth += 1;
        if (this.#depth > this.#limits.maxDepth) throw new OvsdbError('protocol', `JSON nested deeper than ${this.#limits.maxDepth}`);
      } else if (this.#depth === 0) {
        if (!isSpace(byte)) throw new OvsdbError('protocol', `byte 0x${byte.toString(16)} between JSON values`);
      } else if (byte === QUOTE) {
        this.#inString = true;
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        this.#depth -= 1;
        if (this.#depth === 0) {
          this.#keep(chunk.subarray(start, at + 1));
          values.push(this.#take());
          start = -1;
        }
      }
    }
    if (start >= 0) this.#keep(chunk.subarray(start));
    return values;
  }

  #keep(piece: Uint8Array): void {
    this.#bytes += piece.length;
    if (this.#bytes > this.#limits.maxBytes) throw new OvsdbError('protocol', `JSON value larger than ${this.#limits.maxBytes} bytes`);
    this.#pieces.push(piece);
  }

  #take(): unknown {
    const bytes = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces, this.#bytes);
    this.#pieces = [];
    this.#bytes = 0;
    try {
      return JSON.parse(this.#utf8.decode(bytes));
    } catch (error) {
      throw new OvsdbError('protocol', 'not JSON', { cause: error });
    }
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
