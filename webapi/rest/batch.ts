/**
 * Many changes as one transaction.
 *
 * Owns: `{operations: [{method, path, body}]}`: each operation is what would be a call of its own, its path with or without the base, its parameters
 * also in the query of the path.
 * Promises: all or nothing; every complaint points into the body that was sent (`/operations/3/body/ipv4_address`).
 */
import { z } from 'zod';
import type { Controller, ExecuteResult, Operation } from '../../controller/contract.js';
import { HotoriError } from '../../flows/model/errors.js';
import { parseParameters } from '../../flows/model/parse-input.js';
import { batchFields, BatchReader, pointIntoBatch } from './batch-operations.js';
import { waited } from './collections.js';
import { writeControls, type WriteControls } from './controls.js';
import type { Endpoint } from './endpoint.js';
import { refusal } from './params.js';
import { carryOut } from './write.js';

const BODY_LIMIT = 32 * 1024 * 1024;

export function batchEndpoint(controller: Controller): Endpoint {
  const reader = new BatchReader();
  return {
    method: 'POST',
    path: '/batch',
    operation_id: 'batch',
    summary: 'Carry out many operations as one transaction',
    tag: 'batch',
    controls: writeControls,
    fields: batchFields,
    answer: z.object({
      revision: z.int(),
      changed: z.boolean().describe('False when nothing differed from what there was; the revision is then the current one.'),
      results: z.array(z.unknown()).describe('One for each operation: what it would have answered alone.'),
      ...waited,
    }),
    body_limit: BODY_LIMIT,
    handle: async ({ params, controls, signal }) => {
      const operations = readBatch(params, reader);
      const answer = ({ revision, changed, results }: ExecuteResult) => ({
        revision: revision.number,
        changed,
        results: results.map((result, index) =>
          operations[index]!.verb === 'delete' || operations[index]!.verb === 'unlink' ? (result as readonly string[]).slice(0, 1) : result,
        ),
      });
      try {
        return await carryOut(controller, operations, controls as WriteControls, signal, answer);
      } catch (error) {
        throw error instanceof HotoriError ? pointIntoBatch(error, operations) : error;
      }
    },
  };
}

function readBatch(params: Readonly<Record<string, unknown>>, reader: BatchReader): Operation[] {
  const checked = parseParameters(batchFields, params, () => 'a batch has no such parameter');
  if (!checked.ok) throw refusal(checked.reasons);
  return reader.read(checked.value as z.output<typeof batchFields>);
}
