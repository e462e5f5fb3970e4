/**
 * Messages of the ONF extensions for OpenFlow 1.3: bundles (EXT-230), role status (EXT-191), request forwarding (EXT-235), flow monitors (EXT-187).
 *
 * Assumes: whoever calls decodes and encodes the messages inside these, and does not let them nest further.
 */
import { EXPERIMENTERS } from './constants.js';
import { EncodeError, OF_ERRORS } from './errors.js';
import { codeOf, decodeRole, EXPERIMENTER_TYPE, HEADER_SIZE, openMessage, ROLES } from './message-header.js';
import type {
  BundleAddMessage,
  BundleControlMessage,
  BundleControlType,
  FlowMonitorCancelMessage,
  FlowMonitorStateMessage,
  Message,
  RequestForwardMessage,
  RoleStatusMessage,
} from './message.js';
import { align8, exactly, fail, need, slice } from './read.js';
import type { Writer } from './writer.js';

const OF = OF_ERRORS.bad_request_len;

type DecodeInner = (view: DataView, start: number, end: number, nested: boolean) => Message;
type EncodeInner = (w: Writer, message: Message, xid: number) => void;

const BUNDLE_CONTROL_TYPES: readonly BundleControlType[] = [
  'open_request',
  'open_reply',
  'close_request',
  'close_reply',
  'commit_request',
  'commit_reply',
  'discard_request',
  'discard_reply',
];
const ONFT = {
  FLOW_MONITOR_CANCEL: 1870,
  FLOW_MONITOR_PAUSED: 1871,
  FLOW_MONITOR_RESUMED: 1872,
  ROLE_STATUS: 1911,
  BUNDLE_CONTROL: 2300,
  BUNDLE_ADD_MESSAGE: 2301,
  REQUESTFORWARD: 2350,
} as const;

/**
 * The ONF message of `type` from `start` to `end`; undefined if this build does not know it.
 * @param decodeInner decodes a message inside it; undefined where there must be none.
 */
export function decodeOnf(
  view: DataView,
  type: number,
  start: number,
  end: number,
  decodeInner: DecodeInner | undefined,
): Message | undefined {
  const o = start + 16;
  switch (type) {
    case ONFT.FLOW_MONITOR_CANCEL:
      exactly(o, end, 4, 'a monitor id', OF);
      return { kind: 'flow_monitor_cancel', monitor_id: view.getUint32(o) };
    case ONFT.FLOW_MONITOR_PAUSED:
    case ONFT.FLOW_MONITOR_RESUMED:
      exactly(o, end, 0, 'body', OF);
      return { kind: type === ONFT.FLOW_MONITOR_PAUSED ? 'flow_monitor_paused' : 'flow_monitor_resumed' };
    case ONFT.ROLE_STATUS:
      need(o, end, 16, 'a role status', OF);
      return {
        kind: 'role_status',
        role: decodeRole(view, o),
        reason: view.getUint8(o + 4),
        generation_id: view.getBigUint64(o + 8),
        properties: rest(view, o + 16, end),
      };
    case ONFT.BUNDLE_CONTROL:
      need(o, end, 8, 'a bundle control', OF);
      return {
        kind: 'bundle_control',
        bundle_id: view.getUint32(o),
        type:
          BUNDLE_CONTROL_TYPES[view.getUint16(o + 4)] ?? fail('bad_value', o + 4, 'a bundle control of 0 to 7', OF_ERRORS.bundle_bad_type),
        flags: view.getUint16(o + 6),
        properties: rest(view, o + 8, end),
      };
    case ONFT.BUNDLE_ADD_MESSAGE:
      return decodeBundleAdd(view, start, end, decodeInner);
    case ONFT.REQUESTFORWARD: {
      if (decodeInner === undefined) tooDeep(o);
      need(o, end, HEADER_SIZE, 'the header of a forwarded request', OF);
      const stop = innerEnd(view, o, end);
      exactly(stop, end, 0, 'anything behind the forwarded request', OF);
      return { kind: 'requestforward', request_xid: view.getUint32(o + 4), request: decodeInner(view, o, stop, true) };
    }
    default:
      return undefined;
  }
}

function rest(view: DataView, o: number, end: number): Uint8Array | undefined {
  return o === end ? undefined : slice(view, o, end);
}

function tooDeep(o: number): never {
  fail('too_deep', o, 'a message that is not inside another twice', OF_ERRORS.bundle_unsupported);
}

/** Checks the header of the message at `o` and returns where it ends. */
function innerEnd(view: DataView, o: number, end: number): number {
  if (view.getUint8(o) !== 4) fail('bad_version', o, 'version 4', OF_ERRORS.bad_version);
  const length = view.getUint16(o + 2);
  if (length < HEADER_SIZE || length > end - o)
    fail('bad_length', o + 2, 'a message length of at least 8 that fits', OF_ERRORS.bundle_bad_len);
  return o + length;
}

function decodeBundleAdd(view: DataView, start: number, end: number, decodeInner: DecodeInner | undefined): Message {
  const o = start + 16;
  if (decodeInner === undefined) tooDeep(o);
  need(o, end, 8 + HEADER_SIZE, 'a bundled message', OF_ERRORS.bundle_bad_len);
  const inner = o + 8;
  const stop = innerEnd(view, inner, end);
  if (view.getUint32(inner + 4) !== view.getUint32(start + 4)) {
    fail('bad_value', inner + 4, 'the xid of the outer message', OF_ERRORS.bundle_bad_xid);
  }
  const properties = start + align8(stop - start);
  return {
    kind: 'bundle_add',
    bundle_id: view.getUint32(o),
    flags: view.getUint16(o + 6),
    message: decodeInner(view, inner, stop, true),
    properties: properties >= end ? undefined : slice(view, properties, end),
  };
}

type OnfMessage =
  BundleControlMessage | BundleAddMessage | RoleStatusMessage | RequestForwardMessage | FlowMonitorCancelMessage | FlowMonitorStateMessage;

/** The whole message at the writer's position, its length left to be patched. */
export function encodeOnf(w: Writer, message: OnfMessage, xid: number, encodeInner: EncodeInner): void {
  switch (message.kind) {
    case 'bundle_add':
      return encodeBundleAdd(w, message, xid, encodeInner);
    case 'bundle_control':
      vendor(w, ONFT.BUNDLE_CONTROL, xid);
      w.u32(message.bundle_id);
      w.u16(codeOf(BUNDLE_CONTROL_TYPES, message.type));
      w.u16(message.flags);
      if (message.properties !== undefined) w.bytes(message.properties);
      return;
    case 'role_status':
      vendor(w, ONFT.ROLE_STATUS, xid);
      w.u32(codeOf(ROLES, message.role));
      w.u8(message.reason);
      w.zeros(3);
      w.u64(message.generation_id);
      if (message.properties !== undefined) w.bytes(message.properties);
      return;
    case 'requestforward':
      vendor(w, ONFT.REQUESTFORWARD, xid);
      notNested(message.request);
      return encodeInner(w, message.request, message.request_xid);
    case 'flow_monitor_cancel':
      vendor(w, ONFT.FLOW_MONITOR_CANCEL, xid);
      return w.u32(message.monitor_id);
    case 'flow_monitor_paused':
      return vendor(w, ONFT.FLOW_MONITOR_PAUSED, xid);
    case 'flow_monitor_resumed':
      return vendor(w, ONFT.FLOW_MONITOR_RESUMED, xid);
  }
}

function vendor(w: Writer, type: number, xid: number): void {
  openMessage(w, EXPERIMENTER_TYPE, xid);
  w.u32(EXPERIMENTERS.ONF);
  w.u32(type);
}

function notNested(message: Message): void {
  if (message.kind === 'bundle_add' || message.kind === 'requestforward') {
    throw new EncodeError('bad_value', `${message.kind} inside another message`);
  }
}

function encodeBundleAdd(w: Writer, message: BundleAddMessage, xid: number, encodeInner: EncodeInner): void {
  const start = w.pos;
  vendor(w, ONFT.BUNDLE_ADD_MESSAGE, xid);
  w.u32(message.bundle_id);
  w.u16(0);
  w.u16(message.flags);
  notNested(message.message);
  encodeInner(w, message.message, xid);
  if (message.properties !== undefined) {
    w.pad8(start);
    w.bytes(message.properties);
  }
}
