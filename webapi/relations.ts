/**
 * OpenVNet's relations: collections below an entity.
 *
 * Owns: which there are, the kind that holds their rows, and which of its fields the path stands for.
 */
import { z } from 'zod';
import type { UserKind } from '../flows/model/entities.js';
import { INPUTS } from '../flows/model/inputs.js';

export interface Relation {
  /** The kind the path begins with. */
  readonly owner: UserKind;
  /** What follows its uuid in the path. */
  readonly name: string;
  /** The kind of the rows. */
  readonly kind: UserKind;
  /** The field of a row that names the owner. */
  readonly owner_field: string;
  /** What a row leads to, named by the end of the path; without it rows are chosen by their fields. */
  readonly target?: { readonly kind: UserKind; readonly field: string };
}

export const RELATIONS: readonly Relation[] = [
  linked('networks', 'datapath_network', 'network', 'network_uuid'),
  linked('segments', 'datapath_segment', 'segment', 'segment_uuid'),
  linked('route_links', 'datapath_route_link', 'route_link', 'route_link_uuid'),
  { owner: 'interface', name: 'ports', kind: 'interface_port', owner_field: 'interface_uuid' },
];

function linked(name: string, kind: UserKind, target: UserKind, field: string): Relation {
  return { owner: 'datapath', name, kind, owner_field: 'datapath_uuid', target: { kind: target, field } };
}

/** Parameters of a new row: those of its kind that the path does not say. */
export function rowFields({ kind, owner_field, target }: Relation): z.ZodObject {
  return z.strictObject(Object.fromEntries(fieldsOf(kind, [owner_field, target?.field])));
}

/** What rows can be chosen by where the path names none. */
export function rowFilters({ kind, owner_field }: Relation): z.ZodObject {
  const plain = fieldsOf(kind, ['uuid', owner_field]).map(([name, field]) => {
    const value = field instanceof z.ZodDefault ? (field.unwrap() as z.ZodType) : field;
    return [name, value.optional().describe(`Only those with this ${name}.`)] as const;
  });
  return z.strictObject(Object.fromEntries(plain));
}

function fieldsOf(kind: UserKind, without: readonly (string | undefined)[]): (readonly [string, z.ZodType])[] {
  return Object.entries(INPUTS[kind].create.shape as Record<string, z.ZodType>).filter(([name]) => !without.includes(name));
}

/** `networks` → `network`. */
export function singularOf({ name }: Relation): string {
  return name.slice(0, -1);
}
