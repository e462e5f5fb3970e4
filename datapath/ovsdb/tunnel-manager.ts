/**
 * Keeps the tunnel ports of the integration bridge, and its patch to the underlay's bridge, as they should be.
 *
 * Owns: which ports those are, their port numbers and what the switch has against them; when they are written is PortKeeper's.
 */
import type { Encapsulation } from '../../flows/model/entities/presence.js';
import type { OvsdbClient, OvsdbLog } from './ovsdb-client.js';
import { PortKeeper } from './port-keeper.js';
import { planTunnels, readPatch, planNote, readTunnels, type PatchState, type TunnelState } from './tunnel-plan.js';

export interface TunnelManagerOptions {
  readonly bridge: string;
  /** Encapsulations that should have a port now. */
  readonly wanted: () => readonly Encapsulation[];
  /** The bridge to be joined by a patch, if any. */
  readonly underlay?: string | undefined;
  /** The datapaths that frames go to without a tunnel; undefined while that is not known. */
  readonly direct: () => readonly string[] | undefined;
  readonly onChange: () => void;
  readonly log: OvsdbLog;
}

export class TunnelManager {
  readonly #keeper: PortKeeper;
  #states: ReadonlyMap<Encapsulation, TunnelState> = new Map();
  #patch: PatchState | undefined;

  constructor(client: OvsdbClient, { bridge, wanted, underlay, direct, onChange, log }: TunnelManagerOptions) {
    this.#keeper = new PortKeeper(client, {
      ports: 'tunnel ports',
      firstPauseMs: 50,
      read: (tables) => {
        this.#states = readTunnels(tables, bridge);
        this.#patch = underlay === undefined ? undefined : readPatch(tables, bridge, underlay);
        return JSON.stringify([...this.#states, this.#patch]);
      },
      plan: (tables) => {
        const plan = planTunnels(tables, bridge, wanted(), underlay);
        const known = direct();
        if (plan !== undefined || underlay === undefined || known === undefined) return plan;
        const operations = planNote(tables, bridge, underlay, known);
        return operations.length === 0 ? undefined : { operations, repairs: [] };
      },
      onChange,
      log,
    });
  }

  /** By encapsulation, the ports there are. */
  get states(): ReadonlyMap<Encapsulation, TunnelState> {
    return this.#states;
  }

  /** The port to the underlay's bridge; undefined while the two are not joined. */
  get patch(): PatchState | undefined {
    return this.#patch;
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
