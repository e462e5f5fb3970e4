/**
 * Taking down what a vna sees.
 *
 * Owns: the difference between the `vif` and `chassis` records of a datapath and what its vna has observed.
 * Promises: level-triggered: the records become the whole observation, and what is as it was is not touched. A NIC that shows another iface-id
 * is a new appearance. What a datapath that is no longer defined shows is nothing to take down.
 */
import { chassisUuid, vifUuid } from '../../flows/model/entities/presence.js';
import { sameValue } from '../../flows/model/same.js';
import { entityOf, referrers } from '../../flows/model/view.js';
import type { Observation } from './step.js';
import type { Workspace } from './workspace.js';

/** @param since number of the revision that is being made. */
export function observe(work: Workspace, { datapath_uuid, dpid, node_id, vifs, chassis }: Observation, since: number): void {
  if (entityOf(work.draft, 'datapath', datapath_uuid)?.dpid !== dpid) return;
  const seen = new Map(vifs.map((vif) => [vif.port_name, vif.iface_id]));
  for (const vif of [...referrers(work.draft, 'vif', datapath_uuid)]) {
    if (seen.get(vif.port_name) === vif.iface_id) seen.delete(vif.port_name);
    else work.delete(vif.uuid);
  }
  for (const [port_name, iface_id] of seen)
    work.put({ kind: 'vif', uuid: vifUuid(datapath_uuid, port_name), datapath_uuid, port_name, iface_id, since });
  const uuid = chassisUuid(datapath_uuid);
  const record = { kind: 'chassis', uuid, datapath_uuid, node_id, ...chassis } as const;
  if (!sameValue(work.draft.get(uuid), record, () => false)) work.put(record);
}
