/**
 * Whether a segment may cross to another hypervisor.
 *
 * Owns: what the overlay modes mean.
 * Promises: both ends come to the same answer: they see the same rows.
 */
import type { DatapathNetwork, DatapathSegment } from '../../model/entities/datapath.js';
import type { Network } from '../../model/entities/network.js';
import { networkRowsOf, segmentRowsOf } from '../indexes.js';
import type { Here, Lookup } from '../rule.js';

/**
 * In the explicit mode nothing crosses that is not named for both ends: the segment, or a network in it that the interface has an address in; each end
 * through an interface of its own with an address.
 *
 * @param datapathUuid The other hypervisor.
 * @param domainUuid The segment, or the network that is its own L2 domain.
 * @param networks The networks in it that the interface has addresses in.
 */
export function mayCross(here: Here, datapathUuid: string, domainUuid: string, networks: readonly Network[], look: Lookup): boolean {
  if (here.overlay_mode === 'auto') return true;
  const isNamed = (datapath: string): boolean =>
    look.all(segmentRowsOf, rowKey(datapath, domainUuid)).some(hasEndpoint) ||
    networks.some(({ uuid }) => look.all(networkRowsOf, rowKey(datapath, uuid)).some(hasEndpoint));
  return isNamed(here.datapath_uuid) && isNamed(datapathUuid);
}

/** Its host interface is on the datapath and has an address. */
function hasEndpoint({ endpoint_address }: DatapathNetwork | DatapathSegment): boolean {
  return endpoint_address !== null;
}

function rowKey(datapathUuid: string, uuid: string): string {
  return `${datapathUuid} ${uuid}`;
}
