import { encodePunt, PUNT_CONTROLLER_ID } from '../../../flows/pipeline/punt.js';
import { REGISTERS } from '../../../flows/pipeline/registers.js';
import { Punts } from '../../../datapath/agent/punts.js';
import type { PacketIn } from '../../../datapath/channel/contract.js';
import type { PuntedFrame } from '../../../datapath/respond/contract.js';
import { MemorySwitch } from './memory-switch.js';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const CONTROLLER_PORT = 0xfffffffd;

function packetIn(over: Partial<PacketIn> = {}): PacketIn {
  return {
    data: Uint8Array.of(1, 2, 3),
    full_length: 3,
    table: 12,
    cookie: 0n,
    reason: 1,
    metadata: [
      { field: 'in_port', value: 7 },
      { field: 'reg1', value: 42 },
    ],
    userdata: encodePunt({ kind: 'dhcpv4' }),
    ...over,
  };
}

async function attend(answer: (frame: PuntedFrame) => readonly Uint8Array[]) {
  const channel = new MemorySwitch().connect();
  const punts = new Punts({ answer: (frame) => ({ frames: answer(frame) }), log: silent });
  const stop = new AbortController();
  const done = punts.attend(channel, stop.signal);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  await turn();
  await turn();
  return { channel, punts, turn, stop: () => (stop.abort(), done), receive: (packet: PacketIn) => void channel.onPacketIn?.(packet) };
}

describe('punted packets', () => {
  it('are answered out of the port they came in on', async () => {
    const frames: PuntedFrame[] = [];
    const { channel, receive, turn, stop } = await attend((frame) => (frames.push(frame), [Uint8Array.of(9)]));
    receive(packetIn());
    await turn();
    expect({ frames, sent: channel.sent, controllerId: PUNT_CONTROLLER_ID }).toEqual({
      frames: [{ punt: { kind: 'dhcpv4' }, data: Uint8Array.of(1, 2, 3), in_port: 7, port_key: 42, is_remote: false, metadata: 0n }],
      sent: [{ data: Uint8Array.of(9), inPort: CONTROLLER_PORT, actions: [{ kind: 'output', port: 7, max_len: 0 }] }],
      controllerId: 1,
    });
    await stop();
  });

  it('of a sender that a tunnel does not name are taken, and can be answered later', async () => {
    const frames: PuntedFrame[] = [];
    const { channel, punts, receive, turn, stop } = await attend((frame) => (frames.push(frame), [Uint8Array.of(9)]));
    const in_port = { field: 'in_port', value: 7 } as const;
    const userdata = encodePunt({ kind: 'host_unreachable' });
    receive(packetIn({ userdata, metadata: [in_port, { field: 'reg0', value: 1 << REGISTERS.from_tunnel.offset }] }));
    receive(packetIn({ userdata, metadata: [in_port] }));
    await turn();
    punts.answerLate(frames[0]!);
    expect([frames.map(({ port_key }) => port_key), punts.counters.foreign, channel.sent.length]).toEqual([[0, 0], 1, 2]);
    await stop();
  });

  it('are dropped and counted when they are not ours or of no port', async () => {
    const { punts, receive, turn, stop } = await attend(() => [Uint8Array.of(9)]);
    receive(packetIn({ userdata: Uint8Array.of(1, 2) }));
    receive(packetIn({ metadata: [{ field: 'in_port', value: 7 }] }));
    receive(packetIn({ metadata: [{ field: 'reg1', value: 42 }] }));
    await turn();
    expect(punts.counters).toEqual({ received: 3, sent: 0, foreign: 3, overflowed: 0, failed: 0 });
    await stop();
  });

  it('make room for newer ones when they come faster than they are answered, a few being answered per turn', async () => {
    const seen: number[] = [];
    const { punts, receive, turn, stop } = await attend((frame) => (seen.push(frame.data[0]! * 256 + frame.data[1]!), []));
    for (let i = 0; i < 3_000; i++) receive(packetIn({ data: Uint8Array.of(i >> 8, i & 255) }));
    await turn();
    const first = seen.length;
    for (let i = 0; i < 200; i++) await turn();
    expect({ first: first <= 16, oldest: seen[0], newest: seen.at(-1), count: seen.length, counters: punts.counters }).toEqual({
      first: true,
      oldest: 3_000 - 1_024,
      newest: 2_999,
      count: 1_024,
      counters: { received: 3_000, sent: 0, foreign: 0, overflowed: 3_000 - 1_024, failed: 0 },
    });
    await stop();
  });

  it('that make a responder throw do not keep the next ones from their answer', async () => {
    const { punts, receive, turn, stop } = await attend((frame) => {
      if (frame.port_key === 42) throw new Error('bad frame');
      return [Uint8Array.of(9)];
    });
    receive(packetIn());
    receive(
      packetIn({
        metadata: [
          { field: 'in_port', value: 7 },
          { field: 'reg1', value: 43 },
        ],
      }),
    );
    await turn();
    expect(punts.counters).toEqual({ received: 2, sent: 1, foreign: 0, overflowed: 0, failed: 1 });
    await stop();
  });

  it('that wait when the connection is lost are forgotten', async () => {
    const { punts, channel, receive, turn, stop } = await attend(() => [Uint8Array.of(9)]);
    receive(packetIn());
    channel.disconnect();
    await turn();
    await turn();
    expect(channel.sent).toEqual([]);
    expect(punts.counters.received).toBe(1);
    await stop();
  });
});
