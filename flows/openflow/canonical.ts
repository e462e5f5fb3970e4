/**
 * Identity and contents of flows and groups as strings, for comparing what should be with what a switch holds.
 *
 * Owns: `flowKey` (table, priority, match), `flowBody` (everything else but the cookie), `groupBody`, `meterBody`.
 * Assumes: the rules of canonical-match.ts and canonical-action.ts.
 * Promises: equal strings exactly for flows that Open vSwitch treats as equal: a flow that was sent and the same flow read back agree.
 * The strings are for comparison within one process; their format may change.
 */
import type { Action, Instruction, LearnSpec } from './action.js';
import { canonicalActions, canonicalInstructions } from './canonical-action.js';
import { canonicalMatch } from './canonical-match.js';
import type { Flow, Group, Meter } from './flow.js';
import { bucketWeight } from './group-meter.js';
import type { FieldValue, Match, Subfield } from './match.js';

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function bytes(data: Uint8Array): string {
  let text = '';
  for (const byte of data) text += HEX[byte]!;
  return text;
}

function value(v: FieldValue): string {
  if (typeof v === 'number') return v.toString(16);
  return typeof v === 'bigint' ? v.toString(16) : bytes(v);
}

function matchText(match: Match): string {
  let text = '';
  for (const oxm of canonicalMatch(match)) {
    if (oxm.field === 'unknown') text += `,?${oxm.header}.${oxm.experimenter ?? ''}=${bytes(oxm.bytes)}`;
    else if (oxm.mask === undefined) text += `,${oxm.field}=${value(oxm.value)}`;
    else text += `,${oxm.field}=${value(oxm.value)}/${value(oxm.mask)}`;
  }
  return text;
}

function subfield(s: Subfield): string {
  return `${s.field}[${s.offset}+${s.bits}]`;
}

function spec(s: LearnSpec): string {
  if (s.kind === 'output') return `out:${subfield(s.src)}`;
  return `${s.kind}:${typeof s.src === 'bigint' ? s.src.toString(16) : subfield(s.src)}>${subfield(s.dst)}`;
}

/** Any plain value, keys sorted, undefined left out: for the actions that are too rare to have a form of their own. */
function generic(v: unknown): string {
  if (v instanceof Uint8Array) return bytes(v);
  if (Array.isArray(v)) return `[${v.map(generic).join()}]`;
  if (typeof v === 'object' && v !== null) {
    const entries = Object.entries(v).filter(([, entry]) => entry !== undefined);
    return `{${entries
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => `${key}:${generic(entry)}`)
      .join()}}`;
  }
  return String(v);
}

/** A canonical action. */
function actionText(action: Action): string {
  switch (action.kind) {
    case 'output':
      return action.max_len === undefined ? `output:${action.port}` : `output:${action.port}:${action.max_len}`;
    case 'set_field':
      return action.mask === undefined
        ? `set:${action.field}=${value(action.value)}`
        : `set:${action.field}=${value(action.value)}/${value(action.mask)}`;
    case 'move':
      return `move:${subfield(action.src)}>${subfield(action.dst)}`;
    case 'resubmit':
      return `resubmit:${action.in_port ?? ''}:${action.table ?? ''}${action.ct === true ? ':ct' : ''}`;
    case 'ct': {
      const zone = typeof action.zone === 'number' ? action.zone : subfield(action.zone);
      const flags = `${action.commit === true ? 'c' : ''}${action.force === true ? 'f' : ''}`;
      return `ct:${flags}:${zone}:${action.table ?? ''}:${action.alg ?? ''}(${action.exec === undefined ? '' : actionsText(action.exec)})`;
    }
    case 'group':
      return `group:${action.group_id}`;
    case 'conjunction':
      return `conj:${action.id}:${action.clause}/${action.n_clauses}`;
    case 'clone':
      return `clone(${actionsText(action.actions)})`;
    case 'learn': {
      const { specs, ...rest } = action;
      return `learn${generic(rest)}${specs.map(spec).join()}`;
    }
    case 'dec_ttl':
    case 'pop_vlan':
    case 'ct_clear':
    case 'exit':
      return action.kind;
    default:
      return generic(action);
  }
}

/** Canonical actions. */
function actionsText(actions: readonly Action[]): string {
  let text = '';
  for (const action of actions) text += `${actionText(action)};`;
  return text;
}

function instructionText(instruction: Instruction): string {
  switch (instruction.kind) {
    case 'goto_table':
      return `goto:${instruction.table}`;
    case 'apply_actions':
      return `apply(${actionsText(instruction.actions)})`;
    case 'write_actions':
      return `write(${actionsText(instruction.actions)})`;
    case 'write_metadata':
      return `meta:${instruction.metadata.toString(16)}/${instruction.mask.toString(16)}`;
    case 'meter':
      return `meter:${instruction.meter_id}`;
    case 'clear_actions':
      return 'clear';
    default:
      return generic(instruction);
  }
}

/**
 * The same text in one piece. JavaScript keeps a concatenation as a tree of its parts until somebody reads a character; of texts that are kept by the
 * hundred thousand the trees would be most of the memory.
 */
export function inOnePiece(text: string): string {
  return text.charCodeAt(0) >= 0 ? text : '';
}

/** Identity of a flow: table, priority and match. */
export function flowKey(flow: Pick<Flow, 'table' | 'priority' | 'match'>): string {
  return inOnePiece(`${flow.table}/${flow.priority}${matchText(flow.match)}`);
}

/** All of a flow that is not its key or cookie: instructions, timeouts, flags. */
export function flowBody(flow: Pick<Flow, 'instructions' | 'idle_timeout' | 'hard_timeout' | 'flags'>): string {
  let text = '';
  for (const instruction of canonicalInstructions(flow.instructions)) text += `${instructionText(instruction)}|`;
  const { idle_timeout: idle = 0, hard_timeout: hard = 0, flags = 0 } = flow;
  return idle === 0 && hard === 0 && flags === 0 ? text : `${text}${idle}/${hard}/${flags}`;
}

/** Type and buckets of a group. Weights count only in `select` groups, watches only in `fast_failover` ones. */
export function groupBody(group: Pick<Group, 'type' | 'buckets'>): string {
  let text = group.type;
  for (const bucket of group.buckets) {
    const weight = group.type === 'select' ? bucketWeight(bucket, group.type) : '';
    const watch = group.type === 'fast_failover' ? `${bucket.watch_port ?? ''}/${bucket.watch_group ?? ''}` : '';
    text += `|${weight},${watch},${actionsText(canonicalActions(bucket.actions))}`;
  }
  return text;
}

/** Flags and bands of a meter. A burst size of 0 is the rate. */
export function meterBody(meter: Pick<Meter, 'flags' | 'bands'>): string {
  const bands = meter.bands.map((band) => generic(band.burst_size === 0 ? { ...band, burst_size: band.rate } : band));
  return `${meter.flags}${bands.join('')}`;
}
