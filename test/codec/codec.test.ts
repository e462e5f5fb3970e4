import { decodeMessage, encodeMessage } from '../../flows/openflow/codec.js';
import { DecodeError, EncodeError } from '../../flows/openflow/errors.js';
import { errorName } from '../../flows/openflow/error-codes.js';
import type { Message } from '../../flows/openflow/message.js';
import { ofPrintLine, ofRoundtripLine } from '../../flows/openflow/tool.js';
import { Writer } from '../../flows/openflow/writer.js';
import { bytesOf, hexOf } from './corpus.js';
import { Random } from './random.js';
import { randomFlow } from './random-values.js';

const BARRIER: Message = { kind: 'barrier_request' };

describe('a writer', () => {
  it('hands over what was written since the last time, and never writes there again', () => {
    const writer = new Writer();
    encodeMessage(writer, BARRIER, 1);
    encodeMessage(writer, BARRIER, 2);
    const first = writer.take();
    encodeMessage(writer, { kind: 'echo_request', data: new Uint8Array(60_000) }, 3);
    encodeMessage(writer, { kind: 'echo_request', data: new Uint8Array(60_000) }, 4);
    encodeMessage(writer, { kind: 'echo_request', data: new Uint8Array(60_000) }, 5);
    const second = writer.take();
    expect(hexOf(first)).toBe('0414000800000001' + '0414000800000002');
    expect(second.length).toBe(3 * 60_008);
    expect(writer.pending).toBe(0);
  });

  it('keeps everything when nobody takes it for a while', () => {
    const writer = new Writer();
    const random = new Random(1);
    const separately: string[] = [];
    for (let n = 0; n < 3000; n++) {
      const message: Message = { kind: 'flow_mod', command: 'add', flow: randomFlow(random, 1, n, { groups: true }) };
      encodeMessage(writer, message, n);
      const own = new Writer();
      encodeMessage(own, message, n);
      separately.push(hexOf(own.take()));
    }
    expect(hexOf(writer.take()) === separately.join('')).toBe(true);
  });

  it('is as before when a message has no form on the wire', () => {
    const writer = new Writer();
    encodeMessage(writer, BARRIER, 1);
    const wrong: readonly [Message, string][] = [
      [{ kind: 'echo_request', data: new Uint8Array(65_528) }, 'too_long'],
      [
        { kind: 'packet_out', in_port: 1, actions: [{ kind: 'output_trunc', port: 70_000, max_len: 1 }], data: new Uint8Array(0) },
        'bad_value',
      ],
      [
        {
          kind: 'flow_mod',
          command: 'add',
          flow: { table: 0, priority: 0, match: [{ field: 'reg0', value: -1 }], instructions: [], cookie: 0n },
        },
        'bad_value',
      ],
      [
        {
          kind: 'flow_mod',
          command: 'add',
          flow: { table: 0, priority: 0, match: [{ field: 'tun_id', value: 5 }], instructions: [], cookie: 0n },
        },
        'bad_value',
      ],
      [
        {
          kind: 'group_mod',
          command: 'add',
          group: {
            group_id: 1,
            type: 'all',
            buckets: Array.from({ length: 5000 }, () => ({ actions: [{ kind: 'output' as const, port: 1 }] })),
          },
        },
        'too_long',
      ],
    ];
    for (const [message, code] of wrong) {
      expect(() => encodeMessage(writer, message, 2)).toThrow(expect.objectContaining({ name: 'EncodeError', code }));
      expect(writer.pending).toBe(8);
    }
    encodeMessage(writer, { kind: 'echo_request', data: new Uint8Array(65_527) }, 3);
    expect(writer.take().length).toBe(8 + 65_535);
  });

  it('pads with zeros wherever it has been before', () => {
    // A slab is new memory; a message that failed leaves its bytes in it.
    const writer = new Writer();
    const dirty = { kind: 'echo_request', data: new Uint8Array(65_528).fill(0xff) } as const;
    expect(() => encodeMessage(writer, dirty, 1)).toThrow(EncodeError);
    const random = new Random(9);
    for (let n = 0; n < 200; n++) {
      const message: Message = { kind: 'flow_mod', command: 'add', flow: randomFlow(random, 1, n, { groups: true }) };
      const clean = new Writer();
      encodeMessage(clean, message, 1);
      const start = writer.pending;
      encodeMessage(writer, message, 1);
      expect(hexOf(writer.buf.subarray(start, writer.pos))).toBe(hexOf(clean.take()));
    }
  });
});

describe('decodeMessage', () => {
  it('counts offsets from the start of the message', () => {
    const bytes = bytesOf('00000000' + '0405000a00000001' + '0000');
    expect(() => decodeMessage(bytes, 4, 14)).toThrow(expect.objectContaining({ offset: 8, code: 'bad_length' }));
  });

  it.each([
    ['a header that ends early', '04050008', 'truncated', 'OFPBRC_BAD_LEN'],
    ['a length that is not the frame', '0405000900000001', 'bad_length', 'OFPBRC_BAD_LEN'],
    ['another version', '0505000800000001', 'bad_version', 'OFPBRC_BAD_VERSION'],
    [
      'an unknown flow command',
      `040e003800000001${'00'.repeat(17)}09${'00'.repeat(22)}0001000400000000`,
      'bad_value',
      'OFPFMFC_BAD_COMMAND',
    ],
    ['an unknown group type', '040f0010000000010000090000000001', 'bad_value', 'OFPGMFC_BAD_TYPE'],
    ['an unknown meter command', '041d0010000000010009000000000001', 'bad_value', 'OFPMMFC_BAD_COMMAND'],
    ['an unknown role', '041800180000000100000063' + '00'.repeat(12), 'bad_value', 'OFPRRFC_BAD_ROLE'],
    ['a match of another type', `040e003800000001${'00'.repeat(40)}0000000400000000`, 'bad_value', 'OFPBMC_BAD_TYPE'],
    [
      'a bundled message with another xid',
      '0404002000000001' + '4f4e4600000008fd' + '0000000100000003' + '0414000800000002',
      'bad_value',
      'OFPBFC_MSG_BAD_XID',
    ],
  ])('refuses %s with the error to answer', (_, hex, code, name) => {
    const bytes = bytesOf(hex);
    let error: unknown;
    try {
      decodeMessage(bytes, 0, bytes.length);
    } catch (caught) {
      error = caught;
    }
    if (!(error instanceof DecodeError)) throw new Error(`not refused: ${String(error)}`);
    expect([error.code, errorName({ type: error.ofType, code: error.ofCode, experimenter: error.experimenter })]).toEqual([code, name]);
  });

  it('takes a HELLO and an ERROR of any version', () => {
    for (const hex of ['0600000800000001', '0101000c0000000100000000']) {
      const bytes = bytesOf(hex);
      const { xid, message } = decodeMessage(bytes, 0, bytes.length);
      const writer = new Writer();
      encodeMessage(writer, message, xid);
      expect(hexOf(writer.take())).toBe(hex);
    }
  });

  it('keeps what it does not know and writes it again', () => {
    const unknown = [
      '0463000c00000001deadbeef',
      '0404001400000001deadbeef00000001cafef00d',
      '0404001400000001000023200000ffffcafef00d',
      '04120014000000010063000000000000cafef00d',
      '0413001c00000001ffff000000000000deadbeef00000007cafef00d',
    ];
    expect(unknown.map(ofRoundtripLine)).toEqual(unknown);
  });
});

describe('the lines of vnctl of', () => {
  it('print a message, or what is wrong with it', () => {
    expect(ofPrintLine('04 14 00 08 00 00 00 01\n')).toBe('OFPT_BARRIER_REQUEST (OF1.3) (xid=0x1):');
    expect(ofPrintLine('0414000900000001ff')).toMatch(/^\*\*\*decode error: OFPBRC_BAD_LEN: .*\n00000000 {2}04 14 00 09/);
    expect(ofPrintLine('0414')).toMatch(/^\*\*\*decode error: OFPBRC_BAD_LEN/);
    expect(ofPrintLine('nonsense')).toBe('error: "nonsense": pairs of hex digits expected');
  });

  it('roundtrip a message, or say what is wrong with it', () => {
    expect(ofRoundtripLine('0414000800000001')).toBe('0414000800000001');
    expect(ofRoundtripLine('0414000900000001ff')).toMatch(/^error: OFPBRC_BAD_LEN: bad_length at byte 8/);
    expect(ofRoundtripLine('041')).toBe('error: "041": pairs of hex digits expected');
    expect(ofRoundtripLine('')).toMatch(/^error: OFPBRC_BAD_LEN/);
  });

  it('print an error that quotes an error that quotes …, up to a point', () => {
    let hex = '0401000c0000000100010006';
    for (let depth = 0; depth < 40; depth++) {
      const length = hex.length / 2 + 12;
      hex = `0401${length.toString(16).padStart(4, '0')}0000000100010006${hex}`;
    }
    expect(ofPrintLine(hex).split('OFPT_ERROR').length).toBeLessThan(8);
  });
});
