/**
 * What a live trace asks.
 *
 * Owns: its parameters, their ranges and defaults.
 */
import { z } from 'zod';
import type { Reason } from '../../flows/model/errors.js';
import { liveFilterReasons, liveFilterSchema } from '../../flows/pipeline/live-filter.js';

export const liveInput = z.strictObject({
  interface: z.string().min(1).max(64).describe('uuid of the interface whose packets are followed, from where they come in.'),
  filter: liveFilterSchema.describe('Which of its packets; must name more than that they are IP.'),
  count: z.int().min(1).max(100).default(1).describe('Packets to follow, at most 100; 1 when absent.'),
  dropped_only: z.boolean().default(false).describe('Count and report only packets that are dropped or refused.'),
  timeout: z.int().min(1).max(60).default(10).describe('Seconds to wait for them, at most 60; 10 when absent.'),
});

export type LiveQuestion = Readonly<z.output<typeof liveInput>>;

/** What is wrong with it whatever the model is; pointers are into it. */
export function liveReasons({ filter }: LiveQuestion): Reason[] {
  return liveFilterReasons(filter).map(({ pointer, detail }) => ({ pointer: `/filter${pointer}`, detail }));
}
