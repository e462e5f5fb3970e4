/**
 * What can go wrong between us and an OVSDB server.
 *
 * Owns: the error type of this folder and its codes.
 * Promises: every rejected promise of this folder is an OvsdbError; `code` is stable, `message` is for people.
 */

export type OvsdbErrorCode =
  /** `unix:PATH` or `tcp:HOST:PORT` was expected. */
  | 'bad_endpoint'
  /** There is no connection, or it ended before the answer came: whether a transaction took effect is not known. */
  | 'disconnected'
  /** The server did not answer in time. */
  | 'timeout'
  /** The caller's signal was aborted. */
  | 'aborted'
  /** The server sent what is not JSON-RPC, not OVSDB, or too large. */
  | 'protocol'
  /** The server answered with an error; `detail` holds it. */
  | 'refused'
  /** The row that was to be changed is not there. */
  | 'no_row';

export class OvsdbError extends Error {
  override readonly name = 'OvsdbError';
  readonly code: OvsdbErrorCode;
  /** The server's own error value, if it sent one. */
  readonly detail: unknown;

  constructor(code: OvsdbErrorCode, message: string, options: { detail?: unknown; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.detail = options.detail;
  }
}

/** Any thrown value as an OvsdbError; what is not one already becomes `disconnected` (socket errors). */
export function asOvsdbError(error: unknown): OvsdbError {
  if (error instanceof OvsdbError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new OvsdbError('disconnected', message, { cause: error });
}
