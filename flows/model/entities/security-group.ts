/**
 * Security groups with their rules, the address sets rules can name, and the policy classes interfaces fall into.
 */
import { z } from 'zod';
import { key, port, stamps, uuid } from './fields.js';

export const ruleRemoteSchema = z.union([
  z.strictObject({ any: z.literal(true) }),
  z.strictObject({ cidr: z.string() }),
  z.strictObject({ security_group_uuid: uuid('sg') }),
  z.strictObject({ address_set_uuid: uuid('as') }),
]);

/** The order in which rules are asked: every rule of a tier before any of the next. */
export const TIERS = ['admin', 'tenant', 'baseline'] as const;

/** Rules with a higher number are asked first. */
export const MAX_RULE_PRIORITY = 999;
export const DEFAULT_RULE_PRIORITY = 500;

export const securityGroupRuleSchema = z.strictObject({
  uuid: uuid('sgr'),
  direction: z.enum(['ingress', 'egress']),
  action: z.enum(['allow', 'drop', 'reject']).default('allow'),
  priority: z.int().min(0).max(MAX_RULE_PRIORITY).default(DEFAULT_RULE_PRIORITY),
  /** null: the group's. */
  tier: z.enum(TIERS).nullable().default(null),
  /** Of an allow rule: replies pass without a rule of their own. */
  stateful: z.boolean().default(true),
  /** Of a stateful allow rule: connections outlive the rule. */
  persist_established: z.boolean().default(false),
  /** Log connections it decides, at most so many per second and hypervisor. */
  log: z
    .strictObject({ rate: z.int().min(1).max(1000) })
    .nullable()
    .default(null),
  /** null: both families (decided by the remote when it is a CIDR, by the protocol when it is icmp or icmpv6). */
  family: z.enum(['ipv4', 'ipv6']).nullable(),
  protocol: z.enum(['tcp', 'udp', 'sctp', 'icmp', 'icmpv6', 'any']),
  /** `"22"` or `"8000-8100"`; empty is every port. */
  ports: z.array(port).max(64),
  icmp_type: z.int().min(0).max(255).nullable(),
  icmp_code: z.int().min(0).max(255).nullable(),
  remote: ruleRemoteSchema,
  /** Conjunction id, register value and conntrack label of the rule. */
  rule_key: key(32),
});

export const securityGroupSchema = z.strictObject({
  kind: z.literal('security_group'),
  uuid: uuid('sg'),
  display_name: z.string().max(255),
  /** What becomes of what no rule decides. An interface is as closed as the strictest of its groups. */
  default: z.enum(['deny', 'allow']).default('deny'),
  /** Of rules that name none. */
  tier: z.enum(TIERS).default('tenant'),
  rules: z.array(securityGroupRuleSchema).max(10_000),
  ...stamps,
});

/** A named list of prefixes that rules can mean as a whole. */
export const addressSetSchema = z.strictObject({
  kind: z.literal('address_set'),
  uuid: uuid('as'),
  display_name: z.string().max(255),
  /** Prefixes, sorted, without repeats; both families may be mixed. */
  addresses: z.array(z.string()).max(10_000),
  ...stamps,
});

/** A distinct set of security groups that at least one interface has; managed by vnmgr, not visible in REST. uuid is `pc-` and the key. */
export const policyClassSchema = z.strictObject({
  kind: z.literal('policy_class'),
  uuid: uuid('pc'),
  policy_class_key: key(32),
  /** Sorted, at least one. */
  security_group_uuids: z.array(uuid('sg')).min(1),
});

export type RuleRemote = Readonly<z.infer<typeof ruleRemoteSchema>>;
export type SecurityGroupRule = Readonly<z.infer<typeof securityGroupRuleSchema>>;
export type SecurityGroup = Readonly<z.infer<typeof securityGroupSchema>>;
export type AddressSet = Readonly<z.infer<typeof addressSetSchema>>;
export type PolicyClass = Readonly<z.infer<typeof policyClassSchema>>;
