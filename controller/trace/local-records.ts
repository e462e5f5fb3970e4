/**
 * What a vna knows by itself, as far as the model tells it.
 *
 * Owns: the local records of one datapath made from its slice: ports for the interfaces plugged there, tunnel ports for its encapsulations, ports to its physical
 * networks, neighbours of the gateways there.
 * Assumes: a vna has opened what it says it offers; who is to be a gateway is; next hops outside answer for their MACs, which are made up, for those who trace to
 * say so. Port numbers and conntrack zones are made up: they name the same things, and flows keep their cookies.
 */
import type { Gateway, LocalRecord, Neighbor, PhysicalPort } from '../../flows/compile/contract.js';
import type { Binding } from '../../flows/model/binding.js';
import { encapsulation, type Chassis, type Encapsulation } from '../../flows/model/entities/presence.js';
import { formatIp, type Ip } from '../../flows/net/ip.js';
import { ANY, holdUuid, neighborUuid, physicalPortUuid } from '../../flows/pipeline/outside.js';
import { directMtu } from '../../flows/pipeline/pairing.js';
import { shortHash } from '../../flows/pipeline/short-hash.js';

/** Numbers of ports that are no VM's, above all others. */
const FIRST_TUNNEL = 60_001;
const UNDERLAY = 60_000;

export const tunnelPort = (encap: Encapsulation): number => FIRST_TUNNEL + encapsulation.options.indexOf(encap);
export const underlayPort = UNDERLAY;

/** @param own the chassis of the datapath; undefined for one that no vna ever presented @param peers the others in its slice */
export function ownRecords(datapath_uuid: string, own: Chassis | undefined, peers: Iterable<Chassis>): LocalRecord[] {
  const { endpoints, encaps, underlay } = own ?? { endpoints: [], encaps: [], underlay: null };
  const side = { datapath_uuid, endpoints, encaps, underlay };
  const settled_peers = [...peers].filter((peer) => directMtu(side, peer) !== undefined).map((peer) => peer.datapath_uuid);
  const here: LocalRecord = {
    kind: 'here',
    uuid: 'here',
    ...side,
    overlay_mode: underlay === null ? 'auto' : 'explicit',
    settled_peers: settled_peers.sort(),
  };
  const tunnels = encaps.map((encap): LocalRecord => ({ kind: 'tunnel_port', uuid: `tunnel-${encap}`, encap, ofport: tunnelPort(encap) }));
  const isOnL2 = own !== undefined && l2Of(own) !== undefined;
  return [here, ...tunnels, ...(isOnL2 ? [{ kind: 'underlay_port', uuid: 'underlay', ofport: UNDERLAY } as const] : [])];
}

/** The physical L2 that frames may leave to without a tunnel. */
export function l2Of({ endpoints, underlay }: Chassis): string | undefined {
  return [...endpoints, ...(underlay === null ? [] : [underlay])].find(({ mac }) => mac !== null)?.underlay;
}

/** Zones above those of ports. */
const FIRST_NAT_ZONE = 61_000;

/** The pair of a router that translates. @param index which of them it is */
export function natZones(routeLink: string, index: number): LocalRecord {
  const source_zone = FIRST_NAT_ZONE + 2 * (index % 2_000);
  return { kind: 'nat_zones', uuid: `nz-${routeLink}`, source_zone, target_zone: source_zone + 1 };
}

export function localPort({ interface_uuid }: Binding, number: number): LocalRecord {
  return { kind: 'local_port', uuid: `port-${interface_uuid}`, interface_uuid, ofport: number, ct_zone: number };
}

/** Numbers of ports to physical networks, below all others that are no VM's. */
const FIRST_PHYSICAL = 59_000;

/** @param index which of those of the datapath it is */
export function physicalPort(physical_network: string, index: number): PhysicalPort {
  return { kind: 'physical_port', uuid: physicalPortUuid(physical_network), physical_network, ofport: FIRST_PHYSICAL + index };
}

/** Whoever is named as the gateway acts as it. */
export const gatewayHold: LocalRecord = { kind: 'gateway_hold', uuid: holdUuid(ANY), interface_uuid: ANY };

/** A next hop outside, next to a gateway that is here. */
export function neighborOf({ mac_lease_uuid }: Gateway, ip: Ip): Neighbor {
  const address = formatIp(ip);
  return { kind: 'neighbor', uuid: neighborUuid(mac_lease_uuid, address), mac_lease_uuid, address, mac: NEIGHBORS + shortHash(address) };
}

/** Locally administered. */
const NEIGHBORS = 0x0e4a * 2 ** 32;
