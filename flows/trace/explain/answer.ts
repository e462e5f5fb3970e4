/**
 * What a trace answers.
 *
 * Owns: its shape, as plain JSON. It only grows: programs rely on it.
 */
import { z } from 'zod';

export const VERDICTS = ['delivered', 'answered', 'rejected', 'dropped', 'undecidable'] as const;
export type TraceVerdict = (typeof VERDICTS)[number];

const uuids = z.array(z.string());

/** A rule of a security group that would admit the packet if it differed in what is named. */
export const nearestSchema = z.object({
  rule_uuid: z.string(),
  security_group_uuid: z.string(),
  text: z.string().describe('The rule in a line.'),
  differs: z.array(z.string()).describe('What keeps it from admitting the packet.'),
});
export type NearestRule = z.infer<typeof nearestSchema>;

const reasonSchema = z.object({
  code: z.string().describe('Stable, for programs: a drop reason of docs/pipeline.md, or one of docs/troubleshooting.md.'),
  text: z.string().describe('For people.'),
  uuids: uuids.describe('Who is responsible: rules, routes, routers, interfaces, datapaths.'),
  datapath_uuid: z.string().nullable(),
  table: z.string().nullable().describe('Where it was decided.'),
  cookie: z.string().nullable(),
  told: z.string().nullable().describe('What the sender is told: an ICMP error, or a reset.'),
  nearest: nearestSchema.nullable().describe('Of a denial: the rule that is nearest to admitting it.'),
});
export type TraceReason = z.infer<typeof reasonSchema>;

const rewriteSchema = z.record(z.string(), z.object({ before: z.string(), after: z.string() }));

const hopSchema = z.object({
  n: z.int(),
  router_uuid: z.string().describe('Of the router, or of the route link where it is not made of one.'),
  name: z.string(),
  address: z.string().nullable().describe('What the router answers the sender from.'),
  in: z.object({ interface_uuid: z.string(), network_uuid: z.string().nullable() }).nullable().describe('The port it came in by.'),
  out: z.object({ interface_uuid: z.string(), network_uuid: z.string().nullable() }).nullable().describe('The port it leaves by.'),
  ttl: z.tuple([z.int(), z.int()]).describe('Before and after.'),
  rewrites: rewriteSchema.describe(
    'MACs, addresses and ports it changes; those of routers in a row are changed at once, by the first and the last.',
  ),
  mode: z.string().describe('What the router does with packets that expire in it.'),
  reason: z.string().describe('Why it goes on as it does.'),
  uuids: uuids.describe('The route or policy route that decided.'),
  mtu: z
    .int()
    .nullable()
    .describe('Bytes that the network it goes on in carries, or the tunnel, where that is less; null: nothing limits it.'),
  datapath_uuid: z.string(),
});
export type TraceHop = z.infer<typeof hopSchema>;

const dimensionSchema = z.object({ cookie: z.string(), match: z.string(), uuids });
const stepSchema = z.object({
  table: z.int(),
  table_name: z.string(),
  pass: z.int().describe('Counts up with each way through conntrack.'),
  depth: z.int().describe('Nesting of resubmits and copies.'),
  priority: z.int().nullable().describe('null: no flow matched.'),
  cookie: z.string().nullable(),
  match: z.string(),
  actions: z.string(),
  rule: z.string().nullable().describe('The rule of the compiler that made the flow.'),
  uuids: uuids.describe('The entities it was made from.'),
  rewrites: rewriteSchema.describe('Header fields it changed.'),
  conjunction: z.object({ id: z.int(), dimensions: z.array(dimensionSchema) }).nullable(),
});
export type TraceStepAnswer = z.infer<typeof stepSchema>;

const visitSchema = z.object({
  datapath_uuid: z.string(),
  from: z.int().nullable().describe('Which of these it came from; null for the first.'),
  by: z.string().describe('The port it came in by: an interface, or a tunnel.'),
  packet: z.record(z.string(), z.string()).describe('As it came in.'),
  steps: z.array(stepSchema),
  outputs: z.array(z.object({ port: z.string(), interface_uuid: z.string().nullable(), packet: z.record(z.string(), z.string()) })),
  punts: z.array(z.object({ kind: z.string(), meter_id: z.int().nullable() })),
  drops: z.array(z.object({ reason: z.string(), table_name: z.string() })),
  conntrack: z.array(z.object({ zone_of: z.string().nullable(), state: z.string() })).describe('What conntrack was taken to answer.'),
});
export type TraceVisit = z.infer<typeof visitSchema>;

const tunnelSchema = z.object({
  from: z.string(),
  to: z.string(),
  encapsulation: z.string().nullable().describe('null: a frame as it is, on the physical network both are on.'),
  local: z.string(),
  remote: z.string(),
  vni: z.int().nullable(),
  mtu: z.int().nullable(),
});
export type TraceTunnel = z.infer<typeof tunnelSchema>;

const probeSchema = z.object({
  ttl: z.int(),
  address: z.string().nullable().describe('Who answers; null: nobody, a star.'),
  mark: z
    .string()
    .describe("traceroute's mark, such as !H; empty for a router on the way and for the destination; ?: that cannot be known."),
  uuid: z.string().nullable(),
});
export type TraceProbe = z.infer<typeof probeSchema>;

const endSchema = z.object({
  interface_uuid: z.string().nullable(),
  name: z.string().nullable(),
  address: z.string(),
  mac: z.string().nullable(),
  network_uuid: z.string().nullable(),
  datapath_uuid: z.string().nullable(),
  port_name: z.string().nullable(),
});
export type TraceEnd = z.infer<typeof endSchema>;

export const TRACE_STATES = ['new', 'established', 'reply'] as const;
export type TraceState = (typeof TRACE_STATES)[number];

const outcome = {
  verdict: z.enum(VERDICTS),
  reason: reasonSchema,
  admitted_by: uuids.describe('Security group rules that let it pass.'),
  hops: z.array(hopSchema),
  tunnels: z.array(tunnelSchema),
};

const returnSchema = z.object(outcome);

export const explanationSchema = z.object({
  source: endSchema,
  destination: endSchema,
  protocol: z.string(),
  packet: z.string().describe('The packet in a line.'),
  ct_state: z
    .enum(TRACE_STATES)
    .describe('As what it was taken: the first packet of a connection, a later one from who opened it, or an answer to who opened it.'),
  ttl: z.int(),
  size: z.int(),
  next_hop: z
    .object({ address: z.string(), mac: z.string().nullable(), interface_uuid: z.string().nullable() })
    .nullable()
    .describe('Whom the sender hands it to.'),
  assumptions: z.array(z.string()).describe('What it depends on and cannot be known.'),
  ...outcome,
  traceroute: z.array(probeSchema).describe('What traceroute with such packets shows.'),
  visits: z.array(visitSchema).describe('The way through the tables, datapath by datapath.'),
  return: returnSchema.nullable().describe('The answer on its way back; null when there is none.'),
});
export type Explanation = z.infer<typeof explanationSchema>;
export type TraceReturn = z.infer<typeof returnSchema>;

export const pendingSchema = z.object({
  datapath_uuid: z.string(),
  applied_revision: z.int().nullable(),
  error: z.string().nullable().describe('What keeps it from applying more.'),
});
export type PendingDatapath = z.infer<typeof pendingSchema>;

const verificationSchema = z.object({
  datapath_uuid: z.string(),
  agrees: z.boolean().nullable().describe('null: its switch could not be asked.'),
  difference: z
    .object({ what: z.string(), trace: z.string(), switch: z.string(), text: z.string().describe('What the switch printed.') })
    .nullable(),
  partly: z.boolean().describe('Outputs could not be compared, as where the length of the packet decides, or it leaves by another bridge.'),
  error: z.string().nullable(),
});
export type TraceVerification = z.infer<typeof verificationSchema>;

export const traceAnswerSchema = z.object({
  revision: z.int().describe('Of the model that was asked.'),
  incarnation: z.string(),
  uncommitted: z.boolean().describe('With the changes of `with` on top.'),
  pending: z
    .array(pendingSchema)
    .describe('Datapaths on the way that do not have the revision yet: until they do, the verdict is undecidable.'),
  would_be: z
    .object({ verdict: z.enum(VERDICTS), reason: reasonSchema })
    .nullable()
    .describe('What it comes to once they have.'),
  verified: z.array(verificationSchema).nullable().describe("With `verify`: what the switches' own trace says of the same packet."),
  ...explanationSchema.shape,
});
export type TraceAnswer = z.infer<typeof traceAnswerSchema>;
