/**
 * Endpoints of relations: OpenVNet's collections below an entity.
 *
 * Promises: paths and parameters are OpenVNet's; a list shows what its rows lead to, each with its row; a delete that finds nothing says so.
 */
import { z } from 'zod';
import type { Controller, View } from '../../controller/contract.js';
import { VIEWS } from '../../controller/view-schemas.js';
import { parseParameters } from '../../flows/model/parse-input.js';
import { RELATIONS, rowFields, rowFilters, singularOf, type Relation } from '../relations.js';
import { nounOf } from '../words.js';
import { checkUuid, refuseUnknown, waited } from './collections.js';
import { pageControls, writeControls, type PageControls, type WriteControls } from './controls.js';
import type { Answer, Endpoint } from './endpoint.js';
import { refusal } from './params.js';
import { carryOut } from './write.js';

/** Rows of one entity are few; more than this are not shown. */
const MOST_ROWS = 100_000;

export function relationEndpoints(controller: Controller): Endpoint[] {
  return RELATIONS.flatMap((relation) => [
    listEndpoint(relation, controller),
    addEndpoint(relation, controller),
    removeEndpoint(relation, controller),
  ]);
}

/** Below the base: the relation, and what of it is named by `{target}`. */
export function relationPath({ owner, name, target }: Relation): { readonly all: string; readonly one: string } {
  const all = `/${owner}s/{uuid}/${name}`;
  return { all, one: target === undefined ? all : `${all}/{${target.field}}` };
}

function listEndpoint(relation: Relation, controller: Controller): Endpoint {
  const { owner, name, kind, target } = relation;
  const row = VIEWS[kind] as z.ZodObject;
  return {
    method: 'GET',
    path: relationPath(relation).all,
    operation_id: `show_${name}_of_${owner}`,
    summary: `List the ${name.replaceAll('_', ' ')} of ${nounOf(owner)}`,
    tag: `${owner}s`,
    controls: pageControls,
    answer: z.object({
      total_count: z.int(),
      offset: z.int(),
      limit: z.int(),
      items: z.array(
        target === undefined ? row.extend({ uuid: z.string().nullable() }) : (VIEWS[target.kind] as z.ZodObject).extend({ [kind]: row }),
      ),
      revision: z.int(),
    }),
    handle: ({ uuid, controls }) => {
      checkEntity(owner, uuid, controller);
      const { offset, limit } = controls as PageControls;
      const all = rowsOf(relation, uuid, controller);
      const items = all.slice(offset, offset + limit).map((one) => {
        const far = target && controller.get(target.kind, one[target.field] as string)?.view;
        return far ? { ...far, [kind]: one } : one;
      });
      return { body: { total_count: all.length, offset, limit, items, revision: controller.revision().number } };
    },
  };
}

function addEndpoint(relation: Relation, controller: Controller): Endpoint {
  const { owner, kind, target } = relation;
  return {
    method: 'POST',
    path: relationPath(relation).one,
    operation_id: `add_${singularOf(relation)}_to_${owner}`,
    summary: target === undefined ? `Give ${nounOf(owner)} ${nounOf(kind)}` : `Connect ${nounOf(owner)} to ${nounOf(target.kind)}`,
    tag: `${owner}s`,
    controls: writeControls,
    fields: rowFields(relation),
    answer: (VIEWS[kind] as z.ZodObject).extend(waited),
    handle: async (call) => {
      checkEntity(owner, call.uuid, controller);
      if (target) checkEntity(target.kind, call.target, controller);
      const named = pathFields(relation, [call.uuid, call.target]);
      const repeated = Object.keys(named).filter((name) => name in call.params);
      if (repeated.length > 0) throw refusal(repeated.map((name) => ({ pointer: `/${name}`, detail: 'is said by the path' })));
      const params = { ...call.params, ...named };
      return carryOut(
        controller,
        [{ verb: 'create', kind, params }],
        call.controls as WriteControls,
        call.signal,
        ({ results }) => results[0] as View,
      );
    },
  };
}

function removeEndpoint(relation: Relation, controller: Controller): Endpoint {
  const { owner, kind, target } = relation;
  const filters = rowFilters(relation);
  return {
    method: 'DELETE',
    path: relationPath(relation).one,
    operation_id: `remove_${singularOf(relation)}_from_${owner}`,
    summary:
      target === undefined
        ? `Delete the ${relation.name} of ${nounOf(owner)} that have these values, or all`
        : `Disconnect ${nounOf(owner)} from ${nounOf(target.kind)}`,
    tag: `${owner}s`,
    controls: writeControls,
    ...(target === undefined ? { fields: filters } : {}),
    answer: target === undefined ? z.array(VIEWS[kind]) : z.tuple([z.string()]),
    handle: async (call): Promise<Answer> => {
      checkEntity(owner, call.uuid, controller);
      if (target) checkUuid(target.kind, call.target);
      const chosen = parseParameters(filters, call.params, () => `${kind} has no such parameter`);
      if (!chosen.ok) throw refusal(chosen.reasons);
      const where = target ? { [target.field]: call.target } : (chosen.value as Record<string, unknown>);
      const before = rowsOf(relation, call.uuid, controller);
      return carryOut(
        controller,
        [{ verb: 'unlink', kind, of: call.uuid, where }],
        call.controls as WriteControls,
        call.signal,
        ({ results }) => {
          if (target) return [call.target];
          const gone = new Set(results[0] as readonly string[]);
          return before.filter((row) => gone.has(row.uuid ?? call.uuid));
        },
      );
    },
  };
}

/** What a path says of a row. Throws HotoriError `invalid_uuid`. */
export function pathFields(
  { owner, owner_field, target }: Relation,
  [uuid, named = '']: readonly [string, string | undefined],
): Record<string, string> {
  return { [owner_field]: checkUuid(owner, uuid), ...(target ? { [target.field]: checkUuid(target.kind, named) } : {}) };
}

/** Throws HotoriError `invalid_uuid` or `unknown_uuid`. */
function checkEntity(kind: Relation['kind'], uuid: string, controller: Controller): void {
  if (controller.get(kind, checkUuid(kind, uuid)) === undefined) refuseUnknown(kind, uuid);
}

type Row = Readonly<Record<string, unknown>> & { readonly uuid: string | null };

/** In the order of what they lead to. An interface's own owner_datapath_uuid and port_name are a row without uuid. */
function rowsOf({ owner, kind, target }: Relation, uuid: string, controller: Controller): Row[] {
  const rows: Row[] = [...controller.list(kind, { of: uuid, offset: 0, limit: MOST_ROWS }).items];
  if (target) rows.sort((a, b) => (String(a[target.field]) < String(b[target.field]) ? -1 : 1));
  const view = owner === 'interface' && kind === 'interface_port' ? controller.get('interface', uuid)?.view : undefined;
  if (view === undefined || (view['owner_datapath_uuid'] === null && view['port_name'] === null)) return rows;
  const { owner_datapath_uuid: datapath_uuid, port_name, created_at, updated_at } = view;
  return [{ uuid: null, interface_uuid: uuid, datapath_uuid, port_name, singular: true, created_at, updated_at }, ...rows];
}
