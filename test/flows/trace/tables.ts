/**
 * Short words for flow tables in tests.
 */
import type { Tables } from '../../../flows/compile/contract.js';
import type { Action, Instruction } from '../../../flows/openflow/action.js';
import type { FieldName } from '../../../flows/openflow/fields.js';
import type { Flow, Group } from '../../../flows/openflow/flow.js';
import type { FieldValue, Match } from '../../../flows/openflow/match.js';
import type { FieldRecord } from '../../../flows/trace/microflow.js';
import type { Trace } from '../../../flows/trace/result.js';

/** Exact values, or `[value, mask]`. */
export type MatchRecord = Partial<Record<FieldName, FieldValue | readonly [FieldValue, FieldValue]>>;

export function match(record: MatchRecord): Match {
  return Object.entries(record).map(([field, value]) =>
    Array.isArray(value)
      ? { field: field as FieldName, value: value[0] as FieldValue, mask: value[1] as FieldValue }
      : { field: field as FieldName, value: value as FieldValue },
  );
}

/** A flow whose actions are applied; strings `→N` stand for goto_table. */
export function flow(table: number, priority: number, matches: MatchRecord, ...does: readonly (Action | Instruction | number)[]): Flow {
  const actions = does.filter((each): each is Action => typeof each !== 'number' && !isInstruction(each));
  const instructions = does.filter((each): each is Instruction => typeof each !== 'number' && isInstruction(each));
  const goto = does.filter((each) => typeof each === 'number').map((id): Instruction => ({ kind: 'goto_table', table: id }));
  const apply: Instruction[] = actions.length > 0 ? [{ kind: 'apply_actions', actions }] : [];
  return { table, priority, match: match(matches), instructions: [...apply, ...instructions, ...goto], cookie: 0n };
}

const INSTRUCTIONS = new Set(['goto_table', 'write_metadata', 'write_actions', 'apply_actions', 'clear_actions', 'meter']);

function isInstruction(each: Action | Instruction): each is Instruction {
  return INSTRUCTIONS.has(each.kind);
}

/** Keys are positions: the tests do not depend on how keys look. */
export function tables(flows: readonly Flow[], groups: readonly Group[] = []): Tables {
  return {
    flows: new Map(flows.map((each, at) => [String(at).padStart(4, '0'), each])),
    groups: new Map(groups.map((group) => [group.group_id, group])),
    meters: new Map(),
  };
}

export const out = (port: number): Action => ({ kind: 'output', port });
export const set = (field: FieldName, value: FieldValue, mask?: FieldValue): Action => ({ kind: 'set_field', field, value, mask });
export const resubmit = (table: number): Action => ({ kind: 'resubmit', table });

export const IN_PORT = 0xffff_fff8;

/** A TCP SYN from port 1. */
export const SYN: FieldRecord = {
  in_port: 1,
  eth_src: 0x0a0000000001,
  eth_dst: 0x0a0000000002,
  eth_type: 0x0800,
  nw_proto: 6,
  ip_src: 0x0a000001,
  ip_dst: 0x0a000002,
  nw_ttl: 64,
  tcp_src: 40000,
  tcp_dst: 80,
  tcp_flags: 0x002,
};

/** `table` or `table:miss`, in order. */
export function walk(trace: Trace): string[] {
  return trace.steps.flatMap((step) => (step.kind === 'table' ? [`${step.table}${step.hit ? '' : ':miss'}`] : []));
}

/** Ports the packet left by. */
export function ports(trace: Trace): number[] {
  return trace.outputs.map((output) => output.port);
}
