/**
 * What the switches alone take for what was measured: the least that any controller takes on this machine.
 *
 * Owns: the same switches, with the flows that are in them, after whoever programmed them is gone; for each change as many flow-mods to each switch as
 * the change took, in a bundle written at once and a barrier; before them a commit to disk, after them, for a port, the mark beside the NIC.
 * Nothing of Hotori runs but the encoder, which is not timed.
 * Assumes: nobody writes to the switches meanwhile.
 */
import { open } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Flow } from '../../../flows/openflow/flow.js';
import { RawSwitch } from './raw-switch.js';
import { BRIDGE, type Switch } from './switches.js';

/** Flow-mods of one change, by switch. */
export type Mods = readonly number[];

export interface Floor {
  readonly bulkMs: number;
  /** Until the NIC is marked. */
  readonly addPortMs: readonly number[];
  readonly ruleMs: readonly number[];
}

/** What a small commit to the embedded store writes: the pages on the way to three records. */
const COMMIT_BYTES = 16 * 1024;
const PAUSE_MS = 30;

export class FloorLab {
  readonly #switches: readonly Switch[];
  readonly #raw: readonly RawSwitch[];
  readonly #flows: readonly (readonly Flow[])[];
  readonly #disk: Awaited<ReturnType<typeof open>>;

  private constructor(
    switches: readonly Switch[],
    raw: readonly RawSwitch[],
    flows: readonly Flow[][],
    disk: Awaited<ReturnType<typeof open>>,
  ) {
    this.#switches = switches;
    this.#raw = raw;
    this.#flows = flows;
    this.#disk = disk;
  }

  static async on(switches: readonly Switch[]): Promise<FloorLab> {
    const raw = await Promise.all(switches.map(({ ovs }) => RawSwitch.connect(ovs.openflowSocket(BRIDGE))));
    const flows: Flow[][] = [];
    for (const one of raw) flows.push(await one.flows());
    return new FloorLab(switches, raw, flows, await open(path.join(switches[0]!.ovs.dir, 'commits'), 'a'));
  }

  /** A change everywhere, `count` times; `nic`, if any, is marked in the end, on the switch with this number. */
  async change(mods: Mods, count: number, nic?: { readonly on: number; readonly name: string }): Promise<number[]> {
    const took: number[] = [];
    for (let i = 0; i < count; i++) {
      await sleep(PAUSE_MS);
      const bundles = this.#raw.map((one, s) => ((mods[s] ?? 0) === 0 ? undefined : one.bundle(this.#some(s, mods[s]!, i))));
      const started = performance.now();
      await this.#disk.write(Buffer.alloc(COMMIT_BYTES, i));
      await this.#disk.datasync();
      const sent = this.#raw.map((one, s) => (bundles[s] === undefined ? Promise.resolve() : one.send(bundles[s])));
      if (nic === undefined) await Promise.all(sent);
      else {
        await sent[nic.on];
        await this.#switches[nic.on]!.mark(nic.name, String(i));
      }
      took.push(performance.now() - started);
      await Promise.all(sent);
    }
    return took;
  }

  /** All flows there are, to all switches at once, whose tables are emptied before. */
  async bulk(): Promise<number> {
    const bundles = this.#raw.map((one, s) => one.bundle(this.#flows[s]!));
    await Promise.all(this.#switches.map(({ ovs }) => ovs.ofctl(['del-flows', BRIDGE], { timeoutMs: 120_000 })));
    const started = performance.now();
    await Promise.all(this.#raw.map((one, s) => one.send(bundles[s]!)));
    return performance.now() - started;
  }

  async close(): Promise<void> {
    for (const one of this.#raw) one.close();
    await this.#disk.close();
  }

  /** Flows that are there, of all tables: putting one again costs the switch what another one costs. */
  #some(s: number, count: number, turn: number): Flow[] {
    const flows = this.#flows[s]!;
    return Array.from({ length: count }, (_, i) => flows[(turn * 7919 + Math.floor((i * flows.length) / count)) % flows.length]!);
  }
}
