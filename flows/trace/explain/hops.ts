/**
 * The routers a packet crossed.
 *
 * Owns: turning rows of FIB and POLICY_ROUTES that were hit into routers with their ports, in order.
 * Promises: routers of a composed path come from the path that the row was made from; where the TTL ran out, the list ends with the router that noticed.
 */
import type { PolicyRoute, Route } from '../../model/entities/routing.js';
import { entityOf, type ModelView } from '../../model/view.js';
import { formatCidr } from '../../net/cidr.js';
import { formatIp, type Ip } from '../../net/ip.js';
import type { RouterPort } from '../../pipeline/facts.js';
import { prefixOf, routerPortsOfInterface } from '../../pipeline/indexes.js';
import { hopAt, pathsOf, policyOutcome, type Hop, type Outcome } from '../../pipeline/paths.js';
import { ttlCosts } from '../../pipeline/stages/routes.js';
import { TABLES, type TableName } from '../../pipeline/tables.js';
import type { Microflow } from '../microflow.js';
import type { TableStep } from '../result.js';
import type { TraceHop, TraceTunnel } from './answer.js';
import { rewritten } from './walk.js';
import { addressFacing, Names, register, routerName } from './names.js';
import type { Passage } from './passage.js';
import type { Realm, RealmSite } from './realm.js';

interface Crossing {
  readonly site: RealmSite;
  readonly hops: readonly Hop[];
  readonly outcome: Outcome;
  /** The policy route that was taken instead of a route. */
  readonly policy: PolicyRoute | undefined;
  /** The packet before the first of the routers. */
  readonly before: Microflow;
}

/** What a crossing makes of a packet: by what port of the first router, as it came to it or left the one before, and as it goes on. */
interface Passing {
  readonly first: RouterPort | undefined;
  readonly from: Microflow;
  readonly to: Microflow;
}

/** @param tunnels those that it goes through */
export function hopsOf(realm: Realm, passage: Passage, sender: Ip, tunnels: readonly TraceTunnel[]): TraceHop[] {
  const hops = routersOf(realm, passage, sender);
  return hops.map((hop, at): TraceHop => {
    const isLastHere = hops[at + 1]?.datapath_uuid !== hop.datapath_uuid;
    const tunnel = isLastHere ? tunnels.find(({ from }) => from === hop.datapath_uuid) : undefined;
    const limits = [hop.mtu, tunnel?.mtu ?? null].filter((mtu) => mtu !== null);
    return { ...hop, mtu: limits.length === 0 ? null : Math.min(...limits) };
  });
}

function routersOf(realm: Realm, passage: Passage, sender: Ip): TraceHop[] {
  const expiredAt = expiredPort(realm, passage);
  const hops: TraceHop[] = [];
  let entered: RouterPort | undefined;
  for (const { datapath_uuid, trace } of passage.visits) {
    const site = realm.at(datapath_uuid)!;
    const tables = trace.steps.filter((step): step is TableStep => step.kind === 'table');
    let from = tables[0]?.packet;
    for (const [at, step] of tables.entries()) {
      const crossing = crossingAt(site, step, tables[at + 1]);
      if (crossing === undefined || from === undefined) continue;
      const first = entered ?? new Names(site.look).arrivalIn(crossing.before);
      const end = tables.findIndex(({ table }, later) => later > at && BEYOND.has(table));
      const within = tables.slice(at, end < 0 ? undefined : end + 1);
      // It is routed again where it is translated, and takes one from the TTL there.
      entered = isHandedOver(within) ? first : undefined;
      if (entered !== undefined) continue;
      const to = within.at(-1)?.packet ?? crossing.before;
      const passing = { first, from, to };
      from = to;
      for (const hop of described(crossing, passing, realm.model, sender, hops.length)) {
        hops.push(hop);
        if (expiredAt !== undefined && hop.in?.interface_uuid === expiredAt) return hops;
      }
    }
  }
  return hops;
}

/** Where the TTL ran out: the port by which the packet came to that router. */
function expiredPort(realm: Realm, { ending, visits }: Passage): string | undefined {
  if (ending.kind !== 'punted' || ending.what !== 'time_exceeded') return undefined;
  return new Names(realm.at(visits[ending.visit]!.datapath_uuid)!.look).arrivalIn(ending.punt.packet)?.interface_uuid;
}

/** Where a router, or a run of them, is left. */
const BEYOND: ReadonlySet<number> = new Set([TABLES.L2_LOOKUP, TABLES.L2L3, TABLES.FIB, TABLES.POLICY_ROUTES].map(({ id }) => id));

/** To another hypervisor, which translates it. */
function isHandedOver(within: readonly TableStep[]): boolean {
  const passes = (table: TableName) => within.some((step) => step.table === TABLES[table].id);
  return passes('NAT_OUT') && !passes('NAT_SENT') && passes('ROUTED');
}

function crossingAt(site: RealmSite, step: TableStep, next: TableStep | undefined): Crossing | undefined {
  const { table, hit, packet } = step;
  const isRouting = table === TABLES.FIB.id || table === TABLES.POLICY_ROUTES.id;
  if (!isRouting || hit === undefined || packet === undefined || next?.packet === undefined || next.table !== TABLES.HOPS.id)
    return undefined;
  const { look } = site;
  const link = new Names(look).routerIn(packet);
  if (link === undefined) return undefined;
  const key = register(next.packet, 'path');
  for (const uuid of site.provenance(hit.flow.cookie)?.uuids ?? []) {
    const policy = look.get('policy_route', uuid);
    if (policy?.route_link_uuid === link.uuid && policy.route_key === key) {
      const hop = hopAt(link.uuid, undefined, undefined, look);
      return hop && { site, hops: [hop], outcome: policyOutcome(policy, look), policy, before: packet };
    }
    const route = look.get('route', uuid);
    if (route?.route_link_uuid !== link.uuid) continue;
    const path = pathsOf(route, look).find(({ path_key }) => path_key === key);
    if (path !== undefined) return { site, hops: path.hops, outcome: path.outcome, policy: undefined, before: packet };
  }
  return undefined;
}

function described(crossing: Crossing, { first, from: arrived, to }: Passing, model: ModelView, sender: Ip, from: number): TraceHop[] {
  const { site, hops, outcome, policy, before } = crossing;
  const costs = ttlCosts(hops);
  const ttl = before.number('nw_ttl');
  return hops.flatMap((hop, at): TraceHop[] => {
    const link = entityOf(model, 'route_link', hop.link_uuid);
    if (link === undefined) return [];
    const arrival = hop.arrival ?? first;
    const leaves = at === hops.length - 1 ? outcomePort(outcome) : hops[at + 1]!.arrival;
    const route = hop.route_uuid === undefined ? undefined : entityOf(model, 'route', hop.route_uuid);
    const address = addressFacing(arrival, sender, model);
    const { uuid, name } = routerName(link, model);
    return [
      {
        n: from + at + 1,
        router_uuid: uuid,
        name,
        address: address === undefined ? null : formatIp(address),
        in: placeOf(arrival),
        out: placeOf(at === hops.length - 1 ? leaves : exitOf(route, leaves, site)),
        ttl: [Math.max(0, ttl - (at === 0 ? 0 : costs[at - 1]!)), Math.max(0, ttl - costs[at]!)],
        rewrites: {
          // All of it is done at once: what is done on the way in is the first router's, what on the way out the last one's.
          ...(at === 0 ? rewritten(arrived, before) : {}),
          ...(at === hops.length - 1 ? rewritten(at === 0 ? arrived : before, to) : {}),
        },
        mode: hop.mode,
        reason: policy === undefined ? routeText(route) : policyText(policy),
        uuids: [...(policy === undefined ? [] : [policy.uuid]), ...(route === undefined ? [] : [route.uuid])],
        mtu: mtuOf(leaves, model),
        datapath_uuid: site.datapath_uuid,
      },
    ];
  });
}

function outcomePort(outcome: Outcome): RouterPort | undefined {
  switch (outcome.kind) {
    case 'deliver':
    case 'host':
      return outcome.port;
    case 'router':
      return outcome.into;
    default:
      return undefined;
  }
}

/** The router's own port towards the next router: that of the route, else the one in the segment where the next is entered. */
function exitOf(route: Route | undefined, next: RouterPort | undefined, site: RealmSite): RouterPort | undefined {
  const own = route?.interface_uuid ?? undefined;
  if (own === undefined) return next;
  return site.look.all(routerPortsOfInterface, own)[0] ?? next;
}

function placeOf(port: RouterPort | undefined): TraceHop['in'] {
  return port === undefined ? null : { interface_uuid: port.interface_uuid, network_uuid: port.addresses[0]?.network_uuid ?? null };
}

function mtuOf(port: RouterPort | undefined, model: ModelView): number | null {
  return entityOf(model, 'network', port?.addresses[0]?.network_uuid ?? null)?.mtu ?? null;
}

function routeText(route: Route | undefined): string {
  if (route === undefined) return 'no route';
  const via = route.via.length === 0 ? '' : ` via ${route.via.join(', ')}`;
  const type = route.type === 'forward' ? '' : ` ${route.type}`;
  return `route ${formatCidr(prefixOf(route))}${via}${type}`;
}

function policyText({ priority, type, via }: PolicyRoute): string {
  return `policy route ${priority}${type === 'forward' ? ` via ${via.join(', ')}` : ` ${type}`}`;
}
