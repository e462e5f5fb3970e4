/**
 * Physical networks, and the ports of routers in them by which the outside is reached.
 *
 * Owns: by what name a physical network goes in `bridge_mappings`; which datapaths may be the gateway of a router's port, the preferred one first.
 */
import type { Interface } from './entities/interface.js';
import type { Network } from './entities/network.js';

/** undefined: it is not physical. */
export function physicalNameOf({ mode, physical_network, uuid }: Network): string | undefined {
  return mode === 'physical' ? (physical_network ?? uuid) : undefined;
}

/** The datapath that has it; undefined: none. */
export function gatewayOwnerOf(iface: Interface): string | undefined {
  const candidates = gatewaysOf(iface);
  const { gateway_owner_uuid: owner } = iface;
  return owner !== null && candidates.includes(owner) ? owner : candidates[0];
}

/** None: the outside is not served by it. */
export function gatewaysOf({ mode, enable_routing, owner_datapath_uuid, gateway_datapath_uuids }: Interface): readonly string[] {
  if (mode !== 'simulated' || !enable_routing) return [];
  if (gateway_datapath_uuids.length > 0) return gateway_datapath_uuids;
  return owner_datapath_uuid === null ? [] : [owner_datapath_uuid];
}
