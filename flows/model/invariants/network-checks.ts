/**
 * Networks, and what a change of one means for its leases.
 */
import type { Network } from '../entities/network.js';
import { ipv6Subnet, subnets } from '../subnets.js';
import { referrers } from '../view.js';
import { complainAbout, few, type Change, type Check } from './check.js';
import { checkPhysicalNetwork } from './gateway-checks.js';
import { addressProblem } from './lease-checks.js';
import { checkOverlaps, checkPrefixes, checkSubnetRange } from './subnet-checks.js';

/** RFC 8200 §5. */
const MIN_IPV6_MTU = 1280;

export function checkNetwork(check: Check, { before, after }: Change<'network'>): void {
  if (after === undefined) return;
  const complain = complainAbout(check, after);
  checkPrefixes(after, complain);
  if (subnets(after).length === 0) complain('', 'a network needs ipv4_network, ipv6_network or both');
  if (after.ipv6_slaac && ipv6Subnet(after)?.cidr.prefix !== 64) complain('ipv6_slaac', 'needs an ipv6_network with ipv6_prefix 64');
  if (after.ipv6_network !== null && after.mtu !== null && after.mtu < MIN_IPV6_MTU)
    complain('mtu', `must be at least ${MIN_IPV6_MTU} in a network with IPv6`);
  for (const subnet of subnets(after)) checkSubnetRange(subnet, complain);
  checkPhysicalNetwork(check.view, after, complain);
  if (before === undefined || before.vrf_key !== after.vrf_key || addressing(before) !== addressing(after))
    checkOverlaps(check.view, after, complain);
  if (before !== undefined && addressing(before) !== addressing(after)) checkLeases(check, after);
}

function addressing(network: Network): string {
  return [...subnets(network).map(({ text }) => text), String(network.ipv6_slaac)].join(' ');
}

function checkLeases(check: Check, network: Network): void {
  const misfits: string[] = [];
  for (const lease of referrers(check.view, 'ip_lease', network.uuid)) {
    const problem = check.touched(lease.uuid) ? undefined : addressProblem(check.view, lease, network);
    if (problem !== undefined) misfits.push(`${lease.uuid} (${problem})`);
  }
  if (misfits.length > 0) complainAbout(check, network)('', `does not fit its leases: ${few(misfits)}`);
}
