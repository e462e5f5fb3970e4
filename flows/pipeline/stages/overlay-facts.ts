/**
 * Facts about what is plugged on other hypervisors.
 *
 * Owns: the NICs of peers, which peers have a part in which routing domain and ports in which segment, what stands for a peer in a register.
 * Assumes: the slice has the bindings and the chassis of every hypervisor that shares a routing domain with this one.
 * Promises: without knowing which hypervisor this is, nothing is anywhere else. In the explicit mode a segment crosses only where `mayCross` says so.
 */
import { pairOf, type Tunnel } from '../../model/entities/tunnel.js';
import { chassisWithHash, chunkOfPeer, floodClasses, peerHash, reachChunkUuid, reachUuid, tunnelsOfPair } from '../indexes.js';
import { directMtu } from '../pairing.js';
import { rule, type Here, type Lookup, type Rule } from '../rule.js';
import { attachments, speaksIpv6 } from './attachments.js';
import { linkWayFacts, mayCross, networkWayFacts, segmentWayFacts } from './crossing.js';

export const remoteNicFacts = rule('remote nic', 'binding', (binding, look, emit) => {
  const here = look.get('here', 'here');
  const { datapath_uuid } = binding;
  if (here === undefined || datapath_uuid === here.datapath_uuid) return;
  const iface = look.get('interface', binding.interface_uuid);
  if (iface === undefined) return;
  for (const [macLease, attached] of attachments(iface, look)) {
    const { mac, segment_key, vrf_key, domain_uuid, networks } = attached;
    if (!mayCross(here, datapath_uuid, domain_uuid, networks, look)) continue;
    const addresses = attached.addresses.map(({ ip, network_uuid, ip_lease_uuid }) => ({ ip, network_uuid, ip_lease_uuid }));
    emit.fact({
      kind: 'remote_nic',
      uuid: `rn-${macLease.uuid}`,
      interface_uuid: iface.uuid,
      mac_lease_uuid: macLease.uuid,
      datapath_uuid,
      port_key: iface.port_key,
      policy_class_key: iface.policy_class_key,
      mac,
      mac_shared: macLease.mac_shared,
      segment_key,
      vrf_key,
      domain_uuid,
      addresses,
      ipv6: speaksIpv6(addresses, networks),
    });
    if (macLease.mac_shared) emit.fact({ kind: 'shared_macs', uuid: `shared-${segment_key}`, segment_key });
    emit.fact({ kind: 'peer_domain', uuid: `pd-${vrf_key}-${datapath_uuid}`, vrf_key, datapath_uuid });
    const chunk = chunkOfPeer(datapath_uuid);
    for (const policy_class_key of floodClasses({ policy_class_key: 0, filtered: false, addresses })) {
      const part = { segment_key, policy_class_key };
      emit.fact({ kind: 'presence', uuid: `pr-${segment_key}-${policy_class_key}-${datapath_uuid}`, ...part, domain_uuid, datapath_uuid });
      emit.fact({ kind: 'reach', uuid: reachUuid(segment_key, policy_class_key), ...part, domain_uuid });
      emit.fact({ kind: 'reach_chunk', uuid: reachChunkUuid(segment_key, policy_class_key, chunk), ...part, domain_uuid, chunk });
    }
  }
});

/** Datapaths that share a hash are told apart by their rank, so that no two peers have one key. */
export const peerFacts = rule('peer', 'chassis', ({ datapath_uuid }, look, emit) => {
  const here = look.get('here', 'here');
  if (here === undefined || datapath_uuid === here.datapath_uuid) return;
  const hash = peerHash(datapath_uuid);
  const rank = look.all(chassisWithHash, String(hash)).findIndex((other) => other.datapath_uuid === datapath_uuid);
  emit.fact({ kind: 'peer', uuid: peerUuid(datapath_uuid), datapath_uuid, peer_key: hash * 16 + rank });
});

/** Both can send and receive on one physical L2. Frames are taken in whatever is said of the pair: the other end may not have heard of it yet. */
export const directPeerFacts = rule('direct peer', 'chassis', (chassis, look, emit) => {
  const here = look.get('here', 'here');
  const { datapath_uuid } = chassis;
  if (here === undefined || datapath_uuid === here.datapath_uuid) return;
  const now = look.get('underlay_port', 'underlay') === undefined ? undefined : directMtu(here, chassis);
  const mtu = now ?? (here.accepts && directMtu(here.accepts, chassis));
  if (mtu === undefined) return;
  const settled = now !== undefined && here.settled_peers.includes(datapath_uuid) && tunnelTo(here, datapath_uuid, look)?.mac2mac !== false;
  emit.fact({ kind: 'direct_peer', uuid: directUuid(datapath_uuid), datapath_uuid, mtu, settled });
});

/** What is said of the pair of here and there. */
export function tunnelTo(here: Here, datapathUuid: string, look: Lookup): Tunnel | undefined {
  return look.all(tunnelsOfPair, pairOf(here.datapath_uuid, datapathUuid))[0];
}

export const directUuid = (datapathUuid: string) => `direct-${datapathUuid}`;

export const peerUuid = (datapathUuid: string) => `peer-${datapathUuid}`;

export const OVERLAY_FACT_RULES: readonly Rule[] = [
  remoteNicFacts,
  peerFacts,
  directPeerFacts,
  networkWayFacts,
  segmentWayFacts,
  linkWayFacts,
] as unknown as readonly Rule[];
