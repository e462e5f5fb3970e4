/**
 * A hypervisor's switch, and its rows for what crosses between hypervisors.
 *
 * Assumes: endpoint fields of a row are derived at commit from the interface and lease it names.
 */
import { z } from 'zod';
import { stamps, uuid } from './fields.js';

export const datapathSchema = z.strictObject({
  kind: z.literal('datapath'),
  uuid: uuid('dp'),
  display_name: z.string().max(255),
  /** `0x` and 16 hex digits. */
  dpid: z.string(),
  node_id: z.string().max(255),
  enable_ovs_learn_action: z.boolean(),
  ...stamps,
});

/** What a datapath's rows for networks, segments and route links have in common: by which of its addresses others reach it for that one. */
const underlay = {
  datapath_uuid: uuid('dp'),
  /** The hypervisor's own interface, mode host. */
  interface_uuid: uuid('if'),
  /** Stands for the datapath on that underlay; unique among all such rows. */
  mac_address: z.string(),
  /** The lease of the interface that is meant; null is its first. */
  ip_lease_uuid: uuid('il').nullable(),
  /** The address of that lease, and its network: the underlay. Both null while the interface is not on the datapath or has no address. */
  endpoint_address: z.string().nullable(),
  endpoint_network_uuid: uuid('nw').nullable(),
  ...stamps,
};

export const datapathNetworkSchema = z.strictObject({
  kind: z.literal('datapath_network'),
  uuid: uuid('dpn'),
  network_uuid: uuid('nw'),
  ...underlay,
});

export const datapathSegmentSchema = z.strictObject({
  kind: z.literal('datapath_segment'),
  uuid: uuid('dpseg'),
  segment_uuid: uuid('seg'),
  ...underlay,
});

export const datapathRouteLinkSchema = z.strictObject({
  kind: z.literal('datapath_route_link'),
  uuid: uuid('dprl'),
  route_link_uuid: uuid('rl'),
  ...underlay,
});

export type Datapath = Readonly<z.infer<typeof datapathSchema>>;
export type DatapathNetwork = Readonly<z.infer<typeof datapathNetworkSchema>>;
export type DatapathSegment = Readonly<z.infer<typeof datapathSegmentSchema>>;
export type DatapathRouteLink = Readonly<z.infer<typeof datapathRouteLinkSchema>>;

/** A datapath's row for something that may cross between hypervisors. */
export type DatapathLink = DatapathNetwork | DatapathSegment | DatapathRouteLink;
