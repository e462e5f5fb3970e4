/**
 * The records a datapath is compiled from, with their indexes.
 *
 * Owns: records by uuid (input and facts in one space) and index entries.
 * Assumes: indexes are constant objects; an index is built when it is first asked for and kept from then on.
 * Promises: `put` and `delete` name every dependency they touch, so that whoever looked it up can be run again.
 */
import { inOnePiece } from '../openflow/canonical.js';
import type { Index, RecordKind, RecordOf, RuleRecord } from '../pipeline/rule.js';

/** What a look-up depends on: a record, or one key of an index. Compared by identity of the string. */
export type Dependency = string;

const NOTHING: readonly never[] = [];

/** One key of one index: the records under it, and the sorted list made from them when asked. */
class IndexEntry {
  readonly dependency: Dependency;
  /** By uuid; one alone is kept as it is, and most are alone. */
  #members: RuleRecord | Map<string, RuleRecord> | undefined;
  #sorted: readonly RuleRecord[] | undefined;

  constructor(dependency: Dependency) {
    this.dependency = dependency;
  }

  get isEmpty(): boolean {
    return this.#members === undefined;
  }

  /** In uuid order. */
  get records(): readonly RuleRecord[] {
    return (this.#sorted ??=
      this.#members instanceof Map ? [...this.#members.values()].sort((a, b) => (a.uuid < b.uuid ? -1 : 1)) : [this.#members!]);
  }

  put(record: RuleRecord): void {
    const members = this.#members;
    this.#sorted = undefined;
    if (members instanceof Map) members.set(record.uuid, record);
    else if (members === undefined || members.uuid === record.uuid) this.#members = record;
    else
      this.#members = new Map([
        [members.uuid, members],
        [record.uuid, record],
      ]);
  }

  delete(uuid: string): void {
    const members = this.#members;
    this.#sorted = undefined;
    if (members instanceof Map) {
      members.delete(uuid);
      if (members.size === 0) this.#members = undefined;
    } else if (members?.uuid === uuid) this.#members = undefined;
  }
}

class BuiltIndex {
  readonly id: number;
  readonly index: Index;
  readonly entries = new Map<string, IndexEntry>();

  constructor(id: number, index: Index) {
    this.id = id;
    this.index = index;
  }

  dependency(key: string): Dependency {
    return inOnePiece(`${this.id}/${key}`);
  }
}

export class RecordStore {
  /** Numbers indexes; in the order in which they are asked for, when undefined. */
  readonly #numberOf: ((index: Index) => number) | undefined;
  readonly #records = new Map<string, RuleRecord>();
  readonly #indexes = new Map<Index, BuiltIndex>();
  readonly #byKind = new Map<RecordKind, BuiltIndex[]>();

  constructor(numberOf?: (index: Index) => number) {
    this.#numberOf = numberOf;
  }

  get(uuid: string): RuleRecord | undefined {
    return this.#records.get(uuid);
  }

  values(): Iterable<RuleRecord> {
    return this.#records.values();
  }

  /** The records under a key of an index, in uuid order; `depend`, if any, is told the dependency that says so. */
  all<K extends RecordKind>(index: Index<K>, key: string, depend?: (dependency: Dependency) => void): readonly RecordOf<K>[] {
    const built = this.#built(index as unknown as Index);
    const entry = built.entries.get(key);
    depend?.(entry?.dependency ?? built.dependency(key));
    return (entry?.records ?? NOTHING) as readonly RecordOf<K>[];
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
        entry.delete(record.uuid);
        if (entry.isEmpty) built.entries.delete(key);
        touched.add(entry.dependency);
      }
    }
  }

  #built(index: Index): BuiltIndex {
    const known = this.#indexes.get(index);
    if (known !== undefined) return known;
    const built = new BuiltIndex(this.#numberOf?.(index) ?? this.#indexes.size, index);
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
    if (entry === undefined) built.entries.set(key, (entry = new IndexEntry(built.dependency(key))));
    entry.put(record);
    touched?.add(entry.dependency);
  }
}
