/**
 * Ports of virtual routers.
 *
 * Owns: entry into a router, its own addresses, the TTL at the router a packet enters first, the source MAC of what leaves it.
 * Assumes: a route link is a router; a simulated interface with enable_routing and a route on it is a port.
 * Promises: a packet to a router's address is answered by that router, as far away as it is. `arrival` is the port by which a packet came to the router
 * it is in.
 */
import { broadcastOf, cidrOf } from '../../net/cidr.js';
import type { Ip } from '../../net/ip.js';
import { eui64LinkLocal } from '../../net/mac.js';
import { apply, drop, FAMILIES, fromAddress, goto, is, isFamily, set, toAddress } from '../build.js';
import { routerPortsOfRouteLink } from '../indexes.js';
import { regLoad, regMatch } from '../registers.js';
import { rule, type Emit } from '../rule.js';
import { refuse } from './icmp.js';

/** Priority in HOPS of what expires in the router a packet enters first. */
export const EXPIRES = 150;

/** What routers do with any packet. */
export const routingFixedFlows = rule('routing', 'pipeline', (_root, _look, emit) => {
  emit.flow('L2L3', 0, [], [goto('L2_LOOKUP')]);
  for (const prefix of NOT_ROUTED) emit.flow('L3_IN', 120, toAddress(prefix.ip, prefix.bits), drop('not_routable'));
  emit.flow('L3_IN', 105, [regMatch('router', 0)], drop('no_route'));
  // RFC 4291 §2.5.6: what is link-local stays on its link; who sends from such an address to a wider one is told so (RFC 4443 §3.1).
  emit.flow('L3_IN', 100, toAddress(LINK_LOCAL.ip, LINK_LOCAL.bits), drop('not_routable'));
  emit.flow('L3_IN', 99, fromAddress(LINK_LOCAL.ip, LINK_LOCAL.bits), refuse('beyond_scope', 'not_routable'));
  for (const family of FAMILIES) {
    emit.flow('L3_IN', 60, [isFamily(family), is('nw_ttl', 0)], drop('ttl'));
    // Only what is forwarded expires: what is refused is told so first.
    emit.flow('HOPS', EXPIRES, [isFamily(family), is('nw_ttl', 1)], refuse('time_exceeded', 'ttl'));
  }
  emit.flow('L3_IN', 0, [], [goto('NAT_REPLY')]);
  emit.flow('POLICY_ROUTES', 0, [], [goto('FIB')]);
  emit.flow('FIB', 0, [], refuse('net_unreachable', 'no_route'));
  emit.flow('HOPS', 0, [], drop('no_route'));
  emit.flow('NEXT_HOPS', 0, [], drop('no_route'));
  emit.flow('NEIGH', 0, [], refuse('host_unreachable', 'no_neighbor'));
  emit.flow('ROUTED', 0, [], drop('no_route'));
});

/** "This network", loopback, multicast and reserved with broadcast (RFC 1812 §4.2.2.11, §5.3.7). */
const NOT_ROUTED: readonly { readonly ip: Ip; readonly bits: number }[] = [
  { ip: { family: 'ipv4', value: 0 }, bits: 8 },
  { ip: { family: 'ipv4', value: 0x7f00_0000 }, bits: 8 },
  { ip: { family: 'ipv4', value: 0xe000_0000 }, bits: 3 },
  { ip: { family: 'ipv6', value: 0n }, bits: 127 },
  { ip: { family: 'ipv6', value: 0xffn << 120n }, bits: 8 },
];
const LINK_LOCAL: { readonly ip: Ip; readonly bits: number } = { ip: { family: 'ipv6', value: 0xfe80n << 112n }, bits: 10 };

/** A router that is to stay unseen drops what expires in it. */
export const silentRouterFlows = rule('traceroute off', 'route_link', (link, look, emit) => {
  const mode = link.traceroute ?? look.get('pipeline', 'pipeline')?.traceroute;
  if (mode !== 'off' || look.all(routerPortsOfRouteLink, link.uuid).length === 0) return;
  emit.owners(link.uuid);
  for (const family of FAMILIES)
    emit.flow('HOPS', EXPIRES + 1, [regMatch('router', link.router_key), isFamily(family), is('nw_ttl', 1)], drop('ttl'));
});

export const routerPortFlows = rule('router', 'router_port', (port, _look, emit) => {
  const here = regMatch('segment', port.segment_key);
  emit.owners(port.interface_uuid, port.mac_lease_uuid);
  emit.flow(
    'L2L3',
    100,
    [here, is('eth_dst', port.mac)],
    [apply(regLoad('router', port.router_key), regLoad('arrival', port.port_key)), goto('L3_IN')],
  );
  for (const { uuid, router_key } of port.links) {
    emit.owners(port.interface_uuid, port.mac_lease_uuid, uuid);
    emit.flow('ROUTED', 100, [here, regMatch('router', router_key)], [apply(set('eth_src', port.mac)), goto('L2_LOOKUP')]);
  }
  emit.owners(port.interface_uuid, port.mac_lease_uuid);
  if (port.addresses.some((a) => a.ip.family === 'ipv6'))
    emit.flow('L3_IN', 110, [here, ...toAddress({ family: 'ipv6', value: eui64LinkLocal(port.mac) })], [goto('ROUTER_SELF')]);

  for (const { ip, prefix, ip_lease_uuid } of port.addresses) {
    emit.owners(port.interface_uuid, port.mac_lease_uuid, ip_lease_uuid);
    const itself = port.router_key === 0 ? [here] : [];
    emit.flow('L3_IN', 110, [regMatch('router', port.router_key), ...itself, ...toAddress(ip)], [goto('ROUTER_SELF')]);
    emit.flow(
      'L3_IN',
      40,
      [regMatch('vrf', port.vrf_key), ...toAddress(ip)],
      [apply(regLoad('destination_port', port.port_key)), goto('NAT_REPLY')],
    );
    emit.flow('NEIGH', 100, [here, ...toAddress(ip)], [goto('ROUTER_SELF')]);
    directedBroadcast(ip, prefix, port.segment_key, emit);
  }
});

/** RFC 2644: not passed on; RFC 1812 §4.3.2.7: and not answered. */
function directedBroadcast(ip: Ip, prefix: number, segmentKey: number, emit: Emit): void {
  const value = broadcastOf(cidrOf(ip, prefix));
  if (value !== undefined)
    emit.flow('NEIGH', 90, [regMatch('segment', segmentKey), ...toAddress({ family: 'ipv4', value })], drop('not_routable'));
}
