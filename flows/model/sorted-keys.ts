/**
 * A sorted set of strings.
 *
 * Owns: order by code unit, pages by position, neighbours of a key.
 * Promises: insert, delete and neighbour searches touch one chunk, whatever the size of the set.
 */
const MAX_CHUNK = 512;

export class SortedKeys {
  /** Non-empty arrays, each sorted, in order. */
  private readonly chunks: string[][] = [];
  private length = 0;

  get size(): number {
    return this.length;
  }

  /** False when it was there. */
  add(key: string): boolean {
    const at = this.chunkOf(key);
    const chunk = this.chunks[at];
    if (chunk === undefined) {
      this.chunks.push([key]);
      this.length = 1;
      return true;
    }
    const index = lowerBound(chunk, key);
    if (chunk[index] === key) return false;
    chunk.splice(index, 0, key);
    this.length++;
    if (chunk.length > MAX_CHUNK) this.chunks.splice(at + 1, 0, chunk.splice(MAX_CHUNK / 2));
    return true;
  }

  /** False when it was not there. */
  delete(key: string): boolean {
    const at = this.chunkOf(key);
    const chunk = this.chunks[at];
    if (chunk === undefined) return false;
    const index = lowerBound(chunk, key);
    if (chunk[index] !== key) return false;
    chunk.splice(index, 1);
    this.length--;
    if (chunk.length === 0) this.chunks.splice(at, 1);
    return true;
  }

  has(key: string): boolean {
    const chunk = this.chunks[this.chunkOf(key)];
    return chunk !== undefined && chunk[lowerBound(chunk, key)] === key;
  }

  /** Keys ≥ `key`, ascending. The set must not change meanwhile. */
  *from(key: string): Generator<string> {
    for (let at = this.chunkOf(key); at < this.chunks.length; at++) {
      const chunk = this.chunks[at]!;
      for (let index = lowerBound(chunk, key); index < chunk.length; index++) yield chunk[index]!;
    }
  }

  /** Keys < `key`, descending. The set must not change meanwhile. */
  *before(key: string): Generator<string> {
    for (let at = this.chunkOf(key); at >= 0; at--) {
      const chunk = this.chunks[at] ?? [];
      for (let index = lowerBound(chunk, key) - 1; index >= 0; index--) yield chunk[index]!;
    }
  }

  /** The keys at positions `offset` up to, not including, `offset + limit`. */
  page(offset: number, limit: number): string[] {
    const found: string[] = [];
    let skip = offset;
    for (const chunk of this.chunks) {
      if (found.length >= limit) break;
      if (skip < chunk.length) found.push(...chunk.slice(skip, skip + limit - found.length));
      skip = Math.max(0, skip - chunk.length);
    }
    return found;
  }

  /** The last chunk that starts at or before `key`, else the first. */
  private chunkOf(key: string): number {
    let low = 0;
    let high = this.chunks.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.chunks[middle]![0]! <= key) low = middle;
      else high = middle;
    }
    return low;
  }
}

/** Position of the first item ≥ `key`. */
function lowerBound(chunk: readonly string[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (chunk[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
