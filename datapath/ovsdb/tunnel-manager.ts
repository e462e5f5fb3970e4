/**
 * Keeps the tunnel ports of the integration bridge, and its patch to the underlay's bridge, as they should be.
 *
 * Owns: which ports those are, their port numbers and what the switch has against them; when they are written is PortKeeper's.
 */
import type { Encapsulation } from '../../flows/model/entities/presence.js';
import { planOverlayNote } from './overlay-note.js';
import type { OvsdbClient, OvsdbLog } from './ovsdb-client.js';
import { planDirectNote, planPatches, readOldPatches, readPatch, type PatchState } from './patch-plan.js';
import { PortKeeper } from './port-keeper.js';
import { planTunnels, readTunnels, type TunnelState } from './tunnel-plan.js';

export interface TunnelManagerOptions {
  readonly bridge: string;
  /** Encapsulations that should have a port now. */
  readonly wanted: () => readonly Encapsulation[];
  /** The bridge to be joined by a patch, if any. */
  readonly underlay?: string | undefined;
  /** Whether a patch to another underlay's bridge stays, for what still comes in by it. */
  readonly keepsPatches: () => boolean;
  /** What is to be kept with the bridge; null: nothing. */
  readonly note: () => string | null;
  /** The datapaths that frames go to without a tunnel; undefined while that is not known. */
  readonly direct: () => readonly string[] | undefined;
  readonly onChange: () => void;
  readonly log: OvsdbLog;
}

export class TunnelManager {
  readonly #keeper: PortKeeper;
  #states: ReadonlyMap<Encapsulation, TunnelState> = new Map();
  #patch: PatchState | undefined;
  #oldPatches: readonly TunnelState[] = [];

  constructor(client: OvsdbClient, options: TunnelManagerOptions) {
    const { bridge, wanted, underlay, keepsPatches, note, direct, onChange, log } = options;
    this.#keeper = new PortKeeper(client, {
      ports: 'tunnel ports',
      firstPauseMs: 50,
      read: (tables) => {
        this.#states = readTunnels(tables, bridge);
        this.#patch = underlay === undefined ? undefined : readPatch(tables, bridge, underlay);
        this.#oldPatches = readOldPatches(tables, bridge, underlay);
        return JSON.stringify([...this.#states, this.#patch, this.#oldPatches]);
      },
      plan: (tables) => {
        const tunnels = planTunnels(tables, bridge, wanted());
        const patches = planPatches(tables, bridge, { underlay, keepsOthers: keepsPatches() });
        const known = direct();
        const operations = [
          ...tunnels.operations,
          ...patches.operations,
          ...planOverlayNote(tables, bridge, note()),
          ...(underlay === undefined || known === undefined ? [] : planDirectNote(tables, bridge, underlay, known)),
        ];
        if (operations.length === 0) return undefined;
        const repairs = [...tunnels.repairs, ...patches.repairs];
        return { operations: [...operations, { op: 'comment', comment: `hotori: tunnels of ${bridge}: ${repairs.join(', ')}` }], repairs };
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

  /** Ports to bridges that are not the underlay's any more. */
  get oldPatches(): readonly TunnelState[] {
    return this.#oldPatches;
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
