/**
 * Who made a flow, as a cookie.
 *
 * Owns: the mapping cookie ↔ (rule, owners) of the flows that exist now.
 * Promises: a cookie depends on rule, owners and table alone, never on the order of compilation. Two different makers can share a 40-bit hash
 * (about 1 in 200 with 100,000 makers on a datapath); then both are named.
 */
import { makeCookie } from '../pipeline/cookie.js';
import type { Provenance } from './contract.js';

interface Maker extends Provenance {
  references: number;
}

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

export class ProvenanceBook {
  readonly #cookies = new Map<string, bigint>();
  readonly #makers = new Map<bigint, Map<string, Maker>>();

  /** The cookie for flows of `table` made by `rule` for `uuids`, counted as one more flow. */
  take(table: number, rule: string, uuids: readonly string[]): bigint {
    const text = `${table}|${rule}|${uuids.join(' ')}`;
    let cookie = this.#cookies.get(text);
    if (cookie === undefined) {
      cookie = makeCookie(table, BigInt(hashText(text) % 0x100_0000_0000));
      this.#cookies.set(text, cookie);
    }
    let makers = this.#makers.get(cookie);
    if (makers === undefined) this.#makers.set(cookie, (makers = new Map<string, Maker>()));
    const maker = makers.get(text);
    if (maker === undefined) makers.set(text, { rule, uuids, references: 1 });
    else maker.references++;
    return cookie;
  }

  /** One flow less. */
  release(table: number, rule: string, uuids: readonly string[]): void {
    const text = `${table}|${rule}|${uuids.join(' ')}`;
    const cookie = this.#cookies.get(text);
    if (cookie === undefined) return;
    const makers = this.#makers.get(cookie);
    const maker = makers?.get(text);
    if (makers === undefined || maker === undefined || --maker.references > 0) return;
    this.#cookies.delete(text);
    makers.delete(text);
    if (makers.size === 0) this.#makers.delete(cookie);
  }

  find(cookie: bigint): Provenance | undefined {
    const makers = this.#makers.get(cookie);
    if (makers === undefined) return undefined;
    const all = [...makers.values()];
    if (all.length === 1) return { rule: all[0]!.rule, uuids: all[0]!.uuids };
    return { rule: all.map((m) => m.rule).join(' or '), uuids: [...new Set(all.flatMap((m) => m.uuids))].sort() };
  }
}
