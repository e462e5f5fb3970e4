/**
 * Defining a datapath that presents itself.
 */
import type { Operation } from '../contract.js';
import type { DatapathHello } from '../messages/slice.js';

const TAIL_LENGTH = 32;

/** The create that defines it, with a uuid made from the node id; from node id and bridge, then by chance, where that is taken. */
export function registrationOf(hello: DatapathHello, taken: (uuid: string) => boolean): Operation {
  const { node_id, bridge, dpid } = hello;
  const uuid = [node_id, `${node_id}-${bridge}`].map(uuidFrom).find((candidate) => candidate !== undefined && !taken(candidate));
  return { verb: 'create', kind: 'datapath', params: { display_name: node_id, node_id, dpid, ...(uuid === undefined ? {} : { uuid }) } };
}

function uuidFrom(text: string): string | undefined {
  const tail = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-/, '')
    .slice(0, TAIL_LENGTH)
    .replace(/-$/, '');
  return tail === '' ? undefined : `dp-${tail}`;
}
