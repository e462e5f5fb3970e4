import { RetryPauses } from '../../../controller/services/retry-pauses.js';

const pauses = (byte: number, mosts: readonly number[]): number[] => {
  const series = new RetryPauses({ bytes: (count) => new Uint8Array(count).fill(byte) });
  return mosts.map((most) => series.next(most));
};

describe('pauses between attempts', () => {
  it('double up to the most, from half to the whole of it', () => {
    const mosts = [3_000, 3_000, 3_000, 3_000, 3_000];
    expect(pauses(0, mosts)).toEqual([250, 500, 1_000, 1_500, 1_500]);
    expect(pauses(255, mosts).map(Math.round)).toEqual([500, 1_000, 2_000, 3_000, 3_000]);
  });

  it('go on from the most they were held to', () => {
    expect(pauses(0, [500, 500, 4_000, 4_000])).toEqual([250, 250, 500, 1_000]);
  });
});
