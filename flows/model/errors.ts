/**
 * Errors a user or operator can meet, with stable codes.
 *
 * Owns: the error type and the catalogue of codes with their HTTP status and OpenVNet class name. docs/errors.md is checked against it by a test.
 * Promises: a message names the field and the reason; `reasons` lists every reason found, each with a JSON pointer into the request.
 */

export interface Reason {
  /** RFC 6901 pointer into the request body, `''` for the whole. */
  readonly pointer: string;
  readonly detail: string;
  /** The entity concerned, if one is. */
  readonly uuid?: string | undefined;
}

/** The first of several reasons in a line, and how many more there are; `''` for none. */
export function summaryOf([first, ...more]: readonly Reason[]): string {
  if (first === undefined) return '';
  return `${first.pointer === '' ? '' : `${first.pointer}: `}${first.detail}${more.length === 0 ? '' : ` (and ${more.length} more)`}`;
}

/** `legacy` is OpenVNet's error class and code, kept for its clients. */
export const ERROR_CODES = {
  invalid_argument: { status: 400, legacy: 'ArgumentError', legacyCode: '110' },
  missing_argument: { status: 400, legacy: 'MissingArgument', legacyCode: '111' },
  invalid_uuid: { status: 400, legacy: 'InvalidUUID', legacyCode: '101' },
  duplicate_uuid: { status: 400, legacy: 'DuplicateUUID', legacyCode: '102' },
  malformed_body: { status: 400, legacy: 'ArgumentError', legacyCode: '110' },
  cross_origin: { status: 403, legacy: 'ArgumentError', legacyCode: '110' },
  unknown_uuid: { status: 404, legacy: 'UnknownUUIDResource', legacyCode: '100' },
  unknown_path: { status: 404, legacy: 'UnknownResource', legacyCode: '114' },
  method_not_allowed: { status: 405, legacy: 'ArgumentError', legacyCode: '110' },
  still_referenced: { status: 409, legacy: 'DeleteRestrictionError', legacyCode: '113' },
  conflict: { status: 409, legacy: 'RelationAlreadyExists', legacyCode: '112' },
  compacted: { status: 410, legacy: 'UnknownResource', legacyCode: '114' },
  precondition_failed: { status: 412, legacy: 'ArgumentError', legacyCode: '110' },
  body_too_large: { status: 413, legacy: 'ArgumentError', legacyCode: '110' },
  unsupported_media_type: { status: 415, legacy: 'ArgumentError', legacyCode: '110' },
  invalid_reference: { status: 422, legacy: 'ArgumentError', legacyCode: '110' },
  invariant_violated: { status: 422, legacy: 'ArgumentError', legacyCode: '110' },
  too_many_classes: { status: 422, legacy: 'ArgumentError', legacyCode: '110' },
  internal: { status: 500, legacy: 'InternalError', legacyCode: '500' },
  datapath_error: { status: 502, legacy: 'InternalError', legacyCode: '500' },
  unavailable: { status: 503, legacy: 'InternalError', legacyCode: '500' },
  wait_timeout: { status: 504, legacy: 'InternalError', legacyCode: '500' },
} as const satisfies Record<string, { status: number; legacy: string; legacyCode: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export class HotoriError extends Error {
  override readonly name = 'HotoriError';
  readonly code: ErrorCode;
  readonly reasons: readonly Reason[];
  /** Extra facts for the answer, such as lagging datapaths. Plain JSON. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { reasons?: readonly Reason[]; details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.reasons = options.reasons ?? [];
    this.details = options.details ?? {};
  }
}
