/**
 * What becomes of a packet, and nothing more.
 *
 * Owns: a trace without what only people read: no hops, no walk through the tables, no traceroute, no way back.
 * Promises: the verdict and the reason are those that `explain` gives of the same question.
 */
import { endsOf } from './ends.js';
import { nextHopOf, type NextHop } from './next-hop.js';
import { packetOf } from './packet.js';
import { Experiment } from './passage.js';
import type { TraceQuestion } from './question.js';
import type { Realm } from './realm.js';
import { judge, type Judgement } from './reason.js';
import { admittedBy } from './walk.js';

export interface Verdict extends Judgement {
  /** Rules of security groups that let it through. */
  readonly admitted_by: readonly string[];
}

/** Of the first packet of a connection, not longer than any network allows. @param known next hops found already: of one realm, as long as nothing changes there */
export function verdictOf(realm: Realm, question: TraceQuestion, known: Map<string, NextHop>): Verdict {
  const ends = endsOf(realm.model, question);
  const { target } = ends;
  const hop = nextHopOf(realm, ends, question.next_hop, [], known);
  if ('verdict' in hop) return { ...hop, admitted_by: [] };
  const { site, in_port } = hop;
  const packet = packetOf({ question, in_port, eth_src: ends.mac, eth_dst: hop.mac, src: ends.ip, dst: target, flags: 'first' });
  const passage = new Experiment(realm).send(site.datapath_uuid, packet, question.size);
  const judgement = judge(realm, passage, ends);
  return { ...judgement, admitted_by: admittedBy(realm, passage, judgement.verdict) };
}
