/** Switches that connect to us. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { connectChannel } from '../../../datapath/channel/connect.js';
import { listenChannels } from '../../../datapath/channel/listen.js';
import type { ChannelListener, ListenOptions, Peer } from '../../../datapath/channel/listen.js';
import type { OpenFlowChannel } from '../../../datapath/channel/openflow-channel.js';
import type { TlsMaterial } from '../../../datapath/channel/transport.js';
import { WriterPool } from '../../../datapath/channel/writer-pool.js';
import { FakeSwitch } from '../../fakes/fake-switch.js';
import type { FakeSwitchOptions } from '../../fakes/fake-switch.js';
import { Bench, TEST_LIMITS, rejection, until } from './harness.js';

const bench = new Bench();
afterEach(() => bench.closeAll());

interface Listening {
  readonly listener: ChannelListener;
  readonly port: number;
  readonly channels: OpenFlowChannel[];
  readonly peers: Peer[];
  readonly refused: string[];
}

async function listening(target: string, options: ListenOptions = {}): Promise<Listening> {
  const channels: OpenFlowChannel[] = [];
  const peers: Peer[] = [];
  const refused: string[] = [];
  const listener = await listenChannels(
    target,
    {
      ...options,
      limits: { ...TEST_LIMITS, handshakeTimeout: 300, ...options.limits },
      onRefused: (reason) => refused.push((reason as { code?: string }).code ?? reason.message),
    },
    (channel, peer) => {
      channels.push(channel);
      peers.push(peer);
    },
  );
  bench.onClose(() => listener.close());
  return { listener, port: listener.port ?? 0, channels, peers, refused };
}

function fakeSwitch(options: FakeSwitchOptions = {}): FakeSwitch {
  const fake = new FakeSwitch(options);
  bench.onClose(() => fake.close());
  return fake;
}

const at = (port: number) => ({ port, host: '127.0.0.1' });

describe('a listener', () => {
  it('makes a channel of each switch that connects over TCP', async () => {
    const { port, channels, peers, listener } = await listening('ptcp:0:127.0.0.1');
    await fakeSwitch({ datapathId: 1n }).connect(at(port));
    await fakeSwitch({ datapathId: 2n }).connect(at(port));
    await until(() => channels.length === 2);
    await Promise.all(channels.map((channel) => channel.barrier()));
    expect(peers).toEqual([1n, 2n].map((datapath_id) => ({ datapath_id, address: '127.0.0.1', certificate: undefined })));
    expect([...listener.sessions.keys()]).toEqual([1n, 2n]);
    expect(listener.strangers()).toEqual({ waiting: 0, evicted: 0 });
  });

  it('listens on a Unix socket, in place of one left behind', async () => {
    const socketPath = path.join(await bench.directory(), 'controller.sock');
    const script = `require('net').createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    expect(existsSync(socketPath)).toBe(true);
    const { channels } = await listening(`punix:${socketPath}`);
    await fakeSwitch().connect({ path: socketPath });
    await until(() => channels.length === 1);
  });

  it('refuses a second connection of a datapath whose first one lives', async () => {
    const { port, channels, refused, listener } = await listening('ptcp:0:127.0.0.1');
    await fakeSwitch({ datapathId: 9n }).connect(at(port));
    await until(() => channels.length === 1);
    const impostor = await fakeSwitch({ datapathId: 9n }).connect(at(port));
    await new Promise((resolve) => impostor.socket.once('close', resolve));
    expect({ refused, state: channels[0]!.snapshot().state }).toEqual({ refused: ['refused'], state: 'ready' });
    expect(listener.sessions.get(9n)).toBe(channels[0]);
  });

  it('replaces the first connection of a datapath when it does not answer', async () => {
    const { port, channels, listener } = await listening('ptcp:0:127.0.0.1', { takeoverProbe: 50 });
    const dead = fakeSwitch({ datapathId: 9n });
    await dead.connect(at(port));
    await until(() => channels.length === 1);
    dead.misbehaviour.mute = true;
    await fakeSwitch({ datapathId: 9n }).connect(at(port));
    await until(() => channels.length === 2);
    expect(await channels[0]!.closed).toMatchObject({ code: 'keepalive_timeout' });
    expect(listener.sessions.get(9n)).toBe(channels[1]);
  });

  it('lets a datapath come back after its connection ended', async () => {
    const { port, channels, listener } = await listening('ptcp:0:127.0.0.1');
    const fake = fakeSwitch({ datapathId: 9n });
    const first = await fake.connect(at(port));
    await until(() => channels.length === 1);
    first.socket.end();
    await until(() => listener.sessions.size === 0);
    await fake.connect(at(port));
    await until(() => channels.length === 2 && listener.sessions.size === 1);
  });

  it('refuses auxiliary connections and peers that are not authorised', async () => {
    const { port, refused, channels } = await listening('ptcp:0:127.0.0.1', { authorize: ({ datapath_id }) => datapath_id !== 666n });
    await fakeSwitch({ auxiliaryId: 1 }).connect(at(port));
    await fakeSwitch({ datapathId: 666n }).connect(at(port));
    await until(() => refused.length === 2);
    expect({ refused, channels: channels.length }).toEqual({ refused: ['refused', 'refused'], channels: 0 });
  });

  it('refuses more switches than it may have', async () => {
    const { port, refused, channels } = await listening('ptcp:0:127.0.0.1', { maxSessions: 2 });
    for (const datapathId of [1n, 2n]) await fakeSwitch({ datapathId }).connect(at(port));
    await until(() => channels.length === 2);
    await fakeSwitch({ datapathId: 3n }).connect(at(port));
    await until(() => refused.length === 1);
    expect({ refused, channels: channels.length }).toEqual({ refused: ['refused'], channels: 2 });
  });

  it('lets strangers wait no longer than the handshake may take', async () => {
    const { port, refused, listener } = await listening('ptcp:0:127.0.0.1', { limits: { handshakeTimeout: 100 } });
    const silent = net.connect(at(port)).resume();
    await new Promise((resolve) => silent.once('close', resolve));
    await until(() => listener.strangers().waiting === 0);
    expect(refused).toEqual(['handshake_timeout']);
  });

  it('makes room for a newcomer when too many strangers wait', async () => {
    const { port, channels, listener } = await listening('ptcp:0:127.0.0.1', { maxStrangers: 5, limits: { handshakeTimeout: 5_000 } });
    const idle = Array.from({ length: 20 }, () => net.connect(at(port)).on('error', () => undefined));
    bench.onClose(() => Promise.resolve(idle.forEach((socket) => socket.destroy())));
    await until(() => listener.strangers().evicted >= 15);
    await fakeSwitch().connect(at(port));
    await until(() => channels.length === 1);
    expect(listener.strangers().waiting).toBeLessThanOrEqual(5);
  });

  it('takes a thousand switches at once, and none of them waits for another', async () => {
    const { port, channels, listener } = await listening('ptcp:0:127.0.0.1', {
      limits: { handshakeTimeout: 5_000, requestTimeout: 5_000 },
    });
    const writers = new WriterPool();
    const fakes = Array.from({ length: 1_000 }, (_, n) => fakeSwitch({ datapathId: BigInt(n), writers }));
    await Promise.all(fakes.map((fake) => fake.connect(at(port))));
    await until(() => channels.length === 1_000);
    await Promise.all(channels.map((channel) => channel.barrier()));
    expect(listener.sessions.size).toBe(1_000);
  }, 20_000);
});

describe('TLS', () => {
  let directory: string;
  const certificates = new Bench();
  afterAll(() => certificates.closeAll());

  /** A CA and what it signed. */
  const material = (ca: string, name: string): TlsMaterial => {
    const read = (file: string) => readFileSync(path.join(directory, file), 'utf8');
    return { ca: read(`${ca}.crt`), cert: read(`${name}.crt`), key: read(`${name}.key`) };
  };

  beforeAll(async () => {
    directory = await certificates.directory();
    const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    for (const ca of ['ours', 'theirs']) openssl('req', '-x509', ...key, '-subj', `/CN=${ca}`, '-keyout', `${ca}.key`, '-out', `${ca}.crt`);
    for (const [name, ca] of [
      ['controller', 'ours'],
      ['switch', 'ours'],
      ['stranger', 'theirs'],
    ] as const) {
      openssl('req', '-new', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        `${ca}.crt`,
        '-CAkey',
        `${ca}.key`,
        '-CAcreateserial',
        '-days',
        '2',
        '-out',
        `${name}.crt`,
      );
    }
  });

  /** A TLS client that speaks like a switch: bytes from a fake switch behind it. */
  async function tlsSwitch(port: number, who: TlsMaterial | { ca: string }, options: FakeSwitchOptions = {}): Promise<tls.TLSSocket> {
    const socketPath = path.join(await bench.directory(), 'plain.sock');
    const fake = fakeSwitch(options);
    await fake.listen({ path: socketPath });
    const outer = tls.connect({ ...at(port), ...who, checkServerIdentity: () => undefined });
    const inner = net.connect(socketPath);
    outer.pipe(inner).pipe(outer);
    outer.on('error', () => inner.destroy());
    inner.on('error', () => outer.destroy());
    bench.onClose(() => Promise.resolve(outer.destroy()));
    return outer;
  }

  it('accepts a switch with a certificate of the CA and tells who it is', async () => {
    const { port, channels, peers, listener } = await listening('pssl:0:127.0.0.1', { tls: material('ours', 'controller') });
    await tlsSwitch(port, material('ours', 'switch'), { datapathId: 5n });
    await until(() => channels.length === 1);
    await channels[0]!.barrier();
    expect(peers).toMatchObject([{ datapath_id: 5n, certificate: { subject: { CN: 'switch' } } }]);
    expect(listener.strangers().waiting).toBe(0);
  });

  it.each([
    ['without a certificate', () => ({ ca: material('ours', 'controller').ca })],
    ['with a certificate of another CA', () => ({ ...material('theirs', 'stranger'), ca: material('ours', 'controller').ca })],
  ])('refuses a peer %s', async (_, who) => {
    const { port, channels, listener } = await listening('pssl:0:127.0.0.1', { tls: material('ours', 'controller') });
    const socket = await tlsSwitch(port, who());
    await new Promise((resolve) => socket.once('close', resolve));
    await until(() => listener.strangers().waiting === 0);
    expect(channels).toEqual([]);
  });

  it('does not wait for ever for a peer that starts no TLS handshake', async () => {
    const { port, listener } = await listening('pssl:0:127.0.0.1', {
      tls: material('ours', 'controller'),
      limits: { handshakeTimeout: 100 },
    });
    const silent = net.connect(at(port)).on('error', () => undefined);
    await new Promise((resolve) => silent.once('close', resolve));
    await until(() => listener.strangers().waiting === 0);
  });

  it('dials a switch and checks its certificate against the CA', async () => {
    const fake = fakeSwitch({ datapathId: 6n });
    const socketPath = path.join(await bench.directory(), 'plain.sock');
    await fake.listen({ path: socketPath });
    const server = tls.createServer({ ...material('ours', 'switch'), requestCert: true, rejectUnauthorized: true }, (outer) => {
      const inner = net.connect(socketPath).on('error', () => undefined);
      outer.on('error', () => inner.destroy());
      outer.pipe(inner).pipe(outer);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    bench.onClose(() => new Promise((resolve) => server.close(resolve)));
    const target = `ssl:127.0.0.1:${(server.address() as net.AddressInfo).port}`;

    const channel = await connectChannel(target, { tls: material('ours', 'controller') });
    expect(channel.features.datapath_id).toBe(6n);
    channel.close();
    expect(await rejection(connectChannel(target, { tls: material('theirs', 'stranger') }))).toMatchObject({ code: 'connect_failed' });
    expect(await rejection(connectChannel(target))).toMatchObject({ code: 'invalid_target' });
  });
});
