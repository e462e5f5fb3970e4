/**
 * The fields users write, as zod schemas.
 *
 * Owns: what a uuid, name, address, prefix length or rule may look like in a request, and its canonical text.
 * Promises: every string and array is bounded; an accepted address comes out canonical; each schema keeps its plain JSON type, so that the
 * API description, the query string and vnctl can be made from it.
 */
import { z } from 'zod';
import { AddressError } from '../net/address-error.js';
import { formatCidr, parseCidr } from '../net/cidr.js';
import { formatIp, formatIpv4, formatIpv6, parseIp, parseIpv4, parseIpv6 } from '../net/ip.js';
import { formatMac, isMulticastMac, parseMac } from '../net/mac.js';
import { formatPortRange, parsePortRange } from '../net/ranges.js';
import { KINDS, type UserKind } from './entities.js';
import { DEFAULT_RULE_PRIORITY, MAX_RULE_PRIORITY, TIERS } from './entities/security-group.js';

/** A string that `canonical` rewrites; what it throws as an AddressError is the complaint. */
function text(max: number, canonical: (value: string) => string) {
  return z
    .string()
    .max(max)
    .check((context) => {
      try {
        context.value = canonical(context.value);
      } catch (error) {
        if (!(error instanceof AddressError)) throw error;
        context.issues.push({ code: 'custom', message: error.message, input: context.value });
      }
    });
}

export function uuidField(prefix: string) {
  return z
    .string()
    .max(prefix.length + 33)
    .regex(new RegExp(`^${prefix}-[a-z0-9][a-z0-9-]{0,31}$`), `must be ${prefix}- and 1 to 32 of a-z 0-9 -`);
}

/** The uuid of an entity of this kind. */
export function reference(kind: UserKind) {
  return uuidField(KINDS[kind].prefix);
}

/** What a create may be told to use as uuid. */
export function ownUuid(kind: UserKind) {
  return reference(kind).optional().describe(`Chosen uuid, ${KINDS[kind].prefix}-…; one is made up when absent.`);
}

export const displayName = z
  .string()
  .max(255)
  .regex(/^\P{Cc}*$/u, 'must not contain control characters');

export const domainName = z
  .string()
  .max(253)
  .regex(
    /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*)?$/i,
    'must be labels of letters, digits and inner dashes, joined by dots',
  );

/** Name of a routing table. */
/** Of a physical network: as a key of bridge_mappings. */
export const physicalNetwork = z.string().min(1).max(63);

export const routingTable = z
  .string()
  .max(63)
  .regex(/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/, 'must be letters, digits, and . _ - between them');

/** A datapath id in hex, with or without 0x. */
export const dpid = text(18, (value) => {
  const digits = /^(?:0x)?([0-9a-f]{1,16})$/i.exec(value)?.[1];
  if (digits === undefined) throw new AddressError(value, 'a datapath id is 1 to 16 hex digits, with or without 0x');
  if (/^0+$/.test(digits)) throw new AddressError(value, 'a datapath id is not zero');
  return `0x${digits.toLowerCase().padStart(16, '0')}`;
});

export const nodeId = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces');

/** An OVS port name; 15 bytes is what Linux allows. */
export const portName = z
  .string()
  .min(1)
  .max(15)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*$/, 'must be 1 to 15 of A-Z a-z 0-9 . _ - and not start with . or -');

export const macAddress = text(17, (value) => {
  const mac = parseMac(value);
  if (isMulticastMac(mac)) throw new AddressError(value, 'this is a multicast address');
  if (mac === 0) throw new AddressError(value, 'this is no address');
  return formatMac(mac);
});

export const ipv4Address = text(45, (value) => formatIpv4(parseIpv4(value)));
export const ipv6Address = text(45, (value) => formatIpv6(parseIpv6(value)));
export const ipAddress = text(45, (value) => formatIp(parseIp(value)));
export const cidr = text(49, (value) => formatCidr(parseCidr(value)));

export const ports = text(11, (value) => {
  const range = parsePortRange(value);
  if (range.lo === 0) throw new AddressError(value, 'ports begin at 1');
  return formatPortRange(range);
});

export const securityGroupRuleInput = z.strictObject({
  uuid: uuidField('sgr').optional().describe('Kept when the list is replaced: a rule that comes back with its uuid is the same rule.'),
  direction: z.enum(['ingress', 'egress']).describe('Towards the member, or from it.'),
  action: z.enum(['allow', 'drop', 'reject']).optional().describe('allow when absent. reject answers with a TCP reset or an ICMP error.'),
  priority: z
    .int()
    .min(0)
    .max(MAX_RULE_PRIORITY)
    .optional()
    .describe(
      `0 to ${MAX_RULE_PRIORITY}, higher first; ${DEFAULT_RULE_PRIORITY} when absent. At one priority drop comes before reject before allow.`,
    ),
  tier: z
    .enum(TIERS)
    .nullable()
    .optional()
    .describe("Rules of admin come before those of tenant, and these before baseline; the group's when absent."),
  stateful: z
    .boolean()
    .optional()
    .describe('Replies of what it allows pass without a rule of their own. true when absent; only with allow.'),
  persist_established: z
    .boolean()
    .optional()
    .describe('Connections it has allowed go on after it is gone, until a rule drops or rejects them. Only with allow and stateful.'),
  log: z
    .strictObject({ rate: z.int().min(1).max(1000).default(10).describe('Lines per second, on each hypervisor.') })
    .nullable()
    .optional()
    .describe('Log the connections it allows, or the packets it drops or rejects.'),
  family: z.enum(['ipv4', 'ipv6']).nullable().optional().describe('Both when absent, unless protocol or remote decide it.'),
  protocol: z.enum(['tcp', 'udp', 'sctp', 'icmp', 'icmpv6', 'any']),
  ports: z
    .array(ports)
    .max(64)
    .optional()
    .describe('Destination ports, such as "22" or "8000-8100"; every port when absent. Only with tcp, udp and sctp.'),
  icmp_type: z.int().min(0).max(255).nullable().optional().describe('Only with icmp and icmpv6.'),
  icmp_code: z.int().min(0).max(255).nullable().optional().describe('Only with icmp_type.'),
  remote: z
    .union(
      [
        z.strictObject({ any: z.literal(true) }),
        z.strictObject({ cidr }),
        z.strictObject({ security_group_uuid: reference('security_group') }),
        z.strictObject({ address_set_uuid: reference('address_set') }),
      ],
      'must be {"any": true}, {"cidr": "…"}, {"security_group_uuid": "…"} or {"address_set_uuid": "…"}',
    )
    .describe('The other end: any address, a prefix, the members of a group, or the prefixes of an address set.'),
});

/** 0 is OpenVNet's word for any. */
const filterPort = z.int().min(0).max(65535).nullable().optional();
const ipv4Cidr = text(18, (value) => {
  const parsed = parseCidr(value.includes('/') ? value : `${value}/32`);
  if (parsed.family !== 'ipv4')
    throw new AddressError(value, 'filters match IPv4 addresses; a row without addresses matches both families');
  return formatCidr(parsed);
})
  .nullable()
  .optional();

export const filterStaticInput = z.strictObject({
  protocol: z.enum(['tcp', 'udp', 'icmp', 'arp', 'ip']),
  action: z
    .enum(['pass', 'drop', 'conn'])
    .describe('pass and drop in both directions; conn lets the interface open connections and their replies come back.'),
  src_address: ipv4Cidr.describe('The other end, IPv4 address or prefix; any when absent.'),
  dst_address: ipv4Cidr.describe("The interface's own address or prefix; any when absent."),
  src_port: filterPort.describe('Port of the other end; any when absent or 0. Only with tcp and udp.'),
  dst_port: filterPort.describe('Port of the interface; any when absent or 0. Only with tcp and udp.'),
});
