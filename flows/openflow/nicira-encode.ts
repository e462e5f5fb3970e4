/**
 * Nicira actions without nested actions, value to wire (ovs-actions(7), lib/ofp-actions.c).
 *
 * Promises: the inverse of nicira-decode.ts.
 */
import type { Action, ControllerAction, NatAction, SetFieldAction } from './action.js';
import { CONTROLLER_NO_BUFFER, EXPERIMENTERS, PACKET_IN_REASONS } from './constants.js';
import { EncodeError } from './errors.js';
import type { FieldInfo } from './fields.js';
import { encodeLearnBody, isLearn2 } from './learn.js';
import { NXAST } from './nicira-subtypes.js';
import { encodeField, encodeHeader, encodeHeader4, encodeOfsNbits, fieldOf } from './oxm.js';
import type { Writer } from './writer.js';

const EXPERIMENTER = 0xffff;
const IN_PORT16 = 0xfff8;
const NXM_OF_IN_PORT = 0x00000002;

/** Type, length (to be patched by `close` unless given), vendor, subtype: 10 bytes. Returns the start. */
export function open(w: Writer, subtype: number, length = 0): number {
  w.room(64);
  const start = w.pos;
  w.u16(EXPERIMENTER);
  w.u16(length);
  w.u32(EXPERIMENTERS.NICIRA);
  w.u16(subtype);
  return start;
}

/** Pads to 8 bytes and writes the length. */
export function close(w: Writer, start: number): void {
  w.pad8(start);
  w.view.setUint16(start + 2, w.pos - start);
}

function bare(w: Writer, subtype: number): void {
  open(w, subtype, 16);
  w.zeros(6);
}

/** 32-bit port number to OpenFlow 1.0's 16 bits. */
function port16(port: number): number {
  if (port <= 0xfeff) return port;
  if (port >= 0xffffff00 && port <= 0xffffffff) return port - 0xffff0000;
  throw new EncodeError('bad_value', `port ${port} does not fit 16 bits`);
}

/** The run of ones in a mask as offset and length; undefined if there is none, several, or one longer than 64 bits. */
function contiguous(mask: bigint): { offset: number; bits: number } | undefined {
  if (mask <= 0n) return undefined;
  let offset = 0;
  let rest = mask;
  while ((rest & 0xffffn) === 0n) {
    rest >>= 16n;
    offset += 16;
  }
  while ((rest & 1n) === 0n) {
    rest >>= 1n;
    offset += 1;
  }
  if ((rest & (rest + 1n)) !== 0n) return undefined;
  const bits = rest.toString(2).length;
  return bits > 64 ? undefined : { offset, bits };
}

/** The same for masks up to 32 bits, without bigints. */
function contiguous32(mask: number): { offset: number; bits: number } | undefined {
  if (mask === 0) return undefined;
  const low = 31 - Math.clz32(mask & -mask);
  const run = mask >>> low;
  return (run & (run + 1)) === 0 ? { offset: low, bits: 32 - Math.clz32(run) } : undefined;
}

function encodeRegLoad(w: Writer, field: FieldInfo, offset: number, bits: number, value: bigint): void {
  open(w, NXAST.REG_LOAD, 24);
  encodeOfsNbits(w, { field: field.name, offset, bits });
  encodeHeader4(w, field);
  w.u64(value);
}

/** set_field that is not a plain OFPAT_SET_FIELD: NXAST_REG_LOAD for one run of bits in a field with a short header, else NXAST_REG_LOAD2. */
export function encodeLoad(w: Writer, action: SetFieldAction, field: FieldInfo): void {
  const { value, mask } = action;
  if (action.form !== 'reg_load2' && field.nxm.experimenter === 0 && !field.variable) {
    if (typeof value === 'number' && typeof mask === 'number' && field.bytes <= 4) {
      const run = contiguous32(mask);
      if (run !== undefined && run.offset + run.bits <= field.bits && (value & ~mask) === 0) {
        return encodeRegLoad(w, field, run.offset, run.bits, BigInt(value >>> run.offset));
      }
    } else if (mask === undefined ? field.bits <= 64 : typeof mask !== 'object') {
      const run = mask === undefined ? { offset: 0, bits: field.bits } : contiguous(BigInt(mask as number | bigint));
      if (run !== undefined && run.offset + run.bits <= field.bits && typeof value !== 'object') {
        const shifted = BigInt(value) >> BigInt(run.offset);
        if (shifted >> BigInt(run.bits) === 0n && shifted << BigInt(run.offset) === BigInt(value)) {
          return encodeRegLoad(w, field, run.offset, run.bits, shifted);
        }
      }
    }
  }
  const start = open(w, NXAST.REG_LOAD2);
  w.room(264);
  encodeField(w, field, value, mask);
  close(w, start);
}

function encodeController2(w: Writer, action: ControllerAction): void {
  const start = open(w, NXAST.CONTROLLER2);
  w.zeros(6);
  const property = (type: number, length: number): void => {
    w.room(24);
    w.u16(type);
    w.u16(length);
  };
  if (action.max_len !== undefined) {
    property(0, 8);
    w.u16(action.max_len);
    w.zeros(2);
  }
  if (action.controller_id !== undefined) {
    property(1, 8);
    w.u16(action.controller_id);
    w.zeros(2);
  }
  if (action.reason !== undefined) {
    property(2, 5);
    w.u8(reasonCode(action.reason));
    w.zeros(3);
  }
  if (action.userdata !== undefined && action.userdata.length > 0) {
    const from = w.pos;
    property(3, 4 + action.userdata.length);
    w.bytes(action.userdata);
    w.pad8(from);
  }
  if (action.pause === true) {
    property(4, 4);
    w.zeros(4);
  }
  if (action.meter_id !== undefined) {
    property(5, 8);
    w.u32(action.meter_id);
  }
  close(w, start);
}

/** OFPR_* of a reason by name. */
function reasonCode(reason: NonNullable<ControllerAction['reason']>): number {
  return typeof reason === 'number' ? reason : PACKET_IN_REASONS.indexOf(reason);
}

function encodeController(w: Writer, action: ControllerAction): void {
  if (action.userdata !== undefined || action.pause !== undefined || action.meter_id !== undefined) return encodeController2(w, action);
  open(w, NXAST.CONTROLLER, 16);
  w.u16(action.max_len ?? CONTROLLER_NO_BUFFER);
  w.u16(action.controller_id ?? 0);
  w.u8(reasonCode(action.reason ?? 'action'));
  w.u8(0);
}

function encodeNat(w: Writer, nat: NatAction): void {
  const start = open(w, NXAST.NAT);
  w.zeros(2);
  const direction = nat.direction === 'src' ? 1 : nat.direction === 'dst' ? 2 : 0;
  w.u16(direction | (nat.persistent === true ? 4 : 0) | (nat.hash === true ? 8 : 0) | (nat.random === true ? 16 : 0));
  w.u16(
    (nat.ipv4_min !== undefined ? 1 : 0) |
      (nat.ipv4_max !== undefined ? 2 : 0) |
      (nat.ipv6_min !== undefined ? 4 : 0) |
      (nat.ipv6_max !== undefined ? 8 : 0) |
      (nat.port_min !== undefined ? 16 : 0) |
      (nat.port_max !== undefined ? 32 : 0),
  );
  if (nat.ipv4_min !== undefined) w.u32(nat.ipv4_min);
  if (nat.ipv4_max !== undefined) w.u32(nat.ipv4_max);
  if (nat.ipv6_min !== undefined) w.u128(nat.ipv6_min);
  if (nat.ipv6_max !== undefined) w.u128(nat.ipv6_max);
  if (nat.port_min !== undefined) w.u16(nat.port_min);
  if (nat.port_max !== undefined) w.u16(nat.port_max);
  close(w, start);
}

function encodeOutputReg(w: Writer, action: Extract<Action, { kind: 'output_reg' }>): void {
  const field = fieldOf(action.src.field);
  const wide = field.nxm.experimenter !== 0;
  const start = open(w, wide ? NXAST.OUTPUT_REG2 : NXAST.OUTPUT_REG, 24);
  encodeOfsNbits(w, action.src);
  if (wide) {
    w.u16(action.max_len);
    encodeHeader(w, field);
  } else {
    encodeHeader4(w, field);
    w.u16(action.max_len);
  }
  w.zeros(start + 24 - w.pos);
}

function encodeBundle(w: Writer, action: Extract<Action, { kind: 'bundle' }>): void {
  const start = open(w, action.dst === undefined ? NXAST.BUNDLE : NXAST.BUNDLE_LOAD);
  w.u16(action.algorithm);
  w.u16(action.fields);
  w.u16(action.basis);
  w.u32(NXM_OF_IN_PORT);
  w.u16(action.ports.length);
  if (action.dst === undefined) {
    w.zeros(6);
  } else {
    encodeOfsNbits(w, action.dst);
    encodeHeader4(w, fieldOf(action.dst.field));
  }
  w.zeros(4);
  w.room(2 * action.ports.length + 8);
  for (const port of action.ports) w.u16(port16(port));
  close(w, start);
}

function encodeSample(w: Writer, action: Extract<Action, { kind: 'sample' }>): void {
  const wide = action.sampling_port !== undefined || action.direction !== undefined;
  open(w, action.direction !== undefined ? NXAST.SAMPLE3 : wide ? NXAST.SAMPLE2 : NXAST.SAMPLE, wide ? 32 : 24);
  w.u16(action.probability);
  w.u32(action.collector_set_id);
  w.u32(action.obs_domain_id);
  w.u32(action.obs_point_id);
  if (!wide) return;
  w.u16(action.sampling_port === undefined ? 0xffff : port16(action.sampling_port));
  w.u8(action.direction === undefined ? 0 : action.direction === 'ingress' ? 1 : 2);
  w.zeros(5);
}

type NiciraAction = Exclude<
  Action,
  {
    kind:
      | 'output'
      | 'group'
      | 'set_queue'
      | 'push_vlan'
      | 'push_mpls'
      | 'pop_mpls'
      | 'push_pbb'
      | 'pop_vlan'
      | 'pop_pbb'
      | 'dec_ttl'
      | 'dec_mpls_ttl'
      | 'copy_ttl_in'
      | 'copy_ttl_out'
      | 'set_nw_ttl'
      | 'set_mpls_ttl'
      | 'set_field'
      | 'ct'
      | 'clone'
      | 'experimenter'
      | 'unknown'
      | 'set_field_unknown';
  }
>;

export function encodeNicira(w: Writer, action: NiciraAction): void {
  switch (action.kind) {
    case 'set_tunnel':
      if (action.wide) {
        open(w, NXAST.SET_TUNNEL64, 24);
        w.zeros(6);
        return w.u64(action.tun_id);
      }
      open(w, NXAST.SET_TUNNEL, 16);
      w.zeros(2);
      return w.u32(Number(action.tun_id));
    case 'move': {
      const start = open(w, NXAST.REG_MOVE);
      w.u16(action.dst.bits);
      w.u16(action.src.offset);
      w.u16(action.dst.offset);
      encodeHeader(w, fieldOf(action.src.field));
      encodeHeader(w, fieldOf(action.dst.field));
      return close(w, start);
    }
    case 'resubmit': {
      const subtype = action.ct === true ? NXAST.RESUBMIT_TABLE_CT : action.table === undefined ? NXAST.RESUBMIT : NXAST.RESUBMIT_TABLE;
      open(w, subtype, 16);
      w.u16(action.in_port === undefined ? IN_PORT16 : port16(action.in_port));
      w.u8(subtype === NXAST.RESUBMIT ? 0 : (action.table ?? 0xff));
      return w.zeros(3);
    }
    case 'nat':
      return encodeNat(w, action);
    case 'ct_clear':
      return bare(w, NXAST.CT_CLEAR);
    case 'exit':
      return bare(w, NXAST.EXIT);
    case 'pop_queue':
      return bare(w, NXAST.POP_QUEUE);
    case 'dec_nsh_ttl':
      return bare(w, NXAST.DEC_NSH_TTL);
    case 'conjunction':
      open(w, NXAST.CONJUNCTION, 16);
      w.u8(action.clause);
      w.u8(action.n_clauses);
      return w.u32(action.id);
    case 'note': {
      const start = open(w, NXAST.NOTE);
      w.bytes(action.data);
      if (w.pos - start < 16) w.zeros(16 - (w.pos - start));
      return close(w, start);
    }
    case 'controller':
      return encodeController(w, action);
    case 'dec_ttl_cnt_ids': {
      const start = open(w, NXAST.DEC_TTL_CNT_IDS);
      w.u16(action.ids.length);
      w.zeros(4);
      w.room(2 * action.ids.length + 8);
      for (const id of action.ids) w.u16(id);
      return close(w, start);
    }
    case 'check_pkt_larger': {
      const start = open(w, NXAST.CHECK_PKT_LARGER, 24);
      w.u16(action.length);
      w.u16(action.dst.offset);
      encodeHeader(w, fieldOf(action.dst.field));
      return w.zeros(start + 24 - w.pos);
    }
    case 'delete_field': {
      const start = open(w, NXAST.DELETE_FIELD, 24);
      encodeHeader(w, fieldOf(action.field));
      return w.zeros(start + 24 - w.pos);
    }
    case 'stack_push':
    case 'stack_pop': {
      const start = open(w, action.kind === 'stack_push' ? NXAST.STACK_PUSH : NXAST.STACK_POP, 24);
      w.u16(action.subfield.offset);
      encodeHeader(w, fieldOf(action.subfield.field));
      w.u16(action.subfield.bits);
      return w.zeros(start + 24 - w.pos);
    }
    case 'output_reg':
      return encodeOutputReg(w, action);
    case 'output_trunc':
      open(w, NXAST.OUTPUT_TRUNC, 16);
      w.u16(port16(action.port));
      return w.u32(action.max_len);
    case 'learn': {
      const start = open(w, isLearn2(action) ? NXAST.LEARN2 : NXAST.LEARN);
      encodeLearnBody(w, action);
      return close(w, start);
    }
    case 'multipath':
      open(w, NXAST.MULTIPATH, 32);
      w.u16(action.fields);
      w.u16(action.basis);
      w.zeros(2);
      w.u16(action.algorithm);
      w.u16(action.max_link);
      w.u32(action.arg);
      w.zeros(2);
      encodeOfsNbits(w, action.dst);
      return encodeHeader4(w, fieldOf(action.dst.field));
    case 'bundle':
      return encodeBundle(w, action);
    case 'sample':
      return encodeSample(w, action);
    case 'fin_timeout':
      open(w, NXAST.FIN_TIMEOUT, 16);
      w.u16(action.fin_idle_timeout);
      w.u16(action.fin_hard_timeout);
      return w.zeros(2);
    case 'encap': {
      const start = open(w, NXAST.ENCAP);
      w.u16(action.header_size);
      w.u32(action.packet_type);
      w.bytes(action.properties);
      return close(w, start);
    }
    case 'decap':
      open(w, NXAST.DECAP, 16);
      w.zeros(2);
      return w.u32(action.packet_type);
    default:
      throw new EncodeError('bad_value', `unknown action ${(action as { kind: string }).kind}`);
  }
}
