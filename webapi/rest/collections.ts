/**
 * Create, list, show, change and delete, for every kind of entity.
 *
 * Promises: paths, parameters and answers are OpenVNet's; PUT is partial; a strong ETag on what is one entity, `If-Match` on changes of it.
 */
import { z } from 'zod';
import type { Controller, ListPage, View } from '../../controller/contract.js';
import { KINDS, type UserKind } from '../../flows/model/entities.js';
import { UUID_TAIL } from '../../flows/model/entities/fields.js';
import { HotoriError, type Reason } from '../../flows/model/errors.js';
import { INPUTS } from '../../flows/model/inputs.js';
import { parseCreate, parseUpdate, type Parsed } from '../../flows/model/parse-input.js';
import { nounOf } from '../words.js';
import {
  deleteControls,
  noControls,
  pageControls,
  writeControls,
  type DeleteControls,
  type PageControls,
  type WriteControls,
} from './controls.js';
import type { Answer, Call, Endpoint } from './endpoint.js';
import { matchesTag, pickTag } from './etag.js';
import { VIEWS } from '../../controller/view-schemas.js';
import { revisionText } from './revision.js';
import { carryOut } from './write.js';

/** The views by the names they have in the API description. */
const NAMED_VIEWS = Object.fromEntries(
  (Object.keys(KINDS) as UserKind[]).map((kind) => [kind, (VIEWS[kind] as z.ZodObject).meta({ id: typeName(kind) })]),
) as Record<UserKind, z.ZodObject>;

/** What the answer to a change has besides the view when the client waits. */
export const waited = {
  installed: z.literal(true).optional().describe('With wait=installed.'),
  datapaths: z.array(z.string()).optional().describe('With wait=installed: the datapaths that had something to confirm.'),
};

/** Lists of 10,000 rules or prefixes come in one body. */
const LIST_BODY_LIMIT = 8 * 1024 * 1024;
const LISTED: readonly UserKind[] = ['security_group', 'address_set', 'filter'];

export function collectionEndpoints(controller: Controller): Endpoint[] {
  return (Object.keys(KINDS) as UserKind[]).flatMap((kind) => endpointsOf(kind, controller));
}

function endpointsOf(kind: UserKind, controller: Controller): Endpoint[] {
  const { collection } = KINDS[kind];
  const noun = nounOf(kind);
  const view = NAMED_VIEWS[kind];
  const changed = VIEWS[kind].extend(waited);
  const common = { tag: collection, ...(LISTED.includes(kind) ? { body_limit: LIST_BODY_LIMIT } : {}) };
  const one = `/${collection}/{uuid}`;

  return [
    {
      ...common,
      method: 'GET',
      path: `/${collection}`,
      operation_id: `list_${collection}`,
      summary: `List ${collection.replaceAll('_', ' ')}, in uuid order`,
      controls: pageControls,
      answer: z.object({ total_count: z.int(), offset: z.int(), limit: z.int(), items: z.array(view), revision: z.int() }),
      handle: ({ controls, headers }) => {
        const page: ListPage = controller.list(kind, controls as PageControls);
        // What is listed at a path depends on nothing but the revision.
        return tagged(`"${revisionText(page.revision)}"`, headers, { ...page, revision: page.revision.number });
      },
    },
    {
      ...common,
      method: 'POST',
      path: `/${collection}`,
      operation_id: `create_${kind}`,
      summary: `Create ${noun}`,
      controls: writeControls,
      fields: INPUTS[kind].create,
      checkFields: (params) => reasonsOf(parseCreate(kind, params)),
      answer: changed,
      handle: ({ params, controls, signal }) =>
        writeOne(kind, controller, { verb: 'create', kind, params }, controls as WriteControls, signal),
    },
    {
      ...common,
      method: 'GET',
      path: one,
      operation_id: `show_${kind}`,
      summary: `Show ${noun}`,
      controls: noControls,
      answer: view,
      handle: ({ uuid, headers }) => {
        const found = controller.get(kind, checkUuid(kind, uuid)) ?? refuseUnknown(kind, uuid);
        return tagged(found.etag, headers, found.view);
      },
    },
    {
      ...common,
      method: 'PUT',
      path: one,
      operation_id: `update_${kind}`,
      summary: `Change ${noun}; parameters that are absent stay as they are`,
      controls: writeControls,
      fields: INPUTS[kind].update,
      checkFields: (params) => reasonsOf(parseUpdate(kind, params)),
      answer: changed,
      handle: ({ uuid, params, controls, headers, signal }) => {
        const if_match = pickTag(headers['if-match'], controller.get(kind, checkUuid(kind, uuid))?.etag);
        return writeOne(kind, controller, { verb: 'update', kind, uuid, params, if_match }, controls as WriteControls, signal);
      },
    },
    {
      ...common,
      method: 'DELETE',
      path: one,
      operation_id: `delete_${kind}`,
      summary: `Delete ${noun} and what it owns`,
      controls: deleteControls,
      answer: z.tuple([z.string()]),
      handle: ({ uuid, controls, headers, signal }) => {
        const if_match = pickTag(headers['if-match'], controller.get(kind, checkUuid(kind, uuid))?.etag);
        const { cascade, ...wait } = controls as DeleteControls;
        return carryOut(controller, [{ verb: 'delete', kind, uuid, cascade, if_match }], wait, signal, () => [uuid]);
      },
    },
  ];
}

function tagged(etag: string, headers: Call['headers'], body: unknown): Answer {
  return { status: matchesTag(headers['if-none-match'], etag) ? 304 : 200, headers: { ETag: etag }, body };
}

async function writeOne(
  kind: UserKind,
  controller: Controller,
  operation: Parameters<Controller['execute']>[0][number],
  controls: WriteControls,
  signal: Call['signal'],
): Promise<Answer> {
  let etag: string | undefined;
  const answer = await carryOut(controller, [operation], controls, signal, ({ revision, results }) => {
    const view = results[0] as View;
    const now = controller.get(kind, view.uuid);
    // Another change may have come in between: its tag would not be that of the view answered here.
    if (now?.revision.number === revision.number) etag = now.etag;
    return view;
  });
  return etag === undefined ? answer : { ...answer, headers: { ...answer.headers, ETag: etag } };
}

/** `mac_lease` → `MacLease`. */
function typeName(kind: string): string {
  return kind.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function reasonsOf(parsed: Parsed<unknown>): readonly Reason[] {
  return parsed.ok ? [] : parsed.reasons;
}

/** @returns the uuid. Throws HotoriError `invalid_uuid`. */
export function checkUuid(kind: UserKind, uuid: string): string {
  const { prefix } = KINDS[kind];
  if (uuid.startsWith(`${prefix}-`) && UUID_TAIL.test(uuid.slice(prefix.length + 1))) return uuid;
  throw new HotoriError(
    'invalid_uuid',
    `${kind}: the uuid must be ${prefix}- and 1 to 32 of a-z 0-9 -, not ${JSON.stringify(uuid.slice(0, 64))}`,
  );
}

/** Throws HotoriError `unknown_uuid`. */
export function refuseUnknown(kind: UserKind, uuid: string): never {
  throw new HotoriError('unknown_uuid', `there is no ${kind} ${uuid}`, {
    reasons: [{ pointer: '', detail: `there is no ${kind} ${uuid}`, uuid }],
  });
}
