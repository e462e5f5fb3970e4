/**
 * Routers in one piece, and what they are made of.
 *
 * Owns: a router's record from what a user wrote; its route link, ports, addresses and routes, which follow the record.
 * Assumes: what a router is made of is changed here and nowhere else: other changes of it are refused (`ownerOf`).
 * Promises: what is the same before and after keeps its uuid and keys, so that a change of one route touches the flows of that route.
 */
import type { Entity } from '../../flows/model/entities.js';
import type { Network } from '../../flows/model/entities/network.js';
import type { Router, RouterNat, RouterNetwork, RouterPolicyRoute, RouterRoute } from '../../flows/model/entities/router.js';
import type { Route } from '../../flows/model/entities/routing.js';
import type { CreateInput, UpdateInput } from '../../flows/model/inputs.js';
import {
  addressesOf,
  nextHopSet,
  type RouterNetworkInput,
  type RouterPolicyRouteInput,
  type RouterRouteInput,
} from '../../flows/model/routing-inputs.js';
import type { RouterNatInput } from '../../flows/model/nat-inputs.js';
import { destination, subnets } from '../../flows/model/subnets.js';
import { entityOf, ipLeasesOf, macLeasesOf, referrers, type ModelView } from '../../flows/model/view.js';
import { parseCidr } from '../../flows/net/cidr.js';
import { formatIpv4, formatIpv6 } from '../../flows/net/ip.js';
import { deleteEntity } from './delete.js';
import { macOfNatAddress } from './nat.js';
import type { Workspace } from './workspace.js';

/** The router that made an entity and alone changes it. */
export function ownerOf(view: ModelView, entity: Entity): string | undefined {
  switch (entity.kind) {
    case 'interface':
    case 'route_link':
    case 'route':
    case 'policy_route':
    case 'nat_rule':
      return entity.router_uuid ?? undefined;
    case 'mac_lease':
    case 'ip_lease':
      return entityOf(view, 'interface', entity.interface_uuid)?.router_uuid ?? undefined;
    default:
      return undefined;
  }
}

export function createRouter(work: Workspace, uuid: string, params: CreateInput<'router'>): void {
  const { display_name, vrf, traceroute } = params;
  const route_link_uuid = params.route_link_uuid ?? madeUp(work, 'rl', tailOf(uuid), new Set());
  if (params.route_link_uuid !== undefined && work.draft.get(params.route_link_uuid) !== undefined)
    work.refuse('duplicate_uuid', ['route_link_uuid'], `${params.route_link_uuid} exists already`, params.route_link_uuid);
  work.put({
    kind: 'router',
    uuid,
    display_name,
    vrf,
    traceroute,
    networks: networksFrom(work, uuid, params.networks, []),
    routes: routesFrom(params.routes),
    policy_routes: policyRoutesFrom(params.policy_routes),
    nat: natFrom(params.nat),
    route_link_uuid,
    created_at: work.now,
    updated_at: work.now,
  });
}

export function updateRouter(work: Workspace, router: Router, params: UpdateInput<'router'>): void {
  const { display_name, vrf, traceroute, networks, routes, policy_routes, nat } = params;
  work.put({
    ...router,
    ...(display_name === undefined ? {} : { display_name }),
    ...(vrf === undefined ? {} : { vrf }),
    ...(traceroute === undefined ? {} : { traceroute }),
    ...(networks === undefined ? {} : { networks: networksFrom(work, router.uuid, networks, router.networks) }),
    ...(routes === undefined ? {} : { routes: routesFrom(routes) }),
    ...(policy_routes === undefined ? {} : { policy_routes: policyRoutesFrom(policy_routes) }),
    ...(nat === undefined ? {} : { nat: natFrom(nat) }),
  });
}

function networksFrom(
  work: Workspace,
  router: string,
  inputs: readonly RouterNetworkInput[],
  existing: readonly RouterNetwork[],
): RouterNetwork[] {
  const names = new Set<string>();
  const seen = new Set<string>();
  return inputs.flatMap((input, index): RouterNetwork[] => {
    const at = (field: string) => ['networks', index, field];
    const { network_uuid, ip_address, ip_addresses } = input;
    const old = existing.find((entry) => entry.network_uuid === network_uuid);
    if (ip_address !== undefined && ip_addresses !== undefined)
      work.refuse('invalid_argument', at('ip_address'), 'cannot be given together with ip_addresses');
    const addresses = [...addressesOf(input)];
    if (addresses.length === 0) {
      work.refuse('missing_argument', at('ip_address'), 'is required');
      return [];
    }
    if (new Set(addresses).size < addresses.length) work.refuse('invalid_argument', at('ip_addresses'), 'names an address twice');
    if (seen.has(network_uuid)) {
      work.refuse('conflict', at('network_uuid'), `${network_uuid} is there twice; give both addresses in one entry`);
      return [];
    }
    seen.add(network_uuid);
    const name = input.interface_uuid ?? old?.interface_uuid ?? madeUp(work, 'if', `${tailOf(router)}-${tailOf(network_uuid)}`, names);
    if (names.has(name) || (name !== old?.interface_uuid && work.draft.get(name) !== undefined))
      work.refuse('duplicate_uuid', at('interface_uuid'), `${name} exists already`, name);
    names.add(name);
    const mac_address = input.mac_address ?? old?.mac_address ?? work.newMac();
    const gateway_datapath_uuids = [...new Set(input.gateway_datapath_uuids ?? old?.gateway_datapath_uuids)];
    return [{ network_uuid, ip_addresses: addresses, interface_uuid: name, mac_address, gateway_datapath_uuids }];
  });
}

function routesFrom(inputs: readonly RouterRouteInput[]): RouterRoute[] {
  return inputs.map(({ destination: prefix, type = 'forward', via }) => ({ destination: prefix, type, via: nextHopSet(via) }));
}

function policyRoutesFrom(inputs: readonly RouterPolicyRouteInput[]): RouterPolicyRoute[] {
  return inputs.map(
    ({ priority, source = null, destination: to = null, protocol = 'any', source_ports = [], ports = [], type = 'forward', via }) => ({
      priority,
      source,
      destination: to,
      protocol,
      source_ports,
      ports,
      type,
      via: nextHopSet(via),
    }),
  );
}

function natFrom(inputs: readonly RouterNatInput[]): RouterNat[] {
  return inputs.map(({ network_uuid, ip_address, source = null, datapath_uuid = null }) => ({
    type: 'snat',
    network_uuid,
    ip_address,
    source,
    datapath_uuid,
  }));
}

/** Longest part of a uuid after its prefix. */
const MAX_TAIL = 32;

/** A name that says what the thing belongs to, where it fits and is free. */
function madeUp(work: Workspace, prefix: string, tail: string, taken: ReadonlySet<string>): string {
  const isTaken = (uuid: string) => taken.has(uuid) || work.draft.get(uuid) !== undefined;
  const telling = `${prefix}-${tail}`;
  return tail.length > MAX_TAIL || isTaken(telling) ? work.newUuid(prefix, isTaken) : telling;
}

function tailOf(uuid: string): string {
  return uuid.slice(uuid.indexOf('-') + 1);
}

/** Makes the parts of every router that changed, or that has a port in a network that changed, what the router says. */
export function followRouters(work: Workspace): void {
  const touched = new Set<string>();
  for (const { uuid, after } of work.draft.touchedOf('router')) if (after) touched.add(uuid);
  for (const { uuid, after } of work.draft.touchedOf('network'))
    if (after) for (const router of referrers(work.draft, 'router', uuid)) touched.add(router.uuid);
  for (const uuid of touched) new Assembly(work, entityOf(work.draft, 'router', uuid)!).follow();
}

/** The parts of one router. */
class Assembly {
  private readonly work: Workspace;
  private readonly router: Router;

  constructor(work: Workspace, router: Router) {
    this.work = work;
    this.router = router;
  }

  follow(): void {
    const { router, work } = this;
    this.followLink();
    const ports = new Set(router.networks.map(({ interface_uuid }) => interface_uuid));
    for (const iface of [...referrers(work.draft, 'interface', router.uuid)])
      if (!ports.has(iface.uuid)) deleteEntity(work, iface.uuid, false);
    for (const [index, entry] of router.networks.entries()) this.followPort(entry, index);
    this.followRoutes();
    this.followPolicyRoutes();
    this.followNat();
  }

  private followLink(): void {
    const { work, router } = this;
    const old = entityOf(work.draft, 'route_link', router.route_link_uuid);
    this.put(
      {
        ...(old ?? {
          kind: 'route_link',
          uuid: router.route_link_uuid,
          mac_address: work.newMac(),
          router_uuid: router.uuid,
          router_key: work.keys.next('router_key'),
          ...this.stamps(),
        }),
        vrf: router.vrf,
        traceroute: router.traceroute,
      },
      [],
    );
  }

  private followPort(
    { network_uuid, interface_uuid, mac_address, ip_addresses, gateway_datapath_uuids }: RouterNetwork,
    index: number,
  ): void {
    const { work, router } = this;
    const { draft } = work;
    const place = ['networks', index];
    const iface = entityOf(draft, 'interface', interface_uuid);
    const { display_name } = router;
    if (iface !== undefined) this.put({ ...iface, display_name, gateway_datapath_uuids }, place);
    else
      this.put(
        {
          kind: 'interface',
          uuid: interface_uuid,
          display_name,
          mode: 'simulated',
          owner_datapath_uuid: null,
          gateway_datapath_uuids,
          gateway_owner_uuid: null,
          port_name: null,
          enable_routing: true,
          enable_route_translation: false,
          enable_filtering: false,
          security_group_uuids: [],
          router_uuid: router.uuid,
          port_key: work.keys.next('port_key'),
          policy_class_key: 0,
          ...this.stamps(),
        },
        place,
      );
    const network = entityOf(draft, 'network', network_uuid);
    if (network === undefined) return;

    const [oldMac] = macLeasesOf(draft, interface_uuid);
    const macLease = {
      ...(oldMac ?? { kind: 'mac_lease' as const, uuid: work.newUuid('ml'), interface_uuid, mac_shared: false, ...this.stamps() }),
      mac_address,
      segment_uuid: network.segment_uuid,
    };
    this.put(macLease, [...place, 'mac_address']);
    const leases = new Map(ipLeasesOf(draft, macLease.uuid).map((lease) => [lease.ipv4_address ?? lease.ipv6_address, lease]));
    for (const [nth, address] of ip_addresses.entries()) {
      const lease = leases.get(address);
      leases.delete(address);
      const isIpv6 = address.includes(':');
      this.put(
        lease ?? {
          kind: 'ip_lease',
          uuid: work.newUuid('il'),
          interface_uuid,
          mac_lease_uuid: macLease.uuid,
          network_uuid,
          ipv4_address: isIpv6 ? null : address,
          ipv6_address: isIpv6 ? address : null,
          enable_routing: false,
          ...this.stamps(),
        },
        [...place, 'ip_addresses', nth],
      );
    }
    for (const lease of leases.values()) deleteEntity(work, lease.uuid, false);
  }

  /** One route for each prefix of a network it is in, and those that were asked for. */
  private followRoutes(): void {
    const { work, router } = this;
    const left = new Map([...referrers(work.draft, 'route', router.uuid)].map((route) => [destination(route)?.text, route]));
    const put = (
      prefix: string,
      content: Pick<Route, 'type' | 'interface_uuid' | 'network_uuid' | 'via'>,
      place: readonly PropertyKey[],
    ) => {
      const old = left.get(prefix);
      left.delete(prefix);
      this.put(
        {
          ...(old ?? {
            kind: 'route',
            uuid: work.newUuid('r'),
            mode: 'gateway',
            route_link_uuid: router.route_link_uuid,
            ...prefixFields(prefix),
            ingress: true,
            egress: true,
            router_uuid: router.uuid,
            route_key: work.keys.next('route_key'),
            ...this.stamps(),
          }),
          ...content,
        },
        place,
      );
    };
    for (const [index, { network_uuid, interface_uuid, ip_addresses }] of router.networks.entries()) {
      const network = entityOf(work.draft, 'network', network_uuid);
      for (const prefix of network ? connectedPrefixes(network, ip_addresses) : [])
        put(prefix, { type: 'forward', interface_uuid, network_uuid, via: [] }, ['networks', index]);
    }
    for (const [index, { destination: prefix, type, via }] of router.routes.entries())
      put(prefix, { type, interface_uuid: null, network_uuid: null, via }, ['routes', index]);
    for (const route of left.values()) deleteEntity(work, route.uuid, false);
  }

  private followPolicyRoutes(): void {
    const { work, router } = this;
    const left = new Map([...referrers(work.draft, 'policy_route', router.uuid)].map((policy) => [policy.priority, policy]));
    for (const [index, content] of router.policy_routes.entries()) {
      const old = left.get(content.priority);
      left.delete(content.priority);
      this.put(
        {
          ...(old ?? {
            kind: 'policy_route',
            uuid: work.newUuid('pbr'),
            route_link_uuid: router.route_link_uuid,
            router_uuid: router.uuid,
            route_key: work.keys.next('route_key'),
            ...this.stamps(),
          }),
          ...content,
        },
        ['policy_routes', index],
      );
    }
    for (const policy of left.values()) deleteEntity(work, policy.uuid, false);
  }

  private followNat(): void {
    const { work, router } = this;
    const nameOf = (one: RouterNat) => JSON.stringify([one.network_uuid, one.ip_address, one.source]);
    const left = new Map([...referrers(work.draft, 'nat_rule', router.uuid)].map((rule) => [nameOf(rule), rule]));
    for (const [index, content] of router.nat.entries()) {
      const old = left.get(nameOf(content));
      left.delete(nameOf(content));
      this.put(
        {
          ...(old ?? {
            kind: 'nat_rule',
            uuid: work.newUuid('nat'),
            route_link_uuid: router.route_link_uuid,
            mac_address: macOfNatAddress(work, content.network_uuid, content.ip_address),
            router_uuid: router.uuid,
            ...this.stamps(),
          }),
          ...content,
        },
        ['nat', index],
      );
    }
    for (const rule of left.values()) deleteEntity(work, rule.uuid, false);
  }

  private put(entity: Entity, place: readonly PropertyKey[]): void {
    this.work.putFor(this.router.uuid, entity, place);
  }

  private stamps(): { created_at: string; updated_at: string } {
    return { created_at: this.work.now, updated_at: this.work.now };
  }
}

/** The prefixes of the families it has an address of. */
function connectedPrefixes(network: Network, addresses: readonly string[]): string[] {
  const hasIpv6 = addresses.some((address) => address.includes(':'));
  const hasIpv4 = addresses.some((address) => !address.includes(':'));
  return subnets(network).flatMap(({ cidr, text }) => ((cidr.family === 'ipv6' ? hasIpv6 : hasIpv4) ? [text] : []));
}

function prefixFields(text: string) {
  const cidr = parseCidr(text);
  return cidr.family === 'ipv4'
    ? { ipv4_network: formatIpv4(cidr.network), ipv4_prefix: cidr.prefix, ipv6_network: null, ipv6_prefix: null }
    : { ipv4_network: null, ipv4_prefix: null, ipv6_network: formatIpv6(cidr.network), ipv6_prefix: cidr.prefix };
}
