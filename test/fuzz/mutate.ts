/**
 * Making broken messages out of good ones.
 *
 * Owns: the mutations, some blind (bits, bytes, splices), some aware of the grammar (length words, TLV headers, counts, nesting, type numbers).
 * Promises: works in place in a buffer of 64 KiB and returns the new length; the outcome depends on the random source alone.
 */
import type { Random } from '../codec/random.js';

export const MAX_INPUT = 65_535;

const LENGTHS = [
  0, 1, 2, 3, 4, 6, 7, 8, 9, 12, 15, 16, 17, 23, 24, 31, 32, 39, 40, 55, 56, 63, 64, 127, 255, 256, 0x7fff, 0x8000, 0xfff8, 0xffff,
];
const BYTES = [0, 1, 2, 3, 4, 7, 8, 16, 31, 32, 64, 127, 128, 254, 255];
/** Type and length of things that hold others. */
const CONTAINERS = [
  // apply_actions, write_actions; clone, ct, learn, controller2.
  [0, 4, 0, 16, 0, 0, 0, 0],
  [0, 3, 0, 16, 0, 0, 0, 0],
  [0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0, 42, 0, 0, 0, 0, 0, 0],
  [0xff, 0xff, 0, 24, 0, 0, 0x23, 0x20, 0, 35, 0, 1, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0],
  [0xff, 0xff, 0, 32, 0, 0, 0x23, 0x20, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
  [0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0, 37, 0, 0, 0, 0, 0, 0],
  // OXM headers: experimenter, masked, unknown class, variable length.
  [0xff, 0xff, 0x55, 0x08, 0x4f, 0x4e, 0x46, 0x00],
  [0x80, 0x00, 0x17, 0x08],
  [0x12, 0x34, 0x02, 0x10],
  [0x00, 0x01, 0x51, 0xf8],
];
/** Offsets where messages have their length words, behind the header. */
const USUAL_LENGTH_OFFSETS = [10, 16, 18, 20, 24, 26, 34, 42, 50, 58, 66, 74, 82, 90];

function setU16(buf: Uint8Array, o: number, value: number): void {
  buf[o] = value >>> 8;
  buf[o + 1] = value & 0xff;
}

/** Opens a gap of `size` bytes at `o`. */
function insert(buf: Uint8Array, length: number, o: number, bytes: ArrayLike<number>): number {
  if (length + bytes.length > MAX_INPUT) return length;
  buf.copyWithin(o + bytes.length, o, length);
  buf.set(bytes, o);
  return length + bytes.length;
}

/** A place that looks like the length word of a TLV: as long as some of what follows. */
function lengthWord(random: Random, buf: Uint8Array, length: number): number {
  for (let tries = 0; tries < 8; tries++) {
    const o = 8 + 2 * random.below(Math.max(1, (length - 10) >> 1));
    const value = ((buf[o] ?? 0) << 8) | (buf[o + 1] ?? 0);
    if (value >= 4 && value <= length - o + 2) return o;
  }
  return Math.min(random.pick(USUAL_LENGTH_OFFSETS), Math.max(8, length - 2));
}

function mutateOnce(random: Random, buf: Uint8Array, length: number, other: Uint8Array): number {
  const at = random.below(Math.max(1, length));
  switch (random.below(14)) {
    case 0:
      buf[at] = (buf[at] ?? 0) ^ (1 << random.below(8));
      return length;
    case 1:
      buf[at] = random.pick(BYTES);
      return length;
    case 2:
      buf[at] = random.below(256);
      return length;
    case 3:
    case 4:
    case 5: {
      const o = lengthWord(random, buf, length);
      const value = ((buf[o] ?? 0) << 8) | (buf[o + 1] ?? 0);
      setU16(buf, o, random.pick([random.pick(LENGTHS), value + 1, value - 1, value + 8, value - 8, length - o + 3, length - o]) & 0xffff);
      return length;
    }
    case 6: {
      // An OXM length byte: every fourth byte of a match is one, more or less.
      const o = 8 + random.below(Math.max(1, length - 8));
      buf[o] = random.pick(BYTES);
      return length;
    }
    case 7:
      return insert(buf, length, 8 + 8 * random.below(Math.max(1, (length - 8) >> 3)), random.pick(CONTAINERS));
    case 8: {
      const size = random.between(1, 64);
      const from = random.below(Math.max(1, length - size));
      return insert(buf, length, at, buf.slice(from, Math.min(length, from + size)));
    }
    case 9: {
      const size = Math.min(random.between(1, 32), Math.max(0, length - at));
      buf.copyWithin(at, at + size, length);
      return length - size;
    }
    case 10: {
      const from = random.below(Math.max(1, other.length));
      return insert(buf, length, at, other.subarray(from, Math.min(other.length, from + random.between(4, 96))));
    }
    case 11:
      return Math.max(1, at);
    case 12: {
      // Another message or multipart type over the same body.
      buf[1] = random.below(32);
      if (random.chance(0.3)) setU16(buf, 8, random.pick([random.below(16), 0xffff]));
      return length;
    }
    default:
      setU16(buf, Math.min(at & ~1, Math.max(0, length - 2)), random.u32() & 0xffff);
      return length;
  }
}

/** Deeply nested clones, the classic way to exhaust a stack. */
function nest(random: Random, buf: Uint8Array): number {
  const depth = random.between(1, 3000);
  const head = Uint8Array.from([4, 14, 0, 0, 0, 0, 0, 1]);
  buf.fill(0, 0, 64);
  buf.set(head);
  setU16(buf, 48, 1);
  setU16(buf, 50, 4);
  const actions = 16 * depth;
  setU16(buf, 56, 4);
  setU16(buf, 58, 8 + actions);
  for (let level = 0; level < depth; level++) {
    const o = 64 + 16 * level;
    buf.set(CONTAINERS[2]!, o);
    setU16(buf, o + 2, actions - 16 * level);
  }
  return 64 + actions;
}

/** Puts a broken relative of `seed` into `buf` and returns its length. */
export function mutate(random: Random, buf: Uint8Array, seed: Uint8Array, other: Uint8Array): number {
  if (random.chance(0.0002)) return fixLength(buf, nest(random, buf));
  let length = Math.min(seed.length, MAX_INPUT);
  buf.set(seed.length > length ? seed.subarray(0, length) : seed);
  const count = 1 + random.below(random.pick([1, 2, 4, 8]));
  for (let i = 0; i < count; i++) length = mutateOnce(random, buf, length, other);
  return random.chance(0.95) ? fixLength(buf, length) : length;
}

/** A wrong header length is refused at once: most inputs should get further. */
function fixLength(buf: Uint8Array, length: number): number {
  if (length >= 4) setU16(buf, 2, length);
  return length;
}
