/**
 * What keeps the switch from holding what is wanted, in words.
 *
 * Owns: the error of an AppliedReport: the oldest refusal, with the entities the flow was made from.
 */
import type { AppliedReport } from '../../controller/messages/slice.js';
import type { Provenance } from '../../flows/compile/contract.js';
import type { Flow } from '../../flows/openflow/flow.js';
import type { Step } from './batch.js';
import type { Image } from './image.js';
import type { Refusal } from './ledger.js';
import type { Progress } from './progress.js';

export type Explain = (cookie: bigint) => Provenance | undefined;

/** @param stalled why no bundle at all is accepted, if so */
export function findTrouble(image: Image, progress: Progress, stalled: Refusal | undefined, explain: Explain): AppliedReport['error'] {
  // Messages are confirmed in order: what keeps one back keeps back all that followed.
  const seq = progress.latest;
  if (stalled !== undefined) return { seq, message: stalled.message, uuids: [] };
  let first = Infinity;
  let error: AppliedReport['error'] = null;
  for (const [key, { since, held, refusal }] of image.flows.refusals()) {
    if (since >= first) continue;
    first = since;
    const flow = image.flows.wanted.get(key)?.value ?? held?.value;
    const made = flow && explain(flow.cookie);
    const message = `${refusal.message}: flow ${key}${made === undefined ? '' : `, made by ${made.rule}`}`;
    error = { seq, message, uuids: made?.uuids ?? [] };
  }
  for (const [key, { since, refusal }] of image.groups.refusals()) {
    if (since >= first) continue;
    first = since;
    error = { seq, message: `${refusal.message}: group ${key}`, uuids: [] };
  }
  return error;
}

/** For the log: what was refused and who made it. */
export function describeStep(
  step: Step | undefined,
  image: Image,
  explain: Explain,
): { readonly what: string; readonly made_by?: Provenance | undefined } {
  if (step === undefined) return { what: 'the bundle' };
  const what = `${step.mod.kind} ${step.key}`;
  if (step.on === 'group') return { what };
  const flow: Flow | undefined = step.entry?.value ?? image.flows.held(step.key)?.value;
  return { what, made_by: flow && explain(flow.cookie) };
}
