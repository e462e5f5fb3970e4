/**
 * Reading a model.
 *
 * Owns: what a committed model and one in the making have in common, and the typed questions asked of either.
 */
import type { Entity, EntityKind, EntityOf } from './entities.js';
import type { IpLease, MacLease } from './entities/interface.js';
import type { Network } from './entities/network.js';
import type { IndexKey } from './key-sets.js';
import { referrerKey } from './references.js';

/** Kinds of the rows that say by what a datapath is reached for something. */
export const LINK_KINDS = ['datapath_network', 'datapath_segment', 'datapath_route_link'] as const;

export interface ModelView {
  get(uuid: string): Entity | undefined;
  /** uuids of the entities with this set index key. The model must not change while they are iterated. */
  lookup(key: IndexKey): Iterable<string>;
  /** How many those are, without walking them. */
  count(key: IndexKey): number;
  /** Keys of an ordered index from `key` up. */
  from(index: string, key: string): Iterable<string>;
  /** Keys of an ordered index below `key`, down. */
  before(index: string, key: string): Iterable<string>;
}

export function entityOf<K extends EntityKind>(view: ModelView, kind: K, uuid: string | null): EntityOf<K> | undefined {
  const entity = uuid === null ? undefined : view.get(uuid);
  return entity?.kind === kind ? (entity as EntityOf<K>) : undefined;
}

/** Entities of a kind that refer to `target`. The model must not change while they are iterated. */
export function* referrers<K extends EntityKind>(view: ModelView, kind: K, target: string): Generator<EntityOf<K>> {
  for (const uuid of view.lookup(referrerKey(kind, target))) yield view.get(uuid) as EntityOf<K>;
}

/** Names the L2 domain of a network: its segment, or itself. */
export function networkDomain(network: Network): string {
  return network.segment_uuid ?? network.uuid;
}

/** Names the L2 domain a MAC is in: its segment, else that of its first address; undefined while it has neither. */
export function macDomain(view: ModelView, lease: MacLease): string | undefined {
  if (lease.segment_uuid !== null) return lease.segment_uuid;
  for (const ip of referrers(view, 'ip_lease', lease.uuid)) {
    const network = entityOf(view, 'network', ip.network_uuid);
    if (network) return networkDomain(network);
  }
  return undefined;
}

/** The mac_leases of an interface, the first made first. */
export function macLeasesOf(view: ModelView, interfaceUuid: string): MacLease[] {
  return [...referrers(view, 'mac_lease', interfaceUuid)].sort(byAge);
}

/** The addresses on a MAC, the first made first. */
export function ipLeasesOf(view: ModelView, macLease: string): IpLease[] {
  return [...referrers(view, 'ip_lease', macLease)].sort(byAge);
}

function byAge(a: { created_at: string; uuid: string }, b: { created_at: string; uuid: string }): number {
  if (a.created_at !== b.created_at) return a.created_at < b.created_at ? -1 : 1;
  return a.uuid < b.uuid ? -1 : 1;
}
