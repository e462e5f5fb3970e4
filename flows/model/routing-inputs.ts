/**
 * What users may set of route links, routes, policy routes and routers.
 *
 * Owns: the parameters of create and update of these kinds; inputs.ts lists them with the others.
 * Promises: as inputs.ts. A router's networks, routes and policy routes are lists that an update replaces as a whole; an entry for a network that is
 * there already keeps the interface and MAC it had unless they are named.
 */
import { z } from 'zod';
import { policyRouteTypeSchema, routeTypeSchema, tracerouteSchema } from './entities/routing.js';
import { routerNatInput } from './nat-inputs.js';
import {
  cidr,
  displayName,
  ipAddress,
  ipv4Address,
  ipv6Address,
  macAddress,
  ownUuid,
  ports,
  reference,
  routingTable,
} from './input-fields.js';

const via = z.array(ipAddress).max(16);
const priority = z.int().min(1).max(32000);
const protocol = z.enum(['any', 'tcp', 'udp', 'sctp', 'icmp', 'icmpv6']);
const portList = z.array(ports).max(16);
const traceroute = tracerouteSchema.nullable();

export const gatewayDatapaths = z.array(reference('datapath')).max(8);
export const gatewayText =
  "Of a router's port in a physical network: the datapaths by which the outside reaches it, the preferred one first; owner_datapath_uuid when empty.";

const words = {
  vrf: 'Routing table: only networks of it can be routed by the link; null for any.',
  traceroute: 'What traceroute sees of the router: itself, one hop for a run of collapsed routers, or nothing. null is the system default.',
  type: 'forward: through the port or to the next hops; the others drop: silently, answering "unreachable", answering "prohibited".',
  via: 'Next hops, addresses in networks the router has a port in; flows are spread over several. Instead of interface_uuid and network_uuid.',
  priority: 'The lowest that matches decides; unique in the router.',
  source: 'Source prefix; any when null.',
  destination: 'Destination prefix; any when null.',
  protocol: 'icmp is IPv4, icmpv6 IPv6.',
  source_ports: 'Source ports, such as "22" or "8000-8100"; every port when empty. Only with tcp, udp and sctp.',
  ports: 'Destination ports, as source_ports.',
  policyType: 'forward: to the next hops; routing-table: as if there were no policy; the others drop as a route of that type does.',
  policyVia: 'Next hops, as in routes. Only with type forward.',
};

export const routeLink = {
  create: z.strictObject({
    uuid: ownUuid('route_link'),
    mac_address: macAddress.optional().describe('MAC of the virtual router; one is made up when absent.'),
    vrf: routingTable.nullable().default(null).describe(words.vrf),
    traceroute: traceroute.default(null).describe(words.traceroute),
  }),
  update: z.strictObject({
    mac_address: macAddress.optional().describe('MAC of the virtual router.'),
    vrf: routingTable.nullable().optional().describe(words.vrf),
    traceroute: traceroute.optional().describe(words.traceroute),
  }),
};

export const route = {
  create: z.strictObject({
    uuid: ownUuid('route'),
    mode: z.literal('gateway').default('gateway').describe('The only mode.'),
    type: routeTypeSchema.default('forward').describe(words.type),
    interface_uuid: reference('interface')
      .nullable()
      .default(null)
      .describe("The router's port: simulated, with enable_routing and a lease in network_uuid."),
    network_uuid: reference('network').nullable().default(null).describe('The network that port is in.'),
    route_link_uuid: reference('route_link').describe('The virtual router.'),
    ipv4_network: ipv4Address.optional().describe('Destination reached through the port, IPv4.'),
    ipv4_prefix: z.int().min(0).max(32).optional().describe('Prefix length of ipv4_network; 24 when absent.'),
    ipv6_network: ipv6Address.optional().describe('Destination reached through the port, IPv6.'),
    ipv6_prefix: z.int().min(0).max(128).optional().describe('Prefix length of ipv6_network; 64 when absent.'),
    via: via.default([]).describe(words.via),
    ingress: z.boolean().default(true).describe('Packets may enter the router from this side.'),
    egress: z.boolean().default(true).describe('Packets may leave the router to this side.'),
  }),
  update: z.strictObject({
    via: via.optional().describe(words.via),
    ingress: z.boolean().optional().describe('Packets may enter the router from this side.'),
    egress: z.boolean().optional().describe('Packets may leave the router to this side.'),
  }),
};

export const policyRoute = {
  create: z.strictObject({
    uuid: ownUuid('policy_route'),
    route_link_uuid: reference('route_link').describe('The virtual router.'),
    priority: priority.describe(words.priority),
    source: cidr.nullable().default(null).describe(words.source),
    destination: cidr.nullable().default(null).describe(words.destination),
    protocol: protocol.default('any').describe(words.protocol),
    source_ports: portList.default([]).describe(words.source_ports),
    ports: portList.default([]).describe(words.ports),
    type: policyRouteTypeSchema.default('forward').describe(words.policyType),
    via: via.default([]).describe(words.policyVia),
  }),
  update: z.strictObject({
    priority: priority.optional().describe(words.priority),
    source: cidr.nullable().optional().describe(words.source),
    destination: cidr.nullable().optional().describe(words.destination),
    protocol: protocol.optional().describe(words.protocol),
    source_ports: portList.optional().describe(words.source_ports),
    ports: portList.optional().describe(words.ports),
    type: policyRouteTypeSchema.optional().describe(words.policyType),
    via: via.optional().describe(words.policyVia),
  }),
};

export const routerNetworkInput = z.strictObject({
  network_uuid: reference('network').describe('A network the router has a port in; one entry for each network.'),
  ip_address: ipAddress.optional().describe('The address of the port.'),
  ip_addresses: z.array(ipAddress).min(1).max(16).optional().describe('Several of them, of either family; instead of ip_address.'),
  interface_uuid: reference('interface').optional().describe('Name of the simulated interface that is made; one is made up when absent.'),
  mac_address: macAddress.optional().describe('MAC of the port; one is made up when absent.'),
  gateway_datapath_uuids: gatewayDatapaths
    .optional()
    .describe('In a physical network: the datapaths by which the outside reaches it, the preferred one first.'),
});

export const routerRouteInput = z.strictObject({
  destination: cidr.describe('Prefix, such as 10.0.0.0/8, 0.0.0.0/0 or ::/0.'),
  type: routeTypeSchema.optional().describe(words.type),
  via: z
    .union([ipAddress, via], 'must be an address or a list of addresses')
    .optional()
    .describe('Next hop, or several, in networks of the router.'),
});

export const routerPolicyRouteInput = z.strictObject({
  priority: priority.describe(words.priority),
  source: cidr.nullable().optional().describe(words.source),
  destination: cidr.nullable().optional().describe(words.destination),
  protocol: protocol.optional().describe(words.protocol),
  source_ports: portList.optional().describe(words.source_ports),
  ports: portList.optional().describe(words.ports),
  type: policyRouteTypeSchema.optional().describe(words.policyType),
  via: z.union([ipAddress, via], 'must be an address or a list of addresses').optional().describe(words.policyVia),
});

export type RouterNetworkInput = z.output<typeof routerNetworkInput>;
export type RouterRouteInput = z.output<typeof routerRouteInput>;
export type RouterPolicyRouteInput = z.output<typeof routerPolicyRouteInput>;

const networks = z.array(routerNetworkInput).max(256);
const routes = z.array(routerRouteInput).max(1000);
const policyRoutes = z.array(routerPolicyRouteInput).max(256);
const nat = z.array(routerNatInput).max(256);

export const router = {
  create: z.strictObject({
    uuid: ownUuid('router'),
    display_name: displayName.default('').describe('Free text for people.'),
    vrf: routingTable.nullable().default(null).describe('Routing table: only networks of it can be connected; null for any.'),
    traceroute: traceroute.default(null).describe(words.traceroute),
    networks: networks.default([]).describe('The networks it connects, each with the address the router has there.'),
    routes: routes.default([]).describe('Where else packets go. The networks it connects need no routes.'),
    policy_routes: policyRoutes.default([]).describe('Looked at before the routes.'),
    nat: nat.default([]).describe('By which addresses packets leave to outside networks.'),
    route_link_uuid: reference('route_link').optional().describe('Name of the route link that is made; one is made up when absent.'),
  }),
  update: z.strictObject({
    display_name: displayName.optional().describe('Free text for people.'),
    vrf: routingTable.nullable().optional().describe('Routing table: only networks of it can be connected; null for any.'),
    traceroute: traceroute.optional().describe(words.traceroute),
    networks: networks.optional().describe('The networks it connects; replaces the list.'),
    routes: routes.optional().describe('Where else packets go; replaces the list.'),
    policy_routes: policyRoutes.optional().describe('Looked at before the routes; replaces the list.'),
    nat: nat.optional().describe('By which addresses packets leave to outside networks; replaces the list.'),
  }),
};

/** The addresses of an entry, however they are given. */
export function addressesOf({ ip_address, ip_addresses }: RouterNetworkInput): readonly string[] {
  return ip_addresses ?? (ip_address === undefined ? [] : [ip_address]);
}

/** Next hops as they are stored: a sorted set. */
export function nextHopSet(given: string | readonly string[] | undefined): string[] {
  return given === undefined ? [] : typeof given === 'string' ? [given] : [...new Set(given)].sort();
}
