/**
 * Local ports: entry, exit and what a VM may send.
 *
 * Owns: CLASSIFY, PORT_SEC and ND_SEC rows of ports, OUT_LOCAL rows.
 * Promises: a VM sends only with the MACs and addresses leased to it, and what has such an address bears its policy class as identity; a port that is not bound
 * to an interface stays closed.
 * DHCP is heard from any address, which goes no further than the port. A NIC without any address (segment only) may use any address with its own MAC.
 */
import { BROADCAST_MAC, eui64LinkLocal } from '../../net/mac.js';
import type { Ip } from '../../net/ip.js';
import type { OxmField } from '../../openflow/match.js';
import { apply, drop, fromAddress, goto, is, isArp, isNd, isUdp, ND, set } from '../build.js';
import type { Nic } from '../facts.js';
import { enterSegment, regLoad, regMatch } from '../registers.js';
import { rule, type Emit } from '../rule.js';
import { promiscuousEntry, refuseClaims } from './promiscuous.js';

const BROADCAST = 0xffff_ffff;

export const portFlows = rule('port', 'local_port', (port, look, emit) => {
  const iface = look.get('interface', port.interface_uuid);
  if (iface === undefined) return;
  emit.owners(iface.uuid);
  const entry = [
    regLoad('source_port', iface.port_key),
    regLoad('source_zone', port.ct_zone),
    regLoad('source_class', iface.policy_class_key),
  ];
  emit.flow('CLASSIFY', 200, [is('in_port', port.ofport), is('vlan_vid', 0)], [apply(...entry), goto('PORT_SEC')]);
  const itself = [regMatch('source_port', iface.port_key), regMatch('destination_port', iface.port_key)];
  emit.flow('OUT_LOCAL', 150, itself, drop('to_sender'));
  emit.flow('OUT_LOCAL', 100, [regMatch('destination_port', iface.port_key)], [apply({ kind: 'output', port: port.ofport })]);
});

export const portSecurityFlows = rule('port security', 'nic', (nic, look, emit) => {
  const sender = [regMatch('source_port', nic.port_key), is('eth_src', nic.mac)];
  const enter = apply(enterSegment(nic.segment_key, nic.vrf_key));
  emit.owners(nic.interface_uuid, nic.mac_lease_uuid);

  promiscuousEntry(nic, look, emit);
  refuseClaims(nic, nic.domain_uuid, nic.ipv6, look, emit);
  if (nic.addresses.length === 0) {
    emit.flow('PORT_SEC', 90, sender, [enter, goto('EG_FILTER_CT')]);
    return;
  }
  // Address probes (RFC 5227) and DHCP come before the VM knows its address.
  emit.flow('PORT_SEC', 100, [...sender, isArp, is('arp_sha', nic.mac), is('arp_spa', 0)], [enter, goto('EG_FILTER_CT')]);
  // Who still has an address that is leased to it no more asks to renew it from there, and is heard as one that has none.
  const asNewcomer = apply(
    set('ip_src', 0),
    set('ip_dst', BROADCAST),
    set('eth_dst', BROADCAST_MAC),
    enterSegment(nic.segment_key, nic.vrf_key),
  );
  emit.flow('PORT_SEC', 95, [...sender, ...isUdp('ipv4', 68, 67)], [asNewcomer, goto('EG_FILTER_CT')]);
  if (nic.ipv6) ipv6Security(nic, sender, emit);
  const identity = nic.policy_class_key === 0 ? [] : [regLoad('source_identity', nic.policy_class_key)];
  const known = apply(enterSegment(nic.segment_key, nic.vrf_key), ...identity);
  for (const { ip, ip_lease_uuid } of nic.addresses) {
    emit.owners(nic.interface_uuid, nic.mac_lease_uuid, ip_lease_uuid);
    emit.flow('PORT_SEC', 100, [...sender, ...fromAddress(ip)], [known, goto(ip.family === 'ipv4' ? 'EG_FILTER_CT' : 'ND_SEC')]);
    if (ip.family === 'ipv4') {
      emit.flow('PORT_SEC', 100, [...sender, isArp, is('arp_sha', nic.mac), is('arp_spa', ip.value)], [enter, goto('EG_FILTER_CT')]);
      emit.flow(
        'LOCAL',
        120,
        [regMatch('source_port', nic.port_key), isArp, is('arp_op', 1), is('arp_tpa', ip.value)],
        drop('own_address'),
      );
    } else {
      claims(nic, ip.value, emit);
    }
  }
});

/** Link-local and unspecified sources, and whose link-layer address neighbour discovery may carry. */
function ipv6Security(nic: Nic, sender: readonly OxmField[], emit: Emit): void {
  const linkLocal: Ip = { family: 'ipv6', value: eui64LinkLocal(nic.mac) };
  const enter = apply(enterSegment(nic.segment_key, nic.vrf_key));
  const port = regMatch('source_port', nic.port_key);
  emit.flow('PORT_SEC', 100, [...sender, ...fromAddress(linkLocal)], [enter, goto('ND_SEC')]);
  // Duplicate address detection and a first router solicitation come before there is an address.
  for (const type of [ND.neighbor_solicit, ND.router_solicit]) {
    emit.flow('PORT_SEC', 100, [...sender, ...isNd(type), is('ipv6_src', 0n)], [enter, goto('ND_SEC')]);
  }
  for (const sll of [nic.mac, 0]) emit.flow('ND_SEC', 100, [port, ...isNd(ND.neighbor_solicit), is('nd_sll', sll)], [goto('EG_FILTER_CT')]);
  claims(nic, linkLocal.value, emit);
}

/** The port may advertise this address; asking for it (duplicate address detection) needs no answer. */
function claims(nic: Nic, address: bigint, emit: Emit): void {
  const port = regMatch('source_port', nic.port_key);
  for (const tll of [nic.mac, 0]) {
    emit.flow('ND_SEC', 100, [port, ...isNd(ND.neighbor_advert), is('nd_target', address), is('nd_tll', tll)], [goto('EG_FILTER_CT')]);
  }
  emit.flow('LOCAL', 120, [port, ...isNd(ND.neighbor_solicit), is('nd_target', address)], drop('own_address'));
}
