/**
 * Keeps the integration bridge joined to the bridges of physical networks.
 *
 * Assumes: nobody else wants these ports different for long: against someone who does, repairs come ever more slowly (up to every 5 s).
 * Promises: level-triggered and idempotent; `onChange` is called when a state differs, and only then.
 */
import { asOvsdbError } from './ovsdb-error.js';
import type { OvsdbClient, OvsdbLog } from './ovsdb-client.js';
import type { BridgePlan } from './bridge-plan.js';
import { planPhysical, readPhysical, type PhysicalState, type Wanted } from './physical-plan.js';

export interface PhysicalManagerOptions {
  readonly bridge: string;
  /** Undefined while that is not known. */
  readonly wanted: () => Wanted | undefined;
  /** What is to be kept with the ports, by physical network. */
  readonly notes: () => ReadonlyMap<string, string>;
  readonly onChange: () => void;
  readonly log: OvsdbLog;
}

const FIRST_PAUSE_MS = 20;
const MAX_PAUSE_MS = 5_000;

export class PhysicalManager {
  readonly #client: OvsdbClient;
  readonly #options: PhysicalManagerOptions;
  #text = '';
  #error: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = 0;
  #signal: AbortSignal | undefined;

  constructor(client: OvsdbClient, options: PhysicalManagerOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** By physical network, the ports there are. */
  states(wanted: Wanted): ReadonlyMap<string, PhysicalState> {
    const { tables } = this.#client;
    return tables === undefined ? new Map() : readPhysical(tables, this.#options.bridge, wanted);
  }

  /** Why the last repair failed, until one succeeds. */
  get error(): string | null {
    return this.#error;
  }

  /** Watches and repairs until the signal; resolves then. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    const unsubscribe = this.#client.subscribe(() => this.look());
    if (!signal.aborted) {
      this.look();
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    }
    unsubscribe();
    clearTimeout(this.#timer);
  }

  /** What is wanted may have changed. */
  look(): void {
    const { wanted, onChange } = this.#options;
    const ports = wanted();
    if (ports === undefined || this.#client.tables === undefined || this.#signal === undefined || this.#signal.aborted) return;
    const text = JSON.stringify([...this.states(ports)].map(([name, { ofport, error }]) => [name, ofport, error]));
    if (text !== this.#text) {
      this.#text = text;
      onChange();
    }
    if (this.#timer !== undefined || !this.#client.isSynced) return;
    if (this.#plan() === undefined) {
      this.#pauseMs = 0;
      return;
    }
    this.#timer = setTimeout(() => void this.#repair(this.#signal!), this.#pauseMs);
    this.#pauseMs = Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, this.#pauseMs * 2));
  }

  #plan(): BridgePlan | undefined {
    const { bridge, wanted, notes } = this.#options;
    const ports = wanted();
    return ports === undefined || this.#client.tables === undefined ? undefined : planPhysical(this.#client.tables, bridge, ports, notes());
  }

  async #repair(signal: AbortSignal): Promise<void> {
    const { log, onChange } = this.#options;
    // Planned again: during the pause the rows may have changed.
    const plan = this.#plan();
    const before = this.#error;
    try {
      if (plan !== undefined) {
        await this.#client.transact(plan.operations, signal);
        if (plan.repairs.length > 0) log.info({ ports: plan.repairs }, 'ports to physical networks put right');
      }
      this.#error = null;
    } catch (error) {
      const { code, message } = asOvsdbError(error);
      if (code === 'aborted') return;
      if (code === 'refused' && before !== message) log.warn({ error: message }, 'the ports to physical networks cannot be put right');
      this.#error = message;
    } finally {
      this.#timer = undefined;
    }
    if (this.#error !== before) onChange();
    this.look();
  }
}
