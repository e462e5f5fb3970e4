/**
 * Watching a table in Redis.
 *
 * Owns: what the watcher knows of the table; reading it anew after each new connection, and when changes are missing from its log.
 * Promises: the sink hears differences only. While the transport is away what was known last stands.
 */
import { callOut } from '../kernel/call-out.js';
import type { TableChange } from './contract.js';
import { listOf, runScript, sleep, type RedisLine, type RedisReply } from './redis-line.js';
import type { Follower, StreamEntry } from './redis-reader.js';
import { SCRIPTS } from './redis-scripts.js';

const RETRY_MS = 200;
export const PATIENCE_MS = 3_000;

export class RedisWatch implements Follower {
  readonly key: string;
  cursor = '0-0';
  isReady = false;
  private readonly line: RedisLine;
  private readonly keys: readonly [string, string, string];
  private readonly sink: (change: TableChange) => void;
  private readonly signal: AbortSignal;
  private readonly onReady: () => void;
  private known: Map<string, Buffer> | undefined;
  private listing = 0;

  /** @param onReady the cursor stands: reading may go on. */
  constructor(
    line: RedisLine,
    keys: readonly [string, string, string],
    sink: (change: TableChange) => void,
    signal: AbortSignal,
    onReady: () => void,
  ) {
    this.line = line;
    this.keys = keys;
    this.key = keys[2];
    this.sink = sink;
    this.signal = signal;
    this.onReady = onReady;
  }

  readonly onConnected = (): void => void this.relist();

  readonly onEntries = (entries: readonly StreamEntry[]): void => {
    const change = new Map<string, Buffer | undefined>();
    let expected = this.counted;
    for (const { id, fields } of entries) {
      const key = fields.get('k');
      if (numberOf(id) !== ++expected || key === undefined) return void this.relist();
      change.set(key.toString(), fields.get('v'));
    }
    this.counted = expected;
    this.apply(change);
  };

  /** Hears no more. */
  stop(): void {
    this.isReady = false;
    this.listing++;
  }

  /** Tells of values that are over. Throws what Redis throws. */
  async sweep(): Promise<void> {
    if (!this.isReady) return;
    const [last, over] = (await runScript(this.line, SCRIPTS.sweep, this.keys, [], PATIENCE_MS)) as [number, number];
    // Fewer changes than were read: the log is another one.
    if (over > 0 || last < this.counted) await this.relist();
  }

  /** Number of the last change taken in. */
  private counted = 0;

  private async relist(): Promise<void> {
    const listing = ++this.listing;
    this.isReady = false;
    while (!this.signal.aborted && listing === this.listing) {
      try {
        const { last, values } = await listTable(this.line, this.keys);
        if (listing !== this.listing) return;
        this.counted = last;
        this.cursor = `${last}-0`;
        this.replace(values);
        this.isReady = true;
        this.onReady();
        return;
      } catch {
        await sleep(RETRY_MS);
      }
    }
  }

  private replace(values: Map<string, Buffer>): void {
    const change = new Map<string, Buffer | undefined>();
    for (const key of this.known?.keys() ?? []) if (!values.has(key)) change.set(key, undefined);
    for (const [key, value] of values) if (!(this.known?.get(key)?.equals(value) ?? false)) change.set(key, value);
    const isFirst = this.known === undefined;
    this.known = values;
    if (isFirst || change.size > 0) this.tell(change);
  }

  private apply(change: Map<string, Buffer | undefined>): void {
    for (const [key, value] of change) {
      const before = this.known!.get(key);
      if (value === undefined ? before === undefined : before?.equals(value)) change.delete(key);
      if (value === undefined) this.known!.delete(key);
      else this.known!.set(key, value);
    }
    if (change.size > 0) this.tell(change);
  }

  private tell(change: TableChange): void {
    if (!this.signal.aborted) callOut(() => this.sink(change));
  }
}

export async function listTable(
  line: RedisLine,
  keys: readonly [string, string, string],
): Promise<{ readonly last: number; readonly values: Map<string, Buffer> }> {
  const [last, ...flat] = listOf(await runScript(line, SCRIPTS.list, keys, [], PATIENCE_MS)) as readonly [number, ...RedisReply[]];
  const values = new Map<string, Buffer>();
  for (let index = 0; index + 1 < flat.length; index += 2) values.set(String(flat[index]), flat[index + 1] as Buffer);
  return { last, values };
}

function numberOf(id: string): number {
  return Number(id.slice(0, id.indexOf('-')));
}
