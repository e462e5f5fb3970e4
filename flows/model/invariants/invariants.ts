/**
 * What must hold between entities.
 *
 * Owns: the checks of a change, each confined to the changed entity and those next to it.
 * Assumes: every entity passed its own schema; what was there before was consistent.
 * Promises: a transaction whose changes all pass leaves a model in which every rule holds. Everything wrong is reported, not only the first.
 */
import type { Entity } from '../entities.js';
import type { DatapathLink } from '../entities/datapath.js';
import { dpidKey } from '../indexes.js';
import { referencesFrom, referencesTo } from '../references.js';
import { referrers } from '../view.js';
import { complainAbout, few, type Change, type Check } from './check.js';
import { checkDatapathLink, checkTunnel } from './datapath-link-checks.js';
import { checkInterface, checkInterfacePort, checkNetworkService } from './interface-checks.js';
import { checkIpLease, checkMacLease } from './lease-checks.js';
import { checkNetwork } from './network-checks.js';
import { checkFilter } from './filter-checks.js';
import { checkFloatingIp, checkNatRule, checkPartedFloatingIps, checkTranslation } from './nat-checks.js';
import { checkNamedTable, checkPolicyRoute, checkRoute, checkRouteLink } from './routing-checks.js';
import { checkSecurityGroup } from './security-group-checks.js';

/** Checks one changed entity and its neighbourhood. */
export function checkChange(check: Check, before: Entity | undefined, after: Entity | undefined): void {
  const entity = after ?? before;
  if (entity === undefined) return;
  if (after) checkReferences(check, after);
  else checkGone(check, entity);
  const change: Change = { before, after };
  switch (entity.kind) {
    case 'datapath':
      return checkDatapath(check, change as Change<'datapath'>);
    case 'network':
      checkNetwork(check, change as Change<'network'>);
      checkPartedFloatingIps(check, change as Change<'network'>);
      return checkNamedTable(check, change as Change<'network'>);
    case 'interface':
      return checkInterface(check, change as Change<'interface'>);
    case 'mac_lease':
      return checkMacLease(check, change as Change<'mac_lease'>);
    case 'ip_lease':
      return checkIpLease(check, change as Change<'ip_lease'>);
    case 'route':
      return checkRoute(check, change as Change<'route'>);
    case 'route_link':
      return checkRouteLink(check, change as Change<'route_link'>);
    case 'policy_route':
      return checkPolicyRoute(check, change as Change<'policy_route'>);
    case 'security_group':
      return checkSecurityGroup(check, change as Change<'security_group'>);
    case 'network_service':
      return checkNetworkService(check, change as Change<'network_service'>);
    case 'interface_port':
      return checkInterfacePort(check, change as Change<'interface_port'>);
    case 'datapath_network':
    case 'datapath_segment':
    case 'datapath_route_link':
      return checkDatapathLink(check, change as Change<DatapathLink['kind']>);
    case 'tunnel':
      return checkTunnel(check, change as Change<'tunnel'>);
    case 'filter':
      return checkFilter(check, change as Change<'filter'>);
    case 'floating_ip':
      return checkFloatingIp(check, change as Change<'floating_ip'>);
    case 'nat_rule':
      return checkNatRule(check, change as Change<'nat_rule'>);
    case 'translation':
      return checkTranslation(check, change as Change<'translation'>);
    case 'address_set':
    case 'segment':
    case 'router':
    case 'policy_class':
    case 'vif':
    case 'chassis':
      return;
  }
}

function checkDatapath(check: Check, { after }: Change<'datapath'>): void {
  if (after === undefined) return;
  for (const uuid of check.view.lookup(dpidKey(after.dpid)))
    if (uuid !== after.uuid) complainAbout(check, after)('dpid', `${after.dpid} is ${uuid}`, 'conflict');
}

function checkReferences(check: Check, entity: Entity): void {
  for (const reference of referencesFrom(entity.kind))
    for (const target of reference.targets(entity))
      if (check.view.get(target) === undefined)
        check.report({
          code: 'invalid_reference',
          uuid: entity.uuid,
          path: pathOf(entity, reference.field, target),
          detail: `there is no ${reference.to} ${target}`,
          target,
        });
}

/** Where in the entity the reference stands. */
function pathOf(entity: Entity, field: string, target: string): readonly (string | number)[] {
  if (entity.kind === 'security_group') {
    const name = target.startsWith('as-') ? 'address_set_uuid' : 'security_group_uuid';
    const rule = entity.rules.findIndex(({ remote }) => (remote as Record<string, unknown>)[name] === target);
    return ['rules', rule, 'remote', name];
  }
  if (entity.kind === 'router' && field === 'nat')
    return [field, entity.nat.findIndex((one) => one.datapath_uuid === target), 'datapath_uuid'];
  if (entity.kind === 'router') {
    const isNetwork = target.startsWith('nw-');
    const at = entity.networks.findIndex((one) => (isNetwork ? one.network_uuid === target : one.gateway_datapath_uuids.includes(target)));
    return ['networks', at, isNetwork ? 'network_uuid' : 'gateway_datapath_uuids'];
  }
  if (entity.kind === 'translation' && field === 'static_addresses')
    return [field, entity.static_addresses.findIndex((row) => row.route_link_uuid === target), 'route_link_uuid'];
  return field.endsWith('_uuids') ? [field, target] : [field];
}

function checkGone(check: Check, gone: Entity): void {
  for (const from of new Set(referencesTo(gone.kind).map((reference) => reference.from))) {
    const left = [...referrers(check.view, from, gone.uuid)].map(({ uuid }) => uuid);
    if (left.length > 0) complainAbout(check, gone)('', `still referred to by ${few(left.sort(), 50)}`, 'still_referenced');
  }
}
