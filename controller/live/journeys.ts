/**
 * Which observations are of one packet, and what became of it.
 *
 * Owns: putting observations together by what stays the same of a packet; the verdict on each.
 * Assumes: observations of one datapath come in the order in which they were made; those of several in any order, whatever their clocks say.
 * Promises: a packet that looks like another one is another one when it comes in anew, or is seen twice where one packet is seen once.
 */
import { DROP_REASONS, type DropReason } from '../../flows/pipeline/tables.js';
import type { LiveObservation } from '../messages/live.js';
import type { LiveReason, LiveVerdict } from './answer.js';

export interface Sighting extends LiveObservation {
  readonly datapath_uuid: string;
}

export interface Journey {
  readonly identity: string;
  readonly sightings: Sighting[];
  /** When we heard of it first, and last; milliseconds of our own clock. */
  readonly firstHeard: number;
  lastHeard: number;
}

/** Receivers of a flood that are named. */
const NAMED = 5;
/** Points where a packet is on its way. */
const UNDER_WAY: ReadonlySet<Sighting['point']> = new Set(['entry', 'arrival', 'sent']);

export class Journeys {
  readonly all: Journey[] = [];
  readonly #byIdentity = new Map<string, Journey[]>();

  /** @param now milliseconds of our own clock */
  add(sighting: Sighting, now: number): void {
    const known = this.#byIdentity.get(sighting.identity) ?? [];
    const journey = known.find((one) => mayBeOf(one, sighting)) ?? this.#begin(sighting.identity, now, known);
    journey.sightings.push(sighting);
    journey.lastHeard = now;
  }

  #begin(identity: string, now: number, known: readonly Journey[]): Journey {
    const journey: Journey = { identity, sightings: [], firstHeard: now, lastHeard: now };
    this.all.push(journey);
    this.#byIdentity.set(identity, [...known, journey]);
    return journey;
  }
}

/** Floods are seen at many ports; a packet comes in, arrives at a datapath and ends in one way once. */
function mayBeOf({ sightings }: Journey, sighting: Sighting): boolean {
  const { datapath_uuid, point, interface_uuid, peer_uuid, branch } = sighting;
  return !sightings.some(
    (other) =>
      other.datapath_uuid === datapath_uuid &&
      other.point === point &&
      (point === 'entry' ||
        point === 'arrival' ||
        (other.interface_uuid === interface_uuid && other.peer_uuid === peer_uuid && other.branch === branch)),
  );
}

/** Where it has ended, as far as it was seen. */
export function endsOf({ sightings }: Journey, isWatched: (datapath: string) => boolean): Sighting[] {
  return sightings.filter(
    ({ point, peer_uuid }) => !UNDER_WAY.has(point) || (point === 'sent' && peer_uuid !== null && !isWatched(peer_uuid)),
  );
}

export interface Outcome {
  readonly verdict: LiveVerdict;
  readonly reason: LiveReason;
}

const VERDICT_OF: Partial<Record<Sighting['point'], LiveVerdict>> = {
  delivered: 'delivered',
  flooded: 'delivered',
  answered: 'answered',
  local: 'answered',
  left: 'left',
  sent: 'left',
  refused: 'rejected',
  dropped: 'dropped',
};
/** Of several ends the first of these counts: what one receiver of a flood gets, others may not. */
const RANK: readonly LiveVerdict[] = ['delivered', 'left', 'answered', 'rejected', 'dropped'];

export function outcomeOf(journey: Journey, isWatched: (datapath: string) => boolean): Outcome {
  const judged = endsOf(journey, isWatched).map((end) => ({ end, verdict: VERDICT_OF[end.point]! }));
  // That a branch has nobody says less than why others do not get it.
  const rank = ({ end, verdict }: (typeof judged)[number]) => RANK.indexOf(verdict) * 2 + (end.reason === 'no_flood' ? 1 : 0);
  judged.sort((a, b) => rank(a) - rank(b));
  const [first] = judged;
  if (first !== undefined) return { verdict: first.verdict, reason: reasonOf(first.end, first.verdict, judged.length) };
  const last = journey.sightings.at(-1)!;
  const text =
    last.point === 'sent'
      ? `it went from ${last.datapath_uuid} to ${last.peer_uuid ?? 'another hypervisor'} and was not seen there`
      : `it came in at ${last.datapath_uuid} and nothing was seen of it afterwards`;
  return {
    verdict: 'unseen',
    reason: { code: 'unseen', text, uuids: [], datapath_uuid: last.datapath_uuid, table: null, cookie: null, nearest: null },
  };
}

function reasonOf(end: Sighting, verdict: LiveVerdict, count: number): LiveReason {
  const { datapath_uuid, table, cookie, reason, receivers } = end;
  const rule = reason === 'egress_rule' ? end.egress_rule : reason === 'ingress_rule' ? end.ingress_rule : null;
  const responsible = rule !== null ? [rule] : verdict === 'delivered' ? receivers : [];
  const uuids = [...new Set([...responsible, ...end.uuids])];
  return { code: reason ?? verdict, text: textOf(end, rule, count), uuids, datapath_uuid, table, cookie, nearest: null };
}

function textOf(
  { point, datapath_uuid, interface_uuid, receivers, peer_uuid, reason }: Sighting,
  rule: string | null,
  count: number,
): string {
  const more = count > 1 ? `; and at ${count - 1} more ${count === 2 ? 'place' : 'places'}` : '';
  switch (point) {
    case 'delivered':
      return `delivered to ${interface_uuid ?? 'a port'} on ${datapath_uuid}${more}`;
    case 'flooded':
      return `sent to ${receivers.slice(0, NAMED).join(', ')}${receivers.length > NAMED ? ` and ${receivers.length - NAMED} more` : ''} on ${datapath_uuid}${more}`;
    case 'answered':
    case 'local':
      return `answered on ${datapath_uuid}`;
    case 'left':
      return `left ${datapath_uuid} for a physical network${more}`;
    case 'sent':
      return `left ${datapath_uuid} for ${peer_uuid ?? 'another hypervisor'}, where nothing is watched${more}`;
    default: {
      const says = reason === null ? '' : `: ${DROP_REASONS[reason as DropReason].says}`;
      return `${reason ?? 'refused'}${says}${rule === null ? '' : ` (${rule})`}`;
    }
  }
}
