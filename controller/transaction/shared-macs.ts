/**
 * MACs that NICs of several L2 domains have.
 *
 * Owns: `mac_shared` of every mac_lease: true where another L2 domain has the same MAC. Routers do not count: their frames go by their segment.
 * Promises: after a transaction it is as if worked out anew; the cost follows what the transaction touched.
 */
import type { Draft } from '../../flows/model/draft.js';
import type { MacLease } from '../../flows/model/entities/interface.js';
import { macKey } from '../../flows/model/indexes.js';
import { entityOf, macDomain, referrers } from '../../flows/model/view.js';

export function markSharedMacs(draft: Draft): void {
  const macs = new Set<string>();
  for (const { before, after } of draft.touchedOf('mac_lease')) for (const lease of [before, after]) if (lease) macs.add(lease.mac_address);
  for (const { before, after } of draft.touchedOf('ip_lease'))
    for (const lease of [before, after]) if (lease) addLease(draft, lease.mac_lease_uuid, macs);
  for (const { uuid, before, after } of draft.touchedOf('interface'))
    if (before && after && before.mode !== after.mode) for (const lease of referrers(draft, 'mac_lease', uuid)) macs.add(lease.mac_address);
  for (const { uuid, before, after } of draft.touchedOf('network'))
    if (before && after && before.segment_uuid !== after.segment_uuid)
      for (const lease of referrers(draft, 'ip_lease', uuid)) addLease(draft, lease.mac_lease_uuid, macs);
  for (const mac of macs) markOne(draft, mac);
}

function addLease(draft: Draft, uuid: string | null, macs: Set<string>): void {
  const lease = entityOf(draft, 'mac_lease', uuid);
  if (lease !== undefined) macs.add(lease.mac_address);
}

function markOne(draft: Draft, mac: string): void {
  const leases: { readonly lease: MacLease; readonly domain: string | undefined }[] = [];
  const isCommon = draft.count(macKey(mac)) > 1;
  for (const uuid of draft.lookup(macKey(mac))) {
    const lease = entityOf(draft, 'mac_lease', uuid);
    if (lease === undefined) continue;
    const counts = isCommon && entityOf(draft, 'interface', lease.interface_uuid)?.mode !== 'simulated';
    leases.push({ lease, domain: counts ? macDomain(draft, lease) : undefined });
  }
  const domains = new Set(leases.flatMap(({ domain }) => domain ?? []));
  for (const { lease, domain } of leases) {
    const mac_shared = domain !== undefined && domains.size > 1;
    if (mac_shared !== lease.mac_shared) draft.put({ ...lease, mac_shared });
  }
}
