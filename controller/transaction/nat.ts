/**
 * Floating IPs and NAT rules from what a user wrote.
 *
 * Assumes: the invariants refuse what does not fit together afterwards.
 * Promises: an address has one MAC, however many rules use it. A floating IP without a router gets the only one it can mean, once all operations
 * of the transaction are applied.
 */
import type { FloatingIp, NatRule } from '../../flows/model/entities/nat.js';
import { natAddressKey } from '../../flows/model/indexes.js';
import type { CreateInput, UpdateInput } from '../../flows/model/inputs.js';
import { entityOf, referrers } from '../../flows/model/view.js';
import type { Workspace } from './workspace.js';

const REFUSED = Symbol('refused');

export function createFloatingIp(work: Workspace, uuid: string, params: CreateInput<'floating_ip'>): void {
  const { display_name, network_uuid, ip_address, mac_address = work.newMac() } = params;
  const route_link_uuid = linkFrom(work, params);
  const lease = leaseFrom(work, params, ip_address);
  if (lease === REFUSED || route_link_uuid === REFUSED) return;
  work.put({
    kind: 'floating_ip',
    uuid,
    display_name,
    network_uuid,
    ip_address,
    mac_address,
    route_link_uuid,
    ip_lease_uuid: lease ?? null,
    created_at: work.now,
    updated_at: work.now,
  });
}

export function updateFloatingIp(work: Workspace, entity: FloatingIp, params: UpdateInput<'floating_ip'>): void {
  const lease = leaseFrom(work, params, entity.ip_address);
  if (lease === REFUSED) return;
  work.put({
    ...entity,
    ...(params.display_name === undefined ? {} : { display_name: params.display_name }),
    ...(lease === undefined ? {} : { ip_lease_uuid: lease }),
  });
}

function linkFrom(work: Workspace, params: CreateInput<'floating_ip'>): string | null | typeof REFUSED {
  const { router_uuid, route_link_uuid } = params;
  if (router_uuid === undefined) return route_link_uuid;
  if (route_link_uuid !== null) {
    work.refuse('invalid_argument', ['router_uuid'], 'cannot be given together with route_link_uuid');
    return REFUSED;
  }
  const router = entityOf(work.draft, 'router', router_uuid);
  if (router !== undefined) return router.route_link_uuid;
  if (!work.isStillborn(router_uuid)) work.refuse('invalid_reference', ['router_uuid'], `there is no router ${router_uuid}`);
  return REFUSED;
}

interface Target {
  readonly interface_uuid?: string | null | undefined;
  readonly fixed_ip_address?: string | undefined;
  readonly ip_lease_uuid?: string | null | undefined;
}

/** The lease meant; null for none; undefined when nothing is said of it. */
function leaseFrom(
  work: Workspace,
  { interface_uuid, fixed_ip_address, ip_lease_uuid }: Target,
  floating: string,
): string | null | undefined | typeof REFUSED {
  const refuse = (field: string, detail: string, code: 'invalid_argument' | 'invalid_reference' = 'invalid_reference'): typeof REFUSED => {
    work.refuse(code, [field], detail);
    return REFUSED;
  };
  if (ip_lease_uuid !== undefined && ip_lease_uuid !== null)
    return typeof interface_uuid === 'string'
      ? refuse('interface_uuid', 'cannot be given together with ip_lease_uuid', 'invalid_argument')
      : ip_lease_uuid;
  if (typeof interface_uuid !== 'string') {
    if (fixed_ip_address !== undefined)
      return refuse('fixed_ip_address', 'is an address of interface_uuid, which is needed with it', 'invalid_argument');
    return interface_uuid === null || ip_lease_uuid === null ? null : undefined;
  }
  if (entityOf(work.draft, 'interface', interface_uuid) === undefined)
    return work.isStillborn(interface_uuid) ? REFUSED : refuse('interface_uuid', `there is no interface ${interface_uuid}`);
  const isIpv6 = floating.includes(':');
  const leases = [...referrers(work.draft, 'ip_lease', interface_uuid)].filter((lease) => (lease.ipv6_address !== null) === isIpv6);
  const addressOf = (lease: (typeof leases)[number]) => (lease.ipv4_address ?? lease.ipv6_address)!;
  if (fixed_ip_address !== undefined) {
    const named = leases.find((lease) => addressOf(lease) === fixed_ip_address);
    return named?.uuid ?? refuse('fixed_ip_address', `${interface_uuid} does not have ${fixed_ip_address}`);
  }
  const [only, another] = leases;
  if (only === undefined) return refuse('interface_uuid', `${interface_uuid} has no ${isIpv6 ? 'IPv6' : 'IPv4'} address`);
  if (another === undefined) return only.uuid;
  return refuse('interface_uuid', `${interface_uuid} has ${leases.map(addressOf).sort().join(', ')}; say which by fixed_ip_address`);
}

export function createNatRule(work: Workspace, uuid: string, params: CreateInput<'nat_rule'>): void {
  const { type, route_link_uuid, network_uuid, ip_address, source, datapath_uuid } = params;
  work.put({
    kind: 'nat_rule',
    uuid,
    type,
    route_link_uuid,
    network_uuid,
    ip_address,
    mac_address: params.mac_address ?? macOfNatAddress(work, network_uuid, ip_address),
    source,
    datapath_uuid,
    router_uuid: null,
    created_at: work.now,
    updated_at: work.now,
  });
}

/** That of another rule with the address, or a new one. */
export function macOfNatAddress(work: Workspace, network: string, address: string): string {
  for (const uuid of work.draft.lookup(natAddressKey(network, address))) {
    const other = work.draft.get(uuid) as FloatingIp | NatRule;
    return other.mac_address;
  }
  return work.newMac();
}

/** A floating IP that names no router means the one in the outside network; of several, the one that also has a port in the network behind. */
export function assignFloatingRouters(work: Workspace): void {
  const { draft } = work;
  for (const { after: floating } of draft.touchedOf('floating_ip')) {
    if (floating === undefined || floating.route_link_uuid !== null) continue;
    const linksIn = (network: string) => new Set([...referrers(draft, 'route', network)].map((route) => route.route_link_uuid));
    const outside = linksIn(floating.network_uuid);
    const lease = entityOf(draft, 'ip_lease', floating.ip_lease_uuid);
    const inside = lease === undefined ? new Set<string>() : linksIn(lease.network_uuid);
    const both = [...outside].filter((link) => inside.has(link));
    const [only, another] = outside.size === 1 ? [...outside] : both;
    if (only !== undefined && another === undefined) draft.put({ ...floating, route_link_uuid: only });
  }
}
