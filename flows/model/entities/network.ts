/**
 * Segments (L2 domains) and networks (prefixes in them), and the services of networks.
 */
import { z } from 'zod';
import { ipv4, ipv6, key, stamps, uuid, vrf } from './fields.js';

export const segmentSchema = z.strictObject({
  kind: z.literal('segment'),
  uuid: uuid('seg'),
  display_name: z.string().max(255),
  mode: z.enum(['virtual', 'physical']),
  /** Frames for MACs that no interface has are flooded until somebody there has been heard to have them. */
  learning: z.boolean().default(false),
  /** VNI of this L2 domain, 24 bits. */
  segment_key: key(24),
  vrf_key: key(32),
  ...stamps,
});

export const networkSchema = z.strictObject({
  kind: z.literal('network'),
  uuid: uuid('nw'),
  display_name: z.string().max(255),
  domain_name: z.string().max(255),
  mode: z.enum(['virtual', 'physical', 'internal']),
  ipv4_network: ipv4.nullable(),
  ipv4_prefix: z.int().min(0).max(32).nullable(),
  ipv6_network: ipv6.nullable(),
  ipv6_prefix: z.int().min(0).max(128).nullable(),
  /** RA with A=1: hosts form their own addresses. Their leases must be the EUI-64 addresses. */
  ipv6_slaac: z.boolean(),
  /** Bytes, as told to VMs; null is the system's default. */
  mtu: z.int().min(576).max(65535).nullable(),
  dns_servers: z.array(z.string()).max(8),
  segment_uuid: uuid('seg').nullable(),
  /** Of a physical network: the name in `bridge_mappings` of the bridge that leads to it; null: the network's uuid. */
  physical_network: z.string().max(63).nullable().default(null),
  /** The routing table it is in; null: that of the networks it is joined to. */
  vrf: vrf.nullable(),
  /** VNI of the network's own L2 domain; its segment's key when it is in one. */
  segment_key: key(24),
  vrf_key: key(32),
  ...stamps,
});

export const networkServiceSchema = z.strictObject({
  kind: z.literal('network_service'),
  uuid: uuid('ns'),
  display_name: z.string().max(255),
  mode: z.enum(['dhcp', 'dns', 'router']),
  interface_uuid: uuid('if').nullable(),
  incoming_port: z.int().min(1).max(65535).nullable(),
  outgoing_port: z.int().min(1).max(65535).nullable(),
  ...stamps,
});

export type Segment = Readonly<z.infer<typeof segmentSchema>>;
export type Network = Readonly<z.infer<typeof networkSchema>>;
export type NetworkService = Readonly<z.infer<typeof networkServiceSchema>>;
