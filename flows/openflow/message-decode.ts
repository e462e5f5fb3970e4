/**
 * Messages, wire to value (OpenFlow 1.3.5 §7).
 *
 * Assumes: `start` to `end` is one whole message whose header was checked; offsets in errors count from the start of `view`.
 */
import { decodeActions } from './action-decode.js';
import { EXPERIMENTERS } from './constants.js';
import { OF_ERRORS } from './errors.js';
import { decodeBands, decodeBuckets, decodeGroupType } from './group-meter.js';
import { decodeInstructions } from './instruction.js';
import { decodeRole, FLOW_COMMANDS, GROUP_ADD_OR_MODIFY, HEADER_SIZE, MOD_COMMANDS } from './message-header.js';
import type {
  ErrorMessage,
  FlowModMessage,
  FlowRemovedMessage,
  GroupModMessage,
  HelloElement,
  Message,
  PacketInMessage,
  PacketOutMessage,
} from './message.js';
import { decodePort, decodeReplyBody, decodeRequestBody, PORT_SIZE } from './multipart-decode.js';
import { decodeNiciraMessage } from './nicira-message.js';
import { decodeOnf } from './onf-message.js';
import { decodeMatch, matchEnd } from './oxm.js';
import { decodeQueues } from './queue-config.js';
import { align8, exactly, fail, need, slice, u48 } from './read.js';

const OF = OF_ERRORS.bad_request_len;

/** The message between `start` and `end`; `nested` inside a bundle or a forwarded request, where neither may occur again. */
export function decodeBody(view: DataView, start: number, end: number, nested: boolean): Message {
  const o = start + HEADER_SIZE;
  const type = view.getUint8(start + 1);
  switch (type) {
    case 0:
      return { kind: 'hello', version: view.getUint8(start), elements: decodeHelloElements(view, o, end) };
    case 1:
      return decodeError(view, start, o, end);
    case 2:
      return { kind: 'echo_request', data: slice(view, o, end) };
    case 3:
      return { kind: 'echo_reply', data: slice(view, o, end) };
    case 4:
      return decodeExperimenter(view, start, end, nested);
    case 5:
      return empty(o, end, 'features_request');
    case 6:
      exactly(o, end, 24, 'features', OF);
      return {
        kind: 'features_reply',
        datapath_id: view.getBigUint64(o),
        n_buffers: view.getUint32(o + 8),
        n_tables: view.getUint8(o + 12),
        auxiliary_id: view.getUint8(o + 13),
        capabilities: view.getUint32(o + 16),
        reserved: view.getUint32(o + 20),
      };
    case 7:
      return empty(o, end, 'get_config_request');
    case 8:
    case 9:
      exactly(o, end, 4, 'a switch configuration', OF);
      return { kind: type === 8 ? 'get_config_reply' : 'set_config', flags: view.getUint16(o), miss_send_len: view.getUint16(o + 2) };
    case 10:
      return decodePacketIn(view, o, end);
    case 11:
      return decodeFlowRemoved(view, o, end);
    case 12:
      exactly(o, end, 8 + PORT_SIZE, 'a port status', OF);
      return { kind: 'port_status', reason: view.getUint8(o), port: decodePort(view, o + 8) };
    case 13:
      return decodePacketOut(view, o, end);
    case 14:
      return decodeFlowMod(view, o, end);
    case 15:
      need(o, end, 8, 'a group_mod', OF);
      return {
        kind: 'group_mod',
        command: decodeGroupCommand(view, o),
        group: { group_id: view.getUint32(o + 4), type: decodeGroupType(view, o + 2), buckets: decodeBuckets(view, o + 8, end) },
      };
    case 16:
      exactly(o, end, 32, 'a port_mod', OF);
      return {
        kind: 'port_mod',
        port_no: view.getUint32(o),
        hw_addr: u48(view, o + 8),
        config: view.getUint32(o + 16),
        mask: view.getUint32(o + 20),
        advertise: view.getUint32(o + 24),
      };
    case 17:
      exactly(o, end, 8, 'a table_mod', OF);
      return { kind: 'table_mod', table: view.getUint8(o), config: view.getUint32(o + 4) };
    case 18:
      need(o, end, 8, 'a multipart header', OF);
      return { kind: 'multipart_request', flags: view.getUint16(o + 2), body: decodeRequestBody(view, view.getUint16(o), o + 8, end) };
    case 19:
      need(o, end, 8, 'a multipart header', OF);
      return { kind: 'multipart_reply', flags: view.getUint16(o + 2), body: decodeReplyBody(view, view.getUint16(o), o + 8, end) };
    case 20:
      return empty(o, end, 'barrier_request');
    case 21:
      return empty(o, end, 'barrier_reply');
    case 22:
      exactly(o, end, 8, 'a queue request', OF);
      return { kind: 'queue_get_config_request', port: view.getUint32(o) };
    case 23:
      need(o, end, 8, 'a queue configuration', OF);
      return { kind: 'queue_get_config_reply', port: view.getUint32(o), queues: decodeQueues(view, o + 8, end) };
    case 24:
    case 25:
      exactly(o, end, 16, 'a role', OF);
      return { kind: type === 24 ? 'role_request' : 'role_reply', role: decodeRole(view, o), generation_id: view.getBigUint64(o + 8) };
    case 26:
      return empty(o, end, 'get_async_request');
    case 27:
    case 28:
      exactly(o, end, 24, 'an asynchronous configuration', OF);
      return {
        kind: type === 27 ? 'get_async_reply' : 'set_async',
        packet_in_mask: [view.getUint32(o), view.getUint32(o + 4)],
        port_status_mask: [view.getUint32(o + 8), view.getUint32(o + 12)],
        flow_removed_mask: [view.getUint32(o + 16), view.getUint32(o + 20)],
      };
    case 29:
      need(o, end, 8, 'a meter_mod', OF);
      return {
        kind: 'meter_mod',
        command: MOD_COMMANDS[view.getUint16(o)] ?? fail('bad_value', o, 'a meter command of 0 to 2', OF_ERRORS.bad_meter_command),
        meter: { meter_id: view.getUint32(o + 4), flags: view.getUint16(o + 2), bands: decodeBands(view, o + 8, end) },
      };
    default:
      return { kind: 'unknown', type, data: slice(view, o, end) };
  }
}

function decodeGroupCommand(view: DataView, o: number): GroupModMessage['command'] {
  const command = view.getUint16(o);
  if (command === GROUP_ADD_OR_MODIFY) return 'add_or_modify';
  return MOD_COMMANDS[command] ?? fail('bad_value', o, 'a group command of 0 to 2', OF_ERRORS.bad_group_command);
}

type HeaderOnly = 'features_request' | 'get_config_request' | 'barrier_request' | 'barrier_reply' | 'get_async_request';

function empty(o: number, end: number, kind: HeaderOnly): Message {
  exactly(o, end, 0, 'body', OF);
  return { kind };
}

function decodeHelloElements(view: DataView, start: number, end: number): HelloElement[] {
  const elements: HelloElement[] = [];
  let o = start;
  while (o < end) {
    need(o, end, 4, 'a hello element', OF);
    const type = view.getUint16(o);
    const length = view.getUint16(o + 2);
    if (length < 4 || length > end - o) fail('bad_length', o + 2, 'a hello element length of at least 4 that fits', OF);
    if (type === 1) {
      if (((length - 4) & 3) !== 0) fail('bad_length', o + 2, 'bitmaps of 4 bytes each', OF);
      const bitmaps: number[] = [];
      for (let at = o + 4; at < o + length; at += 4) bitmaps.push(view.getUint32(at));
      elements.push({ kind: 'version_bitmap', bitmaps });
    } else {
      elements.push({ kind: 'unknown', type, data: slice(view, o + 4, o + length) });
    }
    // The last element may come without its padding.
    o += align8(length);
  }
  return elements;
}

function decodeError(view: DataView, start: number, o: number, end: number): ErrorMessage {
  need(o, end, 4, 'an error', OF);
  const type = view.getUint16(o);
  const experimental = type === 0xffff;
  if (experimental) need(o, end, 8, 'an experimenter error', OF);
  const version = view.getUint8(start);
  return {
    kind: 'error',
    version: version === 4 ? undefined : version,
    type,
    code: view.getUint16(o + 2),
    experimenter: experimental ? view.getUint32(o + 4) : undefined,
    data: slice(view, experimental ? o + 8 : o + 4, end),
  };
}

function decodePacketIn(view: DataView, o: number, end: number): PacketInMessage {
  need(o, end, 26, 'a packet-in', OF);
  const data = matchEnd(view, o + 16, end - 2) + 2;
  return {
    kind: 'packet_in',
    buffer_id: view.getUint32(o),
    total_len: view.getUint16(o + 4),
    reason: view.getUint8(o + 6),
    table: view.getUint8(o + 7),
    cookie: view.getBigUint64(o + 8),
    match: decodeMatch(view, o + 16),
    data: slice(view, data, end),
  };
}

function decodeFlowRemoved(view: DataView, o: number, end: number): FlowRemovedMessage {
  need(o, end, 48, 'a flow_removed', OF);
  exactly(matchEnd(view, o + 40, end), end, 0, 'anything behind the match', OF);
  return {
    kind: 'flow_removed',
    cookie: view.getBigUint64(o),
    priority: view.getUint16(o + 8),
    reason: view.getUint8(o + 10),
    table: view.getUint8(o + 11),
    duration_sec: view.getUint32(o + 12),
    duration_nsec: view.getUint32(o + 16),
    idle_timeout: view.getUint16(o + 20),
    hard_timeout: view.getUint16(o + 22),
    packet_count: view.getBigUint64(o + 24),
    byte_count: view.getBigUint64(o + 32),
    match: decodeMatch(view, o + 40),
  };
}

function decodePacketOut(view: DataView, o: number, end: number): PacketOutMessage {
  need(o, end, 16, 'a packet_out', OF);
  const length = view.getUint16(o + 8);
  if (length > end - o - 16) fail('bad_length', o + 8, 'actions that fit the message', OF);
  return {
    kind: 'packet_out',
    buffer_id: view.getUint32(o),
    in_port: view.getUint32(o + 4),
    actions: decodeActions(view, o + 16, o + 16 + length),
    data: slice(view, o + 16 + length, end),
  };
}

function decodeFlowMod(view: DataView, o: number, end: number): FlowModMessage {
  need(o, end, 48, 'a flow_mod', OF);
  const instructions = matchEnd(view, o + 40, end);
  return {
    kind: 'flow_mod',
    command: FLOW_COMMANDS[view.getUint8(o + 17)] ?? fail('bad_value', o + 17, 'a flow command of 0 to 4', OF_ERRORS.bad_flow_command),
    flow: {
      table: view.getUint8(o + 16),
      priority: view.getUint16(o + 22),
      match: decodeMatch(view, o + 40),
      instructions: decodeInstructions(view, instructions, end),
      cookie: view.getBigUint64(o),
      idle_timeout: view.getUint16(o + 18),
      hard_timeout: view.getUint16(o + 20),
      flags: view.getUint16(o + 36),
    },
    cookie_mask: view.getBigUint64(o + 8),
    buffer_id: view.getUint32(o + 24),
    out_port: view.getUint32(o + 28),
    out_group: view.getUint32(o + 32),
  };
}

function decodeExperimenter(view: DataView, start: number, end: number, nested: boolean): Message {
  need(start + HEADER_SIZE, end, 8, 'an experimenter header', OF);
  const experimenter = view.getUint32(start + 8);
  const exp_type = view.getUint32(start + 12);
  const o = start + 16;
  const known =
    experimenter === EXPERIMENTERS.NICIRA
      ? decodeNiciraMessage(view, exp_type, o, end)
      : experimenter === EXPERIMENTERS.ONF
        ? decodeOnf(view, exp_type, start, end, nested ? undefined : decodeBody)
        : undefined;
  return known ?? { kind: 'experimenter', experimenter, exp_type, data: slice(view, o, end) };
}
