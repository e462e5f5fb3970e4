/**
 * Which packets of an interface a live trace follows.
 *
 * Owns: the filter, what is wrong with one, and the matches it comes to.
 * Promises: a filter that passes `liveFilterReasons` names something of the packet beyond its being IP; its matches do not overlap.
 */
import { z } from 'zod';
import type { Reason } from '../model/errors.js';
import { cidrContains, networkIp, parsePrefix, type Cidr } from '../net/cidr.js';
import { formatIp, type Ip } from '../net/ip.js';
import type { OxmField } from '../openflow/match.js';
import type { FieldName } from '../openflow/fields.js';
import { fromAddress, FAMILIES, is, isArp, isFamily, PROTO, toAddress, type Family } from './build.js';

const port = z.int().min(0).max(65_535);
const PROTOCOLS = ['tcp', 'udp', 'sctp', 'icmp', 'icmpv6', 'arp'] as const;
const WITH_PORTS: readonly string[] = ['tcp', 'udp', 'sctp'];

export const liveFilterSchema = z.strictObject({
  protocol: z
    .union([z.enum(PROTOCOLS), z.int().min(0).max(255)])
    .optional()
    .describe('tcp, udp, sctp, icmp, icmpv6, arp, or the number of an IP protocol.'),
  source: z.string().max(64).optional().describe('Address or prefix.'),
  destination: z.string().max(64).optional().describe('Address or prefix.'),
  source_port: port.optional().describe('With tcp, udp and sctp.'),
  destination_port: port.optional().describe('With tcp, udp and sctp.'),
  icmp_type: z.int().min(0).max(255).optional().describe('With icmp and icmpv6.'),
  icmp_code: z.int().min(0).max(255).optional().describe('With icmp and icmpv6.'),
});

export type LiveFilter = Readonly<z.output<typeof liveFilterSchema>>;

/** What keeps it from being a filter; pointers are into it. */
export function liveFilterReasons(filter: LiveFilter): Reason[] {
  const { protocol } = filter;
  const reasons: Reason[] = [];
  const refuse = (field: keyof LiveFilter | '', detail: string) => reasons.push({ pointer: field === '' ? '' : `/${field}`, detail });
  const prefixes: Partial<Record<'source' | 'destination', Cidr>> = {};
  for (const end of ['source', 'destination'] as const) {
    const text = filter[end];
    if (text === undefined) continue;
    const cidr = prefixOf(text);
    if (cidr === undefined) refuse(end, `must be an address or a prefix without bits behind it, not ${text}`);
    else prefixes[end] = cidr;
  }
  for (const field of ['source_port', 'destination_port'] as const)
    if (filter[field] !== undefined && !WITH_PORTS.includes(String(protocol))) refuse(field, 'needs protocol tcp, udp or sctp');
  for (const field of ['icmp_type', 'icmp_code'] as const)
    if (filter[field] !== undefined && protocol !== 'icmp' && protocol !== 'icmpv6') refuse(field, 'needs protocol icmp or icmpv6');
  const { source, destination } = prefixes;
  if (source !== undefined && destination !== undefined && source.family !== destination.family)
    refuse('destination', `is of another family than ${filter.source}`);
  const needed = protocol === 'icmp' || protocol === 'arp' ? 'ipv4' : protocol === 'icmpv6' ? 'ipv6' : undefined;
  for (const end of ['source', 'destination'] as const)
    if (needed !== undefined && prefixes[end] !== undefined && prefixes[end].family !== needed)
      refuse(end, `${protocol} has no ${prefixes[end].family} addresses`);
  const names = [source, destination].some((cidr) => cidr !== undefined && cidr.prefix > 0) || protocol !== undefined;
  if (!names && reasons.length === 0) refuse('', 'matches every packet; name a protocol, an address or a port');
  return reasons;
}

/** @param filter one without anything wrong. Each list is a match of its own. */
export function liveMatches(filter: LiveFilter): OxmField[][] {
  const { protocol } = filter;
  const source = filter.source === undefined ? undefined : prefixOf(filter.source)!;
  const destination = filter.destination === undefined ? undefined : prefixOf(filter.destination)!;
  if (protocol === 'arp') return [[isArp, ...arpEnd('arp_spa', source), ...arpEnd('arp_tpa', destination)]];
  const only = source?.family ?? destination?.family ?? (protocol === 'icmp' ? 'ipv4' : protocol === 'icmpv6' ? 'ipv6' : undefined);
  return FAMILIES.filter((family) => only === undefined || family === only).map((family) => [
    isFamily(family),
    ...(source === undefined ? [] : fromAddress(networkIp(source), source.prefix).filter(isNotType)),
    ...(destination === undefined ? [] : toAddress(networkIp(destination), destination.prefix).filter(isNotType)),
    ...upper(filter, family),
  ]);
}

/** As `liveMatches`, of packets from this address alone; none where the filter leaves them out. */
export function liveMatchesFrom(filter: LiveFilter, address: Ip): OxmField[][] {
  const source = filter.source === undefined ? undefined : prefixOf(filter.source)!;
  const narrowed = { ...filter, source: formatIp(address) };
  if ((source !== undefined && !cidrContains(source, address)) || liveFilterReasons(narrowed).length > 0) return [];
  return liveMatches(narrowed);
}

function upper({ protocol, source_port, destination_port, icmp_type, icmp_code }: LiveFilter, family: Family): OxmField[] {
  if (protocol === undefined) return [];
  const match = [is('nw_proto', typeof protocol === 'number' ? protocol : PROTO[protocol as keyof typeof PROTO])];
  const add = (field: string, value: number | undefined) => {
    if (value !== undefined) match.push(is(field as FieldName, value));
  };
  add(`${protocol}_src`, source_port);
  add(`${protocol}_dst`, destination_port);
  const icmp = family === 'ipv4' ? 'icmp' : 'icmpv6';
  add(`${icmp}_type`, icmp_type);
  add(`${icmp}_code`, icmp_code);
  return match;
}

function isNotType({ field }: OxmField): boolean {
  return field !== 'eth_type';
}

function arpEnd(field: 'arp_spa' | 'arp_tpa', cidr: Cidr | undefined): OxmField[] {
  if (cidr === undefined) return [];
  return fromAddress(networkIp(cidr), cidr.prefix)
    .filter(isNotType)
    .map((oxm) => ({ ...oxm, field }));
}

function prefixOf(text: string): Cidr | undefined {
  try {
    return parsePrefix(text);
  } catch {
    return undefined;
  }
}
