/**
 * What would become of a packet.
 */
import { z } from 'zod';
import type { Controller } from '../../controller/contract.js';
import { HotoriError, summaryOf } from '../../flows/model/errors.js';
import { parseParameters } from '../../flows/model/parse-input.js';
import { traceAnswerSchema } from '../../flows/trace/explain/answer.js';
import { impossibilities, traceInput, type TraceQuestion } from '../../flows/trace/explain/question.js';
import { batchFields, BatchReader, pointIntoBatch } from './batch-operations.js';
import { noControls } from './controls.js';
import type { Endpoint } from './endpoint.js';
import { refusal } from './params.js';
import { REVISION_PATTERN, resolveRevision } from './revision.js';

const BODY_LIMIT = 32 * 1024 * 1024;

export const traceFields = z.strictObject({
  ...traceInput.shape,
  revision: z
    .union([z.int().min(0), z.string().regex(REVISION_PATTERN, 'must be a revision: a number, or INCARNATION:NUMBER')])
    .optional()
    .describe('The model as it was then; the current one when absent.'),
  verify: z.boolean().default(false).describe('Compare with the own trace of the switches on the way.'),
  with: batchFields.optional().describe('A batch to try on top of it. Nothing of it is committed.'),
});

export function tracesEndpoint(controller: Controller): Endpoint {
  const reader = new BatchReader();
  return {
    method: 'POST',
    path: '/traces',
    operation_id: 'trace',
    summary: 'Say what becomes of a packet and why, by running it through the compiled flows; nothing is sent',
    tag: 'traces',
    controls: noControls,
    fields: traceFields,
    commits: false,
    answer: traceAnswerSchema,
    body_limit: BODY_LIMIT,
    handle: async ({ params }) => {
      const { question, revision, verify, batch } = readQuestion(params);
      const number = revision === undefined ? undefined : resolveRevision(String(revision), controller.revision());
      const operations = batch && within(() => reader.read(batch));
      try {
        return { body: await controller.trace({ question, revision: number, operations, verify }) };
      } catch (error) {
        if (operations === undefined || !isOfBatch(error)) throw error;
        throw inBatch(pointIntoBatch(error, operations));
      }
    },
  };
}

interface Read {
  readonly question: TraceQuestion;
  readonly revision: number | string | undefined;
  readonly verify: boolean;
  readonly batch: z.output<typeof batchFields> | undefined;
}

function readQuestion(params: Readonly<Record<string, unknown>>): Read {
  const checked = parseParameters(traceFields, params, () => 'a trace has no such parameter');
  if (!checked.ok) throw refusal(checked.reasons);
  const { revision, verify, with: batch, ...question } = checked.value as z.output<typeof traceFields>;
  const reasons = impossibilities(question);
  if (reasons.length > 0) throw refusal(reasons);
  return { question, revision, verify, batch };
}

/** A refusal of the operations, and not of the question they come with. */
function isOfBatch(error: unknown): error is HotoriError {
  return error instanceof HotoriError && error.details['refused'] === 'operations';
}

function within<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof HotoriError ? inBatch(error) : error;
  }
}

function inBatch(error: HotoriError): HotoriError {
  const reasons = error.reasons.map((reason) => ({ ...reason, pointer: `/with${reason.pointer}` }));
  return new HotoriError(error.code, summaryOf(reasons), { reasons, details: error.details, cause: error.cause });
}
