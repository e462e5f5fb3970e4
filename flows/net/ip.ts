/**
 * IP addresses.
 *
 * Owns: the text and byte forms of IPv4 and IPv6 addresses.
 * Assumes: as values an IPv4 address is an unsigned 32-bit number and an IPv6 address a bigint of 128 bits, both in network order.
 * Promises: parsers take exactly one spelling family and refuse the rest with a reason; formatters write the canonical text, which the parsers read back.
 */
import { AddressError } from './address-error.js';

export type Ipv4 = { readonly family: 'ipv4'; readonly value: number };
export type Ipv6 = { readonly family: 'ipv6'; readonly value: bigint };
export type Ip = Ipv4 | Ipv6;

export const MAX_IPV4 = 0xffff_ffff;
export const MAX_IPV6 = (1n << 128n) - 1n;

const GROUPS = 8;
const MAX_TEXT = 45;
const MAPPED_PREFIX = 0xffffn;

/** Reads four decimal octets without leading zeros: no short forms, no hex, and nothing that inet_aton would take for octal. @throws AddressError */
export function parseIpv4(text: string): number {
  const octets = text.length <= MAX_TEXT ? text.split('.') : [];
  if (octets.length !== 4) throw new AddressError(text, 'an IPv4 address is four decimal numbers separated by dots');
  let value = 0;
  for (const octet of octets) {
    if (!/^[0-9]{1,3}$/.test(octet)) throw new AddressError(text, `${JSON.stringify(octet)} is not a decimal number from 0 to 255`);
    if (octet.length > 1 && octet.startsWith('0'))
      throw new AddressError(text, `${octet} has a leading zero, which some programs read as octal`);
    const number = Number(octet);
    if (number > 255) throw new AddressError(text, `${octet} is more than 255`);
    value = value * 256 + number;
  }
  return value;
}

export function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 0xff}.${(value >>> 8) & 0xff}.${value & 0xff}`;
}

/** Reads the text forms of RFC 4291 §2.2, dotted quad at the end included, zone (`%eth0`) and brackets not. @throws AddressError */
export function parseIpv6(text: string): bigint {
  if (text.length > MAX_TEXT) throw new AddressError(text, 'an IPv6 address is at most 45 characters long');
  if (text.includes('%')) throw new AddressError(text, 'a zone is not part of an address here');
  if (!text.includes(':')) throw new AddressError(text, 'an IPv6 address has colons');
  const halves = text.split('::');
  if (halves.length > 2) throw new AddressError(text, '"::" may appear once');
  const [before = '', after] = halves;
  const head = groupsOf(text, before, after === undefined);
  if (after === undefined) {
    if (head.length !== GROUPS) throw new AddressError(text, `it has ${head.length} groups of 16 bits, not ${GROUPS}, and no "::"`);
    return join(head);
  }
  const tail = groupsOf(text, after, true);
  const missing = GROUPS - head.length - tail.length;
  if (missing < 1) throw new AddressError(text, '"::" stands for at least one group, and there is none left');
  return join([...head, ...new Array<number>(missing).fill(0), ...tail]);
}

function groupsOf(text: string, part: string, mayEndInIpv4: boolean): number[] {
  if (part === '') return [];
  const words = part.split(':');
  return words.flatMap((word, index) => {
    if (mayEndInIpv4 && index === words.length - 1 && word.includes('.')) {
      const value = parseIpv4(word);
      return [value >>> 16, value & 0xffff];
    }
    if (!/^[0-9a-f]{1,4}$/i.test(word)) throw new AddressError(text, `${JSON.stringify(word)} is not one to four hex digits`);
    return [Number.parseInt(word, 16)];
  });
}

function join(groups: readonly number[]): bigint {
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** The text of RFC 5952: lower case, the longest run of two or more zero groups (the first of equals) as `::`, IPv4-mapped addresses with a dotted quad. */
export function formatIpv6(value: bigint): string {
  if (value >> 32n === MAPPED_PREFIX) return `::ffff:${formatIpv4(Number(value & 0xffff_ffffn))}`;
  const groups = Array.from({ length: GROUPS }, (_, index) => Number((value >> BigInt(16 * (GROUPS - 1 - index))) & 0xffffn));
  const run = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (run.length < 2) return hex.join(':');
  return `${hex.slice(0, run.start).join(':')}::${hex.slice(run.start + run.length).join(':')}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (const [index, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: index - length + 1, length };
  }
  return best;
}

/** Reads an address of either family. @throws AddressError */
export function parseIp(text: string): Ip {
  return text.includes(':') ? { family: 'ipv6', value: parseIpv6(text) } : { family: 'ipv4', value: parseIpv4(text) };
}

export function formatIp(ip: Ip): string {
  return ip.family === 'ipv4' ? formatIpv4(ip.value) : formatIpv6(ip.value);
}

export function ipv4Bytes(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** @throws RangeError unless there are 4 bytes. */
export function ipv4FromBytes(bytes: Uint8Array): number {
  if (bytes.length !== 4) throw new RangeError(`an IPv4 address has 4 bytes, not ${bytes.length}`);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}

export function ipv6Bytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, value >> 64n);
  view.setBigUint64(8, value & 0xffff_ffff_ffff_ffffn);
  return bytes;
}

/** @throws RangeError unless there are 16 bytes. */
export function ipv6FromBytes(bytes: Uint8Array): bigint {
  if (bytes.length !== 16) throw new RangeError(`an IPv6 address has 16 bytes, not ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  return (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
}

/** 224.0.0.0/4. */
export function isMulticastIpv4(value: number): boolean {
  return value >>> 28 === 0xe;
}

/** 127.0.0.0/8. */
export function isLoopbackIpv4(value: number): boolean {
  return value >>> 24 === 127;
}

/** ff00::/8. */
export function isMulticastIpv6(value: bigint): boolean {
  return value >> 120n === 0xffn;
}

/** fe80::/10. */
export function isLinkLocalIpv6(value: bigint): boolean {
  return value >> 118n === 0x3fan;
}

/** The multicast group neighbour solicitations for `value` go to: `ff02::1:ff` and its low 24 bits (RFC 4291 §2.7.1). */
export function solicitedNode(value: bigint): bigint {
  return 0xff02_0000_0000_0000_0000_0001_ff00_0000n | (value & 0xff_ffffn);
}
