import fc from 'fast-check';
import { AddressError } from '../../../flows/net/address-error.js';
import { formatPortRange, mergeRanges, parsePortRange, portMasks, splitRanges, type PortRange } from '../../../flows/net/ranges.js';

const rangeWithin = (max: number): fc.Arbitrary<PortRange> =>
  fc.tuple(fc.nat(max), fc.nat(max)).map(([a, b]) => ({ lo: Math.min(a, b), hi: Math.max(a, b) }));
const portsOf = (ranges: readonly PortRange[]): number[] =>
  [...new Set(ranges.flatMap(({ lo, hi }) => Array.from({ length: hi - lo + 1 }, (_, i) => lo + i)))].sort((a, b) => a - b);

/** Fewest aligned blocks that cover exactly lo–hi, by recursion over the binary tree of blocks. */
const fewestBlocks = ({ lo, hi }: PortRange, start = 0, size = 65536): number => {
  if (hi < start || start + size - 1 < lo) return 0;
  if (lo <= start && start + size - 1 <= hi) return 1;
  return fewestBlocks({ lo, hi }, start, size / 2) + fewestBlocks({ lo, hi }, start + size / 2, size / 2);
};

describe('portMasks', () => {
  it('covers exactly the range with the fewest masks', () => {
    fc.assert(
      fc.property(rangeWithin(65535), fc.nat(65535), (range, probe) => {
        const masks = portMasks(range.lo, range.hi);
        expect(masks).toHaveLength(fewestBlocks(range));
        for (const port of [range.lo - 1, range.lo, probe, range.hi, range.hi + 1].filter((p) => p >= 0 && p <= 65535)) {
          expect(masks.filter(({ value, mask }) => (port & mask) === value)).toHaveLength(port >= range.lo && port <= range.hi ? 1 : 0);
        }
      }),
    );
  });

  it('matches every port of a small range and no other', () => {
    fc.assert(
      fc.property(rangeWithin(300), (range) => {
        const masks = portMasks(range.lo, range.hi);
        expect(
          Array.from({ length: 301 }, (_, port) => port).filter((port) => masks.some(({ value, mask }) => (port & mask) === value)),
        ).toEqual(portsOf([range]));
      }),
      { numRuns: 50 },
    );
  });

  it('handles the edges', () => {
    expect([portMasks(0, 65535), portMasks(65535, 65535), portMasks(1, 65535).length, portMasks(8000, 8100)]).toEqual([
      [{ value: 0, mask: 0 }],
      [{ value: 65535, mask: 0xffff }],
      16,
      [
        { value: 8000, mask: 0xffc0 },
        { value: 8064, mask: 0xffe0 },
        { value: 8096, mask: 0xfffc },
        { value: 8100, mask: 0xffff },
      ],
    ]);
    for (const [lo, hi] of [
      [2, 1],
      [-1, 1],
      [0, 65536],
      [0.5, 1],
    ] as const)
      expect(() => portMasks(lo, hi)).toThrow(RangeError);
  });
});

describe('mergeRanges', () => {
  it('keeps the ports and leaves no two ranges that touch', () => {
    fc.assert(
      fc.property(fc.array(rangeWithin(60), { maxLength: 8 }), (ranges) => {
        const merged = mergeRanges(ranges);
        expect(portsOf(merged)).toEqual(portsOf(ranges));
        expect(merged.slice(1).every((range, i) => range.lo > merged[i]!.hi + 1)).toBe(true);
      }),
    );
  });
});

describe('splitRanges', () => {
  it('gives each port to exactly the ranges it was in', () => {
    fc.assert(
      fc.property(fc.array(rangeWithin(60), { maxLength: 8 }), (ranges) => {
        const pieces = splitRanges(ranges);
        for (let port = 0; port <= 60; port++) {
          const owners = ranges.flatMap(({ lo, hi }, i) => (lo <= port && port <= hi ? [i] : []));
          expect(pieces.filter(({ lo, hi }) => lo <= port && port <= hi).map(({ members }) => members)).toEqual(
            owners.length > 0 ? [owners] : [],
          );
        }
      }),
    );
  });
});

describe('parsePortRange', () => {
  it('reads back what formatPortRange writes', () => {
    fc.assert(fc.property(rangeWithin(65535), (range) => expect(parsePortRange(formatPortRange(range))).toEqual(range)));
  });

  it.each(['', '-', '1-', '-1', '022', '1-2-3', ' 1', '1 - 2', '65536', '1-65536', '2-1', '99999999', 'a'])('refuses %j', (text) => {
    expect(() => parsePortRange(text)).toThrow(AddressError);
  });
});
