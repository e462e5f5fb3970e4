/**
 * Instruction lists on the wire (OpenFlow 1.3.5 §7.2.4).
 */
import type { Instruction } from './action.js';
import { decodeActions } from './action-decode.js';
import { encodeActions } from './action-encode.js';
import { EncodeError, OF_ERRORS } from './errors.js';
import { close } from './nicira-encode.js';
import { exactly, fail, need, slice } from './read.js';
import type { Writer } from './writer.js';

const OF = OF_ERRORS.bad_instruction_len;

/** The instructions that fill `start` to `end`. */
export function decodeInstructions(view: DataView, start: number, end: number): Instruction[] {
  const instructions: Instruction[] = [];
  let o = start;
  while (o < end) {
    need(o, end, 8, 'an instruction', OF);
    const length = view.getUint16(o + 2);
    if (length < 8 || length > end - o || (length & 7) !== 0) fail('bad_length', o + 2, 'an instruction length of 8, 16, … that fits', OF);
    instructions.push(decodeInstruction(view, o, o + length));
    o += length;
  }
  return instructions;
}

function decodeInstruction(view: DataView, o: number, end: number): Instruction {
  const type = view.getUint16(o);
  switch (type) {
    case 1:
      exactly(o, end, 8, 'a goto_table instruction', OF);
      return { kind: 'goto_table', table: view.getUint8(o + 4) };
    case 2:
      exactly(o, end, 24, 'a write_metadata instruction', OF);
      return { kind: 'write_metadata', metadata: view.getBigUint64(o + 8), mask: view.getBigUint64(o + 16) };
    case 3:
      return { kind: 'write_actions', actions: decodeActions(view, o + 8, end) };
    case 4:
      return { kind: 'apply_actions', actions: decodeActions(view, o + 8, end) };
    case 5:
      exactly(o, end, 8, 'a clear_actions instruction', OF);
      return { kind: 'clear_actions' };
    case 6:
      exactly(o, end, 8, 'a meter instruction', OF);
      return { kind: 'meter', meter_id: view.getUint32(o + 4) };
    case 0xffff:
      return { kind: 'experimenter', experimenter: view.getUint32(o + 4), data: slice(view, o + 8, end) };
    default:
      return { kind: 'unknown', type, data: slice(view, o + 4, end) };
  }
}

export function encodeInstructions(w: Writer, instructions: readonly Instruction[]): void {
  for (const instruction of instructions) encodeInstruction(w, instruction);
}

function encodeInstruction(w: Writer, instruction: Instruction): void {
  w.room(24);
  switch (instruction.kind) {
    case 'goto_table':
      w.u32((1 << 16) | 8);
      return w.u32((instruction.table << 24) >>> 0);
    case 'write_metadata':
      w.u32((2 << 16) | 24);
      w.u32(0);
      w.u64(instruction.metadata);
      return w.u64(instruction.mask);
    case 'write_actions':
    case 'apply_actions': {
      const start = w.pos;
      w.u32((instruction.kind === 'write_actions' ? 3 : 4) << 16);
      w.u32(0);
      encodeActions(w, instruction.actions);
      w.view.setUint16(start + 2, w.pos - start);
      return;
    }
    case 'clear_actions':
      w.u32((5 << 16) | 8);
      return w.u32(0);
    case 'meter':
      w.u32((6 << 16) | 8);
      return w.u32(instruction.meter_id);
    case 'experimenter': {
      const start = w.pos;
      w.u32(0xffff0000);
      w.u32(instruction.experimenter);
      w.bytes(instruction.data);
      return close(w, start);
    }
    case 'unknown': {
      const start = w.pos;
      w.u16(instruction.type);
      w.u16(0);
      w.bytes(instruction.data);
      return close(w, start);
    }
    default:
      throw new EncodeError('bad_value', `unknown instruction ${(instruction as { kind: string }).kind}`);
  }
}
