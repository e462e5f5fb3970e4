/**
 * The incremental engine: runs rules, remembers what each run looked up, and runs again only what a change touches.
 *
 * Owns: the calls (one per rule and root record), their recorded look-ups and their output; facts; flows; groups.
 * Assumes: two strata. Fact rules see only input records and emit only facts; flow rules see both and emit flows and groups.
 * Promises: after any sequence of updates the output equals that of a fresh engine given the same records, in any order. Cost follows what changed:
 * a call runs when its root, a record it got or an index key it listed was touched, and nothing else runs.
 */
import type { Instruction } from '../openflow/action.js';
import type { Flow, Group } from '../openflow/flow.js';
import type { Match } from '../openflow/match.js';
import type { Fact } from '../pipeline/facts.js';
import type { Emit, Index, Lookup, RecordKind, RecordOf, Rule, RuleRecord } from '../pipeline/rule.js';
import { TABLES } from '../pipeline/tables.js';
import { inBag } from './bag.js';
import type { FlowDelta, FlowKey } from './contract.js';
import { sameValue } from './equal.js';
import { FactBook } from './fact-book.js';
import { Emission, FlowSet, sameEmission, type Clause } from './flow-set.js';
import { cookieOf } from './provenance.js';
import { RecordStore, type Cell, type RecordCell } from './record-store.js';
import { Unique } from './unique.js';

/** What most calls look up, or emit of something, is little or nothing; it is shared by all who have none. */
const NONE: readonly never[] = [];

/** One rule applied to one record. */
class Call {
  readonly rule: Rule;
  readonly stratum: 0 | 1;
  readonly root: RecordCell<Call>;
  /** Its root is gone, or of another kind. */
  isOver = false;
  looked: readonly Cell<Call>[] = NONE;
  emissions: readonly Emission[] = NONE;
  facts: readonly Fact[] = NONE;
  groups: readonly Group[] = NONE;

  constructor(rule: Rule, stratum: 0 | 1, root: RecordCell<Call>) {
    this.rule = rule;
    this.stratum = stratum;
    this.root = root;
  }

  get name(): string {
    return `${this.rule.name}/${this.root.name}`;
  }
}

const emissionId = (emitted: Emission) => emitted.id;
const factId = (fact: Fact) => fact.uuid;
const groupId = (group: Group) => group.group_id;

/** What one run of a call produces, before it replaces what the run before it produced. */
class Run implements Lookup, Emit {
  /** Of the run under way; what it looked at bears it. */
  number = 0;
  looked: Cell<Call>[] = [];
  readonly emissions = new Unique(emissionId);
  readonly facts = new Unique(factId);
  readonly groups = new Unique(groupId);
  readonly #store: RecordStore<Call>;
  readonly #book: FactBook<Call>;
  #rule = '';
  #owners: readonly string[] = NONE;
  /** For the flows of these owners in this table. */
  #cookie = 0n;
  #cookieTable = -1;

  constructor(store: RecordStore<Call>, book: FactBook<Call>) {
    this.#store = store;
    this.#book = book;
  }

  begin({ rule, root }: Call): void {
    this.number++;
    this.looked = [];
    this.#rule = rule.name;
    this.#own([root.name]);
  }

  /** Depends on a cell from now on. */
  look(cell: Cell<Call>): void {
    if (cell.run === this.number) return;
    cell.run = this.number;
    this.looked.push(cell);
  }

  get<K extends RecordKind>(kind: K, uuid: string): RecordOf<K> | undefined {
    const cell = this.#store.cellOf(uuid);
    this.look(cell);
    return cell.record?.kind === kind ? (cell.record as RecordOf<K>) : undefined;
  }

  all<K extends RecordKind>(index: Index<K>, key: string): readonly RecordOf<K>[] {
    const cell = this.#store.cellUnder(index as unknown as Index, key);
    this.look(cell);
    return cell.records as readonly RecordOf<K>[];
  }

  owners(...uuids: readonly string[]): void {
    this.#own(uuids.length === 1 ? uuids : [...new Set(uuids)].sort());
  }

  flow(...[table, priority, match, instructions, seconds]: Parameters<Emit['flow']>): void {
    this.#emit(TABLES[table].id, priority, match, instructions, seconds);
  }

  conjunction(...[table, priority, match, clause]: Parameters<Emit['conjunction']>): void {
    this.#emit(TABLES[table].id, priority, match, clause satisfies Clause);
  }

  group(group: Group): void {
    this.groups.add(group);
  }

  fact(fact: Fact): void {
    this.facts.add(this.#book.known(fact));
  }

  #own(owners: readonly string[]): void {
    this.#owners = owners;
    this.#cookieTable = -1;
  }

  #emit(table: number, priority: number, match: Match, does: readonly Instruction[] | Clause, seconds?: number): void {
    if (table !== this.#cookieTable) {
      this.#cookie = cookieOf(table, this.#rule, this.#owners);
      this.#cookieTable = table;
    }
    this.emissions.add(new Emission(table, priority, match, does, this.#cookie, this.#rule, this.#owners, seconds));
  }
}

export class Engine {
  readonly store = new RecordStore<Call>();
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
  readonly #facts = new FactBook<Call>();
  readonly #run = new Run(this.store, this.#facts);

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
    const touched = new Set<Cell<Call>>();
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

  #put(record: RuleRecord, touched: Set<Cell<Call>>, dirty: [Set<Call>, Set<Call>]): void {
    const old = this.store.get(record.uuid);
    if (old !== undefined && sameValue(old, record)) return;
    if (old !== undefined && old.kind !== record.kind) this.#remove(record.uuid, touched, dirty);
    const cell = this.store.put(record, touched);
    if (cell.beginners.length > 0) return;
    const rules = this.#rules.get(record.kind);
    if (rules === undefined) return;
    cell.beginners = rules.map(({ rule, stratum }) => new Call(rule, stratum, cell));
    for (const call of cell.beginners) dirty[call.stratum].add(call);
  }

  #remove(uuid: string, touched: Set<Cell<Call>>, dirty: [Set<Call>, Set<Call>]): void {
    const cell = this.store.delete(uuid, touched);
    if (cell === undefined) return;
    for (const call of cell.beginners) {
      call.isOver = true;
      // What it emitted is withdrawn when its stratum runs: without a root a run has no output.
      dirty[call.stratum].add(call);
    }
    cell.beginners = NONE;
  }

  #collect(touched: Iterable<Cell<Call>>, dirty: [Set<Call>, Set<Call>]): void {
    for (const { dependents } of touched) for (const call of inBag(dependents)) dirty[call.stratum].add(call);
  }

  #rerun(call: Call, touchedFacts: Set<string>, groupsBefore: Map<number, Group | undefined>): void {
    const run = this.#run;
    run.begin(call);
    const { record } = call.root;
    if (!call.isOver && record !== undefined) {
      this.runs++;
      run.look(call.root);
      call.rule.run(record, run, run);
    }
    this.#replaceLooked(call, run);
    this.#replaceEmissions(call, run.emissions);
    this.#replaceFacts(call, run.facts, touchedFacts);
    this.#replaceGroups(call, run.groups, groupsBefore);
  }

  #replaceLooked(call: Call, { looked, number }: Run): void {
    const before = call.looked;
    // They are kept, without the room for more that an array has which was pushed to.
    call.looked = looked.slice();
    for (const cell of looked) cell.addDependent(call);
    for (const cell of before) if (cell.run !== number) cell.dropDependent(call);
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
      if (now === undefined && this.#facts.withdraw(call, old.uuid)) touchedFacts.add(old.uuid);
    }
    const kept = call.facts.length === 0 ? undefined : new Set(call.facts);
    call.facts = fresh.take();
    for (const fact of call.facts) {
      if (kept?.has(fact) === true) continue;
      if (this.#facts.state(call, fact)) touchedFacts.add(fact.uuid);
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

  #settleFacts(touchedFacts: Set<string>, dirty: [Set<Call>, Set<Call>]): Set<Cell<Call>> {
    const touched = new Set<Cell<Call>>();
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
