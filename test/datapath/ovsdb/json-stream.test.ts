import fc from 'fast-check';
import { JsonStream } from '../../../datapath/ovsdb/json-stream.js';

const LIMITS = { maxBytes: 1_000, maxDepth: 8 };

/** The values a stream of bytes gives when it arrives cut at these places. */
function feed(stream: JsonStream, bytes: Buffer, cuts: readonly number[]): unknown[] {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const values: unknown[] = [];
  let at = 0;
  for (const end of [...ends, bytes.length]) {
    values.push(...stream.push(bytes.subarray(at, end)));
    at = end;
  }
  return values;
}

const text = (value: string): Buffer => Buffer.from(value, 'utf8');

describe('JsonStream', () => {
  it('JsonStream gives the values that were sent wherever the bytes are cut', () => {
    const value = fc.oneof(fc.array(fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()));
    const space = fc.constantFrom('', ' ', '\n', '\r\n\t');
    fc.assert(
      fc.property(fc.array(fc.tuple(value, space)), fc.array(fc.nat()), (sent, cuts) => {
        const bytes = text(sent.map(([json, after]) => JSON.stringify(json) + after).join(''));
        const expected = sent.map(([json]) => JSON.parse(JSON.stringify(json)) as unknown);
        expect(feed(new JsonStream({ maxBytes: 1e6, maxDepth: 100 }), bytes, cuts)).toEqual(expected);
      }),
    );
  });

  it('JsonStream is not misled by brackets, quotes and backslashes inside strings', () => {
    const nasty = { 'a}"]': ['\\', '\\"', '{"', '\\\\"}', 'ü\u{1f600}'] };
    const bytes = text(JSON.stringify(nasty));
    for (let cut = 0; cut <= bytes.length; cut += 1) expect(feed(new JsonStream(LIMITS), bytes, [cut])).toEqual([nasty]);
  });

  it.each([
    ['a number at the top', '{} 42'],
    ['a string at the top', '"x"'],
    ['a closing bracket too many', '{}}'],
    ['brackets that do not match', '{"a":[}]'],
    ['a trailing comma', '{"a":1,}'],
    ['deep nesting', '['.repeat(9)],
    ['NUL', '\0'],
  ])('JsonStream refuses %s', (_name, bytes) => {
    expect(() => new JsonStream(LIMITS).push(text(bytes))).toThrow(expect.objectContaining({ code: 'protocol' }));
  });

  it('JsonStream refuses bytes that are not UTF-8', () => {
    const bytes = Buffer.concat([text('["'), Buffer.from([0xc3, 0x28]), text('"]')]);
    expect(() => new JsonStream(LIMITS).push(bytes)).toThrow(expect.objectContaining({ code: 'protocol' }));
  });

  it('JsonStream holds no more than one value of the largest size, however slowly it comes', () => {
    const stream = new JsonStream(LIMITS);
    expect(stream.push(text(`["${'x'.repeat(900)}"]`))).toHaveLength(1);
    stream.push(text('["'));
    const drip = (): void => {
      for (let byte = 0; byte < 2_000; byte += 1) stream.push(text('x'));
    };
    expect(drip).toThrow('larger than 1000 bytes');
  });

  it('JsonStream counts each value by itself', () => {
    const one = `["${'x'.repeat(600)}"]`;
    expect(new JsonStream(LIMITS).push(text(one.repeat(5)))).toHaveLength(5);
  });

  it('JsonStream settles any bytes as values or a protocol error', () => {
    const bytes = fc.oneof(fc.uint8Array(), fc.string().map(text), fc.stringMatching(/^[{}[\]",:\\ 1ae]*$/).map(text));
    fc.assert(
      fc.property(bytes, (chunk) => {
        try {
          new JsonStream(LIMITS).push(Buffer.from(chunk));
        } catch (error) {
          expect(error).toMatchObject({ code: 'protocol' });
        }
      }),
    );
  });
});
