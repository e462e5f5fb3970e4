/**
 * OpenVNet's filters: rows for one interface.
 */
import { z } from 'zod';
import { stamps, uuid } from './fields.js';

/** One row of a filter, seen from outside: source is the peer, destination the interface. */
export const filterStaticSchema = z.strictObject({
  protocol: z.enum(['tcp', 'udp', 'icmp', 'arp', 'ip']),
  action: z.enum(['pass', 'drop', 'conn']),
  /** IPv4 prefix; null is any address of either family. */
  src_address: z.string().nullable(),
  dst_address: z.string().nullable(),
  /** null: any. Only with tcp and udp. */
  src_port: z.int().min(1).max(65535).nullable(),
  dst_port: z.int().min(1).max(65535).nullable(),
});

export const filterSchema = z.strictObject({
  kind: z.literal('filter'),
  uuid: uuid('fil'),
  interface_uuid: uuid('if'),
  mode: z.literal('static'),
  /** What no row decides passes towards / from the interface. */
  ingress_passthrough: z.boolean(),
  egress_passthrough: z.boolean(),
  statics: z.array(filterStaticSchema).max(1_000),
  ...stamps,
});

export type FilterStatic = Readonly<z.infer<typeof filterStaticSchema>>;
export type Filter = Readonly<z.infer<typeof filterSchema>>;
