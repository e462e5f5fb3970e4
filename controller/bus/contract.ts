/**
 * The bus: how processes of one deployment speak with each other.
 *
 * Owns: requests that one of several servers answers, topics (ordered messages of one writer), tables (last values with a time to live).
 * Assumes: payloads are opaque bytes; their versions and checks are controller/messages. Members share nothing but the bus.
 * Promises: what test/compliance/bus.ts checks. Nothing is lost in silence: a request ends in its answer or a BusError; a reader of a topic is
 * told of every position it will not get; a watcher of a table always comes to the present values. Every implementation survives the loss of its
 * transport and goes on by itself.
 */

/** Largest payload of a request, an answer or a topic message, bytes. */
export const MAX_PAYLOAD = 64 * 1024 * 1024;

export interface RequestOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Members not to ask, such as one that was lost with the request before. */
  readonly except?: readonly string[];
}

export interface Answer {
  readonly payload: Uint8Array;
  /** The member that answered. */
  readonly server: string;
}

export interface Question {
  readonly payload: Uint8Array;
  /** The member that asks. */
  readonly client: string;
  /** Aborted when the member stops serving. */
  readonly signal: AbortSignal;
}

/** Answers a request. What it throws reaches the client as BusError `failed` without the text of the error, which may say more than it should. */
export type Handler = (question: Question) => Promise<Uint8Array>;

export interface TopicMessage {
  /** Dense from 1 within a topic. */
  readonly position: number;
  readonly payload: Uint8Array;
}

/** The one writer of a topic. */
export interface TopicWriter {
  /**
   * Sends a message after those before it; waits for the transport when it is away. What would not fit into what may wait is dropped, and its
   * position is a gap to the reader. Never throws for reasons of the transport.
   * @returns its position.
   */
  append(payload: Uint8Array): number;
  /** Resolves when everything appended so far has been sent or dropped. */
  flushed(): Promise<void>;
  /** Ends the topic; what is left of it goes in its own time. */
  close(): Promise<void>;
}

export interface TopicLimits {
  /** Messages kept for readers; older ones are a gap to who has not read them. */
  readonly keep: number;
}

export interface TopicReader {
  readonly onMessage: (message: TopicMessage) => void;
  /** Positions after `last` up to `next` will not come: trimmed, dropped or lost by the transport. `next` itself comes next. */
  readonly onGap: (last: number, next: number) => void;
}

/** A change of a table: the new value, or undefined for a key that is gone (removed, or its time to live is over). */
export type TableChange = ReadonlyMap<string, Uint8Array | undefined>;

export interface Bus {
  /** What this member is called; unique, chosen by whoever made the bus, and seen by others. */
  readonly member: string;
  /** Whether the transport is there now. */
  readonly isConnected: boolean;
  /** Whether it has been there for long enough to tell that a member who does not show is not alive. */
  readonly isSettled: boolean;

  /**
   * Asks one of those who serve the subject.
   * Throws BusError `no_server` when nobody does, `server_lost` when the one that was asked is gone or does not show signs of life, `timeout`,
   * `failed` when its handler threw, `overloaded`, `too_large`, `unavailable` when the transport is away; the signal's reason when aborted.
   * Only after `no_server`, `overloaded`, `too_large`, and where the error is `unsent`, it is certain that nobody has acted on it.
   */
  request(subject: string, payload: Uint8Array, options: RequestOptions): Promise<Answer>;
  /** Answers requests to a subject until the signal. Requests are handed over in the order they come, without waiting for the answers before. */
  serve(subject: string, handler: Handler, signal: AbortSignal): void;

  /** Begins a topic that nobody has written before. */
  write(topic: string, limits: TopicLimits): TopicWriter;
  /** Reads a topic after a position (0: from its beginning) until the signal. Each message comes once, in order. */
  read(topic: string, after: number, reader: TopicReader, signal: AbortSignal): void;

  /** Sets a value that is gone after `ttlMs` unless set again. Throws BusError `unavailable`, `too_large` (over 1 MiB). */
  put(table: string, key: string, value: Uint8Array, ttlMs: number): Promise<void>;
  /** Throws BusError `unavailable`. */
  remove(table: string, key: string): Promise<void>;
  /** Throws BusError `unavailable`. */
  list(table: string): Promise<ReadonlyMap<string, Uint8Array>>;
  /**
   * Calls `sink` with what is there, once it is known, even when that is nothing, and then with what changes, until the signal. Values that were
   * replaced meanwhile may be left out. While the transport is away what was known last stands.
   */
  watch(table: string, sink: (change: TableChange) => void, signal: AbortSignal): void;

  /** Ends everything; what waits throws BusError `closed`. */
  close(): Promise<void>;
}

export type BusErrorCode = 'no_server' | 'server_lost' | 'timeout' | 'failed' | 'overloaded' | 'too_large' | 'unavailable' | 'closed';

export interface BusErrorDetails {
  readonly server?: string | undefined;
  readonly unsent?: boolean;
  readonly cause?: unknown;
}

export class BusError extends Error {
  override readonly name = 'BusError';
  readonly code: BusErrorCode;
  /** The member that was asked, where one was. */
  readonly server: string | undefined;
  /** Nothing has left this process. */
  readonly unsent: boolean;

  constructor(code: BusErrorCode, message: string, options: BusErrorDetails = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.server = options.server;
    this.unsent = options.unsent ?? false;
  }
}
