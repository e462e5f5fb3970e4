/**
 * Nicira actions without nested actions, wire to value (ovs-actions(7), lib/ofp-actions.c).
 *
 * Assumes: the action header was checked: `end - o` is the action's length, a multiple of 8 of at least 16, and the vendor is Nicira.
 * Promises: undefined for contents that have no value here (unknown field, reserved bits in use): the caller keeps the bytes.
 */
import type { Action, ControllerAction, NatAction } from './action.js';
import { PACKET_IN_REASONS } from './constants.js';
import { OF_ERRORS } from './errors.js';
import type { FieldInfo } from './fields.js';
import { decodeLearn } from './learn.js';
import type { FieldValue } from './match.js';
import { NXAST } from './nicira-subtypes.js';
import { decodeHeader, decodeOfsNbits, decodeOxm, decodeSubfield, headerSize } from './oxm.js';
import { align8, exactly, fail, need, slice, u128 } from './read.js';

const OF = OF_ERRORS.bad_action_len;

/** 16-bit OpenFlow 1.0 port number to 32 bits. */
export function port16(port: number): number {
  return port >= 0xff00 ? 0xffff0000 + port : port;
}

function header(view: DataView, o: number, end: number): { field: FieldInfo | undefined; next: number } {
  const size = headerSize(view, o, end);
  if (size === 0) fail('truncated', o, 'a field header', OF);
  return { field: decodeHeader(view, o, size), next: o + size };
}

/** What a load of `bits` bits at `offset` does to the field, as value and mask. */
function loadValue(
  field: FieldInfo,
  offset: number,
  bits: number,
  value: bigint,
): { value: FieldValue; mask: FieldValue | undefined } | undefined {
  if (field.type === 'bytes' || value >> BigInt(bits) !== 0n) return undefined;
  const shifted = value << BigInt(offset);
  const whole = bits === field.bits;
  const mask = ((1n << BigInt(bits)) - 1n) << BigInt(offset);
  if (field.type === 'bigint') return { value: shifted, mask: whole ? undefined : mask };
  return { value: Number(shifted), mask: whole ? undefined : Number(mask) };
}

function decodeRegLoad(view: DataView, o: number): Action | undefined {
  const field = decodeHeader(view, o + 12, 4);
  if (field === undefined) return undefined;
  const { offset, bits } = decodeOfsNbits(view, o + 10, field);
  const load = loadValue(field, offset, bits, view.getBigUint64(o + 16));
  return load && { kind: 'set_field', field: field.name, value: load.value, mask: load.mask, form: 'reg_load' };
}

function decodeRegLoad2(view: DataView, o: number, end: number): Action | undefined {
  const start = o + 10;
  need(start, end, 4, 'an OXM', OF);
  const next = start + 4 + view.getUint8(start + 3);
  if (align8(next - o) !== end - o) fail('bad_length', start, 'an OXM that fills its action', OF_ERRORS.bad_set_len);
  const oxm = decodeOxm(view, start, next, OF_ERRORS.bad_set_len);
  if (oxm.field === 'unknown') return undefined;
  return { kind: 'set_field', field: oxm.field, value: oxm.value, mask: oxm.mask, form: 'reg_load2' };
}

/** n_bits, src_ofs, dst_ofs at `o` and two headers at `headers`: NXAST_REG_MOVE and ONFACT_COPY_FIELD. */
export function decodeMove(view: DataView, o: number, headers: number, end: number): Action | undefined {
  const bits = view.getUint16(o);
  const src = header(view, headers, end);
  const dst = header(view, src.next, end);
  if (end - dst.next >= 8) fail('bad_length', dst.next, 'the end of the action', OF);
  if (src.field === undefined || dst.field === undefined) return undefined;
  return {
    kind: 'move',
    src: decodeSubfield(o + 2, src.field, view.getUint16(o + 2), bits),
    dst: decodeSubfield(o + 4, dst.field, view.getUint16(o + 4), bits),
  };
}

function decodeResubmit(view: DataView, o: number, subtype: number): Action {
  const port = view.getUint16(o + 10);
  const in_port = port === 0xfff8 ? undefined : port16(port);
  if (subtype === NXAST.RESUBMIT) return { kind: 'resubmit', in_port, table: undefined, ct: undefined };
  return { kind: 'resubmit', in_port, table: view.getUint8(o + 12), ct: subtype === NXAST.RESUBMIT_TABLE_CT ? true : undefined };
}

function decodeMultipath(view: DataView, o: number): Action | undefined {
  const field = decodeHeader(view, o + 28, 4);
  if (field === undefined) return undefined;
  return {
    kind: 'multipath',
    fields: view.getUint16(o + 10),
    basis: view.getUint16(o + 12),
    algorithm: view.getUint16(o + 16),
    max_link: view.getUint16(o + 18),
    arg: view.getUint32(o + 20),
    dst: decodeOfsNbits(view, o + 26, field),
  };
}

const NXM_OF_IN_PORT = 0x00000002;

function decodeBundle(view: DataView, o: number, end: number, load: boolean): Action | undefined {
  need(o, end, 32, 'a bundle action', OF);
  const count = view.getUint16(o + 20);
  if (align8(2 * count) !== end - o - 32) fail('bad_length', o + 20, 'as many members as the action has room for', OF);
  const field = load ? decodeHeader(view, o + 24, 4) : undefined;
  if (view.getUint32(o + 16) !== NXM_OF_IN_PORT || (load && field === undefined)) return undefined;
  const ports: number[] = [];
  for (let i = 0; i < count; i++) ports.push(port16(view.getUint16(o + 32 + 2 * i)));
  return {
    kind: 'bundle',
    algorithm: view.getUint16(o + 10),
    fields: view.getUint16(o + 12),
    basis: view.getUint16(o + 14),
    ports,
    dst: field && decodeOfsNbits(view, o + 22, field),
  };
}

function decodeOutputReg(view: DataView, o: number, end: number, wide: boolean): Action | undefined {
  exactly(o, end, 24, 'an output_reg action', OF);
  const { field } = header(view, wide ? o + 14 : o + 12, wide ? end : o + 16);
  if (field === undefined) return undefined;
  return { kind: 'output_reg', src: decodeOfsNbits(view, o + 10, field), max_len: view.getUint16(wide ? o + 12 : o + 16) };
}

function reason(code: number): ControllerAction['reason'] {
  return PACKET_IN_REASONS[code] ?? code;
}

function decodeController2(view: DataView, start: number, end: number): Action | undefined {
  const action: { -readonly [K in keyof ControllerAction]: ControllerAction[K] } = {
    kind: 'controller',
    max_len: undefined,
    controller_id: undefined,
    reason: undefined,
    userdata: undefined,
    pause: undefined,
    meter_id: undefined,
  };
  let known = true;
  for (let o = start + 16; o < end;) {
    need(o, end, 4, 'a controller property', OF);
    const length = view.getUint16(o + 2);
    if (length < 4 || align8(length) > end - o) fail('bad_length', o + 2, 'a property length of at least 4 that fits', OF);
    const stop = o + length;
    switch (view.getUint16(o)) {
      case 0:
        need(o, stop, 6, 'max_len', OF);
        action.max_len = view.getUint16(o + 4);
        break;
      case 1:
        need(o, stop, 6, 'controller_id', OF);
        action.controller_id = view.getUint16(o + 4);
        break;
      case 2:
        need(o, stop, 5, 'reason', OF);
        action.reason = reason(view.getUint8(o + 4));
        break;
      case 3:
        action.userdata = slice(view, o + 4, stop);
        break;
      case 4:
        exactly(o, stop, 4, 'pause', OF);
        action.pause = true;
        break;
      case 5:
        exactly(o, stop, 8, 'meter_id', OF);
        action.meter_id = view.getUint32(o + 4);
        break;
      default:
        known = false;
    }
    o += align8(length);
  }
  if (!known) return undefined;
  // Without any of these it would be written as NXAST_CONTROLLER.
  if (action.userdata === undefined && action.pause === undefined && action.meter_id === undefined) action.userdata = new Uint8Array(0);
  return action;
}

function decodeCounterIds(view: DataView, o: number, end: number): Action {
  const count = view.getUint16(o + 10);
  if (align8(2 * count) !== end - o - 16) fail('bad_length', o + 10, 'as many controller ids as the action has room for', OF);
  const ids: number[] = [];
  for (let i = 0; i < count; i++) ids.push(view.getUint16(o + 16 + 2 * i));
  return { kind: 'dec_ttl_cnt_ids', ids };
}

function decodeStack(view: DataView, o: number, kind: 'stack_push' | 'stack_pop', end: number): Action | undefined {
  exactly(o, end, 24, 'a stack action', OF);
  const { field, next } = header(view, o + 12, end);
  if (field === undefined) return undefined;
  return { kind, subfield: decodeSubfield(o + 10, field, view.getUint16(o + 10), view.getUint16(next)) };
}

function decodeSample(view: DataView, o: number, subtype: number, end: number): Action | undefined {
  const wide = subtype !== NXAST.SAMPLE;
  exactly(o, end, wide ? 32 : 24, 'a sample action', OF);
  const direction = subtype === NXAST.SAMPLE3 ? view.getUint8(o + 26) : 0;
  if (direction > 2 || (subtype === NXAST.SAMPLE3 && direction === 0)) return undefined;
  return {
    kind: 'sample',
    probability: view.getUint16(o + 10),
    collector_set_id: view.getUint32(o + 12),
    obs_domain_id: view.getUint32(o + 16),
    obs_point_id: view.getUint32(o + 20),
    sampling_port: wide ? port16(view.getUint16(o + 24)) : undefined,
    direction: direction === 0 ? undefined : direction === 1 ? 'ingress' : 'egress',
  };
}

function decodeNat(view: DataView, o: number, end: number): Action | undefined {
  const flags = view.getUint16(o + 12);
  const present = view.getUint16(o + 14);
  const nat: { -readonly [K in keyof NatAction]: NatAction[K] } = {
    kind: 'nat',
    direction: (flags & 1) !== 0 ? 'src' : (flags & 2) !== 0 ? 'dst' : undefined,
    persistent: (flags & 4) !== 0 ? true : undefined,
    hash: (flags & 8) !== 0 ? true : undefined,
    random: (flags & 16) !== 0 ? true : undefined,
    ipv4_min: undefined,
    ipv4_max: undefined,
    ipv6_min: undefined,
    ipv6_max: undefined,
    port_min: undefined,
    port_max: undefined,
  };
  let at = o + 16;
  const take = (bit: number, size: number): number => {
    if ((present & bit) === 0) return -1;
    need(at, end, size, 'a NAT range', OF);
    at += size;
    return at - size;
  };
  let p = take(1, 4);
  if (p >= 0) nat.ipv4_min = view.getUint32(p);
  p = take(2, 4);
  if (p >= 0) nat.ipv4_max = view.getUint32(p);
  p = take(4, 16);
  if (p >= 0) nat.ipv6_min = u128(view, p);
  p = take(8, 16);
  if (p >= 0) nat.ipv6_max = u128(view, p);
  p = take(16, 2);
  if (p >= 0) nat.port_min = view.getUint16(p);
  p = take(32, 2);
  if (p >= 0) nat.port_max = view.getUint16(p);
  if (end - at >= 8) fail('bad_length', at, 'the end of the NAT action', OF);
  return (flags & 3) === 3 || flags > 31 || present > 63 ? undefined : nat;
}

function deleteField(view: DataView, o: number, end: number): Action | undefined {
  exactly(o, end, 24, 'a delete_field action', OF);
  const { field } = header(view, o + 10, end);
  return field && { kind: 'delete_field', field: field.name };
}

function checkPktLarger(view: DataView, o: number, end: number): Action | undefined {
  const { field } = header(view, o + 14, end);
  return (
    field && {
      kind: 'check_pkt_larger',
      length: view.getUint16(o + 10),
      dst: decodeSubfield(o + 12, field, view.getUint16(o + 12), 1),
    }
  );
}

/** The Nicira action of `subtype` at `o`. */
export function decodeNicira(view: DataView, o: number, end: number, subtype: number): Action | undefined {
  switch (subtype) {
    case NXAST.RESUBMIT:
    case NXAST.RESUBMIT_TABLE:
    case NXAST.RESUBMIT_TABLE_CT:
      exactly(o, end, 16, 'a resubmit action', OF);
      return decodeResubmit(view, o, subtype);
    case NXAST.SET_TUNNEL:
      exactly(o, end, 16, 'a set_tunnel action', OF);
      return { kind: 'set_tunnel', tun_id: BigInt(view.getUint32(o + 12)), wide: false };
    case NXAST.SET_TUNNEL64:
      exactly(o, end, 24, 'a set_tunnel64 action', OF);
      return { kind: 'set_tunnel', tun_id: view.getBigUint64(o + 16), wide: true };
    case NXAST.POP_QUEUE:
      exactly(o, end, 16, 'a pop_queue action', OF);
      return { kind: 'pop_queue' };
    case NXAST.REG_MOVE:
      need(o, end, 24, 'a reg_move action', OF);
      return decodeMove(view, o + 10, o + 16, end);
    case NXAST.REG_LOAD:
      exactly(o, end, 24, 'a reg_load action', OF);
      return decodeRegLoad(view, o);
    case NXAST.REG_LOAD2:
      return decodeRegLoad2(view, o, end);
    case NXAST.NOTE:
      return { kind: 'note', data: slice(view, o + 10, end) };
    case NXAST.MULTIPATH:
      exactly(o, end, 32, 'a multipath action', OF);
      return decodeMultipath(view, o);
    case NXAST.BUNDLE:
    case NXAST.BUNDLE_LOAD:
      return decodeBundle(view, o, end, subtype === NXAST.BUNDLE_LOAD);
    case NXAST.OUTPUT_REG:
    case NXAST.OUTPUT_REG2:
      return decodeOutputReg(view, o, end, subtype === NXAST.OUTPUT_REG2);
    case NXAST.LEARN:
    case NXAST.LEARN2:
      return decodeLearn(view, o, end, subtype === NXAST.LEARN2);
    case NXAST.EXIT:
      exactly(o, end, 16, 'an exit action', OF);
      return { kind: 'exit' };
    case NXAST.FIN_TIMEOUT:
      exactly(o, end, 16, 'a fin_timeout action', OF);
      return { kind: 'fin_timeout', fin_idle_timeout: view.getUint16(o + 10), fin_hard_timeout: view.getUint16(o + 12) };
    case NXAST.CONTROLLER:
      exactly(o, end, 16, 'a controller action', OF);
      return {
        kind: 'controller',
        max_len: view.getUint16(o + 10),
        controller_id: view.getUint16(o + 12),
        reason: reason(view.getUint8(o + 14)),
        userdata: undefined,
        pause: undefined,
        meter_id: undefined,
      };
    case NXAST.CONTROLLER2:
      return decodeController2(view, o, end);
    case NXAST.DEC_TTL_CNT_IDS:
      return decodeCounterIds(view, o, end);
    case NXAST.STACK_PUSH:
      return decodeStack(view, o, 'stack_push', end);
    case NXAST.STACK_POP:
      return decodeStack(view, o, 'stack_pop', end);
    case NXAST.SAMPLE:
    case NXAST.SAMPLE2:
    case NXAST.SAMPLE3:
      return decodeSample(view, o, subtype, end);
    case NXAST.CONJUNCTION:
      exactly(o, end, 16, 'a conjunction action', OF);
      return { kind: 'conjunction', clause: view.getUint8(o + 10), n_clauses: view.getUint8(o + 11), id: view.getUint32(o + 12) };
    case NXAST.NAT:
      return decodeNat(view, o, end);
    case NXAST.OUTPUT_TRUNC:
      exactly(o, end, 16, 'an output_trunc action', OF);
      return { kind: 'output_trunc', port: port16(view.getUint16(o + 10)), max_len: view.getUint32(o + 12) };
    case NXAST.CT_CLEAR:
      exactly(o, end, 16, 'a ct_clear action', OF);
      return { kind: 'ct_clear' };
    case NXAST.ENCAP:
      return {
        kind: 'encap',
        header_size: view.getUint16(o + 10),
        packet_type: view.getUint32(o + 12),
        properties: slice(view, o + 16, end),
      };
    case NXAST.DECAP:
      exactly(o, end, 16, 'a decap action', OF);
      return { kind: 'decap', packet_type: view.getUint32(o + 12) };
    case NXAST.DEC_NSH_TTL:
      exactly(o, end, 16, 'a dec_nsh_ttl action', OF);
      return { kind: 'dec_nsh_ttl' };
    case NXAST.CHECK_PKT_LARGER:
      exactly(o, end, 24, 'a check_pkt_larger action', OF);
      return checkPktLarger(view, o, end);
    case NXAST.DELETE_FIELD:
      return deleteField(view, o, end);
    default:
      return undefined;
  }
}
