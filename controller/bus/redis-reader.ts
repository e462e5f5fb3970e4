/**
 * Reading streams of Redis as they grow.
 *
 * Owns: one connection that blocks, where each stream has been read to, and starting over when the connection does.
 * Assumes: ids of one stream grow. Whoever follows a stream checks for himself that nothing is missing.
 * Promises: entries come in order, once per `follow`; after each new connection every follower hears `onConnected` before it hears more. Who begins to
 * follow does not wait for the end of a read that began before.
 */
import { listOf, sleep, type RedisLine, type RedisReply } from './redis-line.js';

export interface StreamEntry {
  readonly id: string;
  readonly fields: ReadonlyMap<string, Buffer>;
}

export interface Follower {
  readonly key: string;
  /** Id of the last entry seen. The reader moves it; the owner may move it between two calls. */
  cursor: string;
  /** Whether the cursor stands where reading may go on. */
  isReady: boolean;
  readonly onEntries: (entries: readonly StreamEntry[]) => void;
  readonly onConnected: () => void;
}

/** A follower whose stream can be made to grow. */
export interface Bell extends Follower {
  /** Makes an entry appear. */
  nudge(): void;
}

const BLOCK_MS = 1_000;
const PATIENCE_MS = 3_000;
const ENTRIES = 64;
const RETRY_MS = 50;
const IDLE_MS = 10;

export class RedisReader {
  private readonly line: RedisLine;
  private readonly followers = new Set<Follower>();
  /** The connection that all followers have heard of. */
  private generation = -1;
  /** When that was seen to work first. */
  connectedAt = 0;
  private isReading = false;
  private isClosed = false;
  /** Ends a read that began before a stream was added. */
  private readonly bell: Bell;

  /** @param bell is followed too. */
  constructor(line: RedisLine, bell: Bell) {
    this.line = line;
    this.bell = bell;
    this.follow(bell);
    void this.work();
  }

  follow(follower: Follower): void {
    this.followers.add(follower);
    if (this.line.isConnected) follower.onConnected();
    this.wake();
  }

  forget(follower: Follower): void {
    this.followers.delete(follower);
  }

  /** A follower has become ready, or is new. */
  wake(): void {
    if (this.isReading) this.bell.nudge();
  }

  close(): void {
    this.isClosed = true;
    this.followers.clear();
  }

  private async work(): Promise<void> {
    while (!this.isClosed) {
      if (this.line.generation !== this.generation && this.line.isConnected) {
        this.generation = this.line.generation;
        this.connectedAt = performance.now();
        for (const follower of [...this.followers]) follower.onConnected();
      }
      try {
        await this.readOnce([...this.followers].filter(({ isReady }) => isReady));
      } catch {
        // The connection is gone, or Redis is not what we need: in its own time.
        await sleep(RETRY_MS);
      }
    }
  }

  private async readOnce(ready: readonly Follower[]): Promise<void> {
    const timeoutMs = BLOCK_MS + PATIENCE_MS;
    if (ready.length === 0) {
      // Also what makes the connection in the first place.
      await this.line.call(['PING'], { timeoutMs });
      return sleep(IDLE_MS);
    }
    const cursors = lowestCursors(ready);
    // A read that does not listen to the bell cannot be ended.
    const blockMs = ready.includes(this.bell) ? BLOCK_MS : IDLE_MS;
    this.isReading = true;
    let reply: RedisReply;
    try {
      const args = ['COUNT', ENTRIES, 'BLOCK', blockMs, 'STREAMS', ...cursors.keys(), ...cursors.values()];
      reply = await this.line.call(['XREAD', ...args], { timeoutMs });
    } finally {
      this.isReading = false;
    }
    // What a new connection answers is to be trusted only after its followers have looked.
    if (this.line.generation !== this.generation) return;
    for (const stream of listOf(reply)) {
      const [key, raw] = listOf(stream);
      const entries = listOf(raw).map(entryOf);
      for (const follower of ready) if (follower.key === String(key)) this.hand(follower, entries);
    }
  }

  private hand(follower: Follower, entries: readonly StreamEntry[]): void {
    const fresh = entries.filter(({ id }) => precedes(follower.cursor, id));
    if (fresh.length === 0 || !this.followers.has(follower) || !follower.isReady) return;
    follower.cursor = fresh.at(-1)!.id;
    follower.onEntries(fresh);
  }
}

/** Several may follow one stream from different places. */
function lowestCursors(ready: readonly Follower[]): Map<string, string> {
  const cursors = new Map<string, string>();
  for (const { key, cursor } of ready) {
    const other = cursors.get(key);
    if (other === undefined || precedes(cursor, other)) cursors.set(key, cursor);
  }
  return cursors;
}

function entryOf(reply: RedisReply): StreamEntry {
  const [id, flat] = listOf(reply);
  return { id: String(id), fields: fieldsOf(listOf(flat)) };
}

function fieldsOf(flat: readonly RedisReply[]): Map<string, Buffer> {
  const fields = new Map<string, Buffer>();
  for (let index = 0; index + 1 < flat.length; index += 2) fields.set(String(flat[index]), flat[index + 1] as Buffer);
  return fields;
}

/** Whether one stream id is lower than another. */
export function precedes(a: string, b: string): boolean {
  const [a0, a1] = partsOf(a);
  const [b0, b1] = partsOf(b);
  return a0 < b0 || (a0 === b0 && a1 < b1);
}

function partsOf(id: string): [bigint, bigint] {
  const dash = id.indexOf('-');
  return [BigInt(id.slice(0, dash)), BigInt(id.slice(dash + 1))];
}
