/**
 * Which of several next hops a flow takes.
 *
 * Owns: the hash over a flow's ends, and the share of each next hop in the hash's values.
 * Promises: each value belongs to the next hop with the highest score for it (rendezvous hashing). When one goes, its values alone are shared out among
 * the others; when one comes, it takes values from the others and nothing else moves. With n next hops each has about SLOTS/n values: 64 ± 6 of two.
 */
import type { Action } from '../openflow/action.js';
import { regField } from './registers.js';
import { shortHash } from './short-hash.js';

/** Values of the hash; a power of two. */
export const SLOTS = 128;

/** Addresses, protocol and TCP, UDP or SCTP ports, the same in both directions (NX_HASH_FIELDS_SYMMETRIC_L3L4_UDP). */
const FIELDS = 3;
const MODULO_N = 0;

/** Writes the hash of the flow into `next_hop`. @param routerKey routers in a row choose differently */
export function hashFlow(routerKey: number): Action {
  return {
    kind: 'multipath',
    fields: FIELDS,
    basis: routerKey & 0xffff,
    algorithm: MODULO_N,
    max_link: SLOTS - 1,
    arg: 0,
    dst: regField('next_hop'),
  };
}

/** The next hop that has a value of the hash. @param members at least one */
export function memberOfSlot(slot: number, members: Iterable<string>): string {
  let best: { member: string; score: number } | undefined;
  for (const member of members) {
    const score = shortHash(`${slot} ${member}`);
    if (best === undefined || score > best.score || (score === best.score && member < best.member)) best = { member, score };
  }
  return best!.member;
}
