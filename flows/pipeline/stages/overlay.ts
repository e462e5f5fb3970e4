/**
 * Tunnels between hypervisors.
 *
 * Owns: entry from tunnels, the way out to a peer, copies of broadcasts for peers.
 * Assumes: one port per encapsulation that goes wherever the flow says (`remote_ip=flow`, `key=flow`), tun_metadata0 mapped to our Geneve option.
 * Promises: a packet comes in only from an address of a known peer, for a segment with ports here and from a peer that has a part in its routing domain; it
 * has been through routing and the sender's egress policy there, so only ingress policy follows. What came through a tunnel leaves through one only if it was
 * translated here on its way.
 * VNI is the segment key; with Geneve the sender's port key comes along, and whether a live trace follows the packet.
 */
import { chassisUuid, type Chassis, type ChassisEndpoint } from '../../model/entities/presence.js';
import { parseIp } from '../../net/ip.js';
import type { Action } from '../../openflow/action.js';
import type { OxmField } from '../../openflow/match.js';
import { apply, drop, FAMILIES, goto, is, isFamily, isMulticastFrame, punt, resubmit, set, toInPort } from '../build.js';
import { UNKNOWN_HOLDERS, type Way } from '../facts.js';
import { everyNatZones, floodSetsOfSegment, presencesOfChunk, reachChunksOf } from '../indexes.js';
import { addressPairs, familyOf, pairingOf } from '../pairing.js';
import { enterSegment, regField, regLoad, regMatch } from '../registers.js';
import { rule, type Emit, type Here, type Lookup } from '../rule.js';
import { floodBranches, toHolders } from './flood.js';
import { peerUuid, tunnelTo } from './overlay-facts.js';
import { isArpOrNd } from './address.js';
import { learningSegment } from './attachments.js';

const ETHERNET = 14;
/** Port keys have 31 bits; the last one tells that a live trace follows the packet. */
const portOption = { field: 'tun_metadata0', offset: 0, bits: 31 } as const;
const markOption = { field: 'tun_metadata0', offset: 31, bits: 1 } as const;
const sourcePort = { ...regField('source_port'), bits: 31 } as const;
const vni = { field: 'tun_id', offset: 0, bits: 32 } as const;
const fromTunnel = regMatch('from_tunnel', 1);
const fromHere = regMatch('from_tunnel', 0);

export const overlayFixedFlows = rule('overlay', 'pipeline', (_root, _look, emit) => {
  emit.flow('TUNNEL_IN', 0, [], drop('unknown_peer'));
  emit.flow('TUNNEL_SEGMENT', 0, [], drop('unknown_segment'));
  emit.flow('TUNNEL_ADMIT', 0, [], drop('foreign_segment'));
  emit.flow('OUT_REMOTE', 200, [fromTunnel], drop('tunnel_to_tunnel'));
  emit.flow('OUT_REMOTE', 0, [], drop('no_tunnel'));
  emit.flow('FLOOD_PEERS', 0, [], drop('no_flood'));
  emit.flow('PEER_CHUNK', 0, [], drop('no_flood'));
  tooBig(emit);
  emit.flow('TUNNEL_OUT', 0, [], drop('no_tunnel'));
});

/** Told to the sender, whether or not it forbids fragments: nothing on the way could make them (RFC 792, RFC 8201). */
function tooBig(emit: Emit): void {
  const large = regMatch('too_big', 1);
  for (const family of FAMILIES) {
    emit.flow('TUNNEL_OUT', 200, [large, isFamily(family), is('ip_frag', 0, 2)], punt({ kind: 'too_big' }));
  }
  emit.flow('TUNNEL_OUT', 210, [large, isMulticastFrame], drop('too_big'));
  emit.flow('TUNNEL_OUT', 190, [large], drop('too_big'));
}

export const tunnelPortFlows = rule('tunnel port', 'tunnel_port', (port, _look, emit) => {
  emit.flow('CLASSIFY', 200, [is('in_port', port.ofport), is('vlan_vid', 0)], [goto('TUNNEL_IN')]);
});

/** One way to a hypervisor for whatever goes there. */
export const peerFlows = rule('tunnel', 'chassis', (chassis, look, emit) => {
  if (look.get('here', 'here')?.overlay_mode === 'auto') emitTunnel(chassis, undefined, look, emit);
});

/** A way of its own for each L2 domain, and no other: what is not named does not come in either. */
export const wayFlows = rule('way', 'way', (way, look, emit) => {
  const chassis = look.get('chassis', chassisUuid(way.datapath_uuid));
  if (chassis !== undefined) emitTunnel(chassis, way, look, emit);
});

function emitTunnel(chassis: Chassis, way: Way | undefined, look: Lookup, emit: Emit): void {
  const here = look.get('here', 'here');
  const peer = look.get('peer', peerUuid(chassis.datapath_uuid));
  if (here === undefined || peer === undefined) return;
  const pairing = pairingOf(here, chassis, { ends: way, tunnel: tunnelTo(here, chassis.datapath_uuid, look) });
  const port = typeof pairing === 'string' ? undefined : look.get('tunnel_port', `tunnel-${pairing.encap}`);
  if (typeof pairing === 'string' || port === undefined) return;
  const { local, remote, mtu, encap } = pairing;
  emit.owners(chassis.datapath_uuid);
  admit(here, chassis, way, peer.peer_key, look, emit);

  const thither = [regMatch('peer', peer.peer_key), ...(way === undefined ? [] : [regMatch('segment', way.segment_key)])];
  if (way !== undefined) emit.flow('TUNNEL_ADMIT', 100, thither, [apply(resubmit('L2_LOOKUP'))]);
  emit.flow('OUT_REMOTE', 100, thither, [
    apply(regLoad('overlay_mtu', mtu), { kind: 'check_pkt_larger', length: mtu + ETHERNET, dst: regField('too_big') }),
    goto('TUNNEL_OUT'),
  ]);
  const [source, destination] = fieldsOf(local);
  const leave: Action[] = [
    set(source, parseIp(local.address).value),
    set(destination, parseIp(remote.address).value),
    { kind: 'move', src: regField('segment'), dst: vni },
  ];
  if (encap === 'geneve')
    leave.push({ kind: 'move', src: sourcePort, dst: portOption }, { kind: 'move', src: regField('live_marked'), dst: markOption });
  emit.flow('TUNNEL_OUT', 100, thither, [apply(...leave, { kind: 'output', port: port.ofport })]);
  // What came by the same port to be translated here; a switch sends nothing back unless it is told to.
  if (look.all(everyNatZones, '').length > 0)
    emit.flow('TUNNEL_OUT', 110, [...thither, regMatch('remote_sender', 1), is('in_port', port.ofport)], [apply(...leave, toInPort)]);
}

/**
 * From a known hypervisor packets are taken in by every encapsulation that both offer and every pair of addresses that could be theirs, whichever is in use:
 * when that changes, the other end may hear of it later or sooner. While this end changes what it offers, that is both what it did and what it does.
 */
function admit(here: Here, chassis: Chassis, way: Way | undefined, peerKey: number, look: Lookup, emit: Emit): void {
  const offer = here.accepts ?? here;
  const ends = way === undefined ? addressPairs(offer, chassis) : [[{ address: way.local }, { address: way.remote }] as const];
  for (const encap of offer.encaps) {
    const port = chassis.encaps.includes(encap) ? look.get('tunnel_port', `tunnel-${encap}`) : undefined;
    if (port === undefined) continue;
    const arrived: Action[] = [regLoad('peer', peerKey), regLoad('from_tunnel', 1)];
    if (encap === 'geneve')
      arrived.push({ kind: 'move', src: portOption, dst: sourcePort }, { kind: 'move', src: markOption, dst: regField('live_marked') });
    for (const [local, remote] of ends) {
      const [source, destination] = fieldsOf(local);
      const match = [is('in_port', port.ofport), is(source, parseIp(remote.address).value), is(destination, parseIp(local.address).value)];
      emit.flow('TUNNEL_IN', 100, match, [apply(...arrived), goto('TUNNEL_SEGMENT')]);
    }
  }
}

function fieldsOf(end: Pick<ChassisEndpoint, 'address'>): readonly ['tun_src', 'tun_dst'] | readonly ['tun_ipv6_src', 'tun_ipv6_dst'] {
  return familyOf(end) === 'ipv4' ? ['tun_src', 'tun_dst'] : ['tun_ipv6_src', 'tun_ipv6_dst'];
}

export const tunnelSegmentFlows = rule('tunnel segment', 'flood_set', (set, _look, emit) => {
  // Every set of the segment emits the same row, so that it stands as long as one of them does.
  emit.owners(set.domain_uuid);
  emit.flow(
    'TUNNEL_SEGMENT',
    100,
    [is('tun_id', BigInt(set.segment_key))],
    [apply(enterSegment(set.segment_key, set.vrf_key)), goto('TUNNEL_ADMIT')],
  );
});

export const peerDomainFlows = rule('peer domain', 'peer_domain', (domain, look, emit) => {
  const peer = look.get('peer', peerUuid(domain.datapath_uuid));
  if (peer === undefined || look.get('here', 'here')?.overlay_mode === 'explicit') return;
  emit.owners(domain.datapath_uuid);
  emit.flow('TUNNEL_ADMIT', 100, [regMatch('peer', peer.peer_key), regMatch('vrf', domain.vrf_key)], [apply(resubmit('L2_LOOKUP'))]);
});

export const reachFlows = rule('flood to peers', 'reach', (reach, look, emit) => {
  const here = regMatch('segment', reach.segment_key);
  const branches = look.all(floodSetsOfSegment, String(reach.segment_key));
  emit.owners(reach.domain_uuid);
  const isHolders = reach.policy_class_key === UNKNOWN_HOLDERS;
  const local = isHolders ? branches.filter((s) => s.policy_class_key === UNKNOWN_HOLDERS).map(toHolders) : floodBranches(branches, look);
  const copies: Action = {
    kind: 'clone',
    actions: [regLoad('multicast', 1), regLoad('destination_class', reach.policy_class_key), resubmit('FLOOD_PEERS')],
  };
  const all = [apply(...local, copies)];
  const rows: OxmField[][] = isHolders ? isArpOrNd() : [[]];
  const isToAll = isHolders && learningSegment(reach.domain_uuid, look) !== undefined;
  if (!isToAll) for (const row of rows) emit.flow('FLOOD', isHolders ? 111 : 101, [here, fromHere, ...row], all);

  const chunks = look
    .all(reachChunksOf, reach.uuid)
    .map((c) => c.chunk)
    .sort((a, b) => a - b);
  emit.flow(
    'FLOOD_PEERS',
    100,
    [here, regMatch('destination_class', reach.policy_class_key)],
    [apply(...chunks.flatMap((chunk): Action[] => [regLoad('flood_chunk', chunk), resubmit('PEER_CHUNK')]))],
  );
});

export const reachChunkFlows = rule('peers', 'reach_chunk', (chunk, look, emit) => {
  const peers = look.all(presencesOfChunk, chunk.uuid).flatMap((p) => look.get('peer', peerUuid(p.datapath_uuid)) ?? []);
  emit.owners(chunk.domain_uuid);
  const match = [
    regMatch('segment', chunk.segment_key),
    regMatch('destination_class', chunk.policy_class_key),
    regMatch('flood_chunk', chunk.chunk),
  ];
  if (peers.length === 0) {
    emit.flow('PEER_CHUNK', 100, match, drop('no_tunnel'));
    return;
  }
  const copies = peers.map(({ peer_key }): Action => ({ kind: 'clone', actions: [regLoad('peer', peer_key), resubmit('TUNNEL_OUT')] }));
  emit.flow('PEER_CHUNK', 100, match, [apply(...copies)]);
});
