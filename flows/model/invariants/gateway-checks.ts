/**
 * Physical networks and gateways: one physical network is one L2 domain; only a router's port with an address there is a gateway.
 */
import type { Interface } from '../entities/interface.js';
import type { Network } from '../entities/network.js';
import { physicalNameOf } from '../gateways.js';
import { physicalKey } from '../indexes.js';
import { entityOf, referrers, type ModelView } from '../view.js';
import type { Complain } from './check.js';

export function checkPhysicalNetwork(view: ModelView, network: Network, complain: Complain): void {
  if (network.mode !== 'physical') {
    if (network.physical_network !== null) complain('physical_network', `only with mode physical; it is ${network.mode}`);
    return;
  }
  const name = physicalNameOf(network)!;
  for (const uuid of view.lookup(physicalKey(name))) {
    const other = entityOf(view, 'network', uuid);
    if (other === undefined || uuid === network.uuid || (other.segment_uuid !== null && other.segment_uuid === network.segment_uuid))
      continue;
    complain('physical_network', `${name} is the L2 of ${uuid}; networks of one L2 are in one segment`, 'conflict');
    return;
  }
}

export function checkGateway(view: ModelView, iface: Interface, complain: Complain): void {
  if (iface.gateway_datapath_uuids.length === 0) return;
  if (iface.mode !== 'simulated' || !iface.enable_routing) {
    complain('gateway_datapath_uuids', 'only a router port (mode simulated, enable_routing) is a gateway');
    return;
  }
  for (const lease of referrers(view, 'ip_lease', iface.uuid))
    if (entityOf(view, 'network', lease.network_uuid)?.mode === 'physical') return;
  complain('gateway_datapath_uuids', `${iface.uuid} has no address in a physical network`);
}
