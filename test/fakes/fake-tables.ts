/**
 * The tables of a fake switch: flows, groups and meters, changed by modification messages.
 *
 * Owns: their content, and the journal that takes a failed bundle back.
 * Promises: a modification is applied in full or answered with the error Open vSwitch would give for it.
 */
import type { OfError } from '../../flows/openflow/errors.js';
import type { Flow, Group, Meter } from '../../flows/openflow/flow.js';
import type { FlowModMessage, GroupModMessage, Message, MeterModMessage } from '../../flows/openflow/message.js';
import type { Match } from '../../flows/openflow/match.js';

const UNKNOWN_GROUP: OfError = { type: 6, code: 8 };
const GROUP_EXISTS: OfError = { type: 6, code: 0 };
const BAD_OUT_GROUP: OfError = { type: 2, code: 9 };
const UNKNOWN_METER: OfError = { type: 12, code: 3 };
const METER_EXISTS: OfError = { type: 12, code: 1 };
const ANY_GROUP = 0xfffffffc;
const ALL_TABLES = 0xff;

export class FakeTables {
  readonly flows = new Map<string, Flow>();
  readonly groups = new Map<number, Group>();
  readonly meters = new Map<number, Meter>();
  #undo: (() => void)[] | undefined;

  /** Applies one modification. Returns the error that refuses it, if one does. */
  apply(message: Message): OfError | undefined {
    switch (message.kind) {
      case 'flow_mod':
        return this.#flowMod(message);
      case 'group_mod':
        return this.#groupMod(message);
      case 'meter_mod':
        return this.#meterMod(message);
      default:
        return undefined;
    }
  }

  /** Applies all in order, or none: then returns which one failed and why. */
  applyAll(messages: readonly Message[]): { readonly index: number; readonly error: OfError } | undefined {
    this.#undo = [];
    try {
      for (const [index, message] of messages.entries()) {
        const error = this.apply(message);
        if (error === undefined) continue;
        for (const step of this.#undo.reverse()) step();
        return { index, error };
      }
      return undefined;
    } finally {
      this.#undo = undefined;
    }
  }

  /** Flows of a table (0xff: any) whose cookie matches under the mask. */
  select(table: number, cookie: bigint, mask: bigint): Flow[] {
    return [...this.flows.values()].filter(
      (flow) => (table === ALL_TABLES || flow.table === table) && (flow.cookie & mask) === (cookie & mask),
    );
  }

  #flowMod({ command, flow, cookie_mask = 0n }: FlowModMessage): OfError | undefined {
    switch (command) {
      case 'add':
        for (const group of groupsOf(flow)) if (!this.groups.has(group)) return BAD_OUT_GROUP;
        this.#set(this.flows, keyOf(flow), flow);
        return undefined;
      case 'delete_strict':
        this.#set(this.flows, keyOf(flow), undefined);
        return undefined;
      case 'delete':
        // Only what tests need: everything of a table and cookie, whatever the match.
        for (const found of this.select(flow.table, flow.cookie, cookie_mask)) this.#set(this.flows, keyOf(found), undefined);
        return undefined;
      case 'modify':
      case 'modify_strict': {
        const old = this.flows.get(keyOf(flow));
        if (old !== undefined) this.#set(this.flows, keyOf(flow), { ...old, instructions: flow.instructions });
        return undefined;
      }
    }
  }

  #groupMod({ command, group }: GroupModMessage): OfError | undefined {
    const exists = this.groups.has(group.group_id);
    if (command === 'add' && exists) return GROUP_EXISTS;
    if (command === 'modify' && !exists) return UNKNOWN_GROUP;
    if (command === 'delete' && group.group_id === ANY_GROUP) {
      for (const id of [...this.groups.keys()]) this.#set(this.groups, id, undefined);
      return undefined;
    }
    this.#set(this.groups, group.group_id, command === 'delete' ? undefined : group);
    return undefined;
  }

  #meterMod({ command, meter }: MeterModMessage): OfError | undefined {
    const exists = this.meters.has(meter.meter_id);
    if (command === 'add' && exists) return METER_EXISTS;
    if (command === 'modify' && !exists) return UNKNOWN_METER;
    this.#set(this.meters, meter.meter_id, command === 'delete' ? undefined : meter);
    return undefined;
  }

  #set<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
    const old = map.get(key);
    this.#undo?.push(() => (old === undefined ? map.delete(key) : map.set(key, old)));
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  }
}

/** A flow is identified by table, priority and match (OF1.3.5 §5.2). */
function keyOf({ table, priority, match }: { table: number; priority: number; match: Match }): string {
  const fields = match.map((oxm) =>
    oxm.field === 'unknown' ? `${oxm.header}=${oxm.bytes.join()}` : `${oxm.field}=${oxm.value}/${oxm.mask}`,
  );
  return `${table} ${priority} ${fields.sort().join(' ')}`;
}

function* groupsOf(flow: Flow): Generator<number> {
  for (const instruction of flow.instructions) {
    if (instruction.kind !== 'apply_actions' && instruction.kind !== 'write_actions') continue;
    for (const action of instruction.actions) if (action.kind === 'group') yield action.group_id;
  }
}
