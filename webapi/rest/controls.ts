/**
 * Parameters about a request itself.
 *
 * Owns: `limit offset cascade wait timeout revision from owner`: their ranges and defaults, and the sentences that explain them.
 */
import { z } from 'zod';
import { REVISION_PATTERN } from './revision.js';

const DEFAULT_LIMIT = 30;
const DEFAULT_WAIT_S = 10;

const revision = z.string().regex(REVISION_PATTERN, 'must be a revision: a number, or INCARNATION:NUMBER');
const timeout = z.number().min(0).max(300).default(DEFAULT_WAIT_S).describe('Seconds to wait at most.');

export const noControls = z.strictObject({});

export const pageControls = z.strictObject({
  limit: z.int().min(1).max(1000).default(DEFAULT_LIMIT).describe('Most items to answer.'),
  offset: z.int().min(0).default(0).describe('Items to leave out at the start.'),
});

export const writeControls = z.strictObject({
  wait: z
    .enum(['none', 'installed'])
    .default('none')
    .describe('installed: answer when every datapath that the change concerns has confirmed it.'),
  timeout,
  dry_run: z.boolean().default(false).describe('Answer what it would do, and do nothing.'),
});

export const deleteControls = z.strictObject({
  cascade: z.boolean().default(false).describe('Delete what refers to it, too.'),
  ...writeControls.shape,
});

export const statusControls = z.strictObject({
  wait: z
    .enum(['none', 'installed'])
    .default('none')
    .describe('installed: answer when every datapath that the revision concerns has confirmed it.'),
  revision: revision.optional().describe('What to wait for; the current revision when absent.'),
  timeout,
});

export const watchControls = z.strictObject({
  from: revision.optional().describe('Start with the change after this revision; the current one when absent.'),
});

export const flowControls = z.strictObject({
  owner: z.string().max(64).optional().describe('uuid: only flows made from this entity.'),
});

export type PageControls = z.output<typeof pageControls>;
export type WriteControls = z.output<typeof writeControls>;
export type DeleteControls = z.output<typeof deleteControls>;
export type StatusControls = z.output<typeof statusControls>;
export type WatchControls = z.output<typeof watchControls>;
export type FlowControls = z.output<typeof flowControls>;
