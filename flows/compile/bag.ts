/**
 * A set that is nearly always of one or a few.
 *
 * Owns: the choice of its form: the member itself, an array for a few, a Set for more. A compiler holds hundreds of thousands of them, and a Set takes
 * 200 bytes.
 * Assumes: members are objects of a class of their own, never an array or a Set.
 * Promises: iteration in the order of insertion.
 */
export type Bag<T extends object> = T | T[] | Set<T>;

const FEW = 8;

/** With one member more. */
export function bagWith<T extends object>(bag: Bag<T> | undefined, member: T): Bag<T> {
  if (bag === undefined || bag === member) return member;
  if (bag instanceof Set) return bag.add(member);
  if (!Array.isArray(bag)) return [bag, member];
  if (bag.includes(member)) return bag;
  if (bag.length === FEW) return new Set([...bag, member]);
  // An array that is pushed to keeps room for sixteen more.
  return [...bag, member];
}

/** With one member less; undefined when none is left. */
export function bagWithout<T extends object>(bag: Bag<T> | undefined, member: T): Bag<T> | undefined {
  if (bag instanceof Set) {
    bag.delete(member);
    return bag.size === 0 ? undefined : bag;
  }
  if (!Array.isArray(bag)) return bag === member ? undefined : bag;
  const at = bag.indexOf(member);
  if (at >= 0) bag.splice(at, 1);
  return bag.length === 1 ? bag[0] : bag;
}

export function inBag<T extends object>(bag: Bag<T> | undefined): Iterable<T> {
  if (bag === undefined) return [];
  return bag instanceof Set || Array.isArray(bag) ? bag : [bag];
}
