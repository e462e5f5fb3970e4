/**
 * Addresses others ask for and send to.
 *
 * Owns: ARP and ND answers, MAC → port, address → MAC, for local NICs and router ports.
 * Promises: an address that is leased is never flooded for: the answer comes from the table, with or without a controller.
 */
import { eui64LinkLocal } from '../../net/mac.js';
import type { Ip } from '../../net/ip.js';
import type { Action } from '../../openflow/action.js';
import type { OxmField } from '../../openflow/match.js';
import { apply, copy, goto, is, isArp, isNd, ND, resubmit, set, toAddress, toInPort } from '../build.js';
import { routerPortsOfSegment } from '../indexes.js';
import { regLoad, regMatch } from '../registers.js';
import { rule, type Emit } from '../rule.js';
import type { TableName } from '../tables.js';
import { refuseClaims } from './promiscuous.js';

const ARP_REPLY = 2;

/** What answers have in common; thousands of flows share it. */
const TO_SENDER = copy('eth_src', 'eth_dst');
const IS_REPLY = set('arp_op', ARP_REPLY);
const TO_ASKING_MAC = copy('arp_sha', 'arp_tha');
const TO_ASKING_ADDRESS = copy('arp_spa', 'arp_tpa');
const IS_REQUEST = is('arp_op', 1);

export const nicAddressFlows = rule('address', 'nic', (nic, look, emit) => {
  const here = regMatch('segment', nic.segment_key);
  emit.owners(nic.interface_uuid, nic.mac_lease_uuid);
  const load = [
    regLoad('destination_port', nic.port_key),
    regLoad('destination_zone', nic.ct_zone),
    regLoad('destination_class', nic.policy_class_key),
  ];
  emit.flow('L2_LOOKUP', 100, [here, is('eth_dst', nic.mac)], [apply(...load), goto('IN_CT')]);
  if (nic.ipv6 && nic.addresses.length > 0)
    answer({ family: 'ipv6', value: eui64LinkLocal(nic.mac) }, nic.mac, nic.segment_key, false, emit);

  const routed = look.all(routerPortsOfSegment, String(nic.segment_key)).some((port) => port.links.length > 0);
  for (const { ip, ip_lease_uuid } of nic.addresses) {
    emit.owners(nic.interface_uuid, nic.mac_lease_uuid, ip_lease_uuid);
    answer(ip, nic.mac, nic.segment_key, false, emit);
    if (routed) emit.flow('NEIGH', 100, [here, ...toAddress(ip)], [apply(set('eth_dst', nic.mac)), goto('ROUTED')]);
  }
});

export const routerAddressFlows = rule('router address', 'router_port', (port, look, emit) => {
  emit.owners(port.interface_uuid, port.mac_lease_uuid);
  const hasIpv6 = port.addresses.some((a) => a.ip.family === 'ipv6');
  refuseClaims(port, port.domain_uuid, hasIpv6, look, emit);
  if (hasIpv6) {
    answer({ family: 'ipv6', value: eui64LinkLocal(port.mac) }, port.mac, port.segment_key, port.router_key !== 0, emit);
  }
  for (const { ip, ip_lease_uuid } of port.addresses) {
    emit.owners(port.interface_uuid, port.mac_lease_uuid, ip_lease_uuid);
    answer(ip, port.mac, port.segment_key, port.router_key !== 0, emit);
  }
});

interface Place {
  readonly table: TableName;
  readonly priority: number;
}

const IN_LOCAL: Place = { table: 'LOCAL', priority: 100 };

/** ARP or ND requests for the address are answered, out of the port they came from. */
export function answer(ip: Ip, mac: number, segmentKey: number, router: boolean, emit: Emit, where: Place = IN_LOCAL): void {
  const here = regMatch('segment', segmentKey);
  if (ip.family === 'ipv4') {
    const reply: Action[] = [
      TO_SENDER,
      set('eth_src', mac),
      IS_REPLY,
      TO_ASKING_MAC,
      set('arp_sha', mac),
      TO_ASKING_ADDRESS,
      set('arp_spa', ip.value),
      toInPort,
    ];
    emit.flow(where.table, where.priority, [here, isArp, IS_REQUEST, is('arp_tpa', ip.value)], [apply(...reply)]);
    return;
  }
  const turn: Action[] = [
    TO_SENDER,
    set('eth_src', mac),
    copy('ipv6_src', 'ipv6_dst'),
    set('ipv6_src', ip.value),
    set('icmpv6_type', ND.neighbor_advert),
  ];
  if (router) turn.push(regLoad('from_router', 1));
  // RFC 4861 §7.1.1: a solicitation that came through a router (hop limit below 255) is not one.
  emit.flow(
    where.table,
    where.priority,
    [here, ...isNd(ND.neighbor_solicit), is('nw_ttl', 255), is('nd_target', ip.value)],
    where === IN_LOCAL ? [apply(...turn), goto('ND_REPLY')] : [apply(...turn, resubmit('ND_REPLY'))],
  );
}

/** What asks for, or tells of, an address. */
export function isArpOrNd(): OxmField[][] {
  return [[isArp], isNd(ND.neighbor_solicit), isNd(ND.neighbor_advert)];
}
