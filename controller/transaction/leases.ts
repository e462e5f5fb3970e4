/**
 * Which MAC an address goes to.
 */
import type { MacLease } from '../../flows/model/entities/interface.js';
import { entityOf, macDomain, macLeasesOf, networkDomain } from '../../flows/model/view.js';
import type { Workspace } from './workspace.js';

/**
 * The mac_lease named, or the first of the interface that can be in the network; undefined when neither is named. Notes what is wrong and
 * answers `refused` when there is none.
 */
export function macLeaseFor(
  work: Workspace,
  interfaceUuid: string | null,
  macLeaseUuid: string | null,
  networkUuid: string,
): MacLease | undefined | 'refused' {
  const { draft } = work;
  if (macLeaseUuid !== null) {
    const named = entityOf(draft, 'mac_lease', macLeaseUuid);
    if (named === undefined) return missing('mac_lease_uuid', 'mac_lease', macLeaseUuid);
    if (interfaceUuid !== null && named.interface_uuid !== interfaceUuid)
      return refuse('mac_lease_uuid', `${macLeaseUuid} belongs to ${named.interface_uuid}, not to ${interfaceUuid}`);
    return named;
  }
  if (interfaceUuid === null) return undefined;
  if (entityOf(draft, 'interface', interfaceUuid) === undefined) return missing('interface_uuid', 'interface', interfaceUuid);
  const leases = macLeasesOf(draft, interfaceUuid);
  const network = entityOf(draft, 'network', networkUuid);
  const fits = (lease: MacLease) => {
    const domain = macDomain(draft, lease);
    return network !== undefined && (domain === undefined ? network.segment_uuid === null : domain === networkDomain(network));
  };
  return leases.find(fits) ?? leases[0] ?? refuse('interface_uuid', `${interfaceUuid} has no mac_lease to put the address on`);

  function missing(field: string, kind: string, uuid: string): 'refused' {
    return work.isStillborn(uuid) ? 'refused' : refuse(field, `there is no ${kind} ${uuid}`);
  }

  function refuse(field: string, detail: string): 'refused' {
    work.refuse('invalid_reference', [field], detail);
    return 'refused';
  }
}
