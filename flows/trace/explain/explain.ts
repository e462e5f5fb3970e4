/**
 * A question about a packet, answered.
 *
 * Owns: the order of things: who sends to whom, whom it is handed to, the packet, the answer to it, and what traceroute would show.
 * Promises: what is said of tables comes from running packets through the compiled flows, asking for a MAC included; what cannot be known is said to be.
 * Throws HotoriError for what cannot be asked, with its pointer.
 */
import { formatIp, type Ip } from '../../net/ip.js';
import { formatMac } from '../../net/mac.js';
import type { FieldRecord } from '../microflow.js';
import { Microflow } from '../microflow.js';
import type { Explanation, TraceEnd, TraceReturn } from './answer.js';
import { endsOf, type Ends, type Sender } from './ends.js';
import { hopsOf } from './hops.js';
import { interfaceName } from './names.js';
import { ASK_SIZE, nextHopOf } from './next-hop.js';
import { familyProtocol, packetLine, packetOf } from './packet.js';
import { Experiment, type Passage } from './passage.js';
import { answerTo } from './reply.js';
import { connected } from './connection.js';
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
  const base = {
    source: endOf(realm, sender, ends.ip, ends.mac),
    destination: endOf(realm, receiver, ends.target, receiver?.mac),
    protocol: familyProtocol(question, ends.ip.family),
    ttl: question.ttl,
    size: sizeOf(question, sender, assumptions),
    assumptions,
  };
  const nothing = {
    ct_state: 'new' as const,
    next_hop: null,
    admitted_by: [],
    hops: [],
    tunnels: [],
    traceroute: [],
    visits: [],
    return: null,
  };
  const hop = nextHopOf(realm, ends, question.next_hop, assumptions);
  if ('verdict' in hop) return { explanation: { ...base, packet: lineOf(question, ends), ...hop, ...nothing }, passage: undefined };
  const { site, in_port } = hop;
  const at = site.datapath_uuid;
  const next_hop = { address: formatIp(hop.ip), mac: formatMac(hop.mac), interface_uuid: hop.interface_uuid };
  const sending = { question, in_port, eth_src: ends.mac, eth_dst: hop.mac, src: ends.ip, dst: ends.target };
  const sendBy = (experiment: Experiment, packet: FieldRecord) => experiment.send(at, packet, base.size);
  const { experiment, packet, passage, ct_state } = connected({ realm, question, ends, sending, sendBy, assumptions });
  const probe = packetOf({ ...sending, flags: 'first' });
  const traceroute = predictTraceroute(realm, (experiment, ttl) => sendBy(experiment, { ...probe, nw_ttl: ttl }), ends);
  const explanation = {
    ...base,
    packet: packetLine(Microflow.from(packet)),
    ct_state,
    next_hop,
    ...outcomeOf(realm, passage, ends),
    traceroute,
    visits: visitsOf(realm, passage),
    return: returnOf(realm, experiment, passage, ends),
  };
  return { explanation, passage };
}

function outcomeOf(realm: Realm, passage: Passage, ends: Ends): TraceReturn {
  const tunnels = tunnelsOf(realm, passage);
  const hops = hopsOf(realm, passage, ends.ip, tunnels);
  const judgement = judge(realm, passage, ends);
  return { ...judgement, admitted_by: admittedBy(realm, passage, judgement.verdict), hops, tunnels };
}

function endOf(realm: Realm, nic: Sender | undefined, ip: Ip, mac: number | undefined): TraceEnd {
  const iface = nic?.iface;
  const place = iface && realm.placeOf(iface.uuid);
  return {
    interface_uuid: iface?.uuid ?? null,
    name: iface === undefined ? null : interfaceName(iface),
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
function sizeOf({ size, df }: TraceQuestion, { network }: Sender, assumptions: string[]): number {
  if (df || network.mtu === null || size <= network.mtu) return size;
  assumptions.push(`the sender cuts ${size} bytes into fragments of ${network.mtu}, the MTU of ${network.uuid}; the first is shown`);
  return network.mtu;
}

function returnOf(realm: Realm, experiment: Experiment, passage: Passage, ends: Ends): TraceReturn | null {
  const answer = answerTo(realm, passage, ends);
  return answer === undefined ? null : outcomeOf(realm, experiment.send(answer.datapath_uuid, answer.packet, ASK_SIZE), answer.back);
}
