/**
 * Rules of security groups.
 *
 * Owns: rule rows of EG_POLICY and IN_POLICY, and each rule's row of EG_METRIC or IN_METRIC.
 * Assumes: addresses were turned into identities (policy classes) before; ct_state is dealt with elsewhere, so rows match none.
 * Promises: a rule's flows depend on the classes, remotes and services it names, never on how many members a group has. One priority is one tier, rule
 * priority, action and way of logging: rows that overlap there differ at most in which rule gets the credit, so it does not matter which one the
 * switch takes, written out or as conjunction.
 */
import { MAX_RULE_PRIORITY, TIERS, type SecurityGroupRule } from '../../model/entities/security-group.js';
import type { Action, Instruction } from '../../openflow/action.js';
import { apply, CT, ctState, goto, is, puntAction } from '../build.js';
import { classesWithGroup } from '../indexes.js';
import type { GroupRule } from '../facts.js';
import { regLoad, regMatch } from '../registers.js';
import { rule } from '../rule.js';
import { SIDES } from './policy-side.js';
import { product, remoteAlternatives, serviceAlternatives, type Alternatives } from './rule-match.js';

/** Products up to this size are written out: they have counters of their own and show in a switch's own trace. */
const PLAIN_ROWS = 4;

/** Rows below are what is left to the tables' defaults. */
const RULES_FROM = 1000;
/** What a band is for, from the last to the first asked. Among equals one that logs comes first. */
const RANKS = ['allow', 'allow_persistent', 'allow_stateless', 'reject', 'drop'] as const;
/** Per rank: with and without log, each as conjunction and written out. */
const BAND = RANKS.length * 4;

export const groupRuleFlows = rule('security group rule', 'group_rule', (fact, look, emit) => {
  const { rule: one, security_group_uuid } = fact;
  const side = SIDES[one.direction];
  const classes = look
    .all(classesWithGroup, security_group_uuid)
    .filter((c) => look.get('local_class', `lc-${c.policy_class_key}`) !== undefined);
  const remotes = remoteAlternatives(one, look, side.identity);
  const services = serviceAlternatives(one);
  if (classes.length === 0 || services.length === 0 || remotes?.length === 0) return;

  emit.owners(security_group_uuid, one.uuid);
  const clauses: Alternatives[] = [classes.map((c) => [regMatch(side.class, c.policy_class_key)]), services];
  if (remotes !== undefined) clauses.push(remotes);
  const priority = priorityOf(fact);
  const decide = verdict(one);
  if (clauses.reduce((n, clause) => n * clause.length, 1) <= PLAIN_ROWS) {
    for (const match of product(clauses)) emit.flow(side.policy, priority + 1, match, decide);
  } else {
    emit.flow(side.policy, priority, [is('conj_id', one.rule_key)], decide);
    clauses.forEach((alternatives, clause) => {
      const place = { kind: 'conjunction', clause, n_clauses: clauses.length, id: one.rule_key } as const;
      for (const match of alternatives) emit.conjunction(side.policy, priority, match, place);
    });
  }
  if (one.action === 'allow' && one.stateful) {
    // To conntrack a connection is new until it is answered; its rule is noted with its first packet.
    const isNew = [regMatch(side.decided, one.rule_key), ctState(CT.trk | CT.new)];
    const isFirst = [...isNew, is('ct_label', 0n, 0xffff_ffffn << BigInt(side.label))];
    const persist = one.persist_established ? [regLoad('persists', 1)] : [];
    const log = one.log === null ? [] : [puntAction({ kind: 'log_allowed', direction: one.direction, log: true })];
    const onward = (...actions: readonly Action[]) => [...(actions.length > 0 ? [apply(...actions)] : []), goto(side.commit)];
    emit.flow(side.metric, 100, isFirst, onward(...persist, ...log));
    if (one.persist_established) emit.flow(side.metric, 90, isNew, onward(...persist));
  }
});

/** What follows when the rule decides: the same for every rule of its band but for the name it leaves. */
function verdict(one: SecurityGroupRule): Instruction[] {
  const side = SIDES[one.direction];
  const { direction } = one;
  const log = one.log !== null;
  const named = regLoad(side.decided, one.rule_key);
  switch (one.action) {
    case 'allow':
      if (one.stateful) return [apply(named), goto(side.metric)];
      return [apply(named, ...(log ? [puntAction({ kind: 'log_allowed', direction, log })] : [])), goto(side.next)];
    case 'drop':
      return [apply(named, ...(log ? [puntAction({ kind: 'log_denied', direction, log })] : [])), goto(side.deny)];
    case 'reject':
      return [apply(named, puntAction({ kind: 'reject', direction, log })), goto(side.deny)];
  }
}

/** Of the conjunction; a row written out has one more. */
function priorityOf({ rule: one, tier }: GroupRule): number {
  const kind =
    one.action !== 'allow' ? one.action : !one.stateful ? 'allow_stateless' : one.persist_established ? 'allow_persistent' : 'allow';
  const tiers = TIERS.length - 1 - TIERS.indexOf(tier);
  const band = RULES_FROM + (tiers * (MAX_RULE_PRIORITY + 1) + one.priority) * BAND;
  return band + RANKS.indexOf(kind) * 4 + (one.log === null ? 0 : 2);
}
