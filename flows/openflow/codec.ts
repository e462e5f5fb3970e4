/**
 * The OpenFlow 1.3 codec: bytes to values and back.
 *
 * Owns: the two entry points and the checks of the message header (OpenFlow 1.3.5 §7.1.1).
 * Assumes: a framer found where the message starts and ends; a channel owns the writer.
 * Promises: decoding reads nothing outside `start` to `end`, terminates in time linear in the length, and throws nothing but DecodeError;
 * what decoded encodes again to bytes that decode to the same value. Views in the result share memory with `buf`.
 */
import { OPENFLOW_VERSION } from './constants.js';
import { DecodeError, EncodeError, OF_ERRORS } from './errors.js';
import { decodeBody } from './message-decode.js';
import { encodeInto } from './message-encode.js';
import type { Message } from './message.js';
import type { Writer } from './writer.js';

const HEADER = 8;
const OFPT_HELLO = 0;
const OFPT_ERROR = 1;

/**
 * Decodes the message in `buf` from `start` to `end`.
 *
 * @param view a DataView over exactly the memory of `buf`, for callers that decode many messages from one chunk.
 * @throws DecodeError with an offset that counts from `start`.
 */
export function decodeMessage(
  buf: Uint8Array,
  start: number,
  end: number,
  view: DataView = new DataView(buf.buffer, buf.byteOffset, buf.byteLength),
): { xid: number; message: Message } {
  if (start < 0 || end > view.byteLength || end - start < HEADER) {
    throw new DecodeError('truncated', 0, `a header of ${HEADER} bytes, found ${end - start}`, OF_ERRORS.bad_request_len);
  }
  if (view.getUint16(start + 2) !== end - start) {
    throw new DecodeError('bad_length', 2, `a message length of ${end - start}`, OF_ERRORS.bad_request_len);
  }
  if (view.getUint8(start) !== OPENFLOW_VERSION) {
    const type = view.getUint8(start + 1);
    if (type !== OFPT_HELLO && type !== OFPT_ERROR) throw new DecodeError('bad_version', 0, 'version 4', OF_ERRORS.bad_version);
  }
  try {
    return { xid: view.getUint32(start + 4), message: decodeBody(view, start, end, false) };
  } catch (error) {
    if (start === 0 || !(error instanceof DecodeError)) throw error;
    const { ofType: type, ofCode: code, experimenter } = error;
    throw new DecodeError(error.code, error.offset - start, error.expected, { type, code, experimenter });
  }
}

/**
 * Appends a message to the writer.
 *
 * @param xid 0 to 2^32-1.
 * @throws EncodeError for values that have no wire form; the writer is then as before.
 */
export function encodeMessage(w: Writer, message: Message, xid: number): void {
  const start = w.begin();
  try {
    encodeInto(w, message, xid);
    if (w.pos - start > 0xffff) throw new EncodeError('too_long', 'message exceeds 65535 bytes');
  } catch (error) {
    w.pos = start;
    throw error;
  }
}
