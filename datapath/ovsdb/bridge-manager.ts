/**
 * Keeps the integration bridge as it should be.
 *
 * Owns: creating the bridge, putting its settings right whenever they differ, creating it again when it is deleted; telling the agent
 * when the switch has it, and when something happened that may have cost it its flows.
 * Assumes: nobody else wants the bridge different for long: against someone who does, repairs come ever more slowly (up to every 5 s).
 * Promises: idempotent; never touches Controller rows, other bridges or ports.
 */
import { findBridge, planBridge, type BridgeSettings } from './bridge-plan.js';
import { openflowTargetOf, type Endpoint } from './endpoint.js';
import { OvsdbError, asOvsdbError } from './ovsdb-error.js';
import type { OvsdbClient, OvsdbLog } from './ovsdb-client.js';
import type { Row } from './schema.js';

export interface BridgeStatus {
  /**
   * `unknown`: OVSDB has not answered yet. `configuring`: the row is missing, wrong, or ovs-vswitchd has not taken it up.
   * `ready`: the switch runs the bridge under our datapath id.
   */
  readonly phase: 'unknown' | 'configuring' | 'ready';
  /** `0x` and 16 hex digits. */
  readonly dpid: string;
  /** Where ovs-vswitchd speaks OpenFlow for the bridge: `unix:PATH` or `tcp:HOST:PORT`. */
  readonly openflow_target: string;
  /** uuid of the Bridge row: another one is another bridge, with no flows. */
  readonly row_uuid: string | null;
  /** Why the last repair failed, until one succeeds. */
  readonly error: string | null;
}

export interface BridgeManagerOptions extends BridgeSettings {
  readonly endpoint: Endpoint;
  /** Needed when OVSDB is reached over TCP; otherwise `unix:<directory of the OVSDB socket>/<bridge>.mgmt`. */
  readonly openflow_target?: string | undefined;
  readonly log: OvsdbLog;
  /** Called on every change of the status. */
  readonly onStatus: (status: BridgeStatus) => void;
  /** A setting was put right, or a Controller row came or went: ovs-vswitchd forgets its flows on some of these. Compare them now. */
  readonly onDisturbed: (what: readonly string[]) => void;
}

const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;
/** Without a repair for this long, the next one is made at once again. */
const CALM_MS = 10_000;

export class BridgeManager {
  readonly #client: OvsdbClient;
  readonly #options: BridgeManagerOptions;
  #status: BridgeStatus;
  #controllers: string | undefined;
  #repairing = false;
  #pauseMs = 0;
  #calm: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;

  /** @throws OvsdbError `bad_endpoint` when the OpenFlow target can be neither derived nor was given */
  constructor(client: OvsdbClient, options: BridgeManagerOptions) {
    const target = options.openflow_target ?? openflowTargetOf(options.endpoint, options.name);
    if (target === undefined) {
      throw new OvsdbError('bad_endpoint', `bridge ${options.name}: with OVSDB over TCP, its OpenFlow target must be configured`);
    }
    this.#client = client;
    this.#options = options;
    this.#status = { phase: 'unknown', dpid: `0x${options.datapath_id}`, openflow_target: target, row_uuid: null, error: null };
  }

  get status(): BridgeStatus {
    return this.#status;
  }

  /** Watches and repairs until the signal; resolves then. */
  async run(signal: AbortSignal): Promise<void> {
    const unsubscribe = this.#client.subscribe(() => this.#look(signal));
    if (!signal.aborted) {
      this.#look(signal);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    }
    unsubscribe();
    clearTimeout(this.#calm);
    clearTimeout(this.#retry);
  }

  #look(signal: AbortSignal): void {
    const tables = this.#client.tables;
    if (tables === undefined || signal.aborted) return;
    const bridge = findBridge(tables, this.#options.name);
    const plan = planBridge(tables, this.#options);
    const isReady = bridge !== undefined && plan === undefined && bridge.datapath_id === this.#options.datapath_id;
    this.#setStatus({ phase: isReady ? 'ready' : 'configuring', row_uuid: bridge?._uuid ?? null });
    this.#watchControllers(bridge);
    if (plan === undefined || this.#repairing || !this.#client.isSynced) return;

    this.#repairing = true;
    this.#retry = setTimeout(() => void this.#repair(signal), this.#pauseMs);
    this.#pauseMs = Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, this.#pauseMs * 2));
    clearTimeout(this.#calm);
    this.#calm = setTimeout(() => (this.#pauseMs = 0), this.#pauseMs + CALM_MS);
  }

  async #repair(signal: AbortSignal): Promise<void> {
    const tables = this.#client.tables;
    // Planned again: during the pause the rows may have changed.
    const plan = tables === undefined ? undefined : planBridge(tables, this.#options);
    try {
      if (plan !== undefined) {
        await this.#client.transact(plan.operations, signal);
        this.#options.log.info({ repairs: plan.repairs }, 'bridge repaired');
        this.#setStatus({ error: null });
        this.#options.onDisturbed(plan.repairs);
      }
    } catch (error) {
      const { code, message } = asOvsdbError(error);
      if (code === 'aborted') return;
      if (code === 'refused') this.#options.log.warn({ error: message }, 'the bridge cannot be repaired');
      this.#setStatus({ error: message });
    } finally {
      this.#repairing = false;
    }
    this.#look(signal);
  }

  #watchControllers(bridge: Row<'Bridge'> | undefined): void {
    const controllers = bridge === undefined ? undefined : [...bridge.controller].sort().join(' ');
    const before = this.#controllers;
    this.#controllers = controllers;
    if (before !== undefined && controllers !== undefined && before !== controllers) this.#options.onDisturbed(['controller']);
  }

  #setStatus(change: Partial<BridgeStatus>): void {
    const next = { ...this.#status, ...change };
    const { phase, row_uuid, error } = this.#status;
    if (next.phase === phase && next.row_uuid === row_uuid && next.error === error) return;
    this.#status = next;
    this.#options.onStatus(next);
  }
}
