/**
 * What the bus is called in Redis.
 *
 * Owns: the names of its keys; docs/operations/install.md derives the ACL rules of each role from them.
 * Promises: all keys share the hash tag of the prefix, so that one slot of a cluster holds them.
 */
export class BusKeys {
  private readonly prefix: string;

  /** @param prefix of everything of one deployment, with its hash tag: `{hotori}:`. */
  constructor(prefix: string) {
    this.prefix = `${prefix}bus:`;
  }

  /** A stream: requests and answers for a member. */
  inbox(member: string): string {
    return `${this.prefix}in:${member}`;
  }

  /** A stream: messages of one writer. */
  topic(name: string): string {
    return `${this.prefix}topic:${name}`;
  }

  /** Hash of values, sorted set of the times they end, stream of changes. */
  table(name: string): readonly [values: string, ends: string, log: string] {
    const key = `${this.prefix}table:${name}`;
    return [key, `${key}:ends`, `${key}:log`];
  }
}
