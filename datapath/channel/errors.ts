/**
 * How a channel fails.
 *
 * Owns: the error types the channel throws or rejects with.
 * Promises: codes are stable; a promise of the channel rejects with one of these, or with the reason of the caller's AbortSignal.
 */
import type { SwitchError } from './contract.js';

export type ChannelErrorCode =
  /** The target text, or the material it needs, cannot be used. */
  | 'invalid_target'
  | 'connect_failed'
  /** No complete handshake in time. */
  | 'handshake_timeout'
  /** The peer broke the handshake, or said OFPT_ERROR in it. */
  | 'handshake_failed'
  /** No OpenFlow version in common. */
  | 'version_mismatch'
  /** The listener refused the peer: too many, a second session, an auxiliary connection, or not authorised. */
  | 'refused'
  /** The transport ended or failed. */
  | 'connection_lost'
  /** This side closed the connection. */
  | 'closed'
  /** The peer left several echo requests unanswered. */
  | 'keepalive_timeout'
  /** The byte stream cannot be cut into messages any more. */
  | 'framing'
  /** Too many malformed messages in a minute. */
  | 'malformed'
  | 'request_timeout'
  /** More waits for this switch already than may. */
  | 'busy'
  /** A reply of another type than the request's. */
  | 'unexpected_reply'
  /** A multipart reply beyond the limit. */
  | 'multipart_overflow'
  /** A multipart reply stopped arriving. */
  | 'multipart_stalled'
  /** The receiver of a dump took longer than the switch may be kept waiting. */
  | 'consumer_lagging'
  /** A receiver threw while it handled a message. */
  | 'receiver_failed'
  /** The switch has no ONF bundles. */
  | 'bundles_unsupported'
  /** This connection is a slave and may not write. */
  | 'not_master';

export class ChannelError extends Error {
  override readonly name = 'ChannelError';
  readonly code: ChannelErrorCode;

  constructor(code: ChannelErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The switch answered a request or a modification with OFPT_ERROR. */
export class SwitchRejection extends Error {
  override readonly name = 'SwitchRejection';
  readonly error: SwitchError;
  /** Which message of the ones sent together failed, counting from 0. */
  readonly index: number;

  constructor(error: SwitchError, index = 0) {
    super(`the switch answered ${error.name}`);
    this.error = error;
    this.index = index;
  }
}

/** A bundle that was not applied, or not as a whole. */
export class BundleError extends Error {
  override readonly name = 'BundleError';
  /** The modification that failed, counting from 0; -1 when the switch failed the bundle itself. */
  readonly index: number;
  readonly error: SwitchError;
  /** When all but some were applied, the ones that were not. Undefined when nothing was. */
  readonly leftOut: ReadonlyMap<number, SwitchError> | undefined;

  constructor(index: number, error: SwitchError, leftOut?: ReadonlyMap<number, SwitchError>) {
    super(
      index < 0 ? `the switch failed the bundle: ${error.name}` : `the switch failed modification ${index} of the bundle: ${error.name}`,
    );
    this.index = index;
    this.error = error;
    this.leftOut = leftOut;
  }
}
