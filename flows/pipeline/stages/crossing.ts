/**
 * Whether a segment may cross to another hypervisor.
 *
 * Owns: what the overlay modes mean.
 * Promises: both ends come to the same answer: they see the same rows.
 */
import type { Network } from '../../model/entities.js';
import { networkRowsOf, segmentRowsOf } from '../indexes.js';
import type { Here, Lookup } from '../rule.js';

/**
 * In the explicit mode nothing crosses that is not named for both ends: the segment, or a network in it that the interface has an address in.
 *
 * @param datapathUuid The other hypervisor.
 * @param domainUuid The segment, or the network that is its own L2 domain.
 * @param networks The networks in it that the interface has addresses in.
 */
export function mayCross(here: Here, datapathUuid: string, domainUuid: string, networks: readonly Network[], look: Lookup): boolean {
  if (here.overlay_mode === 'auto') return true;
  const isNamed = (datapath: string): boolean =>
    look.all(segmentRowsOf, rowKey(datapath, domainUuid)).length > 0 ||
    networks.some(({ uuid }) => look.all(networkRowsOf, rowKey(datapath, uuid)).length > 0);
  return isNamed(here.datapath_uuid) && isNamed(datapathUuid);
}

function rowKey(datapathUuid: string, uuid: string): string {
  return `${datapathUuid} ${uuid}`;
}
