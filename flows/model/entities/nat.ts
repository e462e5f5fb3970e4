/**
 * Addresses of an outside network that stand for others behind a router: floating IPs, source NAT, OpenVNet's translations.
 */
import { z } from 'zod';
import { routerUuid, stamps, uuid } from './fields.js';

/** One address of an outside network for one address behind a router, in both directions. */
export const floatingIpSchema = z.strictObject({
  kind: z.literal('floating_ip'),
  uuid: uuid('fip'),
  display_name: z.string().max(255),
  /** The outside network: one the router has a port in. */
  network_uuid: uuid('nw'),
  ip_address: z.string(),
  /** What hosts of that network are told when they ask for the address. */
  mac_address: z.string(),
  /** The router that translates. */
  route_link_uuid: uuid('rl').nullable(),
  /** The address it stands for; null: none for now. */
  ip_lease_uuid: uuid('il').nullable(),
  ...stamps,
});

/** What leaves a router to an outside network does so from another address. */
export const natRuleSchema = z.strictObject({
  kind: z.literal('nat_rule'),
  uuid: uuid('nat'),
  type: z.literal('snat'),
  route_link_uuid: uuid('rl'),
  /** The outside network: one the router has a port in. */
  network_uuid: uuid('nw'),
  /** The router's own there, or one that nobody has. */
  ip_address: z.string(),
  /** Of an address that is not the router's own. */
  mac_address: z.string(),
  /** Prefix of the addresses it is for; null: all that are behind the router. */
  source: z.string().nullable(),
  /** Where it is done; null: wherever the system chooses. */
  datapath_uuid: uuid('dp').nullable(),
  router_uuid: routerUuid(),
  ...stamps,
});

/** One row of a translation. Outside of the interface the host is known by the ingress address, behind it by the egress address. */
export const translationStaticSchema = z.strictObject({
  /** Only by this router; null: any that has the interface. */
  route_link_uuid: uuid('rl').nullable(),
  ingress_ipv4_address: z.string(),
  egress_ipv4_address: z.string(),
  /** TCP and UDP; null: whatever the protocol. Both or neither. */
  ingress_port_number: z.int().min(1).max(65535).nullable(),
  egress_port_number: z.int().min(1).max(65535).nullable(),
});

/** OpenVNet's translations: static addresses and ports at a router's interface. */
export const translationSchema = z.strictObject({
  kind: z.literal('translation'),
  uuid: uuid('tr'),
  interface_uuid: uuid('if'),
  mode: z.literal('static_address'),
  /** What no row names passes the interface as it is. */
  passthrough: z.boolean(),
  static_addresses: z.array(translationStaticSchema).max(1_000),
  ...stamps,
});

export type FloatingIp = Readonly<z.infer<typeof floatingIpSchema>>;
export type NatRule = Readonly<z.infer<typeof natRuleSchema>>;
export type TranslationStatic = Readonly<z.infer<typeof translationStaticSchema>>;
export type Translation = Readonly<z.infer<typeof translationSchema>>;
