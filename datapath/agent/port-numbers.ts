/**
 * Port numbers the switch itself has told, where OVSDB has not caught up.
 *
 * A restarted ovs-vswitchd may number its ports anew. It speaks OpenFlow before OVSDB shows the new numbers, and flows made for the old ones
 * would let one VM speak as another.
 *
 * Owns: the corrections to the numbers that OVSDB shows.
 * Promises: a correction holds until OVSDB shows another number than the one corrected.
 */

/** A port as OVSDB shows it. */
interface Shown {
  readonly port_name: string;
  readonly ofport: number | null;
}

interface Correction {
  readonly shown: number;
  readonly actual: number | null;
}

export class PortNumbers<T extends Shown> {
  #corrections = new Map<string, Correction>();

  /** True while the switch and OVSDB differ: ask the switch again. */
  get arePending(): boolean {
    return this.#corrections.size > 0;
  }

  /** @param told by name, the ports the switch has now */
  learn(ports: ReadonlyMap<unknown, T>, told: ReadonlyMap<string, number>): void {
    this.#corrections = new Map();
    for (const { port_name, ofport } of ports.values()) {
      const actual = told.get(port_name) ?? null;
      if (ofport !== null && ofport !== actual) this.#corrections.set(port_name, { shown: ofport, actual });
    }
  }

  /** The ports with the numbers the switch has. */
  correct<K>(ports: ReadonlyMap<K, T>): ReadonlyMap<K, T> {
    if (this.#corrections.size === 0) return ports;
    const corrected = new Map(ports);
    const pending = new Set<string>();
    for (const [key, port] of ports) {
      const correction = this.#corrections.get(port.port_name);
      if (correction === undefined || port.ofport !== correction.shown) continue;
      pending.add(port.port_name);
      corrected.set(key, { ...port, ofport: correction.actual });
    }
    for (const name of this.#corrections.keys()) if (!pending.has(name)) this.#corrections.delete(name);
    return corrected;
  }
}
