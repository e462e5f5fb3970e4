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

/**
 * What a rule emitted once: a whole flow, or one clause of a conjunctive flow. It is a flow itself, the one there is when nobody else emits the same
 * identity; what it is besides does not show among its properties.
 */
export class Emission implements Flow {
  readonly table: number;
  readonly priority: number;
  readonly match: Match;
  readonly instructions: readonly Instruction[];
  readonly cookie: bigint;
  readonly hard_timeout?: number;
  readonly #key: FlowKey;
  readonly #clause: Clause | undefined;
  readonly #rule: string;
  readonly #owners: readonly string[];

  constructor(
    table: number,
    priority: number,
    match: Match,
    does: readonly Instruction[] | Clause,
    cookie: bigint,
    rule: string,
    owners: readonly string[],
    seconds?: number,
  ) {
    this.table = table;
    this.priority = priority;
    this.match = match;
    this.instructions = isClause(does) ? clausesInstructions([does]) : does;
    this.cookie = cookie;
    if (seconds !== undefined) this.hard_timeout = seconds;
    this.#key = flowKey(this);
    this.#clause = isClause(does) ? does : undefined;
    this.#rule = rule;
    this.#owners = owners;
  }

  get key(): FlowKey {
    return this.#key;
  }

  get clause(): Clause | undefined {
    return this.#clause;
  }

  get rule(): string {
    return this.#rule;
  }

  get owners(): readonly string[] {
    return this.#owners;
  }

  /** Unique within a call. */
  get id(): string {
    return this.#clause === undefined ? this.#key : `${this.#key}#${this.#clause.id}/${this.#clause.clause}`;
  }
}

/** Two emissions that put the same thing in the table. */
export function sameEmission(a: Emission, b: Emission): boolean {
  return (
    a.key === b.key &&
    a.rule === b.rule &&
    a.hard_timeout === b.hard_timeout &&
    sameValue(a.instructions, b.instructions) &&
    sameValue(a.owners, b.owners)
  );
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

export class FlowSet {
  /** What one emission alone makes is that emission. */
  readonly flows = new Map<FlowKey, Flow>();
  /** Where more than one emits the same identity. */
  readonly #several = new Map<FlowKey, Bag<Emission>>();
  /** What was there at the last flush, of what was touched since. */
  readonly #before = new Map<FlowKey, Flow | undefined>();
  #makers: Makers | undefined;

  add(emitted: Emission): void {
    const { key } = emitted;
    const now = this.flows.get(key);
    this.#touch(key, now);
    const several = this.#several.get(key);
    if (several !== undefined) this.#several.set(key, bagWith(several, emitted));
    else if (now instanceof Emission) this.#several.set(key, bagWith(now, emitted));
    else this.flows.set(key, emitted);
  }

  remove(emitted: Emission): void {
    const { key } = emitted;
    this.#touch(key, this.flows.get(key));
    const several = this.#several.get(key);
    const rest = several === undefined ? undefined : bagWithout(several, emitted);
    if (rest === undefined) this.flows.delete(key);
    else if (rest instanceof Emission) {
      this.#several.delete(key);
      this.flows.set(key, rest);
    } else this.#several.set(key, rest);
  }

  /** Settles everything touched and says what changed. */
  flush(): { put: Map<FlowKey, Flow>; deleted: Map<FlowKey, Flow> } {
    const put = new Map<FlowKey, Flow>();
    const deleted = new Map<FlowKey, Flow>();
    if (this.#before.size > 0) this.#makers = undefined;
    for (const [key, old] of this.#before) {
      const several = this.#several.get(key);
      const fresh = several === undefined ? this.flows.get(key) : merged([...inBag(several)]);
      if (fresh === undefined) {
        if (old !== undefined) deleted.set(key, old);
        continue;
      }
      if (several !== undefined) this.flows.set(key, fresh);
      if (old === undefined || !sameContent(old, fresh)) put.set(key, fresh);
    }
    this.#before.clear();
    return { put, deleted };
  }

  #touch(key: FlowKey, now: Flow | undefined): void {
    if (!this.#before.has(key)) this.#before.set(key, now);
  }

  /** Who made the flows with this cookie. What is asked first after a change looks at all flows. */
  provenance(cookie: bigint): Provenance | undefined {
    this.#makers ??= new Makers(this.#provenances());
    return this.#makers.find(cookie);
  }

  *#provenances(): Iterable<readonly [table: number, maker: Provenance]> {
    for (const [key, flow] of this.flows) {
      const several = this.#several.get(key);
      const { rule, owners } = makerOf(flow instanceof Emission ? [flow] : [...inBag(several)]);
      yield [flow.table, { rule, uuids: owners }];
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
  const first = emissions[0]!;
  const standing = standingOf(emissions);
  const instructions = standing?.instructions ?? clausesInstructions(mergedClauses(emissions));
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
