/**
 * The rule that is nearest to admitting a packet that no rule admits.
 *
 * Owns: what of a rule a packet does not meet, and which of several rules is nearest.
 * Promises: whether the packet meets a part of a rule is asked of the very matches that are compiled from that part.
 */
import type { SecurityGroupRule } from '../../model/entities/security-group.js';
import { parsePortRange } from '../../net/ranges.js';
import { parseCidr } from '../../net/cidr.js';
import type { GroupRule } from '../../pipeline/facts.js';
import { index, type Lookup } from '../../pipeline/rule.js';
import { SIDES } from '../../pipeline/stages/policy-side.js';
import { remoteAlternatives, serviceAlternatives, type Alternatives } from '../../pipeline/stages/rule-match.js';
import { portField } from '../conntrack.js';
import { fieldBits, type Microflow } from '../microflow.js';
import { IP_PROTO } from '../prerequisite.js';
import type { NearestRule } from './answer.js';

const rulesOfGroup = index('group_rule', ({ security_group_uuid }) => [security_group_uuid]);

interface Candidate {
  readonly fact: GroupRule;
  readonly differs: readonly string[];
  /** How far the port is off; 0 where ports do not differ. */
  readonly distance: number;
}

/** @param packet as it came to the table of the rules */
export function nearestRule(
  direction: 'egress' | 'ingress',
  groups: readonly string[],
  packet: Microflow,
  look: Lookup,
): NearestRule | undefined {
  let best: Candidate | undefined;
  for (const group of groups)
    for (const fact of look.all(rulesOfGroup, group)) {
      if (fact.rule.direction !== direction || fact.rule.action !== 'allow') continue;
      const candidate = compared(fact, packet, look);
      // One that differs in nothing was overruled, or is not what is missing.
      if (candidate.differs.length > 0 && (best === undefined || isNearer(candidate, best))) best = candidate;
    }
  if (best === undefined) return undefined;
  const { rule, security_group_uuid } = best.fact;
  return { rule_uuid: rule.uuid, security_group_uuid, text: ruleText(rule), differs: [...best.differs] };
}

function isNearer(a: Candidate, b: Candidate): boolean {
  if (a.differs.length !== b.differs.length) return a.differs.length < b.differs.length;
  if (a.distance !== b.distance) return a.distance < b.distance;
  return a.fact.uuid < b.fact.uuid;
}

function compared(fact: GroupRule, packet: Microflow, look: Lookup): Candidate {
  const { rule } = fact;
  const differs: string[] = [];
  let distance = 0;
  if (!meetsAny(serviceAlternatives(rule), packet)) {
    const port = portField(packet, 'dst');
    const isPort = port !== undefined && rule.ports.length > 0 && meetsAny(serviceAlternatives({ ...rule, ports: [] }), packet);
    if (isPort) {
      distance = portDistance(rule, packet.number(port));
      differs.push(`its ports are ${rule.ports.join(', ')}, not ${packet.number(port)}`);
    } else {
      distance = Infinity;
      differs.push(`it is for ${serviceText(rule)}, not ${protocolName(packet)}`);
    }
  }
  const remotes = remoteAlternatives(rule, look, SIDES[rule.direction].identity);
  if (remotes !== undefined && !meetsAny(remotes, packet))
    differs.push(`it is ${rule.direction === 'ingress' ? 'from' : 'to'} ${remoteText(rule)} only`);
  return { fact, differs, distance };
}

function meetsAny(alternatives: Alternatives, packet: Microflow): boolean {
  return alternatives.some((fields) =>
    fields.every((oxm) => {
      const bits = fieldBits(oxm.field, oxm.value, oxm.mask);
      return bits?.every(({ word, mask, value }) => (packet.words[word]! & mask) === value) ?? false;
    }),
  );
}

function portDistance({ ports }: SecurityGroupRule, port: number): number {
  return Math.min(...ports.map(parsePortRange).map(({ lo, hi }) => (port < lo ? lo - port : port > hi ? port - hi : 0)));
}

function protocolName(packet: Microflow): string {
  const number = packet.number('nw_proto');
  const named = Object.entries(IP_PROTO).find(([, code]) => code === number)?.[0] ?? `protocol ${number}`;
  return named.startsWith('icmp') ? `${named} type ${packet.number('icmp_type')}` : named;
}

function serviceText({ protocol, ports, icmp_type, family }: SecurityGroupRule): string {
  const what = protocol === 'any' ? 'any protocol' : protocol;
  const which = ports.length > 0 ? ` ${ports.join(',')}` : icmp_type !== null ? ` type ${icmp_type}` : '';
  return `${what}${which}${family === null ? '' : ` over ${family === 'ipv4' ? 'IPv4' : 'IPv6'}`}`;
}

function remoteText({ remote }: SecurityGroupRule): string {
  if ('any' in remote) return 'anywhere';
  if ('cidr' in remote) return parseCidr(remote.cidr).prefix === 0 ? `any address of ${remote.cidr}` : remote.cidr;
  return 'security_group_uuid' in remote ? `members of ${remote.security_group_uuid}` : `addresses of ${remote.address_set_uuid}`;
}

/** `allow ingress tcp 22 from 10.0.0.0/8`. */
export function ruleText(rule: SecurityGroupRule): string {
  return `${rule.action} ${rule.direction} ${serviceText(rule)} ${rule.direction === 'ingress' ? 'from' : 'to'} ${remoteText(rule)}`;
}
