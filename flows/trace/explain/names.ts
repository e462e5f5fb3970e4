/**
 * What registers and cookies of one datapath stand for.
 *
 * Owns: reading pipeline registers of a packet, and the entities behind the keys in them.
 */
import type { Interface } from '../../model/entities/interface.js';
import type { Network } from '../../model/entities/network.js';
import type { RouteLink } from '../../model/entities/routing.js';
import { entityOf, referrers, type ModelView } from '../../model/view.js';
import { cidrContains } from '../../net/cidr.js';
import type { Ip } from '../../net/ip.js';
import { subnets } from '../../model/subnets.js';
import type { GroupRule, RouterPort } from '../../pipeline/facts.js';
import { REGISTERS, type RegisterName } from '../../pipeline/registers.js';
import { index, type Lookup } from '../../pipeline/rule.js';
import { DROP_REASONS, TABLES, type DropReason } from '../../pipeline/tables.js';
import type { Microflow } from '../microflow.js';

export function register(packet: Microflow, name: RegisterName): number {
  const { field, offset, bits } = REGISTERS[name];
  return Number((BigInt(packet.get(field)) >> BigInt(offset)) & ((1n << BigInt(bits)) - 1n));
}

const TABLE_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(TABLES).map(([name, { id }]) => [id, name]));

export function tableName(id: number): string {
  return TABLE_NAMES.get(id) ?? String(id);
}

const REASONS: ReadonlyMap<number, DropReason> = new Map(
  (Object.keys(DROP_REASONS) as DropReason[]).map((reason) => [DROP_REASONS[reason].code, reason]),
);

/** Why a packet that is being dropped is dropped; undefined before anything has said so. */
export function dropReason(packet: Microflow): DropReason | undefined {
  return REASONS.get(register(packet, 'drop_reason'));
}

const interfacesByKey = index('interface', ({ port_key }) => [String(port_key)]);
const routersByKey = index('route_link', ({ router_key }) => [String(router_key)]);
const rulesByKey = index('group_rule', ({ rule }) => [String(rule.rule_key)]);
export const networksByKey = index('network', ({ segment_key }) => [String(segment_key)]);
const routerPortsByKey = index('router_port', ({ port_key }) => [String(port_key)]);

/** The names behind the keys in a packet's registers. */
export class Names {
  readonly look: Lookup;

  constructor(look: Lookup) {
    this.look = look;
  }

  interfaceIn(packet: Microflow, name: 'source_port' | 'destination_port' | 'arrival'): Interface | undefined {
    const key = register(packet, name);
    return key === 0 ? undefined : this.look.all(interfacesByKey, String(key))[0];
  }

  routerIn(packet: Microflow): RouteLink | undefined {
    const key = register(packet, 'router');
    return key === 0 ? undefined : this.look.all(routersByKey, String(key))[0];
  }

  /** The port by which the packet came to the router it is in. */
  arrivalIn(packet: Microflow): RouterPort | undefined {
    const key = register(packet, 'arrival');
    return key === 0 ? undefined : this.look.all(routerPortsByKey, String(key))[0];
  }

  /** Networks in the segment the packet is in. */
  networksIn(packet: Microflow): readonly Network[] {
    return this.look.all(networksByKey, String(register(packet, 'segment')));
  }

  ruleIn(packet: Microflow, name: 'egress_rule' | 'ingress_rule'): GroupRule | undefined {
    const key = register(packet, name);
    return key === 0 ? undefined : this.look.all(rulesByKey, String(key))[0];
  }
}

/** The address a router port speaks to a host from: the one in the host's own network if there is one, else the lowest. */
export function addressFacing(port: RouterPort | undefined, host: Ip, model: ModelView): Ip | undefined {
  const own = (port?.addresses ?? []).filter(({ ip }) => ip.family === host.family);
  const lowestFirst = [...own].sort((a, b) => (a.ip.value < b.ip.value ? -1 : 1));
  const isNear = ({ network_uuid }: { readonly network_uuid: string }) => {
    const network = entityOf(model, 'network', network_uuid);
    return network !== undefined && subnets(network).some(({ cidr }) => cidrContains(cidr, host));
  };
  return (lowestFirst.find(isNear) ?? lowestFirst[0])?.ip;
}

/** A router as users know it: by the router it was made from, else by its route link. */
export function routerName(link: RouteLink, model: ModelView): { readonly uuid: string; readonly name: string } {
  const router = link.router_uuid === null ? undefined : entityOf(model, 'router', link.router_uuid);
  const uuid = link.router_uuid ?? link.uuid;
  return { uuid, name: router !== undefined && router.display_name !== '' ? router.display_name : uuid };
}

export function interfaceName(iface: Pick<Interface, 'uuid' | 'display_name'>): string {
  return iface.display_name === '' ? iface.uuid : iface.display_name;
}

/** Addresses of an interface, for people. */
export function addressesOf(model: ModelView, uuid: string): string[] {
  return [...referrers(model, 'ip_lease', uuid)].map(({ ipv4_address, ipv6_address }) => (ipv4_address ?? ipv6_address)!).sort();
}
