/**
 * What is wanted of one kind of table entry (flows by key, groups by id), and where the switch is known to differ.
 *
 * Owns: the wanted entries; the differences; a digest and a count of what the switch holds; the comparison of a dump with that.
 * Assumes: two entries are equal when their texts are; the text covers everything but the key. One sweep at a time.
 * Promises: cost and memory of a change follow the change: where wanted and held agree, an entry is kept once. The digest does not depend on
 * the order of anything.
 */
import { hash } from 'node:crypto';

/** One entry as wanted or as found, with its canonical text. */
export class Entry<V> {
  readonly value: V;
  readonly text: string;
  /** Number of the last sweep that found the switch to hold exactly this. */
  sweep = 0;
  #digest: bigint | undefined;

  constructor(value: V, text: string) {
    this.value = value;
    this.text = text;
  }

  /** 128 bits over kind, key and text. */
  digest(kind: string, key: string | number): bigint {
    return (this.#digest ??= BigInt(`0x${hash('sha256', `${kind} ${key}\n${this.text}`).slice(0, 32)}`));
  }
}

/** Why the switch does not have an entry as wanted although it was asked to, and when to ask again. */
export interface Refusal {
  readonly message: string;
  readonly attempts: number;
  /** Milliseconds of the clock. */
  readonly retryAt: number;
}

export interface Difference<V> {
  /** What the switch holds under this key; undefined for nothing. */
  readonly held: Entry<V> | undefined;
  /** Number of the change since which the switch differs. */
  readonly since: number;
  readonly refusal?: Refusal | undefined;
}

export interface DriftCount {
  missing: number;
  extra: number;
  changed: number;
}

/** How a dump differed from what the switch was believed to hold. */
export interface Drift extends DriftCount {
  /** The first few. */
  readonly examples: DriftExample[];
}

export interface DriftExample {
  readonly key: string | number;
  /** Canonical texts; null for nothing. */
  readonly believed: string | null;
  readonly found: string | null;
}

/** Some of the entries. */
export interface Part<K, V> {
  /** Of those that were wanted when it was made. */
  readonly keys: readonly K[];
  has(value: V): boolean;
}

interface Sweep<K, V> {
  readonly number: number;
  /** Found and not what was believed to be held. */
  readonly odd: Map<K, Entry<V>>;
  /** Changed by ourselves while the dump was on its way: it says nothing about them. */
  readonly touched: Set<K>;
  matched: number;
}

/** Entries looked at between two breaths of the event loop. */
const STRIDE = 2_000;
const MAX_EXAMPLES = 5;

export class Ledger<K extends string | number, V> {
  readonly #kind: string;
  readonly #textOf: (value: V) => string;
  readonly #endsByItself: (value: V) => boolean;
  readonly #wanted = new Map<K, Entry<V>>();
  readonly #differences = new Map<K, Difference<V>>();
  /** Keys of the differences with a refusal. */
  readonly #refused = new Set<K>();
  #digest = 0n;
  #count = 0;
  #sweeps = 0;
  /** While entries are on their way to the switch: the keys wanted anew since, each with the first change that did so. */
  #overtaken: Map<K, number> | undefined;
  #sweep: Sweep<K, V> | undefined;
  #lastAbsent: Difference<V> | undefined;

  /** @param endsByItself the switch removes it after a while; one that is found gone is wanted no more */
  constructor(kind: string, textOf: (value: V) => string, endsByItself: (value: V) => boolean = () => false) {
    this.#kind = kind;
    this.#textOf = textOf;
    this.#endsByItself = endsByItself;
  }

  get wanted(): ReadonlyMap<K, Entry<V>> {
    return this.#wanted;
  }

  get differences(): ReadonlyMap<K, Difference<V>> {
    return this.#differences;
  }

  /** The differences that the switch has refused to mend. */
  *refusals(): Iterable<readonly [K, Difference<V> & { readonly refusal: Refusal }]> {
    for (const key of this.#refused) {
      const difference = this.#differences.get(key);
      if (difference?.refusal !== undefined) yield [key, { ...difference, refusal: difference.refusal }];
    }
  }

  /** Of what the switch holds. */
  get digest(): bigint {
    return this.#digest;
  }

  /** Entries the switch holds. */
  get count(): number {
    return this.#count;
  }

  /** What `digest` will be once the switch holds what is wanted. */
  wantedDigest(): bigint {
    let digest = 0n;
    for (const [key, entry] of this.#wanted) digest ^= entry.digest(this.#kind, key);
    return digest;
  }

  /** By what `digest` changes when this entry (undefined: nothing) takes the place of what is held. */
  digestChange(key: K, entry: Entry<V> | undefined): bigint {
    return this.#exchange(key, this.held(key), entry);
  }

  held(key: K): Entry<V> | undefined {
    const difference = this.#differences.get(key);
    return difference === undefined ? this.#wanted.get(key) : difference.held;
  }

  /** What the switch holds. */
  *allHeld(): Iterable<V> {
    for (const [key, entry] of this.#wanted) if (!this.#differences.has(key)) yield entry.value;
    for (const { held } of this.#differences.values()) if (held !== undefined) yield held.value;
  }

  /** Wants `value` under `key`, or nothing. A refusal of the value wanted before is forgotten. */
  want(key: K, value: V | undefined, change: number): void {
    const before = this.#wanted.get(key);
    const text = value === undefined ? undefined : this.#textOf(value);
    if (before?.text === text) return;
    if (this.#overtaken?.has(key) === false) this.#overtaken.set(key, change);
    const difference = this.#differences.get(key);
    const held = difference === undefined ? before : difference.held;
    if (value === undefined || text === undefined) this.#wanted.delete(key);
    else this.#wanted.set(key, held?.text === text ? held : new Entry(value, text));
    this.#refused.delete(key);
    if (held?.text === text) this.#differences.delete(key);
    else
      this.#differences.set(
        key,
        held === undefined && difference === undefined ? this.#absent(change) : { held, since: difference?.since ?? change },
      );
  }

  /** Nothing is held, since `change`: one for all the entries of a change. */
  #absent(change: number): Difference<V> {
    if (this.#lastAbsent?.since !== change) this.#lastAbsent = { held: undefined, since: change };
    return this.#lastAbsent;
  }

  /** Something of what is wanted now goes to the switch, or nothing; what went before has landed or never will. */
  launch(isAny: boolean): void {
    this.#overtaken = isAny ? new Map() : undefined;
  }

  /** What was launched under `key`, `entry` or nothing, has reached the switch. */
  land(key: K, entry: Entry<V> | undefined): void {
    this.#hold(key, entry, this.#overtaken?.get(key) ?? Infinity);
  }

  /** The switch is found to hold `entry` under `key`, or nothing; it may have done so since `change`. */
  hold(key: K, entry: Entry<V> | undefined, change: number): void {
    this.#hold(key, entry, Math.min(this.#differences.get(key)?.since ?? Infinity, change));
  }

  #hold(key: K, entry: Entry<V> | undefined, since: number): void {
    const wanted = this.#wanted.get(key);
    const difference = this.#differences.get(key);
    const before = difference === undefined ? wanted : difference.held;
    this.#digest ^= this.#exchange(key, before, entry);
    this.#count += (entry === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
    if (wanted?.text === entry?.text) {
      this.#refused.delete(key);
      this.#differences.delete(key);
    } else this.#differences.set(key, { held: entry, since, refusal: difference?.refusal });
  }

  /** The switch is known to hold exactly what is wanted. */
  holdAll(): void {
    this.#differences.clear();
    this.#refused.clear();
    this.#digest = this.wantedDigest();
    this.#count = this.#wanted.size;
  }

  /** The switch refused what is wanted under `key`. */
  refuse(key: K, refusal: Refusal): void {
    const difference = this.#differences.get(key);
    if (difference === undefined) return;
    this.#refused.add(key);
    this.#differences.set(key, { ...difference, refusal });
  }

  /** Begins the comparison of a dump; one under way is given up. */
  beginSweep(): void {
    this.#sweep = { number: ++this.#sweeps, odd: new Map(), touched: new Set(), matched: 0 };
  }

  /** The dump has `value` under `key`. */
  see(key: K, value: V): void {
    const sweep = this.#sweep;
    if (sweep === undefined) return;
    const text = this.#textOf(value);
    const held = this.held(key);
    if (held?.text === text) {
      held.sweep = sweep.number;
      sweep.matched++;
    } else sweep.odd.set(key, new Entry(value, text));
  }

  /** Our own change of `key` is on its way to the switch. */
  touch(key: K): void {
    this.#sweep?.touched.add(key);
  }

  /** Found by the sweep under way and not believed to be held. */
  *extras(): Iterable<readonly [K, V]> {
    if (this.#sweep === undefined) return;
    for (const [key, entry] of this.#sweep.odd) if (this.held(key) === undefined) yield [key, entry.value];
  }

  /** Leaves an extra of the sweep under way alone: it is not ours. */
  disown(key: K): void {
    this.#sweep?.odd.delete(key);
  }

  /**
   * Ends the sweep: what the dump said is what the switch holds, or of what `part` has, if the dump was of that alone. Yields between strides so that the
   * caller can let others run; changes in between are minded.
   */
  *endSweep(change: number, part?: Part<K, V>): Generator<undefined, Drift> {
    const drift: Drift = { missing: 0, extra: 0, changed: 0, examples: [] };
    const sweep = this.#sweep;
    if (sweep === undefined) return drift;
    if (part !== undefined) {
      for (const keys of [part.keys, [...this.#differences.keys()], [...sweep.odd.keys()]])
        for (const key of keys) {
          const believed = this.held(key);
          if (believed === undefined || part.has(believed.value)) this.#settle(sweep, key, drift, change);
        }
    } else if (sweep.touched.size > 0 || sweep.odd.size > 0 || sweep.matched !== this.#count) {
      let looked = 0;
      for (const keys of [this.#wanted.keys(), [...this.#differences.keys()], [...sweep.odd.keys()]]) {
        for (const key of keys) {
          if (++looked % STRIDE === 0) yield;
          this.#settle(sweep, key, drift, change);
        }
      }
    }
    this.#sweep = undefined;
    return drift;
  }

  #settle(sweep: Sweep<K, V>, key: K, drift: Drift, change: number): void {
    if (sweep.touched.has(key)) return;
    const believed = this.held(key);
    if (believed?.sweep === sweep.number) return;
    const found = sweep.odd.get(key);
    if (believed === found) return;
    if (found === undefined && believed !== undefined && this.#endsByItself(believed.value)) {
      if (this.#wanted.get(key)?.text === believed.text) this.want(key, undefined, change);
      this.hold(key, undefined, change);
      return;
    }
    if (found === undefined) drift.missing++;
    else if (believed === undefined) drift.extra++;
    else drift.changed++;
    if (drift.examples.length < MAX_EXAMPLES) drift.examples.push({ key, believed: believed?.text ?? null, found: found?.text ?? null });
    this.hold(key, found, change);
    // From here on it is what is believed, so a second look at the same key finds nothing.
    const now = this.held(key);
    if (now !== undefined) now.sweep = sweep.number;
  }

  /** By what the digest changes when one entry takes the place of another. */
  #exchange(key: K, one: Entry<V> | undefined, other: Entry<V> | undefined): bigint {
    if (one === undefined) return other === undefined ? 0n : other.digest(this.#kind, key);
    if (other === undefined) return one.digest(this.#kind, key);
    return one.digest(this.#kind, key) ^ other.digest(this.#kind, key);
  }
}
