/**
 * What a change would do, as it is told.
 *
 * Owns: the shape of a plan.
 */
import { z } from 'zod';

/** Flows shown of one datapath; counts are of all. */
export const MOST_PLANNED_FLOWS = 200;
/** Datapaths that flows are worked out for. */
export const MOST_PLANNED_DATAPATHS = 200;

const planFlowSchema = z.object({
  op: z.enum(['add', 'change', 'remove']),
  table: z.int(),
  table_name: z.string(),
  text: z.string().describe('As ovs-ofctl writes it; of a change, as it would be.'),
  rule: z.string().nullable(),
  uuids: z.array(z.string()).describe('The entities it is made from.'),
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
  uncounted: z
    .array(z.string())
    .describe(`Datapaths whose slice would change and whose flows were not worked out: at most ${MOST_PLANNED_DATAPATHS} are.`),
});
export type Plan = z.infer<typeof planSchema>;
export type PlanFlow = z.infer<typeof planFlowSchema>;
