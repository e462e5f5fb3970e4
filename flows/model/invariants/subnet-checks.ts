/**
 * Subnets: which prefixes a network or route may have, and that no two of a routing domain overlap.
 */
import { isLinkLocalIpv6, isLoopbackIpv4, isMulticastIpv4, isMulticastIpv6 } from '../../net/ip.js';
import { cidrsOverlap } from '../../net/cidr.js';
import type { Network } from '../entities/network.js';
import { networkOfSubnetKey, subnetFrom, subnetIndex, subnetTo } from '../indexes.js';
import { subnets, type Prefixes, type Subnet } from '../subnets.js';
import { entityOf, type ModelView } from '../view.js';
import type { Complain } from './check.js';

/** Address and prefix length go together, and the address is the first of the prefix. */
export function checkPrefixes(prefixes: Prefixes, complain: Complain): void {
  for (const family of ['ipv4', 'ipv6'] as const) {
    const [network, prefix] = [prefixes[`${family}_network`], prefixes[`${family}_prefix`]];
    if (network === null && prefix !== null) complain(`${family}_network`, `needed with ${family}_prefix`);
    if (network !== null && prefix === null) complain(`${family}_prefix`, `needed with ${family}_network`);
  }
  for (const { given, cidr, field, text } of subnets(prefixes))
    if (given !== cidr.network) complain(field, `has host bits set; the network is ${text}`);
}

/** A subnet has addresses that hosts can have. */
export function checkSubnetRange(subnet: Subnet, complain: Complain): void {
  const { cidr, field, text } = subnet;
  if (cidr.family === 'ipv4') {
    if (isMulticastIpv4(cidr.network)) complain(field, `${text} is multicast`);
    else if (isLoopbackIpv4(cidr.network)) complain(field, `${text} is loopback`);
    else if (cidr.network >>> 28 === 15) complain(field, `${text} is reserved (RFC 1112)`);
    else if (cidr.network >>> 24 === 0) complain(field, `${text} is "this network" (RFC 1122)`);
  } else if (isMulticastIpv6(cidr.network)) complain(field, `${text} is multicast`);
  else if (isLinkLocalIpv6(cidr.network)) complain(field, `${text} is link-local, which every network has anyway`);
  else if (cidr.network >> 32n === 0n) complain(field, `${text} holds the unspecified, loopback or IPv4-compatible addresses`);
  else if (cidr.network >> 32n === 0xffffn) complain(field, `${text} holds IPv4-mapped addresses`);
}

/** No two networks of a routing domain overlap. Each pair is found from the one that starts first. */
export function checkOverlaps(view: ModelView, network: Network, complain: Complain): void {
  for (const subnet of subnets(network))
    for (const other of overlapping(view, network, subnet))
      complain(subnet.field, `${subnet.text} overlaps ${other.text} of ${other.network} in the same routing domain`, 'conflict');
}

const MAX_OVERLAPS = 5;

function overlapping(view: ModelView, network: Network, subnet: Subnet): { text: string; network: string }[] {
  const index = subnetIndex(network.vrf_key);
  const found: { text: string; network: string }[] = [];
  const end = subnetTo(subnet);
  for (const key of view.from(index, subnetFrom(subnet))) {
    if (key > end || found.length === MAX_OVERLAPS) break;
    consider(networkOfSubnetKey(key));
  }
  // One step down is enough: whoever starts earlier and reaches further than that one overlaps it too, and reports both.
  for (const key of view.before(index, subnetFrom(subnet))) {
    consider(networkOfSubnetKey(key));
    break;
  }
  return found;

  function consider(uuid: string): void {
    if (uuid === network.uuid) return;
    const other = entityOf(view, 'network', uuid);
    const same = other && subnets(other).find(({ cidr }) => cidrsOverlap(cidr, subnet.cidr));
    if (same) found.push({ text: same.text, network: uuid });
  }
}
