/**
 * The model as a topology file.
 *
 * Promises: applied to an empty model, the file makes the same model; defaults are left out. Leases stand on their own, not in their interface. What a
 * router is made of is left out: the router makes it, under the names it has now.
 */
import { stringify } from 'yaml';
import type { z } from 'zod';
import { KINDS, type UserKind } from '../../flows/model/entities.js';
import { INPUTS } from '../../flows/model/inputs.js';
import { ruleContentOf, type RuleInput } from '../../flows/model/rule-content.js';
import type { Json } from './client.js';
import { ORDER } from './topology-file.js';

/** Parameters of a create that stand for entities of their own. */
const SHORTHAND: Partial<Record<UserKind, readonly string[]>> = {
  interface: ['mac_address', 'segment_uuid', 'network_uuid', 'ipv4_address', 'ipv6_address'],
};

export function exportTopology(entities: ReadonlyMap<UserKind, readonly Json[]>): Record<string, Json[]> {
  const document: Record<string, Json[]> = {};
  const ports = new Set((entities.get('interface') ?? []).flatMap((view) => (isPart(view, NONE) ? [view['uuid']] : [])));
  for (const kind of ORDER) {
    const views = (entities.get(kind) ?? []).filter((view) => !isPart(view, ports));
    if (views.length > 0) document[KINDS[kind].collection] = views.map((view) => settable(kind, view));
  }
  return document;
}

const NONE: ReadonlySet<unknown> = new Set();

/** Whether a router made it. @param ports interfaces that routers made. */
function isPart(view: Json, ports: ReadonlySet<unknown>): boolean {
  if (typeof view['router_uuid'] === 'string') return true;
  // Leases of a port; a service on a port is not the router's.
  return 'created_at' in view && ('mac_address' in view || 'ipv4_address' in view) && ports.has(view['interface_uuid']);
}

export function topologyText(document: Record<string, Json[]>): string {
  return Object.keys(document).length === 0 ? '{}\n' : stringify(document, { compat: 'yaml-1.1', aliasDuplicateObjects: false });
}

function settable(kind: UserKind, view: Json): Json {
  const shape = INPUTS[kind].create.shape as Record<string, z.ZodType>;
  const result: Json = {};
  for (const [name, schema] of Object.entries(shape)) {
    const value = view[name];
    if (value === undefined || value === null || (SHORTHAND[kind]?.includes(name) ?? false)) continue;
    // The interface of an attached address is that of its MAC.
    if (kind === 'ip_lease' && name === 'interface_uuid' && view['mac_lease_uuid'] !== null) continue;
    const absent = schema.safeParse(undefined);
    if (absent.success && JSON.stringify(absent.data) === JSON.stringify(value)) continue;
    result[name] =
      name === 'rules' ? (value as Json[]).map(withoutDefaults) : LISTS.has(name) ? (value as Json[]).map(withoutNulls) : value;
  }
  return result;
}

/** Lists of things whose fields may be left out. */
const LISTS: ReadonlySet<string> = new Set(['networks', 'routes', 'policy_routes', 'nat', 'statics', 'static_addresses']);

function withoutNulls(rule: Json): Json {
  return Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0)));
}

const NEEDED: readonly string[] = ['uuid', 'direction', 'protocol', 'remote'];

/** A rule without what its author need not have written. */
function withoutDefaults(rule: Json): Json {
  const plain = Object.fromEntries(NEEDED.map((name) => [name, rule[name]]));
  const absent = ruleContentOf(plain as RuleInput) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(rule).filter(([name, value]) => NEEDED.includes(name) || JSON.stringify(value) !== JSON.stringify(absent[name])),
  );
}
