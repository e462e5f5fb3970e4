/**
 * What vnas report: NICs on their bridges and where tunnels to their hypervisors end.
 *
 * Owned by vnmgr; no REST collection shows these kinds.
 */
import { z } from 'zod';
import { uuid } from './fields.js';

/** A NIC that a vna sees on its bridge; managed by vnmgr, not visible in REST. uuid is `vif-`, the datapath's uuid, `/` and the port name. */
export const vifSchema = z.strictObject({
  kind: z.literal('vif'),
  uuid: z.string(),
  datapath_uuid: uuid('dp'),
  /** OVS port name. */
  port_name: z.string().min(1).max(255),
  /** `external_ids:iface-id`, whatever it says. */
  iface_id: z.string().max(255).nullable(),
  /** Number of the revision in which this port appeared with this iface_id. */
  since: z.int().min(0),
});

export const encapsulation = z.enum(['geneve', 'vxlan', 'gre']);

/** Where tunnels to a hypervisor end. */
export const chassisEndpointSchema = z.strictObject({
  /** IPv4 or IPv6 in canonical text. */
  address: z.string(),
  /** Of the device that has the address; null where it is not known. */
  mac: z.string().nullable(),
  /** Name of the physical L2 the endpoint is on. */
  underlay: z.string().min(1).max(255),
  /** Bytes of an IP packet that the underlay carries. */
  mtu: z.int().min(576).max(65535),
});

/** What a hypervisor's tunnel address has around it, whatever the address is. */
export const chassisUnderlaySchema = chassisEndpointSchema.omit({ address: true });

/** What a vna says of its hypervisor; managed by vnmgr, not visible in REST. A datapath without one was never attached. uuid is `ch-` and the datapath's uuid. */
export const chassisSchema = z.strictObject({
  kind: z.literal('chassis'),
  uuid: z.string(),
  datapath_uuid: uuid('dp'),
  node_id: z.string().max(255),
  endpoints: z.array(chassisEndpointSchema).max(16),
  /** Encapsulations it can send and receive, the preferred one first. */
  encaps: z.array(encapsulation),
  /** Where its rows say by which addresses it is reached (overlay.mode explicit): what those addresses have around them. null: `endpoints` say it all. */
  underlay: chassisUnderlaySchema.nullable().default(null),
  /** Physical networks that the operator's bridges there are on, as networks name them; sorted. */
  physical_networks: z.array(z.string().min(1).max(255)).max(256).default([]),
});

export type VifRecord = Readonly<z.infer<typeof vifSchema>>;
export type Encapsulation = z.infer<typeof encapsulation>;
export type ChassisEndpoint = Readonly<z.infer<typeof chassisEndpointSchema>>;
export type Chassis = Readonly<z.infer<typeof chassisSchema>>;
export const vifUuid = (datapath: string, portName: string) => `vif-${datapath}/${portName}`;
export const chassisUuid = (datapath: string) => `ch-${datapath}`;
