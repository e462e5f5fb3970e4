/**
 * Address prefixes.
 *
 * Owns: CIDR text, masks, and the questions asked of prefixes (contains, overlaps, broadcast).
 * Promises: a Cidr made here has no host bits set, so equal prefixes are equal values.
 */
import { AddressError } from './address-error.js';
import { formatIp, formatIpv4, formatIpv6, MAX_IPV4, MAX_IPV6, parseIp, type Ip, type Ipv4, type Ipv6 } from './ip.js';

export type Ipv4Cidr = { readonly family: 'ipv4'; readonly network: number; readonly prefix: number };
export type Ipv6Cidr = { readonly family: 'ipv6'; readonly network: bigint; readonly prefix: number };
export type Cidr = Ipv4Cidr | Ipv6Cidr;

/** Address bits of a family. */
function familyBits(family: Ip['family']): 32 | 128 {
  return family === 'ipv4' ? 32 : 128;
}

/** @param prefix 0 to 32. */
export function ipv4Mask(prefix: number): number {
  checkPrefix('ipv4', prefix);
  return prefix === 0 ? 0 : (MAX_IPV4 << (32 - prefix)) >>> 0;
}

/** @param prefix 0 to 128. */
export function ipv6Mask(prefix: number): bigint {
  checkPrefix('ipv6', prefix);
  return MAX_IPV6 ^ (MAX_IPV6 >> BigInt(prefix));
}

/** Prefix length of a mask; undefined if its ones are not all on the left. */
export function ipv4MaskPrefix(mask: number): number | undefined {
  const prefix = Math.clz32(~mask);
  return ipv4Mask(prefix) === mask ? prefix : undefined;
}

/** Prefix length of a mask; undefined if its ones are not all on the left. */
export function ipv6MaskPrefix(mask: bigint): number | undefined {
  const hosts = mask ^ MAX_IPV6;
  const prefix = 128 - (hosts === 0n ? 0 : hosts.toString(2).length);
  return prefix >= 0 && ipv6Mask(prefix) === mask ? prefix : undefined;
}

/** The prefix of `prefix` bits that `ip` is in. @throws RangeError for a prefix longer than the address. */
export function cidrOf(ip: Ipv4, prefix: number): Ipv4Cidr;
export function cidrOf(ip: Ipv6, prefix: number): Ipv6Cidr;
export function cidrOf(ip: Ip, prefix: number): Cidr;
export function cidrOf(ip: Ip, prefix: number): Cidr {
  return ip.family === 'ipv4'
    ? { family: 'ipv4', network: (ip.value & ipv4Mask(prefix)) >>> 0, prefix }
    : { family: 'ipv6', network: ip.value & ipv6Mask(prefix), prefix };
}

/** The prefix that is this address alone. */
export function hostCidr(ip: Ip): Cidr {
  return cidrOf(ip, familyBits(ip.family));
}

/** Reads a prefix as `parseCidr` does, or an address, which is a prefix alone. @throws AddressError */
export function parsePrefix(text: string): Cidr {
  return text.includes('/') ? parseCidr(text) : hostCidr(parseIp(text));
}

/** Reads `10.0.0.0/24` or `2001:db8::/64`; the prefix length is required and no host bit may be set. @throws AddressError */
export function parseCidr(text: string): Cidr {
  const slash = text.indexOf('/');
  if (slash < 0) throw new AddressError(text, 'a prefix is an address, a slash and a number of bits');
  const ip = parseIp(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  const bits = familyBits(ip.family);
  const name = ip.family === 'ipv4' ? 'an IPv4' : 'an IPv6';
  if (!/^(0|[1-9][0-9]{0,2})$/.test(digits)) throw new AddressError(text, `${JSON.stringify(digits.slice(0, 8))} is not a number of bits`);
  const prefix = Number(digits);
  if (prefix > bits) throw new AddressError(text, `${name} prefix has at most ${bits} bits`);
  const cidr = cidrOf(ip, prefix);
  if (cidr.network !== ip.value) throw new AddressError(text, `${formatIp(ip)} has host bits set; the network is ${formatCidr(cidr)}`);
  return cidr;
}

export function formatCidr(cidr: Cidr): string {
  return `${cidr.family === 'ipv4' ? formatIpv4(cidr.network) : formatIpv6(cidr.network)}/${cidr.prefix}`;
}

/** False across families. */
export function cidrContains(cidr: Cidr, ip: Ip): boolean {
  if (cidr.family === 'ipv4') return ip.family === 'ipv4' && (ip.value & ipv4Mask(cidr.prefix)) >>> 0 === cidr.network;
  return ip.family === 'ipv6' && (ip.value & ipv6Mask(cidr.prefix)) === cidr.network;
}

/** Whether some address is in both; one then contains the other. False across families. */
export function cidrsOverlap(a: Cidr, b: Cidr): boolean {
  const [wide, narrow] = a.prefix <= b.prefix ? [a, b] : [b, a];
  return cidrContains(wide, networkIp(narrow));
}

/** Whether every address of `inner` is in `outer`. */
export function cidrCovers(outer: Cidr, inner: Cidr): boolean {
  return outer.prefix <= inner.prefix && cidrContains(outer, networkIp(inner));
}

/** The lowest address. */
export function networkIp(cidr: Cidr): Ip {
  return cidr.family === 'ipv4' ? { family: 'ipv4', value: cidr.network } : { family: 'ipv6', value: cidr.network };
}

/** The highest address. */
export function lastIp(cidr: Cidr): Ip {
  return cidr.family === 'ipv4'
    ? { family: 'ipv4', value: (cidr.network | ~ipv4Mask(cidr.prefix)) >>> 0 }
    : { family: 'ipv6', value: cidr.network | (ipv6Mask(cidr.prefix) ^ MAX_IPV6) };
}

/** The subnet's directed broadcast address; undefined where there is none: /31 (RFC 3021), /32 and IPv6. */
export function broadcastOf(cidr: Cidr): number | undefined {
  return cidr.family === 'ipv4' && cidr.prefix < 31 ? Number(lastIp(cidr).value) : undefined;
}

function checkPrefix(family: Ip['family'], prefix: number): void {
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > familyBits(family))
    throw new RangeError(`${prefix} is not a prefix length of ${family}`);
}
