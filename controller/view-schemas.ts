/**
 * What REST shows of each kind.
 *
 * Owns: the shape of a view: the stored record without `kind` and without the keys vnmgr allocates, and what OpenVNet adds to it.
 */
import { z } from 'zod';
import type { UserKind } from '../flows/model/entities.js';
import { datapathNetworkSchema, datapathRouteLinkSchema, datapathSchema, datapathSegmentSchema } from '../flows/model/entities/datapath.js';
import { filterSchema } from '../flows/model/entities/filter.js';
import { interfacePortSchema, interfaceSchema, ipLeaseSchema, macLeaseSchema } from '../flows/model/entities/interface.js';
import { floatingIpSchema, natRuleSchema, translationSchema } from '../flows/model/entities/nat.js';
import { networkSchema, networkServiceSchema, segmentSchema } from '../flows/model/entities/network.js';
import { routerSchema } from '../flows/model/entities/router.js';
import { policyRouteSchema, routeLinkSchema, routeSchema } from '../flows/model/entities/routing.js';
import { addressSetSchema, securityGroupRuleSchema, securityGroupSchema } from '../flows/model/entities/security-group.js';
import { tunnelSchema } from '../flows/model/entities/tunnel.js';

const ipLease = ipLeaseSchema.omit({ kind: true });
const macLease = macLeaseSchema
  .omit({ kind: true, mac_shared: true })
  .extend({ ip_leases: z.array(ipLease).describe('The addresses on this MAC.') });

export const VIEWS = {
  datapath: datapathSchema.omit({ kind: true }),
  segment: segmentSchema.omit({ kind: true, segment_key: true, vrf_key: true }),
  network: networkSchema.omit({ kind: true, segment_key: true, vrf_key: true }),
  interface: interfaceSchema.omit({ kind: true, port_key: true, policy_class_key: true, gateway_owner_uuid: true }).extend({
    mac_address: z.string().nullable().describe('Of the first mac_lease.'),
    network_uuid: z.string().nullable().describe('Of the first ip_lease.'),
    ipv4_address: z.string().nullable().describe('Of the first ip_lease with one.'),
    ipv6_address: z.string().nullable().describe('Of the first ip_lease with one.'),
    mac_leases: z.array(macLease),
    ip_leases: z.array(ipLease).describe('Of every mac_lease.'),
  }),
  mac_lease: macLease,
  ip_lease: ipLease,
  route_link: routeLinkSchema.omit({ kind: true, router_key: true }),
  route: routeSchema.omit({ kind: true, route_key: true }),
  policy_route: policyRouteSchema.omit({ kind: true, route_key: true }),
  router: routerSchema.omit({ kind: true }),
  security_group: securityGroupSchema.omit({ kind: true }).extend({ rules: z.array(securityGroupRuleSchema.omit({ rule_key: true })) }),
  network_service: networkServiceSchema.omit({ kind: true }),
  interface_port: interfacePortSchema.omit({ kind: true }),
  datapath_network: datapathNetworkSchema.omit({ kind: true }),
  datapath_segment: datapathSegmentSchema.omit({ kind: true }),
  datapath_route_link: datapathRouteLinkSchema.omit({ kind: true }),
  tunnel: tunnelSchema.omit({ kind: true }),
  address_set: addressSetSchema.omit({ kind: true }),
  filter: filterSchema.omit({ kind: true }),
  floating_ip: floatingIpSchema.omit({ kind: true }),
  nat_rule: natRuleSchema.omit({ kind: true }),
  translation: translationSchema.omit({ kind: true }),
} as const satisfies Record<UserKind, z.ZodObject>;
