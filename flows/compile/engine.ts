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
import type { FlowDelta, FlowKey } from './contract.js';
import { sameValue } from './equal.js';
import { emission, FlowSet, sameEmission, type Clause, type Emission } from './flow-set.js';
import { RecordStore, type Dependency } from './record-store.js';

/** One rule applied to one record. */
class Call {
  readonly name: string;
  readonly rule: Rule;
  readonly stratum: 0 | 1;
  readonly root: string;
  looked = new Set<Dependency>();
  emissions = new Map<string, Emission>();
  facts = new Map<string, Fact>();
  groups = new Map<number, Group>();

  constructor(rule: Rule, stratum: 0 | 1, root: string) {
    this.name = `${rule.name}/${root}`;
    this.rule = rule;
    this.stratum = stratum;
    this.root = root;
  }
}

/** What one run of a call produces, before it replaces what the run before it produced. */
class Run implements Lookup, Emit {
  readonly looked = new Set<Dependency>();
  readonly emissions = new Map<string, Emission>();
  readonly facts = new Map<string, Fact>();
  readonly groups = new Map<number, Group>();
  readonly #store: RecordStore;
  readonly #rule: string;
  #owners: readonly string[];

  constructor(store: RecordStore, rule: string, root: string) {
    this.#store = store;
    this.#rule = rule;
    this.#owners = [root];
    this.looked.add(root);
  }

  get<K extends RecordKind>(kind: K, uuid: string): RecordOf<K> | undefined {
    this.looked.add(uuid);
    const record = this.#store.get(uuid);
    return record?.kind === kind ? (record as RecordOf<K>) : undefined;
  }

  all<K extends RecordKind>(index: Index<K>, key: string): readonly RecordOf<K>[] {
    const { records, dependency } = this.#store.all(index, key);
    this.looked.add(dependency);
    return records;
  }

  owners(...uuids: readonly string[]): void {
    this.#owners = [...new Set(uuids)].sort();
  }

  flow(...[table, priority, match, instructions]: Parameters<Emit['flow']>): void {
    const emitted = emission(TABLES[table].id, priority, match, instructions, this.#rule, this.#owners);
    this.emissions.set(emitted.key, emitted);
  }

  conjunction(...[table, priority, match, clause]: Parameters<Emit['conjunction']>): void {
    const emitted = emission(TABLES[table].id, priority, match, clause satisfies Clause, this.#rule, this.#owners);
    this.emissions.set(`${emitted.key}#${clause.id}/${clause.clause}`, emitted);
  }

  group(group: Group): void {
    this.groups.set(group.group_id, group);
  }

  fact(fact: Fact): void {
    this.facts.set(fact.uuid, fact);
  }
}

/** Who emits one fact. Many may, and one more or less costs the same however many they are. */
class FactMakers {
  readonly #facts = new Map<string, Fact>();
  /** The maker that sorts first; undefined where it has to be found. */
  #first: string | undefined;

  set(maker: string, fact: Fact): void {
    if (this.#facts.size === 0 || (this.#first !== undefined && maker < this.#first)) this.#first = maker;
    this.#facts.set(maker, fact);
  }

  delete(maker: string): void {
    this.#facts.delete(maker);
    if (maker === this.#first) this.#first = undefined;
  }

  /** What the first maker says. */
  standing(): Fact | undefined {
    if (this.#facts.size === 0) return undefined;
    this.#first ??= [...this.#facts.keys()].reduce((a, b) => (a < b ? a : b));
    return this.#facts.get(this.#first);
  }
}

export class Engine {
  readonly store = new RecordStore();
  readonly flowSet = new FlowSet();
  readonly groups = new Map<number, Group>();
  readonly look: Lookup = {
    get: <K extends RecordKind>(kind: K, uuid: string) => {
      const record = this.store.get(uuid);
      return record?.kind === kind ? (record as RecordOf<K>) : undefined;
    },
    all: <K extends RecordKind>(index: Index<K>, key: string) => this.store.all(index, key).records,
  };
  /** Calls run since the start; tests hold the cost of a change against it. */
  runs = 0;
  readonly #rules = new Map<RecordKind, { rule: Rule; stratum: 0 | 1 }[]>();
  readonly #calls = new Map<string, Call>();
  readonly #dependents = new Map<Dependency, Set<Call>>();
  readonly #factMakers = new Map<string, FactMakers>();

  constructor(factRules: readonly Rule[], flowRules: readonly Rule[]) {
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
    for (const call of dirty[0]) this.#run(call, touchedFacts, groupsBefore);
    const factTouched = this.#settleFacts(touchedFacts, dirty);
    this.#collect(factTouched, dirty);
    for (const call of dirty[1]) this.#run(call, touchedFacts, groupsBefore);

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
    for (const { rule, stratum } of this.#rules.get(record.kind) ?? []) {
      const name = `${rule.name}/${record.uuid}`;
      if (this.#calls.has(name)) continue;
      const call = new Call(rule, stratum, record.uuid);
      this.#calls.set(name, call);
      dirty[stratum].add(call);
    }
  }

  #remove(uuid: string, touched: Set<Dependency>, dirty: [Set<Call>, Set<Call>]): void {
    const old = this.store.delete(uuid, touched);
    if (old === undefined) return;
    for (const { rule, stratum } of this.#rules.get(old.kind) ?? []) {
      const call = this.#calls.get(`${rule.name}/${uuid}`);
      if (call === undefined) continue;
      this.#calls.delete(call.name);
      // What it emitted is withdrawn when its stratum runs: without a root a run has no output.
      dirty[stratum].add(call);
    }
  }

  #collect(touched: Iterable<Dependency>, dirty: [Set<Call>, Set<Call>]): void {
    for (const dependency of touched) {
      const calls = this.#dependents.get(dependency);
      if (calls === undefined) continue;
      for (const call of calls) dirty[call.stratum].add(call);
    }
  }

  #run(call: Call, touchedFacts: Set<string>, groupsBefore: Map<number, Group | undefined>): void {
    const root = this.store.get(call.root);
    const run = new Run(this.store, call.rule.name, call.root);
    if (root !== undefined && root.kind === call.rule.root && this.#calls.get(call.name) === call) {
      this.runs++;
      call.rule.run(root, run, run);
    } else {
      run.looked.clear();
    }
    this.#replace(call, run, touchedFacts, groupsBefore);
  }

  /** Takes over the output of a run: what it has in common with the run before stays untouched. */
  #replace(call: Call, run: Run, touchedFacts: Set<string>, groupsBefore: Map<number, Group | undefined>): void {
    for (const dependency of call.looked) if (!run.looked.has(dependency)) this.#forget(dependency, call);
    for (const dependency of run.looked) if (!call.looked.has(dependency)) this.#depend(dependency, call);
    call.looked = run.looked;

    for (const [id, old] of call.emissions) {
      const fresh = run.emissions.get(id);
      if (fresh !== undefined && sameEmission(old, fresh)) run.emissions.set(id, old);
      else this.flowSet.remove(old);
    }
    for (const [id, fresh] of run.emissions) if (call.emissions.get(id) !== fresh) this.flowSet.add(fresh);
    call.emissions = run.emissions;

    for (const [uuid, old] of call.facts) {
      const fresh = run.facts.get(uuid);
      if (fresh !== undefined && sameValue(old, fresh)) continue;
      touchedFacts.add(uuid);
      if (fresh === undefined) this.#factMakers.get(uuid)?.delete(call.name);
    }
    for (const [uuid, fresh] of run.facts) {
      if (!call.facts.has(uuid)) touchedFacts.add(uuid);
      let makers = this.#factMakers.get(uuid);
      if (makers === undefined) this.#factMakers.set(uuid, (makers = new FactMakers()));
      makers.set(call.name, fresh);
    }
    call.facts = run.facts;

    this.#replaceGroups(call, run, groupsBefore);
  }

  #replaceGroups(call: Call, run: Run, groupsBefore: Map<number, Group | undefined>): void {
    for (const [id, old] of call.groups) {
      const fresh = run.groups.get(id);
      if (fresh !== undefined && sameValue(old, fresh)) continue;
      if (!groupsBefore.has(id)) groupsBefore.set(id, old);
      if (fresh === undefined) this.groups.delete(id);
    }
    for (const [id, fresh] of run.groups) {
      if (!call.groups.has(id) && !groupsBefore.has(id)) groupsBefore.set(id, this.groups.get(id));
      this.groups.set(id, fresh);
    }
    call.groups = run.groups;
  }

  #settleFacts(touchedFacts: Set<string>, dirty: [Set<Call>, Set<Call>]): Set<Dependency> {
    const touched = new Set<Dependency>();
    for (const uuid of touchedFacts) {
      const fact = this.#factMakers.get(uuid)?.standing();
      if (fact === undefined) {
        this.#factMakers.delete(uuid);
        this.#remove(uuid, touched, dirty);
        continue;
      }
      this.#put(fact, touched, dirty);
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

  #depend(dependency: Dependency, call: Call): void {
    const calls = this.#dependents.get(dependency);
    if (calls === undefined) this.#dependents.set(dependency, new Set([call]));
    else calls.add(call);
  }

  #forget(dependency: Dependency, call: Call): void {
    const calls = this.#dependents.get(dependency);
    if (calls === undefined) return;
    calls.delete(call);
    if (calls.size === 0) this.#dependents.delete(dependency);
  }
}
