/**
 * Type-length-value properties padded to 8 bytes, as OpenFlow 1.4 and the Nicira messages use them. The length excludes the padding.
 */
import { OF_ERRORS } from './errors.js';
import type { UnknownProperty } from './message.js';
import { align8, fail, need } from './read.js';
import type { Writer } from './writer.js';

/** Calls `each` with type, payload start and payload end of every property from `start` to `end`. */
export function eachProperty(view: DataView, start: number, end: number, each: (type: number, from: number, to: number) => void): void {
  let o = start;
  while (o < end) {
    need(o, end, 4, 'a property', OF_ERRORS.bad_request_len);
    const length = view.getUint16(o + 2);
    if (length < 4 || align8(length) > end - o)
      fail('bad_length', o + 2, 'a property length of at least 4 that fits', OF_ERRORS.bad_request_len);
    each(view.getUint16(o), o + 4, o + length);
    o += align8(length);
  }
}

/** Writes a property whose payload `body` writes. */
export function property(w: Writer, type: number, body: () => void): void {
  w.room(24);
  const start = w.pos;
  w.u16(type);
  w.u16(0);
  body();
  w.view.setUint16(start + 2, w.pos - start);
  w.room(8);
  w.pad8(start);
}

export function unknownProperties(w: Writer, properties: readonly UnknownProperty[] | undefined): void {
  for (const { type, data } of properties ?? []) property(w, type, () => w.bytes(data));
}
