/**
 * What putting encoded CBOR together needs that an encoder does not offer.
 */

/** The head of an array of so many items, which follow one after the other (RFC 8949 §3: major type 4, the length in four bytes). */
export function arrayHead(length: number): Buffer {
  const head = Buffer.of(0x9a, 0, 0, 0, 0);
  head.writeUInt32BE(length, 1);
  return head;
}
