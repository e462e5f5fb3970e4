/**
 * Whether, and by which addresses, an L2 domain crosses to another hypervisor.
 *
 * Owns: what the overlay modes mean.
 * Promises: both ends come to the same answer: they see the same rows.
 */
import type { DatapathLink } from '../../model/entities/datapath.js';
import type { Network, Segment } from '../../model/entities/network.js';
import { physicalNameOf } from '../../model/gateways.js';
import { linkRowsOf, networkRowsOf, networksOfSegment, routesOfRouteLink, routesThroughNetwork, segmentRowsOf } from '../indexes.js';
import { rule, type Emit, type Here, type Lookup } from '../rule.js';

type Row = DatapathLink;

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

/** The rows of both ends for a network, segment or route link; undefined unless both have an address. */
function rowsFor(here: Here, datapathUuid: string, uuid: string, look: Lookup): readonly [Row, Row] | undefined {
  const rowOf = (datapath: string): Row | undefined => {
    const key = `${datapath} ${uuid}`;
    return [...look.all(segmentRowsOf, key), ...look.all(networkRowsOf, key), ...look.all(linkRowsOf, key)].find(
      (row) => row.endpoint_address !== null,
    );
  };
  const [own, other] = [rowOf(here.datapath_uuid), rowOf(datapathUuid)];
  return own === undefined || other === undefined ? undefined : [own, other];
}

/**
 * A domain has one way to a hypervisor: what is said of its segment, else of the first network in it that is named for both. What is on its way through a
 * router to the outside crosses in the physical network; unless that is named, the rows of the router decide.
 */
function emitWay(row: Row, domain: Network | Segment, look: Lookup, emit: Emit): void {
  const here = look.get('here', 'here');
  const { datapath_uuid } = row;
  if (here?.overlay_mode !== 'explicit' || datapath_uuid === here.datapath_uuid) return;
  const domainUuid = domain.kind === 'network' ? (domain.segment_uuid ?? domain.uuid) : domain.uuid;
  const networks = domain.uuid === domainUuid && domain.kind === 'network' ? [domain] : look.all(networksOfSegment, domainUuid);
  const links = networks
    .filter((network) => physicalNameOf(network) !== undefined)
    .flatMap(({ uuid }) => look.all(routesThroughNetwork, uuid));
  const candidates = [domainUuid, ...networks.map(({ uuid }) => uuid), ...links.map(({ route_link_uuid }) => route_link_uuid)];
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

export const linkWayFacts = rule('route link way', 'datapath_route_link', (row, look, emit) => {
  const through = look.all(routesOfRouteLink, row.route_link_uuid).flatMap(({ network_uuid }) => network_uuid ?? []);
  for (const uuid of new Set(through)) {
    const network = look.get('network', uuid);
    if (network !== undefined && physicalNameOf(network) !== undefined) emitWay(row, network, look, emit);
  }
});

export const wayUuid = (segmentKey: number, datapathUuid: string) => `way-${segmentKey}-${datapathUuid}`;
