/**
 * All flows of ours, in portions that a switch reads out without keeping anybody waiting.
 *
 * Owns: how they are divided: by the last bits of their cookies, which are those of a hash.
 * Promises: every flow with a cookie of ours is in exactly one portion, whatever table it is in and whoever put it there.
 */
import type { Flow } from '../../flows/openflow/flow.js';
import { OWNER_COOKIE, OWNER_MASK } from '../../flows/pipeline/cookie.js';
import type { FlowFilter } from '../channel/contract.js';
import type { Entry, Part } from './ledger.js';

export interface Portion extends Part<string, Flow> {
  readonly filter: FlowFilter;
}

/** Cookies have 40 bits of hash; no switch has flows for more portions than this. */
const MAX_BITS = 10;

/**
 * undefined where one portion will do.
 * @param size flows in a portion, about
 */
export function portionsOf(wanted: ReadonlyMap<string, Entry<Flow>>, size: number): readonly Portion[] | undefined {
  const bits = Math.min(MAX_BITS, Math.ceil(Math.log2(Math.max(1, wanted.size / size))));
  if (bits === 0) return undefined;
  const mask = (1n << BigInt(bits)) - 1n;
  const keys = Array.from({ length: 2 ** bits }, (): string[] => []);
  for (const [key, { value }] of wanted) keys[Number(value.cookie & mask)]!.push(key);
  return keys.map((own, i) => ({
    filter: { cookie: OWNER_COOKIE | BigInt(i), cookie_mask: OWNER_MASK | mask },
    keys: own,
    has: ({ cookie }) => (cookie & mask) === BigInt(i),
  }));
}
