/**
 * Network address translation.
 *
 * Owns: NAT_IN to NAT_ENTER (what comes to an address that stands for others), NAT_REPLY and NAT_OUT to NAT_SENT (what leaves from behind it), and that
 * such an address is answered for and found in its network.
 * Assumes: a router that translates begins a path of its own, and leaves to the outside network by NAT_OUT (paths.ts).
 * Promises: an address is translated at one place, so that conntrack there sees both directions: a floating IP where its VM is, others at the gateway if
 * they leave by one, at the datapath that is named, or one of those that have a part in the routing domain. Everybody else passes packets on to that place unchanged. Two zones per router
 * and hypervisor: one of connections that leave with another source, one of those that come to another target. Both can hold the same packet, one
 * after the other, when a VM talks to a floating IP from behind another.
 */
import { cidrCovers, cidrOf, networkIp, type Cidr } from '../../net/cidr.js';
import type { Ip } from '../../net/ip.js';
import type { Action, Instruction, NatAction } from '../../openflow/action.js';
import type { OxmField } from '../../openflow/match.js';
import {
  apply,
  CT,
  ctState,
  drop,
  FAMILIES,
  fromAddress,
  goto,
  is,
  isFamily,
  PROTO,
  resubmit,
  set,
  toAddress,
  toInPort,
} from '../build.js';
import type { Nat, RouterPort } from '../facts.js';
import { ownDomains, peersOfDomain, routerPortsOfRouteLink } from '../indexes.js';
import { gatewayUuid } from '../outside.js';
import { enterSegment, regField, regLoad, regMatch } from '../registers.js';
import { rule, type Emit, type Lookup } from '../rule.js';
import { shortHash } from '../short-hash.js';
import { TABLES, type TableName } from '../tables.js';
import { answer } from './address.js';
import { crossed, isEchoRequest, OWN_TTL, refuse } from './icmp.js';
import { peerUuid } from './overlay-facts.js';
import { ASKED_FROM_OUTSIDE } from './physical.js';

/** In register `nat_next`: where a packet goes on when its source was seen to. */
export const NAT_NEXT = { deliver: 0, host: 1, router: 2 } as const;

/** Routers between an error and whoever it is for, at most, for its TTL to be exact. */
const FARTHEST = 24;

const isTranslated = regMatch('translated', 1);
const decrement: Action = { kind: 'dec_ttl' };

export const natFixedFlows = rule('nat', 'pipeline', (_root, _look, emit) => {
  emit.flow('NAT_IN', 0, [], drop('nat_nowhere'));
  emit.flow('NAT_BACK', 0, [], [goto('NAT_ENTER')]);
  emit.flow('NAT_ENTER', 0, [], [goto('L3_IN')]);
  emit.flow('NAT_REPLY', 0, [], [goto('POLICY_ROUTES')]);
  // From another address than its sender has: what rules say of the sender is not meant.
  const isReply = [ctState(CT.trk | CT.rpl), regMatch('translated', 0)];
  emit.flow('NAT_REPLIED', 100, isReply, [apply(regLoad('translated', 1), regLoad('source_identity', 0), resubmit('NAT_REPLIED'))]);
  emit.flow('NAT_REPLIED', 0, [], [apply(resubmit('POLICY_ROUTES'))]);
  const unchanged = [apply(decrement, ...crossed(1)), goto('NAT_SENT')];
  for (const family of FAMILIES) {
    // An error enters the router that speaks as if it came to it: what that takes from the TTL is given back.
    for (let ttl = OWN_TTL - FARTHEST; ttl < OWN_TTL; ttl++)
      emit.flow(
        'ROUTED',
        300,
        [regMatch('nat_exempt', 1), isFamily(family), is('nw_ttl', ttl)],
        [apply({ kind: 'set_nw_ttl', ttl: ttl + 1 }, regLoad('nat_exempt', 0), resubmit('ROUTED'))],
      );
    emit.flow('NAT_OUT', 300, [regMatch('nat_exempt', 1), isFamily(family)], unchanged);
    emit.flow('NAT_OUT', 10, [isFamily(family)], unchanged);
  }
  emit.flow('NAT_OUT', 0, [], drop('not_routable'));
  emit.flow('NAT_SENT', 100, [isTranslated, ctState(CT.trk | CT.inv)], drop('nat_invalid'));
  const onTo = (next: keyof typeof NAT_NEXT, ...actions: readonly Action[]) =>
    emit.flow('NAT_SENT', 50, [regMatch('nat_next', NAT_NEXT[next])], [apply(regLoad('nat_next', 0), ...actions)]);
  onTo('deliver', resubmit('NEIGH'));
  onTo('host', resubmit('ROUTED'));
  onTo('router', regLoad('next_hop', 0), resubmit('L2L3'));
  emit.flow('NAT_SENT', 0, [], drop('no_route'));
});

/** What a translation without passthrough does not name. */
export const closedPortFlows = rule('closed port', 'closed_port', ({ router_key, segment_key, arrival, owner_uuids }, _look, emit) => {
  emit.owners(...owner_uuids);
  emit.flow('NAT_REPLY', 150, [regMatch('arrival', arrival), regMatch('translated', 0)], drop('untranslated'));
  emit.flow('NAT_OUT', 20, [regMatch('segment', segment_key), regMatch('router', router_key)], drop('untranslated'));
});

export const natFlows = rule('translated address', 'nat', (nat, look, emit) => {
  emit.owners(...nat.owner_uuids);
  const place = placeOf(nat, look);
  found(nat, emit);
  outside(nat, look, emit);
  // It comes here through tunnels whether or not anything in that segment is plugged in here.
  if (place !== 'nowhere' && place.kind === 'here')
    emit.flow(
      'TUNNEL_SEGMENT',
      100,
      [is('tun_id', BigInt(nat.segment_key))],
      [apply(enterSegment(nat.segment_key, nat.vrf_key)), goto('TUNNEL_ADMIT')],
    );
  inwards(nat, place, look, emit);
  replies(nat, place, emit);
  toItself(nat, look, emit);
  outwards(nat, place, emit);
});

type Place =
  | { readonly kind: 'here'; readonly sourceZone: number; readonly targetZone: number }
  | { readonly kind: 'peer'; readonly peerKey: number }
  | 'nowhere';

function placeOf(nat: Nat, look: Lookup): Place {
  const own = look.get('here', 'here')?.datapath_uuid;
  const datapath = datapathOf(nat, own, look);
  if (datapath === undefined) return 'nowhere';
  if (datapath !== 'here' && datapath !== own) {
    const peer = look.get('peer', peerUuid(datapath));
    return peer === undefined ? 'nowhere' : { kind: 'peer', peerKey: peer.peer_key };
  }
  const zones = look.get('nat_zones', `nz-${nat.route_link_uuid}`);
  return zones === undefined ? 'nowhere' : { kind: 'here', sourceZone: zones.source_zone, targetZone: zones.target_zone };
}

function datapathOf(nat: Nat, own: string | undefined, look: Lookup): string | undefined {
  if (nat.is_at_target && nat.interface_uuid !== null) {
    if (look.get('local_port', `port-${nat.interface_uuid}`) !== undefined) return 'here';
    const datapath = look.get('binding', `bind-${nat.interface_uuid}`)?.datapath_uuid;
    return datapath === own ? undefined : datapath;
  }
  // What leaves by a gateway passes it anyway.
  const gateway = look.get('gateway', gatewayUuid(nat.port_lease_uuid));
  if (gateway !== undefined) return gateway.datapath_uuid ?? undefined;
  if (nat.datapath_uuid !== null) return nat.datapath_uuid;
  const domain = String(nat.vrf_key);
  const members = look.all(peersOfDomain, domain).map(({ datapath_uuid }) => datapath_uuid);
  if (look.all(ownDomains, domain).length > 0) members.push(own ?? 'here');
  // All that is translated at a router's own addresses in a network is in one place: what stands for a host may be several of them.
  const whose = nat.is_own ? `port ${nat.arrival}` : nat.external.value;
  // Whoever has the highest score: another hypervisor that comes or goes seldom moves it.
  const scored = members.map((member) => ({ member, score: shortHash(`${nat.segment_key} ${whose} ${member}`) }));
  scored.sort((a, b) => b.score - a.score || (a.member < b.member ? -1 : 1));
  return scored[0]?.member;
}

/** The address is answered for, and led to NAT_IN whichever way a packet comes. */
function found(
  { external, external_mac, entry_mac, is_own, segment_key, vrf_key, router_key, arrival, target, ports }: Nat,
  emit: Emit,
): void {
  const here = regMatch('segment', segment_key);
  const stands = target !== null && ports === null;
  const echo = isEchoRequest(external.family);
  const itself = [apply(regLoad('router', router_key)), goto('ROUTER_SELF')];
  for (const mac of new Set([external_mac, entry_mac]))
    emit.flow('L2_LOOKUP', 100, [here, is('eth_dst', mac)], [apply(resubmit('NAT_IN'))]);
  emit.flow('NEIGH', is_own ? 110 : 100, [here, ...toAddress(external)], [apply(set('eth_dst', external_mac)), goto('ROUTED')]);
  if (!stands) emit.flow('NEIGH', is_own ? 111 : 101, [here, ...toAddress(external), ...echo], itself);
  if (!is_own) {
    answer(external, external_mac, segment_key, true, emit);
    return;
  }
  const asked = [regMatch('router', router_key), ...toAddress(external)];
  const rank = target === null ? 117 : stands ? 115 : 111;
  // Who sends it may be known by another address itself.
  emit.flow('L3_IN', rank, asked, [goto('NAT_REPLY')]);
  const turns = [apply(enterSegment(segment_key, vrf_key), set('eth_dst', external_mac), resubmit('NAT_IN'))];
  for (const table of ['NAT_REPLY', 'NAT_REPLIED'] as const) emit.flow(table, 60, asked, turns);
  // Who is next to the port is no such sender, and what is named is not dropped with what is not.
  emit.flow('NAT_REPLY', 160, [...asked, regMatch('arrival', arrival)], turns);
  if (!stands) emit.flow('L3_IN', rank + 1, [...asked, ...echo], [goto('ROUTER_SELF')]);
}

/** Where the router's port is a gateway, that speaks for the address in the physical network, with its own MAC. */
function outside({ external, external_mac, is_own, port_mac, port_lease_uuid, segment_key, arrival }: Nat, look: Lookup, emit: Emit): void {
  const gateway = look.get('gateway', gatewayUuid(port_lease_uuid));
  if (is_own || gateway === undefined || gateway.ofport === null) return;
  answer(external, port_mac, segment_key, true, emit, ASKED_FROM_OUTSIDE);
  emit.flow(
    'PHYSICAL_IN',
    110,
    [regMatch('segment', segment_key), is('eth_dst', port_mac), ...toAddress(external)],
    [apply(regLoad('source_port', arrival), set('eth_dst', external_mac), resubmit('L2_LOOKUP'))],
  );
}

/** From outside, and what other hypervisors pass on from behind. */
function inwards(nat: Nat, place: Place, look: Lookup, emit: Emit): void {
  const { external, external_mac, segment_key, is_own, is_silent, target, ports } = nat;
  const asked = [regMatch('segment', segment_key), ...toAddress(external)];
  const atMac = [is('eth_dst', external_mac), ...asked];
  const came: Action = { kind: 'move', src: regField('from_tunnel'), dst: regField('remote_sender') };
  // It may go on to another hypervisor from here.
  const enters = [regLoad('router', nat.router_key), came, regLoad('from_tunnel', 0), regLoad('next_hop', 0)];
  const arrives = [...enters, regLoad('arrival', nat.arrival), regLoad('translated', 1)];
  const comes =
    place === 'nowhere'
      ? drop('nat_nowhere')
      : place.kind === 'peer'
        ? passOn(place.peerKey)
        : [apply(...arrives, track(place.sourceZone, false, 'NAT_BACK'))];
  const stands = target !== null && ports === null;
  // Whoever may be addressed itself cannot tell yet whether the packet is to go on.
  if (!is_own)
    emit.flow(
      'NAT_IN',
      200,
      [...asked, is('nw_ttl', 1)],
      is_silent ? drop('ttl') : refuse('time_exceeded', 'ttl', regLoad('router', nat.router_key), regLoad('arrival', nat.arrival)),
    );
  if (!stands)
    emit.flow('NAT_IN', 96, [...atMac, ...isEchoRequest(external.family)], [apply(regLoad('router', nat.router_key)), goto('ROUTER_SELF')]);
  emit.flow('NAT_IN', stands ? 100 : 90, atMac, comes);
  for (const [there] of portMatches(ports, 'external', 'dst')) emit.flow('NAT_IN', 105, [...atMac, ...there!], comes);
  emit.flow(
    'NAT_IN',
    50,
    [regMatch('segment', segment_key), is('eth_dst', nat.entry_mac), isFamily(external.family)],
    place === 'nowhere'
      ? drop('nat_nowhere')
      : place.kind === 'peer'
        ? passOn(place.peerKey)
        : [apply(...enters, regLoad('arrival', insidePort(nat, look)), resubmit('L3_IN'))],
  );
  const itself = is_own || target === null;
  emit.flow('NAT_ENTER', 100, asked, itself ? [goto('ROUTER_SELF')] : drop('nat_invalid'));
  if (target === null || typeof place === 'string' || place.kind !== 'here') return;
  const turn = (to: Ip, port?: number) => [apply(track(place.targetZone, true, 'NAT_ENTER', natTo('dst', to, port)))];
  if (ports === null) emit.flow('NAT_BACK', 100, asked, turn(target));
  else {
    // Errors about what was sent back.
    emit.flow(
      'NAT_BACK',
      95,
      [...asked, is('nw_proto', external.family === 'ipv4' ? PROTO.icmp : PROTO.icmpv6)],
      [apply(track(place.targetZone, false, 'NAT_ENTER'))],
    );
    for (const [there] of portMatches(ports, 'external', 'dst'))
      emit.flow('NAT_BACK', 105, [...asked, ...there!], turn(target, ports.target));
  }
}

/** To its own other address, and back out of the port it came from. */
function toItself({ interface_uuid }: Nat, look: Lookup, emit: Emit): void {
  const port = interface_uuid === null ? undefined : look.get('local_port', `port-${interface_uuid}`);
  const iface = interface_uuid === null ? undefined : look.get('interface', interface_uuid);
  if (port === undefined || iface === undefined) return;
  const itself = [regMatch('source_port', iface.port_key), regMatch('destination_port', iface.port_key)];
  emit.flow('OUT_LOCAL', 170, [...itself, isTranslated], [apply(toInPort)]);
  emit.flow('OUT_LOCAL', 160, [...itself, regMatch('from_tunnel', 1)], [apply({ kind: 'output', port: port.ofport })]);
}

/** What a host that was addressed by another address sends back gets that address wherever it goes. */
function replies(nat: Nat, place: Place, emit: Emit): void {
  const { target, ports, router_key } = nat;
  if (target === null || place === 'nowhere') return;
  const sends = [regMatch('router', router_key), ...fromAddress(target)];
  const rows = ports === null ? [[]] : portMatches(ports, 'target', 'src').map(([match]) => match!);
  for (const row of rows) {
    const priority = ports === null ? 100 : 105;
    if (place.kind === 'here') emit.flow('NAT_REPLY', priority, [...sends, ...row], [apply(track(place.targetZone, false, 'NAT_REPLIED'))]);
    else {
      emit.flow('NAT_REPLY', priority, [...sends, ...row], handOver(nat));
      // What expires does so here, where its sender is.
      emit.flow('NAT_REPLY', priority + 20, [...sends, ...row, is('nw_ttl', 1)], [goto('POLICY_ROUTES')]);
    }
  }
}

/** Leaving to the outside network. */
function outwards(nat: Nat, place: Place, emit: Emit): void {
  const { segment_key, router_key, external, source, ports, target } = nat;
  const leaves = [regMatch('segment', segment_key), regMatch('router', router_key)];
  const unchanged = [apply(decrement, ...crossed(1)), goto('NAT_SENT')];
  emit.flow('NAT_OUT', 290, [...leaves, regMatch('arrival', nat.arrival), isFamily(external.family)], unchanged);
  emit.flow('NAT_OUT', 280, [...leaves, ...fromAddress(external)], unchanged);
  const from = source === null ? [isFamily(external.family)] : fromAddress(networkIp(source), source.prefix);
  // On its way back the answer to a packet that expires beyond is taken for one that comes to this router.
  const forget = [regLoad('routers_crossed', 0), regLoad('run_unpaid', 0), regLoad('translated', 1), regLoad('source_identity', 0)];
  const translate = (port?: number): readonly Instruction[] =>
    place === 'nowhere'
      ? drop('nat_nowhere')
      : place.kind === 'peer'
        ? handOver(nat)
        : [apply(decrement, ...forget, track(place.sourceZone, true, 'NAT_SENT', natTo('src', external, port)))];
  if (ports === null) emit.flow('NAT_OUT', target === null ? 40 + (source?.prefix ?? 0) : 200, [...leaves, ...from], translate());
  else
    for (const [match] of portMatches(ports, 'target', 'src'))
      emit.flow('NAT_OUT', 210, [...leaves, ...from, ...match!], translate(ports.external));
}

/** To the hypervisor where the address is translated; that takes one from the TTL, not this one. */
function handOver({ entry_mac, segment_key, vrf_key }: Nat): Instruction[] {
  return [apply(enterSegment(segment_key, vrf_key), set('eth_dst', entry_mac), resubmit('ROUTED'))];
}

function passOn(peerKey: number): Instruction[] {
  return [apply(regLoad('peer', peerKey)), goto('OUT_REMOTE')];
}

function track(zone: number, commit: boolean, table: TableName, nat: NatAction = { kind: 'nat' }): Action {
  return { kind: 'ct', zone, table: TABLES[table].id, exec: [nat], ...(commit ? { commit: true } : {}) };
}

function natTo(direction: 'src' | 'dst', ip: Ip, port?: number): NatAction {
  const to = ip.family === 'ipv4' ? { ipv4_min: ip.value } : { ipv6_min: ip.value };
  return { kind: 'nat', direction, ...to, ...(port === undefined ? {} : { port_min: port }) };
}

/** TCP and UDP, as OpenVNet's translations have it. */
function portMatches(ports: Nat['ports'], which: 'external' | 'target', side: 'src' | 'dst'): OxmField[][][] {
  if (ports === null) return [];
  return (['tcp', 'udp'] as const).map((transport) => [[is('nw_proto', PROTO[transport]), is(`${transport}_${side}`, ports[which])]]);
}

/** The router's port by which what another hypervisor passes on came to it there, as near as can be told. */
function insidePort(nat: Nat, look: Lookup): number {
  const inside = look.all(routerPortsOfRouteLink, nat.route_link_uuid).filter((port) => port.segment_key !== nat.segment_key);
  const leadsTo = (port: RouterPort, source: Cidr) =>
    port.addresses.some((own) => own.ip.family === source.family && cidrCovers(cidrOf(own.ip, own.prefix), source));
  return (inside.find((port) => nat.source !== null && leadsTo(port, nat.source)) ?? inside[0])?.port_key ?? nat.arrival;
}
