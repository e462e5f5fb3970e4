/**
 * No length field of any structure can be made to lie: 0, 1, one less than the minimum, one more than what is left, and 65,535 are all refused.
 */
import fc from 'fast-check';
import { decodeMessage, encodeMessage } from '../../flows/openflow/codec.js';
import { DecodeError } from '../../flows/openflow/errors.js';
import type { Action } from '../../flows/openflow/action.js';
import type { Message } from '../../flows/openflow/message.js';
import { Writer } from '../../flows/openflow/writer.js';
import { MAX_ACTION_DEPTH } from '../../flows/openflow/constants.js';

const FLOW = { table: 1, priority: 2, match: [], instructions: [], cookie: 3n };
const COUNTERS = { duration_sec: 1, duration_nsec: 2, packet_count: 3n, byte_count: 4n };
const NO_BYTES = new Uint8Array(0);
const OUTPUT: Action = { kind: 'output', port: 1 };

const add = (...actions: Action[]): Message => ({
  kind: 'flow_mod',
  command: 'add',
  flow: { ...FLOW, instructions: [{ kind: 'apply_actions', actions }] },
});
const stats = (body: Extract<Message, { kind: 'multipart_reply' }>['body']): Message => ({ kind: 'multipart_reply', flags: 0, body });

interface LengthField {
  readonly of: string;
  readonly message: Message;
  /** Where the length is, and in how many bytes. */
  readonly at: number;
  readonly width: 1 | 2;
  /** Smallest length that the structure may have. */
  readonly min: number;
  /** Where the bytes that it counts begin, and where those it must not pass end (from the end of the message). */
  readonly from: number;
}

const u16 = (of: string, message: Message, at: number, from: number, min: number): LengthField => ({
  of,
  message,
  at,
  width: 2,
  from,
  min,
});
const u8 = (of: string, message: Message, at: number, from: number, min: number): LengthField => ({ of, message, at, width: 1, from, min });

const TABLE_FEATURES = {
  table: 1,
  name: 't',
  metadata_match: 1n,
  metadata_write: 2n,
  config: 0,
  max_entries: 9,
  properties: [{ kind: 'instructions', miss: false, ids: [{ type: 1 }] }],
} as const;

const FIELDS: readonly LengthField[] = [
  u16('a message', { kind: 'echo_request', data: NO_BYTES }, 2, 0, 8),
  u16('a hello element', { kind: 'hello', version: 4, elements: [{ kind: 'version_bitmap', bitmaps: [16] }] }, 10, 8, 4),
  u16('a match', add(), 50, 48, 4),
  u8('an OXM', { kind: 'flow_mod', command: 'add', flow: { ...FLOW, match: [{ field: 'eth_type', value: 0x800 }] } }, 55, 56, 2),
  u8('a masked OXM', { kind: 'flow_mod', command: 'add', flow: { ...FLOW, match: [{ field: 'reg0', value: 1, mask: 1 }] } }, 55, 56, 8),
  u8('an experimenter OXM', { kind: 'flow_mod', command: 'add', flow: { ...FLOW, match: [{ field: 'tcp_flags', value: 1 }] } }, 55, 56, 6),
  u8(
    'a tunnel option',
    { kind: 'flow_mod', command: 'add', flow: { ...FLOW, match: [{ field: 'tun_metadata0', value: new Uint8Array(8) }] } },
    55,
    56,
    2,
  ),
  u16('an instruction', add(), 58, 56, 8),
  u16('an action', add(OUTPUT), 66, 64, 8),
  u16('an action in clone', add({ kind: 'clone', actions: [OUTPUT] }), 82, 80, 8),
  u16('an action in ct', add({ kind: 'ct', commit: true, zone: 1, exec: [{ kind: 'nat' }] }), 90, 88, 8),
  u8('the OXM of a set_field', add({ kind: 'set_field', field: 'eth_src', value: 1 }), 71, 72, 6),
  u8('the OXM of a reg_load2', add({ kind: 'set_field', field: 'reg0', value: 1, mask: 5 }), 77, 78, 8),
  u16('a controller property', add({ kind: 'controller', userdata: new Uint8Array(4) }), 82, 80, 4),
  u16('a bucket', { kind: 'group_mod', command: 'add', group: { group_id: 1, type: 'all', buckets: [{ actions: [OUTPUT] }] } }, 16, 16, 16),
  u16(
    'an action in a bucket',
    { kind: 'group_mod', command: 'add', group: { group_id: 1, type: 'all', buckets: [{ actions: [OUTPUT] }] } },
    34,
    32,
    8,
  ),
  u16(
    'a meter band',
    { kind: 'meter_mod', command: 'add', meter: { meter_id: 1, flags: 1, bands: [{ kind: 'drop', rate: 1, burst_size: 0 }] } },
    18,
    16,
    12,
  ),
  u16(
    'a queue',
    { kind: 'queue_get_config_reply', port: 1, queues: [{ queue_id: 1, port: 1, properties: [{ kind: 'min_rate', rate: 5 }] }] },
    24,
    16,
    16,
  ),
  u16(
    'a queue property',
    { kind: 'queue_get_config_reply', port: 1, queues: [{ queue_id: 1, port: 1, properties: [{ kind: 'min_rate', rate: 5 }] }] },
    34,
    32,
    8,
  ),
  u16('a flow entry', stats({ kind: 'flow', flows: [{ ...FLOW, idle_timeout: 0, hard_timeout: 0, flags: 0, ...COUNTERS }] }), 16, 16, 56),
  u16(
    'the match of a flow entry',
    stats({ kind: 'flow', flows: [{ ...FLOW, idle_timeout: 0, hard_timeout: 0, flags: 0, ...COUNTERS }] }),
    66,
    64,
    4,
  ),
  u16('group counters', stats({ kind: 'group', groups: [{ group_id: 1, ref_count: 0, ...COUNTERS, buckets: [] }] }), 16, 16, 40),
  u16('a group description', stats({ kind: 'group_desc', groups: [{ group_id: 1, type: 'all', buckets: [{ actions: [] }] }] }), 16, 16, 8),
  u16('a bucket described', stats({ kind: 'group_desc', groups: [{ group_id: 1, type: 'all', buckets: [{ actions: [] }] }] }), 24, 24, 16),
  u16(
    'meter counters',
    stats({
      kind: 'meter',
      meters: [{ meter_id: 1, flow_count: 0, packet_in_count: 0n, byte_in_count: 0n, duration_sec: 0, duration_nsec: 0, bands: [] }],
    }),
    20,
    16,
    40,
  ),
  u16('a meter configuration', stats({ kind: 'meter_config', meters: [{ meter_id: 1, flags: 1, bands: [] }] }), 16, 16, 8),
  u16('table features', stats({ kind: 'table_features', tables: [TABLE_FEATURES] }), 16, 16, 64),
  u16('a table feature property', stats({ kind: 'table_features', tables: [TABLE_FEATURES] }), 82, 80, 4),
  u16('an instruction id', stats({ kind: 'table_features', tables: [TABLE_FEATURES] }), 86, 84, 4),
  u16('a flow update', stats({ kind: 'flow_monitor', updates: [{ kind: 'abbreviated', xid: 1 }] }), 24, 24, 8),
  u16(
    'the match of a monitor',
    {
      kind: 'multipart_request',
      flags: 0,
      body: { kind: 'flow_monitor', monitors: [{ monitor_id: 1, flags: 1, out_port: 1, table: 1, match: [] }] },
    },
    42,
    40,
    4,
  ),
  u16('the match of a flow request', { kind: 'multipart_request', flags: 0, body: { kind: 'flow', table: 1, match: [] } }, 50, 48, 4),
  u16('a bundled message', { kind: 'bundle_add', bundle_id: 1, flags: 1, message: { kind: 'barrier_request' } }, 26, 24, 8),
  u16('a forwarded message', { kind: 'requestforward', request_xid: 1, request: { kind: 'barrier_request' } }, 18, 16, 8),
  u16('a packet-in property', { kind: 'packet_in2', packet: new Uint8Array(4) }, 18, 16, 4),
  u8('packet-in metadata', { kind: 'packet_in2', packet: new Uint8Array(4), metadata: [{ field: 'reg0', value: 1 }] }, 31, 32, 4),
  u16('a ct_flush property', { kind: 'ct_flush', ip_proto: 6, original: { src_port: 1 } }, 26, 24, 4),
  u16('a property of a ct_flush tuple', { kind: 'ct_flush', ip_proto: 6, original: { src_port: 1 } }, 34, 32, 4),
  u16('an asynchronous property', { kind: 'nx_set_async_config2', properties: [{ kind: 'mask', type: 1, mask: 1 }] }, 18, 16, 4),
  u16(
    'the match of a packet-in',
    { kind: 'packet_in', buffer_id: 0, total_len: 0, reason: 0, table: 0, cookie: 0n, match: [], data: NO_BYTES },
    26,
    24,
    4,
  ),
  u16(
    'the match of a flow_removed',
    { kind: 'flow_removed', cookie: 0n, priority: 0, reason: 0, table: 0, ...COUNTERS, idle_timeout: 0, hard_timeout: 0, match: [] },
    50,
    48,
    4,
  ),
];

function encoded(message: Message): Uint8Array {
  const writer = new Writer();
  encodeMessage(writer, message, 7);
  return writer.take().slice();
}

function outcome(bytes: Uint8Array): 'decoded' | 'refused' {
  try {
    decodeMessage(bytes, 0, bytes.length);
    return 'decoded';
  } catch (error) {
    if (error instanceof DecodeError && error.offset >= 0 && error.offset <= bytes.length) return 'refused';
    throw error;
  }
}

describe('a length field', () => {
  const lies = FIELDS.flatMap((field) => {
    const bytes = encoded(field.message);
    const left = bytes.length - field.from;
    const max = field.width === 1 ? 255 : 65_535;
    return [0, 1, field.min - 1, left + 1, max].filter((value) => value <= max).map((value) => ({ field, value }));
  });

  it.each(FIELDS.map((field) => [field.of, field] as const))('of %s is where this test says', (_, field) => {
    const bytes = encoded(field.message);
    const view = new DataView(bytes.buffer);
    const value = field.width === 1 ? view.getUint8(field.at) : view.getUint16(field.at);
    expect(value).toBeGreaterThanOrEqual(field.min);
    expect(value).toBeLessThanOrEqual(bytes.length - field.from);
    expect(outcome(bytes)).toBe('decoded');
  });

  it('that lies is refused', () => {
    fc.assert(
      fc.property(fc.constantFrom(...lies), ({ field, value }) => {
        const bytes = encoded(field.message);
        const view = new DataView(bytes.buffer);
        if (field.width === 1) view.setUint8(field.at, value);
        else view.setUint16(field.at, value);
        const got = outcome(bytes);
        if (got !== 'refused') throw new Error(`${field.of} of ${value} bytes was ${got}`);
      }),
      { numRuns: 20 * lies.length },
    );
  });

  it('that counts on past its container is refused', () => {
    // Actions that reach from a packet_out into its data are only found out by their own length.
    const bytes = encoded({ kind: 'packet_out', in_port: 1, actions: [OUTPUT], data: new Uint8Array(8) });
    for (const length of [25, 65_535]) {
      new DataView(bytes.buffer).setUint16(16, length);
      expect(outcome(bytes)).toBe('refused');
    }
  });
});

describe('a count', () => {
  it('of more or fewer than the action has room for is refused', () => {
    const counted: readonly [Action, number][] = [
      [{ kind: 'dec_ttl_cnt_ids', ids: [1, 2, 3, 4] }, 74],
      [{ kind: 'bundle', algorithm: 1, fields: 0, basis: 0, ports: [1, 2, 3, 4] }, 84],
    ];
    for (const [action, at] of counted) {
      for (const count of [0, 5, 65_535]) {
        const bytes = encoded(add(action));
        new DataView(bytes.buffer).setUint16(at, count);
        expect(outcome(bytes)).toBe('refused');
      }
    }
  });
});

describe('any bytes', () => {
  it('are decoded or refused, whatever their header says', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 256 }), fc.integer({ min: 0, max: 31 }), (body, type) => {
        const bytes = new Uint8Array(8 + body.length);
        bytes.set([4, type, bytes.length >>> 8, bytes.length & 0xff]);
        bytes.set(body, 8);
        outcome(bytes);
      }),
      { numRuns: 20_000 },
    );
  });

  it('that end early are refused', () => {
    for (const { message } of FIELDS) {
      const bytes = encoded(message);
      for (let length = 0; length < bytes.length; length++) {
        const short = bytes.slice(0, length);
        if (length >= 4) new DataView(short.buffer).setUint16(2, length);
        outcome(short);
      }
    }
  });
});

describe('nesting', () => {
  const nested = (depth: number): Action => (depth === 0 ? OUTPUT : { kind: 'clone', actions: [nested(depth - 1)] });

  it('is bounded both ways', () => {
    expect(outcome(encoded(add(nested(MAX_ACTION_DEPTH))))).toBe('decoded');
    expect(() => encoded(add(nested(MAX_ACTION_DEPTH + 1)))).toThrow('nested deeper');
    const deep = encoded(add(nested(MAX_ACTION_DEPTH)));
    // One more clone around all of them, by hand.
    const bytes = new Uint8Array(deep.length + 16);
    bytes.set(deep.subarray(0, 64));
    bytes.set(deep.subarray(64, 80), 64);
    bytes.set(deep.subarray(64), 80);
    const view = new DataView(bytes.buffer);
    for (const at of [2, 58, 66]) view.setUint16(at, view.getUint16(at) + 16);
    expect(() => decodeMessage(bytes, 0, bytes.length)).toThrow(expect.objectContaining({ code: 'too_deep', ofType: 2 }));
  });

  it('of messages in messages is refused', () => {
    const inner = encoded({ kind: 'bundle_add', bundle_id: 1, flags: 0, message: { kind: 'barrier_request' } });
    const outer = encoded({ kind: 'bundle_add', bundle_id: 1, flags: 0, message: { kind: 'barrier_request' } });
    const bytes = new Uint8Array(24 + inner.length);
    bytes.set(outer.subarray(0, 24));
    bytes.set(inner, 24);
    new DataView(bytes.buffer).setUint16(2, bytes.length);
    expect(() => decodeMessage(bytes, 0, bytes.length)).toThrow(
      expect.objectContaining({ code: 'too_deep', experimenter: 0x4f4e4600, ofCode: 2310 }),
    );
  });
});
