/**
 * Security group rules from what a user wrote.
 *
 * Promises: a rule that comes back keeps its identity: one with a known uuid keeps the uuid, one without that says what an existing rule says
 * is that rule. The key is kept only while the rule admits at least what it did, so that a connection admitted by what is gone is judged anew.
 */
import type { SecurityGroupRule } from '../../flows/model/entities/security-group.js';
import { ruleKey } from '../../flows/model/indexes.js';
import { ruleContentOf, type RuleInput } from '../../flows/model/rule-content.js';
import { ruleCovers, type RuleContent } from '../../flows/model/rule-cover.js';
import type { Workspace } from './workspace.js';

export function rulesFrom(inputs: readonly RuleInput[], existing: readonly SecurityGroupRule[], work: Workspace): SecurityGroupRule[] {
  const byUuid = new Map(existing.map((rule) => [rule.uuid, rule]));
  const named = new Set(inputs.flatMap((input) => input.uuid ?? []));
  const spare = new Map<string, SecurityGroupRule[]>();
  for (const rule of existing) if (!named.has(rule.uuid)) spare.set(fingerprint(rule), [...(spare.get(fingerprint(rule)) ?? []), rule]);
  const fresh = new Set<string>();
  return inputs.map((input) => {
    const content = ruleContentOf(input);
    const old = input.uuid === undefined ? spare.get(fingerprint(content))?.shift() : byUuid.get(input.uuid);
    const uuid =
      input.uuid ?? old?.uuid ?? work.newUuid('sgr', (made) => fresh.has(made) || named.has(made) || work.draft.count(ruleKey(made)) > 0);
    fresh.add(uuid);
    const rule_key = old && ruleCovers(content, old) ? old.rule_key : work.keys.next('rule_key');
    return { uuid, ...content, rule_key };
  });
}

/** What tells one rule from another: every field but the names vnmgr gives, in one order. */
function fingerprint(rule: RuleContent): string {
  const { direction, action, priority, tier, stateful, persist_established, log, family, protocol, ports, icmp_type, icmp_code, remote } =
    rule;
  const what = [direction, action, priority, tier, stateful, persist_established, log?.rate ?? null];
  return JSON.stringify([...what, family, protocol, ports, icmp_type, icmp_code, remote]);
}
