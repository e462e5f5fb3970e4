/**
 * A question about a packet, answered.
 *
 * Owns: the order of things: who sends to whom, whom it is handed to, the packet, the answer to it, and what traceroute would show.
 * Promises: what is said of tables comes from running packets through the compiled flows, asking for a MAC included; what cannot be known is said to be.
 * Throws HotoriError for what cannot be asked, with its pointer.
 */
import { entityOf } from '../../model/view.js';
import { formatIp, type Ip } from '../../net/ip.js';
import { formatMac } from '../../net/mac.js';
import type { FieldRecord } from '../microflow.js';
import { Microflow } from '../microflow.js';
import type { Explanation, TraceEnd, TraceReturn } from './answer.js';
import { endsOf, nicsOf, type Ends, type Nic } from './ends.js';
import { hopsOf } from './hops.js';
import { interfaceName } from './names.js';
import { ASK_SIZE, nextHopOf, notPlugged } from './next-hop.js';
import { addressesIn, familyProtocol, packetLine, packetOf, replyTo } from './packet.js';
import { Experiment, type Passage } from './passage.js';
import { predictTraceroute } from './probes.js';
import type { TraceQuestion } from './question.js';
import type { Realm } from './realm.js';
import { judge } from './reason.js';
import { admittedBy, tunnelsOf, visitsOf } from './walk.js';

export interface Explained {
  readonly explanation: Explanation;
  /** undefined where nothing is sent. */
  readonly passage: Passage | undefined;
}

export function explain(realm: Realm, question: TraceQuestion): Explained {
  const ends = endsOf(realm.model, question);
  const { sender, receiver } = ends;
  const assumptions: string[] = [];
  const place = realm.placeOf(sender.iface.uuid);
  const site = place && realm.at(place.datapath_uuid);
  const in_port = site?.ofportOf(sender.iface.uuid);
  const base = {
    source: endOf(realm, sender, ends.ip, ends.mac),
    destination: endOf(realm, receiver, ends.target, receiver?.mac),
    protocol: familyProtocol(question, ends.ip.family),
    ttl: question.ttl,
    size: sizeOf(question, sender, assumptions),
    assumptions,
  };
  const nothing = { next_hop: null, admitted_by: [], hops: [], tunnels: [], traceroute: [], visits: [], return: null };
  if (site === undefined || in_port === undefined) {
    return { explanation: { ...base, packet: lineOf(question, ends), ...notPlugged(sender), ...nothing }, passage: undefined };
  }

  const experiment = new Experiment(realm);
  const hop = nextHopOf(realm, site, in_port, ends, question.next_hop, assumptions);
  if ('verdict' in hop) return { explanation: { ...base, packet: lineOf(question, ends), ...hop, ...nothing }, passage: undefined };
  const next_hop = { address: formatIp(hop.ip), mac: formatMac(hop.mac), interface_uuid: hop.interface_uuid };
  const sending = { question, in_port, eth_src: ends.mac, eth_dst: hop.mac, src: ends.ip, dst: ends.target };
  const first = packetOf({ ...sending, flags: 'first' });
  const send = (packet: FieldRecord) => experiment.send(site.datapath_uuid, packet, base.size);

  let packet = first;
  let passage = send(packet);
  if (question.ct_state === 'established') {
    const answer = answerTo(realm, passage);
    if (answer === undefined) assumptions.push('no connection is established: its first packet, which is shown, gets no answer');
    else {
      experiment.send(answer.datapath_uuid, answer.packet, ASK_SIZE);
      packet = packetOf({ ...sending, flags: 'later' });
      passage = send(packet);
    }
  }
  const traceroute = predictTraceroute(
    realm,
    (ttl) => new Experiment(realm).send(site.datapath_uuid, { ...first, nw_ttl: ttl }, base.size),
    ends,
  );
  const explanation = {
    ...base,
    packet: packetLine(Microflow.from(packet)),
    next_hop,
    ...outcomeOf(realm, passage, ends),
    traceroute,
    visits: visitsOf(realm, passage),
    return: returnOf(realm, experiment, passage),
  };
  return { explanation, passage };
}

function outcomeOf(realm: Realm, passage: Passage, ends: Ends): TraceReturn {
  return {
    ...judge(realm, passage, ends),
    admitted_by: admittedBy(realm, passage),
    hops: hopsOf(realm, passage, ends.ip),
    tunnels: tunnelsOf(realm, passage),
  };
}

function endOf(realm: Realm, nic: Nic | undefined, ip: Ip, mac: number | undefined): TraceEnd {
  const place = nic && realm.placeOf(nic.iface.uuid);
  return {
    interface_uuid: nic?.iface.uuid ?? null,
    name: nic === undefined ? null : interfaceName(nic.iface),
    address: formatIp(ip),
    mac: mac === undefined ? null : formatMac(mac),
    network_uuid: nic?.network.uuid ?? null,
    datapath_uuid: place?.datapath_uuid ?? null,
    port_name: place?.port_name ?? null,
  };
}

function lineOf(question: TraceQuestion, { ip, mac, target }: Ends): string {
  const packet = packetOf({ question, in_port: 0, eth_src: mac, eth_dst: 0, src: ip, dst: target, flags: 'first' });
  return packetLine(Microflow.from(packet));
}

/** What is longer than the sender's own network carries leaves in fragments, where they are allowed. */
function sizeOf({ size, df }: TraceQuestion, { network }: Nic, assumptions: string[]): number {
  if (df || network.mtu === null || size <= network.mtu) return size;
  assumptions.push(`the sender cuts ${size} bytes into fragments of ${network.mtu}, the MTU of ${network.uuid}; the first is shown`);
  return network.mtu;
}

interface Answer {
  readonly datapath_uuid: string;
  readonly packet: FieldRecord;
  readonly receiver: Nic;
  readonly back: Ends;
}

/** What the receiver of a packet answers; undefined where it does not get it, or says nothing. */
function answerTo(realm: Realm, { ending }: Passage): Answer | undefined {
  if (ending.kind !== 'delivered' || ending.interface_uuid === null) return undefined;
  const { output, datapath_uuid } = ending.delivered;
  const site = realm.at(datapath_uuid)!;
  const iface = entityOf(realm.model, 'interface', ending.interface_uuid);
  const addresses = addressesIn(output.packet);
  const in_port = site.ofportOf(ending.interface_uuid);
  if (iface === undefined || addresses === undefined || in_port === undefined) return undefined;
  const receiver = nicsOf(realm.model, iface).find(({ ip }) => ip.family === addresses.dst.family && ip.value === addresses.dst.value);
  if (receiver === undefined) return undefined;
  const back: Ends = { sender: receiver, ip: receiver.ip, mac: receiver.mac, target: addresses.src, receiver: undefined };
  const hop = nextHopOf(realm, site, in_port, back, undefined, []);
  if ('verdict' in hop) return undefined;
  const packet = replyTo(output.packet, in_port, receiver.mac, hop.mac);
  return packet && { datapath_uuid, packet, receiver, back };
}

function returnOf(realm: Realm, experiment: Experiment, passage: Passage): TraceReturn | null {
  const answer = answerTo(realm, passage);
  return answer === undefined ? null : outcomeOf(realm, experiment.send(answer.datapath_uuid, answer.packet, ASK_SIZE), answer.back);
}
