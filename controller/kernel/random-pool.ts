/**
 * Random bytes in stock.
 *
 * Promises: no byte is given out twice; the source is asked for many at a time, since asking costs more than the bytes do.
 */
import type { Random } from './ambient.js';

const STOCK_BYTES = 1024;

export class RandomPool implements Random {
  private readonly source: Random;
  private stock = new Uint8Array(0);

  constructor(source: Random) {
    this.source = source;
  }

  bytes(count: number): Uint8Array {
    if (this.stock.length < count) this.stock = Uint8Array.from(this.source.bytes(Math.max(count, STOCK_BYTES)));
    const bytes = this.stock.subarray(0, count);
    this.stock = this.stock.subarray(count);
    return bytes;
  }
}
