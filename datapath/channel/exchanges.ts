/**
 * Which message answers which.
 *
 * Owns: transaction ids (OF1.3.5 §7.1), what waits under each, and the ranges of ids whose errors belong to someone although no reply will come.
 * Promises: an id in use is never given out again; 0 never is, since switches use it for what nobody asked for. Every exchange ends exactly once.
 */
import type { Message } from '../../flows/openflow/message.js';
import type { SwitchError } from './contract.js';
import { ChannelError } from './errors.js';
import type { ChannelErrorCode } from './errors.js';

const MAX_XID = 0xffff_ffff;
/** Ids of abandoned requests that are kept out of use until their late reply has passed. */
const MAX_ABANDONED = 1_024;
const MAX_PENDING = 4_096;

/** Someone who waits for the reply to one message. */
export interface Exchange {
  /** Takes a reply of `length` bytes. True when it was the last. May throw what the exchange shall fail with. */
  reply(message: Message, length: number): boolean;
  /** The exchange is over without its reply. */
  fail(reason: unknown): void;
  /** The switch answered with an error. */
  refuse(error: SwitchError): void;
}

export interface ExchangeTerms {
  /** Milliseconds from the request, or from the part before, to the reply. */
  readonly timeout: number;
  /** What running out of time is called. */
  readonly timeoutCode: ChannelErrorCode;
  readonly signal?: AbortSignal | undefined;
}

interface Pending {
  readonly exchange: Exchange;
  readonly timer: NodeJS.Timeout;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: () => void;
}

/** Messages that get no reply when all is well: an error that names one of them goes to `onError`. */
export interface ErrorScope {
  readonly first: number;
  readonly count: number;
  /** `index` counts from 0 within the scope. */
  readonly onError: (index: number, error: SwitchError) => void;
}

export class Exchanges {
  readonly #pending = new Map<number, Pending>();
  readonly #abandoned = new Set<number>();
  readonly #scopes = new Set<ErrorScope>();
  #next: number;

  /** `first` is the first id given out. */
  constructor(first = 1) {
    this.#next = first;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** The first of `count` consecutive ids, none of them in use. */
  xids(count = 1): number {
    let first = this.#next;
    for (;;) {
      if (first + count - 1 > MAX_XID) first = 1;
      const taken = this.#lastInUse(first, count);
      if (taken === undefined) break;
      first = taken + 1;
    }
    this.#next = first + count > MAX_XID ? 1 : first + count;
    return first;
  }

  /** Waits under `xid`. @throws ChannelError `busy` */
  open(xid: number, exchange: Exchange, terms: ExchangeTerms): void {
    if (this.#pending.size >= MAX_PENDING) throw new ChannelError('busy', `${MAX_PENDING} requests wait for the switch already`);
    const { timeout, timeoutCode, signal } = terms;
    const timer = setTimeout(() => this.abandon(xid, new ChannelError(timeoutCode, `the switch did not answer in ${timeout} ms`)), timeout);
    const onAbort = () => this.abandon(xid, signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#pending.set(xid, { exchange, timer, signal, onAbort });
  }

  /** Hands a message to whoever waits under its id. False when nobody does. */
  deliver(xid: number, message: Message, length: number): boolean {
    const pending = this.#pending.get(xid);
    if (pending === undefined) return this.#late(xid, message);
    let last: boolean;
    try {
      last = pending.exchange.reply(message, length);
    } catch (error) {
      this.abandon(xid, error);
      this.#late(xid, message);
      return true;
    }
    if (last) this.#settle(xid, pending);
    else pending.timer.refresh();
    return true;
  }

  /** Hands an error to whoever sent the message it names. False when nobody did. */
  refuse(error: SwitchError): boolean {
    const pending = this.#pending.get(error.xid);
    if (pending !== undefined) {
      this.#settle(error.xid, pending);
      pending.exchange.refuse(error);
      return true;
    }
    for (const scope of this.#scopes) {
      const index = error.xid - scope.first;
      if (index < 0 || index >= scope.count) continue;
      scope.onError(index, error);
      return true;
    }
    return this.#abandoned.delete(error.xid);
  }

  /** Fails what waits under `xid`, if anything does; no reply will come. */
  fail(xid: number, reason: unknown): void {
    const pending = this.#pending.get(xid);
    if (pending === undefined) return;
    this.#settle(xid, pending);
    pending.exchange.fail(reason);
  }

  /** Fails what waits under `xid` although its reply, or the rest of it, may still come. */
  abandon(xid: number, reason: unknown): void {
    const pending = this.#pending.get(xid);
    if (pending === undefined) return;
    this.#settle(xid, pending);
    if (this.#abandoned.size >= MAX_ABANDONED) {
      for (const oldest of this.#abandoned) {
        this.#abandoned.delete(oldest);
        break;
      }
    }
    this.#abandoned.add(xid);
    pending.exchange.fail(reason);
  }

  failAll(reason: unknown): void {
    for (const xid of [...this.#pending.keys()]) this.fail(xid, reason);
  }

  /** Claims `count` consecutive ids for messages without reply. Close the scope after a barrier. */
  openScope(count: number, onError: ErrorScope['onError']): ErrorScope {
    const scope = { first: this.xids(count), count, onError };
    this.#scopes.add(scope);
    return scope;
  }

  closeScope(scope: ErrorScope): void {
    this.#scopes.delete(scope);
  }

  #settle(xid: number, pending: Pending): void {
    clearTimeout(pending.timer);
    pending.signal?.removeEventListener('abort', pending.onAbort);
    this.#pending.delete(xid);
  }

  /** A reply to a request given up earlier: expected, and of no use. */
  #late(xid: number, message: Message): boolean {
    const more = message.kind === 'multipart_reply' && (message.flags & 1) !== 0;
    return more ? this.#abandoned.has(xid) : this.#abandoned.delete(xid);
  }

  /** The highest id in use within [first, first + count). */
  #lastInUse(first: number, count: number): number | undefined {
    let found: number | undefined;
    const consider = (from: number, to: number) => {
      if (from < first + count && to >= first && (found === undefined || to > found)) found = to;
    };
    if (count === 1) {
      if (this.#pending.has(first) || this.#abandoned.has(first)) return first;
    } else {
      for (const xid of this.#pending.keys()) consider(xid, xid);
      for (const xid of this.#abandoned) consider(xid, xid);
    }
    if (this.#scopes.size > 0) for (const scope of this.#scopes) consider(scope.first, scope.first + scope.count - 1);
    return found;
  }
}
