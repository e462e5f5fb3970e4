/**
 * MAC addresses.
 *
 * Owns: the text form of a MAC, and the IPv6 addresses formed from one.
 * Assumes: a MAC as a value is an integer of 48 bits in a JS number, most significant octet first: `0a:00:00:00:00:01` is `0x0a0000000001`.
 * Promises: `parseMac` and `formatMac` are inverse on canonical text (lower case, colons, two digits per octet).
 */
import { AddressError } from './address-error.js';

export const MAX_MAC = 0xffff_ffff_ffff;
export const BROADCAST_MAC = MAX_MAC;

const MAC_TEXT = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
const INTERFACE_ID_MASK = 0xffff_ffff_ffff_ffffn;
const LINK_LOCAL_PREFIX = 0xfe80n << 112n;
const UNIVERSAL_LOCAL_BIT = 0x0200_0000_0000_0000n;

/** Reads `aa:bb:cc:dd:ee:ff`, either case. @throws AddressError */
export function parseMac(text: string): number {
  if (!MAC_TEXT.test(text)) throw new AddressError(text, 'a MAC address is six pairs of hex digits separated by colons');
  return Number.parseInt(text.replaceAll(':', ''), 16);
}

/** @throws RangeError for what is not an integer of 48 bits. */
export function formatMac(mac: number): string {
  if (!Number.isInteger(mac) || mac < 0 || mac > MAX_MAC) throw new RangeError(`${mac} is not a 48-bit MAC address`);
  const hex = mac.toString(16).padStart(12, '0');
  return `${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6, 8)}:${hex.slice(8, 10)}:${hex.slice(10)}`;
}

/** Group addresses, broadcast among them (IEEE 802: the I/G bit). */
export function isMulticastMac(mac: number): boolean {
  return (Math.floor(mac / 2 ** 40) & 1) === 1;
}

/** The address with the modified EUI-64 interface identifier of `mac` in the /64 of `prefix` (RFC 4291 appendix A); the low 64 bits of `prefix` are ignored. */
export function eui64Address(prefix: bigint, mac: number): bigint {
  const value = BigInt(mac);
  const identifier = ((value >> 24n) << 40n) | (0xfffen << 24n) | (value & 0xff_ffffn);
  return (prefix & ~INTERFACE_ID_MASK) | (identifier ^ UNIVERSAL_LOCAL_BIT);
}

/** `fe80::` with the EUI-64 of `mac`. */
export function eui64LinkLocal(mac: number): bigint {
  return eui64Address(LINK_LOCAL_PREFIX, mac);
}

/** The group MAC an IPv6 multicast address is sent to: `33:33` and its low 32 bits (RFC 2464 §7). */
export function ipv6MulticastMac(group: bigint): number {
  return 0x3333_0000_0000 + Number(group & 0xffff_ffffn);
}
