/**
 * Actions and instructions as text, as ovs-ofctl dump-flows prints them (ofpacts_format of Open vSwitch 3.1).
 *
 * Promises: actions that ovs-ofctl has no words for are written as `experimenter(0x…,hex)`, `unknown(type,hex)` and `set_field_unknown(hex)`;
 * the parser of text-action-parse.ts reads all of it back.
 */
import type { Action, ControllerAction, CtAction, Instruction, SetFieldAction } from './action.js';
import { CONTROLLER_NO_BUFFER, PACKET_IN_REASONS, PORTS } from './constants.js';
import { FIELDS } from './fields.js';
import { learnText } from './text-learn.js';
import { natText } from './text-nat.js';
import { dotted, fieldLabel, fieldText, hex, hex0x, hexBytes, portText, subfieldText } from './text-value.js';

export const HASH_FIELDS = ['eth_src', 'symmetric_l4', 'symmetric_l3l4', 'symmetric_l3l4+udp', 'nw_src', 'nw_dst', 'symmetric_l3'];
export const MULTIPATH_ALGORITHMS = ['modulo_n', 'hash_threshold', 'hrw', 'iter_hash'];
export const BUNDLE_ALGORITHMS = ['active_backup', 'hrw'];
export const ALGS: Readonly<Record<string, number>> = { ftp: 21, tftp: 69 };
/** OFPTYPE_ namespace and type of "whatever the next protocol says" (lib/ofp-actions.c). */
const USE_NEXT_PROTOCOL = 0xfffe;
export const ENCAPSULATIONS: Readonly<Record<string, number>> = { ethernet: 0, nsh: 0x1894f, mpls: 0x18847, mpls_mc: 0x18848 };

/** `drop` for no actions. */
export function actionsToString(actions: readonly Action[]): string {
  return actions.length === 0 ? 'drop' : actions.map(actionToString).join();
}

/** Instructions as one list, in the order in which Open vSwitch keeps them; `drop` for none. */
export function instructionsToString(instructions: readonly Instruction[]): string {
  const rank = ['meter', 'apply_actions', 'clear_actions', 'write_actions', 'write_metadata', 'experimenter', 'unknown', 'goto_table'];
  const sorted = [...instructions].sort((a, b) => rank.indexOf(a.kind) - rank.indexOf(b.kind));
  const parts = sorted.flatMap((instruction) => {
    if (instruction.kind === 'apply_actions') return instruction.actions.map(actionToString);
    return [instructionText(instruction)];
  });
  return parts.length === 0 ? 'drop' : parts.join();
}

function instructionText(instruction: Instruction): string {
  switch (instruction.kind) {
    case 'apply_actions':
      return actionsToString(instruction.actions);
    case 'goto_table':
      return `goto_table:${instruction.table}`;
    case 'write_metadata': {
      const mask = instruction.mask === 0xffff_ffff_ffff_ffffn ? '' : `/${hex(instruction.mask)}`;
      return `write_metadata:${hex(instruction.metadata)}${mask}`;
    }
    case 'write_actions':
      return `write_actions(${actionsToString(instruction.actions)})`;
    case 'clear_actions':
      return 'clear_actions';
    case 'meter':
      return `meter:${instruction.meter_id}`;
    case 'experimenter':
      return `instruction_experimenter(${hex0x(instruction.experimenter)},${hexBytes(instruction.data)})`;
    case 'unknown':
      return `instruction_unknown(${instruction.type},${hexBytes(instruction.data)})`;
  }
}

/** `%#x` of a 16-bit number; of push_mpls and pop_mpls always four digits. */
function ethertype(value: number, pad: number): string {
  return pad === 0 ? hex(value) : `0x${value.toString(16).padStart(pad, '0')}`;
}

export function actionToString(action: Action): string {
  switch (action.kind) {
    case 'output':
      if (action.port === PORTS.CONTROLLER) return `CONTROLLER:${action.max_len ?? CONTROLLER_NO_BUFFER}`;
      return action.port < 0xff00 ? `output:${portText(action.port)}` : portText(action.port);
    case 'group':
      return `group:${action.group_id}`;
    case 'set_queue':
      return `set_queue:${action.queue_id}`;
    case 'push_vlan':
    case 'push_pbb':
      return `${action.kind}:${ethertype(action.ethertype, 0)}`;
    case 'push_mpls':
    case 'pop_mpls':
      return `${action.kind}:${ethertype(action.ethertype, 4)}`;
    case 'set_nw_ttl':
      return `mod_nw_ttl:${action.ttl}`;
    case 'set_mpls_ttl':
      return `set_mpls_ttl(${action.ttl})`;
    case 'set_tunnel':
      return `set_tunnel${action.wide || action.tun_id > 0xffff_ffffn ? '64' : ''}:${hex(action.tun_id)}`;
    case 'set_field':
      return setFieldText(action);
    case 'set_field_unknown': {
      const experimenter = action.oxm.experimenter === undefined ? '' : `.${hex0x(action.oxm.experimenter)}`;
      return `set_field_unknown(${hex0x(action.oxm.header)}${experimenter}:${hexBytes(action.oxm.bytes)})`;
    }
    case 'move':
      return `move:${subfieldText(action.src)}->${subfieldText(action.dst)}`;
    case 'resubmit':
      return resubmitText(action);
    case 'ct':
      return ctText(action);
    case 'nat':
      return natText(action);
    case 'conjunction':
      return `conjunction(${action.id},${action.clause + 1}/${action.n_clauses})`;
    case 'clone':
      return `clone(${actionsToString(action.actions)})`;
    case 'note':
      return `note:${dotted(action.data)}`;
    case 'controller':
      return controllerText(action);
    case 'dec_ttl_cnt_ids':
      return `dec_ttl(${action.ids.join()})`;
    case 'check_pkt_larger':
      return `check_pkt_larger(${action.length})->${subfieldText(action.dst)}`;
    case 'delete_field':
      return `delete_field:${fieldLabel(action.field)}`;
    case 'stack_push':
      return `push:${subfieldText(action.subfield)}`;
    case 'stack_pop':
      return `pop:${subfieldText(action.subfield)}`;
    case 'output_reg':
      // ovs-ofctl has no words for max_len; only the packet to a controller is cut.
      return `output:${subfieldText(action.src)}`;
    case 'output_trunc':
      return `output(port=${portText(action.port)},max_len=${action.max_len})`;
    case 'learn':
      return learnText(action);
    case 'multipath': {
      const algorithm = MULTIPATH_ALGORITHMS[action.algorithm] ?? '<unknown>';
      const fields = HASH_FIELDS[action.fields] ?? '<unknown>';
      return `multipath(${fields},${action.basis},${algorithm},${action.max_link + 1},${action.arg},${subfieldText(action.dst)})`;
    }
    case 'bundle': {
      const algorithm = BUNDLE_ALGORITHMS[action.algorithm] ?? '<unknown>';
      const dst = action.dst === undefined ? '' : `${subfieldText(action.dst)},`;
      const name = action.dst === undefined ? 'bundle' : 'bundle_load';
      const fields = HASH_FIELDS[action.fields] ?? '<unknown>';
      return `${name}(${fields},${action.basis},${algorithm},ofport,${dst}members:${action.ports.map(portText).join()})`;
    }
    case 'sample':
      return sampleText(action);
    case 'fin_timeout': {
      const idle = action.fin_idle_timeout === 0 ? [] : [`idle_timeout=${action.fin_idle_timeout}`];
      const hard = action.fin_hard_timeout === 0 ? [] : [`hard_timeout=${action.fin_hard_timeout}`];
      return `fin_timeout(${[...idle, ...hard].join()})`;
    }
    case 'encap':
      return encapText(action);
    case 'decap':
      if (action.packet_type === USE_NEXT_PROTOCOL) return 'decap()';
      return `decap(packet_type(ns=${action.packet_type >>> 16},type=${hex(action.packet_type & 0xffff)}))`;
    case 'experimenter':
      return `experimenter(${hex0x(action.experimenter)},${hexBytes(action.data)})`;
    case 'unknown':
      return `unknown(${action.type},${hexBytes(action.data)})`;
    case 'pop_vlan':
    case 'pop_pbb':
    case 'dec_ttl':
    case 'dec_mpls_ttl':
    case 'copy_ttl_in':
    case 'copy_ttl_out':
    case 'ct_clear':
    case 'exit':
    case 'pop_queue':
    case 'dec_nsh_ttl':
      return action.kind;
  }
}

/** `load:` for NXAST_REG_LOAD, one per run of bits in the mask; `set_field:` for the rest. */
function setFieldText(action: SetFieldAction): string {
  const field = FIELDS[action.field];
  const isLoad = action.form === 'reg_load' || (action.form === undefined && action.mask !== undefined && isLoadable(action));
  if (!isLoad || field.type === 'bytes') return `set_field:${fieldText(field, action.value, action.mask)}->${fieldLabel(action.field)}`;
  const value = BigInt(action.value as number | bigint);
  const mask = action.mask === undefined ? (1n << BigInt(field.bits)) - 1n : BigInt(action.mask as number | bigint);
  const loads: string[] = [];
  for (let offset = 0; offset < field.bits;) {
    if (((mask >> BigInt(offset)) & 1n) === 0n) {
      offset += 1;
      continue;
    }
    let bits = 1;
    while (bits < 64 && offset + bits < field.bits && ((mask >> BigInt(offset + bits)) & 1n) === 1n) bits += 1;
    const part = (value >> BigInt(offset)) & ((1n << BigInt(bits)) - 1n);
    loads.push(`load:${hex(part)}->${subfieldText({ field: action.field, offset, bits })}`);
    offset += bits;
  }
  return loads.join();
}

/** Whether a masked set_field goes as NXAST_REG_LOAD: see encodeLoad. */
function isLoadable(action: SetFieldAction): boolean {
  const field = FIELDS[action.field];
  if (field.nxm.experimenter !== 0 || field.variable || typeof action.value === 'object' || typeof action.mask === 'object') return false;
  const mask = BigInt(action.mask ?? 0);
  if (mask === 0n || mask >> BigInt(field.bits) !== 0n || (BigInt(action.value) & ~mask) !== 0n) return false;
  const low = mask & -mask;
  const run = mask / low;
  return (run & (run + 1n)) === 0n && run <= 0xffff_ffff_ffff_ffffn;
}

function resubmitText(action: Extract<Action, { kind: 'resubmit' }>): string {
  const table = action.table === undefined || action.table === 0xff ? '' : String(action.table);
  if (action.in_port !== undefined && table === '') return `resubmit:${portText(action.in_port)}`;
  return `resubmit(${action.in_port === undefined ? '' : portText(action.in_port)},${table}${action.ct === true ? ',ct' : ''})`;
}

function algText(port: number): string {
  return Object.keys(ALGS).find((name) => ALGS[name] === port) ?? String(port);
}

function ctText(action: CtAction): string {
  const parts: string[] = [];
  if (action.commit === true) parts.push('commit');
  if (action.force === true) parts.push('force');
  if (action.table !== undefined) parts.push(`table=${action.table}`);
  if (typeof action.zone !== 'number') parts.push(`zone=${subfieldText(action.zone)}`);
  else if (action.zone !== 0) parts.push(`zone=${action.zone}`);
  let exec = action.exec ?? [];
  const [first] = exec;
  if (first?.kind === 'nat') {
    parts.push(natText(first));
    exec = exec.slice(1);
  }
  if (exec.length > 0) parts.push(`exec(${actionsToString(exec)})`);
  if (action.alg !== undefined && action.alg !== 0) parts.push(`alg=${algText(action.alg)}`);
  return `ct(${parts.join()})`;
}

function controllerText(action: ControllerAction): string {
  const { max_len = CONTROLLER_NO_BUFFER, controller_id = 0, userdata, meter_id } = action;
  const reason =
    typeof action.reason === 'number' ? (PACKET_IN_REASONS[action.reason] ?? String(action.reason)) : (action.reason ?? 'action');
  const parts: string[] = [];
  if (reason !== 'action') parts.push(`reason=${reason}`);
  if (max_len !== CONTROLLER_NO_BUFFER) parts.push(`max_len=${max_len}`);
  if (controller_id !== 0) parts.push(`id=${controller_id}`);
  if (userdata !== undefined && userdata.length > 0) parts.push(`userdata=${dotted(userdata)}`);
  if (action.pause === true) parts.push('pause');
  if (meter_id !== undefined && meter_id !== 0) parts.push(`meter_id=${meter_id}`);
  const isPlain = parts.length === 0 || (parts.length === 1 && max_len !== CONTROLLER_NO_BUFFER);
  return isPlain ? `CONTROLLER:${max_len}` : `controller(${parts.join()})`;
}

function sampleText(action: Extract<Action, { kind: 'sample' }>): string {
  const parts = [
    `probability=${action.probability}`,
    `collector_set_id=${action.collector_set_id}`,
    `obs_domain_id=${action.obs_domain_id}`,
    `obs_point_id=${action.obs_point_id}`,
  ];
  if (action.sampling_port !== undefined && action.sampling_port !== PORTS.ANY)
    parts.push(`sampling_port=${portText(action.sampling_port)}`);
  if (action.direction !== undefined) parts.push(action.direction);
  return `sample(${parts.join()})`;
}

/** One property of an encap action: class u16, type u8, length u8, data. */
function encapPropertyText(data: Uint8Array): string {
  const propertyClass = (data[0]! << 8) | data[1]!;
  const length = data[3]!;
  // NSH: MD type (1) and metadata TLVs (2).
  if (propertyClass === 4 && data[2] === 1) return `md_type=${data[4]}`;
  if (propertyClass === 4 && data[2] === 2) {
    const tlvClass = (data[4]! << 8) | data[5]!;
    const body = data.subarray(8, 8 + data[7]!);
    return `tlv(0x${tlvClass.toString(16).padStart(4, '0')},${data[6]},${hex(body.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n))})`;
  }
  return `property(${hexBytes(data.subarray(0, length))})`;
}

function encapText(action: Extract<Action, { kind: 'encap' }>): string {
  const name = Object.keys(ENCAPSULATIONS).find((key) => ENCAPSULATIONS[key] === action.packet_type) ?? hex0x(action.packet_type);
  const properties: string[] = [];
  for (let o = 0; o + 4 <= action.properties.length;) {
    const length = action.properties[o + 3]!;
    if (length < 4 || o + length > action.properties.length) break;
    properties.push(encapPropertyText(action.properties.subarray(o, o + length)));
    o += (length + 7) & ~7;
  }
  return `encap(${name}${properties.length === 0 ? '' : `(${properties.join()})`})`;
}
