/**
 * Letting switches connect.
 *
 * Owns: the listener, strangers in the handshake, and one session per datapath id.
 * Promises: a second connection with the datapath id of a living session is refused: whoever claims an id cannot push its holder out (CVE-2018-1000155).
 * It takes over only when the session does not answer an echo.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { PeerCertificate } from 'node:tls';
import { Admission } from './admission.js';
import { ChannelError } from './errors.js';
import { OpenFlowChannel } from './openflow-channel.js';
import { DEFAULT_LIMITS } from './options.js';
import type { ChannelOptions } from './options.js';
import { parsePassiveTarget } from './target.js';
import { listen } from './transport.js';
import { WriterPool } from './writer-pool.js';

/** Who is at the other end. */
export interface Peer {
  readonly datapath_id: bigint;
  /** Absent for a Unix socket. */
  readonly address: string | undefined;
  /** The verified certificate of a TLS peer. */
  readonly certificate: PeerCertificate | undefined;
}

export interface ListenOptions extends ChannelOptions {
  /** Whether this peer may be this datapath, for example by its certificate. Everyone may when absent. */
  readonly authorize?: ((peer: Peer) => boolean) | undefined;
  /** A peer that did not become a session, and why. */
  readonly onRefused?: ((reason: Error, peer: Peer | undefined) => void) | undefined;
  /** Sockets without a finished handshake at once; 1,024 when absent. */
  readonly maxStrangers?: number | undefined;
  /** Sessions at once; 4,096 when absent. */
  readonly maxSessions?: number | undefined;
  /** Milliseconds the holder of a datapath id has to show that it lives when another connection claims the id; 2,000 when absent. */
  readonly takeoverProbe?: number | undefined;
}

export interface ChannelListener {
  /** The port listened on, undefined for a Unix socket. */
  readonly port: number | undefined;
  /** By datapath id. */
  readonly sessions: ReadonlyMap<bigint, OpenFlowChannel>;
  /** Sockets in the handshake, and how many were thrown out of it to make room. */
  strangers(): { readonly waiting: number; readonly evicted: number };
  /** Stops listening and closes every session. */
  close(): Promise<void>;
}

const MAX_STRANGERS = 1_024;
const MAX_SESSIONS = 4_096;
const TAKEOVER_PROBE_MS = 2_000;

/**
 * Listens on `punix:PATH`, `ptcp:[PORT][:HOST]` or `pssl:[PORT][:HOST]`. `onChannel` gets each connection that has shaken hands.
 * @throws ChannelError
 */
export async function listenChannels(
  target: string,
  options: ListenOptions,
  onChannel: (channel: OpenFlowChannel, peer: Peer) => void,
): Promise<ChannelListener> {
  const sessions = new Map<bigint, OpenFlowChannel>();
  const admission = new Admission(options.maxStrangers ?? MAX_STRANGERS);
  const shared = { ...options, writers: options.writers ?? new WriterPool() };

  const accept = async (socket: Socket, raw: Socket): Promise<void> => {
    let peer: Peer | undefined;
    let channel: OpenFlowChannel | undefined;
    try {
      channel = await OpenFlowChannel.open(socket, shared);
      admission.release(raw);
      peer = peerOf(socket, channel);
      await claim(sessions, channel, peer, options);
      onChannel(channel, peer);
    } catch (error) {
      channel?.connection.end(error as Error);
      options.onRefused?.(error as Error, peer);
    }
  };

  const handshakeTimeout = options.limits?.handshakeTimeout ?? DEFAULT_LIMITS.handshakeTimeout;
  const listener = await listen(parsePassiveTarget(target), options.tls, handshakeTimeout, {
    admit: (raw) => admission.admit(raw),
    accept: (socket, raw) => void accept(socket, raw),
  });
  return {
    port: listener.port,
    sessions,
    strangers: () => ({ waiting: admission.waiting, evicted: admission.evicted }),
    close: async () => {
      const closed = listener.close();
      admission.dismissAll();
      for (const channel of sessions.values()) channel.close();
      await closed;
    },
  };
}

/** @throws ChannelError `refused` */
async function claim(sessions: Map<bigint, OpenFlowChannel>, channel: OpenFlowChannel, peer: Peer, options: ListenOptions): Promise<void> {
  const id = peer.datapath_id;
  if (channel.features.auxiliary_id !== 0) throw new ChannelError('refused', 'auxiliary connections are not supported');
  if (options.authorize?.(peer) === false) throw new ChannelError('refused', `the peer may not be datapath ${hex(id)}`);
  const holder = sessions.get(id);
  if (holder === undefined && sessions.size >= (options.maxSessions ?? MAX_SESSIONS))
    throw new ChannelError('refused', 'too many switches are connected');
  if (holder !== undefined) {
    if (await isAlive(holder, options.takeoverProbe ?? TAKEOVER_PROBE_MS))
      throw new ChannelError('refused', `datapath ${hex(id)} is connected already`);
    holder.connection.end(new ChannelError('keepalive_timeout', 'the switch connected anew and its old connection did not answer'));
    if (sessions.get(id) !== holder && sessions.has(id)) throw new ChannelError('refused', `datapath ${hex(id)} has just connected`);
  }
  sessions.set(id, channel);
  void channel.closed.then(() => {
    if (sessions.get(id) === channel) sessions.delete(id);
  });
}

function isAlive(channel: OpenFlowChannel, patience: number): Promise<boolean> {
  return channel.probe(patience).then(
    () => true,
    () => false,
  );
}

function peerOf(socket: Socket, channel: OpenFlowChannel): Peer {
  return {
    datapath_id: channel.features.datapath_id,
    address: socket.remoteAddress,
    certificate: socket instanceof TLSSocket ? socket.getPeerCertificate() : undefined,
  };
}

function hex(datapathId: bigint): string {
  return datapathId.toString(16).padStart(16, '0');
}
