/**
 * A flow made ready to be looked up.
 *
 * Owns: the match of a flow as masked words, its part in conjunctions, and its operations.
 * Promises: a match on a field that is not modelled is kept with the reason, so that a lookup that comes to it can say that it does not know.
 */
import type { FlowKey } from '../compile/contract.js';
import type { Flow } from '../openflow/flow.js';
import { fieldBits } from './microflow.js';
import { compileInstructions, type Operation } from './operation.js';

/** One dimension of a conjunctive match (ovs-fields(7), conj_id). */
export interface ConjunctionClause {
  readonly id: number;
  /** From 0. */
  readonly clause: number;
  readonly n_clauses: number;
}

export interface Rule {
  readonly key: FlowKey;
  readonly flow: Flow;
  /** Words the match looks at, in ascending order, with masks and values (already masked). */
  readonly words: Int32Array;
  readonly masks: Int32Array;
  readonly values: Int32Array;
  /** Present if the flow is a dimension of conjunctions rather than a flow that can be hit. */
  readonly clauses: readonly ConjunctionClause[] | undefined;
  /** Why the match cannot be judged fully. */
  readonly unmodelled: string | undefined;
  readonly operations: readonly Operation[];
}

export function compileRule(key: FlowKey, flow: Flow): Rule {
  const masks = new Map<number, { mask: number; value: number }>();
  let unmodelled: string | undefined;
  for (const oxm of flow.match) {
    const bits = oxm.field === 'unknown' ? undefined : fieldBits(oxm.field, oxm.value, oxm.mask);
    if (bits === undefined) {
      unmodelled ??= oxm.field === 'unknown' ? `match field 0x${oxm.header.toString(16)}` : `match field ${oxm.field}`;
      continue;
    }
    for (const { word, mask, value } of bits) {
      const at = masks.get(word) ?? { mask: 0, value: 0 };
      masks.set(word, { mask: at.mask | mask, value: (at.value & ~mask) | value });
    }
  }
  const ordered = [...masks.keys()].sort((a, b) => a - b);
  return {
    key,
    flow,
    words: Int32Array.from(ordered),
    masks: Int32Array.from(ordered, (word) => masks.get(word)!.mask),
    values: Int32Array.from(ordered, (word) => masks.get(word)!.value),
    clauses: clausesOf(flow),
    unmodelled,
    operations: compileInstructions(flow.instructions),
  };
}

function clausesOf(flow: Flow): ConjunctionClause[] | undefined {
  const actions = flow.instructions.flatMap((each) => (each.kind === 'apply_actions' ? each.actions : []));
  const clauses = actions.flatMap((action) =>
    action.kind === 'conjunction' ? [{ id: action.id, clause: action.clause, n_clauses: action.n_clauses }] : [],
  );
  return clauses.length > 0 ? clauses : undefined;
}
