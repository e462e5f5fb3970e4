/**
 * Keeps the tunnel ports of the integration bridge as they should be.
 *
 * Owns: making, repairing and removing our tunnel ports; telling their port numbers and what the switch has against them.
 * Assumes: nobody else wants them different for long: against someone who does, repairs come ever more slowly (up to every 5 s).
 * Promises: level-triggered and idempotent; `onChange` is called when a state differs, and only then.
 */
import type { Encapsulation } from '../../flows/model/entities/presence.js';
import type { BridgePlan } from './bridge-plan.js';
import { asOvsdbError } from './ovsdb-error.js';
import type { OvsdbClient, OvsdbLog } from './ovsdb-client.js';
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

const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;

export class TunnelManager {
  readonly #client: OvsdbClient;
  readonly #options: TunnelManagerOptions;
  #states: ReadonlyMap<Encapsulation, TunnelState> = new Map();
  #patch: PatchState | undefined;
  #text = '';
  #error: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = 0;

  constructor(client: OvsdbClient, options: TunnelManagerOptions) {
    this.#client = client;
    this.#options = options;
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
    return this.#error;
  }

  /** Watches and repairs until the signal; resolves then. */
  async run(signal: AbortSignal): Promise<void> {
    const unsubscribe = this.#client.subscribe(() => this.look(signal));
    if (!signal.aborted) {
      this.look(signal);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    }
    unsubscribe();
    clearTimeout(this.#timer);
  }

  /** What is wanted may have changed. */
  look(signal: AbortSignal): void {
    const { tables } = this.#client;
    const { bridge, underlay, onChange } = this.#options;
    if (tables === undefined || signal.aborted) return;
    this.#states = readTunnels(tables, bridge);
    this.#patch = underlay === undefined ? undefined : readPatch(tables, bridge, underlay);
    const text = JSON.stringify([...this.#states, this.#patch]);
    if (text !== this.#text) {
      this.#text = text;
      onChange();
    }
    if (this.#timer !== undefined || !this.#client.isSynced) return;
    if (this.#plan() === undefined) {
      this.#pauseMs = 0;
      return;
    }
    this.#timer = setTimeout(() => void this.#repair(signal), this.#pauseMs);
    this.#pauseMs = Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, this.#pauseMs * 2));
  }

  #plan(): BridgePlan | undefined {
    const { tables } = this.#client;
    const { bridge, wanted, underlay, direct } = this.#options;
    if (tables === undefined) return undefined;
    const plan = planTunnels(tables, bridge, wanted(), underlay);
    const known = direct();
    if (plan !== undefined || underlay === undefined || known === undefined) return plan;
    const operations = planNote(tables, bridge, underlay, known);
    return operations.length === 0 ? undefined : { operations, repairs: [] };
  }

  async #repair(signal: AbortSignal): Promise<void> {
    const { log, onChange } = this.#options;
    // Planned again: during the pause the rows may have changed.
    const plan = this.#plan();
    const before = this.#error;
    try {
      if (plan !== undefined) {
        await this.#client.transact(plan.operations, signal);
        if (plan.repairs.length > 0) log.info({ tunnels: plan.repairs }, 'tunnel ports put right');
      }
      this.#error = null;
    } catch (error) {
      const { code, message } = asOvsdbError(error);
      if (code === 'aborted') return;
      if (code === 'refused' && before !== message) log.warn({ error: message }, 'the tunnel ports cannot be put right');
      this.#error = message;
    } finally {
      this.#timer = undefined;
    }
    if (this.#error !== before) onChange();
    this.look(signal);
  }
}
