/**
 * What is said of one pair of hypervisors: how they reach one another.
 *
 * Assumes: nothing said, they use what both offer and prefer most.
 */
import { z } from 'zod';
import { stamps, uuid } from './fields.js';
import { encapsulation } from './presence.js';

export const tunnelSchema = z.strictObject({
  kind: z.literal('tunnel'),
  uuid: uuid('t'),
  /** The two ends; which is which means nothing. No other tunnel is between the two. */
  datapath_uuid: uuid('dp'),
  peer_datapath_uuid: uuid('dp'),
  /** null: what both offer and prefer most. */
  encapsulation: encapsulation.nullable(),
  /** Whether frames may go without a tunnel where both are on one L2 and allow it. */
  mac2mac: z.boolean(),
  ...stamps,
});

export type Tunnel = Readonly<z.infer<typeof tunnelSchema>>;

/** The same for both orders of a pair. */
export function pairOf(one: string, other: string): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`;
}
