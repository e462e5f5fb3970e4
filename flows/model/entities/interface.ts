/**
 * Interfaces, the further places they may be at, and their MAC and IP leases.
 */
import { z } from 'zod';
import { ipv4, ipv6, key, routerUuid, stamps, uuid } from './fields.js';

export const interfaceSchema = z.strictObject({
  kind: z.literal('interface'),
  uuid: uuid('if'),
  display_name: z.string().max(255),
  mode: z.enum(['vif', 'simulated', 'host', 'internal', 'patch', 'promiscuous', 'remote']),
  owner_datapath_uuid: uuid('dp').nullable(),
  /** Of a router's port in a physical network: the datapaths by which the outside reaches it, the preferred one first. */
  gateway_datapath_uuids: z.array(uuid('dp')).max(8).default([]),
  /** The one of them that has it now; null: the first. Managed by vnmgr, not visible in REST. */
  gateway_owner_uuid: uuid('dp').nullable().default(null),
  /** OVS port name that binds this interface where `external_ids:iface-id` does not name it. */
  port_name: z.string().max(15).nullable(),
  enable_routing: z.boolean(),
  enable_route_translation: z.boolean(),
  enable_filtering: z.boolean(),
  /** Sorted, without repeats. */
  security_group_uuids: z.array(uuid('sg')).max(64),
  router_uuid: routerUuid(),
  port_key: key(31),
  /** Key of the policy_class with exactly these groups; 0 without groups. */
  policy_class_key: key(32),
  ...stamps,
});

export const macLeaseSchema = z.strictObject({
  kind: z.literal('mac_lease'),
  uuid: uuid('ml'),
  interface_uuid: uuid('if'),
  /** Lower case, colons. */
  mac_address: z.string(),
  segment_uuid: uuid('seg').nullable(),
  /** A NIC of another L2 domain has the same address; managed by vnmgr, not visible in REST. */
  mac_shared: z.boolean().default(false),
  ...stamps,
});

export const ipLeaseSchema = z.strictObject({
  kind: z.literal('ip_lease'),
  uuid: uuid('il'),
  /** Both null: the address is reserved and unattached. */
  interface_uuid: uuid('if').nullable(),
  mac_lease_uuid: uuid('ml').nullable(),
  network_uuid: uuid('nw'),
  /** Exactly one of the two is set. */
  ipv4_address: ipv4.nullable(),
  ipv6_address: ipv6.nullable(),
  enable_routing: z.boolean(),
  ...stamps,
});

/** A further place of an interface, beside its own owner_datapath_uuid and port_name: a datapath, a port name, or a port of a datapath. */
export const interfacePortSchema = z.strictObject({
  kind: z.literal('interface_port'),
  uuid: uuid('ifp'),
  interface_uuid: uuid('if'),
  /** null: any datapath. */
  datapath_uuid: uuid('dp').nullable(),
  /** null: whatever port names the interface. */
  port_name: z.string().max(15).nullable(),
  singular: z.boolean(),
  ...stamps,
});

export type Interface = Readonly<z.infer<typeof interfaceSchema>>;
export type MacLease = Readonly<z.infer<typeof macLeaseSchema>>;
export type IpLease = Readonly<z.infer<typeof ipLeaseSchema>>;
export type InterfacePort = Readonly<z.infer<typeof interfacePortSchema>>;
