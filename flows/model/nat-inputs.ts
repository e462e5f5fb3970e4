/**
 * What users may set of floating IPs, NAT rules and translations.
 *
 * Owns: the parameters of create and update of these kinds; inputs.ts lists them with the others.
 * Promises: as inputs.ts. Translations have OpenVNet's names.
 */
import { z } from 'zod';
import type { TranslationStatic } from './entities/nat.js';
import { cidr, displayName, ipAddress, ipv4Address, macAddress, ownUuid, reference } from './input-fields.js';

const words = {
  outside: 'The outside network, which the router has a port in.',
  mac: 'MAC that hosts of that network are told for the address; one is made up when absent.',
  floating: 'The address outside. Nobody else may have it.',
  interface: 'The interface it stands for. With null it stands for none.',
  fixed: 'Which address of the interface; its only one of that family when absent.',
  lease: 'The same as interface_uuid and fixed_ip_address: the lease of that address.',
  snat: "The address packets leave with: the router's own in that network, or one that nobody has.",
  source: 'For packets from this prefix; from everything behind the router when null.',
  place: 'The hypervisor where it is done; one of those that have a part in it when null.',
  passthrough: 'What no row names passes the interface as it is; otherwise it is dropped.',
  rows: 'The rows.',
};

export const floatingIp = {
  create: z.strictObject({
    uuid: ownUuid('floating_ip'),
    display_name: displayName.default('').describe('Free text for people.'),
    network_uuid: reference('network').describe(words.outside),
    ip_address: ipAddress.describe(words.floating),
    mac_address: macAddress.optional().describe(words.mac),
    router_uuid: reference('router').optional().describe('The router that translates; where it can be only one, that one when absent.'),
    route_link_uuid: reference('route_link').nullable().default(null).describe('The router by its route link.'),
    interface_uuid: reference('interface').nullable().default(null).describe(words.interface),
    fixed_ip_address: ipAddress.optional().describe(words.fixed),
    ip_lease_uuid: reference('ip_lease').nullable().default(null).describe(words.lease),
  }),
  update: z.strictObject({
    display_name: displayName.optional().describe('Free text for people.'),
    interface_uuid: reference('interface').nullable().optional().describe(words.interface),
    fixed_ip_address: ipAddress.optional().describe(words.fixed),
    ip_lease_uuid: reference('ip_lease').nullable().optional().describe(words.lease),
  }),
};

export const natRule = {
  create: z.strictObject({
    uuid: ownUuid('nat_rule'),
    type: z.literal('snat').default('snat').describe('The only type.'),
    route_link_uuid: reference('route_link').describe('The virtual router.'),
    network_uuid: reference('network').describe(words.outside),
    ip_address: ipAddress.describe(words.snat),
    mac_address: macAddress.optional().describe(words.mac),
    source: cidr.nullable().default(null).describe(words.source),
    datapath_uuid: reference('datapath').nullable().default(null).describe(words.place),
  }),
  update: z.strictObject({
    source: cidr.nullable().optional().describe(words.source),
    datapath_uuid: reference('datapath').nullable().optional().describe(words.place),
  }),
};

export const routerNatInput = z.strictObject({
  type: z.literal('snat').optional().describe('The only type.'),
  network_uuid: reference('network').describe(words.outside),
  ip_address: ipAddress.describe(words.snat),
  source: cidr.nullable().optional().describe(words.source),
  datapath_uuid: reference('datapath').nullable().optional().describe(words.place),
});

export type RouterNatInput = z.output<typeof routerNatInput>;

const portNumber = z.int().min(1).max(65535).nullable().optional();

export const translationStaticInput = z.strictObject({
  ingress_ipv4_address: ipv4Address.describe('The address outside of the interface: one that is leased to it.'),
  egress_ipv4_address: ipv4Address.describe('The address behind it.'),
  ingress_port_number: portNumber.describe('TCP and UDP port outside; with egress_port_number or not at all.'),
  egress_port_number: portNumber.describe('TCP and UDP port behind.'),
  route_link_uuid: reference('route_link')
    .nullable()
    .optional()
    .describe('Only for this router; for any that has the interface when absent.'),
  ingress_network_uuid: reference('network').nullable().optional().describe("Kept for OpenVNet's clients; has no effect."),
  egress_network_uuid: reference('network').nullable().optional().describe("Kept for OpenVNet's clients; has no effect."),
});

export type TranslationStaticInput = z.output<typeof translationStaticInput>;

/** A row as it is stored. */
export function translationStaticFrom(input: TranslationStaticInput): TranslationStatic {
  return {
    route_link_uuid: input.route_link_uuid ?? null,
    ingress_ipv4_address: input.ingress_ipv4_address,
    egress_ipv4_address: input.egress_ipv4_address,
    ingress_port_number: input.ingress_port_number ?? null,
    egress_port_number: input.egress_port_number ?? null,
  };
}

const rows = z.array(translationStaticInput).max(1_000);

export const translation = {
  create: z.strictObject({
    uuid: ownUuid('translation'),
    interface_uuid: reference('interface').describe("A router's interface, with enable_route_translation."),
    mode: z.literal('static_address').describe('The only mode.'),
    passthrough: z.boolean().default(false).describe(words.passthrough),
    static_addresses: rows.default([]).describe(words.rows),
  }),
  update: z.strictObject({
    passthrough: z.boolean().optional().describe(words.passthrough),
    static_addresses: rows.optional().describe('Replaces the rows.'),
  }),
};
