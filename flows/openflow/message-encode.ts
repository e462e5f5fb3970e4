/**
 * Messages, value to wire (OpenFlow 1.3.5 §7).
 *
 * Promises: the inverse of message-decode.ts. `encodeInto` writes header and body; the length word is patched last.
 */
import { encodeActions } from './action-encode.js';
import { GROUPS, NO_BUFFER, PORTS } from './constants.js';
import { encodeBands, encodeBuckets, groupTypeCode } from './group-meter.js';
import { encodeInstructions } from './instruction.js';
import { codeOf, EXPERIMENTER_TYPE, FLOW_COMMANDS, GROUP_ADD_OR_MODIFY, MOD_COMMANDS, openMessage, ROLES } from './message-header.js';
import { encodeOnf } from './onf-message.js';
import { encodeQueues } from './queue-config.js';
import type { ErrorMessage, FlowModMessage, HelloMessage, Message } from './message.js';
import { encodePort, encodeReplyBody, encodeRequestBody, multipartType } from './multipart-encode.js';
import { encodeNiciraMessage } from './nicira-message.js';
import { encodeMatch } from './oxm.js';
import type { Writer } from './writer.js';

const TYPE = {
  hello: 0,
  error: 1,
  echo_request: 2,
  echo_reply: 3,
  features_request: 5,
  features_reply: 6,
  get_config_request: 7,
  get_config_reply: 8,
  set_config: 9,
  packet_in: 10,
  flow_removed: 11,
  port_status: 12,
  packet_out: 13,
  flow_mod: 14,
  group_mod: 15,
  port_mod: 16,
  table_mod: 17,
  multipart_request: 18,
  multipart_reply: 19,
  barrier_request: 20,
  barrier_reply: 21,
  queue_get_config_request: 22,
  queue_get_config_reply: 23,
  role_request: 24,
  role_reply: 25,
  get_async_request: 26,
  get_async_reply: 27,
  set_async: 28,
  meter_mod: 29,
} as const;

/** The whole message at the writer's position. */
export function encodeInto(w: Writer, message: Message, xid: number): void {
  const start = w.pos;
  encodeMessageBody(w, message, xid);
  const length = w.pos - start;
  w.view.setUint16(start + 2, length);
}

function encodeMessageBody(w: Writer, message: Message, xid: number): void {
  switch (message.kind) {
    case 'flow_mod':
      openMessage(w, TYPE.flow_mod, xid);
      return encodeFlowMod(w, message);
    case 'packet_out': {
      openMessage(w, TYPE.packet_out, xid);
      w.u32(message.buffer_id ?? NO_BUFFER);
      w.u32(message.in_port);
      const length = w.pos;
      w.zeros(8);
      encodeActions(w, message.actions);
      w.view.setUint16(length, w.pos - length - 8);
      return w.bytes(message.data);
    }
    case 'hello':
      return encodeHello(w, message, xid);
    case 'error':
      return encodeError(w, message, xid);
    case 'echo_request':
    case 'echo_reply':
      openMessage(w, TYPE[message.kind], xid);
      return w.bytes(message.data);
    case 'features_request':
    case 'get_config_request':
    case 'barrier_request':
    case 'barrier_reply':
    case 'get_async_request':
      openMessage(w, TYPE[message.kind], xid);
      return;
    case 'features_reply':
      openMessage(w, TYPE.features_reply, xid);
      w.u64(message.datapath_id);
      w.u32(message.n_buffers);
      w.u8(message.n_tables);
      w.u8(message.auxiliary_id);
      w.zeros(2);
      w.u32(message.capabilities);
      return w.u32(message.reserved);
    case 'get_config_reply':
    case 'set_config':
      openMessage(w, TYPE[message.kind], xid);
      w.u16(message.flags);
      return w.u16(message.miss_send_len);
    case 'packet_in':
      openMessage(w, TYPE.packet_in, xid);
      w.u32(message.buffer_id);
      w.u16(message.total_len);
      w.u8(message.reason);
      w.u8(message.table);
      w.u64(message.cookie);
      encodeMatch(w, message.match);
      w.zeros(2);
      return w.bytes(message.data);
    case 'flow_removed':
      openMessage(w, TYPE.flow_removed, xid);
      w.u64(message.cookie);
      w.u16(message.priority);
      w.u8(message.reason);
      w.u8(message.table);
      w.u32(message.duration_sec);
      w.u32(message.duration_nsec);
      w.u16(message.idle_timeout);
      w.u16(message.hard_timeout);
      w.u64(message.packet_count);
      w.u64(message.byte_count);
      return encodeMatch(w, message.match);
    case 'port_status':
      openMessage(w, TYPE.port_status, xid);
      w.u8(message.reason);
      w.zeros(7);
      return encodePort(w, message.port);
    case 'group_mod':
      openMessage(w, TYPE.group_mod, xid);
      w.u16(message.command === 'add_or_modify' ? GROUP_ADD_OR_MODIFY : codeOf(MOD_COMMANDS, message.command));
      w.u8(groupTypeCode(message.group.type));
      w.u8(0);
      w.u32(message.group.group_id);
      return encodeBuckets(w, message.group.buckets, message.group.type);
    case 'port_mod':
      openMessage(w, TYPE.port_mod, xid);
      w.u32(message.port_no);
      w.u32(0);
      w.u48(message.hw_addr);
      w.u16(0);
      w.u32(message.config);
      w.u32(message.mask);
      w.u32(message.advertise);
      return w.u32(0);
    case 'table_mod':
      openMessage(w, TYPE.table_mod, xid);
      w.u8(message.table);
      w.zeros(3);
      return w.u32(message.config);
    case 'multipart_request':
      multipart(w, TYPE.multipart_request, xid, multipartType(message.body), message.flags);
      return encodeRequestBody(w, message.body);
    case 'multipart_reply':
      multipart(w, TYPE.multipart_reply, xid, multipartType(message.body), message.flags);
      return encodeReplyBody(w, message.body);
    case 'queue_get_config_request':
      openMessage(w, TYPE.queue_get_config_request, xid);
      w.u32(message.port);
      return w.u32(0);
    case 'queue_get_config_reply':
      openMessage(w, TYPE.queue_get_config_reply, xid);
      w.u32(message.port);
      w.u32(0);
      return encodeQueues(w, message.queues);
    case 'role_request':
    case 'role_reply':
      openMessage(w, TYPE[message.kind], xid);
      w.u32(codeOf(ROLES, message.role));
      w.u32(0);
      return w.u64(message.generation_id);
    case 'get_async_reply':
    case 'set_async':
      openMessage(w, TYPE[message.kind], xid);
      for (const mask of [...message.packet_in_mask, ...message.port_status_mask, ...message.flow_removed_mask]) w.u32(mask);
      return;
    case 'meter_mod':
      openMessage(w, TYPE.meter_mod, xid);
      w.u16(codeOf(MOD_COMMANDS, message.command));
      w.u16(message.meter.flags);
      w.u32(message.meter.meter_id);
      return encodeBands(w, message.meter.bands);
    case 'bundle_add':
    case 'bundle_control':
    case 'role_status':
    case 'requestforward':
    case 'flow_monitor_cancel':
    case 'flow_monitor_paused':
    case 'flow_monitor_resumed':
      return encodeOnf(w, message, xid, encodeInto);
    case 'experimenter':
      openMessage(w, EXPERIMENTER_TYPE, xid);
      w.u32(message.experimenter);
      w.u32(message.exp_type);
      return w.bytes(message.data);
    case 'unknown':
      openMessage(w, message.type, xid);
      return w.bytes(message.data);
    default:
      openMessage(w, EXPERIMENTER_TYPE, xid);
      return encodeNiciraMessage(w, message);
  }
}

function multipart(w: Writer, messageType: number, xid: number, type: number, flags: number): void {
  openMessage(w, messageType, xid);
  w.u16(type);
  w.u16(flags);
  w.u32(0);
}

function encodeFlowMod(w: Writer, message: FlowModMessage): void {
  const flow = message.flow;
  w.u64(flow.cookie);
  w.u64(message.cookie_mask ?? 0n);
  w.u8(flow.table);
  w.u8(codeOf(FLOW_COMMANDS, message.command));
  w.u16(flow.idle_timeout ?? 0);
  w.u16(flow.hard_timeout ?? 0);
  w.u16(flow.priority);
  w.u32(message.buffer_id ?? NO_BUFFER);
  w.u32(message.out_port ?? PORTS.ANY);
  w.u32(message.out_group ?? GROUPS.ANY);
  w.u16(flow.flags ?? 0);
  w.u16(0);
  encodeMatch(w, flow.match);
  encodeInstructions(w, flow.instructions);
}

function encodeHello(w: Writer, message: HelloMessage, xid: number): void {
  const start = openMessage(w, TYPE.hello, xid, message.version);
  for (const element of message.elements) {
    w.pad8(start);
    const from = w.pos;
    w.room(8);
    w.u16(element.kind === 'unknown' ? element.type : 1);
    w.u16(0);
    if (element.kind === 'unknown') {
      w.bytes(element.data);
    } else {
      w.room(4 * element.bitmaps.length);
      for (const bitmap of element.bitmaps) w.u32(bitmap);
    }
    w.view.setUint16(from + 2, w.pos - from);
  }
  w.pad8(start);
}

function encodeError(w: Writer, message: ErrorMessage, xid: number): void {
  openMessage(w, TYPE.error, xid, message.version);
  w.u16(message.type);
  w.u16(message.code);
  if (message.experimenter !== undefined) w.u32(message.experimenter);
  w.bytes(message.data);
}
