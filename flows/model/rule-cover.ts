/**
 * When one security group rule admits all that another does.
 */
import { cidrCovers, parseCidr } from '../net/cidr.js';
import { mergeRanges, parsePortRange } from '../net/ranges.js';
import type { RuleRemote, SecurityGroupRule } from './entities/security-group.js';

/** What of a rule decides which packets it admits. */
export type RuleContent = Omit<SecurityGroupRule, 'uuid' | 'rule_key'>;

/** Sufficient, not necessary: false may be answered where a closer look would find that `wide` does cover. */
export function ruleCovers(wide: RuleContent, narrow: RuleContent): boolean {
  return (
    wide.direction === narrow.direction &&
    wide.action === narrow.action &&
    (wide.family === null || wide.family === narrow.family) &&
    (wide.protocol === 'any' || wide.protocol === narrow.protocol) &&
    portsCover(wide.ports, narrow.ports) &&
    (wide.icmp_type === null || wide.icmp_type === narrow.icmp_type) &&
    (wide.icmp_code === null || wide.icmp_code === narrow.icmp_code) &&
    remoteCovers(wide.remote, narrow.remote)
  );
}

function portsCover(wide: readonly string[], narrow: readonly string[]): boolean {
  if (wide.length === 0) return true;
  const ranges = mergeRanges(wide.map(parsePortRange));
  return narrow.length > 0 && narrow.map(parsePortRange).every(({ lo, hi }) => ranges.some((range) => range.lo <= lo && hi <= range.hi));
}

function remoteCovers(wide: RuleRemote, narrow: RuleRemote): boolean {
  if ('any' in wide) return true;
  if ('cidr' in wide) return 'cidr' in narrow && cidrCovers(parseCidr(wide.cidr), parseCidr(narrow.cidr));
  if ('address_set_uuid' in wide) return 'address_set_uuid' in narrow && wide.address_set_uuid === narrow.address_set_uuid;
  return 'security_group_uuid' in narrow && wide.security_group_uuid === narrow.security_group_uuid;
}
