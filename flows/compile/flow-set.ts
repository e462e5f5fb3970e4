/**
 * The flow table of one datapath as the sum of what the rules emit.
 *
 * Owns: which emissions make up each flow, and what changed since the last `flush`.
 * Assumes: an emission is added and removed as the same object.
 * Promises: the resulting flow depends on the set of emissions alone. Clauses of conjunctions with one match merge into one flow; should two rules
 * emit the same identity with different instructions (overlapping configuration that was not refused), the one whose maker sorts first stands.
 */
import { flowKey } from '../openflow/canonical.js';
import type { Action, Instruction } from '../openflow/action.js';
import type { Flow } from '../openflow/flow.js';
import type { Match } from '../openflow/match.js';
import type { FlowKey } from './contract.js';
import { sameValue } from './equal.js';
import { ProvenanceBook } from './provenance.js';

export type Clause = Extract<Action, { kind: 'conjunction' }>;

export interface Emission {
  readonly key: FlowKey;
  readonly table: number;
  readonly priority: number;
  readonly match: Match;
  /** Instructions of a whole flow, or one clause of a conjunctive flow. */
  readonly does: readonly Instruction[] | Clause;
  readonly rule: string;
  readonly owners: readonly string[];
}

export function emission(
  table: number,
  priority: number,
  match: Match,
  does: Emission['does'],
  rule: string,
  owners: readonly string[],
): Emission {
  return { key: flowKey({ table, priority, match }), table, priority, match, does, rule, owners };
}

/** Two emissions that put the same thing in the table. */
export function sameEmission(a: Emission, b: Emission): boolean {
  return a.key === b.key && sameValue(a.does, b.does) && sameValue(a.owners, b.owners) && a.rule === b.rule;
}

interface Slot {
  readonly emissions: Emission[];
  flow: Flow | undefined;
  /** Maker the flow's cookie was taken for. */
  maker: { rule: string; owners: readonly string[] } | undefined;
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

export class FlowSet {
  readonly flows = new Map<FlowKey, Flow>();
  readonly provenance = new ProvenanceBook();
  readonly #slots = new Map<FlowKey, Slot>();
  readonly #touched = new Set<FlowKey>();

  add(emitted: Emission): void {
    const slot = this.#slots.get(emitted.key);
    if (slot === undefined) this.#slots.set(emitted.key, { emissions: [emitted], flow: undefined, maker: undefined });
    else slot.emissions.push(emitted);
    this.#touched.add(emitted.key);
  }

  remove(emitted: Emission): void {
    const slot = this.#slots.get(emitted.key);
    const at = slot?.emissions.indexOf(emitted) ?? -1;
    if (slot === undefined || at < 0) return;
    slot.emissions.splice(at, 1);
    this.#touched.add(emitted.key);
  }

  /** Settles everything touched and says what changed. */
  flush(): { put: Map<FlowKey, Flow>; deleted: Map<FlowKey, Flow> } {
    const put = new Map<FlowKey, Flow>();
    const deleted = new Map<FlowKey, Flow>();
    for (const key of this.#touched) {
      const slot = this.#slots.get(key)!;
      const old = slot.flow;
      const oldMaker = slot.maker;
      const fresh = this.#resolve(slot);
      if (oldMaker !== undefined && old !== undefined) this.provenance.release(old.table, oldMaker.rule, oldMaker.owners);
      slot.flow = fresh;
      if (fresh === undefined) {
        this.#slots.delete(key);
        if (old !== undefined) {
          this.flows.delete(key);
          deleted.set(key, old);
        }
      } else if (old === undefined || old.cookie !== fresh.cookie || !sameValue(old.instructions, fresh.instructions)) {
        this.flows.set(key, fresh);
        put.set(key, fresh);
      } else {
        slot.flow = old;
      }
    }
    this.#touched.clear();
    return { put, deleted };
  }

  #resolve(slot: Slot): Flow | undefined {
    const first = slot.emissions[0];
    if (first === undefined) return undefined;
    const whole = slot.emissions.filter((e): e is Emission & { does: readonly Instruction[] } => Array.isArray(e.does));
    let instructions: readonly Instruction[];
    if (whole.length > 0) {
      const standing = whole.length === 1 ? whole[0]! : whole.reduce((a, b) => (byText(makerText(a), makerText(b)) <= 0 ? a : b));
      slot.maker = { rule: standing.rule, owners: standing.owners };
      instructions = standing.does;
    } else {
      slot.maker = mergedMaker(slot.emissions);
      instructions = [{ kind: 'apply_actions', actions: mergedClauses(slot.emissions) }];
    }
    const cookie = this.provenance.take(first.table, slot.maker.rule, slot.maker.owners);
    return { table: first.table, priority: first.priority, match: first.match, instructions, cookie };
  }
}

function makerText(e: Emission): string {
  return `${e.rule}|${e.owners.join(' ')}`;
}

function mergedMaker(emissions: readonly Emission[]): { rule: string; owners: readonly string[] } {
  return {
    rule: [...new Set(emissions.map((e) => e.rule))].sort().join('+'),
    owners: [...new Set(emissions.flatMap((e) => e.owners))].sort(),
  };
}

function mergedClauses(emissions: readonly Emission[]): Clause[] {
  const clauses = emissions.map((e) => e.does as Clause).sort((a, b) => a.id - b.id || a.clause - b.clause);
  return clauses.filter((c, i) => i === 0 || c.id !== clauses[i - 1]!.id || c.clause !== clauses[i - 1]!.clause);
}
