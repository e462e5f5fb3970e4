/**
 * Who would reach whom that does not now, and the reverse.
 *
 * Owns: comparing verdicts before and after a change, for the interfaces and services that it can touch.
 * Assumes: nothing else changes in the twin until the last step is done.
 * Promises: interfaces that flows cannot tell apart, neither before nor after, are asked about once. What is too much to compare, or is left out, is said.
 * The twin is as before in the end, as it is when a step throws.
 */
import type { SecurityGroup } from '../../flows/model/entities/security-group.js';
import type { Interface } from '../../flows/model/entities/interface.js';
import { HotoriError } from '../../flows/model/errors.js';
import { vrfKey } from '../../flows/model/indexes.js';
import { entityOf, referrers } from '../../flows/model/view.js';
import { nicsOf } from '../../flows/trace/explain/ends.js';
import type { NextHop } from '../../flows/trace/explain/next-hop.js';
import { traceInput } from '../../flows/trace/explain/question.js';
import { compiling } from '../../flows/trace/explain/realm.js';
import { verdictOf } from '../../flows/trace/explain/verdict.js';
import { Classes } from '../../flows/trace/reach/classes.js';
import { servicesToldApart, type ServicePart } from '../../flows/trace/reach/services.js';
import { MOST_PLANNED_CELLS, MOST_PLANNED_MEMBERS, MOST_PLANNED_SERVICES, type Plan } from '../messages/plan.js';
import type { EntityChange } from '../transaction/transaction.js';
import { addTouched, nothingTouched, type Touched } from './touched.js';
import { inverse, type Twin } from './twin.js';

export type PlannedReach = Plan['reachability'];
type Outcome = NonNullable<PlannedReach['changes'][number]['before']>;
type Family = 'ipv4' | 'ipv6';

/** Interfaces that are looked at in one go. */
const PART = 200;

const FAMILIES = ['ipv4', 'ipv6'] as const;

/** Interfaces that nothing tells apart, before or after. */
interface Group {
  readonly members: Interface[];
  readonly isTouched: boolean;
  /** Domains they are in, before or after. */
  readonly domains: ReadonlySet<number>;
  readonly families: ReadonlySet<Family>;
}

/** Whom packets of a cell are for. */
type Receiver = Group | { readonly address: string; readonly domain: number };

interface Cell {
  readonly source: Group;
  readonly receiver: Receiver;
  readonly from: string;
  readonly to: string;
  readonly family: Family;
  readonly service: number;
}

export function* planReach(twin: Twin, changes: readonly EntityChange[]): Generator<void, PlannedReach> {
  const undone = inverse(changes);
  const after = <T>(look: () => T): T => {
    twin.apply(changes);
    try {
      return look();
    } finally {
      twin.apply(undone);
    }
  };
  const touched = nothingTouched();
  addTouched(touched, twin, changes, 'before');
  after(() => addTouched(touched, twin, changes, 'after'));
  const during = function* <T>(steps: Generator<void, T>): Generator<void, T> {
    twin.apply(changes);
    try {
      return yield* steps;
    } finally {
      twin.apply(undone);
    }
  };
  const survey = new Survey(touched);
  yield* survey.look(twin, 'before');
  yield* during(survey.look(twin, 'after'));
  const groups = survey.groups();
  const pairs = pairsOf(touched, groups);
  const { services, notes } = servicesFor(touched, changes, groups, [twin, after]);
  const cells = cellsOf(pairs, services);
  if (cells.length > MOST_PLANNED_CELLS) {
    const text = `${pairs.length} pairs of classes of interfaces and ${services.length} services are ${cells.length} comparisons, and more than ${MOST_PLANNED_CELLS} are not made: ask about those that matter (reachability), before and after`;
    return { services: [], changes: [], compared: 0, notes: [text] };
  }
  const was = yield* outcomes(twin, cells, services);
  const is = yield* during(outcomes(twin, cells, services));
  return { services: services.map(told), changes: differences(cells, was, is), compared: cells.length, notes };
}

/** Looks at the interfaces that are touched, and at those they may talk to, once before the change and once after. */
class Survey {
  private readonly touched: Touched;
  private readonly seen = new Map<
    string,
    { iface: Interface; before: number; after: number; domains: Set<number>; families: Set<Family> }
  >();

  constructor(touched: Touched) {
    this.touched = touched;
  }

  *look(twin: Twin, side: 'before' | 'after'): Generator<void> {
    const { model } = twin;
    const classes = new Classes(twin);
    const domains = new Set([...this.touched.domains, ...this.touched.addresses.values()]);
    for (const uuid of this.touched.interfaces) for (const vrf of domainsOf(twin, uuid)) domains.add(vrf);
    const interfaces = new Set<string>(this.touched.interfaces);
    for (const vrf of domains)
      for (const network of model.lookup(vrfKey(vrf)))
        for (const lease of referrers(model, 'ip_lease', network)) if (lease.interface_uuid !== null) interfaces.add(lease.interface_uuid);
    for (const [at, uuid] of [...interfaces].entries()) {
      if (at % PART === PART - 1) yield;
      const iface = entityOf(model, 'interface', uuid);
      const nics = iface === undefined ? [] : nicsOf(model, iface);
      if (iface === undefined || iface.mode === 'simulated' || nics.length === 0) continue;
      const seen = this.seen.get(uuid) ?? { iface, before: -1, after: -1, domains: new Set(), families: new Set() };
      seen[side] = classes.of(iface).id;
      for (const { ip, network } of nics) {
        seen.domains.add(network.vrf_key);
        seen.families.add(ip.family);
      }
      this.seen.set(uuid, seen);
    }
  }

  groups(): Group[] {
    const groups = new Map<string, Group>();
    for (const { iface, before, after, domains, families } of this.seen.values()) {
      const isTouched = this.touched.interfaces.has(iface.uuid);
      const key = `${before} ${after} ${isTouched}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { members: [iface], isTouched, domains, families });
      else group.members.push(iface);
    }
    return [...groups.values()];
  }
}

function domainsOf({ model }: Twin, uuid: string): number[] {
  const iface = entityOf(model, 'interface', uuid);
  return iface === undefined ? [] : nicsOf(model, iface).map(({ network }) => network.vrf_key);
}

type Pair = Pick<Cell, 'source' | 'receiver' | 'from' | 'to'>;

function pairsOf(touched: Touched, groups: readonly Group[]): Pair[] {
  const pairs: Pair[] = [];
  for (const source of groups) {
    for (const receiver of groups) {
      const shared = [...source.domains].filter((vrf) => receiver.domains.has(vrf));
      const isAsked = source.isTouched || receiver.isTouched || shared.some((vrf) => touched.domains.has(vrf));
      const [from, to] = twoOf(source.members, receiver.members);
      if (shared.length > 0 && isAsked && to !== undefined) pairs.push({ source, receiver, from: from!, to });
    }
    for (const [address, domain] of touched.addresses)
      if (source.domains.has(domain)) pairs.push({ source, receiver: { address, domain }, from: source.members[0]!.uuid, to: address });
  }
  return pairs;
}

/** Nobody is asked about itself. */
function twoOf(sources: readonly Interface[], receivers: readonly Interface[]): readonly string[] {
  const [from] = sources;
  const to = receivers.find(({ uuid }) => uuid !== from!.uuid);
  if (to !== undefined) return [from!.uuid, to.uuid];
  const other = sources.find(({ uuid }) => uuid !== receivers[0]!.uuid);
  return other === undefined ? [] : [other.uuid, receivers[0]!.uuid];
}

const isGroup = (receiver: Receiver): receiver is Group => 'members' in receiver;

function cellsOf(pairs: readonly Pair[], services: readonly ServicePart[]): Cell[] {
  return pairs.flatMap((pair) => {
    const { source, receiver } = pair;
    const families = FAMILIES.filter((family) => {
      if (!source.families.has(family)) return false;
      return isGroup(receiver) ? receiver.families.has(family) : (family === 'ipv6') === receiver.address.includes(':');
    });
    return families.flatMap((family) => services.map((_, service): Cell => ({ ...pair, family, service })));
  });
}

/** Services that the change's own rules tell apart come first, then those of the groups of everybody concerned. */
function servicesFor(
  touched: Touched,
  changes: readonly EntityChange[],
  groups: readonly Group[],
  [twin, after]: readonly [Twin, (look: () => void) => void],
): { readonly services: readonly ServicePart[]; readonly notes: string[] } {
  const differing = changes.flatMap(({ before, after: is }) => [before, is].filter((one) => one !== undefined));
  const some = groups.flatMap(({ members }) => members.slice(0, 1));
  const joined = new Map<string, SecurityGroup>();
  const others = new Map<string, SecurityGroup>();
  const collect = () => {
    const groupsOf = (uuids: readonly string[], into: Map<string, SecurityGroup>) => {
      for (const uuid of uuids) {
        const found = entityOf(twin.model, 'security_group', uuid);
        if (found !== undefined) into.set(uuid, found);
      }
    };
    for (const uuid of touched.interfaces) groupsOf(entityOf(twin.model, 'interface', uuid)?.security_group_uuids ?? [], joined);
    for (const { uuid } of some) groupsOf(entityOf(twin.model, 'interface', uuid)?.security_group_uuids ?? [], others);
  };
  collect();
  after(collect);
  const first = servicesToldApart([...differing, ...joined.values()]);
  const all = servicesToldApart([...differing, ...joined.values(), ...others.values()]);
  if (all.length <= MOST_PLANNED_SERVICES) return { services: all, notes: [] };
  const services = first.slice(0, MOST_PLANNED_SERVICES);
  return { services, notes: [`rules tell ${all.length} services apart; ${services.length} were compared`] };
}

function* outcomes(twin: Twin, cells: readonly Cell[], services: readonly ServicePart[]): Generator<void, (Outcome | null)[]> {
  const known = new Map<string, NextHop>();
  const found: (Outcome | null)[] = [];
  for (const cell of cells) {
    found.push(yield* compiling(twin, () => outcomeOf(twin, cell, services[cell.service]!, known)));
    yield;
  }
  return found;
}

/** null: there is no such pair. */
function outcomeOf(twin: Twin, { from, to, family, receiver }: Cell, { ask }: ServicePart, known: Map<string, NextHop>): Outcome | null {
  const { protocol, port, icmp_type } = ask;
  try {
    const question = traceInput.parse({ source: from, destination: to, protocol, destination_port: port, icmp_type, family });
    const { verdict, reason, admitted_by } = verdictOf(twin, question, known);
    const own = new Set([from, to].flatMap((uuid) => [uuid, twin.placeOf(uuid)?.datapath_uuid ?? '']));
    return {
      verdict,
      code: reason.code,
      text: reason.text,
      uuids: isGroup(receiver) ? reason.uuids.filter((uuid) => !own.has(uuid)) : [...reason.uuids],
      admitted_by: [...admitted_by],
    };
  } catch (error) {
    if (error instanceof HotoriError && (error.code === 'invalid_reference' || error.code === 'invalid_argument')) return null;
    throw error;
  }
}

type Change = PlannedReach['changes'][number];

function differences(cells: readonly Cell[], was: readonly (Outcome | null)[], is: readonly (Outcome | null)[]): Change[] {
  const rows = new Map<string, { change: Change; byFamily: Map<Family, number[]> }>();
  for (const [at, cell] of cells.entries()) {
    const [before, after] = [was[at]!, is[at]!];
    const op = opOf(before, after);
    if (op === undefined) continue;
    const { source, receiver, from, to, family, service } = cell;
    const isSame = [from, to, op, keyOf(before), keyOf(after)].join('|');
    const row = rows.get(isSame);
    if (row !== undefined) {
      row.byFamily.set(family, [...(row.byFamily.get(family) ?? []), service]);
      continue;
    }
    const change: Change = {
      op,
      source: sideOf(source),
      destination: isGroup(receiver)
        ? { ...sideOf(receiver), address: null }
        : { count: 0, interface_uuids: [], security_group_uuids: [], address: receiver.address },
      pairs: isGroup(receiver) ? countOf(source, receiver) : source.members.length,
      families: [],
      services: [],
      before,
      after,
      example: { source: from, destination: to },
    };
    rows.set(isSame, { change, byFamily: new Map([[family, [service]]]) });
  }
  // One row for both families where they agree.
  return [...rows.values()].flatMap(({ change, byFamily }) => {
    const [four, six] = FAMILIES.map((family) => byFamily.get(family));
    if (four !== undefined && six !== undefined && four.join() === six.join())
      return [{ ...change, families: [...FAMILIES], services: four }];
    return FAMILIES.flatMap((family) => {
      const services = byFamily.get(family);
      return services === undefined ? [] : [{ ...change, families: [family], services }];
    });
  });
}

const STATES = { delivered: 'open', answered: 'open', rejected: 'shut', dropped: 'shut', undecidable: 'unsure' } as const;

function opOf(before: Outcome | null, after: Outcome | null): Change['op'] | undefined {
  const [was, is] = [before, after].map((one) => (one === null ? 'shut' : STATES[one.verdict]));
  if (was === is) return undefined;
  return is === 'open' ? 'opens' : is === 'shut' ? 'closes' : 'unsure';
}

function keyOf(outcome: Outcome | null): string {
  return outcome === null ? '' : [outcome.verdict, outcome.code, ...outcome.uuids, '/', ...outcome.admitted_by].join(' ');
}

function sideOf({ members }: Group): Change['source'] {
  const [one] = members;
  return {
    count: members.length,
    interface_uuids: members.slice(0, MOST_PLANNED_MEMBERS).map(({ uuid }) => uuid),
    security_group_uuids: [...one!.security_group_uuids],
  };
}

function countOf(source: Group, receiver: Group): number {
  return source.members.length * receiver.members.length - (source === receiver ? source.members.length : 0);
}

function told({ ask, ports }: ServicePart): PlannedReach['services'][number] {
  return { protocol: ask.protocol, ports, port: ask.port ?? null, icmp_type: ask.icmp_type ?? null };
}
