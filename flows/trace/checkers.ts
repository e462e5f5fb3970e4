/**
 * What tables must not contain, found without running a packet.
 *
 * Owns: one function per mistake, and `checkTables` for all of them. Overlaps and flows out of reach are in overlaps.ts.
 * Promises: pure; cost about that of reading the tables once.
 */
import type { Tables } from '../compile/contract.js';
import type { Action } from '../openflow/action.js';
import { FIELDS, type FieldName } from '../openflow/fields.js';
import type { Flow } from '../openflow/flow.js';
import { applyBits, WORDS } from './layout.js';
import { fieldBits } from './microflow.js';
import { isIp, meets, VLAN_PRESENT } from './prerequisite.js';
import { findOverlaps, findShadowed } from './overlaps.js';
import { slot } from './layout.js';

export type ProblemKind =
  | 'overlap'
  | 'shadowed'
  | 'bare_drop'
  | 'unmetered_punt'
  | 'dangling_table'
  | 'backward_goto'
  | 'missing_group'
  | 'missing_meter'
  | 'missing_prerequisite'
  | 'broken_conjunction'
  | 'action_set_across_ct';

export interface Problem {
  readonly kind: ProblemKind;
  /** The flow concerned; absent for a group. */
  readonly flow?: Flow | undefined;
  /** The other flow of an overlap, or the one above a shadowed one. */
  readonly other?: Flow | undefined;
  readonly detail: string;
}

export interface CheckOptions {
  /** Tables in which a flow without actions is meant. */
  readonly dropTables: readonly number[];
  /** Tables in which users say what comes first: what is never hit there is their business. */
  readonly userTables?: readonly number[] | undefined;
  /** Fields that only say who decided: flows that differ in what they write there do not contend. */
  readonly nominal?: readonly FieldName[] | undefined;
}

export function checkTables(tables: Tables, { dropTables, userTables = [], nominal }: CheckOptions): Problem[] {
  return [
    ...findOverlaps(tables, undefined, nominal).map(({ flows: [flow, other] }) =>
      problem('overlap', flow, 'does something else at the same priority', other),
    ),
    ...findShadowed(tables)
      .filter(({ flow }) => !userTables.includes(flow.table))
      .map(({ flow, by }) => problem('shadowed', flow, 'a flow of higher priority takes all its packets', by)),
    ...findBareDrops(tables, dropTables),
    ...findUnmeteredPunts(tables),
    ...findDanglingTables(tables),
    ...findMissingReferences(tables),
    ...findMissingPrerequisites(tables),
    ...findBrokenConjunctions(tables),
    ...findActionSetsAcrossCt(tables),
  ];
}

function problem(kind: ProblemKind, flow: Flow | undefined, detail: string, other?: Flow): Problem {
  return { kind, flow, other, detail };
}

/** Every action of a list and of the lists within it. */
function* nested(actions: readonly Action[]): Generator<Action> {
  for (const action of actions) {
    yield action;
    if (action.kind === 'clone') yield* nested(action.actions);
    if (action.kind === 'ct') yield* nested(action.exec ?? []);
  }
}

/** The actions of all flows and groups, with where they are. */
function* allActions(tables: Tables): Generator<{ readonly action: Action; readonly flow: Flow | undefined; readonly where: string }> {
  for (const flow of tables.flows.values()) {
    for (const instruction of flow.instructions) {
      if (instruction.kind !== 'apply_actions' && instruction.kind !== 'write_actions') continue;
      for (const action of nested(instruction.actions)) yield { action, flow, where: `table ${flow.table}` };
    }
  }
  for (const { group_id, buckets } of tables.groups.values()) {
    for (const { actions } of buckets) {
      for (const action of nested(actions)) yield { action, flow: undefined, where: `group ${group_id}` };
    }
  }
}

/** Flows that drop without saying so: no action, no table to go to. */
export function findBareDrops(tables: Tables, dropTables: readonly number[]): Problem[] {
  return [...tables.flows.values()]
    .filter(({ table }) => !dropTables.includes(table))
    .filter(({ instructions }) => instructions.every((each) => each.kind === 'apply_actions' && each.actions.length === 0))
    .map((flow) => problem('bare_drop', flow, `table ${flow.table} drops without a reason`));
}

/** Actions that send to the controller without a meter. */
export function findUnmeteredPunts(tables: Tables): Problem[] {
  const CONTROLLER = 0xffff_fffd;
  return [...allActions(tables)].flatMap(({ action, flow, where }) => {
    const unmetered =
      (action.kind === 'controller' && action.meter_id === undefined) || (action.kind === 'output' && action.port === CONTROLLER);
    return unmetered ? [problem('unmetered_punt', flow, `${where} punts without a meter`)] : [];
  });
}

/** Tables that are gone to and have no flows, and goto_table that does not go forward, which the switch refuses. */
export function findDanglingTables(tables: Tables): Problem[] {
  const known = new Set([...tables.flows.values()].map(({ table }) => table));
  const found: Problem[] = [];
  for (const flow of tables.flows.values()) {
    for (const instruction of flow.instructions) {
      if (instruction.kind !== 'goto_table') continue;
      if (instruction.table <= flow.table)
        found.push(problem('backward_goto', flow, `goto_table ${instruction.table} from table ${flow.table}`));
      if (!known.has(instruction.table)) found.push(problem('dangling_table', flow, `goto_table ${instruction.table}, which is empty`));
    }
  }
  for (const { action, flow, where } of allActions(tables)) {
    const table = action.kind === 'resubmit' || action.kind === 'ct' ? action.table : undefined;
    if (table !== undefined && !known.has(table))
      found.push(problem('dangling_table', flow, `${where}: ${action.kind} to table ${table}, which is empty`));
  }
  return found;
}

/** Groups and meters that are used and not defined. */
export function findMissingReferences(tables: Tables): Problem[] {
  const found: Problem[] = [];
  const meter = (id: number | undefined, flow: Flow | undefined, where: string) => {
    if (id !== undefined && !tables.meters.has(id)) found.push(problem('missing_meter', flow, `${where} uses meter ${id}`));
  };
  for (const { action, flow, where } of allActions(tables)) {
    if (action.kind === 'group' && !tables.groups.has(action.group_id))
      found.push(problem('missing_group', flow, `${where} uses group ${action.group_id}`));
    if (action.kind === 'controller') meter(action.meter_id, flow, where);
  }
  for (const flow of tables.flows.values()) {
    for (const instruction of flow.instructions) if (instruction.kind === 'meter') meter(instruction.meter_id, flow, `table ${flow.table}`);
  }
  return found;
}

/** Matches and actions on fields that the match does not say the packet has; the switch refuses them. */
export function findMissingPrerequisites(tables: Tables): Problem[] {
  return [...tables.flows.values()].flatMap((flow) => {
    const words = new Int32Array(WORDS);
    for (const oxm of flow.match) {
      const bits = oxm.field === 'unknown' ? undefined : fieldBits(oxm.field, oxm.value, oxm.mask);
      if (bits !== undefined) applyBits(words, bits);
    }
    const missing = flow.match.flatMap((oxm) =>
      oxm.field !== 'unknown' && !meets(words, FIELDS[oxm.field].prereq) ? [`match on ${oxm.field}`] : [],
    );
    const actions = flow.instructions.flatMap((each) =>
      each.kind === 'apply_actions' || each.kind === 'write_actions' ? each.actions : [],
    );
    return [...missing, ...missingForActions(words, actions)].map((what) =>
      problem('missing_prerequisite', flow, `table ${flow.table}: ${what}`),
    );
  });
}

const VLAN_WORD = slot('vlan_tci').last;

function missingForActions(words: Int32Array, actions: readonly Action[]): string[] {
  return actions.flatMap((action) => {
    switch (action.kind) {
      case 'set_field':
        return meets(words, FIELDS[action.field].prereq) ? [] : [`set_field ${action.field}`];
      case 'move':
        return [action.src, action.dst].flatMap(({ field }) => (meets(words, FIELDS[field].prereq) ? [] : [`move of ${field}`]));
      case 'ct':
      case 'dec_ttl':
      case 'set_nw_ttl':
        return isIp(words) ? [] : [action.kind];
      case 'push_vlan':
        words[VLAN_WORD] = words[VLAN_WORD]! | VLAN_PRESENT;
        return [];
      case 'clone':
        return missingForActions(words.slice(), action.actions);
      default:
        return [];
    }
  });
}

interface Conjunction {
  readonly clauses: Map<number, Flow>;
  readonly sizes: Set<number>;
  own: Flow | undefined;
}

/** Conjunctions with dimensions missing or disagreeing in number, without the flow of their id, or with that flow at another priority. */
export function findBrokenConjunctions(tables: Tables): Problem[] {
  const conjunctions = new Map<string, Conjunction>();
  const at = (flow: Flow, id: number): Conjunction => {
    const key = `${flow.table}/${flow.priority}/${id}`;
    const found = conjunctions.get(key) ?? { clauses: new Map(), sizes: new Set(), own: undefined };
    conjunctions.set(key, found);
    return found;
  };
  for (const flow of tables.flows.values()) {
    const own = flow.match.find((oxm) => oxm.field === 'conj_id');
    if (own !== undefined && 'value' in own) at(flow, Number(own.value)).own = flow;
    for (const instruction of flow.instructions) {
      if (instruction.kind !== 'apply_actions') continue;
      for (const action of instruction.actions) {
        if (action.kind !== 'conjunction') continue;
        const conjunction = at(flow, action.id);
        conjunction.clauses.set(action.clause, flow);
        conjunction.sizes.add(action.n_clauses);
      }
    }
  }
  return [...conjunctions].flatMap(([key, { clauses, sizes, own }]) => {
    const name = `conjunction ${key.split('/')[2]!}`;
    const flow = own ?? [...clauses.values()][0];
    const size = Math.max(0, ...sizes);
    if (own === undefined) return [problem('broken_conjunction', flow, `${name} has no flow of its own at that priority`)];
    if (sizes.size > 1) return [problem('broken_conjunction', flow, `${name} is said to have ${[...sizes].join(' and ')} dimensions`)];
    return clauses.size === size && size > 1
      ? []
      : [problem('broken_conjunction', flow, `${name} has ${clauses.size} of ${size} dimensions`)];
  });
}

/**
 * Flows that write to the action set in tables that also send packets through conntrack to another table: Open vSwitch 3.1 aborts when such a packet
 * carries an action set. Which packets do is not worked out: tables should keep to one of the two.
 */
export function findActionSetsAcrossCt(tables: Tables): Problem[] {
  const recirculates = [...allActions(tables)].some(({ action }) => action.kind === 'ct' && action.table !== undefined);
  if (!recirculates) return [];
  return [...tables.flows.values()]
    .filter(({ instructions }) => instructions.some((each) => each.kind === 'write_actions' && each.actions.length > 0))
    .map((flow) => problem('action_set_across_ct', flow, `table ${flow.table} writes to the action set while others use ct(table=)`));
}
