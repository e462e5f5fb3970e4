/**
 * Interfaces and what hangs on them.
 */
import type { Interface, NetworkService } from '../entities.js';
import { portNameKey } from '../indexes.js';
import { entityOf, referrers } from '../view.js';
import { complainAbout, type Change, type Check, type Complain } from './check.js';
import { checkRoutesThrough } from './routing-checks.js';

export function checkInterface(check: Check, { before, after }: Change<'interface'>): void {
  if (after === undefined) return;
  const complain = complainAbout(check, after);
  if (after.security_group_uuids.length > 0 && after.mode === 'simulated')
    complain('security_group_uuids', 'a simulated interface is not a VM and cannot be a member of groups');
  checkPortName(check, after, complain);
  if (before === undefined || (before.mode === after.mode && before.enable_routing === after.enable_routing)) return;
  checkRoutesThrough(check, after.uuid, complain);
  for (const service of referrers(check.view, 'network_service', after.uuid))
    if (!check.touched(service.uuid) && serviceProblem(service, after)) complain('mode', `${service.uuid} needs a simulated interface`);
}

/** A port name means one interface on a datapath; one that names no datapath gives way to one that does. */
function checkPortName(check: Check, iface: Interface, complain: Complain): void {
  if (iface.port_name === null) return;
  for (const uuid of check.view.lookup(portNameKey(iface.port_name, iface.owner_datapath_uuid))) {
    if (uuid === iface.uuid) continue;
    const where = iface.owner_datapath_uuid ?? 'any datapath';
    complain('port_name', `${iface.port_name} on ${where} is already ${uuid}`, 'conflict');
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
