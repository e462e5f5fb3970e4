/**
 * Route links with their routes and policy routes: what virtual routers are made of.
 */
import { z } from 'zod';
import { ipv4, ipv6, key, port, routerUuid, stamps, uuid, vrf } from './fields.js';

/** What becomes of packets whose TTL runs out at a virtual router. */
export const tracerouteSchema = z.enum(['virtual-hops', 'collapsed', 'off']);

export const routeLinkSchema = z.strictObject({
  kind: z.literal('route_link'),
  uuid: uuid('rl'),
  mac_address: z.string(),
  /** Only networks of this routing table are routed by it; null: any. */
  vrf: vrf.nullable(),
  /** null: the system's default. */
  traceroute: tracerouteSchema.nullable(),
  router_uuid: routerUuid(),
  /** Names the virtual router this link is, in FIB rows. */
  router_key: key(24),
  ...stamps,
});

export const routeTypeSchema = z.enum(['forward', 'blackhole', 'unreachable', 'prohibit']);
export const via = z.array(z.string()).max(16);

export const routeSchema = z.strictObject({
  kind: z.literal('route'),
  uuid: uuid('r'),
  mode: z.literal('gateway'),
  /** forward: to where the packet is sent; the others drop it: silently, with "unreachable", with "prohibited". */
  type: routeTypeSchema,
  /** The router's port: a simulated interface with enable_routing. null with next hops and where nothing is forwarded. */
  interface_uuid: uuid('if').nullable(),
  /** The network that port is in. Set exactly when interface_uuid is. */
  network_uuid: uuid('nw').nullable(),
  route_link_uuid: uuid('rl'),
  /** Destination prefix reached through that port. Exactly one family. */
  ipv4_network: ipv4.nullable(),
  ipv4_prefix: z.int().min(0).max(32).nullable(),
  ipv6_network: ipv6.nullable(),
  ipv6_prefix: z.int().min(0).max(128).nullable(),
  /** Next hops in networks the router has a port in; flows are spread over several. Sorted, without repeats. */
  via,
  /** Packets may enter the router from this side / leave it to this side. */
  ingress: z.boolean(),
  egress: z.boolean(),
  router_uuid: routerUuid(),
  /** Names the route, or the paths that begin with it, in flows. */
  route_key: key(32),
  ...stamps,
});

/** What a policy route looks at; null and empty lists are anything. */
export const policyMatch = {
  source: z.string().nullable(),
  destination: z.string().nullable(),
  protocol: z.enum(['any', 'tcp', 'udp', 'sctp', 'icmp', 'icmpv6']),
  source_ports: z.array(port).max(16),
  ports: z.array(port).max(16),
};

export const policyRouteTypeSchema = z.enum(['forward', 'routing-table', 'blackhole', 'unreachable', 'prohibit']);

/** Looked at before the routes of a router: by source, protocol and ports. */
export const policyRouteSchema = z.strictObject({
  kind: z.literal('policy_route'),
  uuid: uuid('pbr'),
  route_link_uuid: uuid('rl'),
  /** The lowest that matches decides; unique in the router. */
  priority: z.int().min(1).max(32000),
  ...policyMatch,
  /** forward: to `via`; routing-table: as if there were no policy. */
  type: policyRouteTypeSchema,
  via,
  router_uuid: routerUuid(),
  route_key: key(32),
  ...stamps,
});

export type RouteLink = Readonly<z.infer<typeof routeLinkSchema>>;
export type Route = Readonly<z.infer<typeof routeSchema>>;
export type RouteType = z.infer<typeof routeTypeSchema>;
export type TracerouteMode = z.infer<typeof tracerouteSchema>;
export type PolicyRoute = Readonly<z.infer<typeof policyRouteSchema>>;
