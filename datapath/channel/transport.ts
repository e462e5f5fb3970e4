/**
 * Sockets under a channel: Unix, TCP and TLS, dialled or accepted.
 *
 * Owns: how sockets are opened and with which options; the TLS policy.
 * Assumes: certificates are PEM. A switch's certificate names a switch, not a host, so it is checked against the CA and handed to the caller, never against a host name.
 * Promises: TLS is mutual and at least 1.2; a dial that is aborted leaves no socket behind.
 */
import { chmodSync, unlinkSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { ChannelError } from './errors.js';
import type { Target } from './target.js';

/** PEM texts. `ca` is what the peer's certificate must chain to. */
export interface TlsMaterial {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Bytes Node may hold for a socket before `write` answers false. What sits here is already ahead of an echo reply, so it is small. */
const HIGH_WATER_MARK = 128 * 1024;
const TCP_KEEPALIVE_MS = 10_000;
/** A rebooted site brings every switch back at once. */
const BACKLOG = 1_024;

/** @throws ChannelError `connect_failed`, `invalid_target`; the reason of `signal`. */
export async function dial(
  target: Target,
  material: TlsMaterial | undefined,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<net.Socket> {
  signal?.throwIfAborted();
  const socket = openSocket(target, material);
  const connected = target.transport === 'tls' ? 'secureConnect' : 'connect';
  try {
    await new Promise<void>((resolve, reject) => {
      const finish = (failure?: Error) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        socket.off('error', onError);
        if (failure === undefined) resolve();
        else reject(failure);
      };
      const onAbort = () => finish(signal?.reason as Error);
      const onError = (cause: Error) =>
        finish(new ChannelError('connect_failed', `cannot connect to ${describe(target)}: ${cause.message}`, { cause }));
      const onTimeout = () => finish(new ChannelError('connect_failed', `no connection to ${describe(target)} in ${timeout} ms`));
      const timer = setTimeout(onTimeout, timeout);
      signal?.addEventListener('abort', onAbort, { once: true });
      socket.once(connected, () => finish());
      socket.on('error', onError);
    });
  } catch (error) {
    socket.on('error', () => undefined);
    socket.destroy();
    throw error;
  }
  return socket;
}

function openSocket(target: Target, material: TlsMaterial | undefined): net.Socket {
  if (target.transport === 'unix') return net.connect({ path: target.path, highWaterMark: HIGH_WATER_MARK } as net.NetConnectOpts);
  const address = { host: target.host, port: target.port, noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEPALIVE_MS };
  if (target.transport === 'tcp') return net.connect({ ...address, highWaterMark: HIGH_WATER_MARK } as net.NetConnectOpts);
  return tls.connect({
    ...address,
    ...required(material),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    checkServerIdentity: () => undefined,
    highWaterMark: HIGH_WATER_MARK,
  } as tls.ConnectionOptions);
}

export interface Listener {
  /** The port chosen for a TCP or TLS target, undefined for a Unix socket. */
  readonly port: number | undefined;
  close(): Promise<void>;
}

export interface ListenHandlers {
  /** A peer has connected; nothing of it is known. */
  readonly admit: (raw: net.Socket) => void;
  /** The same peer, ready for OpenFlow: for TLS after a handshake with a certificate of the CA, else at once. `raw` is what `admit` saw. */
  readonly accept: (socket: net.Socket, raw: net.Socket) => void;
}

/** `handshakeTimeout` in milliseconds is that of TLS. @throws ChannelError `connect_failed` when the address cannot be listened on. */
export async function listen(
  target: Target,
  material: TlsMaterial | undefined,
  handshakeTimeout: number,
  handlers: ListenHandlers,
): Promise<Listener> {
  const server = target.transport === 'tls' ? tlsServer(required(material), handshakeTimeout, handlers) : plainServer(handlers);
  const where = target.transport === 'unix' ? { path: target.path } : { host: target.host, port: target.port };
  if (target.transport === 'unix') await removeStaleSocket(target.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new ChannelError('connect_failed', `cannot listen on ${describe(target)}: ${cause.message}`, { cause })),
    );
    server.listen({ ...where, backlog: BACKLOG }, resolve);
  });
  if (target.transport === 'unix') chmodSync(target.path, 0o600);
  const address = server.address();
  return {
    port: address !== null && typeof address === 'object' ? address.port : undefined,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

const SERVER_OPTIONS = { highWaterMark: HIGH_WATER_MARK, noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEPALIVE_MS };

function plainServer(handlers: ListenHandlers): net.Server {
  return net.createServer(SERVER_OPTIONS, (socket) => {
    handlers.admit(socket);
    handlers.accept(socket, socket);
  });
}

/** TLS costs the listener a handshake, so peers are admitted before it, on the bare socket. */
function tlsServer(material: TlsMaterial, handshakeTimeout: number, handlers: ListenHandlers): net.Server {
  const handshaking = new Map<string, net.Socket>();
  const server = tls.createServer({
    ...SERVER_OPTIONS,
    ...material,
    handshakeTimeout,
    minVersion: 'TLSv1.2',
    requestCert: true,
    rejectUnauthorized: true,
  });
  server.prependListener('connection', (raw: net.Socket) => {
    handlers.admit(raw);
    const key = remoteKey(raw);
    handshaking.set(key, raw);
    raw.once('close', () => handshaking.delete(key));
  });
  server.on('secureConnection', (socket) => {
    const raw = handshaking.get(remoteKey(socket));
    handshaking.delete(remoteKey(socket));
    if (raw === undefined) {
      socket.destroy();
      return;
    }
    socket.disableRenegotiation();
    handlers.accept(socket, raw);
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

function remoteKey(socket: net.Socket): string {
  return `${socket.remoteAddress ?? ''} ${socket.remotePort ?? 0}`;
}

/** A process that was killed leaves its socket file; one that answers is alive and keeps it. */
async function removeStaleSocket(path: string): Promise<void> {
  const stale = await new Promise<boolean>((resolve) => {
    const probe = net.connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
  if (stale) unlinkSync(path);
}

function required(material: TlsMaterial | undefined): TlsMaterial {
  if (material === undefined) throw new ChannelError('invalid_target', 'a TLS target needs a CA, a certificate and a key');
  return material;
}

function describe(target: Target): string {
  return target.transport === 'unix' ? target.path : `${target.host} port ${target.port}`;
}
