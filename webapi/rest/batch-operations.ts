/**
 * Operations of a batch, as they are written and as they are carried out.
 *
 * Owns: reading `{method, path, body}` by the schemas of the call it stands for, and pointing refusals back into it.
 */
import { z } from 'zod';
import type { Operation } from '../../controller/contract.js';
import { KINDS, type UserKind } from '../../flows/model/entities.js';
import { HotoriError, summaryOf, type Reason } from '../../flows/model/errors.js';
import { INPUTS } from '../../flows/model/inputs.js';
import { RELATIONS, rowFields, rowFilters, type Relation } from '../relations.js';
import { checkUuid } from './collections.js';
import { deleteControls, noControls } from './controls.js';
import { parseForm } from './form.js';
import { splitSuffix } from './format.js';
import { ParameterReader, refusal } from './params.js';
import { pathFields } from './relations.js';

const MAX_OPERATIONS = 100_000;
const BASE = /^(?:\/?api(?:\/1\.0)?)?\//;

const operationSchema = z.strictObject({
  method: z.enum(['POST', 'PUT', 'DELETE']),
  path: z.string().max(1024).describe('Such as /networks or /networks/nw-a.'),
  body: z.record(z.string(), z.unknown()).optional().describe('The parameters.'),
});
export const batchFields = z.strictObject({
  operations: z.array(operationSchema).max(MAX_OPERATIONS).describe('In order; each sees those before it.'),
});

type BatchOperation = z.output<typeof operationSchema>;

interface Readers {
  readonly kind: UserKind;
  readonly POST: ParameterReader;
  readonly PUT: ParameterReader;
  readonly DELETE: ParameterReader;
}

function readersByKind(): ReadonlyMap<string, Readers> {
  const cascade = deleteControls.pick({ cascade: true });
  return new Map(
    (Object.keys(KINDS) as UserKind[]).map((kind) => [
      KINDS[kind].collection,
      {
        kind,
        POST: new ParameterReader({ controls: noControls, fields: INPUTS[kind].create }),
        PUT: new ParameterReader({ controls: noControls, fields: INPUTS[kind].update }),
        DELETE: new ParameterReader({ controls: cascade }),
      },
    ]),
  );
}

/** Reads operations by the schemas of the calls they stand for. */
export class BatchReader {
  readonly #readers = readersByKind();

  /** Throws HotoriError `invalid_argument`, pointing into the batch. */
  read(batch: z.output<typeof batchFields>): Operation[] {
    const reasons: Reason[] = [];
    const operations: Operation[] = [];
    for (const [index, operation] of batch.operations.entries()) {
      try {
        operations.push(toOperation(operation, this.#readers));
      } catch (error) {
        if (!(error instanceof HotoriError)) throw error;
        const at = `/operations/${index}`;
        if (error.reasons.length === 0) reasons.push({ pointer: `${at}/path`, detail: error.message });
        for (const reason of error.reasons) reasons.push({ ...reason, pointer: `${at}/body${reason.pointer}` });
      }
    }
    if (reasons.length === 0) return operations;
    throw refusal(reasons);
  }
}

function toOperation({ method, path, body = {} }: BatchOperation, readers: ReadonlyMap<string, Readers>): Operation {
  const { url, format } = splitSuffix(path);
  const [, location = '', query] = /^([^?]*)(?:\?(.*))?$/s.exec(url)!;
  const [collection = '', uuid, ...rest] = location.replace(BASE, '').split('/');
  const parameters = query === undefined ? undefined : parseForm(query, 'the query', 'invalid_argument');
  const link = format === undefined ? undefined : relationAt(collection, rest, method);
  if (link && uuid !== undefined) return linkOperation(link, method, [uuid, rest[1]], parameters, body);
  const found = format === undefined ? undefined : readers.get(collection);
  if (found === undefined || rest.length > 0) throw new HotoriError('invalid_argument', `there is no path ${path} to change things at`);
  const { kind } = found;
  if ((uuid === undefined) !== (method === 'POST'))
    throw new HotoriError(
      'invalid_argument',
      uuid === undefined ? `${method} needs a uuid after /${collection}` : `POST goes to /${collection}, with the uuid in the body`,
    );
  const { params, controls } = found[method].read(parameters, { kind: 'fields', fields: body });
  if (uuid === undefined) return { verb: 'create', kind, params };
  checkUuid(kind, uuid);
  return method === 'PUT'
    ? { verb: 'update', kind, uuid, params }
    : { verb: 'delete', kind, uuid, cascade: controls['cascade'] as boolean };
}

/** The relation whose rows a path adds or removes. */
function relationAt(collection: string, [name, target, ...rest]: readonly string[], method: string): Relation | undefined {
  if (method === 'PUT' || rest.length > 0) return undefined;
  return RELATIONS.find(
    (relation) =>
      KINDS[relation.owner].collection === collection &&
      relation.name === name &&
      (relation.target === undefined) === (target === undefined),
  );
}

function linkOperation(
  relation: Relation,
  method: BatchOperation['method'],
  path: readonly [string, string | undefined],
  query: URLSearchParams | undefined,
  fields: Readonly<Record<string, unknown>>,
): Operation {
  const { kind, target } = relation;
  const named = pathFields(relation, path);
  const accepted = method === 'POST' ? { fields: rowFields(relation) } : target === undefined ? { fields: rowFilters(relation) } : {};
  const { params } = new ParameterReader({ controls: noControls, ...accepted }).read(query, { kind: 'fields', fields });
  if (method === 'POST') return { verb: 'create', kind, params: { ...params, ...named } };
  return { verb: 'unlink', kind, of: path[0], where: target ? { [target.field]: path[1] } : params };
}

/** The controller points at `/operations/3/ipv4_address`, or at `/ipv4_address` when there is one operation. */
export function pointIntoBatch(error: HotoriError, operations: readonly Operation[]): HotoriError {
  if (error.reasons.length === 0) return error;
  const reasons = error.reasons.map((reason) => ({ ...reason, pointer: pointIntoBody(reason.pointer, operations) }));
  return new HotoriError(error.code, summaryOf(reasons), { reasons, details: error.details, cause: error.cause });
}

function pointIntoBody(pointer: string, operations: readonly Operation[]): string {
  const [, index = '0', rest = ''] = /^\/operations\/(\d+)(.*)$/.exec(operations.length === 1 ? `/operations/0${pointer}` : pointer) ?? [];
  const operation = operations[Number(index)];
  if (rest === '') return `/operations/${index}`;
  const inPath = operation?.verb === 'delete' || (operation?.verb === 'update' && rest === '/uuid');
  return inPath ? `/operations/${index}/path` : `/operations/${index}/body${rest}`;
}
