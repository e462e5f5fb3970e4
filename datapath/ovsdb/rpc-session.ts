/**
 * One JSON-RPC connection to an OVSDB server (RFC 7047 §4.1).
 *
 * Owns: the socket, request ids, time limits, keep-alive in both directions.
 * Assumes: notifications are cheap to handle; they are delivered in order, all those of one read before `onBatchEnd`.
 * Promises: every request settles; after `closed` resolves nothing more is delivered and nothing more is pending.
 */
import net from 'node:net';
import type { Endpoint } from './endpoint.js';
import { JsonStream } from './json-stream.js';
import { OvsdbError, asOvsdbError } from './ovsdb-error.js';

export interface RpcLimits {
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Silence after which an echo is sent; as much silence again ends the connection. */
  readonly probeIntervalMs: number;
  /** Bytes of one message of the server. */
  readonly maxMessageBytes: number;
  /** Bytes we hold for a server that does not read. */
  readonly maxSendBytes: number;
}

export const DEFAULT_RPC_LIMITS: RpcLimits = {
  connectTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
  probeIntervalMs: 5_000,
  maxMessageBytes: 64 * 1024 * 1024,
  maxSendBytes: 16 * 1024 * 1024,
};

const MAX_DEPTH = 64;

export interface RpcHandlers {
  onNotification(method: string, params: readonly unknown[]): void;
  /** What the last read brought has all been delivered. */
  onBatchEnd(): void;
}

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: OvsdbError) => void;
}

export class RpcSession {
  readonly #socket: net.Socket;
  readonly #limits: RpcLimits;
  readonly #handlers: RpcHandlers;
  readonly #stream: JsonStream;
  readonly #pending = new Map<number, Pending>();
  readonly #probe: NodeJS.Timeout;
  #nextId = 1;
  #heard = true;
  #end: OvsdbError | undefined;
  #resolveClosed!: (reason: OvsdbError) => void;

  /** Resolves with the reason when the connection is over; never rejects. */
  readonly closed: Promise<OvsdbError> = new Promise((resolve) => (this.#resolveClosed = resolve));

  private constructor(socket: net.Socket, limits: RpcLimits, handlers: RpcHandlers) {
    this.#socket = socket;
    this.#limits = limits;
    this.#handlers = handlers;
    this.#stream = new JsonStream({ maxBytes: limits.maxMessageBytes, maxDepth: MAX_DEPTH });
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', (error) => this.#finish(asOvsdbError(error)));
    socket.on('close', () => this.#finish(new OvsdbError('disconnected', 'the OVSDB server closed the connection')));
    this.#probe = setInterval(() => this.#onProbe(), limits.probeIntervalMs);
    this.#probe.unref();
  }

  /** @throws OvsdbError `disconnected`, `timeout` or `aborted` */
  static async connect(endpoint: Endpoint, limits: RpcLimits, handlers: RpcHandlers, signal: AbortSignal): Promise<RpcSession> {
    if (signal.aborted) throw aborted();
    const socket =
      endpoint.kind === 'unix' ? net.connect({ path: endpoint.path }) : net.connect({ host: endpoint.host, port: endpoint.port });
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: OvsdbError): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        socket.removeAllListeners();
        if (error === undefined) return resolve();
        // A failed socket may still emit errors while it is torn down.
        socket.on('error', () => {});
        socket.destroy();
        reject(error);
      };
      const onAbort = (): void => settle(aborted());
      const timer = setTimeout(
        () => settle(new OvsdbError('timeout', 'no connection to the OVSDB server in time')),
        limits.connectTimeoutMs,
      );
      signal.addEventListener('abort', onAbort);
      socket.once('connect', () => settle());
      socket.once('error', (error) => settle(asOvsdbError(error)));
    });
    return new RpcSession(socket, limits, handlers);
  }

  /**
   * Calls a method. Aborting gives up on the answer; the server may still carry the request out.
   * @throws OvsdbError `refused`, `disconnected`, `timeout` or `aborted`
   */
  request(method: string, params: readonly unknown[], signal?: AbortSignal): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    if (signal?.aborted === true) return Promise.reject(aborted());
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#pending.delete(id);
      };
      const pending: Pending = {
        resolve: (result) => (done(), resolve(result)),
        reject: (error) => (done(), reject(error)),
      };
      const onAbort = (): void => pending.reject(aborted());
      const timer = setTimeout(
        () => pending.reject(new OvsdbError('timeout', `no answer to ${method} in ${this.#limits.requestTimeoutMs} ms`)),
        this.#limits.requestTimeoutMs,
      );
      signal?.addEventListener('abort', onAbort);
      this.#pending.set(id, pending);
      this.#send({ method, params, id });
    });
  }

  close(reason: OvsdbError = new OvsdbError('disconnected', 'closed by us')): void {
    this.#finish(reason);
  }

  #onData(chunk: Buffer): void {
    this.#heard = true;
    try {
      for (const message of this.#stream.push(chunk)) {
        if (this.#end !== undefined) return;
        this.#onMessage(message);
      }
    } catch (error) {
      return this.#finish(error instanceof OvsdbError ? error : new OvsdbError('protocol', 'unusable message', { cause: error }));
    }
    this.#handlers.onBatchEnd();
  }

  #onMessage(message: unknown): void {
    if (typeof message !== 'object' || message === null || Array.isArray(message))
      throw new OvsdbError('protocol', 'not a JSON-RPC message');
    const { method, params, id, result, error } = message as Record<string, unknown>;
    if (typeof method === 'string') {
      if (!Array.isArray(params)) throw new OvsdbError('protocol', `${method} without params`);
      if (method === 'echo') this.#send({ id, result: params, error: null });
      else if (id === null || id === undefined) this.#handlers.onNotification(method, params);
      else this.#send({ id, result: null, error: 'unknown method' });
      return;
    }
    const pending = typeof id === 'number' ? this.#pending.get(id) : undefined;
    // A late answer to a request that was given up is not an error.
    if (pending === undefined) return;
    if (error === null || error === undefined) pending.resolve(result);
    else pending.reject(new OvsdbError('refused', `the OVSDB server answers: ${describe(error)}`, { detail: error }));
  }

  #onProbe(): void {
    if (!this.#heard) return this.#finish(new OvsdbError('timeout', 'the OVSDB server is silent'));
    this.#heard = false;
    this.#send({ method: 'echo', params: [], id: 'echo' });
  }

  #send(message: unknown): void {
    if (this.#end !== undefined) return;
    this.#socket.write(JSON.stringify(message));
    if (this.#socket.writableLength > this.#limits.maxSendBytes) this.#finish(new OvsdbError('protocol', 'the OVSDB server does not read'));
  }

  #finish(reason: OvsdbError): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    clearInterval(this.#probe);
    this.#socket.destroy();
    for (const pending of [...this.#pending.values()]) pending.reject(reason);
    this.#resolveClosed(reason);
  }
}

function aborted(): OvsdbError {
  return new OvsdbError('aborted', 'aborted');
}

/** An error value of RFC 7047 §4.1.3 in words: a string, or `{error, details}`. */
export function describe(error: unknown): string {
  if (typeof error === 'string') return error;
  if (typeof error === 'object' && error !== null) {
    const { error: name, details } = error as Record<string, unknown>;
    if (typeof name === 'string') return typeof details === 'string' ? `${name}: ${details}` : name;
  }
  return JSON.stringify(error);
}
