/** The channel against switches that misbehave: each must cost at most its own connection, in bounded time and memory. */
import fc from 'fast-check';
import net from 'node:net';
import path from 'node:path';
import { connectChannel } from '../../../datapath/channel/connect.js';
import type { TableMod } from '../../../datapath/channel/contract.js';
import { FakeSwitch } from '../../fakes/fake-switch.js';
import { Bench, TEST_LIMITS, aFlow, rejection, until } from './harness.js';

const bench = new Bench();
afterEach(() => bench.closeAll());

const adds = (count: number): TableMod[] => Array.from({ length: count }, (_, n) => ({ kind: 'flow_add', flow: aFlow(n) }));

/** A peer that sends the given bytes when connected to, and keeps what it gets. */
async function peer(...bytes: Uint8Array[]): Promise<{ target: string; received: () => Buffer; ended: Promise<void> }> {
  const socketPath = path.join(await bench.directory(), 'peer.sock');
  const chunks: Buffer[] = [];
  let markEnded: () => void;
  const ended = new Promise<void>((resolve) => (markEnded = resolve));
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('close', () => markEnded());
    for (const chunk of bytes) socket.write(chunk);
    bench.onClose(() => Promise.resolve(socket.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  bench.onClose(() => new Promise((resolve) => server.close(resolve)));
  return { target: `unix:${socketPath}`, received: () => Buffer.concat(chunks), ended };
}

const hello = (hex: string): Uint8Array => Buffer.from(hex, 'hex');
const connectTo = (target: string) => connectChannel(target, { limits: { ...TEST_LIMITS, handshakeTimeout: 300 } });

describe('the handshake', () => {
  it.each([
    ['version 6 and a bitmap with 1.3', { version: 6, bitmaps: [0x70] }],
    ['version 4 without a bitmap', { version: 4, bitmaps: [] }],
    ['version 6 without a bitmap', { version: 6, bitmaps: [] }],
    ['version 1 in the header and 1.3 in the bitmap', { version: 1, bitmaps: [0x12] }],
  ])('accepts %s', async (_, said) => {
    const { channel } = await bench.connected({ misbehaviour: { hello: said } });
    expect(channel.features.n_tables).toBe(254);
  });

  it.each([
    // Unknown element first, then the bitmap; and an element whose length goes beyond the message.
    ['elements in any order', '06000018000000010063000800000000' + '0001000800000010'],
    ['a malformed element, by its header', '04000010000000010001ffff00000010'],
  ])('accepts %s', async (_, bytes) => {
    const { target, received } = await peer(hello(bytes));
    const error = rejection(connectTo(target));
    await until(() => received().length >= 24);
    // Our HELLO, then FEATURES_REQUEST.
    expect(received().subarray(0, 18).toString('hex')).toBe('04000010000000010001000800000010' + '0405');
    expect(await error).toMatchObject({ code: 'handshake_timeout' });
  });

  it.each([
    ['version 1 alone', { version: 1, bitmaps: [] }, '01'],
    ['a bitmap without 1.3', { version: 6, bitmaps: [0x42] }, '06'],
  ])('refuses %s with HELLO_FAILED in the version of the peer', async (_, { version, bitmaps }, wire) => {
    const seen: unknown[] = [];
    const { socketPath } = await bench.fakeSwitch({
      misbehaviour: { hello: { version, bitmaps } },
      onMessage: (message) => message.kind === 'error' && seen.push({ ...message, data: Buffer.from(message.data).toString() }),
    });
    expect(await rejection(connectTo(`unix:${socketPath}`))).toMatchObject({ code: 'version_mismatch' });
    await until(() => seen.length > 0);
    const data = `We support version 0x04, you support version 0x${wire}, no common versions.`;
    expect(seen).toMatchObject([{ kind: 'error', version, type: 0, code: 0, data }]);
  });

  it('refuses a peer whose first message is not HELLO', async () => {
    const { target, ended } = await peer(Buffer.from('0402000800000001', 'hex'));
    expect(await rejection(connectTo(target))).toMatchObject({ code: 'handshake_failed' });
    await ended;
  });

  it.each([
    ['says nothing', { hello: null }],
    ['reads nothing and answers nothing', { deaf: true }],
    ['never answers', { mute: true }],
  ])('times out on a switch that %s', async (_, misbehaviour) => {
    const { socketPath } = await bench.fakeSwitch({ misbehaviour });
    expect(await rejection(connectTo(`unix:${socketPath}`))).toMatchObject({ code: 'handshake_timeout' });
  });

  it('ends with the reason of its signal', async () => {
    const { socketPath } = await bench.fakeSwitch({ misbehaviour: { mute: true } });
    const abort = new AbortController();
    const error = rejection(connectChannel(`unix:${socketPath}`, {}, abort.signal));
    setTimeout(() => abort.abort(new Error('enough')), 20);
    expect(await error).toMatchObject({ message: 'enough' });
  });

  it('fails to connect where nobody listens', async () => {
    const target = `unix:${path.join(await bench.directory(), 'nobody.sock')}`;
    expect(await rejection(connectTo(target))).toMatchObject({ code: 'connect_failed' });
  });
});

describe('a bad byte stream', () => {
  it('ends the connection when a length field is impossible', async () => {
    const { fake, channel } = await bench.connected();
    [...fake.sessions][0]!.sendRaw(Buffer.from('0402000300000001', 'hex'));
    expect(await channel.closed).toMatchObject({ code: 'framing' });
  });

  it('ends the connection when the version changes', async () => {
    const { fake, channel } = await bench.connected();
    [...fake.sessions][0]!.sendRaw(Buffer.from('0115000800000001', 'hex'));
    expect(await channel.closed).toMatchObject({ code: 'framing' });
  });

  it('answers malformed messages with an error and ends the connection after too many', async () => {
    const errors: unknown[] = [];
    const { fake, channel } = await bench.connected(
      { onMessage: (message, xid) => message.kind === 'error' && errors.push([xid, message.type, message.code, message.data.length]) },
      { limits: { malformedPerMinute: 3 } },
    );
    // A features reply of 12 bytes.
    const malformed = Buffer.from('0406000c0000004d00000000', 'hex');
    const [session] = fake.sessions;
    for (let n = 0; n < 3; n++) session!.sendRaw(malformed);
    await until(() => errors.length === 3);
    await channel.barrier();
    expect(errors).toEqual([1, 2, 3].map(() => [0x4d, 1, 6, 12]));
    session!.sendRaw(malformed);
    expect(await channel.closed).toMatchObject({ code: 'malformed' });
    expect(channel.snapshot().events.malformed).toBe(4);
  });

  it('fails the request whose reply is malformed, at once', async () => {
    const { fake, channel } = await bench.connected();
    fake.misbehaviour.mute = true;
    const error = rejection(channel.dumpGroups());
    // Xids are counted: HELLO 1, FEATURES_REQUEST 2, this 3. A group description whose length is 0.
    [...fake.sessions][0]!.sendRaw(Buffer.from('04130018000000030007000000000000' + '0000000000000000', 'hex'));
    expect(await error).toMatchObject({ code: 'unexpected_reply' });
  });

  it('fails a request answered by another type', async () => {
    const { fake, channel } = await bench.connected();
    fake.misbehaviour.mute = true;
    const error = rejection(channel.dumpGroups());
    [...fake.sessions][0]!.send({ kind: 'barrier_reply' }, 3);
    expect(await error).toMatchObject({ code: 'unexpected_reply' });
  });

  it('of well-framed nonsense costs at most the connection, and nothing else is thrown', async () => {
    const frame = fc.tuple(fc.nat(31), fc.constantFrom(0, 3, 4_711), fc.uint8Array({ maxLength: 120 })).map(([type, xid, body]) => {
      const bytes = Buffer.concat([Buffer.of(4, type, 0, 0, 0, 0, 0, 0), body]);
      bytes.writeUInt16BE(bytes.length, 2);
      bytes.writeUInt32BE(xid, 4);
      return bytes;
    });
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 20 }), async (frames) => {
        const { fake, channel } = await bench.connected({}, { onPacketIn: () => undefined, onMessage: () => undefined });
        const work = channel.dumpGroups().then(
          () => 'done',
          (error: unknown) => (error as Error).name,
        );
        [...fake.sessions][0]!.sendRaw(Buffer.concat(frames));
        expect(['done', 'ChannelError', 'SwitchRejection']).toContain(await work);
        const state = await channel.probe(1_000).then(
          () => 'ready',
          (error: unknown) => (error as { code?: string }).code,
        );
        expect(['ready', 'malformed', 'unexpected_reply']).toContain(state);
        await bench.closeAll();
      }),
      { numRuns: 60 },
    );
  });

  it('counts replies that nobody waits for', async () => {
    const { fake, channel } = await bench.connected();
    [...fake.sessions][0]!.send({ kind: 'barrier_reply' }, 4_711);
    await channel.barrier();
    expect(channel.snapshot().events.orphans).toBe(1);
  });

  it('keeps the errors of messages nobody waits for, by name', async () => {
    const errors: unknown[] = [];
    const { fake, channel } = await bench.connected({}, { onSwitchError: (error) => errors.push(error) });
    [...fake.sessions][0]!.send({ kind: 'error', type: 2, code: 4, data: new Uint8Array(8) }, 9);
    await channel.barrier();
    expect(errors).toEqual([{ xid: 9, type: 2, code: 4, experimenter: undefined, name: 'OFPBAC_BAD_OUT_PORT' }]);
    expect(channel.snapshot().errors).toEqual({ OFPBAC_BAD_OUT_PORT: 1 });
  });
});

describe('a slow or half-open switch', () => {
  it('is probed when silent and given up when it does not answer', async () => {
    const { fake, channel } = await bench.connected({}, { limits: { echoInterval: 40, echoMisses: 2 } });
    fake.misbehaviour.mute = true;
    expect(await channel.closed).toMatchObject({ code: 'keepalive_timeout' });
    expect(fake.received.get('echo_request')).toBe(2);
  });

  it('is kept while it answers probes', async () => {
    const { fake, channel } = await bench.connected({}, { limits: { echoInterval: 50, echoMisses: 2 } });
    await until(() => (fake.received.get('echo_request') ?? 0) >= 4 && channel.snapshot().pending_requests === 0);
    expect(channel.snapshot().state).toBe('ready');
  });

  it('fails a request in time, and a reply that comes late harms nobody', async () => {
    const { fake, channel } = await bench.connected({}, { limits: { requestTimeout: 50 } });
    fake.misbehaviour.delay = 120;
    expect(await rejection(channel.barrier())).toMatchObject({ code: 'request_timeout' });
    await until(() => (channel.snapshot().rx.by_type.barrier_reply ?? 0) === 1);
    expect(channel.snapshot().events.orphans).toBe(0);
  });

  it('stops a request when its signal fires', async () => {
    const { fake, channel } = await bench.connected();
    fake.misbehaviour.mute = true;
    const abort = new AbortController();
    const error = rejection(channel.dumpMeters(abort.signal));
    abort.abort(new Error('no longer needed'));
    expect(await error).toMatchObject({ message: 'no longer needed' });
    expect(channel.snapshot().pending_requests).toBe(0);
  });

  it('fails a dump that stops arriving', async () => {
    const { channel } = await bench.connected({ partSize: 10, misbehaviour: { stallAfterParts: 2 } }, { limits: { multipartTimeout: 60 } });
    await channel.bundle(adds(50));
    let flows = 0;
    const error = await rejection(channel.dumpFlows({ cookie: 0n, cookie_mask: 0n }, (part) => void (flows += part.length)));
    expect(error).toMatchObject({ code: 'multipart_stalled' });
    expect(flows).toBe(20);
  });

  it('loses the connection over a dump without end, after the limit', async () => {
    const { channel } = await bench.connected({ misbehaviour: { endlessMultipart: true } }, { limits: { multipartBytes: 100_000 } });
    await channel.bundle(adds(100));
    expect(await rejection(channel.dumpFlows({ cookie: 0n, cookie_mask: 0n }, () => undefined))).toMatchObject({
      code: 'multipart_overflow',
    });
    expect(await channel.closed).toMatchObject({ code: 'multipart_overflow' });
  });

  it('runs two dumps at once and the others after them', async () => {
    const { fake, channel } = await bench.connected();
    fake.misbehaviour.mute = true;
    const dumps = [1, 2, 3, 4].map(() => rejection(channel.dumpGroups()));
    await until(() => fake.received.get('multipart_request') === 2);
    expect(channel.snapshot().pending_requests).toBe(2);
    channel.close();
    expect(await Promise.all(dumps)).toMatchObject([1, 2, 3, 4].map(() => ({ code: 'closed' })));
  });
});

describe('a switch that does not read', () => {
  it('makes producers wait, bounds what is queued and drops packet-outs', async () => {
    const limits = { sendBuffer: [65_536, 65_536, 200_000, 100_000] as const, requestTimeout: 60_000 };
    const { fake, channel } = await bench.connected({}, { limits });
    for (const session of fake.sessions) session.socket.pause();
    const flowMods = Array.from({ length: 20_000 }, (_, n) => ({ kind: 'flow_mod', command: 'add', flow: aFlow(n) }) as const);
    const work = rejection(channel.connection.transact(flowMods));
    const frame = new Uint8Array(1_400);
    for (let n = 0; n < 2_000; n++) channel.packetOut(frame, 1, [{ kind: 'output', port: 1 }]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { queued_bytes, events } = channel.snapshot();
    expect(queued_bytes.packet_out).toBeGreaterThan(200_000);
    expect(queued_bytes.packet_out).toBeLessThan(2 * 200_000 + 1_500);
    expect(queued_bytes.ordered).toBeLessThan(2 * 100_000);
    expect(queued_bytes.socket).toBeLessThan(512 * 1024);
    expect(events.packet_outs_dropped).toBeGreaterThan(1_000);
    channel.close();
    expect(await work).toMatchObject({ code: 'closed' });
  });

  it('gets the echo reply before everything queued for it when it reads again', async () => {
    const order: string[] = [];
    const limits = { sendBuffer: [65_536, 65_536, 4_000_000, 4_000_000] as const };
    const { fake, channel } = await bench.connected({ onMessage: (message) => order.push(message.kind) }, { limits });
    const [session] = fake.sessions;
    session!.socket.pause();
    for (let n = 0; n < 40_000; n++) channel.connection.post(3, { kind: 'flow_mod', command: 'add', flow: aFlow(n) });
    channel.packetOut(new Uint8Array(60), 1, []);
    session!.send({ kind: 'echo_request', data: new Uint8Array(4) }, 77);
    await until(() => (channel.snapshot().tx.by_type.echo_reply ?? 0) === 1);
    const queued = channel.snapshot().queued_bytes;
    expect(queued.ordered).toBeGreaterThan(1_000_000);
    session!.socket.resume();
    await channel.barrier();
    const [echo, packetOut] = [order.indexOf('echo_reply'), order.indexOf('packet_out')];
    expect(echo).toBeGreaterThan(0);
    expect(packetOut).toBe(echo + 1);
    expect(order.slice(packetOut).filter((kind) => kind === 'flow_mod').length).toBeGreaterThan(10_000);
  });

  it('cannot make us hoard echo replies', async () => {
    const { fake, channel } = await bench.connected({}, { limits: { sendBuffer: [10_000, 65_536, 65_536, 65_536] } });
    const [session] = fake.sessions;
    session!.socket.pause();
    for (let n = 0; n < 200; n++) session!.send({ kind: 'echo_request', data: new Uint8Array(8_000) }, n);
    await until(() => channel.snapshot().events.echo_replies_dropped > 0);
    const { urgent, socket } = channel.snapshot().queued_bytes;
    expect(urgent + socket).toBeLessThan(400_000);
  });
});

const ALL_PACKET_INS = { packet_in: 7, port_status: 0, flow_removed: 0 };

describe('a receiver that lags', () => {
  it('pauses reading and lets it go on when the work is done', async () => {
    const waiting: (() => void)[] = [];
    const { fake, channel } = await bench.connected(
      {},
      {
        limits: { receiverBacklog: 4 },
        onPacketIn: () => new Promise<void>((resolve) => waiting.push(resolve)),
      },
    );
    await channel.setAsync(ALL_PACKET_INS);
    for (let n = 0; n < 3_000; n++) fake.packetIn({ data: new Uint8Array(1_000) });
    await until(() => channel.snapshot().events.pauses === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const seen = waiting.length;
    expect(seen).toBeLessThan(3_000);
    let done = 0;
    while (done < 3_000) {
      for (const resolve of waiting.splice(0)) {
        resolve();
        done++;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await channel.barrier();
    expect(channel.snapshot().events).toMatchObject({ packet_ins_shed: 0, receiver_failures: 0 });
  });

  it('has packet-ins dropped when it lags for too long, so that echo requests are answered', async () => {
    const { fake, channel } = await bench.connected(
      {},
      {
        limits: { receiverBacklog: 4, receiverPatience: 30 },
        onPacketIn: () => new Promise<void>(() => undefined),
      },
    );
    await channel.setAsync(ALL_PACKET_INS);
    for (let n = 0; n < 500; n++) fake.packetIn({ data: new Uint8Array(1_000) });
    [...fake.sessions][0]!.send({ kind: 'echo_request', data: new Uint8Array(0) }, 5);
    await until(() => (fake.received.get('echo_reply') ?? 0) === 1);
    expect(channel.snapshot().events.packet_ins_shed).toBeGreaterThan(0);
  });

  it('fails its dump when it lags for too long', async () => {
    const { channel } = await bench.connected({ partSize: 100 }, { limits: { receiverPatience: 30 } });
    await channel.bundle(adds(4_000));
    const error = rejection(channel.dumpFlows({ cookie: 0n, cookie_mask: 0n }, () => new Promise(() => undefined)));
    expect(await error).toMatchObject({ code: 'consumer_lagging' });
    await channel.barrier();
  });

  it('that rejects within a dump ends it, gets no more parts, and the connection goes on', async () => {
    const { channel } = await bench.connected({ partSize: 10 });
    await channel.bundle(adds(5_000));
    let parts = 0;
    const dump = channel.dumpFlows({ cookie: 0n, cookie_mask: 0n }, async () => {
      parts++;
      await Promise.resolve();
      throw new Error('cannot take it');
    });
    expect(await rejection(dump)).toMatchObject({ message: 'cannot take it' });
    await channel.barrier();
    expect(parts).toBeLessThan(500);
    expect(channel.snapshot().events.orphans).toBe(0);
  });

  it('that throws or rejects is counted, and the connection goes on', async () => {
    const errors: unknown[] = [];
    let calls = 0;
    const { fake, channel } = await bench.connected(
      {},
      {
        onPacketIn: () => {
          if (calls++ === 0) throw new Error('thrown');
          return Promise.reject(new Error('rejected'));
        },
        onReceiverError: (error) => errors.push((error as Error).message),
      },
    );
    await channel.setAsync(ALL_PACKET_INS);
    fake.packetIn({ data: new Uint8Array(60) });
    fake.packetIn({ data: new Uint8Array(60) });
    await until(() => errors.length === 2);
    await channel.barrier();
    expect({ errors, failures: channel.snapshot().events.receiver_failures }).toEqual({ errors: ['thrown', 'rejected'], failures: 2 });
  });
});

describe('bundles on a bad switch', () => {
  it('fail with a typed error when the switch has none', async () => {
    const { channel } = await bench.connected({ misbehaviour: { noBundles: true } });
    expect(await rejection(channel.bundle(adds(3)))).toMatchObject({ code: 'bundles_unsupported' });
    await channel.barrier();
  });

  it('fail when the connection drops inside, and leave nothing behind', async () => {
    const { fake, channel } = await bench.connected({ misbehaviour: { disconnectAtMember: 50 } });
    expect(await rejection(channel.bundle(adds(100)))).toMatchObject({ code: 'connection_lost' });
    expect(await channel.closed).toMatchObject({ code: 'connection_lost' });
    expect(fake.tables.flows.size).toBe(0);
  });

  it('stop streaming at the first member refused', async () => {
    const { fake, channel } = await bench.connected({ misbehaviour: { failMod: { nth: 1, error: { type: 2, code: 0 } } } });
    expect(await rejection(channel.bundle(adds(100_000)))).toMatchObject({ index: 0 });
    expect(fake.received.get('bundle_add')).toBeLessThan(100_000);
  });
});

describe('roles', () => {
  it('a stale generation is refused and the role stays', async () => {
    const { channel } = await bench.connected();
    await channel.requestRole('master', 5n);
    expect(await rejection(channel.requestRole('master', 4n))).toMatchObject({ name: 'SwitchRejection', error: { name: 'OFPRRFC_STALE' } });
    expect(channel.snapshot()).toMatchObject({ role: 'master', generation_id: 5n });
  });

  it('a master that is replaced stops writing and keeps reading', async () => {
    const { fake, socketPath } = await bench.fakeSwitch();
    const messages: string[] = [];
    const old = await bench.connect(socketPath, { onMessage: (message) => messages.push(message.kind) });
    const young = await bench.connect(socketPath);
    await old.requestRole('master', 1n);
    await young.requestRole('master', 2n);
    await until(() => messages.includes('role_status'));
    expect(await rejection(old.bundle(adds(1)))).toMatchObject({ code: 'not_master' });
    expect(await rejection(old.meterMod('delete', { meter_id: 1, flags: 0, bands: [] }))).toMatchObject({ code: 'not_master' });
    await young.bundle(adds(1));
    expect(await old.countFlows({ cookie: 0n, cookie_mask: 0n })).toBe(1);
    expect(old.snapshot()).toMatchObject({ role: 'slave', generation_id: 2n, events: { demotions: 1 } });
    expect(fake.tables.flows.size).toBe(1);
  });

  it('a master demoted within a bundle does not commit it', async () => {
    const { fake, socketPath } = await bench.fakeSwitch();
    const old = await bench.connect(socketPath);
    const young = await bench.connect(socketPath);
    await old.requestRole('master', 1n);
    const bundle = rejection(old.bundle(adds(60_000)));
    await until(() => (fake.received.get('bundle_add') ?? 0) > 100);
    await young.requestRole('master', 2n);
    expect(await bundle).toMatchObject({ code: 'not_master' });
    expect(fake.tables.flows.size).toBe(0);
  });
});

describe('many switches', () => {
  it('one that sends garbage does not disturb the others', async () => {
    const good = await bench.connected();
    const bad = await bench.connected();
    const received: FakeSwitch['received'] = good.fake.received;
    const work = good.channel.bundle(adds(2_000));
    [...bad.fake.sessions][0]!.sendRaw(Buffer.alloc(5_000));
    expect(await bad.channel.closed).toMatchObject({ code: 'framing' });
    await work;
    expect(received.get('bundle_add')).toBe(2_000);
  });
});
