/**
 * Ports of mode promiscuous: whoever is behind them.
 *
 * Owns: entry from such ports, and what nobody may claim through one.
 * Promises: only in a segment with learning. A MAC or address that an interface of the segment has is nobody else's.
 */
import { eui64LinkLocal } from '../../net/mac.js';
import type { Ip } from '../../net/ip.js';
import { apply, drop, fromAddress, goto, is, isArp, isNd, ND } from '../build.js';
import type { FactAddress, Nic } from '../facts.js';
import { enterSegment, regMatch } from '../registers.js';
import type { Emit, Lookup } from '../rule.js';
import { learningSegment } from './attachments.js';

/** Frames of a promiscuous port that are not its own. Owners are as set. */
export function promiscuousEntry(nic: Nic, look: Lookup, emit: Emit): void {
  if (learningSegment(nic.domain_uuid, look) === undefined || look.get('interface', nic.interface_uuid)?.mode !== 'promiscuous') return;
  const enter = apply(enterSegment(nic.segment_key, nic.vrf_key));
  emit.flow('PORT_SEC', 40, [regMatch('source_port', nic.port_key)], [enter, goto('LEARN')]);
}

interface Holder {
  readonly mac: number;
  readonly segment_key: number;
  readonly addresses: readonly FactAddress[];
}

/** Nobody behind a promiscuous port may have this MAC, or speak for these addresses. Owners are as set. */
export function refuseClaims({ mac, segment_key, addresses }: Holder, domainUuid: string, ipv6: boolean, look: Lookup, emit: Emit): void {
  if (learningSegment(domainUuid, look) === undefined) return;
  const here = regMatch('segment', segment_key);
  emit.flow('LEARN', 110, [here, is('eth_src', mac)], drop('spoof'));
  const linkLocal: Ip[] = ipv6 && addresses.length > 0 ? [{ family: 'ipv6', value: eui64LinkLocal(mac) }] : [];
  for (const ip of [...addresses.map((address) => address.ip), ...linkLocal]) {
    emit.flow('LEARN', 100, [here, ...fromAddress(ip)], drop('spoof'));
    if (ip.family === 'ipv4') emit.flow('LEARN', 100, [here, isArp, is('arp_spa', ip.value)], drop('spoof'));
    else emit.flow('LEARN', 105, [here, ...isNd(ND.neighbor_advert), is('nd_target', ip.value)], drop('nd_spoof'));
  }
}
