/**
 * Keeps ports that are ours as they should be.
 *
 * Owns: when OVSDB is looked at, written, and written again.
 * Assumes: nobody else wants these ports different for long: against someone who does, repairs come ever more slowly (up to every 5 s).
 * Promises: level-triggered and idempotent; `onChange` is called when what stands differs, or the error, and only then.
 */
import type { BridgePlan } from './bridge-plan.js';
import { asOvsdbError } from './ovsdb-error.js';
import type { OvsdbClient, OvsdbLog } from './ovsdb-client.js';
import type { Tables } from './schema.js';

export interface PortKeeperOptions {
  /** What they are, for the log. */
  readonly ports: string;
  /** How long the second of two repairs in a row waits; each one after it waits twice as long. */
  readonly firstPauseMs: number;
  /** What stands there; two that are the same need no call of `onChange`. Undefined while that cannot be said. */
  readonly read: (tables: Tables) => string | undefined;
  /** What has to be written; undefined when nothing has. */
  readonly plan: (tables: Tables) => BridgePlan | undefined;
  readonly onChange: () => void;
  readonly log: OvsdbLog;
}

const MAX_PAUSE_MS = 5_000;

export class PortKeeper {
  readonly #client: OvsdbClient;
  readonly #options: PortKeeperOptions;
  #text = '';
  #error: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = 0;
  #signal: AbortSignal | undefined;

  constructor(client: OvsdbClient, options: PortKeeperOptions) {
    this.#client = client;
    this.#options = options;
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
    const { tables } = this.#client;
    const signal = this.#signal;
    if (tables === undefined || signal === undefined || signal.aborted) return;
    const text = this.#options.read(tables);
    if (text === undefined) return;
    if (text !== this.#text) {
      this.#text = text;
      this.#options.onChange();
    }
    if (this.#timer !== undefined || !this.#client.isSynced) return;
    if (this.#options.plan(tables) === undefined) {
      this.#pauseMs = 0;
      return;
    }
    this.#timer = setTimeout(() => void this.#repair(signal), this.#pauseMs);
    this.#pauseMs = Math.min(MAX_PAUSE_MS, Math.max(this.#options.firstPauseMs, this.#pauseMs * 2));
  }

  async #repair(signal: AbortSignal): Promise<void> {
    const { log, onChange, ports } = this.#options;
    const { tables } = this.#client;
    // Planned again: during the pause the rows may have changed.
    const plan = tables === undefined ? undefined : this.#options.plan(tables);
    const before = this.#error;
    try {
      if (plan !== undefined) {
        await this.#client.transact(plan.operations, signal);
        if (plan.repairs.length > 0) log.info({ ports: plan.repairs }, `${ports} put right`);
      }
      this.#error = null;
    } catch (error) {
      const { code, message } = asOvsdbError(error);
      if (code === 'aborted') return;
      if (code === 'refused' && before !== message) log.warn({ error: message }, `the ${ports} cannot be put right`);
      this.#error = message;
    } finally {
      this.#timer = undefined;
    }
    if (this.#error !== before) onChange();
    this.look();
  }
}
