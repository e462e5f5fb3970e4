/**
 * A security group rule with everything filled in that its author left out.
 */
import type { z } from 'zod';
import { DEFAULT_RULE_PRIORITY } from './entities/security-group.js';
import type { securityGroupRuleInput } from './input-fields.js';
import type { RuleContent } from './rule-cover.js';

export type RuleInput = z.output<typeof securityGroupRuleInput>;

export function ruleContentOf(input: RuleInput): RuleContent {
  return {
    direction: input.direction,
    action: input.action ?? 'allow',
    priority: input.priority ?? DEFAULT_RULE_PRIORITY,
    tier: input.tier ?? null,
    stateful: input.stateful ?? true,
    persist_established: input.persist_established ?? false,
    log: input.log ?? null,
    family: input.family ?? null,
    protocol: input.protocol,
    ports: input.ports ?? [],
    icmp_type: input.icmp_type ?? null,
    icmp_code: input.icmp_code ?? null,
    remote: input.remote,
  };
}
