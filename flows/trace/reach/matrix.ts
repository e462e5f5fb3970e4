/**
 * Who reaches whom, by classes.
 *
 * Owns: one trace for each pair of classes and service, and what is said of a class by the trace of two of its members.
 * Assumes: nothing changes in the realm until the last cell is made.
 * Promises: the cells are those that traces of all pairs would make; a step of the generator is one trace.
 */
import { HotoriError } from '../../model/errors.js';
import type { Interface } from '../../model/entities/interface.js';
import { referrers } from '../../model/view.js';
import { nicsOf } from '../explain/ends.js';
import type { NextHop } from '../explain/next-hop.js';
import { traceInput, type TraceQuestion } from '../explain/question.js';
import { compiling, type Realm } from '../explain/realm.js';
import { verdictOf, type Verdict } from '../explain/verdict.js';
import { MOST_MEMBERS, type ReachAnswer, type ReachCell } from './answer.js';
import { Classes, type ReachClass } from './classes.js';
import { reachEnds } from './ends.js';
import type { ReachQuestion, ReachService } from './question.js';

/** Cells that one question may have: about a minute of work. */
export const MOST_CELLS = 25_000;

export type ReachMatrix = Pick<ReachAnswer, 'classes' | 'cells' | 'left_out'>;

/** Throws HotoriError as reachEnds does, and `too_many_classes`. */
export function* reachMatrix(realm: Realm, question: ReachQuestion): Generator<void, ReachMatrix> {
  const { services } = question;
  const { sources, destinations, left_out } = yield* reachEnds(realm.model, question);
  const groups = yield* grouped(new Classes(realm), sources, destinations);
  const senders = groups.filter((group) => group.sources.length > 0);
  const receivers = groups.filter((group) => group.destinations.length > 0);
  checkSize(senders.length, receivers.length, services.length);
  const pick = examplesOf(realm, senders, receivers);
  const known = new Map<string, NextHop>();
  const cells: ReachCell[] = [];
  for (const from of senders)
    for (const to of receivers) {
      const pair = pick(from, to);
      if (pair === undefined) continue;
      for (const [service, one] of services.entries()) {
        const verdict = yield* compiling(realm, () => traced(realm, questionOf(pair, one), pair, known));
        cells.push({ source: from.class.id, destination: to.class.id, service, pairs: pairsOf(from, to), ...verdict });
        yield;
      }
    }
  return { classes: groups.map((group) => described(realm, group)), cells, left_out };
}

/** Interfaces that are put into classes in one go. */
const PART = 200;

interface Group {
  readonly class: ReachClass;
  readonly sources: Interface[];
  readonly destinations: Interface[];
}

interface Pair {
  readonly source: Interface;
  readonly destination: Interface;
}

function* grouped(classes: Classes, sources: readonly Interface[], destinations: readonly Interface[]): Generator<void, Group[]> {
  const groups = new Map<number, Group>();
  const groupOf = (iface: Interface) => {
    const found = classes.of(iface);
    let group = groups.get(found.id);
    if (group === undefined) groups.set(found.id, (group = { class: found, sources: [], destinations: [] }));
    return group;
  };
  for (const [side, list] of [['sources', sources] as const, ['destinations', destinations] as const])
    for (const [at, iface] of list.entries()) {
      groupOf(iface)[side].push(iface);
      if (at % PART === PART - 1) yield;
    }
  return [...groups.values()];
}

function checkSize(senders: number, receivers: number, services: number): void {
  const cells = senders * receivers * services;
  if (cells <= MOST_CELLS) return;
  throw new HotoriError(
    'too_many_classes',
    `${senders} classes of sources, ${receivers} of destinations and ${services} services are ${cells} cells, and more than ${MOST_CELLS} are not worked out at once`,
    { details: { source_classes: senders, destination_classes: receivers, services, limit: MOST_CELLS } },
  );
}

/**
 * Which pair is traced for two classes; undefined where there is but one interface. Senders are taken from one hypervisor and receivers from another as far as they
 * are there, so that few are compiled and ways between hypervisors are gone.
 */
function examplesOf(realm: Realm, senders: readonly Group[], receivers: readonly Group[]): (from: Group, to: Group) => Pair | undefined {
  const placeOf = ({ uuid }: Interface) => realm.placeOf(uuid)?.datapath_uuid;
  const here = mostCommon(senders.map(({ sources }) => new Set(sources.map(placeOf))));
  const there = mostCommon(receivers.map(({ destinations }) => new Set(destinations.map(placeOf).filter((place) => place !== here))));
  const firstTwo = (list: readonly Interface[], preferred: string | undefined) => {
    const first = list.find((one) => placeOf(one) === preferred) ?? list[0]!;
    return [first, ...list.filter((one, at) => at < 2 && one !== first)];
  };
  const examples = new Map<Group, { readonly sources: readonly Interface[]; readonly destinations: readonly Interface[] }>();
  const ofGroup = (group: Group) => {
    let found = examples.get(group);
    if (found === undefined)
      examples.set(
        group,
        (found = {
          sources: group.sources.length === 0 ? [] : firstTwo(group.sources, here),
          destinations: group.destinations.length === 0 ? [] : firstTwo(group.destinations, there),
        }),
      );
    return found;
  };
  return (from, to) => {
    for (const source of ofGroup(from).sources)
      for (const destination of ofGroup(to).destinations) if (source.uuid !== destination.uuid) return { source, destination };
    return undefined;
  };
}

/** The place that most sets have; of several the first by name. */
function mostCommon(sets: readonly ReadonlySet<string | undefined>[]): string | undefined {
  const counts = new Map<string, number>();
  for (const set of sets) for (const place of set) if (place !== undefined) counts.set(place, (counts.get(place) ?? 0) + 1);
  return [...counts].sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))[0]?.[0];
}

function pairsOf(from: Group, to: Group): number {
  const all = from.sources.length * to.destinations.length;
  if (from !== to) return all;
  const receivers = new Set(to.destinations.map(({ uuid }) => uuid));
  return all - from.sources.filter(({ uuid }) => receivers.has(uuid)).length;
}

/** The trace that a cell stands for. */
export function questionOf(
  { source, destination }: { readonly source: { uuid: string }; readonly destination: { uuid: string } },
  service: ReachService,
): TraceQuestion {
  const { protocol, port, icmp_type } = service;
  return traceInput.parse({ source: source.uuid, destination: destination.uuid, protocol, destination_port: port, icmp_type });
}

function traced(
  realm: Realm,
  question: TraceQuestion,
  pair: Pair,
  known: Map<string, NextHop>,
): Pick<ReachCell, 'verdict' | 'reason' | 'admitted_by' | 'example'> {
  const example = { source: pair.source.uuid, destination: pair.destination.uuid };
  const families = nicsOf(realm.model, pair.source).map(({ ip }) => ip.family);
  if (!nicsOf(realm.model, pair.destination).some(({ ip }) => families.includes(ip.family))) {
    const text = `${example.source} and ${example.destination} have no addresses of one family`;
    const reason = { code: 'no_common_family', text, uuids: [], datapath_uuid: null, table: null, nearest: null };
    return { verdict: 'dropped', reason, admitted_by: [], example };
  }
  const { verdict, reason, admitted_by } = verdictOf(realm, question, known);
  return { verdict, reason: reasonOfClass(realm, reason, pair), admitted_by: [...admitted_by], example };
}

/** What of the reason for one pair is the reason for every pair of the two classes. */
function reasonOfClass(realm: Realm, reason: Verdict['reason'], pair: Pair): ReachCell['reason'] {
  const own = new Set([pair.source, pair.destination].flatMap((iface) => ownUuids(realm, iface)));
  const { code, text, uuids, datapath_uuid, table, nearest } = reason;
  return { code, text, uuids: uuids.filter((uuid) => !own.has(uuid)), datapath_uuid, table, nearest };
}

/** Itself, its leases, and where it is plugged. */
function ownUuids(realm: Realm, { uuid }: Interface): string[] {
  const leases = [...referrers(realm.model, 'mac_lease', uuid), ...referrers(realm.model, 'ip_lease', uuid)];
  const place = realm.placeOf(uuid);
  return [uuid, ...leases.map((lease) => lease.uuid), ...(place === undefined ? [] : [place.datapath_uuid])];
}

function described(realm: Realm, { class: one, sources, destinations }: Group): ReachAnswer['classes'][number] {
  const side = (list: readonly Interface[]) => ({
    count: list.length,
    interface_uuids: list.slice(0, MOST_MEMBERS).map(({ uuid }) => uuid),
  });
  const places = new Set([...sources, ...destinations].flatMap(({ uuid }) => realm.placeOf(uuid)?.datapath_uuid ?? []));
  return {
    ...one,
    datapath_uuids: [...places].sort(),
    network_uuids: [...one.network_uuids],
    security_group_uuids: [...one.security_group_uuids],
    sources: side(sources),
    destinations: side(destinations),
  };
}
