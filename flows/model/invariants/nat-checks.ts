/**
 * Addresses that stand for others: free or the router's own, in a network the router has a port in, for something it can reach; each for one thing.
 */
import { broadcastOf, cidrContains, parseCidr, type Cidr } from '../../net/cidr.js';
import { formatIp, parseIp } from '../../net/ip.js';
import type { Interface, IpLease } from '../entities/interface.js';
import type { FloatingIp, NatRule, Translation, TranslationStatic } from '../entities/nat.js';
import type { Network } from '../entities/network.js';
import type { Route } from '../entities/routing.js';
import { ipKey, natAddressKey, vrfKey } from '../indexes.js';
import { subnets } from '../subnets.js';
import { entityOf, referrers, type ModelView } from '../view.js';
import { complainAbout, type Change, type Check, type Complain } from './check.js';

export function checkFloatingIp(check: Check, { after }: Change<'floating_ip'>): void {
  if (after === undefined) return;
  const { view } = check;
  const complain = complainAbout(check, after);
  const network = entityOf(view, 'network', after.network_uuid);
  if (network === undefined) return;
  checkOutside(view, after, network, complain);
  for (const uuid of view.lookup(natAddressKey(network.uuid, after.ip_address)))
    if (uuid !== after.uuid) complain('ip_address', `${after.ip_address} stands for something else already, by ${uuid}`, 'conflict');
  for (const uuid of view.lookup(ipKey(network.uuid, after.ip_address)))
    complain('ip_address', `${after.ip_address} is leased in ${network.uuid}, by ${uuid}`, 'conflict');
  const lease = entityOf(view, 'ip_lease', after.ip_lease_uuid);
  if (lease !== undefined) checkTarget(view, after, network, lease, complain);
}

/** A network that has come into another routing domain may have left behind what stands for it, or what it stands for. */
export function checkPartedFloatingIps(check: Check, { before, after }: Change<'network'>): void {
  if (before === undefined || after === undefined || before.vrf_key === after.vrf_key) return;
  const { view } = check;
  const concerned = [...referrers(view, 'floating_ip', after.uuid)];
  for (const lease of referrers(view, 'ip_lease', after.uuid)) concerned.push(...referrers(view, 'floating_ip', lease.uuid));
  for (const floating of concerned) {
    const outside = entityOf(view, 'network', floating.network_uuid);
    const network = entityOf(view, 'network', entityOf(view, 'ip_lease', floating.ip_lease_uuid)?.network_uuid ?? null);
    if (outside === undefined || network === undefined || network.vrf_key === outside.vrf_key || check.touched(floating.uuid)) continue;
    const { route_link_uuid: link, ip_address } = floating;
    // A router that has left its outside network is complained of as that.
    if (link !== null && hasPort(view, link, outside.uuid, parseIp(ip_address).family))
      complainAbout(check, after)('', `${floating.uuid} (${floating.ip_address}) needs a router from ${outside.uuid} to ${network.uuid}`);
  }
}

/** What it stands for is a VM's address behind the router. */
function checkTarget(view: ModelView, floating: FloatingIp, outside: Network, lease: IpLease, complain: Complain): void {
  const address = (lease.ipv4_address ?? lease.ipv6_address)!;
  const [own, target] = [parseIp(floating.ip_address).family, parseIp(address).family];
  if (own !== target) complain('ip_address', `${floating.ip_address} is ${own}, ${address} of ${lease.uuid} is ${target}`);
  const iface = entityOf(view, 'interface', lease.interface_uuid);
  if (iface === undefined) complain('ip_lease_uuid', `nobody has ${address}: ${lease.uuid} is attached to nothing`);
  else if (iface.mode === 'simulated') complain('ip_lease_uuid', `${address} is that of a router or service, ${iface.uuid}`);
  const network = entityOf(view, 'network', lease.network_uuid);
  if (network?.uuid === outside.uuid) complain('ip_lease_uuid', `${address} is itself in ${outside.uuid}`);
  else if (network && network.vrf_key !== outside.vrf_key)
    complain('ip_lease_uuid', `no router leads from ${outside.uuid} to ${network.uuid}, where ${address} is`);
  for (const other of referrers(view, 'floating_ip', lease.uuid))
    if (other.uuid !== floating.uuid && other.route_link_uuid === floating.route_link_uuid && other.network_uuid === outside.uuid)
      complain('ip_lease_uuid', `${other.ip_address} stands for ${address} already, by ${other.uuid}`, 'conflict');
}

export function checkNatRule(check: Check, { after }: Change<'nat_rule'>): void {
  if (after === undefined) return;
  const { view } = check;
  const complain = complainAbout(check, after);
  const network = entityOf(view, 'network', after.network_uuid);
  if (network === undefined) return;
  checkOutside(view, after, network, complain);
  const link = entityOf(view, 'route_link', after.route_link_uuid);
  if (link && link.router_uuid !== after.router_uuid)
    complain('route_link_uuid', `${link.uuid} belongs to ${link.router_uuid}; give it rules there`, 'conflict');
  for (const uuid of view.lookup(ipKey(network.uuid, after.ip_address))) {
    const lease = entityOf(view, 'ip_lease', uuid);
    if (lease && !isPortOf(view, after.route_link_uuid, network.uuid, lease.interface_uuid))
      complain('ip_address', `${after.ip_address} is leased in ${network.uuid}, by ${uuid}`, 'conflict');
  }
  for (const uuid of view.lookup(natAddressKey(network.uuid, after.ip_address))) {
    const other = view.get(uuid);
    if (uuid === after.uuid || other === undefined) continue;
    if (other.kind !== 'nat_rule' || other.route_link_uuid !== after.route_link_uuid)
      complain('ip_address', `${after.ip_address} stands for something else already, by ${uuid}`, 'conflict');
    else if (other.datapath_uuid !== after.datapath_uuid)
      complain('datapath_uuid', `${after.ip_address} is translated in one place, and ${uuid} says another`, 'conflict');
  }
  const family = parseIp(after.ip_address).family;
  const source = after.source === null ? undefined : parseCidr(after.source);
  if (source && source.family !== family) complain('source', `${after.source!} is ${source.family}, ${after.ip_address} is ${family}`);
  for (const other of referrers(view, 'nat_rule', after.route_link_uuid))
    if (other.uuid !== after.uuid && other.network_uuid === network.uuid && other.source === after.source && familyOf(other) === family)
      complain('source', `${after.source ?? 'everything'} leaves as ${other.ip_address} already, by ${other.uuid}`, 'conflict');
}

function familyOf({ ip_address }: NatRule): 'ipv4' | 'ipv6' {
  return parseIp(ip_address).family;
}

/** An address the outside network can have, and a router that is in it. */
function checkOutside(
  view: ModelView,
  { route_link_uuid: link, ip_address }: FloatingIp | NatRule,
  network: Network,
  complain: Complain,
): void {
  const ip = parseIp(ip_address);
  const subnet = subnets(network).find(({ cidr }) => cidr.family === ip.family);
  if (subnet === undefined) complain('ip_address', `${network.uuid} has no ${ip.family} subnet`);
  else if (!cidrContains(subnet.cidr, ip)) complain('ip_address', `${ip_address} is outside ${subnet.text} of ${network.uuid}`);
  else if (isNetworkOrBroadcast(subnet.cidr, ip.value)) complain('ip_address', `${ip_address} is no host's address in ${subnet.text}`);
  if (link === null) {
    const links = new Set([...referrers(view, 'route', network.uuid)].map((route) => route.route_link_uuid));
    complain(
      'route_link_uuid',
      links.size === 0
        ? `no router has a port in ${network.uuid}`
        : `${[...links].sort().join(', ')} have ports in ${network.uuid}; say which`,
    );
  } else if (view.get(link) !== undefined && !hasPort(view, link, network.uuid, ip.family))
    complain('network_uuid', `${nameOf(view, link)} has no ${ip.family === 'ipv4' ? 'IPv4' : 'IPv6'} address in ${network.uuid}`);
}

function isNetworkOrBroadcast(cidr: Cidr, value: number | bigint): boolean {
  if (cidr.family === 'ipv6') return value === cidr.network && cidr.prefix < 127;
  return (value === cidr.network && cidr.prefix < 31) || value === broadcastOf(cidr);
}

function hasPort(view: ModelView, link: string, network: string, family: 'ipv4' | 'ipv6'): boolean {
  for (const route of referrers(view, 'route', link)) {
    if (route.network_uuid !== network || route.interface_uuid === null) continue;
    for (const lease of referrers(view, 'ip_lease', route.interface_uuid))
      if (lease.network_uuid === network && (lease.ipv6_address !== null) === (family === 'ipv6')) return true;
  }
  return false;
}

function isPortOf(view: ModelView, link: string, network: string, iface: string | null): boolean {
  if (iface === null) return false;
  for (const route of referrers(view, 'route', link)) if (route.interface_uuid === iface && route.network_uuid === network) return true;
  return false;
}

function nameOf(view: ModelView, link: string): string {
  return entityOf(view, 'route_link', link)?.router_uuid ?? link;
}

/** A lease does not take an address that stands for another. */
export function checkLeaseBesideNat(check: Check, lease: IpLease, complain: Complain): void {
  const address = lease.ipv4_address ?? lease.ipv6_address ?? '';
  for (const uuid of check.view.lookup(natAddressKey(lease.network_uuid, address))) {
    const other = check.view.get(uuid);
    if (other === undefined || check.touched(uuid)) continue;
    if (other.kind === 'nat_rule' && isPortOf(check.view, other.route_link_uuid, lease.network_uuid, lease.interface_uuid)) continue;
    complain(lease.ipv4_address === null ? 'ipv6_address' : 'ipv4_address', `${address} stands for something else, by ${uuid}`, 'conflict');
  }
}

/** What translates at a port that a router loses. */
export function checkLeftNat(check: Check, gone: Route): void {
  const { view } = check;
  const { route_link_uuid: link, network_uuid: network } = gone;
  if (network === null || view.get(link) === undefined) return;
  for (const kind of ['floating_ip', 'nat_rule'] as const)
    for (const nat of referrers(view, kind, link))
      if (nat.network_uuid === network && !check.touched(nat.uuid) && !hasPort(view, link, network, parseIp(nat.ip_address).family))
        complainAbout(check, gone)('', `${nat.uuid} (${nat.ip_address}) needs ${nameOf(view, link)} in ${network}`);
}

/** What an interface translates is leased to it, for as long as it does. */
export function checkLostIngress(check: Check, before: IpLease, after: IpLease | undefined): void {
  const { interface_uuid: iface, ipv4_address: address } = before;
  if (iface === null || address === null || (after?.interface_uuid === iface && after.ipv4_address === address)) return;
  const { view } = check;
  for (const lease of referrers(view, 'ip_lease', iface)) if (lease.ipv4_address === address) return;
  for (const translation of referrers(view, 'translation', iface)) {
    if (check.touched(translation.uuid) || !translation.static_addresses.some((row) => row.ingress_ipv4_address === address)) continue;
    const detail = `${translation.uuid} translates ${address} of ${iface}`;
    if (after === undefined) complainAbout(check, before)('', detail, 'still_referenced');
    else complainAbout(check, after)(after.interface_uuid === iface ? 'ipv4_address' : 'interface_uuid', detail, 'conflict');
  }
}

export function checkTranslation(check: Check, { after }: Change<'translation'>): void {
  if (after === undefined) return;
  const { view } = check;
  const complain = complainAbout(check, after);
  const iface = entityOf(view, 'interface', after.interface_uuid);
  if (iface && !isRouters(iface)) complain('interface_uuid', `${iface.uuid} is not a router's: that is simulated, with enable_routing`);
  const others = [...referrers(view, 'translation', after.interface_uuid)].filter(({ uuid }) => uuid !== after.uuid);
  if (others.some(({ passthrough }) => passthrough !== after.passthrough))
    complain('passthrough', `${others[0]!.uuid} of the same interface says otherwise`, 'conflict');
  for (const [index, row] of after.static_addresses.entries()) {
    const at = (field: keyof TranslationStatic) => ['static_addresses', index, field];
    if ((row.ingress_port_number === null) !== (row.egress_port_number === null))
      complain(
        at(row.ingress_port_number === null ? 'ingress_port_number' : 'egress_port_number'),
        'ingress_port_number and egress_port_number go together',
      );
    if (iface) checkRow(view, after, row, (field, detail, code) => complain(at(field), detail, code));
    for (const side of ['ingress', 'egress'] as const) {
      const twin = twinOf(row, index, side, after, others);
      if (twin !== undefined) complain(at(`${side}_ipv4_address`), `${nameOfSide(row, side)} is that of ${twin} already`, 'conflict');
    }
  }
}

/** What translates at an interface that is no router's any more. */
export function checkTranslationsAt(check: Check, iface: Interface, complain: Complain): void {
  if (isRouters(iface)) return;
  for (const translation of referrers(check.view, 'translation', iface.uuid))
    if (!check.touched(translation.uuid))
      complain(iface.mode === 'simulated' ? 'enable_routing' : 'mode', `${translation.uuid} needs an interface of a router`);
}

function isRouters({ mode, enable_routing }: Interface): boolean {
  return mode === 'simulated' && enable_routing;
}

type ComplainOfRow = (field: keyof TranslationStatic, detail: string, code?: 'conflict') => void;

function checkRow(view: ModelView, { interface_uuid }: Translation, row: TranslationStatic, complain: ComplainOfRow): void {
  const { ingress_ipv4_address: ingress, egress_ipv4_address: egress } = row;
  const leases = [...referrers(view, 'ip_lease', interface_uuid)];
  const lease = leases.find(({ ipv4_address }) => ipv4_address === ingress);
  if (lease === undefined) {
    complain('ingress_ipv4_address', `${interface_uuid} does not have ${ingress}: lease it to it`);
    return;
  }
  if (row.route_link_uuid !== null && !isPortOf(view, row.route_link_uuid, lease.network_uuid, interface_uuid))
    complain('route_link_uuid', `${row.route_link_uuid} has no route by ${interface_uuid} in ${lease.network_uuid}`);
  const outside = entityOf(view, 'network', lease.network_uuid);
  if (outside !== undefined && !isReached(view, outside, egress))
    complain('egress_ipv4_address', `nobody behind ${interface_uuid} has ${egress}`);
}

/** Whether somebody in the routing domain has the address, or nobody can tell. */
function isReached(view: ModelView, outside: Network, address: string): boolean {
  const ip = parseIp(address);
  for (const uuid of view.lookup(vrfKey(outside.vrf_key))) {
    const network = entityOf(view, 'network', uuid);
    if (network === undefined || uuid === outside.uuid || !subnets(network).some(({ cidr }) => cidrContains(cidr, ip))) continue;
    if (network.mode === 'physical') return true;
    for (const lease of view.lookup(ipKey(uuid, formatIp(ip))))
      if ((entityOf(view, 'ip_lease', lease)?.interface_uuid ?? null) !== null) return true;
  }
  return false;
}

/** Who else says what the row's side becomes: a row of the same translation, or another of the same interface. */
function twinOf(
  row: TranslationStatic,
  index: number,
  side: 'ingress' | 'egress',
  own: Translation,
  others: readonly Translation[],
): string | undefined {
  const isSame = (other: TranslationStatic) =>
    other.route_link_uuid === row.route_link_uuid &&
    other[`${side}_ipv4_address`] === row[`${side}_ipv4_address`] &&
    other[`${side}_port_number`] === row[`${side}_port_number`];
  const before = own.static_addresses.findIndex((other, at) => at < index && isSame(other));
  if (before >= 0) return `row ${before}`;
  return others.find(({ static_addresses }) => static_addresses.some(isSame))?.uuid;
}

function nameOfSide(row: TranslationStatic, side: 'ingress' | 'egress'): string {
  const port = row[`${side}_port_number`];
  return port === null ? row[`${side}_ipv4_address`] : `${row[`${side}_ipv4_address`]}:${port}`;
}
