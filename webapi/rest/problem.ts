/**
 * Errors as a client sees them: RFC 9457 problem documents that also carry OpenVNet's `error`, `code` and `message`.
 *
 * Promises: the text of an unexpected error never leaves the process; the request id leads to it in the log.
 */
import { ERROR_CODES, HotoriError, type ErrorCode } from '../../flows/model/errors.js';

/** Namespace of OpenVNet's API errors, which its clients see before the class name. */
const LEGACY_NAMESPACE = 'Vnet::Endpoints::Errors::';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export interface Problem {
  /** `urn:hotori:error:` and the code of docs/errors.md. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly errors: readonly { readonly pointer: string; readonly detail: string; readonly uuid?: string | undefined }[];
  readonly request_id: string;
  readonly error: string;
  readonly code: string;
  readonly message: string;
}

export function problemOf(error: HotoriError, requestId: string): Problem & Readonly<Record<string, unknown>> {
  const { status, legacy, legacyCode } = ERROR_CODES[error.code];
  const standard = {
    type: `urn:hotori:error:${error.code}`,
    title: titleOf(error.code),
    status,
    detail: error.message,
    errors: error.reasons,
    request_id: requestId,
    error: `${LEGACY_NAMESPACE}${legacy}`,
    code: legacyCode,
    message: error.message,
  };
  return { ...standard, ...error.details, ...standard };
}

/** `unknown_uuid` → `Unknown uuid`. */
function titleOf(code: ErrorCode): string {
  return code.charAt(0).toUpperCase() + code.slice(1).replaceAll('_', ' ');
}

/** What to tell the client of anything thrown. */
export function asHotoriError(thrown: unknown): HotoriError {
  if (thrown instanceof HotoriError) return thrown;
  if (isBadPath(thrown))
    return new HotoriError('invalid_argument', 'the path has a % that is not followed by two hexadecimal digits of UTF-8 text');
  return new HotoriError('internal', 'something went wrong inside; the log has it under this request_id', { cause: thrown });
}

/** What express throws for a path it cannot decode. */
function isBadPath(thrown: unknown): boolean {
  return thrown instanceof URIError || (thrown instanceof Error && 'status' in thrown && thrown.status === 400);
}
