/**
 * What vna and vnmgr say to each other over the bus.
 *
 * Owns: the subjects, the topic of an attachment, and the shape of every message.
 * Promises: what passes these schemas can be handed to the compiler: records of kinds this program knows, with the fields it knows. What a newer
 * program adds to a record is left out; a slice that cannot be used without it has another SLICE_SCHEMA_VERSION.
 */
import { z } from 'zod';
import { entitySchema } from '../../flows/model/entities.js';
import { chassisSchema } from '../../flows/model/entities/presence.js';
import { liveCommandSchema } from './live.js';
import type { SliceRecord } from './slice.js';

/** Whoever serves slices. */
export const SLICES = 'slices';
/** The vnmgr that has the attachment. */
export const slicesOf = (member: string): string => `${SLICES}/${member}`;
/** The vna process that serves a datapath, for what only it can answer. */
export const datapathOf = (datapath_uuid: string): string => `datapath/${datapath_uuid}`;
/** A vna process, to find out whether it lives. */
export const vnaOf = (member: string): string => `vna/${member}`;
/** The table of who serves which dpid by which vnmgr. */
export const CLAIMS = 'claims';
export const topicOf = (attachment_id: string): string => `slice/${attachment_id}`;

const revision = z.object({ incarnation: z.string(), number: z.int().min(0) });
const vifs = z.array(z.object({ port_name: z.string().max(64), iface_id: z.string().max(1024).nullable() })).max(100_000);
const chassis = chassisSchema.pick({ endpoints: true, encaps: true, underlay: true, physical_networks: true });

export const helloSchema = z.object({
  node_id: z.string().min(1).max(255),
  dpid: z.string().max(32),
  bridge: z.string().max(64),
  vifs,
  chassis: chassis.optional(),
  instance: z.string().max(255),
});

const attach = z.object({
  attachment_id: z.string().min(1).max(128),
  hello: helloSchema,
});

/** `pending`: the datapath is not defined yet; ask again. */
export const attachedSchema = z.object({ pending: z.boolean(), datapath_uuid: z.string() });

export const conditionSchema = z.object({ code: z.string(), message: z.string(), uuids: z.array(z.string()) });

export const appliedSchema = z.object({
  datapath_uuid: z.string(),
  connected: z.boolean(),
  applied_seq: z.int().nullable(),
  flow_count: z.int(),
  flow_mods: z.int(),
  drift_repairs: z.int().optional(),
  error: z.object({ seq: z.int(), message: z.string(), uuids: z.array(z.string()) }).nullable(),
  conditions: z.array(conditionSchema).optional(),
});

const attachment_id = z.string();
const detach = z.object({ attachment_id });
const relist = z.object({ attachment_id });
const report = z.object({ attachment_id, vifs: vifs.optional(), chassis: chassis.optional(), applied: appliedSchema.optional() });
/** Answers whether it holds it. */
const hold_gateway = z.object({ attachment_id, interface_uuid: z.string().max(64) });
/** Answers which of these datapaths have not installed the revision. */
const behind = z.object({ attachment_id, revision: z.int(), datapaths: z.array(z.string().max(64)).max(10_000) });
const check = z.object({ attachment_ids: z.array(z.string()).max(10_000) });

/** Requests to a vnmgr, by kind. */
export const SLICE_REQUESTS = { attach, detach, relist, report, hold_gateway, behind, check } as const;
export type SliceRequest = { readonly [K in keyof typeof SLICE_REQUESTS]: z.infer<(typeof SLICE_REQUESTS)[K]> };

/** By attachment, the position of its topic's last message; without those that are unknown. */
export const checkedSchema = z.record(z.string(), z.int());
export const knownSchema = z.object({ known: z.boolean() });
export const heldSchema = z.object({ held: z.boolean() });
export const behindSchema = z.object({ datapaths: z.array(z.string()) });

const record = z.discriminatedUnion('kind', [
  ...entitySchema.options.map((option) => z.object(option.shape)),
  z.object({
    kind: z.literal('binding'),
    uuid: z.string(),
    interface_uuid: z.string(),
    datapath_uuid: z.string(),
    port_name: z.string(),
  }),
] as unknown as typeof entitySchema.options) as unknown as z.ZodType<SliceRecord>;
const KINDS: ReadonlySet<string> = new Set([...entitySchema.options.map((option) => option.shape.kind.value), 'binding']);
const isOfKnownKind = (value: unknown): boolean => KINDS.has((value as { kind?: string } | null)?.kind ?? '');
/** Records of a slice. */
export const recordsSchema = z.preprocess((value) => (Array.isArray(value) ? value.filter(isOfKnownKind) : value), z.array(record));

const head = { schema_version: z.int(), datapath_uuid: z.string(), seq: z.int().min(0), revision };
const snapshot = z.object({
  ...head,
  /** A snapshot comes in parts, which follow one another. */
  part: z.int().min(0),
  parts: z.int().min(1),
  entities: recordsSchema,
});
const delta = z.object({ ...head, puts: recordsSchema, deletes: z.array(z.string()) });
/** The attachment has ended: nothing more comes. */
const closed = z.object({});

/** Messages of an attachment's topic, by kind. */
export const SLICE_MESSAGES = { snapshot, delta, closed } as const;
export type SnapshotPart = z.infer<typeof snapshot>;
export type DeltaBody = z.infer<typeof delta>;

const flows = z.object({ owner: z.string().max(255).optional() });
/** An operator says that the slice which is held back is right. */
const accept_slice = z.object({});

const probe = z.object({ by: z.string().max(255), packet: z.string().max(4096), ct: z.array(z.int().min(0).max(255)).max(64) });
/** Packets to run through the switch's own trace. */
const check_traces = z.object({ probes: z.array(probe).max(64) });

/** Requests to the vna of a datapath, by kind. */
export const DATAPATH_REQUESTS = { flows, accept_slice, check_traces, live: liveCommandSchema } as const;

export const flowEntriesSchema = z.array(
  z.object({
    table: z.int(),
    table_name: z.string(),
    priority: z.int(),
    text: z.string(),
    cookie: z.string(),
    owners: z.array(z.string()),
    rule: z.string(),
    packets: z.number().optional(),
    bytes: z.number().optional(),
  }),
);

export const acceptedSchema = z.object({ accepted: z.boolean() });

export const traceChecksSchema = z.array(
  z.object({
    difference: z.object({ what: z.string(), packet: z.string(), interpreter: z.string(), switch: z.string() }).nullable(),
    partly: z.boolean(),
    walk: z.array(z.array(z.string())),
    text: z.string(),
  }),
);

/** Who serves a dpid. */
export const claimSchema = z.object({
  attachment_id: z.string(),
  node_id: z.string(),
  bridge: z.string(),
  /** What the vna is called over its restarts, and the process on the bus. */
  instance: z.string(),
  vna: z.string(),
  vnmgr: z.string(),
});
export type Claim = z.infer<typeof claimSchema>;
