/**
 * Security groups apart from their rules: conntrack, defaults, commits, refusals.
 *
 * Owns: EG_CT to EG_DENY and IN_CT to IN_DENY but for the rows of rules; what a policy class does with what no rule decides; drop counters per port.
 * Assumes: a port's conntrack zone is its own, in both directions.
 * Promises: ct_state is matched only behind a row that knows conntrack was asked (`tracked`), so that no datapath flow of a port without stateful
 * policy mentions it. Forward packets of established connections are judged again by the rules: what they admit no more is marked, so that its
 * replies stop too.
 */
import type { Action } from '../../openflow/action.js';
import type { OxmField } from '../../openflow/match.js';
import {
  apply,
  CT,
  CT_MARK,
  CT_MARK_PERSISTENT_BIT,
  ctState,
  drop,
  FAMILIES,
  goto,
  is,
  isArp,
  isFamily,
  isIpv6,
  isMulticastFrame,
  ND,
  PROTO,
} from '../build.js';
import type { GroupStance } from '../facts.js';
import { regField, regLoad, regMatch, type RegisterName } from '../registers.js';
import { rule, type Emit, type Lookup } from '../rule.js';
import { DROP_REASONS, TABLES, type DropReason } from '../tables.js';
import { BOTH_SIDES, type PolicySide } from './policy-side.js';
import { isLaterFragment } from './rule-match.js';

const isTracked = regMatch('tracked', 1);
const isUntracked = regMatch('tracked', 0);
const untrack = apply(regLoad('tracked', 0));

function marked(mark: number): OxmField {
  return is('ct_mark', mark, mark);
}

export const policyStateFlows = rule('policy', 'pipeline', (_root, _look, emit) => {
  emit.flow('EG_CT', 100, [regMatch('source_class', 0)], [goto('L2L3')]);
  // Conntrack would take every receiver of a group for a connection of its own.
  emit.flow('EG_CT', 80, [isMulticastFrame], [goto('EG_ID')]);
  emit.flow('EG_CT', 0, [], [goto('EG_ID')]);

  emit.flow('IN_CT', 110, [regMatch('skip_policy', 1)], [goto('OUT_LOCAL')]);
  emit.flow('IN_CT', 100, [regMatch('destination_class', 0)], [untrack, goto('IN_FILTER_CT')]);
  emit.flow('IN_CT', 97, [isArp], [untrack, goto('IN_FILTER_CT')]);
  for (const type of [ND.neighbor_solicit, ND.neighbor_advert])
    emit.flow('IN_CT', 97, [isIpv6, is('nw_proto', PROTO.icmpv6), is('icmpv6_type', type)], [untrack, goto('IN_FILTER_CT')]);
  emit.flow('IN_CT', 0, [], drop('ingress_policy'));

  for (const side of BOTH_SIDES) {
    ask(side, emit);
    judge(side, emit);
    commit(side, emit);
    deny(side, emit);
  }
});

/** Conntrack, and what it alone decides: replies and related packets of admitted connections pass. */
function ask({ direction, ct, state, id, policy, next, zone }: PolicySide, emit: Emit): void {
  for (const family of FAMILIES)
    emit.flow(ct, 50, [isFamily(family)], [apply({ kind: 'ct', zone: regField(zone), table: TABLES[state].id })]);
  const track = apply(regLoad('tracked', 1));
  emit.flow(state, 100, [ctState(CT.trk | CT.inv)], drop(reason(direction, 'invalid')));
  for (const seen of [CT.rpl, CT.rel]) {
    emit.flow(state, 90, [ctState(CT.trk | seen), marked(CT_MARK.revoked)], drop(reason(direction, 'revoked')));
    emit.flow(state, 85, [ctState(CT.trk | seen), marked(CT_MARK.unadmitted)], [track, goto(id)]);
    emit.flow(state, 80, [ctState(CT.trk | seen)], [goto(next)]);
  }
  emit.flow(state, 0, [], [track, goto(id)]);
  emit.flow(id, 0, [], [goto(policy)]);
}

/** What no rule decides; what a class says about it comes between. */
function judge({ policy, metric, commit, deny, next }: PolicySide, emit: Emit): void {
  // It has no ports for a rule to match. Conntrack holds it back until the first fragment was committed as well.
  for (const family of FAMILIES) emit.flow(policy, 100, [isTracked, isFamily(family), isLaterFragment], [goto(metric)]);
  emit.flow(policy, 0, [], [goto(deny)]);
  emit.flow(metric, 200, [isUntracked], [goto(next)]);
  emit.flow(metric, 0, [], [goto(commit)]);
}

function commit({ direction, commit: table, next, zone, decided, label }: PolicySide, emit: Emit): void {
  const note: Action = { kind: 'move', src: regField(decided), dst: { field: 'ct_label', offset: label, bits: 32 } };
  const persist: Action = { kind: 'move', src: regField('persists'), dst: { field: 'ct_mark', offset: CT_MARK_PERSISTENT_BIT, bits: 1 } };
  const admit: Action = { kind: 'set_field', field: 'ct_mark', value: 0, mask: CT_MARK.revoked | CT_MARK.unadmitted };
  emit.flow(table, 120, [ctState(CT.trk | CT.inv)], drop(reason(direction, 'invalid')));
  for (const family of FAMILIES) {
    const committed = [apply({ kind: 'ct', commit: true, zone: regField(zone), exec: [note, admit, persist] }), goto(next)];
    emit.flow(table, 100, [isFamily(family), ctState(CT.trk | CT.new)], committed);
    // Admitted again after it was revoked, or for the first time after a filter let it pass.
    const again = [apply({ kind: 'ct', commit: true, zone: regField(zone), exec: [note, admit] }), goto(next)];
    emit.flow(table, 90, [isFamily(family), ctState(CT.trk | CT.est), marked(CT_MARK.revoked)], again);
    emit.flow(table, 80, [isFamily(family), ctState(CT.trk | CT.est), marked(CT_MARK.unadmitted)], again);
  }
  emit.flow(table, 0, [], [goto(next)]);
}

function deny({ direction, deny: table, next, zone, decided }: PolicySide, emit: Emit): void {
  const byDefault = regMatch(decided, 0);
  emit.flow(table, 110, [isUntracked, byDefault], drop(reason(direction, 'policy')));
  emit.flow(table, 100, [isUntracked], drop(reason(direction, 'rule')));
  emit.flow(table, 90, [ctState(CT.trk | CT.inv)], drop(reason(direction, 'invalid')));
  emit.flow(table, 80, [byDefault, ctState(CT.trk | CT.est), marked(CT_MARK.persistent)], [goto(next)]);
  for (const family of FAMILIES) {
    const revoke: Action = {
      kind: 'ct',
      commit: true,
      zone: regField(zone),
      exec: [{ kind: 'set_field', field: 'ct_mark', value: CT_MARK.revoked, mask: CT_MARK.revoked }],
    };
    emit.flow(table, 70, [isFamily(family), ctState(CT.trk | CT.est)], drop(reason(direction, 'revoked'), revoke));
  }
  emit.flow(table, 10, [byDefault], drop(reason(direction, 'policy')));
  emit.flow(table, 0, [], drop(reason(direction, 'rule')));
}

function reason(direction: PolicySide['direction'], what: 'invalid' | 'revoked' | 'policy' | 'rule'): DropReason {
  return `${direction}_${what}`;
}

/** What a class does with what no rule decides, and whether conntrack is asked for its ports. */
export const classFlows = rule('policy class', 'local_class', ({ policy_class_key }, look, emit) => {
  const { groups, stances } = stancesOf(policy_class_key, look);
  emit.owners(...groups);
  const closed = { egress: stances.some((s) => s.closes_egress), ingress: stances.some((s) => s.closes_ingress) };
  const stateful = needsState(stances);
  for (const side of BOTH_SIDES) {
    const own = regMatch(side.class, policy_class_key);
    if (!closed[side.direction]) emit.flow(side.policy, 50, [own], [goto(side.metric)]);
    // Only rules without state admit what conntrack cannot place, such as one half of a connection that takes two ways.
    if (stateful && stances.some((s) => s.has_stateless))
      emit.flow(side.state, 110, [own, ctState(CT.trk | CT.inv)], [apply(regLoad('tracked', 1)), goto(side.id)]);
    if (!stateful) emit.flow(side.ct, 95, [own], [untrack, goto(side.id)]);
  }
});

/** The groups of a class, and how they stand to what their rules do not decide. */
function stancesOf(policyClassKey: number, look: Lookup): { readonly groups: readonly string[]; readonly stances: readonly GroupStance[] } {
  const groups = look.get('policy_class', `pc-${policyClassKey}`)?.security_group_uuids ?? [];
  return { groups, stances: groups.map((uuid) => look.get('group_stance', `gs-${uuid}`)).filter((stance) => stance !== undefined) };
}

/** Without a rule, a group that denies still lets its members' own connections come back; where every rule does without state, nothing needs it. */
function needsState(stances: readonly GroupStance[]): boolean {
  if (stances.some((s) => s.has_stateful)) return true;
  const stateless = stances.some((s) => s.has_stateless);
  return !stateless && stances.some((s) => s.closes_ingress);
}

/** Ports with a policy have drop counters of their own, for the reasons their groups can have. */
export const policyDropFlows = rule('drop counters', 'local_port', (port, look, emit) => {
  const iface = look.get('interface', port.interface_uuid);
  if (iface === undefined || (iface.policy_class_key === 0 && !iface.enable_filtering)) return;
  emit.owners(iface.uuid);
  const count = (name: DropReason, side: RegisterName) =>
    emit.flow('DROP', 20, [regMatch('drop_reason', DROP_REASONS[name].code), regMatch(side, iface.port_key)], []);
  count('spoof', 'source_port');
  const { stances } = stancesOf(iface.policy_class_key, look);
  const stateful = needsState(stances);
  for (const { direction, port: side } of [
    { direction: 'egress', port: 'source_port' },
    { direction: 'ingress', port: 'destination_port' },
  ] as const) {
    const closes = stances.some((one) => one[`closes_${direction}`]);
    const refuses = stances.some((one) => one[`refuses_${direction}`]);
    if (stateful) count(reason(direction, 'invalid'), side);
    if (stateful && (closes || refuses)) count(reason(direction, 'revoked'), side);
    if (closes) count(reason(direction, 'policy'), side);
    if (refuses) count(reason(direction, 'rule'), side);
  }
  if (iface.enable_filtering) {
    count('egress_filter', 'source_port');
    count('ingress_filter', 'destination_port');
  }
});
