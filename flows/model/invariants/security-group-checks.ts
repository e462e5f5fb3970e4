/**
 * Rules of security groups: which parts go together.
 */
import { parseCidr } from '../../net/cidr.js';
import type { SecurityGroupRule } from '../entities/security-group.js';
import { ruleKey } from '../indexes.js';
import { complainAbout, type Change, type Check } from './check.js';

const WITH_PORTS: readonly string[] = ['tcp', 'udp', 'sctp'];
const ICMP: readonly string[] = ['icmp', 'icmpv6'];

export function checkSecurityGroup(check: Check, { after }: Change<'security_group'>): void {
  if (after === undefined) return;
  const complain = complainAbout(check, after);
  const seen = new Map<string, number>();
  for (const [index, rule] of after.rules.entries()) {
    const twin = seen.get(rule.uuid);
    if (twin !== undefined) complain(['rules', index, 'uuid'], `${rule.uuid} is also rule ${twin}`, 'conflict');
    else seen.set(rule.uuid, index);
    for (const other of check.view.lookup(ruleKey(rule.uuid)))
      if (other !== after.uuid) complain(['rules', index, 'uuid'], `${rule.uuid} is a rule of ${other}`, 'conflict');
    for (const [field, detail] of ruleProblems(rule)) complain(['rules', index, field], detail);
  }
}

function ruleProblems(rule: SecurityGroupRule): [field: string, detail: string][] {
  const problems: [string, string][] = [];
  if (rule.ports.length > 0 && !WITH_PORTS.includes(rule.protocol))
    problems.push(['ports', `${rule.protocol} has no ports; tcp, udp and sctp have`]);
  if (rule.icmp_type !== null && !ICMP.includes(rule.protocol)) problems.push(['icmp_type', 'only with icmp and icmpv6']);
  if (rule.icmp_code !== null && rule.icmp_type === null) problems.push(['icmp_code', 'only with icmp_type']);
  if (rule.action !== 'allow' && !rule.stateful) problems.push(['stateful', `only with action allow; ${rule.action} judges every packet`]);
  if (rule.persist_established && (rule.action !== 'allow' || !rule.stateful))
    problems.push(['persist_established', 'only with action allow and stateful']);
  const byProtocol = rule.protocol === 'icmp' ? 'ipv4' : rule.protocol === 'icmpv6' ? 'ipv6' : undefined;
  if (byProtocol && rule.family !== null && rule.family !== byProtocol) problems.push(['family', `${rule.protocol} is ${byProtocol}`]);
  if ('cidr' in rule.remote) {
    const { family } = parseCidr(rule.remote.cidr);
    if (rule.family !== null && rule.family !== family)
      problems.push(['remote', `${rule.remote.cidr} is ${family}, the rule is ${rule.family}`]);
    else if (byProtocol && byProtocol !== family)
      problems.push(['remote', `${rule.remote.cidr} is ${family}, ${rule.protocol} is ${byProtocol}`]);
  }
  return problems;
}
