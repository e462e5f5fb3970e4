/**
 * Actions and instructions made ready to run: fields resolved to places, values to words.
 *
 * Owns: the translation of flows/openflow actions into operations, in the order Open vSwitch runs the instructions of a flow.
 * Promises: every operation keeps the action it came from; what the interpreter does not model becomes `unmodelled` with the reason, never silence.
 */
import { SYMMETRIC_L3L4, SYMMETRIC_L3L4_UDP } from './flow-hash.js';
import { FIELDS, type FieldName } from '../openflow/fields.js';
import type { Prereq } from '../openflow/field-table.js';
import type { Action, CtAction, Instruction, NatAction } from '../openflow/action.js';
import type { Subfield } from '../openflow/match.js';
import { rangeOf, slot, toBigInt, wordBits, type BitRange, type WordBits } from './layout.js';
import { fieldBits } from './microflow.js';

export type Source = Action | Instruction;

interface Base {
  readonly source: Source;
}

/** What a `ct` commit writes: bits of the connection's mark and label. */
export interface CtWrites {
  readonly mark: number;
  readonly label: bigint;
}

export type Operation =
  | (Base & { readonly kind: 'write'; readonly field: FieldName; readonly prereq: Prereq; readonly bits: readonly WordBits[] })
  | (Base & { readonly kind: 'move'; readonly src: BitRange; readonly dst: BitRange; readonly from: FieldName; readonly to: FieldName })
  | (Base & { readonly kind: 'goto'; readonly table: number })
  | (Base & { readonly kind: 'resubmit'; readonly table: number | undefined; readonly in_port: number | undefined; readonly ct: boolean })
  | (Base & { readonly kind: 'output'; readonly port: number; readonly max_len: number | undefined })
  | (Base & { readonly kind: 'output_reg'; readonly src: BitRange; readonly max_len: number })
  | (Base & { readonly kind: 'group'; readonly group_id: number })
  | (Base & { readonly kind: 'controller'; readonly action: Extract<Action, { kind: 'controller' }> })
  | (Base & { readonly kind: 'dec_ttl'; readonly controllers: readonly number[] })
  | (Base & {
      readonly kind: 'ct';
      readonly action: CtAction;
      readonly zone: number | BitRange;
      readonly exec: readonly Operation[];
      readonly nat: NatAction | undefined;
      readonly masks: CtWrites;
    })
  | (Base & { readonly kind: 'clone'; readonly body: readonly Operation[] })
  | (Base & { readonly kind: 'write_actions'; readonly actions: readonly Operation[] })
  | (Base & {
      readonly kind: 'multipath';
      readonly withUdp: boolean;
      readonly basis: number;
      readonly links: number;
      readonly dst: BitRange;
      readonly field: FieldName;
    })
  | (Base & { readonly kind: 'check_pkt_larger'; readonly length: number; readonly dst: BitRange })
  | (Base & { readonly kind: 'stack_push' | 'stack_pop'; readonly range: BitRange; readonly field: FieldName })
  | (Base & { readonly kind: 'push_vlan'; readonly ethertype: number })
  | (Base & { readonly kind: 'meter'; readonly meter_id: number })
  | (Base & { readonly kind: 'pop_vlan' | 'ct_clear' | 'exit' | 'clear_actions' | 'nothing' })
  | (Base & { readonly kind: 'unmodelled'; readonly why: string });

/** Instructions run in this order whatever order they are given in (OpenFlow 1.3.5 §5.9). */
const INSTRUCTION_ORDER: readonly Instruction['kind'][] = [
  'meter',
  'apply_actions',
  'clear_actions',
  'write_actions',
  'write_metadata',
  'goto_table',
  'experimenter',
  'unknown',
];

export function compileInstructions(instructions: readonly Instruction[]): Operation[] {
  const ordered = [...instructions].sort((a, b) => INSTRUCTION_ORDER.indexOf(a.kind) - INSTRUCTION_ORDER.indexOf(b.kind));
  return ordered.flatMap((instruction): Operation[] => {
    const source = instruction;
    switch (instruction.kind) {
      case 'apply_actions':
        return instruction.actions.map(compileAction);
      case 'write_actions':
        return instruction.actions.length === 0 ? [] : [{ kind: 'write_actions', source, actions: instruction.actions.map(compileAction) }];
      case 'clear_actions':
        return [{ kind: 'clear_actions', source }];
      case 'write_metadata': {
        const bits = wordBits(slot('metadata'), instruction.metadata, instruction.mask);
        return [{ kind: 'write', source, field: 'metadata', prereq: 'none', bits }];
      }
      case 'goto_table':
        return [{ kind: 'goto', source, table: instruction.table }];
      case 'meter':
        return [{ kind: 'meter', source, meter_id: instruction.meter_id }];
      case 'experimenter':
      case 'unknown':
        return [{ kind: 'unmodelled', source, why: `instruction ${instruction.kind}` }];
    }
  });
}

export function compileAction(action: Action): Operation {
  const source = action;
  const unmodelled = (why: string): Operation => ({ kind: 'unmodelled', source, why });
  switch (action.kind) {
    case 'output':
      return { kind: 'output', source, port: action.port, max_len: action.max_len };
    case 'output_trunc':
      return { kind: 'output', source, port: action.port, max_len: action.max_len };
    case 'output_reg':
      return withRange(action.src, unmodelled, (src) => ({ kind: 'output_reg', source, src, max_len: action.max_len }));
    case 'group':
      return { kind: 'group', source, group_id: action.group_id };
    case 'controller':
      return { kind: 'controller', source, action };
    case 'set_field': {
      const bits = fieldBits(action.field, action.value, action.mask);
      if (bits === undefined) return unmodelled(`field ${action.field}`);
      return { kind: 'write', source, field: action.field, prereq: FIELDS[action.field].prereq, bits };
    }
    case 'set_tunnel':
      return { kind: 'write', source, field: 'tun_id', prereq: 'none', bits: wordBits(slot('tun_id'), action.tun_id) };
    case 'set_nw_ttl':
      return { kind: 'write', source, field: 'nw_ttl', prereq: 'ip', bits: wordBits(slot('nw_ttl'), action.ttl) };
    case 'delete_field':
      return withRange({ field: action.field, offset: 0, bits: 128 }, unmodelled, (range) => ({
        kind: 'write',
        source,
        field: action.field,
        prereq: 'none',
        bits: wordBits(range, 0),
      }));
    case 'move':
      return withRange(action.src, unmodelled, (src) =>
        withRange(action.dst, unmodelled, (dst) => ({ kind: 'move', source, src, dst, from: action.src.field, to: action.dst.field })),
      );
    case 'dec_ttl':
      return { kind: 'dec_ttl', source, controllers: [0] };
    case 'dec_ttl_cnt_ids':
      return { kind: 'dec_ttl', source, controllers: action.ids };
    case 'resubmit':
      return { kind: 'resubmit', source, table: action.table, in_port: action.in_port, ct: action.ct === true };
    case 'ct':
      return compileCt(action, unmodelled);
    case 'clone':
      return { kind: 'clone', source, body: action.actions.map(compileAction) };
    case 'check_pkt_larger':
      return withRange(action.dst, unmodelled, (dst) => ({ kind: 'check_pkt_larger', source, length: action.length, dst }));
    case 'multipath': {
      // Others are not used by this pipeline: modulo over the hash of both ends.
      const { fields, basis, algorithm, max_link, dst } = action;
      if (algorithm !== 0 || (fields !== SYMMETRIC_L3L4 && fields !== SYMMETRIC_L3L4_UDP)) return unmodelled('multipath of that kind');
      const withUdp = fields === SYMMETRIC_L3L4_UDP;
      return withRange(dst, unmodelled, (range) => ({
        kind: 'multipath',
        source,
        withUdp,
        basis,
        links: max_link + 1,
        dst: range,
        field: dst.field,
      }));
    }
    case 'stack_push':
    case 'stack_pop':
      return withRange(action.subfield, unmodelled, (range) => ({ kind: action.kind, source, range, field: action.subfield.field }));
    case 'push_vlan':
      return { kind: 'push_vlan', source, ethertype: action.ethertype };
    case 'pop_vlan':
    case 'ct_clear':
    case 'exit':
      return { kind: action.kind, source };
    // Copies, samples and hints to the switch: the packet goes on as if they were not there.
    case 'note':
    case 'set_queue':
    case 'pop_queue':
    case 'sample':
    case 'fin_timeout':
    case 'conjunction':
    case 'nat':
    // What is learnt is for packets after this one.
    case 'learn':
      return { kind: 'nothing', source };
    case 'push_mpls':
    case 'pop_mpls':
    case 'push_pbb':
    case 'pop_pbb':
    case 'set_mpls_ttl':
    case 'dec_mpls_ttl':
    case 'copy_ttl_in':
    case 'copy_ttl_out':
    case 'dec_nsh_ttl':
    case 'encap':
    case 'decap':
    case 'bundle':
    case 'experimenter':
    case 'unknown':
    case 'set_field_unknown':
      return unmodelled(`action ${action.kind}`);
  }
}

function withRange(subfield: Subfield, unmodelled: (why: string) => Operation, make: (range: BitRange) => Operation): Operation {
  const range = rangeOf(subfield);
  return range === undefined ? unmodelled(`field ${subfield.field}`) : make(range);
}

function compileCt(action: CtAction, unmodelled: (why: string) => Operation): Operation {
  const actions = action.exec ?? [];
  const zone = typeof action.zone === 'number' ? action.zone : rangeOf(action.zone);
  if (zone === undefined) return unmodelled('zone of ct');
  return {
    kind: 'ct',
    source: action,
    action,
    zone,
    exec: actions.filter(({ kind }) => kind !== 'nat').map(compileAction),
    nat: actions.findLast((each): each is NatAction => each.kind === 'nat'),
    masks: writesOf(actions),
  };
}

/** The bits of ct_mark and ct_label that actions write. */
function writesOf(actions: readonly Action[]): CtWrites {
  let mark = 0n;
  let label = 0n;
  for (const action of actions) {
    if (action.kind !== 'set_field' && action.kind !== 'move') continue;
    const { field, offset, bits } =
      action.kind === 'move' ? action.dst : { field: action.field, offset: 0, bits: FIELDS[action.field].bits };
    const all = ((1n << BigInt(bits)) - 1n) << BigInt(offset);
    const mask = action.kind === 'set_field' && action.mask !== undefined ? toBigInt(action.mask) : all;
    if (field === 'ct_mark') mark |= mask;
    if (field === 'ct_label') label |= mask;
  }
  return { mark: Number(mark), label };
}

const SET_ORDER: readonly Action['kind'][] = ['pop_vlan', 'pop_mpls', 'push_mpls', 'push_vlan', 'dec_ttl', 'dec_mpls_ttl', 'dec_nsh_ttl'];
const FINAL_ORDER: readonly Action['kind'][] = ['ct', 'ct_clear', 'resubmit', 'output', 'group'];

/**
 * The list that running an action set, or a group's bucket, comes to.
 *
 * As Open vSwitch does: one action of each kind that occurs once, then all writes and moves in the order given, then one final action; nothing at
 * all without a final action (OpenFlow 1.3.5 §5.10, ofpacts_execute_action_set).
 */
export function actionSetOrder(set: readonly Operation[]): Operation[] {
  const kindOf = (operation: Operation) =>
    (operation.source.kind === 'dec_ttl_cnt_ids' ? 'dec_ttl' : operation.source.kind) as Action['kind'];
  let final: Operation | undefined;
  let rank = -1;
  for (const operation of set) {
    const its = FINAL_ORDER.indexOf(kindOf(operation));
    if (its >= 0 && its >= rank) {
      final = operation;
      rank = its;
    }
  }
  if (final === undefined) return [];
  const once = SET_ORDER.flatMap((kind) => set.findLast((operation) => kindOf(operation) === kind) ?? []);
  const rest = set.filter((operation) => {
    const kind = kindOf(operation);
    return !SET_ORDER.includes(kind) && !FINAL_ORDER.includes(kind);
  });
  return [...once, ...rest, final];
}
