/**
 * What it takes to make the model say what a topology file says.
 *
 * Assumes: `current` is what the server answered for each uuid of the file.
 * Promises: fields that the file leaves out stay as they are; nothing is deleted; what is already as the file says makes no operation, however the
 * file writes it (`AA:BB:…`, a list in another order).
 */
import { translationStaticFrom, type TranslationStaticInput } from '../../flows/model/nat-inputs.js';
import { z } from 'zod';
import { KINDS, type UserKind } from '../../flows/model/entities.js';
import { securityGroupRuleInput } from '../../flows/model/input-fields.js';
import { INPUTS } from '../../flows/model/inputs.js';
import { addressesOf, nextHopSet, type RouterNetworkInput } from '../../flows/model/routing-inputs.js';
import { ruleContentOf } from '../../flows/model/rule-content.js';
import type { Json } from './client.js';
import type { TopologyEntity } from './topology-file.js';

export interface PlannedChange {
  readonly entity: TopologyEntity;
  readonly operation: { readonly method: 'POST' | 'PUT'; readonly path: string; readonly body: Json };
}

export interface Plan {
  readonly changes: readonly PlannedChange[];
  readonly unchanged: number;
  /** What the file wants and cannot be: a line each. */
  readonly complaints: readonly string[];
}

export function planTopology(entities: readonly TopologyEntity[], current: ReadonlyMap<string, Json>): Plan {
  const changes: PlannedChange[] = [];
  const complaints: string[] = [];
  for (const entity of entities) {
    const { kind, uuid, fields } = entity;
    const now = current.get(uuid);
    const path = `/${KINDS[kind].collection}`;
    if (now === undefined) changes.push({ entity, operation: { method: 'POST', path, body: fields } });
    else {
      const body = differences(entity, now, complaints);
      if (Object.keys(body).length > 0) changes.push({ entity, operation: { method: 'PUT', path: `${path}/${uuid}`, body } });
    }
  }
  return { changes, unchanged: entities.length - changes.length, complaints };
}

function differences(entity: TopologyEntity, now: Json, complaints: string[]): Json {
  const { kind, uuid, fields } = entity;
  const { create, update } = INPUTS[kind] as { create: z.ZodObject; update: z.ZodObject };
  const body: Json = {};
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'uuid') continue;
    const schema = (update.shape[name] ?? create.shape[name]) as z.ZodType | undefined;
    const wanted = schema === undefined ? value : canonical(schema, value);
    const there = currentValue(kind, name, now);
    if ((LISTS[`${kind}.${name}`] ?? same)(wanted, there)) continue;
    if (name in update.shape || !(name in create.shape)) body[name] = value;
    else
      complaints.push(
        `${entity.where([name])}: ${uuid} has ${JSON.stringify(there ?? null)}, which cannot be changed after it is created; delete it first`,
      );
  }
  return body;
}

/** The server's text of a value; the value itself when the server will refuse it. */
function canonical(schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value);
  return result.success ? result.data : value;
}

/** What the parameters of a create became in what the server shows. */
function currentValue(kind: UserKind, name: string, now: Json): unknown {
  if (kind === 'network' && name === 'network_mode') return now['mode'];
  if (kind === 'interface' && name === 'segment_uuid') return (now['mac_leases'] as Json[] | undefined)?.[0]?.['segment_uuid'];
  return now[name];
}

function same(a: unknown, b: unknown): boolean {
  return ordered(a) === ordered(b);
}

/** Text that is equal for equal values; lists of plain texts are sets here. */
function ordered(value: unknown): string {
  if (Array.isArray(value)) {
    const parts = value.map(ordered);
    return `[${(value.every((item) => typeof item === 'string') ? parts.sort() : parts).join()}]`;
  }
  if (value === null || typeof value !== 'object') return JSON.stringify(value ?? null);
  return `{${Object.entries(value)
    .map(([key, item]) => `${key}:${ordered(item)}`)
    .sort()
    .join()}}`;
}

/** Lists of things whose fields may be left out. */
const LISTS: Readonly<Record<string, (wanted: unknown, there: unknown) => boolean>> = {
  'security_group.rules': sameRules,
  'router.networks': (wanted, there) =>
    sameList(wanted, there, (entry) => {
      const ip_addresses = addressesOf(entry as RouterNetworkInput);
      return { ...Object.fromEntries(Object.entries(entry).filter(([name]) => name !== 'ip_address')), ip_addresses };
    }),
  'router.routes': (wanted, there) =>
    sameList(wanted, there, (entry) => ({ type: 'forward', ...entry, via: nextHopSet(entry['via'] as string[]) })),
  'router.nat': (wanted, there) => sameList(wanted, there, (entry) => ({ type: 'snat', source: null, datapath_uuid: null, ...entry })),
  'translation.static_addresses': (wanted, there) =>
    sameList(wanted, there, (entry) => ({ ...translationStaticFrom(entry as TranslationStaticInput) })),
  'router.policy_routes': (wanted, there) =>
    sameList(wanted, there, (entry) => ({
      source: null,
      destination: null,
      protocol: 'any',
      source_ports: [],
      ports: [],
      type: 'forward',
      ...entry,
      via: nextHopSet(entry['via'] as string[]),
    })),
};

/** Whether the entries, made whole, agree with what is there in every field they have. */
function sameList(wanted: unknown, there: unknown, whole: (entry: Json) => Json): boolean {
  if (!Array.isArray(wanted) || !Array.isArray(there) || wanted.length !== there.length) return false;
  return wanted.every((entry, index) => {
    if (entry === null || typeof entry !== 'object') return false;
    const now = there[index] as Json;
    return Object.entries(whole(entry as Json)).every(([name, value]) => same(value, now[name]));
  });
}

/** A rule without a uuid is the one that says the same. */
function sameRules(wanted: unknown, there: unknown): boolean {
  if (!Array.isArray(wanted) || !Array.isArray(there) || wanted.length !== there.length) return false;
  return wanted.every((rule, index) => sameRule(rule, there[index] as Json));
}

function sameRule(wanted: unknown, there: Json): boolean {
  const result = securityGroupRuleInput.safeParse(wanted);
  if (!result.success) return false;
  const { uuid = there['uuid'] } = result.data;
  return same({ uuid, ...ruleContentOf(result.data) }, there);
}
