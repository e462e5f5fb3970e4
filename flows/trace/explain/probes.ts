/**
 * What traceroute would show.
 *
 * Owns: sending the same packet with one TTL after another, as traceroute does, and reading who answers.
 * Promises: each line comes from a packet of its own through the tables, the last one from the answer to it as well. Answers of routers are taken to come.
 */
import { formatIp } from '../../net/ip.js';
import type { PuntKind } from '../../pipeline/punt.js';
import type { TraceProbe } from './answer.js';
import type { Ends } from './ends.js';
import { addressFacing, dropReason, Names } from './names.js';
import { addressesIn } from './packet.js';
import { ASK_SIZE } from './next-hop.js';
import { Experiment, type Passage } from './passage.js';
import type { Realm } from './realm.js';
import { answerTo } from './reply.js';

const MOST_PROBES = 64;

/** As traceroute(8) marks what is no router on the way. */
const MARKS: Partial<Record<PuntKind, string>> = {
  net_unreachable: '!N',
  host_unreachable: '!H',
  protocol_unreachable: '!P',
  prohibited: '!X',
  reject: '!X',
  too_big: '!F',
  port_unreachable: '',
};

/** @param send sends the packet with another TTL, as if nothing had been sent before */
export function predictTraceroute(realm: Realm, send: (experiment: Experiment, ttl: number) => Passage, ends: Ends): TraceProbe[] {
  const probes: TraceProbe[] = [];
  for (let ttl = 1; ttl <= MOST_PROBES; ttl++) {
    const experiment = new Experiment(realm);
    const passage = send(experiment, ttl);
    const { probe, isLast } = probeOf(realm, passage, ends, ttl);
    const isHeard = passage.ending.kind !== 'delivered' || isAnswered(realm, experiment, passage, ends);
    probes.push(isHeard ? probe : { ...probe, address: null });
    if (isLast) break;
  }
  return probes;
}

/** Whether what the receiver answers gets back. */
function isAnswered(realm: Realm, experiment: Experiment, passage: Passage, ends: Ends): boolean {
  const answer = answerTo(realm, passage, ends);
  const back = answer && experiment.send(answer.datapath_uuid, answer.packet, ASK_SIZE);
  return back?.ending.kind === 'delivered' || back?.ending.kind === 'outside';
}

function probeOf(realm: Realm, passage: Passage, ends: Ends, ttl: number): { readonly probe: TraceProbe; readonly isLast: boolean } {
  const { ending, visits } = passage;
  const star: TraceProbe = { ttl, address: null, mark: '', uuid: null };
  const names = new Names(realm.at(visits[ending.visit]!.datapath_uuid)!.look);
  switch (ending.kind) {
    case 'delivered': {
      const isKnown = ending.interface_uuid !== null;
      return { probe: { ...star, address: isKnown ? formatIp(ends.target) : null, uuid: ending.interface_uuid }, isLast: true };
    }
    case 'outside':
      return { probe: { ...star, mark: '?' }, isLast: true };
    case 'answered': {
      const src = addressesIn(ending.delivered.output.packet)?.src;
      return { probe: { ...star, address: src === undefined ? null : formatIp(src) }, isLast: true };
    }
    case 'punted': {
      const { punt, what } = ending;
      const mark = MARKS[what];
      if (what !== 'time_exceeded' && mark === undefined) return { probe: star, isLast: true };
      const port = names.arrivalIn(punt.packet);
      const isOwn = what === 'port_unreachable' || what === 'reject' || port === undefined;
      const facing = isOwn ? addressesIn(punt.packet)?.dst : addressFacing(port, ends.ip, realm.model);
      const probe = {
        ...star,
        address: facing === undefined ? null : formatIp(facing),
        mark: mark ?? '',
        uuid: port?.interface_uuid ?? null,
      };
      return { probe, isLast: what !== 'time_exceeded' };
    }
    case 'dropped':
      // Where it only expired in silence, the next goes further.
      return { probe: star, isLast: dropReason(ending.drop.packet) !== 'ttl' };
    default:
      return { probe: star, isLast: true };
  }
}
