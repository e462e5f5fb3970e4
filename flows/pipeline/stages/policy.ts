/**
 * Security groups.
 *
 * Owns: rule rows of EG_POLICY and IN_POLICY, and the open egress of classes whose groups have no egress rule.
 * Assumes: addresses were turned into identities (policy classes) before; ct_state was dealt with before, so rows match none.
 * Promises: a rule's flows depend on the classes, remotes and services it names, never on how many members a group has. Everything admitted is admitted by
 * one kind of action, so overlapping rows cannot disagree; no row drops but the tables' defaults.
 */
import { parseCidr, networkIp } from '../../net/cidr.js';
import { mergeRanges, parsePortRange, portMasks } from '../../net/ranges.js';
import type { SecurityGroupRule } from '../../model/entities.js';
import type { OxmField } from '../../openflow/match.js';
import { apply, FAMILIES, fromAddress, goto, is, isFamily, PROTO, toAddress, type Family } from '../build.js';
import { classesWithGroup } from '../indexes.js';
import { regLoad, regMatch, type RegisterName } from '../registers.js';
import { rule, type Emit, type Lookup } from '../rule.js';
import type { TableName } from '../tables.js';

type Alternatives = readonly (readonly OxmField[])[];

/** Products up to this size are written out: they have counters of their own and show in a switch's own trace. */
const PLAIN_ROWS = 8;
const CONJUNCTION_PRIORITY = 100;
/** Plain rows get a priority each, so that which one of two overlapping rules admits is the same everywhere. */
const PLAIN_PRIORITY = 1000;
const PLAIN_BAND = 30_000;

const PROTOCOL_FAMILY: Partial<Record<SecurityGroupRule['protocol'], Family>> = { icmp: 'ipv4', icmpv6: 'ipv6' };

const SIDES = {
  ingress: {
    table: 'IN_POLICY',
    next: 'IN_COMMIT',
    class: 'destination_class',
    identity: 'source_identity',
    decided: 'ingress_rule',
    address: fromAddress,
  },
  egress: {
    table: 'EG_POLICY',
    next: 'EG_COMMIT',
    class: 'source_class',
    identity: 'destination_identity',
    decided: 'egress_rule',
    address: toAddress,
  },
} as const satisfies Record<
  string,
  { table: TableName; next: TableName; class: RegisterName; identity: RegisterName; decided: RegisterName; address: unknown }
>;

export const groupRuleFlows = rule('security group rule', 'group_rule', ({ rule: one, security_group_uuid }, look, emit) => {
  const side = SIDES[one.direction];
  const classes = look
    .all(classesWithGroup, security_group_uuid)
    .filter((c) => look.get('local_class', `lc-${c.policy_class_key}`) !== undefined);
  const remotes = remoteAlternatives(one, look);
  const services = serviceAlternatives(one);
  if (classes.length === 0 || services.length === 0 || remotes?.length === 0) return;

  const clauses: Alternatives[] = [classes.map((c) => [regMatch(side.class, c.policy_class_key)]), services];
  if (remotes !== undefined) clauses.push(remotes);
  emit.owners(security_group_uuid, one.uuid);
  const admit = [apply(regLoad(side.decided, one.rule_key)), goto(side.next)];
  if (clauses.reduce((n, clause) => n * clause.length, 1) <= PLAIN_ROWS) {
    for (const match of product(clauses)) emit.flow(side.table, PLAIN_PRIORITY + (one.rule_key % PLAIN_BAND), match, admit);
    return;
  }
  emit.flow(side.table, CONJUNCTION_PRIORITY, [is('conj_id', one.rule_key)], admit);
  clauses.forEach((alternatives, clause) =>
    writeClause(emit, side.table, alternatives, { clause, n_clauses: clauses.length, id: one.rule_key }),
  );
});

function writeClause(
  emit: Emit,
  table: TableName,
  alternatives: Alternatives,
  place: { clause: number; n_clauses: number; id: number },
): void {
  for (const match of alternatives) emit.conjunction(table, CONJUNCTION_PRIORITY, match, { kind: 'conjunction', ...place });
}

export const openEgressFlows = rule('open egress', 'local_class', (local, look, emit) => {
  const groups = look.get('policy_class', `pc-${local.policy_class_key}`)?.security_group_uuids ?? [];
  const restricted = groups.some((uuid) => look.get('security_group', uuid)?.rules.some((r) => r.direction === 'egress') === true);
  if (restricted) return;
  emit.owners(...groups);
  emit.flow('EG_POLICY', 50, [regMatch('source_class', local.policy_class_key)], [goto('EG_COMMIT')]);
});

/** undefined: any remote. An empty list: nobody is in the group. */
function remoteAlternatives(one: SecurityGroupRule, look: Lookup): Alternatives | undefined {
  const side = SIDES[one.direction];
  if ('any' in one.remote) return undefined;
  if ('cidr' in one.remote) {
    const cidr = parseCidr(one.remote.cidr);
    return cidr.prefix === 0 ? undefined : [side.address(networkIp(cidr), cidr.prefix)];
  }
  return look.all(classesWithGroup, one.remote.security_group_uuid).map((c) => [regMatch(side.identity, c.policy_class_key)]);
}

function serviceAlternatives(one: SecurityGroupRule): Alternatives {
  return familiesOf(one).flatMap((family): OxmField[][] => {
    const ip = isFamily(family);
    switch (one.protocol) {
      case 'any':
        return [[ip]];
      case 'icmp':
        return [[ip, is('nw_proto', PROTO.icmp), ...icmpMatch(one, 'icmp_type', 'icmp_code')]];
      case 'icmpv6':
        return [[ip, is('nw_proto', PROTO.icmpv6), ...icmpMatch(one, 'icmpv6_type', 'icmpv6_code')]];
      case 'tcp':
      case 'udp':
      case 'sctp': {
        const protocol = [ip, is('nw_proto', PROTO[one.protocol])];
        if (one.ports.length === 0) return [protocol];
        const port = `${one.protocol}_dst` as const;
        const masks = mergeRanges(one.ports.map(parsePortRange)).flatMap(({ lo, hi }) => portMasks(lo, hi));
        return masks.map(({ value, mask }) =>
          mask === 0 ? protocol : [...protocol, mask === 0xffff ? is(port, value) : is(port, value, mask)],
        );
      }
    }
  });
}

/** What family, protocol and remote agree on; nothing when they contradict each other. */
function familiesOf(one: SecurityGroupRule): readonly Family[] {
  const named = [one.family, PROTOCOL_FAMILY[one.protocol], 'cidr' in one.remote ? parseCidr(one.remote.cidr).family : undefined];
  return FAMILIES.filter((family) => named.every((other) => other === undefined || other === null || other === family));
}

function icmpMatch(one: SecurityGroupRule, type: 'icmp_type' | 'icmpv6_type', code: 'icmp_code' | 'icmpv6_code'): OxmField[] {
  const match: OxmField[] = [];
  if (one.icmp_type !== null) match.push(is(type, one.icmp_type));
  if (one.icmp_code !== null) match.push(is(code, one.icmp_code));
  return match;
}

/** One match per combination; a field both sides have (the family) is kept once. */
function product(clauses: readonly Alternatives[]): OxmField[][] {
  let rows: OxmField[][] = [[]];
  for (const alternatives of clauses) {
    rows = rows.flatMap((row) => alternatives.map((extra) => [...row, ...extra.filter((f) => !row.some((g) => g.field === f.field))]));
  }
  return rows;
}
