/**
 * Who refers to whom.
 *
 * Owns: every field that names another entity, and what a delete of the named one means for its referrer.
 * Assumes: the prefix of a uuid tells its kind, so a reference of the right form is of the right kind.
 *
 * A child goes with its owner. Any other referrer refuses the delete, unless it cascades; then the referrer is deleted or lets go.
 */
import type { Entity, EntityKind, EntityOf, UserKind } from './entities.js';
import type { IndexKey } from './key-sets.js';

export interface ReferenceField<K extends EntityKind = EntityKind> {
  /** The kind that refers. */
  readonly from: K;
  /** The field that does, as users know it. */
  readonly field: string;
  /** The kind referred to. */
  readonly to: UserKind;
  /** uuids the field names now. */
  targets(entity: EntityOf<K>): readonly string[];
  /** What becomes of the referrer when the target is deleted. */
  readonly on_delete: 'goes_along' | 'refuses';
  /** Whether the referrer lets go by itself, cascade or not; needs `release`. */
  lets_go?(entity: EntityOf<K>): boolean;
  /** The referrer without its reference to `target`, for a delete that cascades; without it the referrer is deleted. */
  release?(entity: EntityOf<K>, target: string): EntityOf<K>;
}

const some = (uuid: string | null): readonly string[] => (uuid === null ? [] : [uuid]);

function field<K extends EntityKind>(reference: ReferenceField<K>): ReferenceField {
  // Each is only asked about entities of its own kind.
  return reference as unknown as ReferenceField;
}

const REFERENCES: readonly ReferenceField[] = [
  field({ from: 'network', field: 'segment_uuid', to: 'segment', targets: (e) => some(e.segment_uuid), on_delete: 'refuses' }),
  field({
    from: 'interface',
    field: 'owner_datapath_uuid',
    to: 'datapath',
    targets: (e) => some(e.owner_datapath_uuid),
    on_delete: 'refuses',
    // A hypervisor's own interface is nobody's when the hypervisor is gone, and its NIC names no other hypervisor's.
    lets_go: (e) => e.mode === 'host',
    release: (e) => ({ ...e, owner_datapath_uuid: null, ...(e.mode === 'host' ? { port_name: null } : {}) }),
  }),
  field({
    from: 'interface',
    field: 'gateway_datapath_uuids',
    to: 'datapath',
    targets: (e) => e.gateway_datapath_uuids,
    on_delete: 'refuses',
    release: (e, target) => ({ ...e, gateway_datapath_uuids: e.gateway_datapath_uuids.filter((uuid) => uuid !== target) }),
  }),
  field({
    from: 'interface',
    field: 'security_group_uuids',
    to: 'security_group',
    targets: (e) => e.security_group_uuids,
    on_delete: 'refuses',
    release: (e, target) => ({ ...e, security_group_uuids: e.security_group_uuids.filter((uuid) => uuid !== target) }),
  }),
  field({ from: 'mac_lease', field: 'interface_uuid', to: 'interface', targets: (e) => [e.interface_uuid], on_delete: 'goes_along' }),
  field({ from: 'mac_lease', field: 'segment_uuid', to: 'segment', targets: (e) => some(e.segment_uuid), on_delete: 'refuses' }),
  field({ from: 'ip_lease', field: 'interface_uuid', to: 'interface', targets: (e) => some(e.interface_uuid), on_delete: 'goes_along' }),
  field({ from: 'ip_lease', field: 'mac_lease_uuid', to: 'mac_lease', targets: (e) => some(e.mac_lease_uuid), on_delete: 'goes_along' }),
  field({ from: 'ip_lease', field: 'network_uuid', to: 'network', targets: (e) => [e.network_uuid], on_delete: 'goes_along' }),
  field({ from: 'interface', field: 'router_uuid', to: 'router', targets: (e) => some(e.router_uuid), on_delete: 'goes_along' }),
  field({ from: 'route', field: 'interface_uuid', to: 'interface', targets: (e) => some(e.interface_uuid), on_delete: 'goes_along' }),
  field({ from: 'route', field: 'network_uuid', to: 'network', targets: (e) => some(e.network_uuid), on_delete: 'goes_along' }),
  field({ from: 'route', field: 'route_link_uuid', to: 'route_link', targets: (e) => [e.route_link_uuid], on_delete: 'goes_along' }),
  field({ from: 'route', field: 'router_uuid', to: 'router', targets: (e) => some(e.router_uuid), on_delete: 'goes_along' }),
  field({ from: 'route_link', field: 'router_uuid', to: 'router', targets: (e) => some(e.router_uuid), on_delete: 'goes_along' }),
  field({
    from: 'policy_route',
    field: 'route_link_uuid',
    to: 'route_link',
    targets: (e) => [e.route_link_uuid],
    on_delete: 'goes_along',
  }),
  field({ from: 'policy_route', field: 'router_uuid', to: 'router', targets: (e) => some(e.router_uuid), on_delete: 'goes_along' }),
  field({
    from: 'router',
    field: 'networks',
    to: 'network',
    targets: (e) => [...new Set(e.networks.map(({ network_uuid }) => network_uuid))],
    on_delete: 'refuses',
    release: (e, target) => ({
      ...e,
      networks: e.networks.filter(({ network_uuid }) => network_uuid !== target),
      nat: e.nat.filter(({ network_uuid }) => network_uuid !== target),
    }),
  }),
  field({
    from: 'router',
    field: 'nat',
    to: 'datapath',
    targets: (e) => [...new Set(e.nat.flatMap(({ datapath_uuid }) => some(datapath_uuid)))],
    on_delete: 'refuses',
    release: (e, target) => ({
      ...e,
      nat: e.nat.map((one) => (one.datapath_uuid === target ? { ...one, datapath_uuid: null } : one)),
    }),
  }),
  field({
    from: 'router',
    field: 'networks',
    to: 'datapath',
    targets: (e) => [...new Set(e.networks.flatMap(({ gateway_datapath_uuids }) => gateway_datapath_uuids))],
    on_delete: 'refuses',
    release: (e, target) => ({
      ...e,
      networks: e.networks.map((one) => ({
        ...one,
        gateway_datapath_uuids: one.gateway_datapath_uuids.filter((uuid) => uuid !== target),
      })),
    }),
  }),
  field({
    from: 'security_group',
    field: 'rules',
    to: 'security_group',
    targets: (e) => [...new Set(e.rules.flatMap(({ remote }) => ('security_group_uuid' in remote ? [remote.security_group_uuid] : [])))],
    on_delete: 'refuses',
    release: (e, target) => ({
      ...e,
      rules: e.rules.filter(({ remote }) => !('security_group_uuid' in remote && remote.security_group_uuid === target)),
    }),
  }),
  field({
    from: 'security_group',
    field: 'rules',
    to: 'address_set',
    targets: (e) => [...new Set(e.rules.flatMap(({ remote }) => ('address_set_uuid' in remote ? [remote.address_set_uuid] : [])))],
    on_delete: 'refuses',
    release: (e, target) => ({
      ...e,
      rules: e.rules.filter(({ remote }) => !('address_set_uuid' in remote && remote.address_set_uuid === target)),
    }),
  }),
  field({ from: 'filter', field: 'interface_uuid', to: 'interface', targets: (e) => [e.interface_uuid], on_delete: 'goes_along' }),
  field({ from: 'floating_ip', field: 'network_uuid', to: 'network', targets: (e) => [e.network_uuid], on_delete: 'refuses' }),
  field({ from: 'floating_ip', field: 'route_link_uuid', to: 'route_link', targets: (e) => some(e.route_link_uuid), on_delete: 'refuses' }),
  field({
    from: 'floating_ip',
    field: 'ip_lease_uuid',
    to: 'ip_lease',
    targets: (e) => some(e.ip_lease_uuid),
    on_delete: 'refuses',
    // It is kept for whoever comes next.
    lets_go: () => true,
    release: (e) => ({ ...e, ip_lease_uuid: null }),
  }),
  field({ from: 'nat_rule', field: 'route_link_uuid', to: 'route_link', targets: (e) => [e.route_link_uuid], on_delete: 'goes_along' }),
  field({ from: 'nat_rule', field: 'router_uuid', to: 'router', targets: (e) => some(e.router_uuid), on_delete: 'goes_along' }),
  field({ from: 'nat_rule', field: 'network_uuid', to: 'network', targets: (e) => [e.network_uuid], on_delete: 'refuses' }),
  field({
    from: 'nat_rule',
    field: 'datapath_uuid',
    to: 'datapath',
    targets: (e) => some(e.datapath_uuid),
    on_delete: 'refuses',
    release: (e) => ({ ...e, datapath_uuid: null }),
  }),
  field({ from: 'translation', field: 'interface_uuid', to: 'interface', targets: (e) => [e.interface_uuid], on_delete: 'goes_along' }),
  field({
    from: 'translation',
    field: 'static_addresses',
    to: 'route_link',
    targets: (e) => [...new Set(e.static_addresses.flatMap(({ route_link_uuid }) => some(route_link_uuid)))],
    on_delete: 'refuses',
    release: (e, target) => ({ ...e, static_addresses: e.static_addresses.filter(({ route_link_uuid }) => route_link_uuid !== target) }),
  }),
  field({
    from: 'network_service',
    field: 'interface_uuid',
    to: 'interface',
    targets: (e) => some(e.interface_uuid),
    on_delete: 'goes_along',
  }),
  field({ from: 'vif', field: 'datapath_uuid', to: 'datapath', targets: (e) => [e.datapath_uuid], on_delete: 'goes_along' }),
  field({ from: 'chassis', field: 'datapath_uuid', to: 'datapath', targets: (e) => [e.datapath_uuid], on_delete: 'goes_along' }),
  field({ from: 'interface_port', field: 'interface_uuid', to: 'interface', targets: (e) => [e.interface_uuid], on_delete: 'goes_along' }),
  field({ from: 'interface_port', field: 'datapath_uuid', to: 'datapath', targets: (e) => some(e.datapath_uuid), on_delete: 'goes_along' }),
  field({ from: 'datapath_network', field: 'network_uuid', to: 'network', targets: (e) => [e.network_uuid], on_delete: 'goes_along' }),
  field({ from: 'datapath_segment', field: 'segment_uuid', to: 'segment', targets: (e) => [e.segment_uuid], on_delete: 'goes_along' }),
  field({
    from: 'datapath_route_link',
    field: 'route_link_uuid',
    to: 'route_link',
    targets: (e) => [e.route_link_uuid],
    on_delete: 'goes_along',
  }),
  field({ from: 'tunnel', field: 'datapath_uuid', to: 'datapath', targets: (e) => [e.datapath_uuid], on_delete: 'goes_along' }),
  field({ from: 'tunnel', field: 'peer_datapath_uuid', to: 'datapath', targets: (e) => [e.peer_datapath_uuid], on_delete: 'goes_along' }),
  ...(['datapath_network', 'datapath_segment', 'datapath_route_link'] as const).flatMap((from) => [
    field({ from, field: 'datapath_uuid', to: 'datapath', targets: (e) => [e.datapath_uuid], on_delete: 'goes_along' }),
    field({ from, field: 'interface_uuid', to: 'interface', targets: (e) => [e.interface_uuid], on_delete: 'goes_along' }),
    field({
      from,
      field: 'ip_lease_uuid',
      to: 'ip_lease',
      targets: (e) => some(e.ip_lease_uuid),
      on_delete: 'refuses',
      release: (e) => ({ ...e, ip_lease_uuid: null }),
    }),
  ]),
];

const BY_REFERRER = group((reference) => reference.from);
const BY_TARGET = group((reference) => reference.to);

/** The references an entity of this kind makes. */
export function referencesFrom(kind: EntityKind): readonly ReferenceField[] {
  return BY_REFERRER.get(kind) ?? [];
}

/** The references made to an entity of this kind. */
export function referencesTo(kind: EntityKind): readonly ReferenceField[] {
  return BY_TARGET.get(kind) ?? [];
}

/** Index key of the entities of a kind that refer to `target`. */
export function referrerKey(kind: EntityKind, target: string): IndexKey {
  return { index: kind, key: target };
}

export function referrerKeys(entity: Entity): IndexKey[] {
  const targets = new Set<string>();
  for (const reference of referencesFrom(entity.kind)) for (const target of reference.targets(entity)) targets.add(target);
  return Array.from(targets, (target) => referrerKey(entity.kind, target));
}

function group(by: (reference: ReferenceField) => EntityKind): ReadonlyMap<EntityKind, readonly ReferenceField[]> {
  const groups = new Map<EntityKind, ReferenceField[]>();
  for (const reference of REFERENCES) groups.set(by(reference), [...(groups.get(by(reference)) ?? []), reference]);
  return groups;
}
