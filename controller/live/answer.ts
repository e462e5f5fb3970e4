/**
 * What a live trace answers.
 *
 * Owns: its shape, as plain JSON. It only grows: programs rely on it.
 */
import { z } from 'zod';
import { nearestSchema, VERDICTS } from '../../flows/trace/explain/answer.js';
import { livePacketSchema, observationSchema } from '../messages/live.js';
import { liveInput } from './question.js';

export const LIVE_VERDICTS = ['delivered', 'answered', 'left', 'rejected', 'dropped', 'unseen'] as const;
export type LiveVerdict = (typeof LIVE_VERDICTS)[number];

const reasonSchema = z.object({
  code: z.string().describe('A drop reason of docs/pipeline.md, or the verdict.'),
  text: z.string().describe('For people.'),
  uuids: z.array(z.string()).describe('Who is responsible.'),
  datapath_uuid: z.string().nullable(),
  table: z.string().nullable().describe('Where it was decided.'),
  cookie: z.string().nullable(),
  nearest: nearestSchema.nullable().describe('Of a denial: the rule that is nearest to admitting it.'),
});
export type LiveReason = z.infer<typeof reasonSchema>;

const seenSchema = z.object({
  datapath_uuid: z.string(),
  ...observationSchema.omit({ at: true }).shape,
  at: z.string().describe('By the clock of that hypervisor.'),
});
export type LiveSeen = z.infer<typeof seenSchema>;

const journeySchema = z.object({
  packet: livePacketSchema.describe('As it was first seen.'),
  at: z.string(),
  verdict: z
    .enum(LIVE_VERDICTS)
    .describe('left: to a physical network; unseen: after it came in nothing was seen of it, as where an agent has it now.'),
  reason: reasonSchema,
  admitted_by: z.array(z.string()).describe('Security group rules that let it pass.'),
  seen: z.array(seenSchema).describe('Where it was seen, in the order of its way.'),
  expected: z
    .object({
      verdict: z.enum(VERDICTS),
      code: z.string(),
      text: z.string(),
      uuids: z.array(z.string()),
      nearest: nearestSchema.nullable(),
      agrees: z.boolean().describe('It comes to what was seen.'),
    })
    .nullable()
    .describe('What a trace says of such a packet; null where none can be asked.'),
});
export type LiveJourney = z.infer<typeof journeySchema>;

export const liveAnswerSchema = z.object({
  revision: z.int().describe('Of the model when it began.'),
  incarnation: z.string(),
  live: z.object(liveInput.shape),
  ended: z.enum(['count', 'timeout']).describe('Enough packets were seen, or the time was over.'),
  watched: z
    .array(z.object({ datapath_uuid: z.string(), error: z.string().nullable().describe('Why nothing can be seen there; null: it can.') }))
    .describe('Where packets were looked for.'),
  missed: z.int().describe('Observations that came faster than they were taken.'),
  packets: z.array(journeySchema),
});
export type LiveAnswer = z.infer<typeof liveAnswerSchema>;
