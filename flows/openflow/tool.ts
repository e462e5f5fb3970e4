/**
 * What `vnctl of` does with one line.
 *
 * Promises: pure and total: any text in, text out, no exception.
 */
import { decodeMessage, encodeMessage } from './codec.js';
import { DecodeError, EncodeError } from './errors.js';
import { errorName } from './error-codes.js';
import { hexDump } from './text-common.js';
import { messageToString } from './text-message.js';
import { TextError } from './text-error.js';
import { bytesFromHex, hexBytes } from './text-value.js';
import { Writer } from './writer.js';

const HEADER = 8;
/** An error may quote a message that is itself an error, and so on. */
const MAX_QUOTES = 4;

/** Hex digits with or without white space. */
function parseHex(line: string): Uint8Array {
  return bytesFromHex(line.replace(/\s+/g, ''));
}

function reasonOf(error: unknown): string {
  if (error instanceof DecodeError) {
    const name = errorName({ type: error.ofType, code: error.ofCode, experimenter: error.experimenter });
    return `${name}: ${error.message}`;
  }
  if (error instanceof EncodeError || error instanceof TextError) return error.message;
  throw error;
}

function printBytes(bytes: Uint8Array, quotes: number): string {
  const declared = bytes.length < 4 ? 0 : (bytes[2]! << 8) | bytes[3]!;
  if (bytes.length >= HEADER && declared > bytes.length)
    return `(***truncated to ${bytes.length} bytes from ${declared}***)\n${hexDump(bytes)}`;
  try {
    const { xid, message } = decodeMessage(bytes, 0, bytes.length);
    return messageToString(message, xid, (quoted) => (quotes === 0 ? hexDump(quoted) : printBytes(quoted, quotes - 1)));
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return `***decode error: ${reasonOf(error)}***\n${hexDump(bytes)}`;
  }
}

/** A message in hexadecimal as text, like `ovs-ofctl ofp-print`; several lines for messages with several entries. */
export function ofPrintLine(hex: string): string {
  try {
    return printBytes(parseHex(hex), MAX_QUOTES);
  } catch (error) {
    return `error: ${reasonOf(error)}`;
  }
}

/** Decodes a message in hexadecimal and encodes it again: the hex of the result, or `error: …`. */
export function ofRoundtripLine(hex: string): string {
  try {
    const bytes = parseHex(hex);
    const { xid, message } = decodeMessage(bytes, 0, bytes.length);
    const writer = new Writer();
    encodeMessage(writer, message, xid);
    return hexBytes(writer.take());
  } catch (error) {
    return `error: ${reasonOf(error)}`;
  }
}
