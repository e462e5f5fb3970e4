/**
 * Security groups as docs/security-groups.md says they are, read from the model alone.
 *
 * Owns: what should become of the first packet of a connection, and of the answer to it. Nothing here is taken from the compiler.
 */
import type { Interface } from '../../../flows/model/entities/interface.js';
import { TIERS, type SecurityGroup, type SecurityGroupRule } from '../../../flows/model/entities/security-group.js';
import { cidrContains, parseCidr } from '../../../flows/net/cidr.js';
import { parseIp } from '../../../flows/net/ip.js';
import { parsePortRange } from '../../../flows/net/ranges.js';

export interface Probe {
  readonly src: string;
  readonly dst: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp' | 'icmpv6';
  /** Destination port; of ICMP the type. */
  readonly port: number;
}

export interface PolicyModel {
  readonly groups: ReadonlyMap<string, SecurityGroup>;
  readonly addressSets: ReadonlyMap<string, readonly string[]>;
  /** Whose address it is. */
  ownerOf(address: string): Pick<Interface, 'security_group_uuids'> | undefined;
}

export interface Judgement {
  readonly verdict: 'allow' | 'drop' | 'reject';
  /** The first rules that match: of those equal in every respect any may get the credit. Empty: the default decided. */
  readonly rules: readonly string[];
  /** What it admits is a connection, not a packet. */
  readonly stateful: boolean;
}

/** What the groups of one interface say about a packet it sends (egress) or receives (ingress). */
export function judge(
  model: PolicyModel,
  iface: Pick<Interface, 'security_group_uuids'>,
  direction: 'ingress' | 'egress',
  probe: Probe,
): Judgement {
  const groups = iface.security_group_uuids.map((uuid) => model.groups.get(uuid)!);
  if (groups.length === 0) return { verdict: 'allow', rules: [], stateful: false };
  const matching = groups
    .flatMap((group) => group.rules.map((rule) => ({ rule, order: orderOf(rule, group) })))
    .filter(({ rule }) => rule.direction === direction && matches(model, rule, probe))
    .sort((a, b) => compare(b.order, a.order));
  const [first] = matching;
  if (first !== undefined)
    return {
      verdict: first.rule.action,
      rules: matching.filter(({ order }) => compare(order, first.order) === 0).map(({ rule }) => rule.uuid),
      stateful: first.rule.stateful,
    };
  const closed = groups.some(
    ({ default: rest, rules }) =>
      rest === 'deny' && (direction === 'ingress' || rules.some((rule) => rule.direction === 'egress' && rule.action === 'allow')),
  );
  return { verdict: closed ? 'drop' : 'allow', rules: [], stateful: true };
}

/** Tier, priority, action, state, persistence, log: a rule whose list is greater is asked first. */
function orderOf(rule: SecurityGroupRule, group: SecurityGroup): readonly number[] {
  const tier = TIERS.length - TIERS.indexOf(rule.tier ?? group.tier);
  const action = ['allow', 'reject', 'drop'].indexOf(rule.action);
  return [tier, rule.priority, action, rule.stateful ? 0 : 1, rule.persist_established ? 1 : 0, rule.log === null ? 0 : 1];
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}

function matches(model: PolicyModel, rule: SecurityGroupRule, { src, dst, protocol, port }: Probe): boolean {
  const remote = rule.direction === 'ingress' ? src : dst;
  const { family } = parseIp(remote);
  if (rule.family !== null && rule.family !== family) return false;
  if (rule.protocol !== 'any' && rule.protocol !== protocol) return false;
  const isIcmp = protocol === 'icmp' || protocol === 'icmpv6';
  if (rule.ports.length > 0 && (isIcmp || !rule.ports.map(parsePortRange).some(({ lo, hi }) => lo <= port && port <= hi))) return false;
  if (rule.icmp_type !== null && rule.icmp_type !== port) return false;
  // Probes have ICMP code 0.
  if (rule.icmp_code !== null && rule.icmp_code !== 0) return false;
  if ('any' in rule.remote) return true;
  if ('cidr' in rule.remote) return contains(rule.remote.cidr, remote);
  if ('address_set_uuid' in rule.remote) return model.addressSets.get(rule.remote.address_set_uuid)!.some((cidr) => contains(cidr, remote));
  return model.ownerOf(remote)?.security_group_uuids.includes(rule.remote.security_group_uuid) === true;
}

function contains(cidr: string, address: string): boolean {
  const [prefix, ip] = [parseCidr(cidr), parseIp(address)];
  return prefix.family === ip.family && cidrContains(prefix, ip);
}

/** What becomes of a packet between two interfaces: the sender's groups are asked first. */
export function judgeBoth(model: PolicyModel, probe: Probe): 'allow' | 'drop' | 'reject' {
  const [sender, receiver] = [model.ownerOf(probe.src), model.ownerOf(probe.dst)];
  const out = sender === undefined ? 'allow' : judge(model, sender, 'egress', probe).verdict;
  if (out !== 'allow') return out;
  return receiver === undefined ? 'allow' : judge(model, receiver, 'ingress', probe).verdict;
}

/** Any port a client may have chosen: rules of these policies tell none of them apart. */
const CLIENT_PORT = 40_000;
const REPLY_TYPE: Readonly<Record<string, number>> = { icmp: 0, icmpv6: 129 };

/** What a client sees of a request and its answer: a connection, an echo, a datagram that is sent back. */
export function judgeExchange(model: PolicyModel, probe: Probe): 'allow' | 'drop' | 'reject' {
  const there = judgeBoth(model, probe);
  if (there !== 'allow') return there;
  const reply = { ...probe, src: probe.dst, dst: probe.src, port: REPLY_TYPE[probe.protocol] ?? CLIENT_PORT };
  const comesBack = (address: string, [ahead, back]: readonly ['ingress' | 'egress', 'ingress' | 'egress']): boolean => {
    const iface = model.ownerOf(address);
    if (iface === undefined) return true;
    const tracked = asksConntrack(model, iface);
    if (tracked && judge(model, iface, ahead, probe).stateful) return true;
    const { verdict, stateful } = judge(model, iface, back, reply);
    // Without the request conntrack calls the answer invalid; a datagram could be the first of its own.
    return verdict === 'allow' && (!tracked || !stateful || probe.protocol === 'udp');
  };
  return comesBack(probe.dst, ['ingress', 'egress']) && comesBack(probe.src, ['egress', 'ingress']) ? 'allow' : 'drop';
}

/** Not for interfaces without groups, nor where all rules that allow are without state, nor where nothing is closed. */
function asksConntrack(model: PolicyModel, { security_group_uuids }: Pick<Interface, 'security_group_uuids'>): boolean {
  const groups = security_group_uuids.map((uuid) => model.groups.get(uuid)!);
  const allowing = groups.flatMap(({ rules }) => rules.filter(({ action }) => action === 'allow'));
  if (allowing.length > 0) return allowing.some(({ stateful }) => stateful);
  return groups.some((group) => group.default === 'deny');
}
