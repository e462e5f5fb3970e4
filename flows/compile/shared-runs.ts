/**
 * What rules made of records, for the compilers of several datapaths in one process: most of what they hold is the same.
 *
 * Owns: of each record that compilers may have in common, the last outcomes of the rules that begin with it, and all that these looked up.
 * Assumes: rules are pure functions of their record and what they look up; all compilers that share this have the same rules in the same order.
 * Promises: an outcome is handed on only to a compiler in which every look-up finds the same. So sharing changes nothing in what is compiled.
 */
import type { Fact } from '../pipeline/facts.js';
import type { Group } from '../openflow/flow.js';
import type { Index, RecordKind, RuleRecord } from '../pipeline/rule.js';
import { sameValue } from './equal.js';
import type { Emission } from './flow-set.js';
import type { Dependency, RecordStore } from './record-store.js';

/** The records under a key, as they were looked up. */
export class Listed {
  readonly index: Index;
  readonly key: string;
  readonly records: readonly RuleRecord[];

  constructor(index: Index, key: string, records: readonly RuleRecord[]) {
    this.index = index;
    this.key = key;
    this.records = records;
  }
}

/** What one look-up found. */
export type Seen = RuleRecord | Listed | undefined;

export interface Outcome {
  /** What was looked up; the record itself comes first. */
  readonly looked: readonly Dependency[];
  /** For each of these, what was found. */
  readonly seen: readonly Seen[];
  readonly emissions: readonly Emission[];
  readonly facts: readonly Fact[];
  readonly groups: readonly Group[];
}

interface Known {
  readonly root: RuleRecord;
  /** By place of the rule, the newest first: a NIC is local to one datapath and remote to the others. */
  readonly outcomes: (readonly Outcome[] | undefined)[];
}

const VARIANTS = 2;
/** What only one datapath has. */
const OWN: ReadonlySet<RecordKind> = new Set<RecordKind>([
  'local_port',
  'nic',
  'here',
  'tunnel_port',
  'nat_zones',
  'underlay_port',
  'physical_port',
  'gateway_hold',
  'neighbor',
]);

export class SharedRuns {
  readonly #known = new Map<string, Known>();
  readonly #indexes = new Map<Index, number>();

  /** The same number for an index in every compiler. */
  readonly numberOf = (index: Index): number => {
    const known = this.#indexes.get(index);
    if (known !== undefined) return known;
    this.#indexes.set(index, this.#indexes.size);
    return this.#indexes.size - 1;
  };

  /** A fact equal to this one that rules have begun with, so that it is one and the same to all compilers. */
  sameFact(fact: Fact): Fact | undefined {
    const root = this.#known.get(fact.uuid)?.root;
    return root !== undefined && sameValue(root, fact) ? (root as Fact) : undefined;
  }

  /** What a rule makes of a record among these. */
  find(place: number, root: RuleRecord, store: RecordStore): Outcome | undefined {
    const known = this.#known.get(root.uuid);
    if (known?.root !== root) return undefined;
    return known.outcomes[place]?.find((outcome) => isSame(outcome, store));
  }

  keep(place: number, root: RuleRecord, outcome: Outcome): void {
    if (OWN.has(root.kind)) return;
    let known = this.#known.get(root.uuid);
    if (known?.root !== root) this.#known.set(root.uuid, (known = { root, outcomes: [] }));
    const before = known.outcomes[place];
    known.outcomes[place] = before === undefined ? [outcome] : [outcome, ...before.slice(0, VARIANTS - 1)];
  }

  /** A record is gone from a compiler; the others will follow. */
  forget(root: RuleRecord): void {
    if (this.#known.get(root.uuid)?.root === root) this.#known.delete(root.uuid);
  }
}

function isSame({ looked, seen }: Outcome, store: RecordStore): boolean {
  for (let i = 1; i < seen.length; i++) {
    const was = seen[i];
    if (was instanceof Listed) {
      if (!areSame(was.records, store.all(was.index, was.key))) return false;
    } else if (!isSameRecord(was, store.get(looked[i]!))) return false;
  }
  return true;
}

function areSame(a: readonly RuleRecord[], b: readonly RuleRecord[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!isSameRecord(a[i], b[i])) return false;
  return true;
}

/** Facts that several calls state are not the same object in every compiler. */
function isSameRecord(a: RuleRecord | undefined, b: RuleRecord | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && sameValue(a, b));
}
