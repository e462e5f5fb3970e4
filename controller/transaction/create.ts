/**
 * Creating entities from checked parameters.
 */
import { KINDS, type UserKind } from '../../flows/model/entities.js';
import type { IpLease, MacLease } from '../../flows/model/entities/interface.js';
import type { CreateInput } from '../../flows/model/inputs.js';
import { entityOf } from '../../flows/model/view.js';
import { nextHopSet } from '../../flows/model/routing-inputs.js';
import { filterStaticFrom } from '../../flows/model/filter-static.js';
import { translationStaticFrom } from '../../flows/model/nat-inputs.js';
import { macLeaseFor } from './leases.js';
import { createFloatingIp, createNatRule } from './nat.js';
import { createRouter } from './routers.js';
import { rulesFrom } from './rules.js';
import type { Workspace } from './workspace.js';

const DEFAULT_PREFIX = { ipv4: 24, ipv6: 64 } as const;

type Creators = { readonly [K in UserKind]: (work: Workspace, uuid: string, params: CreateInput<K>) => void };

const CREATORS: Creators = {
  datapath(work, uuid, { display_name, dpid, node_id, enable_ovs_learn_action }) {
    work.put({ kind: 'datapath', uuid, display_name, dpid, node_id, enable_ovs_learn_action, ...stamps(work) });
  },

  segment(work, uuid, { display_name, mode, learning }) {
    work.put({
      kind: 'segment',
      uuid,
      display_name,
      mode,
      learning,
      segment_key: work.keys.next('segment_key'),
      vrf_key: 0,
      ...stamps(work),
    });
  },

  network(work, uuid, params) {
    const { mode, network_mode, domain_name, display_name, ipv6_slaac, mtu, dns_servers, segment_uuid, physical_network, vrf } = params;
    if (mode !== undefined && network_mode !== undefined && mode !== network_mode)
      work.refuse('invalid_argument', ['network_mode'], `is another name of mode, which is ${mode}`);
    work.put({
      kind: 'network',
      uuid,
      display_name,
      domain_name: domain_name ?? uuid.slice(uuid.indexOf('-') + 1),
      mode: mode ?? network_mode ?? 'virtual',
      ...prefixesFrom(params),
      ipv6_slaac,
      mtu,
      dns_servers,
      segment_uuid,
      physical_network,
      vrf,
      segment_key: 0,
      vrf_key: 0,
      ...stamps(work),
    });
  },

  interface(work, uuid, params) {
    const { mode, display_name, owner_datapath_uuid, port_name, enable_routing, enable_route_translation, enable_filtering } = params;
    work.put({
      kind: 'interface',
      uuid,
      display_name,
      mode,
      owner_datapath_uuid,
      gateway_datapath_uuids: [...new Set(params.gateway_datapath_uuids)],
      gateway_owner_uuid: null,
      port_name,
      enable_routing,
      enable_route_translation,
      enable_filtering,
      security_group_uuids: sortedSet(params.security_group_uuids),
      router_uuid: null,
      port_key: work.keys.next('port_key'),
      policy_class_key: 0,
      ...stamps(work),
    });
    createLeasesOf(work, uuid, params);
  },

  mac_lease(work, uuid, { interface_uuid, mac_address, segment_uuid }) {
    work.put({ kind: 'mac_lease', uuid, interface_uuid, mac_address, segment_uuid, mac_shared: false, ...stamps(work) });
  },

  ip_lease(work, uuid, params) {
    const { network_uuid, ipv4_address, ipv6_address, enable_routing } = params;
    if ((ipv4_address === undefined) === (ipv6_address === undefined)) {
      const code = ipv4_address === undefined ? 'missing_argument' : 'invalid_argument';
      work.refuse(
        code,
        [ipv4_address === undefined ? 'ipv4_address' : 'ipv6_address'],
        'exactly one of ipv4_address and ipv6_address is needed',
      );
      return;
    }
    const owner = macLeaseFor(work, params.interface_uuid, params.mac_lease_uuid, network_uuid);
    if (owner === 'refused') return;
    work.put(ipLease(work, uuid, owner, network_uuid, { ipv4_address, ipv6_address, enable_routing }));
  },

  route_link(work, uuid, { mac_address, vrf, traceroute }) {
    work.put({
      kind: 'route_link',
      uuid,
      mac_address: mac_address ?? work.newMac(),
      vrf,
      traceroute,
      router_uuid: null,
      router_key: work.keys.next('router_key'),
      ...stamps(work),
    });
  },

  route(work, uuid, params) {
    const { mode, type, interface_uuid, network_uuid, route_link_uuid, ingress, egress } = params;
    const via = nextHopSet(params.via);
    if (type === 'forward' && via.length === 0)
      for (const field of ['interface_uuid', 'network_uuid'] as const)
        if (params[field] === null) work.refuse('missing_argument', [field], 'is required without via');
    work.put({
      kind: 'route',
      uuid,
      mode,
      type,
      interface_uuid,
      network_uuid,
      route_link_uuid,
      ...prefixesFrom(params),
      via,
      ingress,
      egress,
      router_uuid: null,
      route_key: work.keys.next('route_key'),
      ...stamps(work),
    });
  },

  policy_route(work, uuid, { via, ...content }) {
    work.put({
      kind: 'policy_route',
      ...content,
      uuid,
      via: nextHopSet(via),
      router_uuid: null,
      route_key: work.keys.next('route_key'),
      ...stamps(work),
    });
  },

  router: createRouter,

  security_group(work, uuid, { display_name, default: rest, tier, rules }) {
    work.put({ kind: 'security_group', uuid, display_name, default: rest, tier, rules: rulesFrom(rules, [], work), ...stamps(work) });
  },

  address_set(work, uuid, { display_name, addresses }) {
    work.put({ kind: 'address_set', uuid, display_name, addresses: sortedSet(addresses), ...stamps(work) });
  },

  floating_ip: createFloatingIp,
  nat_rule: createNatRule,

  translation(work, uuid, { interface_uuid, mode, passthrough, static_addresses }) {
    work.put({
      kind: 'translation',
      uuid,
      interface_uuid,
      mode,
      passthrough,
      static_addresses: static_addresses.map(translationStaticFrom),
      ...stamps(work),
    });
  },

  filter(work, uuid, { interface_uuid, mode, ingress_passthrough, egress_passthrough, statics }) {
    const rows = statics.map(filterStaticFrom);
    work.put({ kind: 'filter', uuid, interface_uuid, mode, ingress_passthrough, egress_passthrough, statics: rows, ...stamps(work) });
  },

  network_service(work, uuid, { display_name, mode, interface_uuid, incoming_port, outgoing_port }) {
    work.put({ kind: 'network_service', uuid, display_name, mode, interface_uuid, incoming_port, outgoing_port, ...stamps(work) });
  },

  interface_port(work, uuid, { interface_uuid, datapath_uuid, port_name, singular }) {
    work.put({ kind: 'interface_port', uuid, interface_uuid, datapath_uuid, port_name, singular, ...stamps(work) });
  },

  datapath_network: (work, uuid, params) =>
    work.put({ kind: 'datapath_network', uuid, network_uuid: params.network_uuid, ...underlayFrom(work, params) }),

  datapath_segment: (work, uuid, params) =>
    work.put({ kind: 'datapath_segment', uuid, segment_uuid: params.segment_uuid, ...underlayFrom(work, params) }),

  tunnel: (work, uuid, { datapath_uuid, peer_datapath_uuid, encapsulation, mac2mac }) =>
    work.put({ kind: 'tunnel', uuid, datapath_uuid, peer_datapath_uuid, encapsulation, mac2mac, ...stamps(work) }),

  datapath_route_link: (work, uuid, params) =>
    work.put({ kind: 'datapath_route_link', uuid, route_link_uuid: params.route_link_uuid, ...underlayFrom(work, params) }),
};

/** Creates an entity and returns its uuid; what is wrong is noted in the workspace. */
export function createEntity<K extends UserKind>(work: Workspace, kind: K, params: CreateInput<K>): string {
  const { uuid = work.newUuid(KINDS[kind].prefix) } = params as { readonly uuid?: string };
  if (work.draft.get(uuid) === undefined) CREATORS[kind](work, uuid, params);
  else work.refuse('duplicate_uuid', ['uuid'], `${uuid} exists already`, uuid);
  return uuid;
}

function stamps(work: Workspace): { created_at: string; updated_at: string } {
  return { created_at: work.now, updated_at: work.now };
}

export function sortedSet(uuids: readonly string[]): string[] {
  return [...new Set(uuids)].sort();
}

interface PrefixParams {
  readonly ipv4_network?: string | undefined;
  readonly ipv4_prefix?: number | undefined;
  readonly ipv6_network?: string | undefined;
  readonly ipv6_prefix?: number | undefined;
}

function prefixesFrom(params: PrefixParams) {
  return {
    ipv4_network: params.ipv4_network ?? null,
    ipv4_prefix: params.ipv4_prefix ?? (params.ipv4_network === undefined ? null : DEFAULT_PREFIX.ipv4),
    ipv6_network: params.ipv6_network ?? null,
    ipv6_prefix: params.ipv6_prefix ?? (params.ipv6_network === undefined ? null : DEFAULT_PREFIX.ipv6),
  };
}

function underlayFrom(work: Workspace, { datapath_uuid, interface_uuid, mac_address, ip_lease_uuid }: LinkParams) {
  return {
    datapath_uuid,
    interface_uuid,
    mac_address: mac_address ?? work.newMac(),
    ip_lease_uuid,
    endpoint_address: null,
    endpoint_network_uuid: null,
    ...stamps(work),
  };
}

type LinkParams = Pick<CreateInput<'datapath_network'>, 'datapath_uuid' | 'interface_uuid' | 'mac_address' | 'ip_lease_uuid'>;

function ipLease(
  work: Workspace,
  uuid: string,
  owner: MacLease | undefined,
  network_uuid: string,
  rest: { readonly ipv4_address?: string | undefined; readonly ipv6_address?: string | undefined; readonly enable_routing: boolean },
): IpLease {
  return {
    kind: 'ip_lease',
    uuid,
    interface_uuid: owner?.interface_uuid ?? null,
    mac_lease_uuid: owner?.uuid ?? null,
    network_uuid,
    ipv4_address: rest.ipv4_address ?? null,
    ipv6_address: rest.ipv6_address ?? null,
    enable_routing: rest.enable_routing,
    ...stamps(work),
  };
}

/** The mac_lease and ip_leases that an interface is created with. */
function createLeasesOf(work: Workspace, interface_uuid: string, params: CreateInput<'interface'>): void {
  const { mac_address, segment_uuid, network_uuid, ipv4_address, ipv6_address } = params;
  const wantsAddress = ipv4_address !== undefined || ipv6_address !== undefined;
  if (wantsAddress && network_uuid === undefined) work.refuse('missing_argument', ['network_uuid'], 'is required with an address');
  if (!wantsAddress && network_uuid !== undefined)
    work.refuse('missing_argument', ['ipv4_address'], 'ipv4_address or ipv6_address is required with network_uuid');
  if (mac_address === undefined && segment_uuid === undefined && !wantsAddress) return;

  const macLease: MacLease = {
    kind: 'mac_lease',
    uuid: work.newUuid('ml'),
    interface_uuid,
    mac_address: mac_address ?? work.newMac(),
    segment_uuid: segment_uuid ?? entityOf(work.draft, 'network', network_uuid ?? null)?.segment_uuid ?? null,
    mac_shared: false,
    ...stamps(work),
  };
  work.put(macLease);
  if (segment_uuid === undefined) work.segmentFollowsNetwork.add(macLease.uuid);
  if (network_uuid === undefined) return;
  for (const address of [ipv4_address && { ipv4_address }, ipv6_address && { ipv6_address }])
    if (address) work.put(ipLease(work, work.newUuid('il'), macLease, network_uuid, { ...address, enable_routing: false }));
}
