/**
 * Queues of OFPT_QUEUE_GET_CONFIG_REPLY on the wire (OpenFlow 1.3.5 §7.2.2, §7.3.6).
 */
import { OF_ERRORS } from './errors.js';
import type { PacketQueue, QueueProperty } from './message.js';
import { exactly, fail, need, slice } from './read.js';
import type { Writer } from './writer.js';

const OF = OF_ERRORS.bad_request_len;

/** The queues that fill `start` to `end`. */
export function decodeQueues(view: DataView, start: number, end: number): PacketQueue[] {
  const queues: PacketQueue[] = [];
  let o = start;
  while (o < end) {
    need(o, end, 16, 'a queue', OF);
    const length = view.getUint16(o + 8);
    if (length < 16 || length > end - o) fail('bad_length', o + 8, 'a queue length of at least 16 that fits', OF);
    queues.push({
      queue_id: view.getUint32(o),
      port: view.getUint32(o + 4),
      properties: decodeQueueProperties(view, o + 16, o + length),
    });
    o += length;
  }
  return queues;
}

function decodeQueueProperties(view: DataView, start: number, end: number): QueueProperty[] {
  const properties: QueueProperty[] = [];
  let o = start;
  while (o < end) {
    need(o, end, 8, 'a queue property', OF);
    const type = view.getUint16(o);
    const length = view.getUint16(o + 2);
    if (length < 8 || length > end - o) fail('bad_length', o + 2, 'a queue property length of at least 8 that fits', OF);
    const stop = o + length;
    if (type === 1 || type === 2) {
      exactly(o, stop, 16, 'a rate', OF);
      properties.push({ kind: type === 1 ? 'min_rate' : 'max_rate', rate: view.getUint16(o + 8) });
    } else if (type === 0xffff) {
      need(o, stop, 16, 'an experimenter property', OF);
      properties.push({ kind: 'experimenter', experimenter: view.getUint32(o + 8), data: slice(view, o + 16, stop) });
    } else {
      properties.push({ kind: 'unknown', type, data: slice(view, o + 8, stop) });
    }
    o = stop;
  }
  return properties;
}

export function encodeQueues(w: Writer, queues: readonly PacketQueue[]): void {
  for (const queue of queues) {
    w.room(16);
    const start = w.pos;
    w.u32(queue.queue_id);
    w.u32(queue.port);
    w.zeros(8);
    for (const entry of queue.properties) {
      w.room(16);
      const from = w.pos;
      w.u16(queuePropertyType(entry));
      w.u16(0);
      w.u32(0);
      switch (entry.kind) {
        case 'min_rate':
        case 'max_rate':
          w.u16(entry.rate);
          w.zeros(6);
          break;
        case 'experimenter':
          w.u32(entry.experimenter);
          w.u32(0);
          w.bytes(entry.data);
          break;
        case 'unknown':
          w.bytes(entry.data);
          break;
      }
      w.view.setUint16(from + 2, w.pos - from);
    }
    w.view.setUint16(start + 8, w.pos - start);
  }
}

function queuePropertyType(entry: QueueProperty): number {
  switch (entry.kind) {
    case 'min_rate':
      return 1;
    case 'max_rate':
      return 2;
    case 'experimenter':
      return 0xffff;
    case 'unknown':
      return entry.type;
  }
}
