/**
 * Action lists, value to wire (OpenFlow 1.3.5 §7.2.5).
 *
 * Promises: the inverse of action-decode.ts; lengths and padding are written here.
 */
import type { Action, CtAction } from './action.js';
import { CONTROLLER_NO_BUFFER, MAX_ACTION_DEPTH, PORTS } from './constants.js';
import { EncodeError } from './errors.js';
import { close, encodeLoad, encodeNicira, open } from './nicira-encode.js';
import { NXAST } from './nicira-subtypes.js';
import { encodeField, encodeHeader4, encodeOfsNbits, encodeOxm, fieldOf } from './oxm.js';
import type { Writer } from './writer.js';

const NO_TABLE = 0xff;

export function encodeActions(w: Writer, actions: readonly Action[], depth = 0): void {
  for (const action of actions) encodeAction(w, action, depth);
}

/** Type, length 8 and four bytes of zero. */
function header(w: Writer, type: number): void {
  w.u32(((type << 16) | 8) >>> 0);
  w.u32(0);
}

function word(w: Writer, type: number, value: number): void {
  w.u32(((type << 16) | 8) >>> 0);
  w.u32(value);
}

function ethertype(w: Writer, type: number, value: number): void {
  word(w, type, (value << 16) >>> 0);
}

function encodeAction(w: Writer, action: Action, depth: number): void {
  w.room(32);
  switch (action.kind) {
    case 'output':
      w.u32(16);
      w.u32(action.port);
      w.u16(action.max_len ?? (action.port === PORTS.CONTROLLER ? CONTROLLER_NO_BUFFER : 0));
      w.u16(0);
      return w.u32(0);
    case 'copy_ttl_out':
      return header(w, 11);
    case 'copy_ttl_in':
      return header(w, 12);
    case 'set_mpls_ttl':
      return word(w, 15, (action.ttl << 24) >>> 0);
    case 'dec_mpls_ttl':
      return header(w, 16);
    case 'push_vlan':
      return ethertype(w, 17, action.ethertype);
    case 'pop_vlan':
      return header(w, 18);
    case 'push_mpls':
      return ethertype(w, 19, action.ethertype);
    case 'pop_mpls':
      return ethertype(w, 20, action.ethertype);
    case 'set_queue':
      return word(w, 21, action.queue_id);
    case 'group':
      return word(w, 22, action.group_id);
    case 'set_nw_ttl':
      return word(w, 23, (action.ttl << 24) >>> 0);
    case 'dec_ttl':
      return header(w, 24);
    case 'set_field': {
      const field = fieldOf(action.field);
      if (action.mask !== undefined || action.form !== undefined) return encodeLoad(w, action, field);
      const start = w.pos;
      w.u32(25 << 16);
      w.room(264);
      encodeField(w, field, action.value, undefined);
      return close(w, start);
    }
    case 'set_field_unknown': {
      const start = w.pos;
      w.u32(25 << 16);
      encodeOxm(w, action.oxm);
      return close(w, start);
    }
    case 'push_pbb':
      return ethertype(w, 26, action.ethertype);
    case 'pop_pbb':
      return header(w, 27);
    case 'ct':
      return encodeCt(w, action, depth);
    case 'clone': {
      const start = open(w, NXAST.CLONE);
      w.zeros(6);
      nested(w, action.actions, depth);
      return close(w, start);
    }
    case 'experimenter': {
      const start = w.pos;
      w.u32(0xffff0000);
      w.u32(action.experimenter);
      w.bytes(action.data);
      return close(w, start);
    }
    case 'unknown': {
      const start = w.pos;
      w.u16(action.type);
      w.u16(0);
      w.bytes(action.data);
      return close(w, start);
    }
    default:
      return encodeNicira(w, action);
  }
}

function nested(w: Writer, actions: readonly Action[], depth: number): void {
  if (depth >= MAX_ACTION_DEPTH) throw new EncodeError('bad_value', `actions nested deeper than ${MAX_ACTION_DEPTH}`);
  encodeActions(w, actions, depth + 1);
}

function encodeCt(w: Writer, action: CtAction, depth: number): void {
  const start = open(w, NXAST.CT);
  w.u16((action.commit === true ? 1 : 0) | (action.force === true ? 2 : 0));
  if (typeof action.zone === 'number') {
    w.u32(0);
    w.u16(action.zone);
  } else {
    encodeHeader4(w, fieldOf(action.zone.field));
    encodeOfsNbits(w, action.zone);
  }
  w.u8(action.table ?? NO_TABLE);
  w.zeros(3);
  w.u16(action.alg ?? 0);
  if (action.exec !== undefined) nested(w, action.exec, depth);
  close(w, start);
}
