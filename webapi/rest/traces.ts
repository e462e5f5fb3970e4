/**
 * What would become of a packet.
 */
import { z } from 'zod';
import type { Controller, Params } from '../../controller/contract.js';
import { liveAnswerSchema, type LiveAnswer } from '../../controller/live/answer.js';
import { liveInput, liveReasons } from '../../controller/live/question.js';
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

/** A trace asks about a packet, or follows real ones. */
const eitherFields = z.strictObject({
  ...traceFields.partial({ source: true, destination: true }).shape,
  live: liveInput
    .optional()
    .describe('Follow real packets instead; nothing else may stand beside it. Answered when enough were seen, or the time is over.'),
});

export function tracesEndpoint(controller: Controller): Endpoint {
  const reader = new BatchReader();
  return {
    method: 'POST',
    path: '/traces',
    operation_id: 'trace',
    summary: 'Say what becomes of a packet and why, by running it through the compiled flows; or, with `live`, by following real ones',
    tag: 'traces',
    controls: noControls,
    fields: eitherFields,
    commits: false,
    answer: z.union([traceAnswerSchema, liveAnswerSchema]),
    body_limit: BODY_LIMIT,
    handle: async ({ params, signal }) => {
      if (params['live'] !== undefined) return { body: await follow(controller, params, signal) };
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

const liveFields = z.strictObject({ live: liveInput });

async function follow(controller: Controller, params: Params, signal: AbortSignal): Promise<LiveAnswer> {
  const checked = parseParameters(liveFields, params, () => 'cannot stand beside live: a live trace follows the packets there are');
  if (!checked.ok) throw refusal(checked.reasons);
  const { live } = checked.value as z.output<typeof liveFields>;
  const reasons = liveReasons(live).map(({ pointer, detail }) => ({ pointer: `/live${pointer}`, detail }));
  if (reasons.length > 0) throw refusal(reasons);
  try {
    return await controller.traceLive(live, signal);
  } catch (error) {
    throw error instanceof HotoriError && error.reasons.length > 0 ? under('/live', error) : error;
  }
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
  return under('/with', error);
}

function under(prefix: string, error: HotoriError): HotoriError {
  const reasons = error.reasons.map((reason) => ({ ...reason, pointer: `${prefix}${reason.pointer}` }));
  return new HotoriError(error.code, summaryOf(reasons), { reasons, details: error.details, cause: error.cause });
}
