/**
 * Who reaches whom, by classes.
 *
 * Owns: one trace for each pair of classes and service, and what is said of a class by the trace of two of its members.
 * Assumes: nothing changes in the realm until the last cell is made.
 * Promises: the cells are those that traces of all pairs would make; a step of the generator is one trace.
 */
import { HotoriError } from '../../model/errors.js';
import type { Interface } from '../../model/entities/interface.js';
import { referrers, type ModelView } from '../../model/view.js';
import { nicsOf } from '../explain/ends.js';
import type { NextHop } from '../explain/next-hop.js';
import { traceInput, type TraceQuestion } from '../explain/question.js';
import type { Realm } from '../explain/realm.js';
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
  const { sources, destinations, left_out } = reachEnds(realm.model, question);
  const groups = grouped(new Classes(realm), sources, destinations);
  const senders = groups.filter((group) => group.sources.length > 0);
  const receivers = groups.filter((group) => group.destinations.length > 0);
  checkSize(senders.length, receivers.length, services.length);
  const known = new Map<string, NextHop>();
  const cells: ReachCell[] = [];
  for (const from of senders)
    for (const to of receivers) {
      const pair = twoOf(from, to);
      if (pair === undefined) continue;
      for (const [service, one] of services.entries()) {
        const verdict = traced(realm, questionOf(pair, one), pair, known);
        cells.push({ source: from.class.id, destination: to.class.id, service, pairs: pairsOf(from, to), ...verdict });
        yield;
      }
    }
  return { classes: groups.map(described), cells, left_out };
}

interface Group {
  readonly class: ReachClass;
  readonly sources: Interface[];
  readonly destinations: Interface[];
}

interface Pair {
  readonly source: Interface;
  readonly destination: Interface;
}

function grouped(classes: Classes, sources: readonly Interface[], destinations: readonly Interface[]): Group[] {
  const groups = new Map<number, Group>();
  const groupOf = (iface: Interface) => {
    const found = classes.of(iface);
    let group = groups.get(found.id);
    if (group === undefined) groups.set(found.id, (group = { class: found, sources: [], destinations: [] }));
    return group;
  };
  for (const iface of sources) groupOf(iface).sources.push(iface);
  for (const iface of destinations) groupOf(iface).destinations.push(iface);
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

/** Two that differ; undefined where there is but one. */
function twoOf({ sources }: Group, { destinations }: Group): Pair | undefined {
  for (const source of sources.slice(0, 2))
    for (const destination of destinations.slice(0, 2)) if (source.uuid !== destination.uuid) return { source, destination };
  return undefined;
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
  return { verdict, reason: reasonOfClass(realm.model, reason, pair), admitted_by: [...admitted_by], example };
}

/** What of the reason for one pair is the reason for every pair of the two classes. */
function reasonOfClass(model: ModelView, reason: Verdict['reason'], pair: Pair): ReachCell['reason'] {
  const own = new Set([pair.source, pair.destination].flatMap((iface) => ownUuids(model, iface)));
  const { code, text, uuids, datapath_uuid, table, nearest } = reason;
  return { code, text, uuids: uuids.filter((uuid) => !own.has(uuid)), datapath_uuid, table, nearest };
}

function ownUuids(model: ModelView, { uuid }: Interface): string[] {
  const leases = [...referrers(model, 'mac_lease', uuid), ...referrers(model, 'ip_lease', uuid)];
  return [uuid, ...leases.map((lease) => lease.uuid)];
}

function described({ class: one, sources, destinations }: Group): ReachAnswer['classes'][number] {
  const side = (list: readonly Interface[]) => ({
    count: list.length,
    interface_uuids: list.slice(0, MOST_MEMBERS).map(({ uuid }) => uuid),
  });
  return {
    ...one,
    network_uuids: [...one.network_uuids],
    security_group_uuids: [...one.security_group_uuids],
    sources: side(sources),
    destinations: side(destinations),
  };
}
