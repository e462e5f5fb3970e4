/**
 * Conntrack zones of the local ports.
 *
 * Owns: which zones are taken by this process, beside the ones that rows of OVSDB claim.
 * Promises: `pick` gives the lowest zone that nobody has, 1 to 65535; zone 0 is the host's.
 */
const LAST_ZONE = 65_535;

/** The zones claimed in OVSDB now, with the rows that claim them. */
export type Claims = () => ReadonlyMap<number, readonly string[]>;

export class Zones {
  readonly #claims: Claims;
  readonly #taken = new Set<number>();

  constructor(claims: Claims) {
    this.#claims = claims;
  }

  /** Takes the zone that `row` has already; false when another row or this process has it too. */
  take(zone: number, row: string): boolean {
    if (this.#taken.has(zone) || this.isShared(zone, row)) return false;
    this.#taken.add(zone);
    return true;
  }

  /** @returns undefined when none is left */
  pick(): number | undefined {
    const claims = this.#claims();
    for (let zone = 1; zone <= LAST_ZONE; zone++) {
      if (claims.has(zone) || this.#taken.has(zone)) continue;
      this.#taken.add(zone);
      return zone;
    }
    return undefined;
  }

  /** True when a row other than `row` claims the zone as well: two agents of one switch chose at the same moment. */
  isShared(zone: number, row: string): boolean {
    return (
      this.#claims()
        .get(zone)
        ?.some((other) => other !== row) === true
    );
  }

  release(zone: number): void {
    this.#taken.delete(zone);
  }
}
