/**
 * Names and values in `application/x-www-form-urlencoded`, the form of queries and of what HTML forms send.
 *
 * Promises: what is no UTF-8 text in percent-encoding is refused; URLSearchParams alone would take it with other characters in its place.
 */
import { HotoriError, type ErrorCode } from '../../flows/model/errors.js';

/** @param what is named in the complaint: "the query" @throws HotoriError with the code */
export function parseForm(text: string, what: string, code: ErrorCode): URLSearchParams {
  try {
    decodeURIComponent(text);
  } catch {
    const detail = `${what} has a % that is not followed by two hexadecimal digits of UTF-8 text`;
    throw new HotoriError(code, detail, { reasons: [{ pointer: '', detail }] });
  }
  return new URLSearchParams(text);
}
