/**
 * Changing entities by checked parameters: what is absent stays.
 */
import type { EntityOf, UserKind } from '../../flows/model/entities.js';
import type { UpdateInput } from '../../flows/model/inputs.js';
import { nextHopSet } from '../../flows/model/routing-inputs.js';
import { ipLeasesOf } from '../../flows/model/view.js';
import { sortedSet } from './create.js';
import { filterStaticFrom } from '../../flows/model/filter-static.js';
import { translationStaticFrom } from '../../flows/model/nat-inputs.js';
import { macLeaseFor } from './leases.js';
import { updateFloatingIp } from './nat.js';
import { updateRouter } from './routers.js';
import { rulesFrom } from './rules.js';
import type { Workspace } from './workspace.js';

type Updaters = { readonly [K in UserKind]: (work: Workspace, entity: EntityOf<K>, params: UpdateInput<K>) => void };

const UPDATERS: Updaters = {
  datapath: (work, entity, params) => work.put({ ...entity, ...given(params) }),
  segment: (work, entity, params) => work.put({ ...entity, ...given(params) }),
  route_link: (work, entity, params) => work.put({ ...entity, ...given(params) }),
  router: updateRouter,

  route(work, entity, params) {
    const { via, ...rest } = given(params);
    work.put({ ...entity, ...rest, ...(via ? { via: nextHopSet(via) } : {}) });
  },

  policy_route(work, entity, params) {
    const { via, ...rest } = given(params);
    work.put({ ...entity, ...rest, ...(via ? { via: nextHopSet(via) } : {}) });
  },

  network_service: (work, entity, params) => work.put({ ...entity, ...given(params) }),
  interface_port: (work, entity, params) => work.put({ ...entity, ...given(params) }),
  datapath_network: (work, entity, params) => work.put({ ...entity, ...given(params) }),
  datapath_segment: (work, entity, params) => work.put({ ...entity, ...given(params) }),
  tunnel: (work, entity, params) => work.put({ ...entity, ...given(params) }),
  datapath_route_link: (work, entity, params) => work.put({ ...entity, ...given(params) }),

  network(work, entity, params) {
    const next = { ...entity, ...given(params) };
    if (next.ipv4_network !== null) next.ipv4_prefix ??= 24;
    if (next.ipv6_network !== null) next.ipv6_prefix ??= 64;
    work.put(next);
  },

  interface(work, entity, params) {
    const { security_group_uuids: groups, gateway_datapath_uuids: gateways, ...rest } = given(params);
    work.put({
      ...entity,
      ...rest,
      ...(groups ? { security_group_uuids: sortedSet(groups) } : {}),
      ...(gateways ? { gateway_datapath_uuids: [...new Set(gateways)] } : {}),
    });
  },

  mac_lease(work, entity, params) {
    const next = { ...entity, ...given(params) };
    work.put(next);
    if (next.interface_uuid === entity.interface_uuid) return;
    for (const lease of ipLeasesOf(work.draft, entity.uuid)) work.put({ ...lease, interface_uuid: next.interface_uuid });
  },

  ip_lease(work, entity, params) {
    const { interface_uuid, mac_lease_uuid, enable_routing = entity.enable_routing } = params;
    if (interface_uuid === undefined && mac_lease_uuid === undefined) {
      work.put({ ...entity, enable_routing });
      return;
    }
    const stays = interface_uuid === entity.interface_uuid && (mac_lease_uuid === undefined || mac_lease_uuid === entity.mac_lease_uuid);
    const wanted = stays ? entity.mac_lease_uuid : (mac_lease_uuid ?? null);
    const owner = macLeaseFor(work, interface_uuid ?? null, wanted, entity.network_uuid);
    if (owner === 'refused') return;
    work.put({ ...entity, enable_routing, interface_uuid: owner?.interface_uuid ?? null, mac_lease_uuid: owner?.uuid ?? null });
  },

  address_set(work, entity, params) {
    const { addresses, ...rest } = given(params);
    work.put({ ...entity, ...rest, ...(addresses ? { addresses: sortedSet(addresses) } : {}) });
  },

  filter(work, entity, params) {
    const { statics, ...rest } = given(params);
    work.put({ ...entity, ...rest, ...(statics ? { statics: statics.map(filterStaticFrom) } : {}) });
  },

  floating_ip: updateFloatingIp,
  nat_rule: (work, entity, params) => work.put({ ...entity, ...given(params) }),

  translation(work, entity, params) {
    const { static_addresses, ...rest } = given(params);
    work.put({ ...entity, ...rest, ...(static_addresses ? { static_addresses: static_addresses.map(translationStaticFrom) } : {}) });
  },

  security_group(work, entity, params) {
    const { rules, ...rest } = given(params);
    work.put({ ...entity, ...rest, ...(rules ? { rules: rulesFrom(rules, entity.rules, work) } : {}) });
  },
};

/** Changes an entity; what is wrong is noted in the workspace. */
export function updateEntity<K extends UserKind>(work: Workspace, kind: K, entity: EntityOf<K>, params: UpdateInput<K>): void {
  UPDATERS[kind](work, entity, params);
}

type Given<T> = { [F in keyof T]?: Exclude<T[F], undefined> };

/** The parameters that are there. */
function given<T extends object>(params: T): Given<T> {
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined)) as Given<T>;
}
