/**
 * The board of vnmgrs in processes of their own.
 *
 * Owns: the rows in a table of the bus, and who of the vnmgrs is alive.
 * Promises: a row that was published is on the bus in the end, as it is then. The rows of a vnmgr that shows no sign of life are of a vna that is attached
 * nowhere.
 */
import { z } from 'zod';
import type { Bus, TableChange } from '../bus/contract.js';
import { callOut } from '../kernel/call-out.js';
import { decodeMessage, encodeMessage, MessageError } from '../messages/envelope.js';
import { conditionSchema } from '../messages/slice-service.js';
import { AppliedRows, type Applied, type AppliedBoard } from './board.js';

const ROWS = 'applied';
const ALIVE = 'vnmgrs';
const WANTED = 'applied-wanted';
const ALIVE_MS = 5_000;
const BEAT_MS = 1_500;
const ROW_MS = 120_000;
const ROW_REFRESH_BEATS = 25;
const RETRY_MS = 500;
const WANTED_MS = 10_000;
const EMPTY = new Uint8Array(0);

const rowSchema = z.object({
  datapath_uuid: z.string(),
  served_by: z.string(),
  attached_at: z.number(),
  incarnation: z.string(),
  revision: z.int().nullable(),
  attached: z.boolean(),
  connected: z.boolean(),
  flow_count: z.int(),
  flow_mods: z.int(),
  drift_repairs: z.int(),
  error: z.object({ revision: z.int(), message: z.string(), uuids: z.array(z.string()) }).nullable(),
  conditions: z.array(conditionSchema).optional(),
});

export class BusAppliedBoard implements AppliedBoard {
  private readonly bus: Bus;
  private readonly rows = new AppliedRows();
  /** As written, for when their vnmgr comes or goes. */
  private readonly written = new Map<string, Applied>();
  private readonly own = new Map<string, Applied>();
  private readonly alive = new Set<string>();
  private isAliveKnown = false;
  private readonly watchers = new Set<(datapath_uuid: string) => void>();
  private readonly refreshers = new Set<() => void>();
  /** Keys of own rows that the bus has not got as they are. */
  private readonly dirty = new Set<string>();
  private readonly stop = new AbortController();
  private readonly beating: NodeJS.Timeout;
  private isFlushing = false;
  private beats = 0;
  private asked = 0;

  constructor(bus: Bus) {
    this.bus = bus;
    const { signal } = this.stop;
    bus.watch(ALIVE, (change) => this.followAlive(change), signal);
    bus.watch(ROWS, (change) => this.followRows(change), signal);
    bus.watch(
      WANTED,
      () => {
        for (const sink of [...this.refreshers]) callOut(sink);
      },
      signal,
    );
    this.beating = setInterval(() => this.beat(), BEAT_MS);
    this.beat();
  }

  get(datapath_uuid: string): Applied | undefined {
    return this.rows.get(datapath_uuid);
  }

  publish(applied: Applied): void {
    const key = keyOf(applied.datapath_uuid, applied.served_by);
    this.own.set(key, applied);
    this.take(key, applied);
    this.markDirty(key);
  }

  forget(datapath_uuid: string, served_by: string): void {
    const key = keyOf(datapath_uuid, served_by);
    this.own.delete(key);
    this.take(key, undefined);
    this.markDirty(key);
  }

  watch(sink: (datapath_uuid: string) => void, signal: AbortSignal): void {
    keep(this.watchers, sink, signal);
  }

  refresh(): void {
    const wanted = encodeMessage('wanted', { by: this.bus.member, time: ++this.asked });
    // Who waits for the rows waits for what comes anyway.
    void this.bus.put(WANTED, this.bus.member, wanted, WANTED_MS).catch(() => undefined);
  }

  onRefresh(sink: () => void, signal: AbortSignal): void {
    keep(this.refreshers, sink, signal);
  }

  /** Says that this vnmgr serves nobody any more. */
  async close(): Promise<void> {
    clearInterval(this.beating);
    this.stop.abort();
    await this.bus.remove(ALIVE, this.bus.member).catch(() => undefined);
  }

  private beat(): void {
    void this.bus.put(ALIVE, this.bus.member, EMPTY, ALIVE_MS).catch(() => undefined);
    if (++this.beats % ROW_REFRESH_BEATS === 0) for (const key of this.own.keys()) this.markDirty(key);
  }

  private markDirty(key: string): void {
    this.dirty.add(key);
    if (this.isFlushing) return;
    this.isFlushing = true;
    void this.flush();
  }

  private async flush(): Promise<void> {
    while (this.dirty.size > 0 && !this.stop.signal.aborted) {
      const keys = [...this.dirty];
      this.dirty.clear();
      const written = await Promise.all(keys.map((key) => this.write(key)));
      // The bus is away. A row that was published again meanwhile goes at once.
      if (!written.includes(true)) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    this.isFlushing = false;
  }

  /** @returns false when it has to be written again. */
  private async write(key: string): Promise<boolean> {
    const row = this.own.get(key);
    try {
      if (row === undefined) await this.bus.remove(ROWS, key);
      else await this.bus.put(ROWS, key, encodeMessage('applied', row), ROW_MS);
      return true;
    } catch {
      this.dirty.add(key);
      return false;
    }
  }

  private followRows(change: TableChange): void {
    for (const [key, value] of change) if (!this.own.has(key)) this.take(key, value === undefined ? undefined : decodeRow(value));
  }

  private followAlive(change: TableChange): void {
    this.isAliveKnown = true;
    const concerned = new Set<string>();
    for (const [name, value] of change)
      if (value === undefined ? this.alive.delete(name) : !this.alive.has(name) && this.alive.add(name)) concerned.add(name);
    for (const [key, row] of [...this.written]) if (concerned.has(row.served_by)) this.take(key, row);
  }

  /** Takes a row as it was written, or that it is gone. */
  private take(key: string, row: Applied | undefined): void {
    const before = this.written.get(key);
    const datapath = row?.datapath_uuid ?? before?.datapath_uuid;
    if (datapath === undefined) return;
    if (row === undefined) {
      this.written.delete(key);
      this.rows.delete(datapath, before!.served_by);
    } else {
      this.written.set(key, row);
      this.rows.set(this.isGone(row.served_by) ? { ...row, attached: false, connected: false } : row);
    }
    for (const sink of [...this.watchers]) callOut(() => sink(datapath));
  }

  private isGone(vnmgr: string): boolean {
    return vnmgr !== this.bus.member && this.isAliveKnown && !this.alive.has(vnmgr);
  }
}

const keyOf = (datapath_uuid: string, served_by: string): string => `${datapath_uuid}/${served_by}`;

/** undefined for what is none of ours. */
function decodeRow(bytes: Uint8Array): Applied | undefined {
  try {
    return decodeMessage(bytes, { applied: rowSchema }).body;
  } catch (error) {
    if (error instanceof MessageError) return undefined;
    throw error;
  }
}

function keep<T>(set: Set<T>, one: T, signal: AbortSignal): void {
  if (signal.aborted) return;
  set.add(one);
  signal.addEventListener('abort', () => set.delete(one), { once: true });
}
