/**
 * Which calls state which fact.
 *
 * Owns: for each fact, what its makers say, and whose word counts: should they differ, that of the one whose name sorts first.
 * Assumes: what is stated is as `known` gave it back, so that makers who say the same say one and the same object.
 * Promises: a fact that thousands state costs no more to state or withdraw once more than one that nobody did.
 */
import type { Fact } from '../pipeline/facts.js';
import { sameValue } from './equal.js';

/** One who states facts. */
export interface Maker {
  /** Unique among makers. */
  readonly name: string;
}

interface Statements<M extends Maker> {
  readonly by: Map<M, Fact>;
  /** What all of them say; undefined: they differ, or did so. */
  common: Fact | undefined;
  /** Of those who differ the one whose name sorts first; undefined: to be found out. */
  first: M | undefined;
}

interface Statement<M extends Maker> {
  readonly maker: M;
  fact: Fact;
}

export class FactBook<M extends Maker> {
  readonly #facts = new Map<string, Statement<M> | Statements<M>>();

  /** The fact that stands, if it says the same, else this one. */
  known(fact: Fact): Fact {
    const standing = this.get(fact.uuid);
    return standing !== undefined && sameValue(standing, fact) ? standing : fact;
  }

  /** @returns false when what stands is what stood before */
  state(maker: M, fact: Fact): boolean {
    const before = this.#facts.get(fact.uuid);
    if (before === undefined) {
      this.#facts.set(fact.uuid, { maker, fact });
      return true;
    }
    if (!('by' in before)) {
      const stood = before.fact;
      if (before.maker === maker) before.fact = fact;
      else {
        const by = new Map([
          [before.maker, stood],
          [maker, fact],
        ]);
        this.#facts.set(fact.uuid, { by, common: stood === fact ? fact : undefined, first: undefined });
      }
      return stood !== fact;
    }
    before.by.set(maker, fact);
    if (before.common === fact) return false;
    before.common = undefined;
    if (before.first !== undefined && maker.name < before.first.name) before.first = maker;
    return true;
  }

  /** @returns false when what stands is what stood before */
  withdraw(maker: M, uuid: string): boolean {
    const before = this.#facts.get(uuid);
    if (before === undefined) return false;
    if (!('by' in before)) {
      if (before.maker !== maker) return false;
      return this.#facts.delete(uuid);
    }
    before.by.delete(maker);
    if (before.first === maker) before.first = undefined;
    if (before.by.size > 0) return before.common === undefined;
    return this.#facts.delete(uuid);
  }

  /** As it stands; undefined when nobody states it. */
  get(uuid: string): Fact | undefined {
    const stated = this.#facts.get(uuid);
    if (stated === undefined || !('by' in stated)) return stated?.fact;
    if (stated.common !== undefined) return stated.common;
    stated.first ??= [...stated.by.keys()].reduce((a, b) => (a.name < b.name ? a : b));
    return stated.by.get(stated.first);
  }
}
