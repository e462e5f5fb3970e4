/**
 * What each action does.
 *
 * Owns: the run-time meaning of operations, one by one.
 * Promises: as do_xlate_actions of Open vSwitch 3.1 (ofproto/ofproto-dpif-xlate.c): an action on a field the packet lacks is skipped.
 */
import { PORTS } from '../openflow/constants.js';
import type { FieldName } from '../openflow/fields.js';
import { performCt } from './ct.js';
import { applyBits, copyBits, readBits, readRange, readWide, slot, writeBits, writeWide } from './layout.js';
import { symmetricHash } from './flow-hash.js';
import type { Machine } from './machine.js';
import { fixVlanType } from './microflow.js';
import type { Operation } from './operation.js';
import { hasField, isIp, meets } from './prerequisite.js';

const TTL = slot('nw_ttl');

/** Every operation but check_pkt_larger, which takes the rest of its list with it. */
export type SingleOperation = Exclude<Operation, { kind: 'check_pkt_larger' }>;

/** False if the rest of the list is not to be run. */
export function perform(machine: Machine, operation: SingleOperation): boolean {
  const { source } = operation;
  const { packet } = machine;
  const { words } = packet;
  switch (operation.kind) {
    case 'write':
      if (!meets(words, operation.prereq)) {
        machine.step(source, `the packet has no ${operation.field}: skipped`);
        return true;
      }
      change(machine, operation.field, source, () => {
        applyBits(words, operation.bits);
        if (operation.field.startsWith('vlan_')) fixVlanType(words);
      });
      return true;
    case 'move':
      if (!hasField(words, operation.from) || !hasField(words, operation.to)) {
        machine.step(source, `the packet has no ${operation.from} or no ${operation.to}: skipped`);
        return true;
      }
      change(machine, operation.to, source, () => copyBits(words, operation.src, operation.dst));
      return true;
    case 'stack_pop': {
      const value = packet.stack.pop();
      if (value === undefined) machine.step(source, 'the stack is empty: skipped');
      else change(machine, operation.field, source, () => writeWide(words, operation.range, value));
      return true;
    }
    case 'multipath': {
      const link = symmetricHash(words, operation.basis, operation.withUdp) % operation.links;
      change(machine, operation.field, source, () => writeWide(words, operation.dst, BigInt(link)));
      return true;
    }
    case 'dec_ttl':
      return decTtl(machine, operation);
    default:
      break;
  }

  machine.step(source, operation.kind === 'unmodelled' ? 'not modelled' : undefined);
  switch (operation.kind) {
    case 'goto':
      machine.enter(operation.table, 'goto_table', undefined, false);
      return true;
    case 'resubmit': {
      const inPort = operation.in_port === PORTS.IN_PORT ? undefined : operation.in_port;
      machine.enter(operation.table ?? machine.table, 'resubmit', inPort, operation.ct);
      return true;
    }
    case 'output':
      output(machine, operation.port, operation.max_len);
      return true;
    case 'output_reg': {
      const port = readWide(words, operation.src);
      if (port <= 0xffffn) output(machine, widenPort(Number(port)), operation.max_len);
      return true;
    }
    case 'group':
      return machine.group(operation.group_id);
    case 'controller': {
      const { reason, controller_id, userdata, meter_id, max_len, pause } = operation.action;
      machine.punt({ reason: reason ?? 'action', controller_id: controller_id ?? 0, userdata, meter_id, max_len });
      if (pause === true) machine.undecided('controller(pause): the controller decides how the packet goes on');
      return pause !== true;
    }
    case 'ct':
      performCt(machine, operation);
      return true;
    case 'ct_clear':
      if (packet.conntracked) packet.clearConntrack();
      return true;
    case 'clone':
      machine.clone(operation.body);
      return true;
    case 'write_actions':
      packet.writeActions(operation.actions);
      return true;
    case 'clear_actions':
      packet.clearActionSet();
      return true;
    case 'stack_push':
      packet.stack.push(readWide(words, operation.range));
      return true;
    case 'push_vlan':
      packet.pushVlan(operation.ethertype);
      return true;
    case 'pop_vlan':
      packet.popVlan();
      return true;
    case 'meter':
      machine.record.meter(operation.meter_id, machine.by());
      return true;
    case 'exit':
      machine.exit();
      return true;
    case 'nothing':
      return true;
    case 'unmodelled':
      machine.undecided(operation.why);
      return true;
  }
}

function change(machine: Machine, field: FieldName, source: Operation['source'], write: () => void): void {
  if (!machine.record.details) {
    write();
    return;
  }
  const { words } = machine.packet;
  const range = slot(field);
  const before = readRange(words, range);
  write();
  machine.step(source, undefined, { field, before, after: readRange(words, range) });
}

function decTtl(machine: Machine, { source, controllers }: Extract<Operation, { kind: 'dec_ttl' }>): boolean {
  const { words } = machine.packet;
  if (!isIp(words)) {
    machine.step(source, 'not an IP packet: skipped');
    return true;
  }
  const ttl = readBits(words, TTL, 0, 8);
  if (ttl > 1) {
    change(machine, 'nw_ttl', source, () => writeBits(words, TTL, 0, 8, ttl - 1));
    return true;
  }
  machine.step(source, 'the TTL runs out');
  for (const controller_id of controllers) machine.punt({ reason: 'invalid_ttl', controller_id, implicit: true });
  machine.note('ttl');
  return false;
}

function output(machine: Machine, port: number, max_len: number | undefined): void {
  const { inPort } = machine.packet;
  const { ports } = machine.context;
  switch (port) {
    case PORTS.IN_PORT:
      machine.emit(inPort);
      return;
    case PORTS.TABLE:
      machine.enter(0, 'output_table', undefined, false);
      return;
    case PORTS.NORMAL:
      machine.undecided('output to NORMAL');
      return;
    case PORTS.FLOOD:
    case PORTS.ALL:
      if (ports === undefined) machine.undecided('output to FLOOD or ALL without a list of ports');
      else for (const each of ports) if (each !== inPort) machine.emit(each);
      return;
    case PORTS.CONTROLLER:
      machine.punt({ reason: machine.inActionSet ? 'action_set' : 'action', controller_id: 0, max_len });
      return;
    case PORTS.ANY:
      return;
    default:
      if (port !== inPort) machine.emit(port);
      else machine.note('in_port');
  }
}

/** 16-bit port numbers of OpenFlow 1.0, as registers hold them, to those of 1.3. */
function widenPort(port: number): number {
  return port >= 0xff00 ? (port | 0xffff_0000) >>> 0 : port;
}
