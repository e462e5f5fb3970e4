/**
 * A set that is nearly always of one.
 *
 * Owns: the choice of its form: the member itself, a Set for more. A compiler holds hundreds of thousands of them, and an empty Set takes 200 bytes.
 * Assumes: members are objects of a class of their own, never a Set.
 * Promises: iteration in the order of insertion.
 */
export type Bag<T extends object> = T | Set<T>;

/** With one member more. */
export function bagWith<T extends object>(bag: Bag<T> | undefined, member: T): Bag<T> {
  if (bag === undefined || bag === member) return member;
  if (bag instanceof Set) return bag.add(member);
  return new Set([bag, member]);
}

/** With one member less; undefined when none is left. */
export function bagWithout<T extends object>(bag: Bag<T> | undefined, member: T): Bag<T> | undefined {
  if (!(bag instanceof Set)) return bag === member ? undefined : bag;
  bag.delete(member);
  return bag.size === 0 ? undefined : bag;
}

export function inBag<T extends object>(bag: Bag<T> | undefined): Iterable<T> {
  if (bag === undefined) return [];
  return bag instanceof Set ? bag : [bag];
}
