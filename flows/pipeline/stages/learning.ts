/**
 * Segments in which MACs are learnt.
 *
 * Owns: what the switch writes down of what promiscuous ports and peers send, where frames go whose MAC no interface has.
 * Assumes: rows that the switch writes itself have a cookie that is not ours, so nobody here puts them right; they last LEARNED_SECONDS after the last frame.
 * Promises: what is learnt never comes before a MAC that some interface has. Policy holds as for any port. What is learnt is forgotten when the segment ceases to learn, since no way leads to the rows any more.
 */
import type { Action, LearnSpec } from '../../openflow/action.js';
import type { Subfield } from '../../openflow/match.js';
import { apply, goto, resubmit } from '../build.js';
import { FILTERED, UNKNOWN_HOLDERS } from '../facts.js';
import { floodSetsOfSegment, reachUuid } from '../indexes.js';
import { regField, regLoad, regMatch } from '../registers.js';
import { rule } from '../rule.js';
import { TABLES } from '../tables.js';
import { isArpOrNd } from './address.js';
import { learningSegment } from './attachments.js';
import { floodBranches, unpolicedBranches } from './flood.js';
import { peerUuid } from './overlay-facts.js';

export const LEARNED_SECONDS = 300;
/** `LEARNED` in ASCII: not a cookie of ours. */
const COOKIE = 0x4c45_4152_4e45_4400n;
/** More are not learnt; frames for them are flooded. */
const MOST_MACS = 16_384;

const ethSrc: Subfield = { field: 'eth_src', offset: 0, bits: 48 };
const ethDst: Subfield = { field: 'eth_dst', offset: 0, bits: 48 };
const copied = (src: Subfield, dst: Subfield): LearnSpec => ({ kind: 'load', src, dst });
const noted = (name: 'learned' | 'peer', value: bigint): LearnSpec => ({ kind: 'load', src: value, dst: regField(name) });

/** Writes down that whoever sent this frame is found where these registers say. */
function learn(where: readonly LearnSpec[]): Action {
  return {
    kind: 'learn',
    idle_timeout: 0,
    hard_timeout: LEARNED_SECONDS,
    priority: 100,
    cookie: COOKIE,
    flags: 0,
    table: TABLES.MACS.id,
    fin_idle_timeout: 0,
    fin_hard_timeout: 0,
    limit: MOST_MACS,
    specs: [
      { kind: 'match', src: regField('segment'), dst: regField('segment') },
      { kind: 'match', src: ethSrc, dst: ethDst },
      noted('learned', 1n),
      ...where,
    ],
  };
}

const AT_A_PORT = [
  noted('peer', 0n),
  copied(regField('source_port'), regField('destination_port')),
  copied(regField('source_zone'), regField('destination_zone')),
  copied(regField('source_class'), regField('destination_class')),
];
const AT_A_PEER = [copied(regField('peer'), regField('peer'))];

export const learningFixedFlows = rule('learning', 'pipeline', (_root, _look, emit) => {
  emit.flow('LEARN', 0, [], [apply(learn(AT_A_PORT), resubmit('EG_FILTER_CT'))]);
  emit.flow('MACS', 0, [], [apply(regLoad('learned', 0))]);
  emit.flow('LEARNED', 110, [regMatch('learned', 1), regMatch('peer', 0)], [apply(resubmit('IN_CT'))]);
  emit.flow('LEARNED', 100, [regMatch('learned', 1)], [apply(resubmit('OUT_REMOTE'))]);
  emit.flow('LEARNED', 0, [], [apply(resubmit('FLOOD'))]);
});

export const learningSegmentFlows = rule('unknown MACs', 'segment', (segment, look, emit) => {
  const sets = look.all(floodSetsOfSegment, String(segment.segment_key));
  if (!segment.learning || sets.length === 0) return;
  const here = regMatch('segment', segment.segment_key);
  emit.flow('L2_LOOKUP', 40, [here], [apply(resubmit('MACS')), goto('LEARNED')]);

  // Whoever has learnt an address must hear that it is somewhere else now: ARP and ND that nobody answers go to all, and past their policy like any other.
  const local = [
    ...unpolicedBranches(sets),
    ...floodBranches(
      sets.filter((set) => set.policy_class_key === FILTERED),
      look,
    ),
  ];
  const isReached = look.get('reach', reachUuid(segment.segment_key, 0)) !== undefined;
  const copies: Action = { kind: 'clone', actions: [regLoad('multicast', 1), regLoad('destination_class', 0), resubmit('FLOOD_PEERS')] };
  for (const row of isArpOrNd()) {
    emit.flow('FLOOD', 115, [here, ...row], [apply(...local)]);
    if (isReached) emit.flow('FLOOD', 116, [here, regMatch('from_tunnel', 0), ...row], [apply(...local, copies)]);
  }
});

export const learningPeerFlows = rule('learn from peers', 'presence', (presence, look, emit) => {
  const { segment_key, policy_class_key, datapath_uuid, domain_uuid } = presence;
  if (policy_class_key === UNKNOWN_HOLDERS || learningSegment(domain_uuid, look) === undefined) return;
  const peer = look.get('peer', peerUuid(datapath_uuid));
  if (peer === undefined) return;
  emit.owners(domain_uuid, datapath_uuid);
  const from = [regMatch('peer', peer.peer_key), regMatch('segment', segment_key)];
  emit.flow('TUNNEL_ADMIT', 110, from, [apply(learn(AT_A_PEER), resubmit('L2_LOOKUP'))]);
});
