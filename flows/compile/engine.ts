/**
 * The incremental engine: runs rules, remembers what each run looked up, and runs again only what a change touches.
 *
 * Owns: the calls (one per rule and root record), their recorded look-ups and their output; facts; flows; groups.
 * Assumes: two strata. Fact rules see only input records and emit only facts; flow rules see both and emit flows and groups.
 * Promises: after any sequence of updates the output equals that of a fresh engine given the same records, in any order. Cost follows what changed:
 * a call runs when its root, a record it got or an index key it listed was touched, and nothing else runs.
 */
import type { Flow, Group } from '../openflow/flow.js';
import type { Fact } from '../pipeline/facts.js';
import type { Emit, Index, Lookup, RecordKind, RecordOf, Rule, RuleRecord } from '../pipeline/rule.js';
import { TABLES } from '../pipeline/tables.js';
import { bagWith, bagWithout, inBag, type Bag } from './bag.js';
import type { FlowDelta, FlowKey } from './contract.js';
import { sameValue } from './equal.js';
import { FactBook } from './fact-book.js';
import { Emission, FlowSet, sameEmission, type Clause } from './flow-set.js';
import { RecordStore, type Dependency } from './record-store.js';
import { Listed, type Outcome, type Seen, type SharedRuns } from './shared-runs.js';
import { Unique } from './unique.js';

/** What most calls look up, or emit of something, is little or nothing; it is shared by all who have none. */
const NONE: readonly never[] = [];

/** One rule applied to one record. */
class Call {
  readonly rule: Rule;
  readonly stratum: 0 | 1;
  /** Of the rule among those for records of this kind. */
  readonly place: number;
  readonly root: string;
  /** Its root is gone, or of another kind. */
  isOver = false;
  looked: readonly Dependency[] = NONE;
  emissions: readonly Emission[] = NONE;
  facts: readonly Fact[] = NONE;
  groups: readonly Group[] = NONE;

  constructor(rule: Rule, stratum: 0 | 1, place: number, root: string) {
    this.rule = rule;
    this.stratum = stratum;
    this.place = place;
    this.root = root;
  }

  get name(): string {
    return `${this.rule.name}/${this.root}`;
  }
}

const emissionId = (emitted: Emission) => emitted.id;
const factId = (fact: Fact) => fact.uuid;
const groupId = (group: Group) => group.group_id;
const itself = (dependency: Dependency) => dependency;

/** What one run of a call produces, before it replaces what the run before it produced. */
class Run implements Lookup, Emit {
  readonly looked = new Unique(itself);
  readonly emissions = new Unique(emissionId);
  readonly facts = new Unique(factId);
  readonly groups = new Unique(groupId);
  /** For each that was looked up, what was found; only where that is kept. */
  seen: Seen[] | undefined;
  readonly #store: RecordStore;
  readonly #shared: SharedRuns | undefined;
  readonly #depend = (dependency: Dependency): void => this.looked.add(dependency);
  #rule = '';
  #owners: readonly string[] = NONE;

  constructor(store: RecordStore, shared: SharedRuns | undefined) {
    this.#store = store;
    this.#shared = shared;
  }

  begin(rule: string, root: RuleRecord, isKept: boolean): void {
    this.#rule = rule;
    this.#owners = [root.uuid];
    this.looked.add(root.uuid);
    this.seen = isKept ? [root] : undefined;
  }

  /** Takes over what another run came to. */
  repeat({ looked, emissions, facts, groups }: Outcome): void {
    this.looked.borrow(looked);
    this.emissions.borrow(emissions);
    this.facts.borrow(facts);
    this.groups.borrow(groups);
  }

  get<K extends RecordKind>(kind: K, uuid: string): RecordOf<K> | undefined {
    const { size } = this.looked;
    this.looked.add(uuid);
    const record = this.#store.get(uuid);
    if (this.seen !== undefined && this.looked.size > size) this.seen.push(record);
    return record?.kind === kind ? (record as RecordOf<K>) : undefined;
  }

  all<K extends RecordKind>(index: Index<K>, key: string): readonly RecordOf<K>[] {
    const { size } = this.looked;
    const records = this.#store.all(index, key, this.#depend);
    if (this.seen !== undefined && this.looked.size > size) this.seen.push(new Listed(index as unknown as Index, key, records));
    return records;
  }

  owners(...uuids: readonly string[]): void {
    this.#owners = uuids.length === 1 ? uuids : [...new Set(uuids)].sort();
  }

  flow(...[table, priority, match, instructions, seconds]: Parameters<Emit['flow']>): void {
    this.emissions.add(new Emission(TABLES[table].id, priority, match, instructions, this.#rule, this.#owners, seconds));
  }

  conjunction(...[table, priority, match, clause]: Parameters<Emit['conjunction']>): void {
    this.emissions.add(new Emission(TABLES[table].id, priority, match, clause satisfies Clause, this.#rule, this.#owners));
  }

  group(group: Group): void {
    this.groups.add(group);
  }

  fact(fact: Fact): void {
    this.facts.add(this.#shared?.sameFact(fact) ?? fact);
  }
}

export class Engine {
  readonly store: RecordStore;
  readonly flowSet = new FlowSet();
  readonly groups = new Map<number, Group>();
  readonly look: Lookup = {
    get: <K extends RecordKind>(kind: K, uuid: string) => {
      const record = this.store.get(uuid);
      return record?.kind === kind ? (record as RecordOf<K>) : undefined;
    },
    all: <K extends RecordKind>(index: Index<K>, key: string) => this.store.all(index, key),
  };
  /** Calls run since the start; tests hold the cost of a change against it. */
  runs = 0;
  readonly #rules = new Map<RecordKind, { rule: Rule; stratum: 0 | 1 }[]>();
  /** By root. */
  readonly #calls = new Map<string, readonly Call[]>();
  readonly #dependents = new Map<Dependency, Bag<Call>>();
  readonly #facts = new FactBook<Call>();
  readonly #run: Run;
  readonly #shared: SharedRuns | undefined;

  /** @param shared with other engines of the same rules */
  constructor(factRules: readonly Rule[], flowRules: readonly Rule[], shared?: SharedRuns) {
    this.#shared = shared;
    this.store = new RecordStore(shared?.numberOf);
    this.#run = new Run(this.store, shared);
    const add = (rule: Rule, stratum: 0 | 1) => {
      const list = this.#rules.get(rule.root) ?? [];
      list.push({ rule, stratum });
      this.#rules.set(rule.root, list);
    };
    for (const rule of factRules) add(rule, 0);
    for (const rule of flowRules) add(rule, 1);
  }

  /** Applies input changes and returns the difference in the tables. A record that equals the one held is no change. */
  update(puts: readonly RuleRecord[], deletes: readonly string[]): FlowDelta {
    const touched = new Set<Dependency>();
    const dirty: [Set<Call>, Set<Call>] = [new Set(), new Set()];
    const groupsBefore = new Map<number, Group | undefined>();

    for (const uuid of deletes) this.#remove(uuid, touched, dirty);
    for (const record of puts) this.#put(record, touched, dirty);

    const touchedFacts = new Set<string>();
    this.#collect(touched, dirty);
    for (const call of dirty[0]) this.#rerun(call, touchedFacts, groupsBefore);
    const factTouched = this.#settleFacts(touchedFacts, dirty);
    this.#collect(factTouched, dirty);
    for (const call of dirty[1]) this.#rerun(call, touchedFacts, groupsBefore);

    const { put, deleted } = this.flowSet.flush();
    return { flows_put: put, flows_deleted: deleted, ...this.#groupDelta(groupsBefore) };
  }

  get flows(): ReadonlyMap<FlowKey, Flow> {
    return this.flowSet.flows;
  }

  #put(record: RuleRecord, touched: Set<Dependency>, dirty: [Set<Call>, Set<Call>]): void {
    const old = this.store.get(record.uuid);
    if (old !== undefined && sameValue(old, record)) return;
    if (old !== undefined && old.kind !== record.kind) this.#remove(record.uuid, touched, dirty);
    this.store.put(record, touched);
    if (this.#calls.has(record.uuid)) return;
    const calls = this.#rules.get(record.kind)?.map(({ rule, stratum }, place) => new Call(rule, stratum, place, record.uuid));
    if (calls === undefined) return;
    this.#calls.set(record.uuid, calls);
    for (const call of calls) dirty[call.stratum].add(call);
  }

  #remove(uuid: string, touched: Set<Dependency>, dirty: [Set<Call>, Set<Call>]): void {
    const gone = this.store.delete(uuid, touched);
    if (gone === undefined) return;
    this.#shared?.forget(gone);
    for (const call of this.#calls.get(uuid) ?? NONE) {
      call.isOver = true;
      // What it emitted is withdrawn when its stratum runs: without a root a run has no output.
      dirty[call.stratum].add(call);
    }
    this.#calls.delete(uuid);
  }

  #collect(touched: Iterable<Dependency>, dirty: [Set<Call>, Set<Call>]): void {
    for (const dependency of touched) for (const call of inBag(this.#dependents.get(dependency))) dirty[call.stratum].add(call);
  }

  #rerun(call: Call, touchedFacts: Set<string>, groupsBefore: Map<number, Group | undefined>): void {
    const run = this.#run;
    const shared = this.#shared;
    const root = call.isOver ? undefined : this.store.get(call.root);
    const known = root === undefined ? undefined : shared?.find(call.place, root, this.store);
    if (known !== undefined) run.repeat(known);
    else if (root !== undefined) {
      this.runs++;
      run.begin(call.rule.name, root, shared !== undefined);
      call.rule.run(root, run, run);
    }
    this.#replaceLooked(call, run.looked);
    this.#replaceEmissions(call, run.emissions);
    this.#replaceFacts(call, run.facts, touchedFacts);
    this.#replaceGroups(call, run.groups, groupsBefore);
    if (shared === undefined || root === undefined || known !== undefined) return;
    const { looked, emissions, facts, groups } = call;
    shared.keep(call.place, root, { looked, seen: run.seen ?? NONE, emissions, facts, groups });
  }

  #replaceLooked(call: Call, fresh: Unique<Dependency>): void {
    for (const dependency of call.looked) {
      if (fresh.get(dependency) !== undefined) continue;
      const rest = bagWithout(this.#dependents.get(dependency), call);
      if (rest === undefined) this.#dependents.delete(dependency);
      else this.#dependents.set(dependency, rest);
    }
    call.looked = fresh.take();
    for (const dependency of call.looked) {
      const before = this.#dependents.get(dependency);
      const bag = bagWith(before, call);
      if (bag !== before) this.#dependents.set(dependency, bag);
    }
  }

  /** Takes over the output of a run: what it has in common with the run before stays untouched. */
  #replaceEmissions(call: Call, fresh: Unique<Emission>): void {
    for (const old of call.emissions) {
      const now = fresh.get(old.id);
      if (now !== undefined && sameEmission(old, now)) fresh.add(old);
      else this.flowSet.remove(old);
    }
    const kept = call.emissions.length === 0 ? undefined : new Set(call.emissions);
    call.emissions = fresh.take();
    for (const emitted of call.emissions) if (kept?.has(emitted) !== true) this.flowSet.add(emitted);
  }

  #replaceFacts(call: Call, fresh: Unique<Fact>, touchedFacts: Set<string>): void {
    for (const old of call.facts) {
      const now = fresh.get(old.uuid);
      if (now !== undefined && sameValue(old, now)) {
        fresh.add(old);
        continue;
      }
      touchedFacts.add(old.uuid);
      if (now === undefined) this.#facts.withdraw(call, old.uuid);
    }
    const kept = call.facts.length === 0 ? undefined : new Set(call.facts);
    call.facts = fresh.take();
    for (const fact of call.facts) {
      if (kept?.has(fact) === true) continue;
      touchedFacts.add(fact.uuid);
      this.#facts.state(call, fact);
    }
  }

  #replaceGroups(call: Call, fresh: Unique<Group>, groupsBefore: Map<number, Group | undefined>): void {
    for (const old of call.groups) {
      const id = old.group_id;
      const now = fresh.get(id);
      if (now !== undefined && sameValue(old, now)) continue;
      if (!groupsBefore.has(id)) groupsBefore.set(id, old);
      if (now === undefined) this.groups.delete(id);
    }
    if (call.groups.length === 0 && fresh.isEmpty) return;
    const had = new Set(call.groups.map(groupId));
    call.groups = fresh.take();
    for (const group of call.groups) {
      const id = group.group_id;
      if (!had.has(id) && !groupsBefore.has(id)) groupsBefore.set(id, this.groups.get(id));
      this.groups.set(id, group);
    }
  }

  #settleFacts(touchedFacts: Set<string>, dirty: [Set<Call>, Set<Call>]): Set<Dependency> {
    const touched = new Set<Dependency>();
    for (const uuid of touchedFacts) {
      const fact = this.#facts.get(uuid);
      if (fact === undefined) this.#remove(uuid, touched, dirty);
      else this.#put(fact, touched, dirty);
    }
    touchedFacts.clear();
    return touched;
  }

  #groupDelta(before: Map<number, Group | undefined>): Pick<FlowDelta, 'groups_put' | 'groups_deleted'> {
    const groupsPut = new Map<number, Group>();
    const groupsDeleted = new Map<number, Group>();
    for (const [id, old] of before) {
      const now = this.groups.get(id);
      if (now === undefined) {
        if (old !== undefined) groupsDeleted.set(id, old);
      } else if (old === undefined || !sameValue(old, now)) groupsPut.set(id, now);
    }
    return { groups_put: groupsPut, groups_deleted: groupsDeleted };
  }
}
