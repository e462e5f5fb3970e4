/**
 * Holds one connection to the bridge, over and over.
 *
 * Owns: how soon to connect again: 25 to 50 ms after a loss, at most half a second apart, since the socket is local and every moment without
 * us may be one without flows; 0.5 to 30 s after a session that failed although the connection stood.
 * Promises: resolves when the signal is aborted, with the connection closed. The same trouble is logged once, not at every attempt; it is a warning
 * only when it lasts, since a switch that starts or a bridge just created is not there at once.
 */
import { Backoff } from '../channel/backoff.js';
import { keepConnected } from '../channel/connect.js';
import type { OpenFlowChannel } from '../channel/openflow-channel.js';
import type { Clock } from './clock.js';
import type { AgentLog } from './log.js';

/** A switch is back within this time after a restart, and no one need be told. */
const PATIENCE_MS = 3_000;

export interface HoldConnectionOptions {
  /** For the log. */
  readonly purpose: string;
  readonly connect: (signal: AbortSignal) => Promise<OpenFlowChannel>;
  /** Resolves when the connection is over or the signal is aborted; rejects when the session fails. */
  readonly attend: (channel: OpenFlowChannel, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: AgentLog;
}

export async function holdConnection(options: HoldConnectionOptions, signal: AbortSignal): Promise<void> {
  const { purpose, connect, attend, clock, random, log } = options;
  const recover = new Backoff({ floor: 1_000, ceiling: 30_000, random });
  let said: string | undefined;
  let downSince: number | undefined;
  await keepConnected(
    connect,
    new Backoff({ floor: 50, ceiling: 500, random }),
    {
      onConnected: async (channel) => {
        log.info({ purpose }, 'connected to the bridge');
        said = downSince = undefined;
        try {
          await attend(channel, signal);
          recover.reset();
        } catch (error) {
          const isLost = await isOver(channel);
          channel.close();
          if (isLost) return;
          log.error({ purpose, error: String(error) }, 'the session with the bridge failed');
          await clock.sleep(recover.next(), signal);
          throw error;
        }
      },
      onDown: (reason) => {
        const text = reason?.message ?? 'the connection ended';
        downSince ??= clock.now();
        const level = clock.now() - downSince < PATIENCE_MS ? 'info' : 'warn';
        if (`${level} ${text}` !== said) log[level]({ purpose, reason: text }, 'no connection to the bridge; trying again');
        said = `${level} ${text}`;
      },
    },
    signal,
  );
}

/** A request on a broken connection fails before or after its `closed` resolves. */
function isOver(channel: OpenFlowChannel): Promise<boolean> {
  const soon = new Promise<boolean>((resolve) => setImmediate(() => resolve(false)));
  return Promise.race([channel.closed.then(() => true), soon]);
}
