/**
 * Virtual routers.
 *
 * Owns: entry into a router, its own addresses, TTL, routes and hops.
 * Assumes: a route link is a router, a route one of its prefixes with the interface it leaves by; prefixes of one router are distinct (refused at commit).
 * Promises: a packet crosses all its routers in one pass on the hypervisor it starts from; every hop takes one from the TTL and answers when it is used up,
 * from the address the packet would have arrived on (RFC 1812 §4.3.2.4), with no state in whoever builds the answer.
 */
import { cidrCovers, cidrOf, type Cidr } from '../../net/cidr.js';
import { parseIpv4, parseIpv6, type Ip } from '../../net/ip.js';
import { eui64LinkLocal } from '../../net/mac.js';
import type { Network, Route } from '../../model/entities.js';
import type { OxmField } from '../../openflow/match.js';
import {
  apply,
  copy,
  drop,
  FAMILIES,
  fromAddress,
  goto,
  ipBytes,
  is,
  isFamily,
  PROTO,
  punt,
  resubmit,
  set,
  swap,
  toAddress,
  type Family,
} from '../build.js';
import type { RouterPort } from '../facts.js';
import { routerPortsOfInterface, routerPortsOfSegment, routesOfRouteLink } from '../indexes.js';
import { enterSegment, regLoad, regMatch } from '../registers.js';
import { rule, type Emit, type Lookup } from '../rule.js';

const ECHO = {
  ipv4: { protocol: PROTO.icmp, type: 'icmp_type', code: 'icmp_code', request: 8, reply: 0 },
  ipv6: { protocol: PROTO.icmpv6, type: 'icmpv6_type', code: 'icmpv6_code', request: 128, reply: 129 },
} as const;

/** TTL of what a router sends itself. */
const OWN_TTL = 255;

const isWhole = is('ip_frag', 0, 3);
const isNotLaterFragment = is('ip_frag', 0, 2);

export const routerPortFlows = rule('router', 'router_port', (port, _look, emit) => {
  const here = regMatch('segment', port.segment_key);
  emit.owners(port.interface_uuid, port.mac_lease_uuid);
  emit.flow('L2L3', 100, [here, is('eth_dst', port.mac)], [apply(regLoad('router', port.router_key)), goto('L3_IN')]);
  if (port.addresses.some((a) => a.ip.family === 'ipv6')) ownAddress({ family: 'ipv6', value: eui64LinkLocal(port.mac) }, here, emit);
  for (const { ip, ip_lease_uuid } of port.addresses) {
    emit.owners(port.interface_uuid, port.mac_lease_uuid, ip_lease_uuid);
    ownAddress(ip, regMatch('vrf', port.vrf_key), emit);
  }
  if (port.router_key !== 0) for (const family of FAMILIES) lastHop(port, family, emit);
});

/** Echo and port unreachable for an address of the router; anything else for it is dropped. */
function ownAddress(ip: Ip, scope: OxmField, emit: Emit): void {
  const echo = ECHO[ip.family];
  const [source, destination] = ip.family === 'ipv4' ? (['ip_src', 'ip_dst'] as const) : (['ipv6_src', 'ipv6_dst'] as const);
  const address = [scope, ...toAddress(ip)];
  emit.flow(
    'L3_IN',
    100,
    [...address, isWhole, is('nw_proto', echo.protocol), is(echo.type, echo.request), is(echo.code, 0)],
    [
      apply(
        ...swap('eth_src', 'eth_dst'),
        copy(source, destination),
        set(source, ip.value),
        set(echo.type, echo.reply),
        { kind: 'set_nw_ttl', ttl: OWN_TTL },
        { kind: 'output', port: 0xffff_fff8 },
      ),
    ],
  );
  emit.flow(
    'L3_IN',
    90,
    [...address, isNotLaterFragment, is('nw_proto', PROTO.udp)],
    punt({ kind: 'port_unreachable', source: ipBytes(ip), ttl: OWN_TTL }),
  );
  emit.flow('L3_IN', 50, address, drop('local_service'));
}

/** TTL 1 on arrival: answered from the address in the sender's network, or from the lowest one for senders from further away. */
function lastHop(port: RouterPort, family: Family, emit: Emit): void {
  const addresses = port.addresses.filter((a) => a.ip.family === family).sort((a, b) => (a.ip.value < b.ip.value ? -1 : 1));
  const expired = [
    regMatch('segment', port.segment_key),
    regMatch('router', port.router_key),
    isFamily(family),
    isNotLaterFragment,
    is('nw_ttl', 1),
  ];
  emit.owners(port.interface_uuid);
  addresses.forEach(({ ip, prefix }, i) => {
    const answer = punt({ kind: 'time_exceeded', source: ipBytes(ip), ttl: OWN_TTL });
    if (i === 0) emit.flow('L3_IN', 40, expired, answer);
    emit.flow('L3_IN', 41, [...expired, ...fromAddress(ip, prefix).slice(1)], answer);
  });
}

export const routeFlows = rule('route', 'route', (route, look, emit) => {
  if (!route.egress || route.interface_uuid === null || route.network_uuid === null) return;
  const link = look.get('route_link', route.route_link_uuid);
  const network = look.get('network', route.network_uuid);
  const port = look
    .all(routerPortsOfInterface, route.interface_uuid)
    .find((p) => p.addresses.some((a) => a.network_uuid === route.network_uuid));
  if (link === undefined || network === undefined || port === undefined) return;

  const prefix = routePrefix(route);
  emit.owners(route.uuid, link.uuid);
  emit.flow(
    'FIB',
    100 + 8 * prefix.prefix,
    [regMatch('router', link.router_key), ...toAddress(firstOf(prefix), prefix.prefix)],
    [apply(regLoad('path', route.route_key)), goto('HOPS')],
  );

  const hop = [{ kind: 'dec_ttl' as const }, set('eth_src', port.mac), enterSegment(port.segment_key, port.vrf_key)];
  const taken = [regMatch('path', route.route_key), isFamily(prefix.family)];
  if (isConnected(prefix, network)) {
    emit.flow('HOPS', 100, taken, [apply(...hop), goto('NEIGH')]);
    return;
  }
  const next = nextRouter(port, link.router_key, prefix, look);
  if (next === undefined) {
    emit.flow('HOPS', 100, taken, drop('no_route'));
    return;
  }
  emit.owners(route.uuid, link.uuid, next.interface_uuid);
  emit.flow('HOPS', 100, taken, [apply(...hop, regLoad('router', next.router_key), resubmit('L3_IN'))]);
});

/** The router in the transit network whose longest egress route covers the prefix; lowest port uuid among equals. */
function nextRouter(port: RouterPort, ownRouter: number, prefix: Cidr, look: Lookup): RouterPort | undefined {
  let best: { port: RouterPort; length: number } | undefined;
  for (const candidate of look.all(routerPortsOfSegment, String(port.segment_key))) {
    if (candidate.route_link_uuid === null || candidate.router_key === ownRouter) continue;
    for (const route of look.all(routesOfRouteLink, candidate.route_link_uuid)) {
      if (!route.egress || route.interface_uuid === candidate.interface_uuid) continue;
      const offered = routePrefix(route);
      if (cidrCovers(offered, prefix) && (best === undefined || offered.prefix > best.length))
        best = { port: candidate, length: offered.prefix };
    }
  }
  return best?.port;
}

function routePrefix(route: Route): Cidr {
  return route.ipv4_network !== null
    ? cidrOf({ family: 'ipv4', value: parseIpv4(route.ipv4_network) }, route.ipv4_prefix!)
    : cidrOf({ family: 'ipv6', value: parseIpv6(route.ipv6_network!) }, route.ipv6_prefix!);
}

function firstOf(cidr: Cidr): Ip {
  return cidr.family === 'ipv4' ? { family: 'ipv4', value: cidr.network } : { family: 'ipv6', value: cidr.network };
}

function isConnected(prefix: Cidr, network: Network): boolean {
  if (prefix.family === 'ipv4') {
    return (
      network.ipv4_network !== null &&
      cidrCovers(cidrOf({ family: 'ipv4', value: parseIpv4(network.ipv4_network) }, network.ipv4_prefix!), prefix)
    );
  }
  return (
    network.ipv6_network !== null &&
    cidrCovers(cidrOf({ family: 'ipv6', value: parseIpv6(network.ipv6_network) }, network.ipv6_prefix!), prefix)
  );
}
