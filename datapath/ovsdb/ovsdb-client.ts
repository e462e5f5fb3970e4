/**
 * The OVSDB connection as the rest of vna sees it: a copy of the tables that keeps itself current, and transactions.
 *
 * Owns: connecting again (jittered back-off), the monitor, the replica.
 * Assumes: users are level-triggered: they look at `tables` whenever they are told something changed.
 * Promises: `tables` is never partial: the copy of the last connection stays until the first answer of the next one replaces it.
 */
import { Backoff } from '../channel/backoff.js';
import type { Endpoint } from './endpoint.js';
import type { Operation } from './operations.js';
import { OvsdbError, asOvsdbError } from './ovsdb-error.js';
import { Replica } from './replica.js';
import { DEFAULT_RPC_LIMITS, RpcSession, describe, type RpcLimits } from './rpc-session.js';
import { COLUMNS, TABLE_NAMES, type Tables } from './schema.js';

/** The part of a pino logger this folder uses. */
export interface OvsdbLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface OvsdbClientOptions {
  readonly endpoint: Endpoint;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: OvsdbLog;
  readonly limits?: Partial<RpcLimits>;
  /** Longest pause before connecting again. */
  readonly maxBackoffMs?: number;
}

export interface OperationResult {
  /** Rows an update or mutate matched. */
  readonly count?: number;
  /** The uuid of an inserted row. */
  readonly uuid?: string;
}

const DATABASE = 'Open_vSwitch';
const MONITOR_ID = 'hotori';
/** A transaction id no server has: it answers with all rows. A stand-alone server could not resume from another one either. */
const FROM_THE_START = '00000000-0000-0000-0000-000000000000';
const MAX_EARLY_UPDATES = 1_000;
const FIRST_BACKOFF_MS = 100;
const DEFAULT_MAX_BACKOFF_MS = 2_000;

export class OvsdbClient {
  readonly #options: OvsdbClientOptions;
  readonly #limits: RpcLimits;
  readonly #maxBackoffMs: number;
  readonly #listeners = new Set<() => void>();
  #session: RpcSession | undefined;
  #replica: Replica | undefined;
  #changed = false;
  #version = 0;
  #lastError: OvsdbError | undefined;

  constructor(options: OvsdbClientOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_RPC_LIMITS, ...options.limits };
    this.#maxBackoffMs = options.maxBackoffMs ?? DEFAULT_MAX_BACKOFF_MS;
  }

  /** undefined until the server has answered for the first time. */
  get tables(): Tables | undefined {
    return this.#replica?.tables;
  }

  /** Differs whenever `tables` does. */
  get version(): number {
    return this.#version;
  }

  /** True while `tables` follows the server. */
  get isSynced(): boolean {
    return this.#session !== undefined;
  }

  /** Why there is no connection; undefined while there is one. */
  get lastError(): OvsdbError | undefined {
    return this.#lastError;
  }

  /** Calls `listener` whenever `tables`, `isSynced` or `lastError` may have changed; returns what stops that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Keeps connected until the signal; then resolves, with nothing left open. */
  async run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ floor: FIRST_BACKOFF_MS, ceiling: this.#maxBackoffMs, random: this.#options.random });
    let isNews = true;
    const onStable = (): void => {
      backoff.reset();
      isNews = true;
    };
    while (!signal.aborted) {
      try {
        const session = await this.#synchronise(signal);
        this.#lastError = await this.#untilClosed(session, signal, onStable);
      } catch (error) {
        this.#lastError = asOvsdbError(error);
      }
      this.#session = undefined;
      this.#notify();
      if (isAborted(signal)) return;
      if (isNews) this.#options.log.warn({ error: this.#lastError.message }, 'no OVSDB connection; trying again');
      isNews = false;
      await pause(backoff.next(), signal);
    }
  }

  /**
   * Runs operations as one transaction: all take effect or none.
   * @throws OvsdbError `refused` (with the first error of the answer), `disconnected`, `timeout` or `aborted`
   */
  async transact(operations: readonly Operation[], signal?: AbortSignal): Promise<readonly OperationResult[]> {
    if (this.#session === undefined) throw new OvsdbError('disconnected', 'no OVSDB connection');
    const results = await this.#session.request('transact', [DATABASE, ...operations], signal);
    if (!Array.isArray(results)) throw new OvsdbError('protocol', 'a transaction answered without results');
    for (const result of results as unknown[]) {
      if (typeof result === 'object' && result !== null && 'error' in result) {
        throw new OvsdbError('refused', `the OVSDB server refuses: ${describe(result)}`, { detail: result });
      }
    }
    return (results as (OperationResult | null)[]).map((result) => result ?? {});
  }

  /** `onStable` is called once the connection has lasted: a server that hangs up at once is not asked ten times a second. */
  async #untilClosed(session: RpcSession, signal: AbortSignal, onStable: () => void): Promise<OvsdbError> {
    const onAbort = (): void => session.close();
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    const stable = setTimeout(onStable, this.#maxBackoffMs);
    const reason = await session.closed;
    clearTimeout(stable);
    signal.removeEventListener('abort', onAbort);
    return reason;
  }

  async #synchronise(signal: AbortSignal): Promise<RpcSession> {
    let replica: Replica | undefined;
    // Updates may follow the monitor's answer in the same read: they are applied once the answer is.
    const early: (readonly [string, readonly unknown[]])[] = [];
    const session = await RpcSession.connect(
      this.#options.endpoint,
      this.#limits,
      {
        onNotification: (method, params) => {
          if (replica !== undefined) return this.#apply(replica, method, params);
          if (early.push([method, params]) > MAX_EARLY_UPDATES) throw new OvsdbError('protocol', 'updates without a monitor');
        },
        onBatchEnd: () => this.#flush(),
      },
      signal,
    );
    try {
      replica = await this.#monitor(session, signal);
      for (const [method, params] of early) this.#apply(replica, method, params);
    } catch (error) {
      session.close(asOvsdbError(error));
      throw error;
    }
    this.#replica = replica;
    this.#version++;
    this.#session = session;
    this.#lastError = undefined;
    this.#changed = false;
    this.#options.log.info({}, 'OVSDB connection up');
    this.#notify();
    return session;
  }

  /** monitor_cond_since where the server has it (OVS ≥ 2.12), else monitor. */
  async #monitor(session: RpcSession, signal: AbortSignal): Promise<Replica> {
    const columns = Object.fromEntries(TABLE_NAMES.map((table) => [table, { columns: Object.keys(COLUMNS[table]) }]));
    try {
      const conditional = Object.fromEntries(TABLE_NAMES.map((table) => [table, [columns[table]]]));
      const reply = await session.request('monitor_cond_since', [DATABASE, MONITOR_ID, conditional, FROM_THE_START], signal);
      if (!Array.isArray(reply) || reply.length !== 3) throw new OvsdbError('protocol', 'unusable answer to monitor_cond_since');
      const replica = new Replica();
      replica.applyUpdate2(reply[2]);
      return replica;
    } catch (error) {
      if (!(error instanceof OvsdbError) || error.code !== 'refused' || error.detail !== 'unknown method') throw error;
    }
    const replica = new Replica();
    replica.applyUpdate(await session.request('monitor', [DATABASE, MONITOR_ID, columns], signal));
    return replica;
  }

  #apply(replica: Replica, method: string, params: readonly unknown[]): void {
    if (params[0] !== MONITOR_ID) return;
    if (method === 'update3') {
      replica.applyUpdate2(params[2]);
    } else if (method === 'update') {
      replica.applyUpdate(params[1]);
    } else {
      return;
    }
    this.#changed = true;
    this.#version++;
  }

  #flush(): void {
    if (!this.#changed || this.#session === undefined) return;
    this.#changed = false;
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** A call, so that the compiler does not take the state before an await for the state after it. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Resolves after the time, or at once on abort. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
