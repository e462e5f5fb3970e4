/** What is written when, and in which order. */
import { Writable } from 'node:stream';
import { LANE, SendQueue } from '../../../datapath/channel/send-queue.js';
import { WriterPool } from '../../../datapath/channel/writer-pool.js';
import { rejection } from './harness.js';

/** A socket that records system calls and takes bytes only when told. */
class Sink extends Writable {
  readonly calls: string[][] = [];
  readonly #held: (() => void)[] = [];
  held = false;

  constructor() {
    super({ highWaterMark: 1_000 });
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#call([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#call(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  release(): void {
    this.held = false;
    for (const done of this.#held.splice(0)) done();
  }

  /** Types of the messages, in order. */
  types(): number[] {
    return this.calls.flat().flatMap((hex) => {
      const bytes = Buffer.from(hex, 'hex');
      const types: number[] = [];
      for (let at = 0; at < bytes.length; at += bytes.readUInt16BE(at + 2)) types.push(bytes[at + 1]!);
      return types;
    });
  }

  #call(chunks: Buffer[], done: () => void): void {
    this.calls.push(chunks.map((chunk) => chunk.toString('hex')));
    if (this.held) this.#held.push(done);
    else done();
  }
}

const [ERROR, ECHO_REPLY, PACKET_OUT, BARRIER, ROLE] = [1, 3, 13, 20, 24];
const packetOut = (size = 0) => ({ kind: 'packet_out', in_port: 1, actions: [], data: new Uint8Array(size) }) as const;
const barrier = { kind: 'barrier_request' } as const;
const role = { kind: 'role_request', role: 'master', generation_id: 1n } as const;

function queueOver(
  sink: Sink,
  limits: [number, number, number, number] = [5_000, 5_000, 5_000, 5_000],
): { queue: SendQueue; sent: number[] } {
  const sent: number[] = [];
  return { sent, queue: new SendQueue(sink, new WriterPool(), limits, (type) => sent.push(type)) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the send queue', () => {
  it('writes what is sent in one turn with one call, most urgent first', async () => {
    const sink = new Sink();
    const { queue, sent } = queueOver(sink);
    queue.post(LANE.ORDERED, barrier, 1);
    queue.post(LANE.PACKET_OUT, packetOut(), 2);
    queue.post(LANE.CONTROL, role, 3);
    queue.post(LANE.ORDERED, barrier, 4);
    queue.postEchoReply(Buffer.from('040200080000004d', 'hex'), 0, 8);
    expect(sink.calls).toEqual([]);
    await turn();
    expect(sink.types()).toEqual([ECHO_REPLY, ROLE, PACKET_OUT, BARRIER, BARRIER]);
    expect(sink.calls).toHaveLength(1);
    expect(sink.calls[0]![0]).toBe('040300080000004d');
    expect(sent).toEqual([BARRIER, PACKET_OUT, ROLE, BARRIER, ECHO_REPLY]);
  });

  it('writes nothing within a batch and everything at its end', () => {
    const sink = new Sink();
    const { queue } = queueOver(sink);
    queue.beginBatch();
    queue.post(LANE.ORDERED, barrier, 1);
    queue.flush();
    expect(sink.calls).toHaveLength(1);
    queue.post(LANE.ORDERED, barrier, 2);
    queue.endBatch();
    expect(sink.types()).toEqual([BARRIER, BARRIER]);
  });

  it('writes nothing more after write said false, and lets the urgent pass when it goes on', async () => {
    const sink = new Sink();
    const { queue } = queueOver(sink);
    sink.held = true;
    queue.post(LANE.PACKET_OUT, packetOut(2_000), 1);
    await turn();
    queue.post(LANE.ORDERED, barrier, 2);
    queue.post(LANE.URGENT, { kind: 'error', type: 1, code: 6, data: new Uint8Array(0) }, 3);
    await turn();
    expect(sink.types()).toEqual([PACKET_OUT]);
    expect(queue.bytes(LANE.ORDERED)).toBe(8);
    sink.release();
    await turn();
    expect(sink.types()).toEqual([PACKET_OUT, ERROR, BARRIER]);
    expect(queue.bytes(LANE.ORDERED)).toBe(0);
  });

  it('takes no more than twice the limit of a lane', async () => {
    const sink = new Sink();
    const { queue } = queueOver(sink);
    sink.held = true;
    queue.post(LANE.CONTROL, packetOut(2_000), 1);
    await turn();
    let accepted = 0;
    while (queue.post(LANE.PACKET_OUT, packetOut(976), accepted)) accepted++;
    expect({ accepted, bytes: queue.bytes(LANE.PACKET_OUT), full: queue.isFull(LANE.PACKET_OUT) }).toEqual({
      accepted: 10,
      bytes: 10_000,
      full: true,
    });
    expect(queue.post(LANE.ORDERED, barrier, 1)).toBe(true);
  });

  it('lets producers wait until the lane is half empty, the signal fires or all is over', async () => {
    const sink = new Sink();
    const { queue } = queueOver(sink);
    const fill = async (): Promise<void> => {
      sink.held = true;
      while (!queue.isFull(LANE.ORDERED)) {
        queue.post(LANE.ORDERED, packetOut(1_500), 1);
        await turn();
      }
    };
    await fill();
    let waited = false;
    const room = queue.room(LANE.ORDERED).then(() => (waited = true));
    await turn();
    expect(waited).toBe(false);
    sink.release();
    await room;

    await fill();
    const abort = new AbortController();
    const aborted = queue.room(LANE.ORDERED, abort.signal);
    abort.abort();
    await aborted;
    const closed = queue.room(LANE.ORDERED);
    queue.close();
    await closed;
    expect(queue.post(LANE.ORDERED, barrier, 1)).toBe(false);
    expect(queue.bytes(LANE.ORDERED)).toBe(0);
  });

  it('leaves the lane as it was when a message has no form on the wire', async () => {
    const sink = new Sink();
    const { queue } = queueOver(sink);
    queue.post(LANE.ORDERED, barrier, 1);
    const error = await rejection(Promise.resolve().then(() => queue.post(LANE.ORDERED, packetOut(70_000), 2)));
    expect(error).toMatchObject({ name: 'EncodeError', code: 'too_long' });
    queue.post(LANE.ORDERED, barrier, 3);
    await turn();
    expect(sink.types()).toEqual([BARRIER, BARRIER]);
  });
});
