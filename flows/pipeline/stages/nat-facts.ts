/**
 * Facts about addresses that stand for others: floating IPs, NAT rules and translations, brought to one form.
 *
 * Owns: where each of them is: the router, its port outside, the address behind.
 * Assumes: the model's invariants (the address is free or the router's own, the router has a port in its network).
 * Promises: what cannot be placed yet (no router port, no lease) yields nothing: the address is nobody's then.
 */
import { hostCidr, parseCidr } from '../../net/cidr.js';
import { parseIp, type Ip } from '../../net/ip.js';
import { parseMac } from '../../net/mac.js';
import type { IpLease } from '../../model/entities/interface.js';
import type { RouteLink } from '../../model/entities/routing.js';
import type { Nat } from '../facts.js';
import { ipLeasesWithAddress, routesOfInterface, routesThrough } from '../indexes.js';
import { rule, type Emit, type Lookup, type Rule } from '../rule.js';
import { shortHash } from '../short-hash.js';
import { attachments } from './attachments.js';

/** A router's port in the outside network. */
interface Outside {
  readonly link: RouteLink;
  readonly segment_key: number;
  readonly vrf_key: number;
  readonly port_key: number;
  readonly port_mac: number;
  readonly port_lease_uuid: string;
  readonly addresses: readonly Ip[];
}

export const floatingIpFacts = rule('floating ip', 'floating_ip', (floating, look, emit) => {
  const outside = floating.route_link_uuid === null ? undefined : outsideOf(floating.route_link_uuid, floating.network_uuid, look);
  const lease = floating.ip_lease_uuid === null ? undefined : look.get('ip_lease', floating.ip_lease_uuid);
  if (outside === undefined) return;
  emitPort(outside, emit);
  if (lease === undefined || lease.interface_uuid === null) return;
  const target = parseIp((lease.ipv4_address ?? lease.ipv6_address)!);
  emit.fact({
    ...natAt(outside, parseIp(floating.ip_address), parseMac(floating.mac_address), look),
    uuid: `xl-${floating.uuid}`,
    owner_uuids: [floating.uuid],
    source: hostCidr(target),
    target,
    is_at_target: true,
    entry_mac: parseMac(floating.mac_address),
    interface_uuid: lease.interface_uuid,
    ports: null,
    datapath_uuid: null,
  });
});

export const natRuleFacts = rule('nat rule', 'nat_rule', (one, look, emit) => {
  const outside = outsideOf(one.route_link_uuid, one.network_uuid, look);
  if (outside === undefined) return;
  emitPort(outside, emit);
  emit.fact({
    ...natAt(outside, parseIp(one.ip_address), parseMac(one.mac_address), look),
    uuid: `xl-${one.uuid}`,
    owner_uuids: [one.uuid],
    source: one.source === null ? null : parseCidr(one.source),
    target: null,
    is_at_target: false,
    entry_mac: entryMac(one.uuid),
    interface_uuid: null,
    ports: null,
    datapath_uuid: one.datapath_uuid,
  });
});

export const translationFacts = rule('translation', 'translation', (translation, look, emit) => {
  const iface = look.get('interface', translation.interface_uuid);
  if (iface === undefined || !iface.enable_route_translation) return;
  const routes = look.all(routesOfInterface, iface.uuid);
  const outsides = new Map<string, Outside>();
  for (const { route_link_uuid: link, network_uuid } of routes) {
    const outside = network_uuid === null ? undefined : outsideOf(link, network_uuid, look);
    if (outside !== undefined && !outsides.has(link)) outsides.set(link, outside);
  }
  for (const outside of outsides.values()) {
    emitPort(outside, emit);
    const { link, segment_key, port_key } = outside;
    if (!translation.passthrough)
      emit.fact({
        kind: 'closed_port',
        uuid: `cp-${link.uuid}-${segment_key}`,
        router_key: link.router_key,
        segment_key,
        arrival: port_key,
        owner_uuids: [iface.uuid],
      });
  }
  for (const [index, row] of translation.static_addresses.entries()) {
    const external = parseIp(row.ingress_ipv4_address);
    for (const outside of outsides.values()) {
      if (row.route_link_uuid !== null && row.route_link_uuid !== outside.link.uuid) continue;
      if (!outside.addresses.some((own) => own.family === external.family && own.value === external.value)) continue;
      const target = parseIp(row.egress_ipv4_address);
      const hasPorts = row.ingress_port_number !== null && row.egress_port_number !== null;
      emit.fact({
        ...natAt(outside, external, outside.port_mac, look),
        uuid: `xl-${translation.uuid}-${index}-${outside.link.uuid}`,
        owner_uuids: [translation.uuid],
        source: hostCidr(target),
        target,
        is_at_target: false,
        entry_mac: entryMac(`${translation.uuid} ${index} ${outside.link.uuid}`),
        interface_uuid: holderOf(row.egress_ipv4_address, outside.vrf_key, look)?.interface_uuid ?? null,
        ports: hasPorts ? { external: row.ingress_port_number!, target: row.egress_port_number! } : null,
        datapath_uuid: iface.owner_datapath_uuid,
      });
    }
  }
});

export const NAT_FACT_RULES: readonly Rule[] = [floatingIpFacts, natRuleFacts, translationFacts] as unknown as readonly Rule[];

function emitPort({ link, segment_key }: Outside, emit: Emit): void {
  emit.fact({ kind: 'nat_port', uuid: `np-${link.uuid}-${segment_key}`, route_link_uuid: link.uuid, segment_key });
}

type Somewhere = 'uuid' | 'is_at_target' | 'entry_mac' | 'owner_uuids' | 'source' | 'target' | 'interface_uuid' | 'ports' | 'datapath_uuid';

function natAt(outside: Outside, external: Ip, mac: number, look: Lookup): Omit<Nat, Somewhere> {
  const { link, segment_key, vrf_key, port_key, port_mac, port_lease_uuid, addresses } = outside;
  const is_own = addresses.some((own) => own.family === external.family && own.value === external.value);
  return {
    kind: 'nat',
    route_link_uuid: link.uuid,
    router_key: link.router_key,
    is_silent: (link.traceroute ?? look.get('pipeline', 'pipeline')?.traceroute) === 'off',
    segment_key,
    vrf_key,
    arrival: port_key,
    port_mac,
    port_lease_uuid,
    external,
    external_mac: is_own ? entryMac(`${link.uuid} ${segment_key}`) : mac,
    is_own,
  };
}

function outsideOf(linkUuid: string, networkUuid: string, look: Lookup): Outside | undefined {
  const link = look.get('route_link', linkUuid);
  if (link === undefined) return undefined;
  for (const { interface_uuid } of look.all(routesThrough, `${linkUuid}|${networkUuid}`)) {
    const iface = interface_uuid === null ? undefined : look.get('interface', interface_uuid);
    if (iface?.mode !== 'simulated' || !iface.enable_routing) continue;
    for (const [macLease, { mac, segment_key, vrf_key, addresses }] of attachments(iface, look)) {
      const own = addresses.filter((address) => address.network_uuid === networkUuid);
      if (own.length > 0)
        return {
          link,
          segment_key,
          vrf_key,
          port_key: iface.port_key,
          port_mac: mac,
          port_lease_uuid: macLease.uuid,
          addresses: own.map(({ ip }) => ip),
        };
    }
  }
  return undefined;
}

/** The lease of an address in a routing domain, attached to somebody. */
function holderOf(address: string, vrfKey: number, look: Lookup): IpLease | undefined {
  return look
    .all(ipLeasesWithAddress, address)
    .find((lease) => lease.interface_uuid !== null && look.get('network', lease.network_uuid)?.vrf_key === vrfKey);
}

/** Locally administered (RFC 7042 §2.1), and the same on every hypervisor. */
function entryMac(name: string): number {
  return 0x0600_0000_0000 + shortHash(name);
}
