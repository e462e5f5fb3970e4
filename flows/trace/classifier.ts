/**
 * Which flow of a table a packet hits.
 *
 * Owns: one table as a tuple space search classifier: flows grouped by mask, one hash table per group, groups tried from the highest priority down.
 * Promises: the flow Open vSwitch 3.1 would hit (classifier_lookup in lib/classifier.c), conjunctions included. Where it may hit any of several, the
 * lookup says so. Cost of a lookup is the number of masks worth trying; inserts and removals do not depend on the size of the table.
 */
import { slot } from './layout.js';
import type { Rule } from './rule.js';

/** How a conjunctive match came about. */
export interface ConjunctionHit {
  readonly id: number;
  /** The flows that satisfied it, one or more per dimension. */
  readonly dimensions: readonly Rule[];
  /** Other ids satisfied at the same priority; Open vSwitch takes any one of them. */
  readonly alternatives: readonly number[];
}

export interface Hit {
  readonly rule: Rule;
  readonly conjunction?: ConjunctionHit | undefined;
  /** Other flows of the same priority that match too; Open vSwitch takes any one of them. */
  readonly overlaps: readonly Rule[];
}

/** Picks one of several satisfied conjunction ids; the first by default. */
export type PickConjunction = (ids: readonly number[]) => number;

const CONJ_ID_WORD = slot('conj_id').last;
const NONE: readonly Rule[] = [];
const takeFirst: PickConjunction = (ids) => ids[0]!;

function byPriority(a: Rule, b: Rule): number {
  return b.flow.priority - a.flow.priority;
}

/** All flows with one mask. */
class Tuple {
  readonly words: Int32Array;
  readonly masks: Int32Array;
  maxPriority = -1;
  #size = 0;
  /** Flows by hash of their values; equal values in descending priority. */
  readonly #rules = new Map<number, Rule[]>();
  readonly #priorities = new Map<number, number>();

  constructor(rule: Rule) {
    this.words = rule.words;
    this.masks = rule.masks;
  }

  get empty(): boolean {
    return this.#size === 0;
  }

  insert(rule: Rule): void {
    const hash = this.#hashOf(rule.values);
    const chain = this.#rules.get(hash);
    if (chain === undefined) this.#rules.set(hash, [rule]);
    else chain.splice(insertionPoint(chain, rule), 0, rule);
    this.#size++;
    const { priority } = rule.flow;
    this.#priorities.set(priority, (this.#priorities.get(priority) ?? 0) + 1);
    if (priority > this.maxPriority) this.maxPriority = priority;
  }

  remove(rule: Rule): void {
    const hash = this.#hashOf(rule.values);
    const chain = this.#rules.get(hash);
    const at = chain?.indexOf(rule) ?? -1;
    if (chain === undefined || at < 0) return;
    if (chain.length === 1) this.#rules.delete(hash);
    else chain.splice(at, 1);
    this.#size--;
    const { priority } = rule.flow;
    const left = this.#priorities.get(priority)! - 1;
    if (left > 0) {
      this.#priorities.set(priority, left);
      return;
    }
    this.#priorities.delete(priority);
    if (priority === this.maxPriority) this.maxPriority = Math.max(-1, ...this.#priorities.keys());
  }

  /** Flows with these values, highest priority first; undefined if none. */
  find(packet: Int32Array): readonly Rule[] | undefined {
    const { words, masks } = this;
    let hash = 0;
    for (let i = 0; i < words.length; i++) hash = mix(hash, packet[words[i]!]! & masks[i]!);
    const chain = this.#rules.get(hash);
    if (chain === undefined) return undefined;
    if (chain.length === 1) return this.#holds(chain[0]!, packet) ? chain : undefined;
    const found = chain.filter((rule) => this.#holds(rule, packet));
    return found.length > 0 ? found : undefined;
  }

  #holds(rule: Rule, packet: Int32Array): boolean {
    const { words, masks } = this;
    for (let i = 0; i < words.length; i++) if ((packet[words[i]!]! & masks[i]!) !== rule.values[i]) return false;
    return true;
  }

  #hashOf(values: Int32Array): number {
    let hash = 0;
    for (const value of values) hash = mix(hash, value);
    return hash;
  }
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e37_79b1);
  return mixed ^ (mixed >>> 15);
}

function insertionPoint(chain: readonly Rule[], rule: Rule): number {
  const at = chain.findIndex((other) => byPriority(rule, other) < 0);
  return at < 0 ? chain.length : at;
}

export class Classifier {
  readonly #tuples = new Map<string, Tuple>();
  #order: Tuple[] = [];
  #sorted = true;

  get empty(): boolean {
    return this.#tuples.size === 0;
  }

  insert(rule: Rule): void {
    const key = maskKey(rule);
    let tuple = this.#tuples.get(key);
    if (tuple === undefined) {
      tuple = new Tuple(rule);
      this.#tuples.set(key, tuple);
      this.#order.push(tuple);
      this.#sorted = false;
    }
    const before = tuple.maxPriority;
    tuple.insert(rule);
    if (tuple.maxPriority !== before) this.#sorted = false;
  }

  remove(rule: Rule): void {
    const key = maskKey(rule);
    const tuple = this.#tuples.get(key);
    if (tuple === undefined) return;
    const before = tuple.maxPriority;
    tuple.remove(rule);
    if (tuple.empty) {
      this.#tuples.delete(key);
      this.#order = this.#order.filter((other) => other !== tuple);
    } else if (tuple.maxPriority !== before) {
      this.#sorted = false;
    }
  }

  /** The flow the packet hits, or undefined on a miss. `packet` is unchanged afterwards. */
  lookup(packet: Int32Array, pick: PickConjunction = takeFirst): Hit | undefined {
    if (!this.#sorted) {
      this.#order.sort((a, b) => b.maxPriority - a.maxPriority);
      this.#sorted = true;
    }
    let hard: Rule | undefined;
    let hardPriority = -1;
    let overlaps: Rule[] | undefined;
    let soft: (readonly Rule[])[] | undefined;
    for (const tuple of this.#order) {
      if (tuple.maxPriority < hardPriority) break;
      const found = tuple.find(packet);
      const best = found?.[0];
      if (found === undefined || best === undefined || best.flow.priority < hardPriority) continue;
      if (best.clauses !== undefined) {
        (soft ??= []).push(found);
      } else if (best.flow.priority > hardPriority) {
        hard = best;
        hardPriority = best.flow.priority;
        overlaps = undefined;
      } else {
        (overlaps ??= []).push(best);
      }
    }
    if (hard !== undefined && overlaps !== undefined) [hard, ...overlaps] = byKey(hard, overlaps);
    if (soft !== undefined) return this.#conjunctive(packet, soft, hard, overlaps ?? NONE, pick);
    return hard && { rule: hard, overlaps: overlaps ?? NONE };
  }

  /**
   * Decides between flows that are dimensions of conjunctions and the best ordinary flow. At each priority, from the top, a satisfied conjunction
   * is looked up again with its id in conj_id; whatever that finds is the answer, even a flow of lower priority (the id's own flow may be missing).
   */
  #conjunctive(
    packet: Int32Array,
    soft: readonly (readonly Rule[])[],
    certain: Rule | undefined,
    overlaps: readonly Rule[],
    pick: PickConjunction,
  ): Hit | undefined {
    let hard = certain;
    let candidates = soft;
    for (;;) {
      const floor = hard?.flow.priority ?? -1;
      candidates = candidates.filter((chain) => chain[0] !== undefined && chain[0].flow.priority > floor);
      if (candidates.length === 0) return hard && { rule: hard, overlaps: hard === certain ? overlaps : NONE };
      const top = Math.max(...candidates.map((chain) => chain[0]!.flow.priority));
      const dimensions = candidates.map((chain) => chain[0]!).filter((rule) => rule.flow.priority === top);
      const ids = satisfied(dimensions);
      if (ids.length > 0) {
        const hit = this.#byConjunction(packet, ids, dimensions, pick);
        if (hit !== undefined) return hit;
      }
      // A flow with the same match and a lower priority was hidden behind the dimension.
      const next: (readonly Rule[])[] = [];
      for (const chain of candidates) {
        if (chain[0]!.flow.priority !== top) {
          next.push(chain);
          continue;
        }
        const rest = chain.slice(1);
        const first = rest[0];
        if (first === undefined) continue;
        if (first.clauses !== undefined) next.push(rest);
        else if (first.flow.priority > (hard?.flow.priority ?? -1)) hard = first;
      }
      candidates = next;
    }
  }

  /**
   * Of several satisfied ids Open vSwitch takes the one it happens to complete first, and may overlook the others if that one leads nowhere. Those
   * with a flow of their own come first here.
   */
  #byConjunction(packet: Int32Array, ids: readonly number[], dimensions: readonly Rule[], pick: PickConjunction): Hit | undefined {
    const priority = dimensions[0]!.flow.priority;
    const leads = (id: number): number => (this.#byId(packet, id)?.rule.flow.priority === priority ? 0 : 1);
    const options = ids.length === 1 ? ids : [...ids].sort((a, b) => leads(a) - leads(b));
    const id = pick(options);
    const hit = this.#byId(packet, id);
    if (hit === undefined) return undefined;
    const conjunction = {
      id,
      dimensions: dimensions.filter((rule) => rule.clauses!.some((clause) => clause.id === id)),
      alternatives: options.filter((other) => other !== id),
    };
    return { ...hit, conjunction };
  }

  #byId(packet: Int32Array, id: number): Hit | undefined {
    const saved = packet[CONJ_ID_WORD]!;
    packet[CONJ_ID_WORD] = id;
    const hit = this.#ordinary(packet);
    packet[CONJ_ID_WORD] = saved;
    return hit;
  }

  /** A lookup that skips the dimensions of conjunctions. */
  #ordinary(packet: Int32Array): Hit | undefined {
    let hard: Rule | undefined;
    let hardPriority = -1;
    let overlaps: Rule[] | undefined;
    for (const tuple of this.#order) {
      if (tuple.maxPriority < hardPriority) break;
      // Only the best flow of a mask counts: one hidden behind a dimension stays hidden, as in Open vSwitch.
      const best = tuple.find(packet)?.[0];
      if (best === undefined || best.clauses !== undefined || best.flow.priority < hardPriority) continue;
      if (best.flow.priority > hardPriority) {
        hard = best;
        hardPriority = best.flow.priority;
        overlaps = undefined;
      } else {
        (overlaps ??= []).push(best);
      }
    }
    if (hard !== undefined && overlaps !== undefined) [hard, ...overlaps] = byKey(hard, overlaps);
    return hard && { rule: hard, overlaps: overlaps ?? NONE };
  }
}

/** Flows that match equally well in an order that does not depend on when they came. */
function byKey(hard: Rule, overlaps: readonly Rule[]): [Rule, ...Rule[]] {
  return [hard, ...overlaps].sort((a, b) => (a.key < b.key ? -1 : 1)) as [Rule, ...Rule[]];
}

function maskKey(rule: Rule): string {
  let key = '';
  for (let i = 0; i < rule.words.length; i++) key += `${rule.words[i]!}:${rule.masks[i]!};`;
  return key;
}

/** Ids of which every dimension is among the flows, ascending. */
function satisfied(dimensions: readonly Rule[]): number[] {
  const clauses = new Map<number, { seen: Set<number>; n: number }>();
  for (const rule of dimensions) {
    for (const { id, clause, n_clauses } of rule.clauses!) {
      const at = clauses.get(id) ?? { seen: new Set(), n: n_clauses };
      at.seen.add(clause);
      clauses.set(id, at);
    }
  }
  return [...clauses].flatMap(([id, { seen, n }]) => (seen.size >= n ? [id] : [])).sort((a, b) => a - b);
}
