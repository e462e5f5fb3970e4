/**
 * Who would reach whom.
 */
import type { Controller } from '../../controller/contract.js';
import { parseParameters } from '../../flows/model/parse-input.js';
import { reachAnswerSchema } from '../../flows/trace/reach/answer.js';
import { impossibleServices, reachInput, type ReachQuestion } from '../../flows/trace/reach/question.js';
import { noControls } from './controls.js';
import type { Endpoint } from './endpoint.js';
import { refusal } from './params.js';

const BODY_LIMIT = 8 * 1024 * 1024;

export function reachabilityEndpoint(controller: Controller): Endpoint {
  return {
    method: 'POST',
    path: '/reachability',
    operation_id: 'reachability',
    summary: 'Say which interfaces reach which others, by classes of interfaces that flows cannot tell apart; nothing is sent',
    tag: 'traces',
    controls: noControls,
    fields: reachInput,
    commits: false,
    answer: reachAnswerSchema,
    body_limit: BODY_LIMIT,
    handle: async ({ params, signal }) => ({ body: await controller.reachability(readQuestion(params), signal) }),
  };
}

function readQuestion(params: Readonly<Record<string, unknown>>): ReachQuestion {
  const checked = parseParameters(reachInput, params, () => 'a question about reachability has no such parameter');
  if (!checked.ok) throw refusal(checked.reasons);
  const question = checked.value as ReachQuestion;
  const reasons = impossibleServices(question.services);
  if (reasons.length > 0) throw refusal(reasons);
  return question;
}
