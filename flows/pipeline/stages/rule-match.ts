/**
 * What one security group rule matches, as alternatives per dimension.
 *
 * Owns: services (family, protocol, ports, ICMP) and remotes of a rule as match fields.
 * Promises: the alternatives of one dimension are as few as masks allow; port masks are disjoint.
 */
import { networkIp, parseCidr } from '../../net/cidr.js';
import { mergeRanges, parsePortRange, portMasks } from '../../net/ranges.js';
import type { SecurityGroupRule } from '../../model/entities/security-group.js';
import type { OxmField } from '../../openflow/match.js';
import { FAMILIES, fromAddress, is, isFamily, PROTO, toAddress, type Family } from '../build.js';
import { classesWithGroup } from '../indexes.js';
import { regMatch, type RegisterName } from '../registers.js';
import type { Lookup } from '../rule.js';

export type Alternatives = readonly (readonly OxmField[])[];

const PROTOCOL_FAMILY: Partial<Record<SecurityGroupRule['protocol'], Family>> = { icmp: 'ipv4', icmpv6: 'ipv6' };

/** A fragment that is not the first: it has no ports and no ICMP type. */
export const isLaterFragment = is('ip_frag', 3, 3);

/** undefined: any remote. An empty list: nobody, now. */
export function remoteAlternatives(one: SecurityGroupRule, look: Lookup, identity: RegisterName): Alternatives | undefined {
  const address = one.direction === 'ingress' ? fromAddress : toAddress;
  const prefixes = (cidrs: readonly string[]): Alternatives | undefined => {
    const parsed = cidrs.map(parseCidr);
    if (FAMILIES.every((family) => parsed.some((cidr) => cidr.family === family && cidr.prefix === 0))) return undefined;
    return parsed.map((cidr) => address(networkIp(cidr), cidr.prefix));
  };
  if ('any' in one.remote) return undefined;
  if ('cidr' in one.remote) return prefixes([one.remote.cidr]);
  if ('address_set_uuid' in one.remote) return prefixes(look.get('address_set', one.remote.address_set_uuid)?.addresses ?? []);
  return look.all(classesWithGroup, one.remote.security_group_uuid).map((c) => [regMatch(identity, c.policy_class_key)]);
}

export function serviceAlternatives(one: SecurityGroupRule): Alternatives {
  return familiesOf(one).flatMap((family): OxmField[][] => {
    const ip = isFamily(family);
    switch (one.protocol) {
      case 'any':
        return [[ip]];
      case 'icmp':
        return icmpMatches(one, [ip, is('nw_proto', PROTO.icmp)], 'icmp_type', 'icmp_code');
      case 'icmpv6':
        return icmpMatches(one, [ip, is('nw_proto', PROTO.icmpv6)], 'icmpv6_type', 'icmpv6_code');
      case 'tcp':
      case 'udp':
      case 'sctp': {
        const protocol = [ip, is('nw_proto', PROTO[one.protocol])];
        if (one.ports.length === 0) return [protocol];
        const port = `${one.protocol}_dst` as const;
        const masks = mergeRanges(one.ports.map(parsePortRange)).flatMap(({ lo, hi }) => portMasks(lo, hi));
        const rows = masks.map(({ value, mask }) =>
          mask === 0 ? protocol : [...protocol, mask === 0xffff ? is(port, value) : is(port, value, mask)],
        );
        return [...rows, ...fragmentsOf(one, protocol)];
      }
    }
  });
}

/** What family, protocol and remote agree on; nothing when they contradict each other. */
function familiesOf(one: SecurityGroupRule): readonly Family[] {
  const named = [one.family, PROTOCOL_FAMILY[one.protocol], 'cidr' in one.remote ? parseCidr(one.remote.cidr).family : undefined];
  return FAMILIES.filter((family) => named.every((other) => other === undefined || other === null || other === family));
}

function icmpMatches(
  one: SecurityGroupRule,
  protocol: readonly OxmField[],
  type: 'icmp_type' | 'icmpv6_type',
  code: 'icmp_code' | 'icmpv6_code',
): OxmField[][] {
  if (one.icmp_type === null) return [[...protocol]];
  const match = [...protocol, is(type, one.icmp_type)];
  if (one.icmp_code !== null) match.push(is(code, one.icmp_code));
  return [match, ...fragmentsOf(one, protocol)];
}

/** Without conntrack later fragments are told by address and protocol alone; with it, it holds them until the first was admitted. */
function fragmentsOf(one: SecurityGroupRule, protocol: readonly OxmField[]): OxmField[][] {
  return one.action === 'allow' && !one.stateful ? [[...protocol, isLaterFragment]] : [];
}

/** One match per combination; a field both sides have (the family) is kept once, and combinations that contradict themselves are left out. */
export function product(clauses: readonly Alternatives[]): OxmField[][] {
  let rows: OxmField[][] = [[]];
  for (const alternatives of clauses) {
    rows = rows.flatMap((row) =>
      alternatives.flatMap((extra) => {
        const clash = extra.some((f) => f.field === 'eth_type' && row.some((g) => g.field === f.field && g.value !== f.value));
        return clash ? [] : [[...row, ...extra.filter((f) => !row.some((g) => g.field === f.field))]];
      }),
    );
  }
  return rows;
}
