/**
 * Which calls state which fact.
 *
 * Owns: for each fact, what its makers say, and whose word counts: should they differ, that of the one whose name sorts first.
 * Promises: a fact that thousands state costs no more to state once more than one that nobody did.
 */
import type { Fact } from '../pipeline/facts.js';

/** One who states facts. */
export interface Maker {
  /** Unique among makers. */
  readonly name: string;
}

interface Statements<M extends Maker> {
  readonly by: Map<M, Fact>;
  /** Whose name sorts first; undefined: to be found out. */
  first: M | undefined;
}

interface Statement<M extends Maker> {
  maker: M;
  fact: Fact;
}

export class FactBook<M extends Maker> {
  readonly #facts = new Map<string, Statement<M> | Statements<M>>();

  state(maker: M, fact: Fact): void {
    const before = this.#facts.get(fact.uuid);
    if (before === undefined) this.#facts.set(fact.uuid, { maker, fact });
    else if ('by' in before) {
      before.by.set(maker, fact);
      if (before.first !== undefined && maker.name < before.first.name) before.first = maker;
    } else if (before.maker === maker) before.fact = fact;
    else {
      const by = new Map([
        [before.maker, before.fact],
        [maker, fact],
      ]);
      this.#facts.set(fact.uuid, { by, first: undefined });
    }
  }

  withdraw(maker: M, uuid: string): void {
    const before = this.#facts.get(uuid);
    if (before === undefined) return;
    if (!('by' in before)) {
      if (before.maker === maker) this.#facts.delete(uuid);
      return;
    }
    before.by.delete(maker);
    if (before.first === maker) before.first = undefined;
    if (before.by.size === 0) this.#facts.delete(uuid);
  }

  /** As it stands; undefined when nobody states it. */
  get(uuid: string): Fact | undefined {
    const stated = this.#facts.get(uuid);
    if (stated === undefined || !('by' in stated)) return stated?.fact;
    stated.first ??= [...stated.by.keys()].reduce((a, b) => (a.name < b.name ? a : b));
    return stated.by.get(stated.first);
  }
}
