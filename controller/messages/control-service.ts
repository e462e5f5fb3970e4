/**
 * What webapi and vnmgr say to each other over the bus.
 */
import { z } from 'zod';
import { KINDS, type UserKind } from '../../flows/model/entities.js';
import { conditionSchema } from './slice-service.js';
import type { DatapathStatus, ExecuteResult, InstalledResult, Operation, Status } from '../contract.js';

/** Whoever carries out changes. */
export const CONTROL = 'control';

const kind = z.enum(Object.keys(KINDS) as [UserKind, ...UserKind[]]);
const params = z.record(z.string(), z.unknown());
const uuid = z.string().max(255);
const if_match = z.string().optional();
const operation = z.discriminatedUnion('verb', [
  z.object({ verb: z.literal('create'), kind, params }),
  z.object({ verb: z.literal('update'), kind, uuid, params, if_match }),
  z.object({ verb: z.literal('delete'), kind, uuid, cascade: z.boolean().optional(), if_match }),
  z.object({ verb: z.literal('unlink'), kind, of: uuid, where: params }),
]) satisfies z.ZodType<Operation>;

const execute = z.object({ request_id: z.string().min(16).max(128), operations: z.array(operation).readonly() });
const status = z.object({});
const audience = z.object({ uuid });
const wait_installed = z.object({ revision: z.int().min(0), timeout_ms: z.number().min(0).max(3_600_000) });

/** Requests to vnmgr, by kind. */
export const CONTROL_REQUESTS = { execute, status, wait_installed, audience } as const;
export type ControlRequest = { readonly [K in keyof typeof CONTROL_REQUESTS]: z.infer<(typeof CONTROL_REQUESTS)[K]> };

const revision = z.object({ incarnation: z.string(), number: z.int() });
const view = z.looseObject({ uuid: z.string() });

export const executedSchema: z.ZodType<ExecuteResult> = z.object({
  revision,
  changed: z.boolean(),
  results: z.array(z.union([z.array(z.string()), view])),
});

/** A datapath in the status, to REST as well. */
export const datapathStatusSchema = z.object({
  uuid: z.string(),
  connected: z.boolean(),
  desired_revision: z.int(),
  applied_revision: z.int().nullable(),
  served_by: z.string().nullable().describe('The vnmgr that its vna is attached to.'),
  flow_count: z.int(),
  flow_mods: z.int(),
  drift_repairs: z.int().describe('Flows and groups that were not as they should be, and were put right.'),
  last_error: z.string().nullable(),
  conflicts: z.array(z.string()).describe('NICs there that claim an interface which is plugged elsewhere.'),
  conditions: z
    .array(conditionSchema)
    .describe('What is not as it should be and keeps nothing from being applied, such as tunnels that cannot be.'),
}) satisfies z.ZodType<DatapathStatus>;

export const statusSchema: z.ZodType<Status> = z.object({ version: z.string(), revision, datapaths: z.array(datapathStatusSchema) });

export const audienceSchema = z.array(z.string());

export const installedSchema: z.ZodType<InstalledResult> = z.object({ installed: z.literal(true), datapaths: z.array(z.string()) });
