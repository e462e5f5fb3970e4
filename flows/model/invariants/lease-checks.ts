/**
 * mac_leases and ip_leases: one L2 domain per MAC, every MAC once in it, every address once in its network and inside its subnet.
 */
import { broadcastOf, cidrContains, cidrOf } from '../../net/cidr.js';
import { formatIpv6, parseIpv4, parseIpv6 } from '../../net/ip.js';
import { eui64Address, parseMac } from '../../net/mac.js';
import type { IpLease, MacLease } from '../entities/interface.js';
import type { Network } from '../entities/network.js';
import { ipKey, macKey } from '../indexes.js';
import { ipv4Subnet, ipv6Subnet } from '../subnets.js';
import { entityOf, ipLeasesOf, macDomain, networkDomain, type ModelView } from '../view.js';
import { complainAbout, type Change, type Check, type Complain } from './check.js';
import { checkLinksBy } from './datapath-link-checks.js';
import { checkLeaseBesideNat, checkLostIngress } from './nat-checks.js';
import { checkOwnedLease, checkRoutesThrough } from './routing-checks.js';

export function checkMacLease(check: Check, { after }: Change<'mac_lease'>): void {
  if (after === undefined) return;
  const complain = complainAbout(check, after);
  checkOwnedLease(check.view, after, complain);
  checkMacUnique(check.view, after, (detail) => complain('mac_address', detail, 'conflict'));
  for (const lease of ipLeasesOf(check.view, after.uuid)) {
    const network = entityOf(check.view, 'network', lease.network_uuid);
    if (network && !check.touched(lease.uuid)) checkDomain(after, network, (detail) => complain('segment_uuid', detail));
  }
}

export function checkIpLease(check: Check, { before, after }: Change<'ip_lease'>): void {
  if (
    before &&
    before.interface_uuid !== null &&
    (after?.interface_uuid !== before.interface_uuid || after.network_uuid !== before.network_uuid)
  )
    checkRoutesThrough(check, before.interface_uuid, complainAbout(check, before));
  if (before) checkLostIngress(check, before, after);
  if (after === undefined) return;
  const { view } = check;
  const complain = complainAbout(check, after);
  const network = entityOf(view, 'network', after.network_uuid);
  const macLease = entityOf(view, 'mac_lease', after.mac_lease_uuid);
  checkOwner(after, macLease, complain);
  if (before && before.interface_uuid !== after.interface_uuid) checkLinksBy(check, after, complain);
  checkOwnedLease(view, after, complain);
  if (network === undefined) return;
  checkAddress(check, after, network, complain);
  checkLeaseBesideNat(check, after, complain);
  if (macLease === undefined) return;
  checkDomain(macLease, network, (detail) => complain('network_uuid', detail));
  checkSiblings(view, after, macLease, network, complain);
  if (macLease.segment_uuid === null && !check.touched(macLease.uuid))
    checkMacUnique(view, macLease, (detail) => complain('mac_lease_uuid', detail, 'conflict'));
}

function checkOwner(lease: IpLease, macLease: MacLease | undefined, complain: Complain): void {
  if (lease.interface_uuid !== null && lease.mac_lease_uuid === null) complain('mac_lease_uuid', `needed with interface_uuid`);
  if (macLease && macLease.interface_uuid !== lease.interface_uuid)
    complain('interface_uuid', `${macLease.uuid} belongs to ${macLease.interface_uuid}`);
}

function checkAddress(check: Check, lease: IpLease, network: Network, complain: Complain): void {
  const field = lease.ipv4_address === null ? 'ipv6_address' : 'ipv4_address';
  if ((lease.ipv4_address === null) === (lease.ipv6_address === null)) {
    complain('', 'a lease has exactly one of ipv4_address and ipv6_address');
    return;
  }
  const problem = addressProblem(check.view, lease, network);
  if (problem !== undefined) complain(field, problem);
  const address = lease.ipv4_address ?? lease.ipv6_address ?? '';
  for (const other of check.view.lookup(ipKey(network.uuid, address)))
    if (other !== lease.uuid) complain(field, `${address} is taken in ${network.uuid} by ${other}`, 'conflict');
}

/** Why the network cannot have the lease's address; undefined when it can. */
export function addressProblem(view: ModelView, lease: IpLease, network: Network): string | undefined {
  if (lease.ipv4_address !== null) return ipv4Problem(parseIpv4(lease.ipv4_address), lease.ipv4_address, network);
  if (lease.ipv6_address === null) return undefined;
  return ipv6Problem(parseIpv6(lease.ipv6_address), lease.ipv6_address, network) ?? slaacProblem(view, lease, network);
}

function ipv4Problem(value: number, text: string, network: Network): string | undefined {
  const subnet = ipv4Subnet(network);
  if (subnet?.cidr.family !== 'ipv4') return `${network.uuid} has no IPv4 subnet`;
  if (!cidrContains(subnet.cidr, { family: 'ipv4', value })) return `${text} is outside ${subnet.text} of ${network.uuid}`;
  if (value === subnet.cidr.network && subnet.cidr.prefix < 31) return `${text} is the network address of ${subnet.text}`;
  if (value === broadcastOf(subnet.cidr)) return `${text} is the broadcast address of ${subnet.text}`;
  return undefined;
}

function ipv6Problem(value: bigint, text: string, network: Network): string | undefined {
  const subnet = ipv6Subnet(network);
  if (subnet?.cidr.family !== 'ipv6') return `${network.uuid} has no IPv6 subnet`;
  if (!cidrContains(subnet.cidr, { family: 'ipv6', value })) return `${text} is outside ${subnet.text} of ${network.uuid}`;
  if (value === subnet.cidr.network && subnet.cidr.prefix < 127)
    return `${text} is the subnet-router anycast address of ${subnet.text} (RFC 4291)`;
  return undefined;
}

/** A VM in a SLAAC network has the address it forms itself. Routers have what they are given. */
function slaacProblem(view: ModelView, lease: IpLease, network: Network): string | undefined {
  const macLease = entityOf(view, 'mac_lease', lease.mac_lease_uuid);
  const iface = entityOf(view, 'interface', lease.interface_uuid);
  if (!network.ipv6_slaac || lease.ipv6_address === null || macLease === undefined || iface?.mode !== 'vif') return undefined;
  const own = parseIpv6(lease.ipv6_address);
  const prefix = cidrOf({ family: 'ipv6', value: own }, 64).network;
  const formed = eui64Address(prefix, parseMac(macLease.mac_address));
  return own === formed ? undefined : `${network.uuid} uses SLAAC, where ${macLease.mac_address} forms ${formatIpv6(formed)}`;
}

function checkDomain(macLease: MacLease, network: Network, complain: (detail: string) => void): void {
  if (macLease.segment_uuid === network.segment_uuid) return;
  const where = (segment: string | null) => (segment === null ? 'no segment' : segment);
  complain(`${macLease.uuid} is in ${where(macLease.segment_uuid)}, ${network.uuid} in ${where(network.segment_uuid)}`);
}

function checkSiblings(view: ModelView, lease: IpLease, macLease: MacLease, network: Network, complain: Complain): void {
  for (const sibling of ipLeasesOf(view, macLease.uuid)) {
    const other = entityOf(view, 'network', sibling.network_uuid);
    if (sibling.uuid === lease.uuid || other === undefined || networkDomain(other) === networkDomain(network)) continue;
    complain('network_uuid', `${macLease.uuid} has an address in ${other.uuid}, which is another L2 domain than ${network.uuid}`);
    return;
  }
}

function checkMacUnique(view: ModelView, lease: MacLease, complain: (detail: string) => void): void {
  const domain = macDomain(view, lease);
  if (domain === undefined) return;
  for (const uuid of view.lookup(macKey(lease.mac_address))) {
    const other = uuid === lease.uuid ? undefined : entityOf(view, 'mac_lease', uuid);
    if (other && macDomain(view, other) === domain) {
      complain(`${lease.mac_address} is taken in ${domain} by ${uuid}`);
      return;
    }
  }
}
