/**
 * Bounds checks and byte access shared by the decoders.
 *
 * Assumes: `view` covers more than one message; every decoder is given the end it must not pass.
 * Promises: no read past `end` (each structure is checked before its fields are read), and DecodeError for everything that does not fit.
 */
import { DecodeError, type DecodeErrorCode, type OfError } from './errors.js';

export function fail(code: DecodeErrorCode, offset: number, expected: string, of: OfError): never {
  throw new DecodeError(code, offset, expected, of);
}

/** At least `size` bytes between `o` and `end`. */
export function need(o: number, end: number, size: number, what: string, of: OfError): void {
  if (end - o < size) fail('truncated', o, `${size} bytes of ${what}, found ${end - o}`, of);
}

/** Exactly `size` bytes between `o` and `end`. */
export function exactly(o: number, end: number, size: number, what: string, of: OfError): void {
  if (end - o !== size) fail('bad_length', o, `${size} bytes of ${what}, found ${end - o}`, of);
}

/** Bytes `from` to `to` as a view of the same memory. */
export function slice(view: DataView, from: number, to: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + from, to - from);
}

export function u48(view: DataView, o: number): number {
  return view.getUint16(o) * 0x1_0000_0000 + view.getUint32(o + 2);
}

export function u128(view: DataView, o: number): bigint {
  return (view.getBigUint64(o) << 64n) | view.getBigUint64(o + 8);
}

/** A NUL-terminated string in `size` bytes, one character per byte, so that any bytes survive. */
export function fixedString(view: DataView, o: number, size: number): string {
  let text = '';
  for (let i = o; i < o + size; i++) {
    const byte = view.getUint8(i);
    if (byte === 0) break;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** The next multiple of 8 at or above `n`. */
export function align8(n: number): number {
  return (n + 7) & ~7;
}
