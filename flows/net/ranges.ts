/**
 * Ranges of 16-bit numbers: TCP, UDP and SCTP ports.
 *
 * Owns: range text, merging and splitting of ranges, and their cover by value/mask pairs, which is all a flow can match on.
 * Promises: covers are exact and disjoint, of prefix-shaped masks, and no smaller cover of that shape exists.
 */
import { AddressError } from './address-error.js';

/** Both ends belong to it; 0 ≤ lo ≤ hi ≤ 65535. */
export interface PortRange {
  readonly lo: number;
  readonly hi: number;
}

export interface MaskedPort {
  readonly value: number;
  readonly mask: number;
}

const MAX_PORT = 0xffff;

/** Reads `22` or `8000-8100`. @throws AddressError */
export function parsePortRange(text: string): PortRange {
  const parts = /^(0|[1-9][0-9]{0,4})(?:-(0|[1-9][0-9]{0,4}))?$/.exec(text);
  if (!parts) throw new AddressError(text, 'ports are a decimal number or two with a dash between them');
  const lo = Number(parts[1]);
  const hi = Number(parts[2] ?? parts[1]);
  if (Math.max(lo, hi) > MAX_PORT) throw new AddressError(text, `${Math.max(lo, hi)} is more than ${MAX_PORT}`);
  if (lo > hi) throw new AddressError(text, `${lo} is more than ${hi}`);
  return { lo, hi };
}

export function formatPortRange({ lo, hi }: PortRange): string {
  return lo === hi ? String(lo) : `${lo}-${hi}`;
}

/** The fewest pairs of a value and a prefix-shaped mask that together match the ports `lo` to `hi` and no other, in ascending order. */
export function portMasks(lo: number, hi: number): MaskedPort[] {
  if (!Number.isInteger(lo) || !Number.isInteger(hi) || lo < 0 || lo > hi || hi > MAX_PORT)
    throw new RangeError(`${lo}-${hi} is not a range of ports`);
  const masks: MaskedPort[] = [];
  for (let next = lo; next <= hi;) {
    // The largest aligned block that starts at `next` and does not pass `hi`.
    let size = next === 0 ? MAX_PORT + 1 : next & -next;
    while (next + size - 1 > hi) size /= 2;
    masks.push({ value: next, mask: MAX_PORT + 1 - size });
    next += size;
  }
  return masks;
}

/** The same ports as ascending ranges that neither overlap nor touch. */
export function mergeRanges(ranges: readonly PortRange[]): PortRange[] {
  const merged: PortRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.lo - b.lo)) {
    const last = merged.at(-1);
    if (last && range.lo <= last.hi + 1) merged[merged.length - 1] = { lo: last.lo, hi: Math.max(last.hi, range.hi) };
    else merged.push(range);
  }
  return merged;
}

/** Cuts overlapping ranges at each other's ends: ascending disjoint pieces, each with the indexes (ascending) of the ranges it is a piece of. */
export function splitRanges(
  ranges: readonly PortRange[],
): { readonly lo: number; readonly hi: number; readonly members: readonly number[] }[] {
  const cuts = [...new Set(ranges.flatMap(({ lo, hi }) => [lo, hi + 1]))].sort((a, b) => a - b);
  return cuts.slice(1).flatMap((end, index) => {
    const lo = cuts[index]!;
    const members = ranges.flatMap((range, member) => (range.lo <= lo && end - 1 <= range.hi ? [member] : []));
    return members.length > 0 ? [{ lo, hi: end - 1, members }] : [];
  });
}
