/**
 * Facts about what is attached where: NICs of local ports, ports of simulated interfaces, flood sets, rules on their own.
 *
 * Owns: the join of interface, MAC lease, IP leases, network and segment, made once for all flow rules.
 * Assumes: the model's invariants (all addresses of a MAC lease in one L2 domain; a route's interface routes on one route link).
 * Promises: a MAC lease without an L2 domain (no segment, no addresses) yields nothing: the port stays closed.
 */
import { parseIpv4, parseIpv6, type Ip } from '../../net/ip.js';
import { parseMac } from '../../net/mac.js';
import type { Interface, IpLease, MacLease } from '../../model/entities/interface.js';
import type { Network, Segment } from '../../model/entities/network.js';
import type { RouteLink } from '../../model/entities/routing.js';
import type { FactAddress, Nic } from '../facts.js';
import {
  chunkOf,
  floodChunkUuid,
  floodClasses,
  floodSetUuid,
  ipLeasesOfInterfaceAlone,
  ipLeasesOfMacLease,
  macLeasesOfInterface,
  namedGroupUuid,
  routesOfInterface,
} from '../indexes.js';
import { rule, type Lookup, type Rule } from '../rule.js';

interface Attached {
  readonly mac: number;
  readonly segment_key: number;
  readonly vrf_key: number;
  readonly domain_uuid: string;
  readonly addresses: readonly (FactAddress & { readonly prefix: number })[];
  readonly networks: readonly Network[];
}

export const nicFacts = rule('nic', 'local_port', (port, look, emit) => {
  const iface = look.get('interface', port.interface_uuid);
  if (iface === undefined) return;
  if (iface.policy_class_key !== 0) {
    emit.fact({ kind: 'local_class', uuid: `lc-${iface.policy_class_key}`, policy_class_key: iface.policy_class_key });
  }
  for (const [macLease, attached] of attachments(iface, look)) {
    const { mac, segment_key, vrf_key, domain_uuid, networks } = attached;
    const addresses = attached.addresses.map(({ ip, network_uuid, ip_lease_uuid }) => ({ ip, network_uuid, ip_lease_uuid }));
    const nic: Nic = {
      kind: 'nic',
      uuid: `nic-${macLease.uuid}`,
      interface_uuid: iface.uuid,
      mac_lease_uuid: macLease.uuid,
      port_key: iface.port_key,
      ofport: port.ofport,
      ct_zone: port.ct_zone,
      policy_class_key: iface.policy_class_key,
      mac,
      segment_key,
      vrf_key,
      domain_uuid,
      addresses,
      filtered: iface.enable_filtering,
      ipv6: speaksIpv6(addresses, networks),
    };
    emit.fact(nic);
    emit.fact({ kind: 'own_domain', uuid: `od-${vrf_key}`, vrf_key });
    if (macLease.mac_shared) emit.fact({ kind: 'shared_macs', uuid: `shared-${segment_key}`, segment_key });
    for (const policy_class_key of floodClasses(nic)) {
      const chunk = chunkOf(nic);
      emit.fact({
        kind: 'flood_set',
        uuid: floodSetUuid(segment_key, policy_class_key),
        segment_key,
        vrf_key,
        policy_class_key,
        domain_uuid,
      });
      emit.fact({ kind: 'flood_chunk', uuid: floodChunkUuid(segment_key, policy_class_key, chunk), segment_key, policy_class_key, chunk });
    }
  }
});

export const routerPortFacts = rule('router port', 'interface', (iface, look, emit) => {
  if (iface.mode !== 'simulated') return;
  const links = iface.enable_routing ? linksOf(iface, look) : [];
  const entry = iface.enable_routing ? entryLink(iface, look) : undefined;
  for (const [macLease, attached] of attachments(iface, look)) {
    const { mac, segment_key, vrf_key, domain_uuid, addresses } = attached;
    emit.fact({
      kind: 'router_port',
      uuid: `rp-${macLease.uuid}`,
      interface_uuid: iface.uuid,
      mac_lease_uuid: macLease.uuid,
      mac,
      segment_key,
      vrf_key,
      domain_uuid,
      port_key: iface.port_key,
      router_key: entry?.router_key ?? 0,
      route_link_uuid: entry?.uuid ?? null,
      links,
      addresses,
    });
  }
});

export const groupRuleFacts = rule('group rule', 'security_group', (group, _look, emit) => {
  for (const one of group.rules) {
    emit.fact({ kind: 'group_rule', uuid: one.uuid, security_group_uuid: group.uuid, rule: one, tier: one.tier ?? group.tier });
    if ('security_group_uuid' in one.remote)
      emit.fact({ kind: 'named_group', uuid: namedGroupUuid(one.direction, one.remote.security_group_uuid) });
  }
  const allowing = group.rules.filter((one) => one.action === 'allow');
  const refusing = group.rules.filter((one) => one.action !== 'allow');
  emit.fact({
    kind: 'group_stance',
    uuid: `gs-${group.uuid}`,
    closes_ingress: group.default === 'deny',
    closes_egress: group.default === 'deny' && allowing.some((one) => one.direction === 'egress'),
    refuses_ingress: refusing.some((one) => one.direction === 'ingress'),
    refuses_egress: refusing.some((one) => one.direction === 'egress'),
    has_rules: group.rules.length > 0,
    has_stateful: allowing.some((one) => one.stateful),
    has_stateless: allowing.some((one) => !one.stateful),
  });
});

export const FACT_RULES: readonly Rule[] = [nicFacts, routerPortFacts, groupRuleFacts] as unknown as readonly Rule[];

/** The segment, where MACs are learnt in it. */
export function learningSegment(domainUuid: string, look: Lookup): Segment | undefined {
  // A network that is its own L2 domain does not learn, and is not asked: thousands of NICs would remember that they did.
  const segment = domainUuid.startsWith('seg-') ? look.get('segment', domainUuid) : undefined;
  return segment?.learning === true ? segment : undefined;
}

/** Whether a NIC with these addresses may speak IPv6. */
export function speaksIpv6(addresses: readonly FactAddress[], networks: readonly Network[]): boolean {
  return addresses.length === 0 || addresses.some((a) => a.ip.family === 'ipv6') || networks.some((n) => n.ipv6_network !== null);
}

/** The routers that have routes through the interface. */
export function linksOf(iface: Interface, look: Lookup): { uuid: string; router_key: number }[] {
  const uuids = new Set(look.all(routesOfInterface, iface.uuid).map(({ route_link_uuid }) => route_link_uuid));
  return [...uuids].sort().flatMap((uuid) => {
    const link = look.get('route_link', uuid);
    return link === undefined ? [] : [{ uuid, router_key: link.router_key }];
  });
}

/** The router that packets to this interface enter: the link of its first route that takes them in. */
export function entryLink(iface: Interface, look: Lookup): RouteLink | undefined {
  for (const route of look.all(routesOfInterface, iface.uuid)) {
    const link = route.ingress ? look.get('route_link', route.route_link_uuid) : undefined;
    if (link !== undefined) return link;
  }
  return undefined;
}

/** The L2 domain and addresses of each MAC lease of an interface; of those that have a domain. */
export function attachments(iface: Interface, look: Lookup): [MacLease, Attached][] {
  const found: [MacLease, Attached][] = [];
  look.all(macLeasesOfInterface, iface.uuid).forEach((macLease, i) => {
    const leases = look.all(ipLeasesOfMacLease, macLease.uuid);
    const attached = attach(macLease, i === 0 ? [...leases, ...look.all(ipLeasesOfInterfaceAlone, iface.uuid)] : leases, look);
    if (attached !== undefined) found.push([macLease, attached]);
  });
  return found;
}

function attach(macLease: MacLease, leases: readonly IpLease[], look: Lookup): Attached | undefined {
  const segment = macLease.segment_uuid === null ? undefined : look.get('segment', macLease.segment_uuid);
  const addresses: (FactAddress & { prefix: number })[] = [];
  const networks: Network[] = [];
  for (const lease of leases) {
    const network = look.get('network', lease.network_uuid);
    if (network === undefined) continue;
    if (!networks.includes(network)) networks.push(network);
    addresses.push({ ip: leaseIp(lease), prefix: prefixIn(network, lease), network_uuid: network.uuid, ip_lease_uuid: lease.uuid });
  }
  const domain = segment ?? networks[0];
  if (domain === undefined) return undefined;
  const { segment_key, vrf_key } = domain;
  const domain_uuid = domain.kind === 'segment' ? domain.uuid : (domain.segment_uuid ?? domain.uuid);
  return { mac: parseMac(macLease.mac_address), segment_key, vrf_key, domain_uuid, addresses, networks };
}

function leaseIp(lease: IpLease): Ip {
  return lease.ipv4_address !== null
    ? { family: 'ipv4', value: parseIpv4(lease.ipv4_address) }
    : { family: 'ipv6', value: parseIpv6(lease.ipv6_address!) };
}

function prefixIn(network: Network, lease: IpLease): number {
  return lease.ipv4_address !== null ? (network.ipv4_prefix ?? 32) : (network.ipv6_prefix ?? 128);
}
