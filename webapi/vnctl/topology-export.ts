/**
 * The model as a topology file.
 *
 * Promises: applied to an empty model, the file makes the same model; defaults are left out. Leases stand on their own, not in their interface.
 */
import { stringify } from 'yaml';
import type { z } from 'zod';
import { KINDS, type UserKind } from '../../flows/model/entities.js';
import { INPUTS } from '../../flows/model/inputs.js';
import type { Json } from './client.js';
import { ORDER } from './topology-file.js';

/** Parameters of a create that stand for entities of their own. */
const SHORTHAND: Partial<Record<UserKind, readonly string[]>> = {
  interface: ['mac_address', 'segment_uuid', 'network_uuid', 'ipv4_address', 'ipv6_address'],
};

export function exportTopology(entities: ReadonlyMap<UserKind, readonly Json[]>): Record<string, Json[]> {
  const document: Record<string, Json[]> = {};
  for (const kind of ORDER) {
    const views = entities.get(kind) ?? [];
    if (views.length > 0) document[KINDS[kind].collection] = views.map((view) => settable(kind, view));
  }
  return document;
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
    result[name] = name === 'rules' ? (value as Json[]).map(withoutNulls) : value;
  }
  return result;
}

function withoutNulls(rule: Json): Json {
  return Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0)));
}
