/**
 * A router in one piece, as users may write it.
 */
import { z } from 'zod';
import { stamps, uuid, vrf } from './fields.js';
import { policyMatch, policyRouteTypeSchema, routeTypeSchema, tracerouteSchema, via } from './routing.js';

export const routerNetworkSchema = z.strictObject({
  network_uuid: uuid('nw'),
  ip_addresses: z.array(z.string()).min(1).max(16),
  interface_uuid: uuid('if'),
  mac_address: z.string(),
  /** As of the interface. */
  gateway_datapath_uuids: z.array(uuid('dp')).max(8).default([]),
});

export const routerRouteSchema = z.strictObject({ destination: z.string(), type: routeTypeSchema, via });

export const routerPolicyRouteSchema = z.strictObject({
  priority: z.int().min(1).max(32000),
  ...policyMatch,
  type: policyRouteTypeSchema,
  via,
});

/** What leaves to an outside network from another address. */
export const routerNatSchema = z.strictObject({
  type: z.literal('snat'),
  network_uuid: uuid('nw'),
  ip_address: z.string(),
  source: z.string().nullable(),
  datapath_uuid: uuid('dp').nullable(),
});

/** A router in one piece. Its route link, ports, addresses and routes are made from it and follow it. */
export const routerSchema = z.strictObject({
  kind: z.literal('router'),
  uuid: uuid('rt'),
  display_name: z.string().max(255),
  vrf: vrf.nullable(),
  traceroute: tracerouteSchema.nullable(),
  networks: z.array(routerNetworkSchema).max(256),
  routes: z.array(routerRouteSchema).max(1000),
  policy_routes: z.array(routerPolicyRouteSchema).max(256),
  nat: z.array(routerNatSchema).max(256).default([]),
  route_link_uuid: uuid('rl'),
  ...stamps,
});

export type Router = Readonly<z.infer<typeof routerSchema>>;
export type RouterNetwork = Router['networks'][number];
export type RouterRoute = Router['routes'][number];
export type RouterNat = Router['nat'][number];
export type RouterPolicyRoute = Router['policy_routes'][number];
