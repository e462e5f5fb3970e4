/**
 * The addresses by which datapaths reach one another, per network, segment and route link.
 *
 * Owns: endpoint_address and endpoint_network_uuid of datapath_networks, datapath_segments and datapath_route_links.
 * Promises: they are a function of the model: the lease that is named, else the first of the interface, while that is on the datapath.
 */
import type { Draft } from '../../flows/model/draft.js';
import type { DatapathLink } from '../../flows/model/entities/datapath.js';
import type { IpLease } from '../../flows/model/entities/interface.js';
import { belongsTo } from '../../flows/model/places.js';
import { entityOf, ipLeasesOf, LINK_KINDS, macLeasesOf, referrers, type ModelView } from '../../flows/model/view.js';

export function assignEndpoints(draft: Draft): void {
  const interfaces = new Set<string>();
  const links = new Map<string, DatapathLink>();
  for (const kind of LINK_KINDS) for (const { uuid, after } of draft.touchedOf(kind)) if (after) links.set(uuid, after);
  for (const { uuid } of draft.touchedOf('interface')) interfaces.add(uuid);
  for (const kind of ['interface_port', 'mac_lease', 'ip_lease'] as const)
    for (const { before, after } of draft.touchedOf(kind))
      for (const entity of [before, after]) if (entity?.interface_uuid) interfaces.add(entity.interface_uuid);
  for (const iface of interfaces)
    for (const kind of LINK_KINDS) for (const link of referrers(draft, kind, iface)) links.set(link.uuid, link);
  for (const link of links.values()) {
    const lease = endpointOf(draft, link);
    if (lease === 'misfit') continue;
    const endpoint_address = lease?.ipv4_address ?? lease?.ipv6_address ?? null;
    const endpoint_network_uuid = lease?.network_uuid ?? null;
    if (endpoint_address !== link.endpoint_address || endpoint_network_uuid !== link.endpoint_network_uuid)
      draft.put({ ...link, endpoint_address, endpoint_network_uuid });
  }
}

/** `misfit`: the lease that is named is not the interface's, which the invariants refuse. */
function endpointOf(view: ModelView, { datapath_uuid, interface_uuid, ip_lease_uuid }: DatapathLink): IpLease | undefined | 'misfit' {
  const named = entityOf(view, 'ip_lease', ip_lease_uuid);
  if (ip_lease_uuid !== null && named?.interface_uuid !== interface_uuid) return 'misfit';
  const iface = entityOf(view, 'interface', interface_uuid);
  if (iface === undefined || !belongsTo(view, iface, datapath_uuid)) return undefined;
  if (named !== undefined) return named;
  return macLeasesOf(view, interface_uuid).flatMap((lease) => ipLeasesOf(view, lease.uuid))[0];
}
