/**
 * The Internet checksum (RFC 1071) and the pseudo-headers of IPv4 and IPv6.
 *
 * Promises: `internetChecksum` of bytes that contain their own correct checksum is 0.
 */

/** Addresses of an IP packet, as far as the checksums of what it carries need them. */
export type IpEnds =
  | { readonly family: 'ipv4'; readonly src: number; readonly dst: number }
  | { readonly family: 'ipv6'; readonly src: bigint; readonly dst: bigint };

/** @param initial Sum to continue from, such as that of a pseudo-header. */
export function internetChecksum(bytes: Uint8Array, initial = 0): number {
  // 65,535 bytes sum to less than 2^31, so carries can wait until the end.
  let sum = initial;
  const even = bytes.length & ~1;
  for (let offset = 0; offset < even; offset += 2) sum += (bytes[offset]! << 8) | bytes[offset + 1]!;
  if (even < bytes.length) sum += bytes[even]! << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** Sum over the pseudo-header (RFC 793, RFC 8200 §8.1). @param length Bytes of the upper-layer packet. */
function pseudoHeaderSum(ends: IpEnds, protocol: number, length: number): number {
  const addresses = ends.family === 'ipv4' ? sumOf32(ends.src) + sumOf32(ends.dst) : sumOf128(ends.src) + sumOf128(ends.dst);
  return addresses + protocol + sumOf32(length);
}

/** Checksum of an upper-layer packet including its pseudo-header. */
export function transportChecksum(ends: IpEnds, protocol: number, packet: Uint8Array): number {
  return internetChecksum(packet, pseudoHeaderSum(ends, protocol, packet.length));
}

function sumOf32(value: number): number {
  return (value >>> 16) + (value & 0xffff);
}

function sumOf128(value: bigint): number {
  let sum = 0;
  for (let rest = value; rest > 0n; rest >>= 32n) sum += sumOf32(Number(rest & 0xffff_ffffn));
  return sum;
}
