/**
 * Whether, and by which addresses, an L2 domain crosses to another hypervisor.
 *
 * Owns: what the overlay modes mean.
 * Promises: both ends come to the same answer: they see the same rows.
 */
import type { DatapathNetwork, DatapathSegment } from '../../model/entities/datapath.js';
import type { Network, Segment } from '../../model/entities/network.js';
import { networkRowsOf, networksOfSegment, segmentRowsOf } from '../indexes.js';
import { rule, type Emit, type Here, type Lookup } from '../rule.js';

type Row = DatapathNetwork | DatapathSegment;

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
  return [domainUuid, ...networks.map(({ uuid }) => uuid)].some((uuid) => rowsFor(here, datapathUuid, uuid, look) !== undefined);
}

/** The rows of both ends for a network or segment; undefined unless both have an address. */
function rowsFor(here: Here, datapathUuid: string, uuid: string, look: Lookup): readonly [Row, Row] | undefined {
  const rowOf = (datapath: string): Row | undefined => {
    const key = `${datapath} ${uuid}`;
    return [...look.all(segmentRowsOf, key), ...look.all(networkRowsOf, key)].find((row) => row.endpoint_address !== null);
  };
  const [own, other] = [rowOf(here.datapath_uuid), rowOf(datapathUuid)];
  return own === undefined || other === undefined ? undefined : [own, other];
}

/** A domain has one way to a hypervisor: what is said of its segment, else of the first network in it that is named for both. */
function emitWay(row: Row, domain: Network | Segment, look: Lookup, emit: Emit): void {
  const here = look.get('here', 'here');
  const { datapath_uuid } = row;
  if (here?.overlay_mode !== 'explicit' || datapath_uuid === here.datapath_uuid) return;
  const domainUuid = domain.kind === 'network' ? (domain.segment_uuid ?? domain.uuid) : domain.uuid;
  const candidates = [domainUuid, ...look.all(networksOfSegment, domainUuid).map(({ uuid }) => uuid)];
  for (const uuid of candidates) {
    const rows = rowsFor(here, datapath_uuid, uuid, look);
    if (rows === undefined) continue;
    const [own, other] = rows;
    const { segment_key } = domain;
    emit.fact({
      kind: 'way',
      uuid: wayUuid(segment_key, datapath_uuid),
      segment_key,
      datapath_uuid,
      local: own.endpoint_address!,
      remote: other.endpoint_address!,
      same_underlay: own.endpoint_network_uuid === other.endpoint_network_uuid,
    });
    return;
  }
}

export const networkWayFacts = rule('network way', 'datapath_network', (row, look, emit) => {
  const network = look.get('network', row.network_uuid);
  if (network !== undefined) emitWay(row, network, look, emit);
});

export const segmentWayFacts = rule('segment way', 'datapath_segment', (row, look, emit) => {
  const segment = look.get('segment', row.segment_uuid);
  if (segment !== undefined) emitWay(row, segment, look, emit);
});

export const wayUuid = (segmentKey: number, datapathUuid: string) => `way-${segmentKey}-${datapathUuid}`;
