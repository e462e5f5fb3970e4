/** Cutting a byte stream, whatever its pieces. */
import fc from 'fast-check';
import { Framer } from '../../../datapath/channel/framer.js';

/** Messages of the given body lengths, back to back; the body is the message's number. */
function stream(bodies: readonly number[]): { bytes: Uint8Array; messages: string[] } {
  const messages = bodies.map((body, n) => {
    const message = Buffer.alloc(8 + body, n);
    message.writeUInt16BE(message.length, 2);
    return message;
  });
  return { bytes: Buffer.concat(messages), messages: messages.map((m) => m.toString('hex')) };
}

function cut(chunks: readonly Uint8Array[]): string[] {
  const seen: string[] = [];
  const framer = new Framer((bytes, start, end) => seen.push(Buffer.from(bytes.subarray(start, end)).toString('hex')));
  for (const chunk of chunks) framer.push(chunk);
  return seen;
}

describe('the framer', () => {
  it('finds the same messages at every split into three chunks', () => {
    const { bytes, messages } = stream([0, 5, 60, 1]);
    for (let a = 0; a <= bytes.length; a++) {
      for (let b = a; b <= bytes.length; b++) {
        expect(cut([bytes.subarray(0, a), bytes.subarray(a, b), bytes.subarray(b)])).toEqual(messages);
      }
    }
  });

  it('finds the same messages for any messages and any split', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.nat(40), fc.nat(65_527)), { maxLength: 8 }),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 70_000 })), { minLength: 1 }),
        (bodies, sizes) => {
          const { bytes, messages } = stream(bodies);
          const chunks: Uint8Array[] = [];
          for (let at = 0, i = 0; at < bytes.length; at += sizes[i % sizes.length]!, i++) {
            chunks.push(bytes.subarray(at, at + sizes[i % sizes.length]!));
          }
          expect(cut(chunks)).toEqual(messages);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('hands on messages within a chunk in place', () => {
    const { bytes } = stream([4, 4]);
    const seen: [Uint8Array, number, number][] = [];
    new Framer((...frame) => seen.push(frame)).push(bytes);
    expect(seen).toEqual([
      [bytes, 0, 12],
      [bytes, 12, 24],
    ]);
    expect(seen.every(([memory]) => memory === bytes)).toBe(true);
  });

  it.each([0, 1, 7])('refuses a length of %i, in one piece or byte by byte', (length) => {
    const bytes = Uint8Array.of(4, 0, 0, length, 0, 0, 0, 0);
    const message = expect.objectContaining({ code: 'framing' });
    expect(() => cut([bytes])).toThrow(message);
    expect(() => cut([...bytes].map((byte) => Uint8Array.of(byte)))).toThrow(message);
  });

  it('hands on nothing after it was stopped, not even from the same chunk', () => {
    const { bytes } = stream([1, 2, 3]);
    let seen = 0;
    const framer = new Framer(() => {
      seen++;
      framer.stop();
    });
    framer.push(bytes);
    framer.push(bytes);
    expect({ seen, midMessage: framer.midMessage }).toEqual({ seen: 1, midMessage: false });
  });
});
