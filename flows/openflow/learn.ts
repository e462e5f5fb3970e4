/**
 * The learn action on the wire: NXAST_LEARN and NXAST_LEARN2 (ovs-actions(7), nicira-ext.h).
 *
 * Promises: a learn action that names a field this build does not know is not decoded (undefined: the caller keeps the bytes);
 * one whose lengths do not add up throws DecodeError.
 */
import type { Action, LearnSpec } from './action.js';
import { EncodeError, OF_ERRORS } from './errors.js';
import type { FieldInfo } from './fields.js';
import type { Subfield } from './match.js';
import { decodeHeader, decodeSubfield, encodeHeader, fieldOf, headerSize } from './oxm.js';
import { fail, need } from './read.js';
import type { Writer } from './writer.js';

type LearnAction = Extract<Action, { kind: 'learn' }>;

const OF = OF_ERRORS.bad_action_len;
const LEARN_SIZE = 32;
const LEARN2_SIZE = 40;
/** flow_mod_spec header bits. */
const N_BITS = 0x3ff;
const SRC_IMMEDIATE = 0x2000;
const DST_MASK = 0x1800;
const DST_LOAD = 0x0800;
const DST_OUTPUT = 0x1000;
const RESERVED = 0xc000;
/** NX_LEARN_F_WRITE_RESULT. */
const WRITE_RESULT = 4;

const UNKNOWN = Symbol('field not known');

class SpecReader {
  readonly #view: DataView;
  readonly #end: number;
  o: number;

  constructor(view: DataView, o: number, end: number) {
    this.#view = view;
    this.o = o;
    this.#end = end;
  }

  get done(): boolean {
    return this.#end - this.o < 2;
  }

  u16(): number {
    need(this.o, this.#end, 2, 'a learn specification', OF);
    this.o += 2;
    return this.#view.getUint16(this.o - 2);
  }

  /** An immediate value: `bits` rounded up to 16, right-justified. */
  immediate(bits: number): bigint {
    const words = (bits + 15) >>> 4;
    need(this.o, this.#end, 2 * words, 'an immediate value', OF);
    let value = 0n;
    for (let i = 0; i < words; i++) value = (value << 16n) | BigInt(this.#view.getUint16(this.o + 2 * i));
    this.o += 2 * words;
    return value;
  }

  field(): FieldInfo | typeof UNKNOWN {
    const size = headerSize(this.#view, this.o, this.#end);
    if (size === 0) fail('truncated', this.o, 'a field header', OF);
    const field = decodeHeader(this.#view, this.o, size);
    this.o += size;
    return field ?? UNKNOWN;
  }

  subfield(bits: number): Subfield | typeof UNKNOWN {
    const field = this.field();
    const offset = this.u16();
    return field === UNKNOWN ? UNKNOWN : decodeSubfield(this.o - 2, field, offset, bits);
  }
}

function decodeSpec(reader: SpecReader, header: number): LearnSpec | typeof UNKNOWN {
  const bits = header & N_BITS;
  const target = header & DST_MASK;
  if (bits === 0) fail('bad_value', reader.o - 2, 'a learn specification of at least one bit', OF_ERRORS.bad_set_len);
  if ((header & RESERVED) !== 0 || target === DST_MASK) return UNKNOWN;
  const immediate = (header & SRC_IMMEDIATE) !== 0;
  if (target === DST_OUTPUT) {
    if (immediate) return UNKNOWN;
    const src = reader.subfield(bits);
    return src === UNKNOWN ? UNKNOWN : { kind: 'output', src };
  }
  const src = immediate ? reader.immediate(bits) : reader.subfield(bits);
  const dst = reader.subfield(bits);
  if (src === UNKNOWN || dst === UNKNOWN) return UNKNOWN;
  return { kind: target === DST_LOAD ? 'load' : 'match', src, dst };
}

/** The action at `o`, all `end - o` bytes of it; `wide` for NXAST_LEARN2. */
export function decodeLearn(view: DataView, o: number, end: number, wide: boolean): LearnAction | undefined {
  need(o, end, wide ? LEARN2_SIZE : LEARN_SIZE, 'a learn action', OF);
  const flags = view.getUint16(o + 24);
  const reader = new SpecReader(view, o + (wide ? LEARN2_SIZE : LEARN_SIZE), end);
  let result: Subfield | undefined;
  if (wide && (flags & WRITE_RESULT) !== 0) {
    const field = reader.field();
    if (field === UNKNOWN) return undefined;
    result = decodeSubfield(o + 36, field, view.getUint16(o + 36), 1);
  }
  const specs: LearnSpec[] = [];
  while (!reader.done) {
    const header = reader.u16();
    if (header === 0) break;
    const spec = decodeSpec(reader, header);
    if (spec === UNKNOWN) return undefined;
    specs.push(spec);
  }
  return {
    kind: 'learn',
    idle_timeout: view.getUint16(o + 10),
    hard_timeout: view.getUint16(o + 12),
    priority: view.getUint16(o + 14),
    cookie: view.getBigUint64(o + 16),
    flags: wide ? flags & ~WRITE_RESULT : flags,
    table: view.getUint8(o + 26),
    fin_idle_timeout: view.getUint16(o + 28),
    fin_hard_timeout: view.getUint16(o + 30),
    limit: wide ? view.getUint32(o + 32) : undefined,
    result_dst: result,
    specs,
  };
}

function encodeSubfield(w: Writer, subfield: Subfield): void {
  encodeHeader(w, fieldOf(subfield.field));
  w.u16(subfield.offset);
}

function encodeImmediate(w: Writer, value: bigint, bits: number): void {
  const words = (bits + 15) >>> 4;
  if (value < 0n || value >> BigInt(16 * words) !== 0n) throw new EncodeError('bad_value', `${value} does not fit ${bits} bits`);
  for (let shift = 16 * (words - 1); shift >= 0; shift -= 16) w.u16(Number((value >> BigInt(shift)) & 0xffffn));
}

function encodeSpec(w: Writer, spec: LearnSpec): void {
  w.room(256);
  const bits = spec.kind === 'output' ? spec.src.bits : spec.dst.bits;
  if (bits < 1 || bits > N_BITS) throw new EncodeError('bad_value', `learn: ${bits} bits`);
  if (spec.kind === 'output') {
    w.u16(DST_OUTPUT | bits);
    return encodeSubfield(w, spec.src);
  }
  const target = spec.kind === 'load' ? DST_LOAD : 0;
  if (typeof spec.src === 'bigint') {
    w.u16(SRC_IMMEDIATE | target | bits);
    encodeImmediate(w, spec.src, bits);
  } else {
    w.u16(target | bits);
    encodeSubfield(w, spec.src);
  }
  encodeSubfield(w, spec.dst);
}

/** Whether the action needs NXAST_LEARN2. */
export function isLearn2(action: LearnAction): boolean {
  return action.limit !== undefined || action.result_dst !== undefined;
}

/** Everything behind the 10-byte Nicira header. */
export function encodeLearnBody(w: Writer, action: LearnAction): void {
  w.room(64);
  w.u16(action.idle_timeout);
  w.u16(action.hard_timeout);
  w.u16(action.priority);
  w.u64(action.cookie);
  w.u16(action.flags | (action.result_dst === undefined ? 0 : WRITE_RESULT));
  w.u8(action.table);
  w.u8(0);
  w.u16(action.fin_idle_timeout);
  w.u16(action.fin_hard_timeout);
  if (isLearn2(action)) {
    w.u32(action.limit ?? 0);
    w.u16(action.result_dst?.offset ?? 0);
    w.u16(0);
    if (action.result_dst !== undefined) encodeHeader(w, fieldOf(action.result_dst.field));
  }
  for (const spec of action.specs) encodeSpec(w, spec);
}
