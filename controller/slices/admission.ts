/**
 * Who may serve a datapath.
 *
 * Promises: a datapath has one vna at a time. One whose place is taken, or that is another node's, is refused, and told by whom; the same process
 * that comes again is let in.
 */
import type { Chassis, Datapath } from '../../flows/model/entities.js';
import { HotoriError } from '../../flows/model/errors.js';
import type { Applied } from '../applied/board.js';
import type { DatapathHello } from '../messages/slice.js';
import type { Listener } from './session.js';

export interface Admission {
  readonly datapath: Datapath;
  /** What its last vna said of itself. */
  readonly chassis: Chassis | undefined;
  /** The vna that is attached to this vnmgr. */
  readonly listener: Listener | undefined;
  /** What the board says of the datapath. */
  readonly elsewhere: Applied | undefined;
  /** Name of this vnmgr. */
  readonly here: string;
}

/** Throws HotoriError `conflict`. */
export function checkAdmission(hello: DatapathHello, { datapath, chassis, listener, elsewhere, here }: Admission): void {
  const holder = listener
    ? { node_id: listener.hello.node_id, instance: listener.hello.instance, at: here }
    : elsewhere?.attached && elsewhere.served_by !== here
      ? { node_id: elsewhere.node_id, instance: elsewhere.instance, at: elsewhere.served_by }
      : undefined;
  const what = `${hello.dpid} (${datapath.uuid})`;
  if (holder && holder.node_id !== hello.node_id)
    throw new HotoriError(
      'conflict',
      `${what} is already served by node ${holder.node_id} (at ${holder.at}); node ${hello.node_id} has the same dpid`,
    );
  if (holder && (holder.instance === undefined || holder.instance !== hello.instance))
    throw new HotoriError(
      'conflict',
      `${what} is already served by another vna of node ${holder.node_id} (at ${holder.at}); it has to end first, unless two hosts have the same node id`,
    );
  if (chassis && chassis.node_id !== hello.node_id && datapath.node_id !== hello.node_id)
    throw new HotoriError(
      'conflict',
      `${what} is node ${chassis.node_id}; node ${hello.node_id} has the same dpid, and may only take its place once node_id of ${datapath.uuid} says so`,
    );
}
