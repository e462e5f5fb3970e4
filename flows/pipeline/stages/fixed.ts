/**
 * The part of the pipeline that is there without any entity: misses, drops by reason, ND answers.
 *
 * Promises: every table has an explicit priority-0 flow; a packet that nothing claims ends in DROP with a reason.
 */
import { apply, copy, drop, goto, is, isArp, isIpv4, isIpv6, isMulticastFrame, isNd, isUdp, ND, PROTO, set, toInPort } from '../build.js';
import type { Action } from '../../openflow/action.js';
import { regMatch } from '../registers.js';
import { rule, type Emit } from '../rule.js';
import { DROP_REASONS } from '../tables.js';

const ALL_NODES = { mac: 0x3333_0000_0001, ip: (0xff02n << 112n) | 1n } as const;

/** ND advertisement flags, RFC 4861 §4.4. */
const NA = { router: 0x8000_0000, solicited: 0x4000_0000, override: 0x2000_0000 } as const;

export const fixedFlows = rule('pipeline', 'pipeline', (_root, _look, emit) => {
  classify(emit);
  portSecurity(emit);
  local(emit);
  ndReply(emit);
  delivery(emit);
  for (const { code } of Object.values(DROP_REASONS)) emit.flow('DROP', 10, [regMatch('drop_reason', code)], []);
  emit.flow('DROP', 0, [], []);
});

function classify(emit: Emit): void {
  emit.flow('CLASSIFY', 300, [is('eth_src', 0x0100_0000_0000, 0x0100_0000_0000)], drop('multicast_source'));
  emit.flow('CLASSIFY', 250, [is('vlan_vid', 0x1000, 0x1000)], drop('vlan_tagged'));
  emit.flow('CLASSIFY', 0, [], drop('no_port'));
}

function portSecurity(emit: Emit): void {
  // Hosts report multicast membership from :: before they have an address; that is not spoofing.
  emit.flow('PORT_SEC', 50, [isIpv6, is('nw_proto', PROTO.icmpv6), is('icmpv6_type', 143), is('ipv6_src', 0n)], drop('group_management'));
  emit.flow('PORT_SEC', 0, [], drop('spoof'));
  for (const type of [ND.router_advert, ND.redirect]) emit.flow('ND_SEC', 200, icmpv6(type), drop('rogue_server'));
  for (const type of [ND.neighbor_solicit, ND.neighbor_advert]) emit.flow('ND_SEC', 50, icmpv6(type), drop('nd_spoof'));
  emit.flow('ND_SEC', 0, [], [goto('EG_FILTER_CT')]);
}

function local(emit: Emit): void {
  emit.flow('LOCAL', 200, isUdp('ipv4', 67, 68), drop('rogue_server'));
  emit.flow('LOCAL', 200, isUdp('ipv6', 547, 546), drop('rogue_server'));
  emit.flow('LOCAL', 150, [isIpv4, is('nw_proto', PROTO.igmp)], drop('group_management'));
  for (const type of [130, 131, 132, 143]) emit.flow('LOCAL', 150, icmpv6(type), drop('group_management'));
  // ARP and ND that nobody here answers go on without policy: to their owner, or to ports that may own anything.
  emit.flow('LOCAL', 20, [isArp], [goto('L2_LOOKUP')]);
  for (const type of [ND.neighbor_solicit, ND.neighbor_advert]) emit.flow('LOCAL', 20, icmpv6(type), [goto('L2_LOOKUP')]);
  emit.flow('LOCAL', 0, [], [goto('EG_CT')]);
}

function ndReply(emit: Emit): void {
  for (const router of [0, 1]) {
    const flag = router === 1 ? NA.router : 0;
    const answer = (reserved: number, ...first: Action[]) => [
      apply(...first, set('nd_reserved', (reserved | flag) >>> 0), set('nd_options_type', 2), copy('eth_src', 'nd_tll'), toInPort),
    ];
    const match = [...isNd(ND.neighbor_advert), regMatch('from_router', router)];
    // Duplicate address detection asks from ::, which cannot be answered to: RFC 4861 §7.2.4.
    emit.flow(
      'ND_REPLY',
      110,
      [...match, is('ipv6_dst', 0n)],
      answer(NA.override, set('ipv6_dst', ALL_NODES.ip), set('eth_dst', ALL_NODES.mac)),
    );
    emit.flow('ND_REPLY', 100, match, answer(NA.solicited | NA.override));
  }
  emit.flow('ND_REPLY', 0, [], drop('nd_spoof'));
}

function delivery(emit: Emit): void {
  emit.flow('L2_LOOKUP', 50, [isMulticastFrame], [goto('FLOOD')]);
  emit.flow('L2_LOOKUP', 0, [], drop('unknown_mac'));
  emit.flow('OUT_LOCAL', 200, [regMatch('multicast', 1)], [goto('FLOOD_OUT')]);
  emit.flow('OUT_LOCAL', 0, [], drop('no_output'));
  emit.flow('FLOOD', 105, [isArp], drop('unknown_arp'));
  for (const type of [ND.neighbor_solicit, ND.neighbor_advert]) emit.flow('FLOOD', 105, icmpv6(type), drop('unknown_arp'));
  emit.flow('FLOOD', 0, [], drop('no_flood'));
  emit.flow('FLOOD_OUT', 0, [], drop('no_flood'));
  emit.flow('FLOOD_CHUNK', 0, [], drop('no_flood'));
}

function icmpv6(type: number) {
  return [isIpv6, is('nw_proto', PROTO.icmpv6), is('icmpv6_type', type)];
}
