/** Where to connect, and again when the connection is lost. */
import fc from 'fast-check';
import { Backoff } from '../../../datapath/channel/backoff.js';
import { connectChannel, keepConnected } from '../../../datapath/channel/connect.js';
import type { OpenFlowChannel } from '../../../datapath/channel/openflow-channel.js';
import { parseActiveTarget, parsePassiveTarget } from '../../../datapath/channel/target.js';
import { Bench, until } from './harness.js';

const bench = new Bench();
afterEach(() => bench.closeAll());

describe('a target', () => {
  it.each([
    ['unix:/run/br0.mgmt', { transport: 'unix', path: '/run/br0.mgmt' }],
    ['tcp:192.0.2.1:6633', { transport: 'tcp', host: '192.0.2.1', port: 6633 }],
    ['tcp:hv1.example', { transport: 'tcp', host: 'hv1.example', port: 6653 }],
    ['ssl:[2001:db8::1]:6640', { transport: 'tls', host: '2001:db8::1', port: 6640 }],
    ['ssl:[2001:db8::1]', { transport: 'tls', host: '2001:db8::1', port: 6653 }],
  ])('%s is dialled', (text, target) => expect(parseActiveTarget(text)).toEqual(target));

  it.each([
    ['punix:/run/hotori.sock', { transport: 'unix', path: '/run/hotori.sock' }],
    ['ptcp:', { transport: 'tcp', host: '::', port: 6653 }],
    ['ptcp:6633', { transport: 'tcp', host: '::', port: 6633 }],
    ['pssl:0:127.0.0.1', { transport: 'tls', host: '127.0.0.1', port: 0 }],
    ['pssl::[::1]', { transport: 'tls', host: '::1', port: 6653 }],
  ])('%s is listened on', (text, target) => expect(parsePassiveTarget(text)).toEqual(target));

  it.each(['', 'unix:', 'tcp:', 'tcp:host:port', 'tcp:host:65536', 'ptcp:6653', 'tcp:2001:db8::1', 'udp:host'])(
    '%p is not dialled',
    (text) => expect(() => parseActiveTarget(text)).toThrow(expect.objectContaining({ code: 'invalid_target' })),
  );

  it.each(['', 'punix:', 'ptcp:port', 'ptcp:70000', 'tcp:6653'])('%p is not listened on', (text) =>
    expect(() => parsePassiveTarget(text)).toThrow(expect.objectContaining({ code: 'invalid_target' })),
  );
});

describe('the back-off', () => {
  it('doubles up to its ceiling, with jitter over the upper half', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (value) => {
        const backoff = new Backoff({ floor: 100, ceiling: 1_000, random: () => value });
        const waits = Array.from({ length: 6 }, () => backoff.next());
        expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000].map((bound) => bound / 2 + (bound / 2) * value));
        backoff.reset();
        expect(backoff.next()).toBe(50 + 50 * value);
      }),
    );
  });
});

describe('keeping a connection', () => {
  it('connects again after each loss and stops when told', async () => {
    const { fake, socketPath } = await bench.fakeSwitch();
    const abort = new AbortController();
    const channels: OpenFlowChannel[] = [];
    const downs: unknown[] = [];
    const backoff = new Backoff({ floor: 4, ceiling: 16, random: () => 0 });
    const loop = keepConnected(
      (signal) => connectChannel(`unix:${socketPath}`, {}, signal),
      backoff,
      {
        onConnected: (channel) => {
          channels.push(channel);
          if (channels.length === 3) throw new Error('cannot use it');
        },
        onDown: (reason, wait) => downs.push([(reason as { code?: string }).code ?? reason?.message, wait]),
      },
      abort.signal,
    );
    for (let n = 1; n <= 2; n++) {
      await until(() => channels.length === n);
      for (const session of fake.sessions) session.socket.destroy();
    }
    await until(() => channels.length === 4);
    abort.abort();
    await loop;
    expect(downs).toEqual([
      ['connection_lost', 2],
      ['connection_lost', 2],
      ['cannot use it', 4],
    ]);
    expect(channels.map((channel) => channel.snapshot().state)).toEqual(['closed', 'closed', 'closed', 'closed']);
  });

  it('waits longer each time nobody answers', async () => {
    const abort = new AbortController();
    const waits: number[] = [];
    await keepConnected(
      (signal) => connectChannel('unix:/nonexistent/br0.mgmt', {}, signal),
      new Backoff({ floor: 2, ceiling: 8, random: () => 0 }),
      {
        onConnected: () => undefined,
        onDown: (_, wait) => {
          waits.push(wait);
          if (waits.length === 4) abort.abort();
        },
      },
      abort.signal,
    );
    expect(waits).toEqual([1, 2, 4, 4]);
  });
});
