/**
 * Conntrack zones of the local ports.
 *
 * Owns: which zones are taken by this process, beside the ones that rows of OVSDB claim.
 * Promises: `pick` gives the lowest zone that nobody has, 1 to 65535; zone 0 is the host's.
 */
const LAST_ZONE = 65_535;

export class Zones {
  readonly #claimed: () => ReadonlyMap<string, number>;
  readonly #taken = new Set<number>();

  /** @param claimed by row, the zones claimed in OVSDB now */
  constructor(claimed: () => ReadonlyMap<string, number>) {
    this.#claimed = claimed;
  }

  /** Takes the zone that `row` has already; false when another row or this process has it too. */
  take(zone: number, row: string): boolean {
    if (this.#taken.has(zone) || this.isShared(zone, row)) return false;
    this.#taken.add(zone);
    return true;
  }

  /** @returns undefined when none is left */
  pick(): number | undefined {
    const claimed = new Set(this.#claimed().values());
    for (let zone = 1; zone <= LAST_ZONE; zone++) {
      if (claimed.has(zone) || this.#taken.has(zone)) continue;
      this.#taken.add(zone);
      return zone;
    }
    return undefined;
  }

  /** True when a row other than `row` claims the zone as well: two agents of one switch chose at the same moment. */
  isShared(zone: number, row: string): boolean {
    for (const [other, claim] of this.#claimed()) if (claim === zone && other !== row) return true;
    return false;
  }

  release(zone: number): void {
    this.#taken.delete(zone);
  }
}
