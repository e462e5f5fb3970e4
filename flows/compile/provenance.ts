/**
 * Who made a flow, as a cookie.
 *
 * Owns: the mapping of makers to cookies, and back.
 * Promises: a cookie depends on rule, owners and table alone, never on the order of compilation. Two different makers can share a 40-bit hash
 * (about 1 in 200 with 100,000 makers on a datapath); then both are named.
 */
import { makeCookie } from '../pipeline/cookie.js';
import type { Provenance } from './contract.js';

/** 53-bit hash of a string (two interleaved 32-bit multiply-xorshift lanes). */
export function hashText(text: string): number {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 0x9e3779b1);
    b = Math.imul(b ^ c, 0x5f356495);
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return 0x1_0000_0000 * (b & 0x1f_ffff) + (a >>> 0);
}

/** The cookie for flows of `table` made by `rule` for `owners`. */
export function cookieOf(table: number, rule: string, owners: readonly string[]): bigint {
  return makeCookie(table, BigInt(hashText(`${table}|${rule}|${owners.join(' ')}`) % 0x100_0000_0000));
}

/** The makers of the flows there are, by cookie. */
export class Makers {
  readonly #byCookie = new Map<bigint, Map<string, Provenance>>();

  constructor(makers: Iterable<readonly [table: number, maker: Provenance]>) {
    for (const [table, maker] of makers) {
      const { rule, uuids } = maker;
      const cookie = cookieOf(table, rule, uuids);
      const known = this.#byCookie.get(cookie);
      const text = `${rule}|${uuids.join(' ')}`;
      if (known === undefined) this.#byCookie.set(cookie, new Map([[text, maker]]));
      else known.set(text, maker);
    }
  }

  find(cookie: bigint): Provenance | undefined {
    const makers = this.#byCookie.get(cookie);
    if (makers === undefined) return undefined;
    const all = [...makers.values()];
    if (all.length === 1) return all[0];
    return { rule: all.map((m) => m.rule).join(' or '), uuids: [...new Set(all.flatMap((m) => m.uuids))].sort() };
  }
}
