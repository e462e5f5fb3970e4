/**
 * What is answered.
 *
 * Owns: the answer of whoever got a packet, where it is sent from, and to whom.
 */
import { physicalKey } from '../../model/indexes.js';
import { entityOf } from '../../model/view.js';
import type { FieldRecord } from '../microflow.js';
import { nicsOf, outsiderAt, type Ends } from './ends.js';
import { nextHopOf } from './next-hop.js';
import { addressesIn, replyTo } from './packet.js';
import type { Ending, Passage } from './passage.js';
import type { Realm } from './realm.js';

export interface Answer {
  readonly datapath_uuid: string;
  readonly packet: FieldRecord;
  readonly back: Ends;
}

/** What the receiver of a packet answers; undefined where it does not get it, or says nothing. A host outside is taken to answer. */
export function answerTo(realm: Realm, { ending, visits }: Passage, sent: Ends): Answer | undefined {
  if (ending.kind === 'outside') return answerOfOutsider(realm, visits[ending.visit]!.datapath_uuid, ending);
  if (ending.kind !== 'delivered' || ending.interface_uuid === null) return undefined;
  const { output, datapath_uuid } = ending.delivered;
  const site = realm.at(datapath_uuid)!;
  const iface = entityOf(realm.model, 'interface', ending.interface_uuid);
  const addresses = addressesIn(output.packet);
  const in_port = site.ofportOf(ending.interface_uuid);
  if (iface === undefined || addresses === undefined || in_port === undefined) return undefined;
  const receiver = nicsOf(realm.model, iface).find(({ ip }) => ip.family === addresses.dst.family && ip.value === addresses.dst.value);
  if (receiver === undefined) return undefined;
  const outsider = sent.sender.iface === undefined ? sent.sender : undefined;
  const back: Ends = { sender: receiver, ip: receiver.ip, mac: receiver.mac, target: addresses.src, receiver: undefined, outsider };
  const hop = nextHopOf(realm, back, undefined, []);
  if ('verdict' in hop) return undefined;
  const packet = replyTo(output.packet, in_port, receiver.mac, hop.mac);
  return packet && { datapath_uuid, packet, back };
}

function answerOfOutsider(realm: Realm, datapath_uuid: string, ending: Extract<Ending, { kind: 'outside' }>): Answer | undefined {
  const { physical_network, packet } = ending;
  const in_port = realm.at(datapath_uuid)?.portTo(physical_network);
  const [uuid = null] = realm.model.lookup(physicalKey(physical_network));
  const network = entityOf(realm.model, 'network', uuid);
  const addresses = addressesIn(packet);
  if (in_port === undefined || network === undefined || addresses === undefined) return undefined;
  const sender = outsiderAt(network, addresses.dst);
  const answer = replyTo(packet, in_port, sender.mac, packet.number('eth_src'));
  const back: Ends = { sender, ip: sender.ip, mac: sender.mac, target: addresses.src, receiver: undefined };
  return answer && { datapath_uuid, packet: answer, back };
}
