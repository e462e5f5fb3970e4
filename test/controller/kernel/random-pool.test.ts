import { RandomPool } from '../../../controller/kernel/random-pool.js';

describe('RandomPool', () => {
  it('gives out each byte of its source once, asking for many at a time', () => {
    const asked: number[] = [];
    let last = 0;
    const pool = new RandomPool({
      bytes: (count) => {
        asked.push(count);
        return Uint8Array.from({ length: count }, () => last++ % 251);
      },
    });
    const given = Array.from({ length: 40 }, () => pool.bytes(8));
    expect(given.flatMap((bytes) => [...bytes])).toEqual(Array.from({ length: 320 }, (_, i) => i % 251));
    expect(asked).toHaveLength(1);
  });

  it('gives more than it keeps in stock when so much is asked for', () => {
    const pool = new RandomPool({ bytes: (count) => new Uint8Array(count).fill(7) });
    pool.bytes(1);
    expect(pool.bytes(5_000)).toEqual(new Uint8Array(5_000).fill(7));
  });
});
