/**
 * The records a datapath is compiled from, with their indexes.
 *
 * Owns: records by uuid (input and facts in one space) and index entries.
 * Assumes: indexes are constant objects; an index is built when it is first asked for and kept from then on.
 * Promises: `put` and `delete` name every dependency they touch, so that whoever looked it up can be run again.
 */
import type { Index, RecordKind, RecordOf, RuleRecord } from '../pipeline/rule.js';

/** What a look-up depends on: a record, or one key of an index. Compared by identity of the string. */
export type Dependency = string;

const NOTHING: readonly never[] = [];

/** One key of one index: the records under it, and the sorted list made from them when asked. */
class IndexEntry {
  readonly members = new Map<string, RuleRecord>();
  sorted: readonly RuleRecord[] | undefined;
}

class BuiltIndex {
  readonly id: number;
  readonly index: Index;
  readonly entries = new Map<string, IndexEntry>();

  constructor(id: number, index: Index) {
    this.id = id;
    this.index = index;
  }
}

export class RecordStore {
  readonly #records = new Map<string, RuleRecord>();
  readonly #indexes = new Map<Index, BuiltIndex>();
  readonly #byKind = new Map<RecordKind, BuiltIndex[]>();

  get(uuid: string): RuleRecord | undefined {
    return this.#records.get(uuid);
  }

  values(): Iterable<RuleRecord> {
    return this.#records.values();
  }

  /** The records under a key of an index, in uuid order, and the dependency that says so. */
  all<K extends RecordKind>(index: Index<K>, key: string): { records: readonly RecordOf<K>[]; dependency: Dependency } {
    const built = this.#built(index as unknown as Index);
    const entry = built.entries.get(key);
    const dependency = `${built.id}/${key}`;
    if (entry === undefined) return { records: NOTHING, dependency };
    entry.sorted ??= [...entry.members.values()].sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
    return { records: entry.sorted as readonly RecordOf<K>[], dependency };
  }

  put(record: RuleRecord, touched: Set<Dependency>): void {
    const old = this.#records.get(record.uuid);
    this.#records.set(record.uuid, record);
    touched.add(record.uuid);
    if (old !== undefined) this.#unindex(old, touched);
    for (const built of this.#byKind.get(record.kind) ?? NOTHING) insert(built, record, touched);
  }

  delete(uuid: string, touched: Set<Dependency>): RuleRecord | undefined {
    const old = this.#records.get(uuid);
    if (old === undefined) return undefined;
    this.#records.delete(uuid);
    touched.add(uuid);
    this.#unindex(old, touched);
    return old;
  }

  #unindex(record: RuleRecord, touched: Set<Dependency>): void {
    for (const built of this.#byKind.get(record.kind) ?? NOTHING) {
      for (const key of built.index.keys(record)) {
        const entry = built.entries.get(key);
        if (entry === undefined) continue;
        entry.members.delete(record.uuid);
        entry.sorted = undefined;
        if (entry.members.size === 0) built.entries.delete(key);
        touched.add(`${built.id}/${key}`);
      }
    }
  }

  #built(index: Index): BuiltIndex {
    const known = this.#indexes.get(index);
    if (known !== undefined) return known;
    const built = new BuiltIndex(this.#indexes.size, index);
    this.#indexes.set(index, built);
    const siblings = this.#byKind.get(index.kind);
    if (siblings === undefined) this.#byKind.set(index.kind, [built]);
    else siblings.push(built);
    for (const record of this.#records.values()) if (record.kind === index.kind) insert(built, record);
    return built;
  }
}

function insert(built: BuiltIndex, record: RuleRecord, touched?: Set<Dependency>): void {
  for (const key of built.index.keys(record)) {
    let entry = built.entries.get(key);
    if (entry === undefined) {
      entry = new IndexEntry();
      built.entries.set(key, entry);
    }
    entry.members.set(record.uuid, record);
    entry.sorted = undefined;
    touched?.add(`${built.id}/${key}`);
  }
}
