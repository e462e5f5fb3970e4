/**
 * Carrying out changes for a client.
 *
 * Owns: the revision header and waiting until datapaths have confirmed.
 * Promises: once committed, every answer, also an error, says so and carries the revision.
 */
import type { Controller, ExecuteResult, InstalledResult, Operation } from '../../controller/contract.js';
import type { Revision } from '../../controller/messages/slice.js';
import { HotoriError } from '../../flows/model/errors.js';
import type { WriteControls } from './controls.js';
import type { Answer } from './endpoint.js';

export const REVISION_HEADER = 'Hotori-Revision';

/** @param body makes the answer's body; what it answers gets `installed` and `datapaths` when the client waits, unless it is an array. */
export async function carryOut(
  controller: Controller,
  operations: readonly Operation[],
  controls: WriteControls,
  signal: AbortSignal,
  body: (result: ExecuteResult) => object,
): Promise<Answer> {
  if (controls.dry_run) return { body: await controller.plan(operations) };
  const result = await controller.execute(operations);
  const answered = body(result);
  const headers = { [REVISION_HEADER]: String(result.revision.number) };
  if (controls.wait === 'none') return { headers, body: answered };
  const installed = await waitCommitted(controller, result.revision, controls.timeout, signal, answered);
  return { headers, body: Array.isArray(answered) ? answered : { ...answered, ...installed } };
}

async function waitCommitted(
  controller: Controller,
  revision: Revision,
  timeoutS: number,
  signal: AbortSignal,
  result: object,
): Promise<InstalledResult> {
  try {
    return await controller.waitInstalled(revision.number, timeoutS * 1000, signal);
  } catch (thrown) {
    const error = signal.aborted
      ? new HotoriError('unavailable', `revision ${revision.number} is committed, but the server is stopping and cannot wait for it`)
      : thrown;
    if (!(error instanceof HotoriError)) throw thrown;
    throw new HotoriError(error.code, error.message, {
      reasons: error.reasons,
      details: { ...error.details, committed: true, revision: revision.number, result },
      cause: thrown,
    });
  }
}
