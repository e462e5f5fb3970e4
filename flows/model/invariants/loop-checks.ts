/**
 * Loops of routes.
 *
 * Owns: the check that no packet is sent round by the routes of routers, and the way it is told.
 * Assumes: every change passed the other checks. Policy routes are left out: where they lead depends on the packet, and its TTL ends it.
 * Promises: a loop that a transaction closes is refused, spelled out hop by hop, on account of a change that closed it.
 */
import { formatCidr, type Cidr } from '../../net/cidr.js';
import type { Entity } from '../entities.js';
import type { Route } from '../entities/routing.js';
import { RoutingGraph, type RouterStep } from '../routing-graph.js';
import { destination } from '../subnets.js';
import { entityOf, referrers, type ModelView } from '../view.js';
import { complainAbout, type Check } from './check.js';

interface Changed {
  readonly before: Entity | undefined;
  readonly after: Entity | undefined;
}

/** Where a new loop must pass: a router, and the prefix that changed there. undefined: any. */
interface Suspect {
  readonly link: string;
  readonly within: Cidr | undefined;
  readonly cause: Entity;
}

export function checkLoops(check: Check, changes: readonly Changed[]): void {
  const graph = new RoutingGraph(check.view);
  const told = new Set<string>();
  for (const { link, within, cause } of suspects(check.view, graph, changes))
    for (const prefix of graph.prefixes(link, within)) {
      const loop = graph.loop(link, prefix);
      if (loop === undefined) continue;
      const name = loop
        .map((step) => step.route.uuid)
        .sort()
        .join();
      if (told.has(name)) continue;
      told.add(name);
      complainAbout(check, cause)('', `packets to ${formatCidr(prefix)} would go round: ${spell(check.view, loop)}`);
    }
}

function* suspects(view: ModelView, graph: RoutingGraph, changes: readonly Changed[]): Generator<Suspect> {
  const whole = new Set<string>();
  // A route says more about a loop than the address it meets.
  const routesFirst = [...changes.filter(isRoute), ...changes.filter((change) => !isRoute(change))];
  for (const { before, after } of routesFirst) {
    if (after?.kind === 'route') {
      const within = destination(after)?.cidr;
      // One that leads to no other router closes no loop: what it takes was taken elsewhere before.
      const passes = within !== undefined && graph.nextRouters(after.route_link_uuid, within).length > 0;
      if (leads(before, after) && (passes || !after.egress)) yield { link: after.route_link_uuid, within, cause: after };
    } else if (before?.kind === 'route') {
      // What was covered by the route now follows a shorter one.
      if (before.egress && view.get(before.route_link_uuid) !== undefined)
        yield { link: before.route_link_uuid, within: destination(before)?.cidr, cause: before };
    } else {
      const iface = entityOf(view, 'interface', interfaceOf(before, after));
      if (iface?.mode !== 'simulated' || !iface.enable_routing) continue;
      for (const { route_link_uuid: link } of referrers(view, 'route', iface.uuid)) {
        if (whole.has(link)) continue;
        whole.add(link);
        yield { link, within: undefined, cause: (after ?? before)! };
      }
    }
  }
}

function isRoute({ before, after }: Changed): boolean {
  return (after ?? before)?.kind === 'route';
}

/** Whether the change of a route may lead packets elsewhere. */
function leads(before: Entity | undefined, { egress, via, type }: Route): boolean {
  if (before?.kind !== 'route') return true;
  return before.egress !== egress || before.type !== type || before.via.join() !== via.join();
}

/** The interface that gets or loses an address, or begins to route. */
function interfaceOf(before: Entity | undefined, after: Entity | undefined): string | null {
  if (after?.kind === 'ip_lease' && (before?.kind !== 'ip_lease' || before.interface_uuid !== after.interface_uuid))
    return after.interface_uuid;
  if (after?.kind === 'interface' && before?.kind === 'interface' && !before.enable_routing && after.enable_routing) return after.uuid;
  return null;
}

function spell(view: ModelView, loop: readonly RouterStep[]): string {
  const steps = loop.map(({ link, route, towards }) => {
    const prefix = destination(route)!.text;
    return `${nameOf(view, link)} sends ${prefix} to ${towards}${route.router_uuid === null ? ` (${route.uuid})` : ''}`;
  });
  return `${steps.join(', ')}, which is back at ${nameOf(view, loop[0]!.link)}`;
}

/** The router that users made, where one made the link. */
function nameOf(view: ModelView, link: string): string {
  return entityOf(view, 'route_link', link)?.router_uuid ?? link;
}
