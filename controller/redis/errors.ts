/**
 * What goes wrong between us and Redis.
 *
 * Promises: whoever catches one knows whether the command can have been executed.
 */

/**
 * - `unavailable`: no answer in time, or the connection was lost;
 * - `denied`: Redis does not accept our user, password, certificate or rights;
 * - `refused`: Redis answered with an error, whose first word is `reply`; the command was not executed, but for a script that failed on its way;
 * - `misconfigured`: the URL or the TLS files cannot be used;
 * - `closed`: by our own process.
 */
export type RedisErrorCode = 'unavailable' | 'denied' | 'refused' | 'misconfigured' | 'closed';

export interface RedisErrorDetails {
  readonly cause?: unknown;
  /** Whether the command was on its way when the connection failed. */
  readonly sent?: boolean;
  /** The first word of the error Redis answered with, such as `WRONGTYPE`. */
  readonly reply?: string;
}

export class RedisError extends Error {
  override readonly name = 'RedisError';
  readonly code: RedisErrorCode;
  readonly sent: boolean;
  readonly reply: string | undefined;

  constructor(code: RedisErrorCode, message: string, { cause, sent = false, reply }: RedisErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.sent = sent;
    this.reply = reply;
  }
}

export function textOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}
