/**
 * What users may set, per kind.
 *
 * Owns: the parameters of create and update, with their descriptions and defaults; OpenVNet's names where it has them.
 * Assumes: JSON values; text forms (query strings) were converted before.
 * Promises: REST, its description, the query string forms and vnctl's options all come from these schemas. `update` is partial: what is absent
 * stays, what is declared can be changed, and what `create` has but `update` has not is fixed at creation.
 */
import { z } from 'zod';
import type { UserKind } from './entities.js';
import { encapsulation } from './entities/presence.js';
import { TIERS } from './entities/security-group.js';
import {
  displayName,
  cidr,
  domainName,
  dpid,
  filterStaticInput,
  ipAddress,
  ipv4Address,
  ipv6Address,
  macAddress,
  nodeId,
  physicalNetwork,
  ownUuid,
  portName,
  reference,
  routingTable,
  securityGroupRuleInput,
} from './input-fields.js';
import { floatingIp, natRule, translation } from './nat-inputs.js';
import { gatewayDatapaths, gatewayText, policyRoute, route, routeLink, router } from './routing-inputs.js';

const names = { display_name: displayName.default('').describe('Free text for people.') };
const rename = { display_name: displayName.optional().describe('Free text for people.') };

/** A destination or subnet; which family must be given, and that no host bit is set, is checked with the model. */
const prefixes = (what: string, ipv4Bits: z.ZodInt, ipv6Bits: z.ZodInt) => ({
  ipv4_network: ipv4Address.optional().describe(`${what}, IPv4.`),
  ipv4_prefix: ipv4Bits.optional().describe('Prefix length of ipv4_network; 24 when absent.'),
  ipv6_network: ipv6Address.optional().describe(`${what}, IPv6.`),
  ipv6_prefix: ipv6Bits.optional().describe('Prefix length of ipv6_network; 64 when absent.'),
});
const bits = (min: number, max: number) => z.int().min(min).max(max);

const subnetBits = { ipv4: bits(1, 32), ipv6: bits(1, 128) };
const mtu = z.int().min(576).max(65535).nullable();
const dnsServers = z.array(ipAddress).max(8);
const securityGroups = z.array(reference('security_group')).max(64);
const rules = z.array(securityGroupRuleInput).max(10_000);
const addresses = z.array(cidr).max(10_000);
const statics = z.array(filterStaticInput).max(1_000);
const udpPort = z.int().min(1).max(65535).nullable();

const datapath = {
  create: z.strictObject({
    uuid: ownUuid('datapath'),
    display_name: displayName.describe('Free text for people.'),
    dpid: dpid.describe('OpenFlow datapath id of the bridge: up to 16 hex digits, with or without 0x.'),
    node_id: nodeId.describe('Name of the vna that manages the bridge.'),
    enable_ovs_learn_action: z.boolean().default(true).describe("Kept for OpenVNet's clients; has no effect."),
  }),
  update: z.strictObject({
    ...rename,
    node_id: nodeId.optional().describe('Name of the vna that manages the bridge.'),
    enable_ovs_learn_action: z.boolean().optional().describe("Kept for OpenVNet's clients; has no effect."),
  }),
};

const learningText =
  'MACs behind interfaces of mode promiscuous are learnt, and frames for MACs that nobody has been heard to have are flooded; otherwise these are dropped.';
const segment = {
  create: z.strictObject({
    uuid: ownUuid('segment'),
    ...names,
    mode: z.enum(['virtual', 'physical']).describe('virtual: an L2 domain of its own; physical: one that exists outside.'),
    learning: z.boolean().default(false).describe(learningText),
  }),
  update: z.strictObject({ ...rename, learning: z.boolean().optional().describe(learningText) }),
};

const physicalText = "With mode physical: the name in bridge_mappings of the bridge that leads to it; the network's uuid when null.";
const networkModes = z.enum(['virtual', 'physical', 'internal']);
const network = {
  create: z.strictObject({
    uuid: ownUuid('network'),
    ...names,
    domain_name: domainName.optional().describe('DNS domain told to VMs; the uuid without nw- when absent.'),
    mode: networkModes.optional().describe('virtual when absent.'),
    network_mode: networkModes.optional().describe('Same as mode.'),
    ...prefixes('Subnet', subnetBits.ipv4, subnetBits.ipv6),
    ipv6_slaac: z.boolean().default(false).describe('VMs form their own IPv6 addresses (EUI-64); leases must be those addresses.'),
    mtu: mtu.default(null).describe("Bytes, as told to VMs; null is the system's default."),
    dns_servers: dnsServers.default([]).describe('Addresses of DNS servers told to VMs.'),
    segment_uuid: reference('segment').nullable().default(null).describe('L2 domain the network lives in; one of its own when absent.'),
    physical_network: physicalNetwork.nullable().default(null).describe(physicalText),
    vrf: routingTable.nullable().default(null).describe('Routing table the network is in; that of the networks it is joined to when null.'),
  }),
  update: z.strictObject({
    ...rename,
    domain_name: domainName.optional().describe('DNS domain told to VMs.'),
    ...prefixes('Subnet', subnetBits.ipv4, subnetBits.ipv6),
    ipv6_slaac: z.boolean().optional().describe('VMs form their own IPv6 addresses (EUI-64); leases must be those addresses.'),
    mtu: mtu.optional().describe("Bytes, as told to VMs; null is the system's default."),
    dns_servers: dnsServers.optional().describe('Addresses of DNS servers told to VMs.'),
    physical_network: physicalNetwork.nullable().optional().describe(physicalText),
    vrf: routingTable.nullable().optional().describe('Routing table the network is in; that of the networks it is joined to when null.'),
  }),
};

const flagTexts = {
  enable_routing: 'The interface is a port of a virtual router (mode simulated).',
  enable_route_translation: 'Packets routed through it may be translated.',
  enable_filtering: "OpenVNet's filters apply; security groups apply regardless.",
};
const iface = {
  create: z.strictObject({
    uuid: ownUuid('interface'),
    ...names,
    mode: z
      .enum(['vif', 'simulated', 'host', 'internal', 'patch', 'promiscuous', 'remote'])
      .describe(
        "vif: the NIC of a VM; simulated: a router or service port that exists in flows only; host: a hypervisor's own, whose address is an end of the underlay; promiscuous: of whoever is behind it, in a segment with learning; the others are stored and not yet plumbed.",
      ),
    owner_datapath_uuid: reference('datapath')
      .nullable()
      .default(null)
      .describe('The only datapath where the interface may be plugged; any when absent.'),
    gateway_datapath_uuids: gatewayDatapaths.default([]).describe(gatewayText),
    port_name: portName
      .nullable()
      .default(null)
      .describe('OVS port name that binds the interface where external_ids:iface-id does not name it.'),
    mac_address: macAddress
      .optional()
      .describe('Makes a mac_lease with this address; one is made up when absent and addresses are wanted.'),
    segment_uuid: reference('segment').optional().describe("Segment of the mac_lease; the network's when absent."),
    network_uuid: reference('network').optional().describe('Network of ipv4_address and ipv6_address.'),
    ipv4_address: ipv4Address.optional().describe('Makes an ip_lease with this address in network_uuid.'),
    ipv6_address: ipv6Address.optional().describe('Makes an ip_lease with this address in network_uuid.'),
    enable_routing: z.boolean().default(false).describe(flagTexts.enable_routing),
    enable_route_translation: z.boolean().default(false).describe(flagTexts.enable_route_translation),
    enable_filtering: z.boolean().default(false).describe(flagTexts.enable_filtering),
    security_group_uuids: securityGroups.default([]).describe('Groups the interface is a member of; order does not matter.'),
  }),
  update: z.strictObject({
    ...rename,
    owner_datapath_uuid: reference('datapath')
      .nullable()
      .optional()
      .describe('The only datapath where the interface may be plugged; null for any.'),
    gateway_datapath_uuids: gatewayDatapaths.optional().describe(gatewayText),
    port_name: portName
      .nullable()
      .optional()
      .describe('OVS port name that binds the interface where external_ids:iface-id does not name it.'),
    enable_routing: z.boolean().optional().describe(flagTexts.enable_routing),
    enable_route_translation: z.boolean().optional().describe(flagTexts.enable_route_translation),
    enable_filtering: z.boolean().optional().describe(flagTexts.enable_filtering),
    security_group_uuids: securityGroups.optional().describe('Groups the interface is a member of; replaces the list.'),
  }),
};

const macLease = {
  create: z.strictObject({
    uuid: ownUuid('mac_lease'),
    interface_uuid: reference('interface').describe('The interface that gets the address.'),
    mac_address: macAddress.describe('Unique in its L2 domain.'),
    segment_uuid: reference('segment')
      .nullable()
      .default(null)
      .describe('Segment the address lives in; none for a network without segment.'),
  }),
  update: z.strictObject({
    interface_uuid: reference('interface').optional().describe('Moves the address, and the ip_leases on it, to another interface.'),
    segment_uuid: reference('segment').nullable().optional().describe('Segment the address lives in.'),
  }),
};

const ipLease = {
  create: z.strictObject({
    uuid: ownUuid('ip_lease'),
    network_uuid: reference('network').describe('The network the address belongs to.'),
    ipv4_address: ipv4Address.optional().describe('Exactly one of ipv4_address and ipv6_address.'),
    ipv6_address: ipv6Address.optional().describe('Exactly one of ipv4_address and ipv6_address.'),
    mac_lease_uuid: reference('mac_lease').nullable().default(null).describe('The MAC that answers for the address.'),
    interface_uuid: reference('interface')
      .nullable()
      .default(null)
      .describe('Stands for the first mac_lease of this interface. Without both the address is only reserved.'),
    enable_routing: z.boolean().default(false).describe("Kept for OpenVNet's clients; has no effect."),
  }),
  update: z.strictObject({
    mac_lease_uuid: reference('mac_lease').nullable().optional().describe('Attaches the address to this MAC; null releases it.'),
    interface_uuid: reference('interface')
      .nullable()
      .optional()
      .describe('Attaches the address to the first mac_lease of this interface; null releases it.'),
    enable_routing: z.boolean().optional().describe("Kept for OpenVNet's clients; has no effect."),
  }),
};

const securityGroup = {
  create: z.strictObject({
    uuid: ownUuid('security_group'),
    ...names,
    default: z
      .enum(['deny', 'allow'])
      .default('deny')
      .describe('What becomes of what no rule decides: deny closes ingress, and egress once there is an egress rule that allows.'),
    tier: z.enum(TIERS).default('tenant').describe('Of rules that name none.'),
    rules: rules.default([]).describe('What members accept and, once there is an egress rule, may send.'),
  }),
  update: z.strictObject({
    ...rename,
    default: z.enum(['deny', 'allow']).optional().describe('What becomes of what no rule decides.'),
    tier: z.enum(TIERS).optional().describe('Of rules that name none.'),
    rules: rules.optional().describe('Replaces the list.'),
  }),
};

const addressSet = {
  create: z.strictObject({
    uuid: ownUuid('address_set'),
    ...names,
    addresses: addresses.default([]).describe('Prefixes of either family.'),
  }),
  update: z.strictObject({ ...rename, addresses: addresses.optional().describe('Replaces the list.') }),
};

const passthroughs = {
  ingress_passthrough: 'What no row decides passes towards the interface.',
  egress_passthrough: 'What no row decides passes from the interface.',
};
const filter = {
  create: z.strictObject({
    uuid: ownUuid('filter'),
    interface_uuid: reference('interface').describe('The interface that is filtered, while its enable_filtering is on.'),
    mode: z.literal('static').describe('The only mode.'),
    ingress_passthrough: z.boolean().default(false).describe(passthroughs.ingress_passthrough),
    egress_passthrough: z.boolean().default(false).describe(passthroughs.egress_passthrough),
    statics: statics.default([]).describe('The rows.'),
  }),
  update: z.strictObject({
    ingress_passthrough: z.boolean().optional().describe(passthroughs.ingress_passthrough),
    egress_passthrough: z.boolean().optional().describe(passthroughs.egress_passthrough),
    statics: statics.optional().describe('Replaces the rows.'),
  }),
};

const networkService = {
  create: z.strictObject({
    uuid: ownUuid('network_service'),
    ...names,
    mode: z
      .enum(['dhcp', 'dns', 'router'])
      .describe('dhcp answers on the networks of its interface; the others are stored and not yet served.'),
    interface_uuid: reference('interface').nullable().default(null).describe('The simulated interface that answers.'),
    incoming_port: udpPort.default(null).describe("Kept for OpenVNet's clients; has no effect."),
    outgoing_port: udpPort.default(null).describe("Kept for OpenVNet's clients; has no effect."),
  }),
  update: z.strictObject({
    ...rename,
    incoming_port: udpPort.optional().describe("Kept for OpenVNet's clients; has no effect."),
    outgoing_port: udpPort.optional().describe("Kept for OpenVNet's clients; has no effect."),
  }),
};

const interfacePort = {
  create: z.strictObject({
    uuid: ownUuid('interface_port'),
    interface_uuid: reference('interface').describe('The interface that may be there.'),
    datapath_uuid: reference('datapath').nullable().default(null).describe('The datapath; any when absent.'),
    port_name: portName
      .nullable()
      .default(null)
      .describe('OVS port name that is the interface there; without it only external_ids:iface-id is.'),
    singular: z.boolean().default(true).describe("Kept for OpenVNet's clients; an interface is in one place at a time regardless."),
  }),
  update: z.strictObject({
    port_name: portName.nullable().optional().describe('OVS port name that is the interface there.'),
  }),
};

const ownMacText = 'Stands for the datapath on that underlay, unique among such rows; one is made up when absent.';
const ownLeaseText = "The lease of the interface that is the datapath's address; null is its first.";
const hostText = "The hypervisor's own interface (mode host) that leads to the other datapaths.";
const underlay = {
  create: {
    interface_uuid: reference('interface').describe(hostText),
    mac_address: macAddress.optional().describe(ownMacText),
    ip_lease_uuid: reference('ip_lease').nullable().default(null).describe(ownLeaseText),
  },
  update: {
    interface_uuid: reference('interface').optional().describe(hostText),
    mac_address: macAddress.optional().describe(ownMacText),
    ip_lease_uuid: reference('ip_lease').nullable().optional().describe(ownLeaseText),
  },
};
const linkedDatapath = reference('datapath').describe('The datapath that others may reach.');
const datapathNetwork = {
  create: z.strictObject({
    uuid: ownUuid('datapath_network'),
    datapath_uuid: linkedDatapath,
    network_uuid: reference('network').describe('The network that may cross to it.'),
    ...underlay.create,
  }),
  update: z.strictObject(underlay.update),
};
const datapathSegment = {
  create: z.strictObject({
    uuid: ownUuid('datapath_segment'),
    datapath_uuid: linkedDatapath,
    segment_uuid: reference('segment').describe('The segment that may cross to it.'),
    ...underlay.create,
  }),
  update: z.strictObject(underlay.update),
};
const datapathRouteLink = {
  create: z.strictObject({
    uuid: ownUuid('datapath_route_link'),
    datapath_uuid: linkedDatapath,
    route_link_uuid: reference('route_link').describe('The virtual router that may cross to it.'),
    ...underlay.create,
  }),
  update: z.strictObject(underlay.update),
};

const encapsulationText = 'What the two use, whatever they prefer; both have to offer it. null: what both offer and prefer most.';
const mac2macText = 'Whether frames may go without a tunnel where both ends are on one L2 and allow it.';
const tunnel = {
  create: z.strictObject({
    uuid: ownUuid('tunnel'),
    datapath_uuid: reference('datapath').describe('One end.'),
    peer_datapath_uuid: reference('datapath').describe('The other end.'),
    encapsulation: encapsulation.nullable().default(null).describe(encapsulationText),
    mac2mac: z.boolean().default(true).describe(mac2macText),
  }),
  update: z.strictObject({
    encapsulation: encapsulation.nullable().optional().describe(encapsulationText),
    mac2mac: z.boolean().optional().describe(mac2macText),
  }),
};

/** Parameters of create and update of every kind a user can create. */
export const INPUTS = {
  datapath,
  segment,
  network,
  interface: iface,
  mac_lease: macLease,
  ip_lease: ipLease,
  route_link: routeLink,
  route,
  policy_route: policyRoute,
  router,
  security_group: securityGroup,
  network_service: networkService,
  interface_port: interfacePort,
  datapath_network: datapathNetwork,
  datapath_segment: datapathSegment,
  datapath_route_link: datapathRouteLink,
  tunnel,
  address_set: addressSet,
  filter,
  floating_ip: floatingIp,
  nat_rule: natRule,
  translation,
} as const satisfies Record<UserKind, { readonly create: z.ZodObject; readonly update: z.ZodObject }>;

export type CreateInput<K extends UserKind> = z.output<(typeof INPUTS)[K]['create']>;
export type UpdateInput<K extends UserKind> = z.output<(typeof INPUTS)[K]['update']>;
