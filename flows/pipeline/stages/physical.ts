/**
 * Physical networks: L2 domains that exist outside too, behind a port to a bridge of the operator's.
 *
 * Owns: entry from that port and the way out of it; broadcasts to and from outside; ARP and ND answers to outside for the NICs here.
 * Assumes: the bridge switches as an ordinary switch does; its frames carry no VLAN tag.
 * Promises: outside hears of a NIC from its own hypervisor alone. What comes from outside is delivered here or not at all: it never goes on to another
 * hypervisor or back. Frames between VMs on different hypervisors go through the overlay, their broadcasts through the physical network.
 */
import { eui64LinkLocal } from '../../net/mac.js';
import { apply, drop, goto, is, isMulticastFrame, resubmit } from '../build.js';
import { floodSetsOfSegment } from '../indexes.js';
import { physicalSegmentUuid } from '../outside.js';
import { enterSegment, regLoad, regMatch } from '../registers.js';
import { rule } from '../rule.js';
import { answer } from './address.js';
import { floodBranches } from './flood.js';

/** Stays on this hypervisor. */
export const fromOutside = regLoad('from_tunnel', 1);
/** ARP and ND asked from outside. */
export const ASKED_FROM_OUTSIDE = { table: 'PHYSICAL_IN', priority: 150 } as const;

export const physicalFixedFlows = rule('physical', 'pipeline', (_root, _look, emit) => {
  emit.flow('PHYSICAL_IN', 50, [isMulticastFrame], [apply(fromOutside), goto('FLOOD')]);
  emit.flow('PHYSICAL_IN', 0, [], drop('not_ours'));
  emit.flow('PHYSICAL_OUT', 0, [], drop('no_physical_port'));
});

export const physicalSegmentFlows = rule('physical network', 'physical_segment', (physical, look, emit) => {
  const { segment_key, vrf_key, domain_uuid, ofport } = physical;
  const here = regMatch('segment', segment_key);
  const local = floodBranches(look.all(floodSetsOfSegment, String(segment_key)), look);
  const out = { kind: 'output', port: ofport } as const;
  emit.owners(domain_uuid);
  emit.flow('CLASSIFY', 200, [is('in_port', ofport), is('vlan_vid', 0)], [apply(enterSegment(segment_key, vrf_key)), goto('PHYSICAL_IN')]);
  emit.flow('PHYSICAL_OUT', 100, [here], [apply(out)]);
  emit.flow('L2_LOOKUP', 10, [here, regMatch('from_tunnel', 0)], [goto('PHYSICAL_OUT')]);
  emit.flow('FLOOD', 120, [here, regMatch('from_tunnel', 0)], [apply(...local, out)]);
  emit.flow('FLOOD', 120, [here, regMatch('from_tunnel', 1)], local.length === 0 ? drop('no_flood') : [apply(...local)]);
});

export const physicalNicFlows = rule('physical NIC', 'nic', (nic, look, emit) => {
  if (look.get('physical_segment', physicalSegmentUuid(nic.segment_key)) === undefined) return;
  const here = regMatch('segment', nic.segment_key);
  emit.owners(nic.interface_uuid, nic.mac_lease_uuid);
  emit.flow('PHYSICAL_IN', 200, [here, is('eth_src', nic.mac)], drop('spoof'));
  emit.flow('PHYSICAL_IN', 100, [here, is('eth_dst', nic.mac)], [apply(fromOutside, resubmit('L2_LOOKUP'))]);
  if (nic.ipv6 && nic.addresses.length > 0)
    answer({ family: 'ipv6', value: eui64LinkLocal(nic.mac) }, nic.mac, nic.segment_key, false, emit, ASKED_FROM_OUTSIDE);
  for (const { ip, ip_lease_uuid } of nic.addresses) {
    emit.owners(nic.interface_uuid, nic.mac_lease_uuid, ip_lease_uuid);
    answer(ip, nic.mac, nic.segment_key, false, emit, ASKED_FROM_OUTSIDE);
  }
});
