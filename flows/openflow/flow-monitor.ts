/**
 * Flow monitoring on the wire: ONF EXT-187 as Open vSwitch speaks it on OpenFlow 1.3 (nicira-ext.h, openflow-1.3.h).
 *
 * Assumes: a match is a `struct ofp_match`, which has its own length. `match_len` in front repeats it:
 * checked in updates, but in requests Open vSwitch does not care.
 */
import { OF_ERRORS } from './errors.js';
import { decodeInstructions, encodeInstructions } from './instruction.js';
import type { FlowMonitor, FlowUpdate } from './multipart.js';
import { decodeMatch, encodeMatch, matchEnd } from './oxm.js';
import { exactly, fail, need, slice } from './read.js';
import type { Writer } from './writer.js';

const OF = OF_ERRORS.bad_request_len;
const EVENTS = ['added', 'deleted', 'modified'] as const;
const ABBREVIATED = 3;

export function decodeMonitors(view: DataView, start: number, end: number): FlowMonitor[] {
  const monitors: FlowMonitor[] = [];
  let o = start;
  while (o < end) {
    need(o, end, 16, 'a monitor request', OF);
    const stop = matchEnd(view, o + 16, end);
    monitors.push({
      monitor_id: view.getUint32(o),
      flags: view.getUint16(o + 4),
      out_port: view.getUint32(o + 8),
      table: view.getUint8(o + 12),
      match: decodeMatch(view, o + 16),
    });
    o = stop;
  }
  return monitors;
}

export function encodeMonitors(w: Writer, monitors: readonly FlowMonitor[]): void {
  for (const monitor of monitors) {
    w.room(24);
    w.u32(monitor.monitor_id);
    w.u16(monitor.flags);
    const length = w.pos;
    w.u16(0);
    w.u32(monitor.out_port);
    w.u8(monitor.table);
    w.zeros(3);
    const match = w.pos;
    encodeMatch(w, monitor.match);
    w.view.setUint16(length, w.view.getUint16(match + 2));
  }
}

export function decodeUpdates(view: DataView, start: number, end: number): FlowUpdate[] {
  const updates: FlowUpdate[] = [];
  let o = start;
  while (o < end) {
    need(o, end, 8, 'a flow update', OF);
    const length = view.getUint16(o);
    if (length < 8 || length > end - o || (length & 7) !== 0) fail('bad_length', o, 'an update length of 8, 16, … that fits', OF);
    updates.push(decodeUpdate(view, o, o + length));
    o += length;
  }
  return updates;
}

function decodeUpdate(view: DataView, o: number, end: number): FlowUpdate {
  const event = view.getUint16(o + 2);
  const kind = EVENTS[event];
  if (event === ABBREVIATED) {
    exactly(o, end, 8, 'an abbreviated update', OF);
    return { kind: 'abbreviated', xid: view.getUint32(o + 4) };
  }
  if (kind === undefined) return { kind: 'unknown', event, data: slice(view, o + 4, end) };
  need(o, end, 24, 'a full update', OF);
  const instructions = matchEnd(view, o + 24, end);
  if (view.getUint16(o + 26) !== view.getUint16(o + 12)) fail('bad_length', o + 12, 'the length of the match', OF);
  return {
    kind,
    reason: view.getUint16(o + 4),
    priority: view.getUint16(o + 6),
    idle_timeout: view.getUint16(o + 8),
    hard_timeout: view.getUint16(o + 10),
    table: view.getUint8(o + 14),
    cookie: view.getBigUint64(o + 16),
    match: decodeMatch(view, o + 24),
    instructions: decodeInstructions(view, instructions, end),
  };
}

export function encodeUpdates(w: Writer, updates: readonly FlowUpdate[]): void {
  for (const update of updates) {
    w.room(32);
    const start = w.pos;
    w.u16(0);
    switch (update.kind) {
      case 'abbreviated':
        w.u16(ABBREVIATED);
        w.u32(update.xid);
        break;
      case 'unknown':
        w.u16(update.event);
        w.bytes(update.data);
        w.pad8(start);
        break;
      default: {
        w.u16(EVENTS.indexOf(update.kind));
        w.u16(update.reason);
        w.u16(update.priority);
        w.u16(update.idle_timeout);
        w.u16(update.hard_timeout);
        w.u16(0);
        w.u8(update.table);
        w.u8(0);
        w.u64(update.cookie);
        const match = w.pos;
        encodeMatch(w, update.match);
        w.view.setUint16(start + 12, w.view.getUint16(match + 2));
        encodeInstructions(w, update.instructions);
      }
    }
    w.view.setUint16(start, w.pos - start);
  }
}
