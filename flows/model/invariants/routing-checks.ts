/**
 * Routes: through a router's port that is in the route's network or to next hops it has a port towards, and to one place only. Policy routes.
 * Routing tables are not mixed. What a router made is as the router says.
 */
import { parseCidr } from '../../net/cidr.js';
import { parseIp } from '../../net/ip.js';
import type { Interface, IpLease, MacLease } from '../entities/interface.js';
import type { PolicyRoute, Route } from '../entities/routing.js';
import { destinationKey, ipKey, namedKey, priorityKey } from '../indexes.js';
import { RoutingGraph } from '../routing-graph.js';
import { destination, ipv4Subnet, ipv6Subnet, subnets } from '../subnets.js';
import { entityOf, referrers, type ModelView } from '../view.js';
import { complainAbout, few, type Change, type Check, type Complain } from './check.js';
import { checkLeftNat } from './nat-checks.js';
import { checkPrefixes } from './subnet-checks.js';

export function checkRoute(check: Check, { before, after }: Change<'route'>): void {
  if (before && before.interface_uuid !== null && after === undefined) {
    checkLeftNextHops(check, before);
    checkLeftNat(check, before);
  }
  if (after === undefined) return;
  const { view } = check;
  const complain = complainAbout(check, after);
  checkPrefixes(after, complain);
  if ((ipv4Subnet(after) === undefined) === (ipv6Subnet(after) === undefined))
    complain('', 'a route has exactly one of ipv4_network and ipv6_network');
  checkTarget(after, complain);
  const iface = entityOf(view, 'interface', after.interface_uuid);
  const problem = iface && portProblem(view, after, iface);
  if (problem !== undefined) complain('interface_uuid', problem);
  checkSingle(view, after, complain);
  checkNextHops(view, after, destination(after)?.cidr.family, complain);
  checkTable(view, after, complain);
  checkOwner(view, after, complain);
  if (iface && iface.router_uuid !== after.router_uuid) complain('interface_uuid', `${iface.uuid} belongs to ${iface.router_uuid}`);
}

/** Exactly one way out for what is forwarded, and none for the rest. */
function checkTarget({ type, interface_uuid, network_uuid, via }: Route, complain: Complain): void {
  const hasPort = interface_uuid !== null || network_uuid !== null;
  if (type !== 'forward') {
    if (via.length > 0) complain('via', `${type} forwards nothing`);
    if (hasPort) complain(interface_uuid === null ? 'network_uuid' : 'interface_uuid', `${type} forwards nothing`);
  } else if (via.length > 0) {
    if (hasPort) complain('via', 'stands instead of interface_uuid and network_uuid');
  } else if (interface_uuid === null) complain('interface_uuid', 'is needed without via');
  else if (network_uuid === null) complain('network_uuid', 'is needed without via');
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

/** Next hops are somebody's addresses, in networks the router has a port in. */
function checkNextHops(
  view: ModelView,
  { route_link_uuid: link, via }: Route | PolicyRoute,
  family: 'ipv4' | 'ipv6' | undefined,
  complain: Complain,
): void {
  if (via.length === 0) return;
  const graph = new RoutingGraph(view);
  for (const [index, address] of via.entries()) {
    const problem = nextHopProblem(view, graph, link, address, family);
    if (problem !== undefined) complain(['via', index], problem);
  }
}

function nextHopProblem(
  view: ModelView,
  graph: RoutingGraph,
  link: string,
  address: string,
  family: 'ipv4' | 'ipv6' | undefined,
): string | undefined {
  const ip = parseIp(address);
  if (family !== undefined && ip.family !== family) return `${address} is ${ip.family}, and what goes there is ${family}`;
  const port = graph.portTowards(link, ip);
  if (port === undefined) return `${address} is in no network that ${link} has a port in${networksOf(graph, link)}`;
  const owners = [...view.lookup(ipKey(port.network.uuid, address))].map((uuid) => entityOf(view, 'ip_lease', uuid));
  if (graph.ports(link).some(({ lease }) => owners.includes(lease))) return `${address} is ${link}'s own address`;
  // Who is in a physical network is not known.
  if (port.network.mode !== 'physical' && !owners.some((lease) => lease && lease.interface_uuid !== null))
    return `nobody has ${address} in ${port.network.uuid}`;
  return undefined;
}

function networksOf(graph: RoutingGraph, link: string): string {
  const texts = graph.ports(link).flatMap(({ network }) => subnets(network).map(({ text }) => `${text} of ${network.uuid}`));
  return texts.length === 0 ? '' : ` (${few([...new Set(texts)])})`;
}

/** The untouched next hops of a router that loses a port. */
function checkLeftNextHops(check: Check, gone: Route): void {
  const { view } = check;
  const link = gone.route_link_uuid;
  if (view.get(link) === undefined) return;
  const graph = new RoutingGraph(view);
  const left = [...referrers(view, 'route', link), ...referrers(view, 'policy_route', link)];
  for (const { uuid, via } of left)
    for (const address of check.touched(uuid) ? [] : via)
      if (graph.portTowards(link, parseIp(address)) === undefined)
        complainAbout(check, gone)('', `${uuid} goes by ${address}, which is then in no network of ${link}`);
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

/** A route link that names a routing table connects networks of that table. */
function checkTable(view: ModelView, route: Route, complain: Complain): void {
  const link = entityOf(view, 'route_link', route.route_link_uuid);
  const network = entityOf(view, 'network', route.network_uuid);
  if (link && link.vrf !== null && network && network.vrf !== link.vrf)
    complain('network_uuid', `${network.uuid} is in ${tableText(network.vrf)}, ${link.router_uuid ?? link.uuid} in ${tableText(link.vrf)}`);
}

export function checkRouteLink(check: Check, { before, after }: Change<'route_link'>): void {
  if (after === undefined || after.vrf === null || before?.vrf === after.vrf) return;
  for (const route of referrers(check.view, 'route', after.uuid))
    if (!check.touched(route.uuid)) checkTable(check.view, route, (_field, detail) => complainAbout(check, after)('vrf', detail));
}

/** One routing domain is one table: networks in it name the same, or none. */
export function checkNamedTable(check: Check, { before, after }: Change<'network'>): void {
  if (after === undefined) return;
  const { view } = check;
  const complain = complainAbout(check, after);
  if (after.vrf !== null && view.count(namedKey(after.vrf_key)) > view.count(namedKey(after.vrf_key, after.vrf))) {
    for (const uuid of view.lookup(namedKey(after.vrf_key))) {
      const other = entityOf(view, 'network', uuid);
      if (other === undefined || other.vrf === after.vrf) continue;
      complain(
        'vrf',
        `${after.uuid} is in ${tableText(after.vrf)} and is joined to ${uuid}, which is in ${tableText(other.vrf)}`,
        'conflict',
      );
      break;
    }
  }
  if (before === undefined || before.vrf === after.vrf) return;
  for (const route of referrers(view, 'route', after.uuid))
    if (!check.touched(route.uuid)) checkTable(view, route, (_field, detail) => complain('vrf', detail));
}

function tableText(name: string | null): string {
  return name === null ? 'no named routing table' : `routing table ${name}`;
}

const WITH_PORTS: readonly string[] = ['tcp', 'udp', 'sctp'];

export function checkPolicyRoute(check: Check, { after }: Change<'policy_route'>): void {
  if (after === undefined) return;
  const { view } = check;
  const complain = complainAbout(check, after);
  for (const uuid of view.lookup(priorityKey(after.route_link_uuid, after.priority)))
    if (uuid !== after.uuid) complain('priority', `${after.priority} is that of ${uuid}`, 'conflict');
  for (const field of ['source_ports', 'ports'] as const)
    if (after[field].length > 0 && !WITH_PORTS.includes(after.protocol))
      complain(field, `${after.protocol} has no ports; tcp, udp and sctp have`);
  if (after.type === 'forward' && after.via.length === 0) complain('via', 'is needed to forward');
  if (after.type !== 'forward' && after.via.length > 0) complain('via', `only with type forward; it is ${after.type}`);
  checkNextHops(view, after, checkFamilies(after, complain), complain);
  checkOwner(view, after, complain);
}

/** The family of what a policy is about; undefined for both. */
function checkFamilies({ source, destination: to, protocol, via }: PolicyRoute, complain: Complain): 'ipv4' | 'ipv6' | undefined {
  const found = new Map<'ipv4' | 'ipv6', string>();
  const note = (family: 'ipv4' | 'ipv6', field: string, text: string) => {
    const [other] = [...found].filter(([one]) => one !== family);
    if (other !== undefined) complain(field, `${text} is ${family}, ${other[1]} is ${other[0]}`);
    else found.set(family, text);
  };
  if (protocol === 'icmp') note('ipv4', 'protocol', protocol);
  if (protocol === 'icmpv6') note('ipv6', 'protocol', protocol);
  if (source !== null) note(parseCidr(source).family, 'source', source);
  if (to !== null) note(parseCidr(to).family, 'destination', to);
  if (via.length > 0 && found.size === 0) return parseIp(via[0]!).family;
  return [...found.keys()][0];
}

/** Routes of a router's link are the router's. */
function checkOwner(view: ModelView, route: Route | PolicyRoute, complain: Complain): void {
  const link = entityOf(view, 'route_link', route.route_link_uuid);
  if (link && link.router_uuid !== route.router_uuid)
    complain('route_link_uuid', `${link.uuid} belongs to ${link.router_uuid}; give it routes there`, 'conflict');
}

/** A port of a router has the addresses that the router says. */
export function checkOwnedLease(view: ModelView, lease: MacLease | IpLease, complain: Complain): void {
  const iface = entityOf(view, 'interface', lease.interface_uuid);
  const router = iface && entityOf(view, 'router', iface.router_uuid);
  if (iface === undefined || router === undefined) return;
  const entry = router.networks.find(({ interface_uuid }) => interface_uuid === iface.uuid);
  const agrees =
    entry !== undefined &&
    (lease.kind === 'mac_lease'
      ? lease.mac_address === entry.mac_address
      : lease.network_uuid === entry.network_uuid && entry.ip_addresses.includes((lease.ipv4_address ?? lease.ipv6_address)!));
  if (!agrees) complain('interface_uuid', `${iface.uuid} belongs to ${router.uuid}; give it addresses there`, 'conflict');
}
