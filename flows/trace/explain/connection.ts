/**
 * What connection a packet is part of.
 *
 * Owns: opening, in conntracks made for the question, the connection that a packet is asked about as part of.
 * Promises: a connection is there only if packets that open it get there through the very flows.
 */
import type { FieldRecord } from '../microflow.js';
import type { TraceState } from './answer.js';
import type { Ends } from './ends.js';
import { ASK_SIZE, nextHopOf } from './next-hop.js';
import { openingOf, packetOf, type Sending } from './packet.js';
import { Experiment, type Passage } from './passage.js';
import type { TraceQuestion } from './question.js';
import type { Realm } from './realm.js';
import { answerTo } from './reply.js';

export interface Connecting {
  readonly realm: Realm;
  readonly question: TraceQuestion;
  readonly ends: Ends;
  /** But for its flags. */
  readonly sending: Omit<Sending, 'flags'>;
  readonly sendBy: (experiment: Experiment, packet: FieldRecord) => Passage;
  readonly assumptions: string[];
}

export interface Connected {
  /** With the connections there are after the packet. */
  readonly experiment: Experiment;
  readonly packet: FieldRecord;
  readonly passage: Passage;
  readonly ct_state: TraceState;
}

/**
 * new: the first packet. established: one after the answer to the first. auto: established, if the first packet arrives and its answer does; else an answer, if it has
 * a source port of its own, or is an echo reply, and its receiver could have opened the connection; else new.
 */
export function connected(connecting: Connecting): Connected {
  const { realm, question, ends, sending, sendBy, assumptions } = connecting;
  const packet = packetOf({ ...sending, flags: 'first' });
  const begin = (): Connected => {
    const experiment = new Experiment(realm);
    return { experiment, packet, passage: sendBy(experiment, packet), ct_state: 'new' };
  };
  const first = begin();
  if (question.ct_state === 'new') return first;
  const { experiment, passage } = first;
  const answer = answerTo(realm, passage, ends);
  if (answer !== undefined) {
    const back = experiment.send(answer.datapath_uuid, answer.packet, ASK_SIZE);
    const isOpen = question.ct_state === 'established' || arrives(back);
    const later = packetOf({ ...sending, flags: 'later' });
    if (isOpen) return { experiment, packet: later, passage: sendBy(experiment, later), ct_state: 'established' };
  }
  if (question.ct_state === 'auto') return asAnswer(connecting) ?? begin();
  assumptions.push('no connection is established: its first packet, which is shown, gets no answer');
  return first;
}

const arrives = ({ ending }: Passage) => ending.kind === 'delivered' || ending.kind === 'outside';

/** In a connection that the receiver has opened, from the port that this packet is for. */
function asAnswer({ realm, question, ends, sending, sendBy }: Connecting): Connected | undefined {
  const { receiver, sender, target, ip } = ends;
  const opening = receiver === undefined ? undefined : openingOf(question);
  if (receiver === undefined || opening === undefined || sender.iface === undefined) return undefined;
  const back: Ends = { sender: receiver, ip: target, mac: receiver.mac, target: ip, receiver: sender };
  const hop = nextHopOf(realm, back, undefined, []);
  if ('verdict' in hop) return undefined;
  const experiment = new Experiment(realm);
  const { site, in_port, mac } = hop;
  const ask = packetOf({ question: opening, in_port, eth_src: receiver.mac, eth_dst: mac, src: target, dst: ip, flags: 'first' });
  const { ending } = experiment.send(site.datapath_uuid, ask, ASK_SIZE);
  if (ending.kind !== 'delivered' || ending.interface_uuid !== sender.iface.uuid) return undefined;
  const packet = packetOf({ ...sending, flags: 'answer' });
  return { experiment, packet, passage: sendBy(experiment, packet), ct_state: 'reply' };
}
