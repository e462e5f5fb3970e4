/**
 * Nicira messages on the wire (nicira-ext.h of Open vSwitch): the body behind the 16-byte experimenter header.
 */
import { EXPERIMENTERS } from './constants.js';
import { EncodeError, OF_ERRORS } from './errors.js';
import { decodeCtFlush, encodeCtFlush } from './ct-flush.js';
import type {
  AsyncConfig2Message,
  AsyncProperty,
  Message,
  NxPacketInMessage,
  PacketIn2Message,
  TlvMapping,
  UnknownProperty,
} from './message.js';
import { decodeOxms, encodeOxms } from './oxm.js';
import { eachProperty, property, unknownProperties } from './property.js';
import { align8, exactly, fail, need, slice } from './read.js';
import type { Writer } from './writer.js';

const OF = OF_ERRORS.bad_request_len;

const NXT = {
  SET_FLOW_FORMAT: 12,
  FLOW_MOD_TABLE_ID: 15,
  SET_PACKET_IN_FORMAT: 16,
  PACKET_IN: 17,
  SET_ASYNC_CONFIG: 19,
  SET_CONTROLLER_ID: 20,
  TLV_TABLE_MOD: 24,
  TLV_TABLE_REQUEST: 25,
  TLV_TABLE_REPLY: 26,
  SET_ASYNC_CONFIG2: 27,
  RESUME: 28,
  CT_FLUSH_ZONE: 29,
  PACKET_IN2: 30,
  CT_FLUSH: 32,
} as const;

const TLV_COMMANDS = ['add', 'delete', 'clear'] as const;

/** The message of `subtype` whose body is `o` to `end`; undefined if this build does not know it. */
export function decodeNiciraMessage(view: DataView, subtype: number, o: number, end: number): Message | undefined {
  switch (subtype) {
    case NXT.SET_FLOW_FORMAT:
      exactly(o, end, 4, 'a flow format', OF);
      return { kind: 'set_flow_format', format: view.getUint32(o) };
    case NXT.FLOW_MOD_TABLE_ID:
      exactly(o, end, 8, 'a flow_mod_table_id setting', OF);
      return { kind: 'flow_mod_table_id', set: view.getUint8(o) !== 0 };
    case NXT.SET_PACKET_IN_FORMAT:
      exactly(o, end, 4, 'a packet-in format', OF);
      return { kind: 'set_packet_in_format', format: view.getUint32(o) };
    case NXT.PACKET_IN:
      return decodePacketIn(view, o, end);
    case NXT.SET_ASYNC_CONFIG:
      exactly(o, end, 24, 'an asynchronous configuration', OF);
      return {
        kind: 'nx_set_async_config',
        packet_in_mask: [view.getUint32(o), view.getUint32(o + 4)],
        port_status_mask: [view.getUint32(o + 8), view.getUint32(o + 12)],
        flow_removed_mask: [view.getUint32(o + 16), view.getUint32(o + 20)],
      };
    case NXT.SET_CONTROLLER_ID:
      exactly(o, end, 8, 'a controller id', OF);
      return { kind: 'set_controller_id', controller_id: view.getUint16(o + 6) };
    case NXT.TLV_TABLE_MOD:
      need(o, end, 8, 'a TLV table modification', OF);
      return {
        kind: 'tlv_table_mod',
        command: TLV_COMMANDS[view.getUint16(o)] ?? fail('bad_value', o, 'a TLV table command of 0 to 2', OF_ERRORS.bad_tlv_command),
        mappings: decodeMappings(view, o + 8, end),
      };
    case NXT.TLV_TABLE_REQUEST:
      exactly(o, end, 0, 'body', OF);
      return { kind: 'tlv_table_request' };
    case NXT.TLV_TABLE_REPLY:
      need(o, end, 16, 'a TLV table', OF);
      return {
        kind: 'tlv_table_reply',
        max_option_space: view.getUint32(o),
        max_fields: view.getUint16(o + 4),
        mappings: decodeMappings(view, o + 16, end),
      };
    case NXT.SET_ASYNC_CONFIG2:
      return { kind: 'nx_set_async_config2', properties: decodeAsyncProperties(view, o, end) };
    case NXT.RESUME:
      return decodePacketIn2(view, o, end, 'resume');
    case NXT.CT_FLUSH_ZONE:
      exactly(o, end, 8, 'a zone', OF);
      return { kind: 'ct_flush_zone', zone: view.getUint16(o + 6) };
    case NXT.PACKET_IN2:
      return decodePacketIn2(view, o, end, 'packet_in2');
    case NXT.CT_FLUSH:
      return decodeCtFlush(view, o, end);
    default:
      return undefined;
  }
}

function decodePacketIn(view: DataView, o: number, end: number): NxPacketInMessage {
  need(o, end, 26, 'a packet-in', OF);
  const length = view.getUint16(o + 16);
  const data = o + 24 + align8(length) + 2;
  if (data > end) fail('bad_length', o + 16, 'a match that fits the message', OF_ERRORS.bad_match_len);
  return {
    kind: 'nx_packet_in',
    buffer_id: view.getUint32(o),
    total_len: view.getUint16(o + 4),
    reason: view.getUint8(o + 6),
    table: view.getUint8(o + 7),
    cookie: view.getBigUint64(o + 8),
    match: decodeOxms(view, o + 24, o + 24 + length),
    data: slice(view, data, end),
  };
}

function decodePacketIn2(view: DataView, start: number, end: number, kind: PacketIn2Message['kind']): PacketIn2Message {
  const message: { -readonly [K in keyof PacketIn2Message]: PacketIn2Message[K] } = {
    kind,
    packet: undefined,
    full_length: undefined,
    buffer_id: undefined,
    table: undefined,
    cookie: undefined,
    reason: undefined,
    metadata: undefined,
    userdata: undefined,
    continuation: undefined,
    unknown: undefined,
  };
  let unknown: UnknownProperty[] | undefined;
  // Written out instead of eachProperty: this is the punt path.
  for (let o = start; o < end;) {
    need(o, end, 4, 'a property', OF);
    const length = view.getUint16(o + 2);
    const stop = o + length;
    if (length < 4 || align8(length) > end - o) fail('bad_length', o + 2, 'a property length of at least 4 that fits', OF);
    const type = view.getUint16(o);
    switch (type) {
      case 0:
        message.packet = slice(view, o + 4, stop);
        break;
      case 1:
        exactly(o, stop, 8, 'full_length', OF);
        message.full_length = view.getUint32(o + 4);
        break;
      case 2:
        exactly(o, stop, 8, 'buffer_id', OF);
        message.buffer_id = view.getUint32(o + 4);
        break;
      case 3:
        need(o, stop, 5, 'table', OF);
        message.table = view.getUint8(o + 4);
        break;
      case 4:
        exactly(o, stop, 16, 'cookie', OF);
        message.cookie = view.getBigUint64(o + 8);
        break;
      case 5:
        need(o, stop, 5, 'reason', OF);
        message.reason = view.getUint8(o + 4);
        break;
      case 6:
        message.metadata = decodeOxms(view, o + 4, stop);
        break;
      case 7:
        message.userdata = slice(view, o + 4, stop);
        break;
      case 8:
        message.continuation = slice(view, o + 4, stop);
        break;
      default:
        unknown ??= [];
        unknown.push({ type, data: slice(view, o + 4, stop) });
    }
    o += align8(length);
  }
  if (message.packet === undefined) fail('truncated', end, 'a packet', OF);
  message.unknown = unknown;
  return message;
}

function decodeMappings(view: DataView, o: number, end: number): TlvMapping[] {
  if ((end - o) % 8 !== 0) fail('bad_length', o, 'TLV mappings of 8 bytes each', OF);
  const mappings: TlvMapping[] = [];
  for (let at = o; at < end; at += 8) {
    mappings.push({
      option_class: view.getUint16(at),
      option_type: view.getUint8(at + 2),
      option_length: view.getUint8(at + 3),
      index: view.getUint16(at + 4),
    });
  }
  return mappings;
}

const ASYNC_PROPERTIES = 12;

function decodeAsyncProperties(view: DataView, start: number, end: number): AsyncProperty[] {
  const properties: AsyncProperty[] = [];
  eachProperty(view, start, end, (type, from, to) => {
    if (type < ASYNC_PROPERTIES) {
      exactly(from, to, 4, 'a mask', OF);
      properties.push({ kind: 'mask', type, mask: view.getUint32(from) });
    } else {
      properties.push({ kind: 'unknown', type, data: slice(view, from, to) });
    }
  });
  return properties;
}

type NiciraMessage = Extract<
  Message,
  {
    kind:
      | 'set_flow_format'
      | 'flow_mod_table_id'
      | 'set_packet_in_format'
      | 'nx_packet_in'
      | 'nx_set_async_config'
      | 'set_controller_id'
      | 'tlv_table_mod'
      | 'tlv_table_request'
      | 'tlv_table_reply'
      | 'nx_set_async_config2'
      | 'resume'
      | 'ct_flush_zone'
      | 'packet_in2'
      | 'ct_flush';
  }
>;

function vendor(w: Writer, subtype: number): void {
  w.room(64);
  w.u32(EXPERIMENTERS.NICIRA);
  w.u32(subtype);
}

/** Vendor, subtype and body. */
export function encodeNiciraMessage(w: Writer, message: NiciraMessage): void {
  switch (message.kind) {
    case 'set_flow_format':
      vendor(w, NXT.SET_FLOW_FORMAT);
      return w.u32(message.format);
    case 'flow_mod_table_id':
      vendor(w, NXT.FLOW_MOD_TABLE_ID);
      w.u8(message.set ? 1 : 0);
      return w.zeros(7);
    case 'set_packet_in_format':
      vendor(w, NXT.SET_PACKET_IN_FORMAT);
      return w.u32(message.format);
    case 'nx_packet_in':
      return encodePacketIn(w, message);
    case 'nx_set_async_config':
      vendor(w, NXT.SET_ASYNC_CONFIG);
      for (const mask of [...message.packet_in_mask, ...message.port_status_mask, ...message.flow_removed_mask]) w.u32(mask);
      return;
    case 'set_controller_id':
      vendor(w, NXT.SET_CONTROLLER_ID);
      w.zeros(6);
      return w.u16(message.controller_id);
    case 'tlv_table_mod':
      vendor(w, NXT.TLV_TABLE_MOD);
      w.u16(TLV_COMMANDS.indexOf(message.command));
      w.zeros(6);
      return encodeMappings(w, message.mappings);
    case 'tlv_table_request':
      return vendor(w, NXT.TLV_TABLE_REQUEST);
    case 'tlv_table_reply':
      vendor(w, NXT.TLV_TABLE_REPLY);
      w.u32(message.max_option_space);
      w.u16(message.max_fields);
      w.zeros(10);
      return encodeMappings(w, message.mappings);
    case 'nx_set_async_config2':
      return encodeAsyncConfig2(w, message);
    case 'ct_flush_zone':
      vendor(w, NXT.CT_FLUSH_ZONE);
      w.zeros(6);
      return w.u16(message.zone);
    case 'ct_flush':
      vendor(w, NXT.CT_FLUSH);
      return encodeCtFlush(w, message);
    case 'resume':
      vendor(w, NXT.RESUME);
      return encodePacketIn2(w, message);
    case 'packet_in2':
      vendor(w, NXT.PACKET_IN2);
      return encodePacketIn2(w, message);
    default:
      throw new EncodeError('bad_value', `unknown message ${(message as { kind: string }).kind}`);
  }
}

function encodePacketIn(w: Writer, message: NxPacketInMessage): void {
  vendor(w, NXT.PACKET_IN);
  w.u32(message.buffer_id);
  w.u16(message.total_len);
  w.u8(message.reason);
  w.u8(message.table);
  w.u64(message.cookie);
  const length = w.pos;
  w.zeros(8);
  const start = w.pos;
  encodeOxms(w, message.match);
  w.view.setUint16(length, w.pos - start);
  w.pad8(start);
  w.zeros(2);
  w.bytes(message.data);
}

function encodePacketIn2(w: Writer, message: PacketIn2Message): void {
  const { packet, full_length, buffer_id, table, cookie, reason, metadata, userdata, continuation } = message;
  if (packet !== undefined) property(w, 0, () => w.bytes(packet));
  if (full_length !== undefined) property(w, 1, () => w.u32(full_length));
  if (buffer_id !== undefined) property(w, 2, () => w.u32(buffer_id));
  if (table !== undefined) property(w, 3, () => w.u8(table));
  if (cookie !== undefined) {
    property(w, 4, () => {
      w.zeros(4);
      w.u64(cookie);
    });
  }
  if (reason !== undefined) property(w, 5, () => w.u8(reason));
  if (metadata !== undefined) property(w, 6, () => encodeOxms(w, metadata));
  if (continuation !== undefined) property(w, 8, () => w.bytes(continuation));
  if (userdata !== undefined) property(w, 7, () => w.bytes(userdata));
  unknownProperties(w, message.unknown);
}

function encodeMappings(w: Writer, mappings: readonly TlvMapping[]): void {
  for (const mapping of mappings) {
    w.room(8);
    w.u16(mapping.option_class);
    w.u8(mapping.option_type);
    w.u8(mapping.option_length);
    w.u16(mapping.index);
    w.u16(0);
  }
}

function encodeAsyncConfig2(w: Writer, message: AsyncConfig2Message): void {
  vendor(w, NXT.SET_ASYNC_CONFIG2);
  for (const entry of message.properties) {
    property(w, entry.type, () => (entry.kind === 'mask' ? w.u32(entry.mask) : w.bytes(entry.data)));
  }
}
