/**
 * Keeps the integration bridge joined to the bridges of physical networks.
 *
 * Owns: which ports that takes, and what is noted with them; when they are written is PortKeeper's.
 */
import type { OvsdbClient, OvsdbLog } from './ovsdb-client.js';
import { planPhysical, readPhysical, type PhysicalState, type Wanted } from './physical-plan.js';
import { PortKeeper } from './port-keeper.js';

export interface PhysicalManagerOptions {
  readonly bridge: string;
  /** Undefined while that is not known. */
  readonly wanted: () => Wanted | undefined;
  /** What is to be kept with the ports, by physical network. */
  readonly notes: () => ReadonlyMap<string, string>;
  readonly onChange: () => void;
  readonly log: OvsdbLog;
}

export class PhysicalManager {
  readonly #client: OvsdbClient;
  readonly #bridge: string;
  readonly #keeper: PortKeeper;

  constructor(client: OvsdbClient, { bridge, wanted, notes, onChange, log }: PhysicalManagerOptions) {
    this.#client = client;
    this.#bridge = bridge;
    this.#keeper = new PortKeeper(client, {
      ports: 'ports to physical networks',
      firstPauseMs: 20,
      read: () => {
        const ports = wanted();
        return ports && JSON.stringify([...this.states(ports)].map(([name, { ofport, error }]) => [name, ofport, error]));
      },
      plan: (tables) => {
        const ports = wanted();
        return ports && planPhysical(tables, bridge, ports, notes());
      },
      onChange,
      log,
    });
  }

  /** By physical network, the ports there are. */
  states(wanted: Wanted): ReadonlyMap<string, PhysicalState> {
    const { tables } = this.#client;
    return tables === undefined ? new Map() : readPhysical(tables, this.#bridge, wanted);
  }

  /** Why the last repair failed, until one succeeds. */
  get error(): string | null {
    return this.#keeper.error;
  }

  /** Watches and repairs until the signal; resolves then. */
  run(signal: AbortSignal): Promise<void> {
    return this.#keeper.run(signal);
  }

  /** What is wanted may have changed. */
  look(): void {
    this.#keeper.look();
  }
}
