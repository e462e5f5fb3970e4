/**
 * Paths: where a packet goes from router to router, worked out when the tables are made.
 *
 * Owns: longest match in a router, next hops, and the walk over routers until a packet is delivered, refused, or at a router that decides by more than
 * its destination.
 * Assumes: routes of a router have distinct prefixes and do not lead round (refused at commit); should they, the walk ends.
 * Promises: a pure function of the look-ups. All addresses of a path's prefix that no other path of the same router takes go the same way.
 *
 * A route of the first router stands for several paths where routers further on tell parts of its prefix apart: one for each such part.
 */
import { cidrContains, cidrCovers, cidrOf, networkIp, type Cidr } from '../net/cidr.js';
import { formatIp, parseIp, type Ip } from '../net/ip.js';
import { parseMac } from '../net/mac.js';
import type { PolicyRoute, Route, RouteLink, RouteType, TracerouteMode } from '../model/entities/routing.js';
import type { RouterPort } from './facts.js';
import {
  ipLeasesAtAddress,
  macLeasesOfInterface,
  natPortsOfRouteLink,
  policiesOfRouteLink,
  prefixOf,
  routeBucket,
  routerPortsAtAddress,
  routerPortsOfInterface,
  routerPortsOfRouteLink,
  routerPortsOfSegment,
  routesByBucket,
  routesWithin,
  STRIDE,
} from './indexes.js';
import { gatewayUuid, outsideMac } from './outside.js';
import type { Lookup } from './rule.js';
import type { DropReason } from './tables.js';

/** Parts of one prefix that a path is divided into at most; a router that tells more apart decides for itself. */
export const MAX_BRANCHES = 64;

/** A router on the way. */
export interface Hop {
  readonly link_uuid: string;
  readonly router_key: number;
  readonly mode: TracerouteMode;
  /** The port it is entered by; undefined for the first, which may be entered by any. */
  readonly arrival: RouterPort | undefined;
  /** The route it sends the packet on by, if any. */
  readonly route_uuid: string | undefined;
}

/** Where a packet leaves a router to. `translated`: by way of NAT_OUT, from a router that is the first of its path. */
export type NextHop =
  /** Another router, entered by this port. */
  | { readonly kind: 'router'; readonly into: RouterPort; readonly mode: TracerouteMode; readonly translated?: true }
  /** A host with this MAC, in the segment of the port. */
  | { readonly kind: 'host'; readonly port: RouterPort; readonly mac: number; readonly translated?: true };

export type Outcome =
  /** To whoever has the destination address in the segment of the port. */
  | { readonly kind: 'deliver'; readonly port: RouterPort; readonly translated?: true }
  | NextHop
  /** To one of several next hops, by flow. The names are those of the route. */
  | { readonly kind: 'spread'; readonly members: ReadonlyMap<string, NextHop> }
  | { readonly kind: 'drop'; readonly reason: DropReason }
  /** Dropped, and the sender is told. */
  | { readonly kind: 'refuse'; readonly error: 'net_unreachable' | 'host_unreachable' | 'prohibited'; readonly reason: DropReason };

export interface Path {
  readonly prefix: Cidr;
  /** Names the path within its first router. */
  readonly path_key: number;
  /** At least one. */
  readonly hops: readonly Hop[];
  readonly outcome: Outcome;
}

/** The paths of the packets that the first router sends by this route; none where another route of the same prefix stands. */
export function pathsOf(route: Route, look: Lookup): Path[] {
  const root = prefixOf(route);
  const pending = new Map([[prefixText(root), root]]);
  const paths: Path[] = [];
  for (const prefix of pending.values()) {
    if (longestRoute(route.route_link_uuid, prefix, look)?.uuid !== route.uuid) continue;
    const walk = new Walk(prefix, look);
    const path = walk.run(route);
    for (const part of walk.parts) pending.set(prefixText(part), part);
    if (path !== undefined) paths.push(path);
  }
  return paths;
}

/** Where packets go that a policy of the router sends on. */
export function policyOutcome(policy: PolicyRoute, look: Lookup): Outcome {
  return policy.type === 'forward' || policy.type === 'routing-table'
    ? throughNat(policy.route_link_uuid, viaOutcome(policy.route_link_uuid, policy.via, look), look)
    : typeOutcome(policy.type);
}

export function hopAt(linkUuid: string, arrival: RouterPort | undefined, routeUuid: string | undefined, look: Lookup): Hop | undefined {
  const link = look.get('route_link', linkUuid);
  if (link === undefined) return undefined;
  return { link_uuid: linkUuid, router_key: link.router_key, mode: modeOf(link, look), arrival, route_uuid: routeUuid };
}

function modeOf(link: RouteLink | undefined, look: Lookup): TracerouteMode {
  return link?.traceroute ?? look.get('pipeline', 'pipeline')?.traceroute ?? 'virtual-hops';
}

function routerBehind(into: RouterPort, look: Lookup): NextHop & { readonly kind: 'router' } {
  return { kind: 'router', into, mode: modeOf(look.get('route_link', into.route_link_uuid!), look) };
}

class Walk {
  /** Parts of the prefix that routers on the way send by routes of their own. */
  readonly parts: Cidr[] = [];
  readonly #prefix: Cidr;
  readonly #look: Lookup;
  readonly #hops: Hop[] = [];
  /** Key of the route on the way that has this very prefix. */
  #key: number | undefined;

  constructor(prefix: Cidr, look: Lookup) {
    this.#prefix = prefix;
    this.#look = look;
  }

  /** undefined when no router on the way has a route of this prefix: other paths cover it then. */
  run(first: Route): Path | undefined {
    const outcome = this.#from(first.route_link_uuid, undefined, first);
    return this.#key === undefined || this.#hops.length === 0
      ? undefined
      : { prefix: this.#prefix, path_key: this.#key, hops: this.#hops, outcome };
  }

  #from(link: string, arrival: RouterPort | undefined, route: Route | undefined): Outcome {
    const hop = hopAt(link, arrival, route?.uuid, this.#look);
    if (hop === undefined) return { kind: 'drop', reason: 'no_route' };
    this.#hops.push(hop);
    if (route === undefined) return { kind: 'refuse', error: 'net_unreachable', reason: 'no_route' };
    this.#name(route);
    // A router that translates is entered anew, so only the first of a path is one.
    const step = this.#hops.length === 1 ? throughNat(link, this.#step(route), this.#look) : this.#step(route);
    return step.kind === 'router' && step.translated === undefined ? this.#enter(step) : step;
  }

  #name(route: Route): void {
    if (prefixOf(route).prefix === this.#prefix.prefix) this.#key ??= route.route_key;
  }

  #step(route: Route): Outcome {
    if (route.type !== 'forward') return typeOutcome(route.type);
    if (route.via.length > 0) return viaOutcome(route.route_link_uuid, route.via, this.#look);
    const port = portOf(route, this.#look);
    if (port === undefined) return { kind: 'drop', reason: 'no_route' };
    if (isConnected(route, this.#look)) return { kind: 'deliver', port };
    const into = this.#transitRouter(port, route.route_link_uuid);
    return into === undefined ? { kind: 'refuse', error: 'net_unreachable', reason: 'no_route' } : routerBehind(into, this.#look);
  }

  #enter(next: NextHop & { readonly kind: 'router' }): Outcome {
    const { into } = next;
    const link = into.route_link_uuid!;
    if (this.#hops.some((hop) => hop.link_uuid === link)) return { kind: 'drop', reason: 'routing_loop' };
    if (this.#look.all(policiesOfRouteLink, link).length > 0 || this.#look.all(natPortsOfRouteLink, link).length > 0) return next;
    const parts = this.#partsAt(link);
    if (parts.length > MAX_BRANCHES) return next;
    // Parts that it sends one way have paths of their own even where it spreads the rest.
    this.parts.push(...parts);
    const route = longestRoute(link, this.#prefix, this.#look);
    if (route === undefined || route.via.length < 2) return this.#from(link, into, route);
    this.#name(route);
    return next;
  }

  #partsAt(link: string): Cidr[] {
    const within = this.#look.all(routesWithin, routeBucket(link, this.#prefix));
    return within.flatMap((route) => {
      const prefix = prefixOf(route);
      return route.egress && prefix.prefix > this.#prefix.prefix && cidrCovers(this.#prefix, prefix) ? [prefix] : [];
    });
  }

  /** The router in the port's segment whose longest route covers the prefix; lowest port among equals. */
  #transitRouter(port: RouterPort, ownLink: string): RouterPort | undefined {
    let best: { port: RouterPort; length: number } | undefined;
    for (const candidate of this.#look.all(routerPortsOfSegment, String(port.segment_key))) {
      const link = candidate.route_link_uuid;
      if (link === null || link === ownLink) continue;
      const parts = this.#partsAt(link);
      if (parts.length <= MAX_BRANCHES) this.parts.push(...parts);
      const route = longestRoute(link, this.#prefix, this.#look, candidate.interface_uuid);
      const length = route === undefined ? -1 : prefixOf(route).prefix;
      if (route !== undefined && (best === undefined || length > best.length)) best = { port: candidate, length };
    }
    return best?.port;
  }
}

/** The outcome in a router that translates towards some segments. */
function throughNat(link: string, outcome: Outcome, look: Lookup): Outcome {
  const outside = new Set(look.all(natPortsOfRouteLink, link).map(({ segment_key }) => segment_key));
  if (outside.size === 0) return outcome;
  const marked = <T extends NextHop | (Outcome & { readonly kind: 'deliver' })>(one: T): T =>
    outside.has((one.kind === 'router' ? one.into : one.port).segment_key) ? { ...one, translated: true } : one;
  switch (outcome.kind) {
    case 'deliver':
    case 'router':
    case 'host':
      return marked(outcome);
    case 'spread':
      return { ...outcome, members: new Map([...outcome.members].map(([name, next]) => [name, marked(next)])) };
    default:
      return outcome;
  }
}

function typeOutcome(type: Exclude<RouteType, 'forward'>): Outcome {
  switch (type) {
    case 'blackhole':
      return { kind: 'drop', reason: 'blackhole' };
    case 'unreachable':
      return { kind: 'refuse', error: 'host_unreachable', reason: 'unreachable' };
    case 'prohibit':
      return { kind: 'refuse', error: 'prohibited', reason: 'prohibited' };
  }
}

function viaOutcome(link: string, via: readonly string[], look: Lookup): Outcome {
  const members = new Map<string, NextHop>();
  for (const address of via) {
    const next = nextHop(link, parseIp(address), look);
    if (next !== undefined) members.set(address, next);
  }
  const [only] = members.values();
  if (only === undefined) return { kind: 'refuse', error: 'host_unreachable', reason: 'no_neighbor' };
  return via.length === 1 ? only : { kind: 'spread', members };
}

/** Who has the address, in the network the router has a port in; undefined while nobody does. */
function nextHop(link: string, ip: Ip, look: Lookup): NextHop | undefined {
  for (const port of look.all(routerPortsOfRouteLink, link)) {
    const at = port.addresses.find((own) => cidrContains(cidrOf(own.ip, own.prefix), ip));
    if (at === undefined) continue;
    const key = `${at.network_uuid}|${formatIp(ip)}`;
    const into = look.all(routerPortsAtAddress, key).find((other) => other.route_link_uuid !== null);
    if (into !== undefined) return into.route_link_uuid === link ? undefined : routerBehind(into, look);
    for (const lease of look.all(ipLeasesAtAddress, key)) {
      const macLease =
        lease.mac_lease_uuid === null
          ? look.all(macLeasesOfInterface, lease.interface_uuid ?? '')[0]
          : look.get('mac_lease', lease.mac_lease_uuid);
      if (macLease !== undefined) return { kind: 'host', port, mac: parseMac(macLease.mac_address) };
    }
    if (look.get('gateway', gatewayUuid(port.mac_lease_uuid)) !== undefined)
      return { kind: 'host', port, mac: outsideMac(port.segment_key, ip) };
  }
  return undefined;
}

/** @param exceptThrough leave out routes through this interface. */
function longestRoute(link: string, prefix: Cidr, look: Lookup, exceptThrough?: string): Route | undefined {
  for (let bits = prefix.prefix - (prefix.prefix % STRIDE); bits >= 0; bits -= STRIDE) {
    let best: { route: Route; length: number } | undefined;
    for (const route of look.all(routesByBucket, routeBucket(link, cidrOf(networkIp(prefix), bits)))) {
      if (!route.egress || (exceptThrough !== undefined && route.interface_uuid === exceptThrough)) continue;
      const own = prefixOf(route);
      if (cidrCovers(own, prefix) && (best === undefined || own.prefix > best.length)) best = { route, length: own.prefix };
    }
    if (best !== undefined) return best.route;
  }
  return undefined;
}

/** The router's port that a route leads through. */
function portOf(route: Route, look: Lookup): RouterPort | undefined {
  if (route.interface_uuid === null) return undefined;
  return look.all(routerPortsOfInterface, route.interface_uuid).find((p) => p.addresses.some((a) => a.network_uuid === route.network_uuid));
}

/** Whether the route's prefix is part of the network it leads through. */
function isConnected(route: Route, look: Lookup): boolean {
  const network = route.network_uuid === null ? undefined : look.get('network', route.network_uuid);
  if (network === undefined) return false;
  const prefix = prefixOf(route);
  const subnet = prefix.family === 'ipv4' ? [network.ipv4_network, network.ipv4_prefix] : [network.ipv6_network, network.ipv6_prefix];
  const [address, length] = subnet as [string | null, number | null];
  return address !== null && cidrCovers(cidrOf(parseIp(address), length!), prefix);
}

function prefixText({ family, network, prefix }: Cidr): string {
  return `${family}:${network.toString(16)}/${prefix}`;
}
