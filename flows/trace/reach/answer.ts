/**
 * What reachability answers.
 *
 * Owns: its shape, as plain JSON. It only grows: programs rely on it.
 */
import { z } from 'zod';
import { nearestSchema, pendingSchema, VERDICTS } from '../explain/answer.js';
import { reachServiceInput } from './question.js';

/** So many members of a class are named; all are counted. */
export const MOST_MEMBERS = 100;

const uuids = z.array(z.string());
const side = (of: string) =>
  z.object({ count: z.int(), interface_uuids: uuids.describe(`The first ${MOST_MEMBERS} of them.`) }).describe(of);

const classSchema = z.object({
  id: z.int(),
  datapath_uuids: uuids.describe('Where its members are plugged; none: nowhere.'),
  network_uuids: uuids,
  security_group_uuids: uuids,
  alone: z.string().nullable().describe('Why it can have no second member; null otherwise.'),
  sources: side('Those asked about as sources.'),
  destinations: side('Those asked about as destinations.'),
});

const cellSchema = z.object({
  source: z.int().describe('Class of the senders.'),
  destination: z.int().describe('Class of the receivers.'),
  service: z.int().describe('Index in `services`.'),
  pairs: z.int().describe('Senders and receivers it is about. Nobody is paired with itself.'),
  verdict: z.enum(VERDICTS),
  reason: z.object({
    code: z.string(),
    text: z.string().describe('Of the example.'),
    uuids: uuids.describe('Who is responsible, but for the two ends themselves and where they are plugged.'),
    datapath_uuid: z.string().nullable().describe('Of the example.'),
    table: z.string().nullable(),
    nearest: nearestSchema.nullable(),
  }),
  admitted_by: uuids.describe('Rules of security groups that let it through.'),
  example: z.object({ source: z.string(), destination: z.string() }).describe('The pair that was traced.'),
});
export type ReachCell = z.infer<typeof cellSchema>;

export const reachAnswerSchema = z.object({
  revision: z.int(),
  incarnation: z.string(),
  pending: z.array(pendingSchema).describe('Datapaths that do not have the revision yet: there it is what will hold.'),
  notes: uuids.describe('What it was taken for granted.'),
  services: z.array(reachServiceInput),
  classes: z.array(classSchema),
  cells: z.array(cellSchema),
  left_out: z
    .array(z.object({ interface_uuid: z.string(), side: z.enum(['sources', 'destinations']), why: z.string() }))
    .describe('Members of networks and groups that cannot send, or cannot be sent to.'),
});
export type ReachAnswer = z.infer<typeof reachAnswerSchema>;
