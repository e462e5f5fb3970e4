/**
 * Actions and instructions from text, in the syntax of ovs-actions(7).
 *
 * Promises: the inverse of actionsToString and instructionsToString, up to what the text does not say.
 * @throws TextError, or AddressError for an address.
 */
import { parseIpv4 } from '../net/ip.js';
import { parseMac } from '../net/mac.js';
import type { Action, ControllerAction, CtAction, Instruction } from './action.js';
import { CONTROLLER_NO_BUFFER, PACKET_IN_REASONS, PORTS } from './constants.js';
import { FIELDS, type FieldName } from './fields.js';
import type { OpaqueOxm } from './match.js';
import { parseEncap } from './text-encap-parse.js';
import { ALGS, BUNDLE_ALGORITHMS, HASH_FIELDS, MULTIPATH_ALGORITHMS } from './text-action.js';
import { TextError } from './text-error.js';
import { parseLearn } from './text-learn-parse.js';
import { parseNat } from './text-nat.js';
import { keyValues, splitTop, tokenOf, type Token } from './text-tokens.js';
import { bytesFromHex, fieldByLabel, parseBig, parseFieldValue, parseNumber, parsePort, parseSubfield } from './text-value.js';

/** `drop` or nothing is no actions. */
export function parseActions(text: string): Action[] {
  const parts = splitTop(text.trim(), ', ');
  if (parts.length === 1 && parts[0] === 'drop') return [];
  return parts.map(parseAction);
}

const INSTRUCTIONS = new Set([
  'goto_table',
  'write_metadata',
  'write_actions',
  'clear_actions',
  'meter',
  'instruction_experimenter',
  'instruction_unknown',
]);

/** A flow's `actions=`: actions become one apply_actions. */
export function parseInstructions(text: string): Instruction[] {
  const instructions: Instruction[] = [];
  const actions: Action[] = [];
  let at = 0;
  for (const part of splitTop(text.trim(), ', ')) {
    const token = tokenOf(part);
    if (part === 'drop') continue;
    if (INSTRUCTIONS.has(token.name)) {
      instructions.push(parseInstruction(token));
      if (token.name === 'meter') at = instructions.length;
    } else {
      actions.push(parseAction(part));
    }
  }
  if (actions.length > 0) instructions.splice(at, 0, { kind: 'apply_actions', actions });
  return instructions;
}

function need(token: Token): string {
  if (token.argument === undefined) throw new TextError(token.name, 'an argument expected');
  return token.argument;
}

function parseInstruction(token: Token): Instruction {
  if (token.name === 'clear_actions') return { kind: 'clear_actions' };
  const argument = need(token);
  switch (token.name) {
    case 'goto_table':
      return { kind: 'goto_table', table: parseNumber(argument, 8) };
    case 'write_metadata': {
      const [metadata, mask] = argument.split('/', 2);
      return {
        kind: 'write_metadata',
        metadata: parseBig(metadata!, 64),
        mask: mask === undefined ? 0xffff_ffff_ffff_ffffn : parseBig(mask, 64),
      };
    }
    case 'write_actions':
      return { kind: 'write_actions', actions: parseActions(argument) };
    case 'meter':
      return { kind: 'meter', meter_id: parseNumber(argument, 32) };
    case 'instruction_experimenter': {
      const [experimenter, data] = pair(argument);
      return { kind: 'experimenter', experimenter: parseNumber(experimenter, 32), data: bytesFromHex(data) };
    }
    default: {
      const [type, data] = pair(argument);
      return { kind: 'unknown', type: parseNumber(type, 16), data: bytesFromHex(data) };
    }
  }
}

function pair(text: string): [string, string] {
  const comma = text.indexOf(',');
  if (comma < 0) throw new TextError(text, 'two arguments expected');
  return [text.slice(0, comma), text.slice(comma + 1)];
}

/** `a->b`. */
function arrow(text: string): [string, string] {
  const at = text.lastIndexOf('->');
  if (at < 0) throw new TextError(text, '-> expected');
  return [text.slice(0, at), text.slice(at + 2)];
}

function fieldNamed(label: string): FieldName {
  const field = fieldByLabel(label);
  if (field === undefined) throw new TextError(label, 'a field expected');
  return field.name;
}

function load(text: string): Action {
  const [value, target] = arrow(text);
  const { field, offset, bits } = parseSubfield(target);
  const { type, bits: width } = FIELDS[field];
  const number = parseBig(value, bits) << BigInt(offset);
  const mask = bits === width ? undefined : ((1n << BigInt(bits)) - 1n) << BigInt(offset);
  const as = (n: bigint) => (type === 'bigint' ? n : Number(n));
  return { kind: 'set_field', field, value: as(number), mask: mask === undefined ? undefined : as(mask), form: 'reg_load' };
}

function setField(text: string): Action {
  const [value, label] = arrow(text);
  const field = fieldNamed(label);
  const parsed = parseFieldValue(FIELDS[field], value);
  return { kind: 'set_field', field, value: parsed.value, mask: parsed.mask };
}

function output(argument: string): Action {
  if (argument.includes('[')) return { kind: 'output_reg', src: parseSubfield(argument), max_len: 0xffff };
  const keys = new Map(keyValues(argument));
  if (keys.has('port'))
    return { kind: 'output_trunc', port: parsePort(keys.get('port')!), max_len: parseNumber(keys.get('max_len') ?? '', 32) };
  return port(argument);
}

function port(text: string, maxLen?: string): Action {
  const number = parsePort(text);
  if (number !== PORTS.CONTROLLER) return { kind: 'output', port: number };
  return { kind: 'output', port: number, max_len: maxLen === undefined ? CONTROLLER_NO_BUFFER : parseNumber(maxLen, 16) };
}

function index(names: readonly string[], name: string): number {
  const at = names.indexOf(name);
  if (at < 0) throw new TextError(name, `one of ${names.join(', ')} expected`);
  return at;
}

function multipath(argument: string): Action {
  const [fields = '', basis = '', algorithm = '', links = '', arg = '', dst = ''] = splitTop(argument, ', ');
  return {
    kind: 'multipath',
    fields: index(HASH_FIELDS, fields),
    basis: parseNumber(basis, 16),
    algorithm: index(MULTIPATH_ALGORITHMS, algorithm),
    max_link: parseNumber(links, 17) - 1,
    arg: parseNumber(arg, 32),
    dst: parseSubfield(dst),
  };
}

function bundle(argument: string, isLoad: boolean): Action {
  const [head = '', members = ''] = argument.split(/,?(?:members|slaves):/, 2);
  const [fields = '', basis = '', algorithm = '', , dst = ''] = splitTop(head, ', ');
  return {
    kind: 'bundle',
    algorithm: index(BUNDLE_ALGORITHMS, algorithm),
    fields: index(HASH_FIELDS, fields),
    basis: parseNumber(basis, 16),
    ports: splitTop(members, ', ').map(parsePort),
    dst: isLoad ? parseSubfield(dst) : undefined,
  };
}

function resubmit(token: Token, text: string): Action {
  const argument = need(token);
  if (!text.includes('(')) return { kind: 'resubmit', in_port: parsePort(argument), table: undefined, ct: undefined };
  const [inPort = '', table = '', ct] = argument.split(',', 3).map((part) => part.trim());
  return {
    kind: 'resubmit',
    in_port: inPort === '' ? undefined : parsePort(inPort),
    table: table === '' ? 0xff : parseNumber(table, 8),
    ct: ct === 'ct' ? true : undefined,
  };
}

function ct(argument: string): CtAction {
  const action: { -readonly [K in keyof CtAction]: CtAction[K] } = { kind: 'ct', zone: 0 };
  const exec: Action[] = [];
  for (const part of splitTop(argument, ', ')) {
    const token = tokenOf(part);
    switch (token.name) {
      case 'commit':
      case 'force':
        action[token.name] = true;
        break;
      case 'table':
        action.table = parseNumber(need(token), 8);
        break;
      case 'zone': {
        const zone = need(token);
        action.zone = /^[0-9]/.test(zone) ? parseNumber(zone, 16) : parseSubfield(zone);
        break;
      }
      case 'alg': {
        const name = need(token);
        action.alg = ALGS[name] ?? parseNumber(name, 16);
        break;
      }
      case 'nat':
        exec.unshift(parseNat(token.argument));
        break;
      case 'exec':
        exec.push(...parseActions(need(token)));
        break;
      default:
        throw new TextError(part, 'commit, force, table, zone, alg, nat or exec expected');
    }
  }
  if (exec.length > 0) action.exec = exec;
  return action;
}

function controller(argument: string): ControllerAction {
  const action: { -readonly [K in keyof ControllerAction]: ControllerAction[K] } = { kind: 'controller' };
  for (const [name, value] of keyValues(argument)) {
    if (name === 'reason') action.reason = PACKET_IN_REASONS.find((reason) => reason === value) ?? parseNumber(value, 8);
    else if (name === 'max_len') action.max_len = parseNumber(value, 16);
    else if (name === 'id') action.controller_id = parseNumber(value, 16);
    else if (name === 'userdata') action.userdata = bytesFromHex(value.replaceAll('.', ''));
    else if (name === 'pause') action.pause = true;
    else if (name === 'meter_id') action.meter_id = parseNumber(value, 32);
    else throw new TextError(name, 'reason, max_len, id, userdata, pause or meter_id expected');
  }
  return action;
}

function sample(argument: string): Action {
  const keys = new Map(keyValues(argument));
  const number = (name: string, bits: number): number => parseNumber(keys.get(name) ?? '0', bits);
  const samplingPort = keys.get('sampling_port');
  return {
    kind: 'sample',
    probability: number('probability', 16),
    collector_set_id: number('collector_set_id', 32),
    obs_domain_id: number('obs_domain_id', 32),
    obs_point_id: number('obs_point_id', 32),
    sampling_port: samplingPort === undefined ? undefined : parsePort(samplingPort),
    direction: keys.has('ingress') ? 'ingress' : keys.has('egress') ? 'egress' : undefined,
  };
}

function conjunction(argument: string): Action {
  const [, id, clause, count] = /^(\w+),\s*(\d+)\/(\d+)$/.exec(argument) ?? [];
  if (id === undefined || clause === undefined || count === undefined) throw new TextError(argument, 'id,k/n expected');
  const k = parseNumber(clause, 8);
  if (k === 0) throw new TextError(argument, 'clauses count from 1');
  return { kind: 'conjunction', id: parseNumber(id, 32), clause: k - 1, n_clauses: parseNumber(count, 8) };
}

function finTimeout(argument: string): Action {
  const keys = new Map(keyValues(argument));
  return {
    kind: 'fin_timeout',
    fin_idle_timeout: parseNumber(keys.get('idle_timeout') ?? '0', 16),
    fin_hard_timeout: parseNumber(keys.get('hard_timeout') ?? '0', 16),
  };
}

function opaqueOxm(text: string): OpaqueOxm {
  const [, header, experimenter, bytes] = /^(0x[0-9a-f]+)(?:\.(0x[0-9a-f]+))?:([0-9a-f]*)$/i.exec(text) ?? [];
  if (header === undefined || bytes === undefined) throw new TextError(text, 'header:bytes expected');
  const opaque = { field: 'unknown', header: parseNumber(header, 32), bytes: bytesFromHex(bytes) } as const;
  return experimenter === undefined ? opaque : { ...opaque, experimenter: parseNumber(experimenter, 32) };
}

const BARE = [
  'pop_vlan',
  'pop_pbb',
  'dec_mpls_ttl',
  'copy_ttl_in',
  'copy_ttl_out',
  'ct_clear',
  'exit',
  'pop_queue',
  'dec_nsh_ttl',
] as const;
const isBare = (name: string): name is (typeof BARE)[number] => (BARE as readonly string[]).includes(name);

function parseAction(text: string): Action {
  const token = tokenOf(text);
  const { name, argument } = token;
  if (isBare(name)) return { kind: name };
  switch (name) {
    case 'dec_ttl':
      if (argument === undefined) return { kind: 'dec_ttl' };
      return { kind: 'dec_ttl_cnt_ids', ids: splitTop(argument, ', ').map((id) => parseNumber(id, 16)) };
    case 'strip_vlan':
      return { kind: 'pop_vlan' };
    case 'output':
      return output(need(token));
    case 'controller':
    case 'CONTROLLER':
      return text.includes('(') ? controller(need(token)) : port('CONTROLLER', argument);
    case 'group':
      return { kind: 'group', group_id: parseNumber(need(token), 32) };
    case 'set_queue':
      return { kind: 'set_queue', queue_id: parseNumber(need(token), 32) };
    case 'push_vlan':
    case 'push_mpls':
    case 'pop_mpls':
    case 'push_pbb':
      return { kind: name, ethertype: parseNumber(need(token), 16) };
    case 'mod_nw_ttl':
      return { kind: 'set_nw_ttl', ttl: parseNumber(need(token), 8) };
    case 'set_mpls_ttl':
      return { kind: 'set_mpls_ttl', ttl: parseNumber(need(token), 8) };
    case 'set_tunnel':
    case 'set_tunnel64':
      return { kind: 'set_tunnel', tun_id: parseBig(need(token), 64), wide: name === 'set_tunnel64' };
    case 'mod_dl_src':
      return { kind: 'set_field', field: 'eth_src', value: parseMac(need(token)) };
    case 'mod_dl_dst':
      return { kind: 'set_field', field: 'eth_dst', value: parseMac(need(token)) };
    case 'mod_nw_src':
      return { kind: 'set_field', field: 'ip_src', value: parseIpv4(need(token)) };
    case 'mod_nw_dst':
      return { kind: 'set_field', field: 'ip_dst', value: parseIpv4(need(token)) };
    case 'load':
      return load(need(token));
    case 'set_field':
      return setField(need(token));
    case 'set_field_unknown':
      return { kind: 'set_field_unknown', oxm: opaqueOxm(need(token)) };
    case 'move': {
      const [src, dst] = arrow(need(token));
      return { kind: 'move', src: parseSubfield(src), dst: parseSubfield(dst) };
    }
    case 'resubmit':
      return resubmit(token, text);
    case 'ct':
      return ct(argument ?? '');
    case 'nat':
      return parseNat(argument);
    case 'conjunction':
      return conjunction(need(token));
    case 'clone':
      return { kind: 'clone', actions: parseActions(need(token)) };
    case 'note':
      return { kind: 'note', data: bytesFromHex(need(token).replaceAll('.', '')) };
    case 'check_pkt_larger':
      return { kind: 'check_pkt_larger', length: parseNumber(need(token), 16), dst: parseSubfield(token.rest.replace(/^->/, '')) };
    case 'delete_field':
      return { kind: 'delete_field', field: fieldNamed(need(token)) };
    case 'push':
      return { kind: 'stack_push', subfield: parseSubfield(need(token)) };
    case 'pop':
      return { kind: 'stack_pop', subfield: parseSubfield(need(token)) };
    case 'learn':
      return parseLearn(need(token));
    case 'multipath':
      return multipath(need(token));
    case 'bundle':
      return bundle(need(token), false);
    case 'bundle_load':
      return bundle(need(token), true);
    case 'sample':
      return sample(need(token));
    case 'fin_timeout':
      return finTimeout(need(token));
    case 'encap':
      return parseEncap(need(token));
    case 'decap': {
      const [, namespace, type] = /ns=(\w+),type=(\w+)/.exec(argument ?? '') ?? [];
      if (namespace === undefined || type === undefined) return { kind: 'decap', packet_type: 0xfffe };
      return { kind: 'decap', packet_type: parseNumber(namespace, 16) * 0x10000 + parseNumber(type, 16) };
    }
    case 'experimenter': {
      const [experimenter, data] = pair(need(token));
      return { kind: 'experimenter', experimenter: parseNumber(experimenter, 32), data: bytesFromHex(data) };
    }
    case 'unknown': {
      const [type, data] = pair(need(token));
      return { kind: 'unknown', type: parseNumber(type, 16), data: bytesFromHex(data) };
    }
    default:
      // A port by number or name.
      if (argument === undefined) return port(name);
      throw new TextError(text, 'an action expected');
  }
}
