/**
 * The words the schemas of several kinds share: uuids, keys, stamps, ports, names of routing tables.
 *
 * Promises: a uuid is its kind's prefix, `-`, and UUID_TAIL.
 */
import { z } from 'zod';

export const UUID_TAIL = /^[a-z0-9][a-z0-9-]{0,31}$/;

export const uuid = (prefix: string) =>
  z.string().regex(new RegExp(`^${prefix}-[a-z0-9][a-z0-9-]{0,31}$`), `must be ${prefix}- and 1 to 32 of a-z 0-9 -`);

export const key = (bits: number) =>
  z
    .int()
    .min(0)
    .max(2 ** bits - 1);

export const stamps = { created_at: z.string(), updated_at: z.string() };
export const ipv4 = z.string();
export const ipv6 = z.string();

/** Name of a routing table. */
export const vrf = z.string().max(63);

/** The router that made the entity, and that alone changes it; null for what users made. */
export const routerUuid = () => uuid('rt').nullable();
export const port = z.string().regex(/^(\d{1,5})(-\d{1,5})?$/);
