/**
 * What a change would do, as it is told.
 *
 * Owns: the shape of a plan.
 */
import { z } from 'zod';
import { VERDICTS } from '../../flows/trace/explain/answer.js';
import { TRACE_PROTOCOLS } from '../../flows/trace/explain/question.js';

/** Flows shown of one datapath; counts are of all. */
export const MOST_PLANNED_FLOWS = 200;
/** Datapaths that flows are worked out for, and the flows of all of them with which there are no more. */
export const MOST_PLANNED_DATAPATHS = 200;
export const MOST_PLANNED_TABLES = 200_000;

/** Pairs of classes, families and services that are compared, each by two traces: a few seconds of work. */
export const MOST_PLANNED_CELLS = 2_000;
export const MOST_PLANNED_SERVICES = 16;
/** Members of a class that are named; all are counted. */
export const MOST_PLANNED_MEMBERS = 20;

const planFlowSchema = z.object({
  op: z.enum(['add', 'change', 'remove']),
  table: z.int(),
  table_name: z.string(),
  text: z.string().describe('As ovs-ofctl writes it; of a change, as it would be.'),
  rule: z.string().nullable(),
  uuids: z.array(z.string()).describe('The entities it is made from.'),
});

const sideSchema = z.object({
  count: z.int(),
  interface_uuids: z.array(z.string()).describe(`The first ${MOST_PLANNED_MEMBERS} of them.`),
  security_group_uuids: z.array(z.string()).describe('As they are now, or would be where they are new.'),
});

const outcomeSchema = z.object({
  verdict: z.enum(VERDICTS),
  code: z.string(),
  text: z.string().describe('Of the example.'),
  uuids: z.array(z.string()).describe('Who is responsible, but for the two ends themselves.'),
  admitted_by: z.array(z.string()).describe('Rules of security groups that let it through.'),
});

const reachChangeSchema = z.object({
  op: z.enum(['opens', 'closes', 'unsure']).describe('unsure: it would depend on what cannot be known.'),
  source: sideSchema,
  destination: z.object({ ...sideSchema.shape, address: z.string().nullable().describe('One that stands for others.') }),
  pairs: z.int(),
  families: z.array(z.enum(['ipv4', 'ipv6'])),
  services: z.array(z.int()).describe('Indexes in `services`.'),
  before: outcomeSchema.nullable().describe('null: one of the two is not there.'),
  after: outcomeSchema.nullable(),
  example: z.object({ source: z.string(), destination: z.string() }).describe('The pair that was traced.'),
});

const planReachSchema = z.object({
  services: z.array(
    z.object({
      protocol: z.enum(TRACE_PROTOCOLS),
      ports: z.string().nullable().describe('Those that no rule tells apart; null: those that no rule names.'),
      port: z.int().nullable().describe('The one that was asked about.'),
      icmp_type: z.int().nullable().describe('null: an echo request.'),
    }),
  ),
  changes: z
    .array(reachChangeSchema)
    .describe('First packets of connections that would arrive, or be answered, and do not now; and the reverse.'),
  compared: z.int().describe('How many pairs of classes, families and services.'),
  notes: z.array(z.string()).describe('What was left out.'),
});

export const planSchema = z.object({
  dry_run: z.literal(true),
  revision: z.int().describe('Of the model it is a plan for.'),
  changed: z.boolean().describe('false: nothing would differ.'),
  entities: z.array(
    z.object({
      op: z.enum(['create', 'update', 'delete']),
      kind: z.string(),
      uuid: z.string(),
      fields: z.array(z.string()).describe('Of an update: what would differ.'),
    }),
  ),
  datapaths: z.array(
    z.object({
      datapath_uuid: z.string(),
      added: z.int(),
      changed: z.int(),
      removed: z.int(),
      flows: z.array(planFlowSchema).describe(`At most ${MOST_PLANNED_FLOWS}.`),
    }),
  ),
  reachability: planReachSchema,
  uncounted: z
    .array(z.string())
    .describe(
      `Datapaths whose slice would change and whose flows were not worked out: at most ${MOST_PLANNED_DATAPATHS} are, and none after those that have ${MOST_PLANNED_TABLES} flows together.`,
    ),
});
export type Plan = z.infer<typeof planSchema>;
export type PlanFlow = z.infer<typeof planFlowSchema>;
