/**
 * Rows of datapaths for networks, segments and route links: one per pair, through an interface of the hypervisor itself. And tunnels: one per pair of datapaths.
 *
 * Whether the interface is on that datapath is not checked: it may get there later, and until then the row has no endpoint.
 */
import type { DatapathLink } from '../entities/datapath.js';
import type { IpLease } from '../entities/interface.js';
import { linkKey, linkMacKey, linkTarget, tunnelKey } from '../indexes.js';
import { entityOf, LINK_KINDS, referrers } from '../view.js';
import { complainAbout, type Change, type Check, type Complain } from './check.js';

/** A lease that moves takes no row with it. */
export function checkLinksBy(check: Check, lease: IpLease, complain: Complain): void {
  for (const kind of LINK_KINDS)
    for (const link of referrers(check.view, kind, lease.uuid))
      if (!check.touched(link.uuid) && link.interface_uuid !== lease.interface_uuid)
        complain('interface_uuid', `${link.uuid} has it as an address of ${link.interface_uuid}`);
}

export function checkTunnel(check: Check, { after }: Change<'tunnel'>): void {
  if (after === undefined) return;
  const { datapath_uuid, peer_datapath_uuid } = after;
  const complain = complainAbout(check, after);
  if (datapath_uuid === peer_datapath_uuid) complain('peer_datapath_uuid', 'must be another datapath than datapath_uuid');
  for (const uuid of check.view.lookup(tunnelKey(after)))
    if (uuid !== after.uuid) complain('', `${datapath_uuid} and ${peer_datapath_uuid} have a tunnel already, ${uuid}`, 'conflict');
}

export function checkDatapathLink(check: Check, { after }: Change<DatapathLink['kind']>): void {
  if (after === undefined) return;
  const complain = complainAbout(check, after);
  const target = linkTarget(after);
  for (const uuid of check.view.lookup(linkKey(after.datapath_uuid, target)))
    if (uuid !== after.uuid) complain('', `${after.datapath_uuid} has ${target} already, by ${uuid}`, 'conflict');
  for (const uuid of check.view.lookup(linkMacKey(after.mac_address)))
    if (uuid !== after.uuid) complain('mac_address', `${after.mac_address} is taken by ${uuid}`, 'conflict');
  const iface = entityOf(check.view, 'interface', after.interface_uuid);
  if (iface && iface.mode !== 'host') complain('interface_uuid', `needs an interface of mode host; ${iface.uuid} is ${iface.mode}`);
  const lease = entityOf(check.view, 'ip_lease', after.ip_lease_uuid);
  if (lease && lease.interface_uuid !== after.interface_uuid)
    complain(
      'ip_lease_uuid',
      `${lease.uuid} is ${lease.interface_uuid === null ? 'attached to nothing' : `on ${lease.interface_uuid}`}, not on ${after.interface_uuid}`,
    );
}
