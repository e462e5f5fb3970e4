/**
 * Action lists, wire to value (OpenFlow 1.3.5 §7.2.5).
 *
 * Promises: actions this build does not know become `unknown` or `experimenter` with their bytes; nesting is bounded by MAX_ACTION_DEPTH.
 */
import type { Action } from './action.js';
import { EXPERIMENTERS, MAX_ACTION_DEPTH } from './constants.js';
import { OF_ERRORS } from './errors.js';
import { NXAST, ONFACT_COPY_FIELD } from './nicira-subtypes.js';
import { decodeMove, decodeNicira } from './nicira-decode.js';
import { decodeHeader, decodeOfsNbits, decodeOxm } from './oxm.js';
import { align8, exactly, fail, need, slice } from './read.js';

const OF = OF_ERRORS.bad_action_len;
/** recirc_table of NXAST_CT that means "do not". */
const NO_TABLE = 0xff;

/** The actions that fill `start` to `end`. `depth` counts the ct() and clone() around them. */
export function decodeActions(view: DataView, start: number, end: number, depth = 0): Action[] {
  const actions: Action[] = [];
  let o = start;
  while (o < end) {
    need(o, end, 8, 'an action', OF);
    const length = view.getUint16(o + 2);
    if (length < 8 || length > end - o || (length & 7) !== 0) fail('bad_length', o + 2, 'an action length of 8, 16, … that fits', OF);
    actions.push(decodeAction(view, o, o + length, depth));
    o += length;
  }
  return actions;
}

function decodeAction(view: DataView, o: number, end: number, depth: number): Action {
  const type = view.getUint16(o);
  switch (type) {
    case 0:
      exactly(o, end, 16, 'an output action', OF);
      return { kind: 'output', port: view.getUint32(o + 4), max_len: view.getUint16(o + 8) };
    case 11:
      return header(o, end, 'copy_ttl_out');
    case 12:
      return header(o, end, 'copy_ttl_in');
    case 15:
      exactly(o, end, 8, 'a set_mpls_ttl action', OF);
      return { kind: 'set_mpls_ttl', ttl: view.getUint8(o + 4) };
    case 16:
      return header(o, end, 'dec_mpls_ttl');
    case 17:
      return ethertype(view, o, end, 'push_vlan');
    case 18:
      return header(o, end, 'pop_vlan');
    case 19:
      return ethertype(view, o, end, 'push_mpls');
    case 20:
      return ethertype(view, o, end, 'pop_mpls');
    case 21:
      exactly(o, end, 8, 'a set_queue action', OF);
      return { kind: 'set_queue', queue_id: view.getUint32(o + 4) };
    case 22:
      exactly(o, end, 8, 'a group action', OF);
      return { kind: 'group', group_id: view.getUint32(o + 4) };
    case 23:
      exactly(o, end, 8, 'a set_nw_ttl action', OF);
      return { kind: 'set_nw_ttl', ttl: view.getUint8(o + 4) };
    case 24:
      return header(o, end, 'dec_ttl');
    case 25:
      return decodeSetField(view, o, end);
    case 26:
      return ethertype(view, o, end, 'push_pbb');
    case 27:
      return header(o, end, 'pop_pbb');
    case 0xffff:
      return decodeExperimenter(view, o, end, depth);
    default:
      return { kind: 'unknown', type, data: slice(view, o + 4, end) };
  }
}

type HeaderOnly = 'copy_ttl_out' | 'copy_ttl_in' | 'dec_mpls_ttl' | 'pop_vlan' | 'dec_ttl' | 'pop_pbb';

function header(o: number, end: number, kind: HeaderOnly): Action {
  exactly(o, end, 8, kind, OF);
  return { kind };
}

function ethertype(view: DataView, o: number, end: number, kind: 'push_vlan' | 'push_mpls' | 'pop_mpls' | 'push_pbb'): Action {
  exactly(o, end, 8, kind, OF);
  return { kind, ethertype: view.getUint16(o + 4) };
}

function decodeSetField(view: DataView, o: number, end: number): Action {
  const next = o + 8 + view.getUint8(o + 7);
  if (align8(next - o) !== end - o) fail('bad_length', o + 7, 'an OXM that fills its action', OF_ERRORS.bad_set_len);
  const oxm = decodeOxm(view, o + 4, next, OF_ERRORS.bad_set_len);
  if (oxm.field === 'unknown') return { kind: 'set_field_unknown', oxm };
  if (oxm.mask !== undefined) {
    // OpenFlow 1.3 has no masked set_field: kept as it came, because as a value it would be written as another action.
    return { kind: 'set_field_unknown', oxm: { field: 'unknown', header: view.getUint32(o + 4), bytes: slice(view, o + 8, next) } };
  }
  return { kind: 'set_field', field: oxm.field, value: oxm.value, mask: undefined, form: undefined };
}

function decodeExperimenter(view: DataView, o: number, end: number, depth: number): Action {
  const experimenter = view.getUint32(o + 4);
  let action: Action | undefined;
  if (experimenter === EXPERIMENTERS.NICIRA) {
    need(o, end, 16, 'a Nicira action', OF);
    const subtype = view.getUint16(o + 8);
    if (subtype === NXAST.CT) action = decodeCt(view, o, end, depth);
    else if (subtype === NXAST.CLONE) action = { kind: 'clone', actions: nested(view, o + 16, end, depth) };
    else action = decodeNicira(view, o, end, subtype);
  } else if (experimenter === EXPERIMENTERS.ONF && end - o >= 16 && view.getUint16(o + 8) === ONFACT_COPY_FIELD) {
    need(o, end, 24, 'a copy_field action', OF);
    action = decodeMove(view, o + 12, o + 20, end);
  }
  return action ?? { kind: 'experimenter', experimenter, data: slice(view, o + 8, end) };
}

function nested(view: DataView, o: number, end: number, depth: number): Action[] {
  if (depth >= MAX_ACTION_DEPTH) fail('too_deep', o, `at most ${MAX_ACTION_DEPTH} levels of actions`, OF_ERRORS.too_many_actions);
  return decodeActions(view, o, end, depth + 1);
}

function decodeCt(view: DataView, o: number, end: number, depth: number): Action | undefined {
  need(o, end, 24, 'a ct action', OF);
  const exec = nested(view, o + 24, end, depth);
  const flags = view.getUint16(o + 10);
  const zoneField = view.getUint32(o + 12) === 0 ? undefined : decodeHeader(view, o + 12, 4);
  if (flags > 3 || (zoneField === undefined && view.getUint32(o + 12) !== 0)) return undefined;
  const table = view.getUint8(o + 18);
  const alg = view.getUint16(o + 22);
  return {
    kind: 'ct',
    commit: (flags & 1) !== 0 ? true : undefined,
    force: (flags & 2) !== 0 ? true : undefined,
    zone: zoneField === undefined ? view.getUint16(o + 16) : decodeOfsNbits(view, o + 16, zoneField),
    table: table === NO_TABLE ? undefined : table,
    alg: alg === 0 ? undefined : alg,
    exec: exec.length === 0 ? undefined : exec,
  };
}
