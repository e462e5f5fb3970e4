/**
 * Hypervisors on one physical L2: frames without a tunnel.
 *
 * Owns: entry from the underlay's bridge, and the way out through it.
 * Assumes: the MAC of a NIC says which segment it is in where no other segment has it.
 * Promises: unicast between NICs of a segment all of whose MACs are its own goes as it is; whatever else (broadcasts, routed packets, other segments) goes through
 * the tunnel. A frame is taken in by the MAC of its sender, on its own account, unless NICs of several segments that there are here could have sent it: when a
 * segment stops or starts going this way nobody has to switch at the same moment.
 */
import { apply, drop, goto, is, isMulticastFrame, resubmit } from '../build.js';
import { UNKNOWN_HOLDERS, type RemoteNic } from '../facts.js';
import { floodSetsOfSegment, remoteNicsOfSharedMac } from '../indexes.js';
import { enterSegment, regField, regLoad, regMatch } from '../registers.js';
import { rule, type Lookup } from '../rule.js';
import { wayUuid } from './crossing.js';
import { learningSegment } from './attachments.js';
import { directUuid, peerUuid } from './overlay-facts.js';

const ETHERNET = 14;

export const directFixedFlows = rule('direct', 'pipeline', (_root, _look, emit) => {
  emit.flow('DIRECT_IN', 200, [isMulticastFrame], drop('not_ours'));
  emit.flow('DIRECT_IN', 0, [], drop('not_ours'));
});

export const underlayPortFlows = rule('underlay port', 'underlay_port', (port, _look, emit) => {
  emit.flow('CLASSIFY', 200, [is('in_port', port.ofport), is('vlan_vid', 0)], [goto('DIRECT_IN')]);
});

export const directInFlows = rule('direct in', 'remote_nic', (nic, look, emit) => {
  const peer = look.get('peer', peerUuid(nic.datapath_uuid));
  if (isAmbiguous(nic, look) || peer === undefined || look.get('direct_peer', directUuid(nic.datapath_uuid)) === undefined) return;
  if (look.all(floodSetsOfSegment, String(nic.segment_key)).length === 0) return;
  const arrived = [regLoad('peer', peer.peer_key), regLoad('from_tunnel', 1), regLoad('source_port', nic.port_key)];
  emit.owners(nic.interface_uuid, nic.mac_lease_uuid);
  emit.flow(
    'DIRECT_IN',
    100,
    [is('eth_src', nic.mac)],
    [apply(...arrived, enterSegment(nic.segment_key, nic.vrf_key), resubmit('L2_LOOKUP'))],
  );
});

/**
 * Whether frames with this MAC could be of another segment that this hypervisor has a part in. A segment whose MAC turns up elsewhere goes through the tunnel, but
 * its hypervisors hear of that at different moments: until then its frames come as before.
 */
function isAmbiguous({ mac, mac_shared, segment_key }: RemoteNic, look: Lookup): boolean {
  return mac_shared && look.all(remoteNicsOfSharedMac, String(mac)).some((other) => other.segment_key !== segment_key);
}

export const directOutFlows = rule('direct out', 'presence', (presence, look, emit) => {
  const { segment_key, policy_class_key, datapath_uuid, domain_uuid } = presence;
  // Of a MAC that is yet to be learnt nobody knows what segment it is in.
  if (policy_class_key === UNKNOWN_HOLDERS || learningSegment(domain_uuid, look) !== undefined) return;
  const peer = look.get('peer', peerUuid(datapath_uuid));
  const direct = look.get('direct_peer', directUuid(datapath_uuid));
  const port = look.get('underlay_port', 'underlay');
  if (peer === undefined || direct?.settled !== true || port === undefined) return;
  if (look.get('shared_macs', `shared-${segment_key}`) !== undefined) return;
  if (look.get('here', 'here')?.overlay_mode === 'explicit' && look.get('way', wayUuid(segment_key, datapath_uuid))?.same_underlay !== true)
    return;
  // What a router sends has the router's MAC, which is on every hypervisor.
  const match = [regMatch('peer', peer.peer_key), regMatch('segment', segment_key), regMatch('router', 0), regMatch('multicast', 0)];
  const fits = apply(regLoad('overlay_mtu', direct.mtu), {
    kind: 'check_pkt_larger',
    length: direct.mtu + ETHERNET,
    dst: regField('too_big'),
  });
  emit.owners(datapath_uuid);
  emit.flow('OUT_REMOTE', 110, match, [fits, goto('TUNNEL_OUT')]);
  emit.flow('TUNNEL_OUT', 120, match, [apply({ kind: 'output', port: port.ofport })]);
});
