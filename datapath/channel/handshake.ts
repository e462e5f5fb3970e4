/**
 * Agreeing on OpenFlow 1.3 (OF1.3.5 §6.3.1).
 *
 * Owns: our HELLO, the reading of the peer's, and the error for a peer we cannot talk to.
 * Promises: a HELLO of any version, with any elements, even malformed ones, is enough to decide; Open vSwitch reads ours the same way.
 */
import { decodeMessage } from '../../flows/openflow/codec.js';
import { DecodeError } from '../../flows/openflow/errors.js';
import type { ErrorMessage, HelloMessage } from '../../flows/openflow/message.js';

/** Wire version of OpenFlow 1.3. */
export const VERSION = 4;

export const HELLO: HelloMessage = { kind: 'hello', version: VERSION, elements: [{ kind: 'version_bitmap', bitmaps: [1 << VERSION] }] };

/** True when the HELLO in `bytes[start, end)` leaves 1.3 as the version: both bitmaps have it, or, without a bitmap, the peer's highest version is at least ours. */
export function helloAllows13(bytes: Uint8Array, start: number, end: number): boolean {
  const elements = helloElements(bytes, start, end);
  for (const element of elements) {
    if (element.kind === 'version_bitmap') return ((element.bitmaps[0] ?? 0) & (1 << VERSION)) !== 0;
  }
  return bytes[start]! >= VERSION;
}

/** A peer whose elements cannot be read still said its version in the header. */
function helloElements(bytes: Uint8Array, start: number, end: number): HelloMessage['elements'] {
  try {
    const { message } = decodeMessage(bytes, start, end);
    return message.kind === 'hello' ? message.elements : [];
  } catch (error) {
    if (error instanceof DecodeError) return [];
    throw error;
  }
}

/** OFPHFC_INCOMPATIBLE, in the version the peer speaks so that it can read it. */
export function incompatible(peerVersion: number): ErrorMessage {
  const text = `We support version 0x0${VERSION}, you support version 0x${peerVersion.toString(16).padStart(2, '0')}, no common versions.`;
  return { kind: 'error', version: peerVersion, type: 0, code: 0, data: new TextEncoder().encode(text) };
}
