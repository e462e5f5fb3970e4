/**
 * Connecting to a switch.
 *
 * Owns: the dial and the handshake as one step, and the loop that does it again.
 */
import type { Backoff } from './backoff.js';
import { OpenFlowChannel } from './openflow-channel.js';
import { DEFAULT_LIMITS } from './options.js';
import type { ChannelOptions } from './options.js';
import { parseActiveTarget } from './target.js';
import { dial } from './transport.js';

/**
 * Connects to `unix:PATH`, `tcp:HOST[:PORT]` or `ssl:HOST[:PORT]` and shakes hands.
 * @throws ChannelError, the reason of the signal.
 */
export async function connectChannel(target: string, options: ChannelOptions = {}, signal?: AbortSignal): Promise<OpenFlowChannel> {
  const timeout = options.limits?.connectTimeout ?? DEFAULT_LIMITS.connectTimeout;
  const socket = await dial(parseActiveTarget(target), options.tls, timeout, signal);
  return OpenFlowChannel.open(socket, options, signal);
}

export interface KeepConnectedEvents {
  /** A connection is up. The back-off starts over once this has resolved. */
  readonly onConnected: (channel: OpenFlowChannel) => void | Promise<void>;
  /** A connection, or the attempt at one, is over; the next attempt follows in `wait` milliseconds. */
  readonly onDown: (reason: Error | undefined, wait: number) => void;
}

/** Connects again whenever the connection is lost, until the signal fires. Resolves then, with the connection closed. */
export async function keepConnected(
  connect: (signal: AbortSignal) => Promise<OpenFlowChannel>,
  backoff: Backoff,
  events: KeepConnectedEvents,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const reason = await once(connect, backoff, events, signal);
    if (signal.aborted) return;
    const wait = backoff.next();
    events.onDown(reason, wait);
    await sleep(wait, signal);
  }
}

async function once(
  connect: (signal: AbortSignal) => Promise<OpenFlowChannel>,
  backoff: Backoff,
  events: KeepConnectedEvents,
  signal: AbortSignal,
): Promise<Error | undefined> {
  let channel: OpenFlowChannel | undefined;
  const onAbort = () => channel?.close();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    channel = await connect(signal);
    await events.onConnected(channel);
    backoff.reset();
    return await channel.closed;
  } catch (error) {
    channel?.close();
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
