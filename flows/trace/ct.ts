/**
 * The `ct` action.
 *
 * Owns: what goes to conntrack, what the packet goes on with, and what is left of it where it was.
 * Promises: as compose_conntrack_action of Open vSwitch 3.1: the list goes on with an untracked packet; with `table` a copy goes on from there with
 * the answer and the stack.
 */
import type { FieldName } from '../openflow/fields.js';
import { applyBits, readBits, readWide, slot, writeBits, writeWide } from './layout.js';
import type { Machine } from './machine.js';
import { fieldBits } from './microflow.js';
import type { Operation } from './operation.js';
import type { CtAnswer } from './conntrack.js';
import type { WorkingPacket } from './working-packet.js';

const STATE = slot('ct_state');
const ZONE = slot('ct_zone');
const MARK = slot('ct_mark');
const LABEL = slot('ct_label');

export function performCt(machine: Machine, operation: Extract<Operation, { kind: 'ct' }>): void {
  const { action, exec, nat, masks } = operation;
  if (action.table !== undefined && machine.packet.actionSet.length > 0) {
    // recirc_alloc_id__ asserts that there is none: ovs-vswitchd itself goes down.
    machine.fail('ct(table=) with a pending action set makes Open vSwitch 3.1 abort');
    return;
  }
  const { packet, pass, table } = machine;
  const zone =
    typeof operation.zone === 'number' ? operation.zone : readBits(packet.words, operation.zone, 0, Math.min(operation.zone.bits, 16));
  if (exec.length > 0) machine.execute(exec);
  const commit = action.commit === true;
  const force = action.force === true;
  const snapshot = packet.snapshot();
  const mark = { value: readBits(packet.words, MARK, 0, 32), mask: masks.mark };
  const label = { value: readWide(packet.words, LABEL), mask: masks.label };
  const recirculates = action.table !== undefined;
  const { quoted } = machine.context;
  const answer = machine.context.conntrack.track({ zone, packet: snapshot, quoted, commit, force, nat, mark, label, recirculates });
  if (commit) machine.record.commit({ pass, table, by: machine.by(), packet: snapshot, zone, force, mark, label, nat });
  if (answer === undefined) {
    machine.undecided(`conntrack of zone ${zone}`);
  } else if (action.table !== undefined && machine.hasExited) {
    // Open vSwitch 3.1 keeps what followed the exit and resumes with that instead of the table.
    machine.undecided('ct(table=) after an exit');
  } else if (action.table !== undefined) {
    const copy = packet.copy();
    copy.conntracked = true;
    writeAnswer(copy, zone, answer);
    const resumed = machine.queue({ packet: copy, table: action.table, via: 'ct' });
    machine.record.fork({ pass, resumed, zone, state: answer.state });
  } else if (nat !== undefined) {
    machine.undecided('ct with nat but without table: what is sent differs from what is matched');
  }
  packet.clearConntrack();
}

function writeAnswer({ words }: WorkingPacket, zone: number, answer: CtAnswer): void {
  writeBits(words, ZONE, 0, 16, zone);
  writeBits(words, STATE, 0, 32, answer.state);
  if (answer.mark !== undefined) writeBits(words, MARK, 0, 32, answer.mark);
  if (answer.label !== undefined) writeWide(words, LABEL, answer.label);
  for (const [field, value] of Object.entries(answer.rewrite ?? {})) applyBits(words, fieldBits(field as FieldName, value)!);
}
