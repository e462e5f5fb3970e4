/**
 * A connection to whoever has our keys now.
 *
 * Owns: connecting, and connecting again with growing pauses, to the server, the Sentinels' master or the cluster's node.
 * Assumes: one who blocks has a link of its own, for commands are answered in order.
 * Promises: no command is sent twice, and none waits in a queue longer than its caller does. After the first command it keeps itself connected.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../kernel/ambient.js';
import type { RedisAccess } from './access.js';
import { RedisConnection, type RedisArg, type RedisReply } from './connection.js';
import { RedisError, textOf } from './errors.js';
import { findMaster } from './master.js';
import { addressText } from './url.js';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
const ASK_SENTINELS_MS = 2_000;
const TIMEOUT_MS = 10_000;
/** Said by a server that is not, or not yet, the one to ask; the command was not executed. */
const ELSEWHERE = ['READONLY', 'MOVED', 'ASK', 'CLUSTERDOWN', 'TRYAGAIN', 'LOADING', 'MASTERDOWN'];

export interface CallOptions {
  /** For connecting and the answer together, in ms; TIMEOUT_MS when absent. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export type LinkState =
  { readonly state: 'connected'; readonly address: string } | { readonly state: 'disconnected'; readonly error: RedisError | undefined };

export interface RedisLinkOptions {
  readonly access: RedisAccess;
  readonly name: string;
  readonly random: Random;
  /** Called when the connection is there, and when it is not, once for each reason in a row. */
  readonly onState?: ((state: LinkState) => void) | undefined;
}

export class RedisLink {
  private readonly options: RedisLinkOptions;
  private readonly closing = new AbortController();
  private readonly waiting = new Set<() => void>();
  private connection: RedisConnection | undefined;
  private error: RedisError | undefined;
  private running: Promise<void> | undefined;
  private made = 0;

  constructor(options: RedisLinkOptions) {
    this.options = options;
  }

  get isConnected(): boolean {
    return this.connection !== undefined;
  }

  /** How many connections there have been: with a new one, what was known of the server may not hold any more. */
  get generation(): number {
    return this.made;
  }

  state(): LinkState {
    return this.connection === undefined
      ? { state: 'disconnected', error: this.error }
      : { state: 'connected', address: addressText(this.connection.address) };
  }

  /**
   * Sends a command, once there is a connection, and returns the answer.
   * Throws RedisError: `unavailable` (`sent` says whether it may have been executed), `denied`, `refused`, `closed`; the signal's reason.
   */
  async call(args: readonly RedisArg[], options: CallOptions = {}): Promise<RedisReply> {
    const [reply] = await this.callAll([args], options);
    return reply!;
  }

  /** Sends several commands on one connection, one behind the other, whatever the answers are. Throws as `call` does, the first error. */
  async callAll(commands: readonly (readonly RedisArg[])[], { timeoutMs = TIMEOUT_MS, signal }: CallOptions = {}): Promise<RedisReply[]> {
    const until = performance.now() + timeoutMs;
    for (;;) {
      signal?.throwIfAborted();
      const connection = await this.connected(until, signal);
      try {
        const left = Math.max(1, until - performance.now());
        return await abortable(Promise.all(commands.map((args) => connection.send(args, left))), signal);
      } catch (error) {
        if (!(error instanceof RedisError)) throw error;
        const elsewhere = error.reply !== undefined && ELSEWHERE.includes(error.reply);
        if (elsewhere) this.drop(connection, new RedisError('unavailable', error.message, { cause: error }));
        // A connection found dead on sending: nothing left this process.
        else if (error.code !== 'unavailable' || error.sent || performance.now() >= until) throw error;
        await pause(10, signal);
      }
    }
  }

  /** Gives the connection up, with the commands on their way; the next one is opened at once. */
  reconnect(): void {
    this.connection?.destroy();
  }

  async close(): Promise<void> {
    this.closing.abort(new RedisError('closed', `the connection ${this.options.name} is closed`));
    this.connection?.destroy();
    this.wakeAll();
    await this.running;
  }

  /** The connection, as soon as there is one. */
  private async connected(until: number, signal: AbortSignal | undefined): Promise<RedisConnection> {
    for (;;) {
      this.closing.signal.throwIfAborted();
      signal?.throwIfAborted();
      if (this.connection !== undefined) return this.connection;
      this.running ??= this.run();
      // Who is refused need not ask again and again; the next caller will.
      if (this.error?.code === 'denied' || this.error?.code === 'misconfigured') throw this.error;
      const left = until - performance.now();
      if (left <= 0) throw new RedisError('unavailable', this.error?.message ?? `no connection to ${this.options.access.text} in time`);
      await this.changed(left, signal);
    }
  }

  private async run(): Promise<void> {
    const { signal } = this.closing;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const connection = await this.open();
        attempt = 0;
        this.established(connection);
        const watching = new AbortController();
        void this.followSentinels(connection, watching.signal);
        const reason = await connection.ended;
        watching.abort();
        this.lost(reason);
      } catch (error) {
        this.lost(error instanceof RedisError ? error : new RedisError('unavailable', textOf(error), { cause: error }));
      }
      const jitter = this.options.random.bytes(1)[0]! / 256;
      const ms = Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS) * (0.5 + jitter / 2);
      await pause(ms, signal).catch(() => {});
    }
  }

  private async open(): Promise<RedisConnection> {
    const { access, name } = this.options;
    const address = await findMaster(access, name);
    const { credentials, database, mode } = access.url;
    const connection = await RedisConnection.open({ address, tls: access.tls, credentials, database, name });
    try {
      if (mode === 'sentinel') await expectMaster(connection);
      this.closing.signal.throwIfAborted();
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  /** A master that lost touch with its Sentinels does not know that it is none any more. */
  private async followSentinels(connection: RedisConnection, signal: AbortSignal): Promise<void> {
    const { access, name } = this.options;
    if (access.url.mode !== 'sentinel') return;
    for (;;) {
      await pause(ASK_SENTINELS_MS, signal).catch(() => {});
      if (signal.aborted) return;
      const master = await findMaster(access, name).catch(() => undefined);
      if (master !== undefined && addressText(master) !== addressText(connection.address)) return connection.destroy();
    }
  }

  private established(connection: RedisConnection): void {
    this.connection = connection;
    this.made++;
    this.error = undefined;
    this.options.onState?.(this.state());
    this.wakeAll();
  }

  private lost(error: RedisError): void {
    const isNews = this.connection !== undefined || this.error?.message !== error.message;
    this.connection = undefined;
    this.error = error;
    if (isNews && !this.closing.signal.aborted) this.options.onState?.(this.state());
    this.wakeAll();
  }

  private drop(connection: RedisConnection, error: RedisError): void {
    if (this.connection === connection) {
      this.connection = undefined;
      this.error = error;
    }
    connection.destroy(error);
  }

  private wakeAll(): void {
    for (const wake of [...this.waiting]) wake();
  }

  /** Resolves when something has changed, or after that time. */
  private changed(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.waiting.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }
}

async function expectMaster(connection: RedisConnection): Promise<void> {
  const role = await connection.send(['ROLE'], TIMEOUT_MS);
  const name = Array.isArray(role) ? String(role[0]) : 'nothing';
  if (name !== 'master')
    throw new RedisError('unavailable', `Redis at ${addressText(connection.address)} was named as the master and is ${name}`);
}

/** The caller stops waiting; the command goes on. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal });
}
