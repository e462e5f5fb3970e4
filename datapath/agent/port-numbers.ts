/**
 * Port numbers the switch itself has told, where OVSDB has not caught up.
 *
 * A restarted ovs-vswitchd may number its ports anew. It speaks OpenFlow before OVSDB shows the new numbers, and flows made for the old ones
 * would let one VM speak as another.
 *
 * Owns: the corrections to the numbers that OVSDB shows.
 * Promises: a correction holds until OVSDB shows another number than the one corrected.
 */
import type { Vif } from '../ovsdb/vif-watcher.js';

interface Correction {
  readonly shown: number;
  readonly actual: number | null;
}

export class PortNumbers {
  #corrections = new Map<string, Correction>();

  /** True while the switch and OVSDB differ: ask the switch again. */
  get arePending(): boolean {
    return this.#corrections.size > 0;
  }

  /** @param told by name, the ports the switch has now */
  learn(vifs: ReadonlyMap<string, Vif>, told: ReadonlyMap<string, number>): void {
    this.#corrections = new Map();
    for (const { port_name, ofport } of vifs.values()) {
      const actual = told.get(port_name) ?? null;
      if (ofport !== null && ofport !== actual) this.#corrections.set(port_name, { shown: ofport, actual });
    }
  }

  /** The NICs with the numbers the switch has. */
  correct(vifs: ReadonlyMap<string, Vif>): ReadonlyMap<string, Vif> {
    if (this.#corrections.size === 0) return vifs;
    const corrected = new Map(vifs);
    for (const [name, { shown, actual }] of this.#corrections) {
      const vif = vifs.get(name);
      if (vif?.ofport === shown) corrected.set(name, { ...vif, ofport: actual });
      else this.#corrections.delete(name);
    }
    return corrected;
  }
}
