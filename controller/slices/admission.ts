/**
 * Who may serve a datapath.
 *
 * Assumes: of vnas that come over the bus, a second one for a dpid is refused before, wherever the first is attached.
 * Promises: a datapath has one vna at a time. Who is refused is told who has the place.
 */
import { HotoriError } from '../../flows/model/errors.js';
import type { DatapathHello } from '../messages/slice.js';

/** @param holder the vna that is attached now. Throws HotoriError `conflict`. */
export function checkAdmission(uuid: string, { dpid, node_id, bridge }: DatapathHello, holder: DatapathHello | undefined): void {
  if (holder === undefined) return;
  throw new HotoriError(
    'conflict',
    `${dpid} (${uuid}) is already served, as bridge ${holder.bridge} of node ${holder.node_id}; bridge ${bridge} of node ${node_id} has the same: ${rivalryOf(node_id, holder.node_id)}`,
  );
}

/** What two vnas for one datapath have in common, in words. */
export function rivalryOf(node_id: string, other_node_id: string): string {
  return node_id === other_node_id ? 'two hypervisors have one node id, or two vnas one bridge' : 'two bridges have one dpid';
}
