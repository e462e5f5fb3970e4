/**
 * Interfaces and what hangs on them.
 */
import type { Interface } from '../entities/interface.js';
import type { NetworkService } from '../entities/network.js';
import { portNameKey } from '../indexes.js';
import { ownPlace, placeOf, placesOf, type Place } from '../places.js';
import { entityOf, referrers } from '../view.js';
import { complainAbout, type Change, type Check, type Complain } from './check.js';
import { checkGateway } from './gateway-checks.js';
import { checkTranslationsAt } from './nat-checks.js';
import { checkRoutesThrough } from './routing-checks.js';

export function checkInterface(check: Check, { before, after }: Change<'interface'>): void {
  if (after === undefined) return;
  const complain = complainAbout(check, after);
  if (after.security_group_uuids.length > 0 && after.mode === 'simulated')
    complain('security_group_uuids', 'a simulated interface is not a VM and cannot be a member of groups');
  checkGateway(check.view, after, complain);
  const place = ownPlace(after);
  if (place) checkPlace(check, place, complain);
  if (before === undefined || (before.mode === after.mode && before.enable_routing === after.enable_routing)) return;
  checkRoutesThrough(check, after.uuid, complain);
  checkTranslationsAt(check, after, complain);
  for (const service of referrers(check.view, 'network_service', after.uuid))
    if (!check.touched(service.uuid) && serviceProblem(service, after)) complain('mode', `${service.uuid} needs a simulated interface`);
}

export function checkInterfacePort(check: Check, { after }: Change<'interface_port'>): void {
  if (after === undefined) return;
  const complain = complainAbout(check, after);
  if (after.datapath_uuid === null && after.port_name === null) complain('', 'a port needs datapath_uuid, port_name or both');
  checkPlace(check, after, complain);
}

/** A port name means one interface on a datapath; one that names no datapath gives way to one that does. An interface has one place on each. */
function checkPlace(check: Check, place: Place, complain: Complain): void {
  const { view } = check;
  const iface = entityOf(view, 'interface', place.interface_uuid);
  const where = place.datapath_uuid ?? 'any datapath';
  for (const other of iface ? placesOf(view, iface) : [])
    if (other.uuid !== place.uuid && other.datapath_uuid === place.datapath_uuid) {
      complain(
        place.uuid === place.interface_uuid ? 'owner_datapath_uuid' : 'datapath_uuid',
        `${place.interface_uuid} has a place on ${where} already, by ${other.uuid}`,
        'conflict',
      );
      return;
    }
  if (place.port_name === null) return;
  for (const uuid of view.lookup(portNameKey(place.port_name, place.datapath_uuid))) {
    const other = placeOf(view, uuid);
    if (other === undefined || other.interface_uuid === place.interface_uuid) continue;
    complain('port_name', `${place.port_name} on ${where} is already ${other.interface_uuid}`, 'conflict');
    return;
  }
}

export function checkNetworkService(check: Check, { after }: Change<'network_service'>): void {
  const iface = after && entityOf(check.view, 'interface', after.interface_uuid);
  if (iface && serviceProblem(after, iface))
    complainAbout(check, after)('interface_uuid', `${after.mode} needs a simulated interface; ${iface.uuid} is ${iface.mode}`);
}

function serviceProblem(service: NetworkService, iface: Interface): boolean {
  return service.mode !== 'router' && iface.mode !== 'simulated';
}
