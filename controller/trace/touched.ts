/**
 * Whose reachability a change may alter.
 *
 * Owns: from entities that differ to interfaces that may send or receive otherwise, to routing domains where anybody may, and to addresses that stand for others.
 * Promises: a pair of interfaces neither of which is named, and that share no domain that is named, reach one another as before.
 */
import type { Entity } from '../../flows/model/entities.js';
import { kindIndex } from '../../flows/model/indexes.js';
import { isKey, isStamp, sameValue } from '../../flows/model/same.js';
import { entityOf, referrers } from '../../flows/model/view.js';
import { vrfOfScope } from '../slices/scopes.js';
import type { EntityChange } from '../transaction/transaction.js';
import type { Twin } from './twin.js';

export interface Touched {
  readonly interfaces: Set<string>;
  /** vrf_key of routing domains. */
  readonly domains: Set<number>;
  /** Of floating IPs and translations, with the domain they are in. */
  readonly addresses: Map<string, number>;
}

export const nothingTouched = (): Touched => ({ interfaces: new Set(), domains: new Set(), addresses: new Map() });

/** Adds what the entities mean in the model as it is: to be asked before the change of what was, and after it of what is. */
export function addTouched(touched: Touched, twin: Twin, changes: readonly EntityChange[], side: 'before' | 'after'): void {
  for (const change of changes) {
    const entity = change[side];
    if (entity !== undefined && !isCosmetic(change)) addOne(touched, twin, entity);
  }
}

function isCosmetic({ before, after }: EntityChange): boolean {
  const isIgnored = (field: string) => isStamp(field) || field === 'display_name' || (isKey(field) && field !== 'vrf_key');
  return before !== undefined && after !== undefined && sameValue(before, after, isIgnored);
}

function addOne(touched: Touched, twin: Twin, entity: Entity): void {
  const { model } = twin;
  switch (entity.kind) {
    case 'interface':
      addInterface(touched, twin, entity.uuid);
      return;
    case 'mac_lease':
    case 'filter':
    case 'interface_port':
      addInterface(touched, twin, entity.interface_uuid);
      return;
    case 'ip_lease':
      if (entity.interface_uuid === null) addDomains(touched, twin, entity.uuid);
      else addInterface(touched, twin, entity.interface_uuid);
      return;
    case 'vif':
      if (entity.iface_id !== null) addInterface(touched, twin, entity.iface_id);
      return;
    case 'security_group':
      addMembers(touched, twin, entity.uuid);
      return;
    case 'address_set':
      for (const group of referrers(model, 'security_group', entity.uuid)) addMembers(touched, twin, group.uuid);
      return;
    case 'floating_ip': {
      const lease = entityOf(model, 'ip_lease', entity.ip_lease_uuid);
      if (lease?.interface_uuid != null) addInterface(touched, twin, lease.interface_uuid);
      addAddresses(touched, twin, entity.network_uuid, [entity.ip_address]);
      return;
    }
    case 'translation': {
      addDomains(touched, twin, entity.interface_uuid);
      for (const lease of referrers(model, 'ip_lease', entity.interface_uuid))
        addAddresses(
          touched,
          twin,
          lease.network_uuid,
          entity.static_addresses.map((row) => row.ingress_ipv4_address),
        );
      return;
    }
    case 'datapath':
    case 'chassis':
    case 'tunnel':
    case 'datapath_network':
    case 'datapath_segment':
    case 'datapath_route_link':
      addPlugged(touched, twin, entity.kind === 'datapath' ? entity.uuid : entity.datapath_uuid);
      return;
    // What a router is made of are entities of their own.
    case 'router':
    case 'policy_class':
    case 'network_service':
      return;
    default:
      addDomains(touched, twin, entity.uuid);
  }
}

function addInterface(touched: Touched, twin: Twin, uuid: string): void {
  const iface = entityOf(twin.model, 'interface', uuid);
  if (iface?.mode === 'simulated') addDomains(touched, twin, uuid);
  else if (iface !== undefined) touched.interfaces.add(uuid);
}

function addMembers(touched: Touched, twin: Twin, group: string): void {
  for (const { uuid } of referrers(twin.model, 'interface', group)) addInterface(touched, twin, uuid);
}

function addPlugged(touched: Touched, twin: Twin, datapath: string): void {
  for (const uuid of twin.model.from(kindIndex('interface'), ''))
    if (twin.placeOf(uuid)?.datapath_uuid === datapath) touched.interfaces.add(uuid);
}

function addDomains(touched: Touched, twin: Twin, uuid: string): void {
  for (const scope of twin.scopesOf(uuid)) {
    const vrf = vrfOfScope(scope);
    if (vrf !== undefined) touched.domains.add(vrf);
  }
}

function addAddresses(touched: Touched, { model }: Twin, network: string, addresses: readonly string[]): void {
  const vrf = entityOf(model, 'network', network)?.vrf_key;
  if (vrf !== undefined) for (const address of addresses) touched.addresses.set(address, vrf);
}
