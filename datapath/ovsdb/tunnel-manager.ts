/**
 * Keeps the tunnel ports of the integration bridge as they should be.
 *
 * Owns: making, repairing and removing our tunnel ports; telling their port numbers and what the switch has against them.
 * Assumes: nobody else wants them different for long: against someone who does, repairs come ever more slowly (up to every 5 s).
 * Promises: level-triggered and idempotent; `onChange` is called when a state differs, and only then.
 */
import type { Encapsulation } from '../../flows/model/entities.js';
import { asOvsdbError } from './ovsdb-error.js';
import type { OvsdbClient, OvsdbLog } from './ovsdb-client.js';
import { planTunnels, readTunnels, type TunnelState } from './tunnel-plan.js';

export interface TunnelManagerOptions {
  readonly bridge: string;
  /** Encapsulations that should have a port now. */
  readonly wanted: () => readonly Encapsulation[];
  readonly onChange: () => void;
  readonly log: OvsdbLog;
}

const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;

export class TunnelManager {
  readonly #client: OvsdbClient;
  readonly #options: TunnelManagerOptions;
  #states: ReadonlyMap<Encapsulation, TunnelState> = new Map();
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
    const { bridge, wanted, onChange } = this.#options;
    if (tables === undefined || signal.aborted) return;
    this.#states = readTunnels(tables, bridge);
    const text = JSON.stringify([...this.#states]);
    if (text !== this.#text) {
      this.#text = text;
      onChange();
    }
    if (this.#timer !== undefined || !this.#client.isSynced) return;
    if (planTunnels(tables, bridge, wanted()) === undefined) {
      this.#pauseMs = 0;
      return;
    }
    this.#timer = setTimeout(() => void this.#repair(signal), this.#pauseMs);
    this.#pauseMs = Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, this.#pauseMs * 2));
  }

  async #repair(signal: AbortSignal): Promise<void> {
    const { bridge, wanted, log, onChange } = this.#options;
    const { tables } = this.#client;
    // Planned again: during the pause the rows may have changed.
    const plan = tables === undefined ? undefined : planTunnels(tables, bridge, wanted());
    const before = this.#error;
    try {
      if (plan !== undefined) {
        await this.#client.transact(plan.operations, signal);
        log.info({ bridge, tunnels: plan.repairs }, 'tunnel ports put right');
      }
      this.#error = null;
    } catch (error) {
      const { code, message } = asOvsdbError(error);
      if (code === 'aborted') return;
      if (code === 'refused' && before !== message) log.warn({ bridge, error: message }, 'the tunnel ports cannot be put right');
      this.#error = message;
    } finally {
      this.#timer = undefined;
    }
    if (this.#error !== before) onChange();
    this.look(signal);
  }
}
