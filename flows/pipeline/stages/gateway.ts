/**
 * Gateways: routers' ports in physical networks, and the one hypervisor by which the outside reaches each.
 *
 * Owns: ARP and ND answers for the port's addresses to outside, entry of what comes from outside, the way of what goes outside, neighbours there.
 * Assumes: routing is done where a packet starts; paths.ts names next hops outside by `outsideMac`.
 * Promises: only the hypervisor that is the gateway now speaks outside with the port's MAC. Elsewhere what is for outside goes to that one, in the physical
 * segment, with the MAC of the port or of the next hop for a destination: there it is given the MAC of the neighbour. Where nobody has it, the sender is told by
 * the router: in the name of the port next to the sender, if it is another hypervisor's.
 */
import type { Action, Instruction } from '../../openflow/action.js';
import type { OxmField } from '../../openflow/match.js';
import { eui64LinkLocal } from '../../net/mac.js';
import { cidrOf, networkIp } from '../../net/cidr.js';
import { formatIp, parseIp } from '../../net/ip.js';
import {
  apply,
  drop,
  FAMILIES,
  fromAddress,
  goto,
  is,
  isArp,
  isFamily,
  isNd,
  ND,
  punt,
  puntAction,
  resubmit,
  set,
  swap,
  toAddress,
  toInPort,
  type Family,
} from '../build.js';
import type { Gateway } from '../facts.js';
import { routerPortsOfRouteLink } from '../indexes.js';
import { gatewayUuid, neighborUuid, outsideMac } from '../outside.js';
import { enterSegment, regLoad, regMatch } from '../registers.js';
import { rule, type Emit, type Lookup } from '../rule.js';
import { answer } from './address.js';
import { entryLink } from './attachments.js';
import { refuseAfterwards } from './icmp.js';
import { peerUuid } from './overlay-facts.js';
import { ASKED_FROM_OUTSIDE } from './physical.js';
import { WAY_PROBE } from './way-probe.js';

const ARP_REPLY = 2;

export const gatewayFixedFlows = rule('gateways', 'pipeline', (_root, _look, emit) => {
  emit.flow('GATEWAY', 0, [], drop('no_neighbor'));
});

export const gatewayFlows = rule('gateway', 'gateway', (gateway, look, emit) => {
  const here = regMatch('segment', gateway.segment_key);
  emit.owners(gateway.interface_uuid, gateway.mac_lease_uuid);
  for (const router of gateway.router_keys)
    for (const subnet of gateway.subnets) {
      const match = [here, regMatch('router', router), ...toAddress(networkIp(subnet), subnet.prefix)];
      emit.flow('NEIGH', 50, match, [apply(set('eth_dst', gateway.mac)), goto('ROUTED')]);
    }
  if (gateway.contends) contest(gateway, emit);
  if (gateway.ofport !== null) {
    inwards(gateway, emit);
    outwards(gateway, look, emit);
    return;
  }
  const away = toGateway(gateway, look);
  emit.flow('L2_LOOKUP', 105, [here, is('eth_dst', gateway.mac)], away);
  for (const ip of gateway.next_hops) emit.flow('L2_LOOKUP', 105, [here, is('eth_dst', outsideMac(gateway.segment_key, ip))], away);
});

/** To the hypervisor that is the gateway. */
function toGateway({ datapath_uuid, port_key }: Gateway, look: Lookup): Instruction[] {
  const isElsewhere = datapath_uuid !== null && datapath_uuid !== look.get('here', 'here')?.datapath_uuid;
  if (!isElsewhere) return refuseAfterwards('host_unreachable', 'no_gateway');
  const peer = look.get('peer', peerUuid(datapath_uuid));
  if (peer === undefined) return refuseAfterwards('host_unreachable', 'no_tunnel');
  return [apply(regLoad('destination_port', port_key), regLoad('peer', peer.peer_key)), goto('OUT_REMOTE')];
}

/**
 * Those who may be the gateway ask the one that is, in the physical segment, by its MAC: its switch answers, and its agent hears who asks. An answer is for
 * the agent that asked.
 */
function contest({ segment_key, vrf_key, mac, ofport }: Gateway, emit: Emit): void {
  const here = regMatch('segment', segment_key);
  emit.flow('TUNNEL_SEGMENT', 100, [is('tun_id', BigInt(segment_key))], [apply(enterSegment(segment_key, vrf_key)), goto('TUNNEL_ADMIT')]);
  const probe = (destination: number) => [here, is('eth_dst', destination), is('eth_type', WAY_PROBE.eth_type)];
  emit.flow('L2_LOOKUP', 120, probe(WAY_PROBE.answer), punt({ kind: 'gateway_probe' }));
  if (ofport === null) return;
  const back = [...swap('tun_src', 'tun_dst'), ...swap('tun_ipv6_src', 'tun_ipv6_dst')];
  const answer = [puntAction({ kind: 'gateway_probe' }), set('eth_dst', WAY_PROBE.answer), ...back, toInPort];
  emit.flow('L2_LOOKUP', 120, probe(mac), [apply(...answer)]);
}

/** From outside: who asks for its addresses is answered, what is for its MAC enters the router. */
function inwards({ segment_key, vrf_key, domain_uuid, mac, port_key, router_key, addresses, ...gateway }: Gateway, emit: Emit): void {
  const here = regMatch('segment', segment_key);
  const toItself = [here, is('eth_dst', mac)];
  emit.flow('PHYSICAL_IN', 200, [here, is('eth_src', mac)], drop('spoof'));
  const told = [apply(regLoad('source_port', port_key), puntAction({ kind: 'neighbor' }))];
  for (const match of [[isArp, is('arp_op', ARP_REPLY)], isNd(ND.neighbor_advert)])
    emit.flow('PHYSICAL_IN', 160, [...toItself, ...match], told);
  const enters = [regLoad('router', router_key), regLoad('arrival', port_key), regLoad('source_port', port_key)];
  emit.flow('PHYSICAL_IN', 100, toItself, [apply(...enters, resubmit('L3_IN'))]);
  emit.flow('TUNNEL_SEGMENT', 100, [is('tun_id', BigInt(segment_key))], [apply(enterSegment(segment_key, vrf_key)), goto('TUNNEL_ADMIT')]);
  if (addresses.some(({ ip }) => ip.family === 'ipv6'))
    answer({ family: 'ipv6', value: eui64LinkLocal(mac) }, mac, segment_key, true, emit, ASKED_FROM_OUTSIDE);
  for (const { ip, ip_lease_uuid } of addresses) {
    emit.owners(gateway.interface_uuid, gateway.mac_lease_uuid, ip_lease_uuid);
    answer(ip, mac, segment_key, true, emit, ASKED_FROM_OUTSIDE);
  }
  emit.owners(gateway.interface_uuid, gateway.mac_lease_uuid, domain_uuid);
}

/** To outside, from here and from other hypervisors. */
function outwards(gateway: Gateway, look: Lookup, emit: Emit): void {
  const { segment_key, mac, mac_lease_uuid, interface_uuid, next_hops } = gateway;
  const here = regMatch('segment', segment_key);
  emit.owners(interface_uuid, mac_lease_uuid);
  emit.flow('L2_LOOKUP', 105, [here, is('eth_dst', mac)], [goto('GATEWAY')]);
  const elsewhere = { ipv4: sentElsewhere(gateway, 'ipv4', look), ipv6: sentElsewhere(gateway, 'ipv6', look) };
  const toNeighbor = [here, is('eth_dst', mac)];
  for (const family of FAMILIES) {
    emit.flow('GATEWAY', 10, [...toNeighbor, isFamily(family)], punt({ kind: 'resolve' }));
    for (const { above, match, then } of elsewhere[family])
      emit.flow('GATEWAY', 10 + above, [...toNeighbor, ...match], [apply(...then, puntAction({ kind: 'resolve' }))]);
  }
  for (const ip of next_hops) {
    const match = [here, is('eth_dst', outsideMac(segment_key, ip))];
    const neighbor = look.get('neighbor', neighborUuid(mac_lease_uuid, formatIp(ip)));
    if (neighbor !== undefined) {
      emit.flow('L2_LOOKUP', 105, match, [apply(set('eth_dst', neighbor.mac)), goto('PHYSICAL_OUT')]);
      continue;
    }
    emit.flow('L2_LOOKUP', 105, match, refuseAfterwards('host_unreachable', 'no_neighbor'));
    for (const { above, match: sent, then } of elsewhere[ip.family])
      emit.flow('L2_LOOKUP', 105 + above, [...match, ...sent], refuseAfterwards('host_unreachable', 'no_neighbor', ...then));
  }
}

interface SentElsewhere {
  readonly above: number;
  readonly match: readonly OxmField[];
  readonly then: readonly Action[];
}

/**
 * What other hypervisors send here has been through the router there, and nothing of that came along: by which port it came to the router is told by its
 * source, as near as can be.
 */
function sentElsewhere({ interface_uuid, router_key, port_key, segment_key }: Gateway, family: Family, look: Lookup): SentElsewhere[] {
  const iface = look.get('interface', interface_uuid);
  const link = iface && entryLink(iface, look);
  const inside = (link === undefined ? [] : look.all(routerPortsOfRouteLink, link.uuid))
    .filter((port) => port.segment_key !== segment_key && port.addresses.some(({ ip }) => ip.family === family))
    .sort((a, b) => a.port_key - b.port_key);
  const isSentElsewhere = regMatch('from_tunnel', 1);
  const cameBy = (key: number) => [regLoad('router', router_key), regLoad('arrival', key)];
  const near = inside.flatMap((port) =>
    port.addresses.flatMap(({ ip, prefix }): SentElsewhere[] =>
      ip.family === family
        ? [{ above: 2, match: [isSentElsewhere, ...fromAddress(networkIp(cidrOf(ip, prefix)), prefix)], then: cameBy(port.port_key) }]
        : [],
    ),
  );
  return [{ above: 1, match: [isSentElsewhere, isFamily(family)], then: cameBy(inside[0]?.port_key ?? port_key) }, ...near];
}

export const neighborFlows = rule('neighbour', 'neighbor', ({ mac_lease_uuid, address, mac }, look, emit) => {
  const gateway = look.get('gateway', gatewayUuid(mac_lease_uuid));
  if (gateway === undefined || gateway.ofport === null) return;
  emit.owners(gateway.interface_uuid, mac_lease_uuid);
  const match = [regMatch('segment', gateway.segment_key), is('eth_dst', gateway.mac), ...toAddress(parseIp(address))];
  emit.flow('GATEWAY', 100, match, [apply(set('eth_dst', mac)), goto('PHYSICAL_OUT')]);
});
