/**
 * Prefixes of networks and routes as values.
 *
 * Assumes: what it is given passed its schema; a prefix with host bits is cut to its network here, and refused by the invariants.
 */
import { cidrOf, formatCidr, type Cidr } from '../net/cidr.js';
import { parseIpv4, parseIpv6 } from '../net/ip.js';

/** What networks and routes have in common. */
export interface Prefixes {
  readonly ipv4_network: string | null;
  readonly ipv4_prefix: number | null;
  readonly ipv6_network: string | null;
  readonly ipv6_prefix: number | null;
}

export interface Subnet {
  readonly cidr: Cidr;
  readonly text: string;
  /** The field of the network that has its address. */
  readonly field: 'ipv4_network' | 'ipv6_network';
  /** The address as it was given, host bits and all. */
  readonly given: Cidr['network'];
}

export function ipv4Subnet(prefixes: Prefixes): Subnet | undefined {
  if (prefixes.ipv4_network === null || prefixes.ipv4_prefix === null) return undefined;
  const given = parseIpv4(prefixes.ipv4_network);
  const cidr = cidrOf({ family: 'ipv4', value: given }, prefixes.ipv4_prefix);
  return { cidr, text: formatCidr(cidr), field: 'ipv4_network', given };
}

export function ipv6Subnet(prefixes: Prefixes): Subnet | undefined {
  if (prefixes.ipv6_network === null || prefixes.ipv6_prefix === null) return undefined;
  const given = parseIpv6(prefixes.ipv6_network);
  const cidr = cidrOf({ family: 'ipv6', value: given }, prefixes.ipv6_prefix);
  return { cidr, text: formatCidr(cidr), field: 'ipv6_network', given };
}

export function subnets(prefixes: Prefixes): Subnet[] {
  return [ipv4Subnet(prefixes), ipv6Subnet(prefixes)].filter((subnet) => subnet !== undefined);
}

/** The one prefix of a route. */
export function destination(route: Prefixes): Subnet | undefined {
  return ipv4Subnet(route) ?? ipv6Subnet(route);
}
