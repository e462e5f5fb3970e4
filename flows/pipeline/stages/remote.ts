/**
 * Addresses on other hypervisors.
 *
 * Owns: ARP and ND answers, MAC → peer, address → MAC, for the NICs of peers.
 * Promises: one row per MAC names the peer and no more, so that a peer that changes its address changes no row here. Only what some port here can reach is told.
 */
import { eui64LinkLocal } from '../../net/mac.js';
import { apply, drop, goto, is, set, toAddress } from '../build.js';
import { floodSetsOfSegment, routerPortsOfSegment } from '../indexes.js';
import { regLoad, regMatch } from '../registers.js';
import { rule } from '../rule.js';
import { answer } from './address.js';
import { refuseClaims } from './promiscuous.js';
import { peerUuid } from './overlay-facts.js';

export const remoteAddressFlows = rule('remote address', 'remote_nic', (nic, look, emit) => {
  const here = regMatch('segment', nic.segment_key);
  const segment = String(nic.segment_key);
  const isLocal = look.all(floodSetsOfSegment, segment).length > 0;
  const isRouted = look.all(routerPortsOfSegment, segment).some((port) => port.links.length > 0);
  const peer = look.get('peer', peerUuid(nic.datapath_uuid));
  emit.owners(nic.interface_uuid, nic.mac_lease_uuid);
  if (isLocal || isRouted) {
    const out =
      peer === undefined
        ? drop('no_tunnel')
        : [apply(regLoad('destination_port', nic.port_key), regLoad('peer', peer.peer_key)), goto('OUT_REMOTE')];
    emit.flow('L2_LOOKUP', 100, [here, is('eth_dst', nic.mac)], out);
  }
  if (isLocal) refuseClaims(nic, nic.domain_uuid, nic.ipv6, look, emit);
  if (isLocal && nic.ipv6 && nic.addresses.length > 0) {
    answer({ family: 'ipv6', value: eui64LinkLocal(nic.mac) }, nic.mac, nic.segment_key, false, emit);
  }
  for (const { ip, ip_lease_uuid } of nic.addresses) {
    emit.owners(nic.interface_uuid, nic.mac_lease_uuid, ip_lease_uuid);
    if (isLocal) answer(ip, nic.mac, nic.segment_key, false, emit);
    if (isRouted) emit.flow('NEIGH', 100, [here, ...toAddress(ip)], [apply(set('eth_dst', nic.mac)), goto('ROUTED')]);
  }
});
