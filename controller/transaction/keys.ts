/**
 * The small integers that stand for entities in flows.
 *
 * Owns: handing them out, from counters that are stored with the entities that got them.
 * Promises: a key is not handed out twice until every other one of its kind was; after that, only keys that nobody has.
 */
import type { Draft } from '../../flows/model/draft.js';
import { HotoriError } from '../../flows/model/errors.js';
import type { Entity, EntityKind } from '../../flows/model/entities.js';
import { kindIndex } from '../../flows/model/indexes.js';
import type { Counters } from '../store/contract.js';

/** Bits of each key (0 is nobody's), who has such keys, and which they have. */
const KEYS = {
  segment_key: { bits: 24, kinds: ['segment', 'network'], of: (e) => ('segment_key' in e ? [e.segment_key] : []) },
  vrf_key: { bits: 32, kinds: ['segment', 'network'], of: (e) => ('vrf_key' in e ? [e.vrf_key] : []) },
  port_key: { bits: 31, kinds: ['interface'], of: (e) => ('port_key' in e ? [e.port_key] : []) },
  policy_class_key: { bits: 32, kinds: ['policy_class'], of: (e) => ('policy_class_key' in e ? [e.policy_class_key] : []) },
  router_key: { bits: 24, kinds: ['route_link'], of: (e) => ('router_key' in e ? [e.router_key] : []) },
  route_key: { bits: 32, kinds: ['route', 'policy_route'], of: (e) => ('route_key' in e ? [e.route_key] : []) },
  rule_key: { bits: 32, kinds: ['security_group'], of: (e) => ('rules' in e ? e.rules.map((rule) => rule.rule_key) : []) },
} as const satisfies Record<string, { bits: number; kinds: readonly EntityKind[]; of: (entity: Entity) => readonly number[] }>;

export type KeyName = keyof typeof KEYS;

/** The keys of one transaction. */
export class KeyRing {
  private readonly draft: Draft;
  private readonly start: Counters;
  private readonly moved: Record<string, number> = {};
  private readonly used = new Map<KeyName, ReadonlySet<number>>();

  /** @param start how many keys of each name were handed out before. */
  constructor(draft: Draft, start: Counters) {
    this.draft = draft;
    this.start = start;
  }

  next(name: KeyName): number {
    const max = 2 ** KEYS[name].bits - 1;
    let count = this.moved[name] ?? this.start[name] ?? 0;
    for (let tries = 0; tries < max; tries++) {
      count++;
      const key = ((count - 1) % max) + 1;
      if (count > max && this.usedKeys(name).has(key)) continue;
      this.moved[name] = count;
      return key;
    }
    throw new HotoriError('unavailable', `every ${name} is in use`);
  }

  /** The counters that moved. */
  counters(): Counters {
    return { ...this.moved };
  }

  /** Keys that somebody has or had when the transaction began: flows with them may still be in a switch. */
  private usedKeys(name: KeyName): ReadonlySet<number> {
    let used = this.used.get(name);
    if (used === undefined) {
      const { kinds, of } = KEYS[name];
      const holders: Entity[] = kinds.flatMap((kind) => [...this.draft.from(kindIndex(kind), '')].map((uuid) => this.draft.get(uuid)!));
      for (const before of this.draft.touched().values()) if (before) holders.push(before);
      this.used.set(name, (used = new Set(holders.flatMap((holder) => of(holder)))));
    }
    return used;
  }
}
