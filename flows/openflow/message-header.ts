/**
 * What messages have in common on the wire: the header (OpenFlow 1.3.5 §7.1.1), names for small numbers, the role.
 */
import { OPENFLOW_VERSION } from './constants.js';
import { EncodeError, OF_ERRORS } from './errors.js';
import { fail } from './read.js';
import type { Writer } from './writer.js';

export const HEADER_SIZE = 8;
/** OFPT_EXPERIMENTER. */
export const EXPERIMENTER_TYPE = 4;

/** Writes a header whose length is patched once the message is complete. Returns its start. */
export function openMessage(w: Writer, type: number, xid: number, version = OPENFLOW_VERSION): number {
  const start = w.pos;
  w.u8(version);
  w.u8(type);
  w.u16(0);
  w.u32(xid);
  return start;
}

/** The number of a name. */
export function codeOf<T extends string>(names: readonly T[], name: T): number {
  const index = names.indexOf(name);
  if (index < 0) throw new EncodeError('bad_value', `${name} is none of ${names.join(', ')}`);
  return index;
}

export const FLOW_COMMANDS = ['add', 'modify', 'modify_strict', 'delete', 'delete_strict'] as const;
export const MOD_COMMANDS = ['add', 'modify', 'delete'] as const;
/** OFPGC_ADD_OR_MOD of Open vSwitch. */
export const GROUP_ADD_OR_MODIFY = 0x8000;
export const ROLES = ['nochange', 'equal', 'master', 'slave'] as const;

export function decodeRole(view: DataView, o: number): (typeof ROLES)[number] {
  return ROLES[view.getUint32(o)] ?? fail('bad_value', o, 'a role of 0 to 3', OF_ERRORS.bad_role);
}
