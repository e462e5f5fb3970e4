/**
 * Facts about physical networks and gateways.
 *
 * Owns: which L2 domains exist outside too, and where; which router ports are reached from outside, and on which datapath.
 * Assumes: the model's invariants: one physical network is one L2 domain.
 */
import { gatewayOwnerOf, gatewaysOf, physicalNameOf } from '../../model/gateways.js';
import type { Network } from '../../model/entities/network.js';
import { cidrContains, cidrOf, type Cidr } from '../../net/cidr.js';
import { parseIp, type Ip } from '../../net/ip.js';
import { policiesOfRouteLink, viaRoutesOfRouteLink } from '../indexes.js';
import { ANY, gatewayUuid, holdUuid, physicalPortUuid, physicalSegmentUuid } from '../outside.js';
import { rule, type Lookup, type Rule } from '../rule.js';
import { attachments, entryLink, linksOf } from './attachments.js';

export const physicalSegmentFacts = rule('physical segment', 'network', (network, look, emit) => {
  const name = physicalNameOf(network);
  const port = name === undefined ? undefined : look.get('physical_port', physicalPortUuid(name));
  if (port === undefined) return;
  const { segment_key, vrf_key, uuid, segment_uuid } = network;
  const domain_uuid = segment_uuid ?? uuid;
  emit.fact({ kind: 'physical_segment', uuid: physicalSegmentUuid(segment_key), segment_key, vrf_key, domain_uuid, ofport: port.ofport });
});

export const gatewayFacts = rule('gateway', 'interface', (iface, look, emit) => {
  const here = look.get('here', 'here');
  const candidates = gatewaysOf(iface);
  if (here === undefined || candidates.length === 0) return;
  const links = linksOf(iface, look);
  for (const [macLease, attached] of attachments(iface, look)) {
    const { mac, segment_key, vrf_key, domain_uuid, networks, addresses } = attached;
    const subnets = networks.flatMap(subnetsOf);
    const [physical] = networks.flatMap((network) => physicalNameOf(network) ?? []);
    if (physical === undefined) continue;
    const port = look.get('physical_port', physicalPortUuid(physical));
    const datapath_uuid = gatewayOwnerOf(iface)!;
    const contends = port !== undefined && candidates.length > 1 && candidates.includes(here.datapath_uuid);
    const isHere = datapath_uuid === here.datapath_uuid && (!contends || isHeld(iface.uuid, look));
    emit.fact({
      kind: 'gateway',
      uuid: gatewayUuid(macLease.uuid),
      interface_uuid: iface.uuid,
      mac_lease_uuid: macLease.uuid,
      mac,
      segment_key,
      vrf_key,
      domain_uuid,
      port_key: iface.port_key,
      router_key: entryLink(iface, look)?.router_key ?? 0,
      router_keys: links.map(({ router_key }) => router_key),
      addresses: addresses.map(({ ip, network_uuid, ip_lease_uuid }) => ({ ip, network_uuid, ip_lease_uuid })),
      subnets,
      next_hops: nextHopsOf(links, subnets, look),
      datapath_uuid,
      ofport: isHere ? (port?.ofport ?? null) : null,
      physical_network: physical,
      candidates,
      contends,
    });
    // What comes from outside comes by one of them, whether or not it has an interface of the domain.
    for (const candidate of candidates)
      if (candidate !== here.datapath_uuid)
        emit.fact({ kind: 'peer_domain', uuid: `pd-${vrf_key}-${candidate}`, vrf_key, datapath_uuid: candidate });
  }
});

function isHeld(interfaceUuid: string, look: Lookup): boolean {
  return [ANY, interfaceUuid].some((uuid) => look.get('gateway_hold', holdUuid(uuid)) !== undefined);
}

function subnetsOf({ ipv4_network, ipv4_prefix, ipv6_network, ipv6_prefix }: Network): Cidr[] {
  return [
    ...(ipv4_network === null ? [] : [cidrOf(parseIp(ipv4_network), ipv4_prefix!)]),
    ...(ipv6_network === null ? [] : [cidrOf(parseIp(ipv6_network), ipv6_prefix!)]),
  ];
}

function nextHopsOf(links: ReturnType<typeof linksOf>, subnets: readonly Cidr[], look: Lookup): Ip[] {
  const texts = links.flatMap(({ uuid }) =>
    [...look.all(viaRoutesOfRouteLink, uuid), ...look.all(policiesOfRouteLink, uuid)].flatMap(({ via }) => via),
  );
  return [...new Set(texts)]
    .sort()
    .map(parseIp)
    .filter((ip) => subnets.some((subnet) => subnet.family === ip.family && cidrContains(subnet, ip)));
}

export const GATEWAY_FACT_RULES: readonly Rule[] = [physicalSegmentFacts, gatewayFacts] as unknown as readonly Rule[];
