/**
 * The canonical form of actions and instructions: what Open vSwitch gives back equals what was sent.
 *
 * Owns: the rules, found in lib/ofp-actions.c and confirmed against a running switch (test/codec/readback.test.ts):
 *  - set_field: its form on the wire does not count; value bits outside the mask are zero; a mask of all bits is no mask, a mask of none no action;
 *    the old set_tunnel is set_field tun_id; writes to one field that follow each other are one write (ovs-ofctl sends one for each run of bits);
 *  - defaults are not written: max_len of an output to anything but the controller, max_len 65535, controller id 0, reason "action", empty userdata,
 *    alg 0, empty exec, table 255 of a resubmit, limit 0 of a learn, no port of a sample, a range of one address or port;
 *  - a note is as long as its padding makes it;
 *  - instructions come in the order of execution; empty apply_actions and write_actions are dropped; metadata bits outside the mask are zero.
 * Promises: the same meaning; idempotent; a value with nothing to change is returned as it is.
 */
import type { Action, ControllerAction, CtAction, Instruction, NatAction, SetFieldAction } from './action.js';
import { matchRule, normalise } from './canonical-match.js';
import { CONTROLLER_NO_BUFFER, PACKET_IN_REASONS, PORTS } from './constants.js';

const RANK = {
  meter: 0,
  apply_actions: 1,
  clear_actions: 2,
  write_actions: 3,
  write_metadata: 4,
  experimenter: 5,
  unknown: 6,
  goto_table: 7,
} as const;

export function canonicalActions(actions: readonly Action[]): readonly Action[] {
  let before: Action | undefined;
  for (const action of actions) {
    if (canonicalAction(action) !== action || writeSameField(before, action)) return rebuilt(actions);
    before = action;
  }
  return actions;
}

function rebuilt(actions: readonly Action[]): Action[] {
  const out: Action[] = [];
  for (const action of actions) {
    const canonical = canonicalAction(action);
    if (canonical === undefined) continue;
    const before = out.at(-1);
    if (before?.kind === 'set_field' && canonical.kind === 'set_field' && writeSameField(before, canonical))
      out[out.length - 1] = merged(before, canonical);
    else out.push(canonical);
  }
  return out;
}

function writeSameField(a: Action | undefined, b: Action): boolean {
  return a?.kind === 'set_field' && b.kind === 'set_field' && a.field === b.field && typeof b.value !== 'object';
}

/** Both writes at once. */
function merged(first: SetFieldAction, second: SetFieldAction): SetFieldAction {
  if (second.mask === undefined) return second;
  const bits = BigInt(second.mask as number | bigint);
  const sum = (BigInt(first.value as number | bigint) & ~bits) | BigInt(second.value as number | bigint);
  const mask = first.mask === undefined ? undefined : BigInt(first.mask as number | bigint) | bits;
  const as = (n: bigint): number | bigint => (typeof second.value === 'bigint' ? n : Number(n));
  const action: SetFieldAction = {
    kind: 'set_field',
    field: second.field,
    value: as(sum),
    mask: mask === undefined ? undefined : as(mask),
  };
  return setField(action) ?? action;
}

function canonicalAction(action: Action): Action | undefined {
  switch (action.kind) {
    case 'set_field':
      return setField(action);
    case 'set_tunnel':
      return { kind: 'set_field', field: 'tun_id', value: action.tun_id };
    case 'output':
      return output(action);
    case 'resubmit':
      return action.table === 0xff && action.ct !== true ? { ...action, table: undefined } : action;
    case 'ct':
      return ct(action);
    case 'nat':
      return nat(action);
    case 'controller':
      return controller(action);
    case 'clone': {
      const actions = canonicalActions(action.actions);
      return actions === action.actions ? action : { kind: 'clone', actions };
    }
    case 'note': {
      const length = Math.max(6, (((action.data.length + 1) >> 3) << 3) + 6);
      const padded = action.data.length === length || (action.data.length + 2) % 8 === 0 ? action.data.length : length;
      if (padded === action.data.length) return action;
      const data = new Uint8Array(padded);
      data.set(action.data);
      return { kind: 'note', data };
    }
    case 'sample':
      return action.sampling_port === PORTS.ANY ? { ...action, sampling_port: undefined } : action;
    case 'learn':
      return action.limit === 0 ? { ...action, limit: undefined } : action;
    default:
      return action;
  }
}

function setField(action: SetFieldAction): SetFieldAction | undefined {
  if (action.mask === undefined)
    return action.form === undefined ? action : { kind: 'set_field', field: action.field, value: action.value };
  const rule = matchRule(action.field);
  const normal = rule === undefined ? action : normalise(action, rule);
  if (normal === undefined) return undefined;
  if (normal === action && action.form === undefined) return action;
  return { kind: 'set_field', field: action.field, value: normal.value, mask: normal.mask };
}

function output(action: Extract<Action, { kind: 'output' }>): Action {
  if (action.max_len === undefined) return action;
  if (action.port === PORTS.CONTROLLER && action.max_len !== CONTROLLER_NO_BUFFER) return action;
  return { kind: 'output', port: action.port };
}

function ct(action: CtAction): Action {
  const exec = action.exec === undefined ? undefined : canonicalActions(action.exec);
  if (exec === action.exec && exec?.length !== 0 && action.alg !== 0 && action.commit !== false && action.force !== false) return action;
  return {
    ...action,
    commit: action.commit === true ? true : undefined,
    force: action.force === true ? true : undefined,
    alg: action.alg === 0 ? undefined : action.alg,
    exec: exec?.length === 0 ? undefined : exec,
  };
}

function nat(action: NatAction): Action {
  return {
    kind: 'nat',
    direction: action.direction,
    persistent: action.persistent === true ? true : undefined,
    hash: action.hash === true ? true : undefined,
    random: action.random === true ? true : undefined,
    ipv4_min: action.ipv4_min,
    ipv4_max: action.ipv4_max === action.ipv4_min ? undefined : action.ipv4_max,
    ipv6_min: action.ipv6_min,
    ipv6_max: action.ipv6_max === action.ipv6_min ? undefined : action.ipv6_max,
    port_min: action.port_min,
    port_max: action.port_max === action.port_min ? undefined : action.port_max,
  };
}

function controller(action: ControllerAction): Action {
  const reason = typeof action.reason === 'number' ? (PACKET_IN_REASONS[action.reason] ?? action.reason) : action.reason;
  return {
    kind: 'controller',
    max_len: action.max_len === CONTROLLER_NO_BUFFER ? undefined : action.max_len,
    controller_id: action.controller_id === 0 ? undefined : action.controller_id,
    reason: reason === 'action' ? undefined : reason,
    userdata: action.userdata?.length === 0 ? undefined : action.userdata,
    pause: action.pause === true ? true : undefined,
    meter_id: action.meter_id === 0 ? undefined : action.meter_id,
  };
}

/** Instructions of a flow in canonical form. */
export function canonicalInstructions(instructions: readonly Instruction[]): readonly Instruction[] {
  const out: Instruction[] = [];
  let last = -1;
  let sorted = true;
  for (const instruction of instructions) {
    const canonical = canonicalInstruction(instruction);
    if (canonical === undefined) continue;
    const rank = RANK[canonical.kind];
    if (rank < last) sorted = false;
    last = rank;
    out.push(canonical);
  }
  return sorted ? out : out.sort((a, b) => RANK[a.kind] - RANK[b.kind]);
}

function canonicalInstruction(instruction: Instruction): Instruction | undefined {
  switch (instruction.kind) {
    case 'apply_actions':
    case 'write_actions': {
      const actions = canonicalActions(instruction.actions);
      if (actions.length === 0) return undefined;
      return actions === instruction.actions ? instruction : { kind: instruction.kind, actions };
    }
    case 'write_metadata': {
      const metadata = instruction.metadata & instruction.mask;
      return metadata === instruction.metadata ? instruction : { kind: 'write_metadata', metadata, mask: instruction.mask };
    }
    default:
      return instruction;
  }
}
