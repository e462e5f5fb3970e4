/**
 * OpenVNet's rows of a filter, below the filter.
 *
 * Promises: paths and parameters are OpenVNet's. Two who change the rows of one filter at once both get what they asked for.
 */
import { z } from 'zod';
import type { Controller } from '../../controller/contract.js';
import { filterStaticSchema, type FilterStatic } from '../../flows/model/entities/filter.js';
import { HotoriError } from '../../flows/model/errors.js';
import { filterStaticInput } from '../../flows/model/input-fields.js';
import { filterStaticFrom } from '../../flows/model/filter-static.js';
import { parseParameters } from '../../flows/model/parse-input.js';
import { checkUuid, refuseUnknown, waited } from './collections.js';
import { noControls, writeControls, type WriteControls } from './controls.js';
import type { Answer, Call, Endpoint } from './endpoint.js';
import { refusal } from './params.js';
import { carryOut } from './write.js';

const PATH = '/filters/{uuid}/static';
const ATTEMPTS = 16;

/** A row is named by what it matches. */
const matchFields = filterStaticInput.omit({ action: true });

type Statics = readonly FilterStatic[];

export function filterStaticEndpoints(controller: Controller): Endpoint[] {
  const answer = filterStaticSchema.extend({ filter_uuid: z.string(), ...waited });
  const common = { path: PATH, tag: 'filters' };
  return [
    {
      ...common,
      method: 'GET',
      operation_id: 'show_static_of_filter',
      summary: 'List the rows of a filter',
      controls: noControls,
      answer: z.array(filterStaticSchema),
      handle: ({ uuid }) => ({ body: viewOf(controller, uuid).view['statics'] }),
    },
    {
      ...common,
      method: 'POST',
      operation_id: 'add_static_to_filter',
      summary: 'Add a row to a filter',
      controls: writeControls,
      fields: filterStaticInput,
      answer,
      handle: (call) => change(controller, call, filterStaticInput, (statics, row) => [...statics, row]),
    },
    {
      ...common,
      method: 'DELETE',
      operation_id: 'remove_static_from_filter',
      summary: 'Delete the row of a filter that matches this',
      controls: writeControls,
      fields: matchFields,
      answer,
      handle: (call) =>
        change(controller, call, matchFields, (statics, row) => {
          const left = statics.filter((other) => keyOf(other) !== keyOf(row));
          if (left.length === statics.length) throw new HotoriError('unknown_uuid', `${call.uuid} has no such row`);
          return left;
        }),
    },
  ];
}

function viewOf(controller: Controller, uuid: string) {
  return controller.get('filter', checkUuid('filter', uuid)) ?? refuseUnknown('filter', uuid);
}

async function change(
  controller: Controller,
  { uuid, params, controls, signal }: Call,
  schema: z.ZodObject,
  next: (statics: Statics, row: FilterStatic) => Statics,
): Promise<Answer> {
  const parsed = parseParameters(schema, params, () => 'a row of a filter has no such parameter');
  if (!parsed.ok) throw refusal(parsed.reasons);
  const row = filterStaticFrom({ action: 'pass', ...(parsed.value as object) } as z.output<typeof filterStaticInput>);
  for (let attempt = 1; ; attempt++) {
    const { view, etag } = viewOf(controller, uuid);
    const before = view['statics'] as Statics;
    const statics = next(before, row);
    try {
      const operation = { verb: 'update', kind: 'filter', uuid, params: { statics }, if_match: etag } as const;
      const changed = statics.length > before.length ? row : before.find((other) => keyOf(other) === keyOf(row));
      return await carryOut(controller, [operation], controls as WriteControls, signal, () => ({ filter_uuid: uuid, ...changed }));
    } catch (error) {
      if (!(error instanceof HotoriError) || error.code !== 'precondition_failed' || attempt === ATTEMPTS)
        throw pointed(error, before.length);
    }
  }
}

/** The row a reason is about is the one in the request. */
function pointed(error: unknown, index: number): unknown {
  if (!(error instanceof HotoriError)) return error;
  const reasons = error.reasons.map((reason) => ({ ...reason, pointer: reason.pointer.replace(new RegExp(`^/statics/${index}`), '') }));
  return new HotoriError(error.code, error.message, { reasons, details: error.details, cause: error.cause });
}

function keyOf({ protocol, src_address, dst_address, src_port, dst_port }: FilterStatic): string {
  return JSON.stringify([protocol, src_address, dst_address, src_port, dst_port]);
}
