/**
 * OpenVNet's rows below an entity: of filters, and of translations.
 *
 * Promises: paths and parameters are OpenVNet's. Two who change the rows of one entity at once both get what they asked for.
 */
import { z } from 'zod';
import type { Controller } from '../../controller/contract.js';
import { KINDS, type UserKind } from '../../flows/model/entities.js';
import { HotoriError } from '../../flows/model/errors.js';
import { parseParameters } from '../../flows/model/parse-input.js';
import { checkUuid, refuseUnknown, waited } from './collections.js';
import { noControls, writeControls, type WriteControls } from './controls.js';
import type { Answer, Call, Endpoint } from './endpoint.js';
import { refusal } from './params.js';
import { carryOut } from './write.js';

const ATTEMPTS = 16;

export interface OwnedRows {
  readonly kind: UserKind;
  /** Last part of the path. */
  readonly path: string;
  /** What a row is called in names of operations. */
  readonly name: string;
  /** The field of the entity that lists them. */
  readonly list: string;
  readonly stored: z.ZodObject;
  /** Parameters of a new row. */
  readonly added: z.ZodObject;
  /** Parameters that name a row. */
  readonly named: z.ZodObject;
  /** A row as it is stored. */
  readonly row: (params: object) => Row;
  /** What tells it from others. */
  readonly keyOf: (row: Row) => string;
}

type Row = Readonly<Record<string, unknown>>;

export function ownedRowEndpoints(controller: Controller, rows: OwnedRows): Endpoint[] {
  const { kind, name, list, stored, added, named } = rows;
  const { collection } = KINDS[kind];
  const owner = `${kind}_uuid`;
  const answer = stored.extend({ [owner]: z.string(), ...waited });
  const common = { path: `/${collection}/{uuid}/${rows.path}`, tag: collection };
  return [
    {
      ...common,
      method: 'GET',
      operation_id: `show_${name}_of_${kind}`,
      summary: `List the rows of a ${kind}`,
      controls: noControls,
      answer: z.array(stored),
      handle: ({ uuid }) => ({ body: viewOf(controller, kind, uuid).view[list] }),
    },
    {
      ...common,
      method: 'POST',
      operation_id: `add_${name}_to_${kind}`,
      summary: `Add a row to a ${kind}`,
      controls: writeControls,
      fields: added,
      answer,
      handle: (call) => change(controller, rows, call, added, (there, row) => [...there, row]),
    },
    {
      ...common,
      method: 'DELETE',
      operation_id: `remove_${name}_from_${kind}`,
      summary: `Delete the row of a ${kind} that matches this`,
      controls: writeControls,
      fields: named,
      answer,
      handle: (call) =>
        change(controller, rows, call, named, (there, row) => {
          const left = there.filter((other) => rows.keyOf(other) !== rows.keyOf(row));
          if (left.length === there.length) throw new HotoriError('unknown_uuid', `${call.uuid} has no such row`);
          return left;
        }),
    },
  ];
}

function viewOf(controller: Controller, kind: UserKind, uuid: string) {
  return controller.get(kind, checkUuid(kind, uuid)) ?? refuseUnknown(kind, uuid);
}

async function change(
  controller: Controller,
  { kind, list, row: rowFrom, keyOf }: OwnedRows,
  { uuid, params, controls, signal }: Call,
  schema: z.ZodObject,
  next: (there: readonly Row[], row: Row) => readonly Row[],
): Promise<Answer> {
  const parsed = parseParameters(schema, params, () => `a row of a ${kind} has no such parameter`);
  if (!parsed.ok) throw refusal(parsed.reasons);
  const row = rowFrom(parsed.value as object);
  for (let attempt = 1; ; attempt++) {
    const { view, etag } = viewOf(controller, kind, uuid);
    const before = view[list] as readonly Row[];
    const after = next(before, row);
    try {
      const operation = { verb: 'update', kind, uuid, params: { [list]: after }, if_match: etag } as const;
      const changed = after.length > before.length ? row : before.find((other) => keyOf(other) === keyOf(row));
      return await carryOut(controller, [operation], controls as WriteControls, signal, () => ({ [`${kind}_uuid`]: uuid, ...changed }));
    } catch (error) {
      if (!(error instanceof HotoriError) || error.code !== 'precondition_failed' || attempt === ATTEMPTS)
        throw pointed(error, `/${list}/${before.length}`);
    }
  }
}

/** The row a reason is about is the one in the request. */
function pointed(error: unknown, place: string): unknown {
  if (!(error instanceof HotoriError)) return error;
  const reasons = error.reasons.map((reason) => ({
    ...reason,
    pointer: reason.pointer.startsWith(place) ? reason.pointer.slice(place.length) : reason.pointer,
  }));
  return new HotoriError(error.code, error.message, { reasons, details: error.details, cause: error.cause });
}
