/**
 * Routes: through a router's port that is in the route's network, and to one place only.
 */
import type { Interface, Route } from '../entities.js';
import { destinationKey } from '../indexes.js';
import { destination, ipv4Subnet, ipv6Subnet } from '../subnets.js';
import { entityOf, referrers, type ModelView } from '../view.js';
import { complainAbout, type Change, type Check, type Complain } from './check.js';
import { checkPrefixes } from './subnet-checks.js';

export function checkRoute(check: Check, { after }: Change<'route'>): void {
  if (after === undefined) return;
  const complain = complainAbout(check, after);
  checkPrefixes(after, complain);
  if ((ipv4Subnet(after) === undefined) === (ipv6Subnet(after) === undefined))
    complain('', 'a route has exactly one of ipv4_network and ipv6_network');
  const iface = entityOf(check.view, 'interface', after.interface_uuid);
  const problem = iface && portProblem(check.view, after, iface);
  if (problem !== undefined) complain('interface_uuid', problem);
  checkSingle(check.view, after, complain);
}

/** Two ways out of one router to the same prefix would leave the choice to chance. */
function checkSingle(view: ModelView, route: Route, complain: Complain): void {
  const target = destination(route);
  if (target === undefined || !route.egress) return;
  for (const uuid of view.lookup(destinationKey(route.route_link_uuid, target.text))) {
    if (uuid === route.uuid || !entityOf(view, 'route', uuid)?.egress) continue;
    complain(target.field, `${route.route_link_uuid} already leads to ${target.text} by ${uuid}`, 'conflict');
  }
}

/** The untouched routes through an interface still have their port. */
export function checkRoutesThrough(check: Check, interfaceUuid: string, complain: Complain): void {
  const iface = entityOf(check.view, 'interface', interfaceUuid);
  if (iface === undefined) return;
  for (const route of referrers(check.view, 'route', interfaceUuid)) {
    const problem = check.touched(route.uuid) ? undefined : portProblem(check.view, route, iface);
    if (problem !== undefined) complain('', `${route.uuid} needs it: ${problem}`);
  }
}

function portProblem(view: ModelView, route: Route, iface: Interface): string | undefined {
  if (iface.mode !== 'simulated') return `${iface.uuid} is not a router port: its mode is ${iface.mode}, not simulated`;
  if (!iface.enable_routing) return `${iface.uuid} is not a router port: enable_routing is off`;
  const family = destination(route)?.cidr.family;
  for (const lease of referrers(view, 'ip_lease', iface.uuid))
    if (lease.network_uuid === route.network_uuid && (family === 'ipv6') === (lease.ipv6_address !== null)) return undefined;
  return `${iface.uuid} has no ${family === 'ipv6' ? 'IPv6' : 'IPv4'} lease in ${route.network_uuid}`;
}
