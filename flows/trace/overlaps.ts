/**
 * Flows that contend for the same packets.
 *
 * Owns: finding flows of equal priority that match a common packet and do different things, and flows that no packet can reach.
 * Assumes: fields that are not modelled are left out of the comparison, so that a flow matching one may be reported needlessly.
 * Promises: cost grows with flows × masks per table, not with pairs of flows.
 */
import type { Tables } from '../compile/contract.js';
import { flowBody } from '../openflow/canonical.js';
import type { FieldName } from '../openflow/fields.js';
import type { Flow } from '../openflow/flow.js';
import { slot } from './layout.js';
import { compileRule, type Rule } from './rule.js';

/** Two flows of one table and priority that a packet may match both. Open vSwitch takes either. */
export interface Overlap {
  readonly flows: readonly [Flow, Flow];
}

/** A flow that is never hit, because another of higher priority matches whatever it does. */
export interface Shadowed {
  readonly flow: Flow;
  readonly by: Flow;
}

/** All rules of one mask, by table (and priority). */
interface Tuple {
  readonly words: readonly number[];
  readonly masks: readonly number[];
  readonly rules: Rule[];
}

const CONJ_ID_WORD = slot('conj_id').last;

function tuplesOf(rules: readonly Rule[]): Tuple[] {
  const tuples = new Map<string, Tuple>();
  for (const rule of rules) {
    const key = `${rule.words.join()}/${rule.masks.join()}`;
    const tuple = tuples.get(key);
    if (tuple === undefined) tuples.set(key, { words: [...rule.words], masks: [...rule.masks], rules: [rule] });
    else tuple.rules.push(rule);
  }
  return [...tuples.values()];
}

function groupBy(rules: readonly Rule[], keyOf: (rule: Rule) => string | number): Rule[][] {
  const groups = new Map<string | number, Rule[]>();
  for (const rule of rules) {
    const group = groups.get(keyOf(rule));
    if (group === undefined) groups.set(keyOf(rule), [rule]);
    else group.push(rule);
  }
  return [...groups.values()];
}

/** Bits that both tuples look at. */
function common(a: Tuple, b: Tuple): { word: number; mask: number }[] {
  return a.words.flatMap((word, at) => {
    const other = b.words.indexOf(word);
    const mask = other < 0 ? 0 : a.masks[at]! & b.masks[other]!;
    return mask === 0 ? [] : [{ word, mask }];
  });
}

function valueUnder(rule: Rule, bits: readonly { word: number; mask: number }[]): string {
  return bits.map(({ word, mask }) => rule.values[rule.words.indexOf(word)]! & mask).join();
}

/**
 * Flows of equal priority that overlap and differ in what they do. Dimensions of conjunctions may overlap one another, but an ordinary flow of their
 * priority takes precedence over the conjunction and is reported.
 *
 * @param limit most overlaps to report.
 * @param nominal fields that say who decided and change nothing: flows that differ in what they write there do the same.
 */
export function findOverlaps(tables: Pick<Tables, 'flows'>, limit = 100, nominal: readonly FieldName[] = []): Overlap[] {
  const rules = [...tables.flows].map(([key, flow]) => compileRule(key, flow));
  const overlaps: Overlap[] = [];
  for (const group of groupBy(rules, ({ flow }) => `${flow.table}/${flow.priority}`)) {
    const tuples = tuplesOf(group);
    for (const [at, a] of tuples.entries()) {
      // Within one mask flows differ in values, so they are disjoint.
      for (const b of tuples.slice(at + 1)) {
        const bits = common(a, b);
        const index = new Map(groupBy(b.rules, (rule) => valueUnder(rule, bits)).map((same) => [valueUnder(same[0]!, bits), same]));
        for (const rule of a.rules) {
          for (const other of index.get(valueUnder(rule, bits)) ?? []) {
            if (!contend(rule, other, nominal)) continue;
            overlaps.push({ flows: [rule.flow, other.flow] });
            if (overlaps.length >= limit) return overlaps;
          }
        }
      }
    }
  }
  return overlaps;
}

function contend(a: Rule, b: Rule, nominal: readonly FieldName[]): boolean {
  const soft = [a, b].filter((rule) => rule.clauses !== undefined).length;
  // The flow of an id is looked up on its own, without the dimensions.
  if (soft === 2 || (soft === 1 && (matchesConjId(a) || matchesConjId(b)))) return false;
  return flowBody(without(a.flow, nominal)) !== flowBody(without(b.flow, nominal));
}

function without(flow: Flow, nominal: readonly FieldName[]): Flow {
  if (nominal.length === 0) return flow;
  const instructions = flow.instructions.map((each) =>
    each.kind === 'apply_actions'
      ? { ...each, actions: each.actions.filter((action) => action.kind !== 'set_field' || !nominal.includes(action.field)) }
      : each,
  );
  return { ...flow, instructions };
}

function matchesConjId({ words }: Rule): boolean {
  return words.includes(CONJ_ID_WORD);
}

/** Flows that are covered by a flow of higher priority in their table. Conjunctions are left out: what they cover is not known from one flow. */
export function findShadowed(tables: Pick<Tables, 'flows'>): Shadowed[] {
  const rules = [...tables.flows].map(([key, flow]) => compileRule(key, flow)).filter(({ unmodelled }) => unmodelled === undefined);
  return groupBy(rules, ({ flow }) => flow.table).flatMap((table) => {
    const tuples = tuplesOf(table);
    return tuples.flatMap((wide) => {
      const bits = wide.words.map((word, at) => ({ word, mask: wide.masks[at]! }));
      const index = new Map<string, Rule>();
      for (const rule of wide.rules) {
        if (rule.clauses !== undefined) continue;
        const key = valueUnder(rule, bits);
        const held = index.get(key);
        if (held === undefined || held.flow.priority < rule.flow.priority) index.set(key, rule);
      }
      return tuples.filter((narrow) => covers(wide, narrow)).flatMap(({ rules: covered }) => shadowedBy(covered, bits, index));
    });
  });
}

/** Whether every bit `wide` looks at is one that `narrow` looks at. */
function covers(wide: Tuple, narrow: Tuple): boolean {
  return wide.words.every((word, at) => {
    const other = narrow.words.indexOf(word);
    return other >= 0 && (narrow.masks[other]! & wide.masks[at]!) === wide.masks[at]!;
  });
}

function shadowedBy(rules: readonly Rule[], bits: readonly { word: number; mask: number }[], index: ReadonlyMap<string, Rule>): Shadowed[] {
  return rules.flatMap((rule) => {
    const above = index.get(valueUnder(rule, bits));
    return above !== undefined && above.flow.priority > rule.flow.priority ? [{ flow: rule.flow, by: above.flow }] : [];
  });
}
