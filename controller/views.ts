/**
 * Entities as REST shows them.
 *
 * Owns: making views (their shape is view-schemas.ts) and their etags.
 */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { entitySchema, type Entity, type EntityKind, type UserEntity, type UserKind } from '../flows/model/entities.js';
import type { Interface, IpLease, MacLease } from '../flows/model/entities/interface.js';
import { securityGroupRuleSchema } from '../flows/model/entities/security-group.js';
import type { Model } from '../flows/model/model.js';
import { referrerKey } from '../flows/model/references.js';
import { ipLeasesOf, macLeasesOf, type ModelView } from '../flows/model/view.js';
import type { ListPage, ListRequest, View } from './contract.js';
import type { Revision } from './messages/slice.js';

export function viewOf(view: ModelView, entity: UserEntity): View {
  switch (entity.kind) {
    case 'interface':
      return interfaceView(view, entity);
    case 'mac_lease':
      return macLeaseView(view, entity);
    case 'security_group':
      return { ...shown(entity), rules: entity.rules.map((rule) => pick(rule, SHOWN_OF_RULE)) };
    case 'datapath':
    case 'segment':
    case 'network':
    case 'ip_lease':
    case 'route_link':
    case 'route':
    case 'policy_route':
    case 'router':
    case 'network_service':
    case 'interface_port':
    case 'datapath_network':
    case 'datapath_segment':
    case 'datapath_route_link':
    case 'tunnel':
    case 'address_set':
    case 'filter':
    case 'floating_ip':
    case 'nat_rule':
    case 'translation':
      return shown(entity);
  }
}

/** A page of the entities of a kind, in uuid order. */
export function listOf(model: Model, kind: UserKind, { offset, limit, of }: ListRequest, revision: Revision): ListPage {
  if (of !== undefined) {
    const uuids = [...model.lookup(referrerKey(kind, of))].sort();
    const items = uuids.slice(offset, offset + limit).map((uuid) => viewOf(model, model.get(uuid) as UserEntity));
    return { total_count: uuids.length, offset, limit, items, revision };
  }
  const items = model.page(kind, offset, limit).map((entity) => viewOf(model, entity as UserEntity));
  return { total_count: model.countOf(kind), offset, limit, items, revision };
}

/** What is vnmgr's own. */
const HIDDEN = /^(kind|mac_shared|gateway_owner_uuid)$|_key$/;

const shownFields = ({ shape }: z.ZodObject) => Object.keys(shape).filter((field) => !HIDDEN.test(field));

const SHOWN: ReadonlyMap<EntityKind, readonly string[]> = new Map(
  entitySchema.options.map((schema) => [schema.shape.kind.value, shownFields(schema)]),
);
const SHOWN_OF_RULE = shownFields(securityGroupRuleSchema);

function shown(entity: Entity): View {
  return pick(entity, SHOWN.get(entity.kind)!);
}

/** A new object, to be added to in place: spread into another one, its fields are copied one by one, at ten times the cost. */
function pick(record: object, fields: readonly string[]): View {
  const view: Record<string, unknown> = {};
  for (const field of fields) view[field] = (record as Readonly<Record<string, unknown>>)[field];
  return view as View;
}

function macLeaseView(view: ModelView, lease: MacLease): View & { readonly ip_leases: readonly View[] } {
  return Object.assign(shown(lease), { ip_leases: ipLeasesOf(view, lease.uuid).map(shown) });
}

function interfaceView(view: ModelView, iface: Interface): View {
  const macLeases = macLeasesOf(view, iface.uuid);
  const leaseViews = macLeases.map((lease) => macLeaseView(view, lease));
  const ipLeases = leaseViews.flatMap((lease) => lease.ip_leases) as unknown as readonly Omit<IpLease, 'kind'>[];
  return Object.assign(shown(iface), {
    mac_address: macLeases[0]?.mac_address ?? null,
    network_uuid: ipLeases[0]?.network_uuid ?? null,
    ipv4_address: ipLeases.find((lease) => lease.ipv4_address !== null)?.ipv4_address ?? null,
    ipv6_address: ipLeases.find((lease) => lease.ipv6_address !== null)?.ipv6_address ?? null,
    mac_leases: leaseViews,
    ip_leases: ipLeases,
  });
}

/** A strong entity tag, quotes included: equal for equal views, and only for those. */
export function etagOf(view: View): string {
  return `"${createHash('sha256').update(JSON.stringify(view)).digest('base64url').slice(0, 22)}"`;
}

/** Whether an If-Match header value names this tag (RFC 9110 §13.1.1; weak tags never match). */
export function etagMatches(header: string, etag: string): boolean {
  return header.split(',').some((tag) => tag.trim() === '*' || tag.trim() === etag || `"${tag.trim()}"` === etag);
}
