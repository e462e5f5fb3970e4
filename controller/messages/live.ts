/**
 * What a vna is asked for in a live trace, and what it tells.
 *
 * Owns: the three commands, and the shape of an observation.
 * Promises: plain data. A vna that is asked for nothing any more withdraws the trace by itself: who asked may be gone.
 */
import { z } from 'zod';
import { LIVE_POINTS, type LivePoint } from '../../flows/pipeline/punt.js';
import { liveFilterSchema } from '../../flows/pipeline/live-filter.js';

/** A vna that nobody collects from for so long withdraws the trace, milliseconds. */
export const LIVE_LEASE_MS = 4_000;
/** A collection waits so long for something to tell, milliseconds. */
export const LIVE_COLLECT_MS = 1_000;
/** Observations kept until they are collected. */
export const LIVE_KEEP = 4_096;

const trace_id = z.string().min(8).max(64);

export const liveCommandSchema = z.discriminatedUnion('act', [
  z.object({
    act: z.literal('arm'),
    trace_id,
    interface_uuid: z.string().max(64),
    filter: liveFilterSchema,
    dropped_only: z.boolean(),
    /** Seconds that the trace lasts, at most. */
    seconds: z.int().min(1).max(120),
  }),
  z.object({ act: z.literal('collect'), trace_id }),
  z.object({ act: z.literal('disarm'), trace_id }),
]);
export type LiveCommand = z.output<typeof liveCommandSchema>;

const end = z.object({ address: z.string(), port: z.int().nullable() });

/** The headers of a packet, as far as questions about it need them. */
export const livePacketSchema = z.object({
  line: z.string().describe('In a line.'),
  protocol: z.string().nullable().describe('null: no IP packet.'),
  source: end.nullable(),
  destination: end.nullable(),
  icmp_type: z.int().nullable(),
  icmp_code: z.int().nullable(),
  tcp_flags: z.int().nullable(),
  ttl: z.int().nullable(),
  size: z.int().describe('Bytes of the frame.'),
  eth_src: z.string(),
  eth_dst: z.string(),
});
export type LivePacket = z.infer<typeof livePacketSchema>;

export const observationSchema = z.object({
  /** Milliseconds since 1970, by the clock of that hypervisor. */
  at: z.number(),
  point: z.enum(Object.keys(LIVE_POINTS) as [LivePoint, ...LivePoint[]]),
  /** The same wherever a packet is seen, and as good as never the same for two packets at a time. */
  identity: z.string(),
  packet: livePacketSchema,
  /** The row that decided; null where that is not known. */
  table: z.string().nullable(),
  cookie: z.string().nullable(),
  rule: z.string().nullable(),
  uuids: z.array(z.string()),
  /** Why it is dropped, or refused; null: it is not. */
  reason: z.string().nullable(),
  /** Security group rules that decided on it. */
  egress_rule: z.string().nullable(),
  ingress_rule: z.string().nullable(),
  /** The interface it is for; null: none, or several. */
  interface_uuid: z.string().nullable(),
  /** Interfaces that get it here. */
  receivers: z.array(z.string()),
  /** Which branch of a flood this is: the policy class of those who get it; 0 for packets for one. */
  branch: z.int(),
  /** Where it goes to or comes from. */
  peer_uuid: z.string().nullable(),
  routers_crossed: z.int(),
  /** What conntrack has said of it last, as bits of ct_state; 0: it was not asked. */
  ct_state: z.int(),
});
export type LiveObservation = z.infer<typeof observationSchema>;

export const liveReportSchema = z.object({
  observations: z.array(observationSchema),
  /** Observations that were not kept. */
  missed: z.int(),
  /** It was withdrawn: nothing more comes. */
  over: z.boolean(),
});
export type LiveReport = z.infer<typeof liveReportSchema>;

/** Carries out a command. Throws HotoriError `conflict`, `unavailable`. */
export type LiveProvider = (command: LiveCommand) => Promise<LiveReport>;
