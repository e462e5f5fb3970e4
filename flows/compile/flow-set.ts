/**
 * The flow table of one datapath as the sum of what the rules emit.
 *
 * Owns: which emissions make up each flow, and what changed since the last `flush`; who made the flow with a cookie.
 * Assumes: an emission is added and removed as the same object.
 * Promises: the resulting flow depends on the set of emissions alone. Clauses of conjunctions with one match merge into one flow; should two rules
 * emit the same identity with different instructions (overlapping configuration that was not refused), the one whose maker sorts first stands.
 */
import { flowKey } from '../openflow/canonical.js';
import type { Action, Instruction } from '../openflow/action.js';
import type { Flow } from '../openflow/flow.js';
import type { Match } from '../openflow/match.js';
import { inBag, bagWith, bagWithout, type Bag } from './bag.js';
import type { FlowKey, Provenance } from './contract.js';
import { sameValue } from './equal.js';
import { cookieOf, Makers } from './provenance.js';

export type Clause = Extract<Action, { kind: 'conjunction' }>;

/** What a rule emitted once: a whole flow, or one clause of a conjunctive flow. */
export class Emission {
  readonly key: FlowKey;
  /** The flow as it is when nobody else emits the same identity. */
  readonly flow: Flow;
  readonly clause: Clause | undefined;
  readonly rule: string;
  readonly owners: readonly string[];

  constructor(
    table: number,
    priority: number,
    match: Match,
    does: readonly Instruction[] | Clause,
    rule: string,
    owners: readonly string[],
    seconds?: number,
  ) {
    this.key = flowKey({ table, priority, match });
    this.clause = isClause(does) ? does : undefined;
    const instructions = isClause(does) ? clausesInstructions([does]) : does;
    const cookie = cookieOf(table, rule, owners);
    this.flow =
      seconds === undefined
        ? { table, priority, match, instructions, cookie }
        : { table, priority, match, instructions, cookie, hard_timeout: seconds };
    this.rule = rule;
    this.owners = owners;
  }

  /** Unique within a call. */
  get id(): string {
    return this.clause === undefined ? this.key : `${this.key}#${this.clause.id}/${this.clause.clause}`;
  }
}

/** Two emissions that put the same thing in the table. */
export function sameEmission(a: Emission, b: Emission): boolean {
  return (
    a.key === b.key &&
    a.rule === b.rule &&
    a.flow.hard_timeout === b.flow.hard_timeout &&
    sameValue(a.flow.instructions, b.flow.instructions) &&
    sameValue(a.owners, b.owners)
  );
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

export class FlowSet {
  readonly flows = new Map<FlowKey, Flow>();
  readonly #emissions = new Map<FlowKey, Bag<Emission>>();
  readonly #touched = new Set<FlowKey>();
  #makers: Makers | undefined;

  add(emitted: Emission): void {
    this.#emissions.set(emitted.key, bagWith(this.#emissions.get(emitted.key), emitted));
    this.#touched.add(emitted.key);
  }

  remove(emitted: Emission): void {
    const rest = bagWithout(this.#emissions.get(emitted.key), emitted);
    if (rest === undefined) this.#emissions.delete(emitted.key);
    else this.#emissions.set(emitted.key, rest);
    this.#touched.add(emitted.key);
  }

  /** Settles everything touched and says what changed. */
  flush(): { put: Map<FlowKey, Flow>; deleted: Map<FlowKey, Flow> } {
    const put = new Map<FlowKey, Flow>();
    const deleted = new Map<FlowKey, Flow>();
    if (this.#touched.size > 0) this.#makers = undefined;
    for (const key of this.#touched) {
      const old = this.flows.get(key);
      const emissions = this.#emissions.get(key);
      if (emissions === undefined) {
        if (old === undefined) continue;
        this.flows.delete(key);
        deleted.set(key, old);
        continue;
      }
      const fresh = emissions instanceof Emission ? emissions.flow : merged([...emissions]);
      if (old !== undefined && sameContent(old, fresh)) continue;
      this.flows.set(key, fresh);
      put.set(key, fresh);
    }
    this.#touched.clear();
    return { put, deleted };
  }

  /** Who made the flows with this cookie. What is asked first after a change looks at all flows. */
  provenance(cookie: bigint): Provenance | undefined {
    this.#makers ??= new Makers(this.#provenances());
    return this.#makers.find(cookie);
  }

  *#provenances(): Iterable<readonly [table: number, maker: Provenance]> {
    for (const bag of this.#emissions.values()) {
      const emissions = [...inBag(bag)];
      const { rule, owners } = makerOf(emissions);
      yield [emissions[0]!.flow.table, { rule, uuids: owners }];
    }
  }
}

function sameContent(a: Flow, b: Flow): boolean {
  return a.cookie === b.cookie && a.hard_timeout === b.hard_timeout && sameValue(a.instructions, b.instructions);
}

interface Made {
  readonly rule: string;
  readonly owners: readonly string[];
}

function merged(emissions: readonly Emission[]): Flow {
  const first = emissions[0]!.flow;
  const standing = standingOf(emissions);
  const instructions = standing?.flow.instructions ?? clausesInstructions(mergedClauses(emissions));
  const { rule, owners } = makerOf(emissions);
  return { table: first.table, priority: first.priority, match: first.match, instructions, cookie: cookieOf(first.table, rule, owners) };
}

/** The whole flow that stands; undefined among clauses alone. */
function standingOf(emissions: readonly Emission[]): Emission | undefined {
  const whole = emissions.filter((e) => e.clause === undefined);
  if (whole.length < 2) return whole[0];
  return whole.reduce((a, b) => (byText(makerText(a), makerText(b)) <= 0 ? a : b));
}

function makerOf(emissions: readonly Emission[]): Made {
  const standing = standingOf(emissions);
  if (standing !== undefined) return standing;
  if (emissions.length === 1) return emissions[0]!;
  return {
    rule: [...new Set(emissions.map((e) => e.rule))].sort().join('+'),
    owners: [...new Set(emissions.flatMap((e) => e.owners))].sort(),
  };
}

function makerText(e: Made): string {
  return `${e.rule}|${e.owners.join(' ')}`;
}

function mergedClauses(emissions: readonly Emission[]): Clause[] {
  const clauses = emissions.map((e) => e.clause!).sort((a, b) => a.id - b.id || a.clause - b.clause);
  return clauses.filter((c, i) => i === 0 || c.id !== clauses[i - 1]!.id || c.clause !== clauses[i - 1]!.clause);
}

function clausesInstructions(clauses: Clause[]): readonly Instruction[] {
  return [{ kind: 'apply_actions', actions: clauses }];
}

function isClause(does: readonly Instruction[] | Clause): does is Clause {
  return !Array.isArray(does);
}
