/**
 * Claims as bytes: which vna serves a datapath, and by which vnmgr.
 */
import { decodeMessage, encodeMessage, MessageError } from '../messages/envelope.js';
import { claimSchema, type Claim } from '../messages/slice-service.js';

export function encodeClaim(claim: Claim): Uint8Array {
  return encodeMessage('claim', claim);
}

/** undefined for what is none of ours. */
export function decodeClaim(bytes: Uint8Array): Claim | undefined {
  try {
    return decodeMessage(bytes, { claim: claimSchema }).body;
  } catch (error) {
    if (error instanceof MessageError) return undefined;
    throw error;
  }
}
