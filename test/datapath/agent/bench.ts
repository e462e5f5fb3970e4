/**
 * One bridge in memory with a reconciler at work on it, and time at a test's command.
 */
import { jest } from '@jest/globals';
import type { Tables } from '../../../flows/compile/contract.js';
import type { Flow, Meter } from '../../../flows/openflow/flow.js';
import { isOurs } from '../../../flows/pipeline/cookie.js';
import { isCanary } from '../../../datapath/agent/canary.js';
import { Reconciler } from '../../../datapath/agent/reconciler.js';
import { ManualClock } from './manual-clock.js';
import { MemorySwitch, type MemoryChannel } from './memory-switch.js';
import { difference, testTables } from './tables.js';

export const AUDIT_MS = 10_000;
const RECONNECT_MS = 50;
export const EMPTY = testTables(new Map(), new Map());
export const METER: Meter = { meter_id: 1, flags: 2, bands: [{ kind: 'drop', rate: 10, burst_size: 10 }] };

/** One bridge with its agent's reconciler, all in memory. */
export class Bench {
  readonly clock = new ManualClock();
  readonly bridge: MemorySwitch;
  readonly log = { info: jest.fn(), warn: jest.fn(), error: jest.fn() };
  readonly reconciler: Reconciler;
  channel: MemoryChannel | undefined;
  wanted: Tables = EMPTY;
  onProgress: () => void = () => undefined;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(bridge = new MemorySwitch(), auditPortion?: number) {
    this.bridge = bridge;
    this.reconciler = new Reconciler({
      clock: this.clock,
      random: () => 0.5,
      log: this.log,
      auditPeriodMs: AUDIT_MS,
      auditPortion,
      explain: (cookie) => ({ rule: 'test', uuids: [`if-${cookie & 0xffffn}`] }),
      onProgress: () => this.onProgress(),
    });
  }

  start(): void {
    this.#running = this.#serve(this.#stop.signal);
  }

  /** Starts with these tables wanted, as after a first snapshot, and lets everything happen. */
  async begin(tables: Tables, seq = 1): Promise<void> {
    this.wanted = tables;
    this.reconciler.replace(tables);
    this.reconciler.mark(seq);
    this.reconciler.begin();
    this.start();
    await this.clock.settle();
  }

  want(tables: Tables, seq?: number): void {
    this.reconciler.change(difference(this.wanted, tables));
    this.wanted = tables;
    if (seq !== undefined) this.reconciler.mark(seq);
  }

  ours(): Map<string, Flow> {
    return new Map([...this.bridge.flows].filter(([, flow]) => isOurs(flow.cookie) && !isCanary(flow)));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.clock.settle();
    await this.#running;
  }

  async #serve(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.channel = this.bridge.connect();
      await this.reconciler.attend(this.channel, signal).catch(() => this.channel?.close());
      await this.clock.sleep(RECONNECT_MS, signal);
    }
  }
}
