/**
 * The records a datapath is compiled from, with their indexes, and who has looked at what.
 *
 * Owns: a cell for each record (input and facts in one space) and for each key of an index; which of them are still of use to anybody.
 * Assumes: indexes are constant objects; an index is built when it is first asked for and kept from then on.
 * Promises: `put` and `delete` name every cell they touch, so that whoever looked at it can be run again. What was looked for in vain has a cell
 * too, as long as somebody would be run again for it.
 */
import type { Index, RecordKind, RecordOf, RuleRecord } from '../pipeline/rule.js';
import { bagWith, bagWithout, type Bag } from './bag.js';

const NOTHING: readonly never[] = [];

/** What a look-up depends on: one record, or the records under one key of an index. */
export abstract class Cell<D extends object> {
  /** uuid or key. */
  readonly name: string;
  /** Whoever is to be run again when it changes. */
  dependents: Bag<D> | undefined;
  /** Number of the last run that looked at it. */
  run = 0;
  readonly #home: Map<string, Cell<D>>;

  constructor(name: string, home: Map<string, Cell<D>>) {
    this.name = name;
    this.#home = home;
    home.set(name, this);
  }

  addDependent(one: D): void {
    this.dependents = bagWith(this.dependents, one);
  }

  dropDependent(one: D): void {
    this.dependents = bagWithout(this.dependents, one);
    this.tidy();
  }

  /** It holds nothing. */
  abstract get isEmpty(): boolean;

  /** Goes when nobody would miss it. */
  protected tidy(): void {
    if (this.dependents === undefined && this.isEmpty) this.#home.delete(this.name);
  }
}

export class RecordCell<D extends object> extends Cell<D> {
  /** undefined: there is none. */
  record: RuleRecord | undefined;
  /** Whoever begins with it. */
  beginners: readonly D[] = NOTHING;

  get isEmpty(): boolean {
    return this.record === undefined;
  }

  clear(): void {
    this.record = undefined;
    this.tidy();
  }
}

/** One key of one index: the records under it, and the sorted list made from them when asked. */
class KeyCell<D extends object> extends Cell<D> {
  /** By uuid; one alone is kept as it is, and most are alone. */
  #members: RuleRecord | Map<string, RuleRecord> | undefined;
  #sorted: readonly RuleRecord[] | undefined;

  get isEmpty(): boolean {
    return this.#members === undefined;
  }

  /** In uuid order. */
  get records(): readonly RuleRecord[] {
    const members = this.#members;
    if (members === undefined) return NOTHING;
    return (this.#sorted ??= members instanceof Map ? [...members.values()].sort((a, b) => (a.uuid < b.uuid ? -1 : 1)) : [members]);
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
    this.tidy();
  }
}

interface BuiltIndex<D extends object> {
  readonly index: Index;
  readonly cells: Map<string, KeyCell<D>>;
}

export class RecordStore<D extends object> {
  readonly #cells = new Map<string, RecordCell<D>>();
  readonly #indexes = new Map<Index, BuiltIndex<D>>();
  readonly #byKind = new Map<RecordKind, BuiltIndex<D>[]>();

  get(uuid: string): RuleRecord | undefined {
    return this.#cells.get(uuid)?.record;
  }

  *values(): Iterable<RuleRecord> {
    for (const { record } of this.#cells.values()) if (record !== undefined) yield record;
  }

  /** The records under a key of an index, in uuid order. */
  all<K extends RecordKind>(index: Index<K>, key: string): readonly RecordOf<K>[] {
    return (this.#built(index as unknown as Index).cells.get(key)?.records ?? NOTHING) as readonly RecordOf<K>[];
  }

  /** To look at a record and depend on it. */
  cellOf(uuid: string): RecordCell<D> {
    return this.#cells.get(uuid) ?? new RecordCell(uuid, this.#cells);
  }

  /** To look at what is under a key of an index and depend on it. */
  cellUnder(index: Index, key: string): KeyCell<D> {
    const { cells } = this.#built(index);
    return cells.get(key) ?? new KeyCell(key, cells);
  }

  put(record: RuleRecord, touched: Set<Cell<D>>): RecordCell<D> {
    const cell = this.cellOf(record.uuid);
    const old = cell.record;
    cell.record = record;
    touched.add(cell);
    if (old !== undefined) this.#unindex(old, touched);
    for (const built of this.#byKind.get(record.kind) ?? NOTHING) insert(built, record, touched);
    return cell;
  }

  /** @returns where it was; undefined when there was none */
  delete(uuid: string, touched: Set<Cell<D>>): RecordCell<D> | undefined {
    const cell = this.#cells.get(uuid);
    const old = cell?.record;
    if (cell === undefined || old === undefined) return undefined;
    touched.add(cell);
    cell.clear();
    this.#unindex(old, touched);
    return cell;
  }

  #unindex(record: RuleRecord, touched: Set<Cell<D>>): void {
    for (const { index, cells } of this.#byKind.get(record.kind) ?? NOTHING) {
      for (const key of index.keys(record)) {
        const cell = cells.get(key);
        if (cell === undefined) continue;
        touched.add(cell);
        cell.delete(record.uuid);
      }
    }
  }

  #built(index: Index): BuiltIndex<D> {
    const known = this.#indexes.get(index);
    if (known !== undefined) return known;
    const built: BuiltIndex<D> = { index, cells: new Map() };
    this.#indexes.set(index, built);
    const siblings = this.#byKind.get(index.kind);
    if (siblings === undefined) this.#byKind.set(index.kind, [built]);
    else siblings.push(built);
    for (const { record } of this.#cells.values()) if (record?.kind === index.kind) insert(built, record);
    return built;
  }
}

function insert<D extends object>({ index, cells }: BuiltIndex<D>, record: RuleRecord, touched?: Set<Cell<D>>): void {
  for (const key of index.keys(record)) {
    const cell = cells.get(key) ?? new KeyCell(key, cells);
    cell.put(record);
    touched?.add(cell);
  }
}
