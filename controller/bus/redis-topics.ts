/**
 * Topics in Redis: a stream each, whose entries bear the position as id and the parts of a large message behind it.
 *
 * Promises: since the writer numbers, an entry sent twice is refused by Redis, and one that was never kept is missed by the reader.
 */
import { callOut } from '../kernel/call-out.js';
import type { TopicReader, TopicWriter } from './contract.js';
import { checkPayload } from './limits.js';
import { asBuffer, runScript, sleep, type RedisLine } from './redis-line.js';
import type { Follower, StreamEntry } from './redis-reader.js';
import { SCRIPTS } from './redis-scripts.js';

/** Bytes of one entry. */
export const PART = 512 * 1024;
/** What may wait for Redis. */
const MAX_WAITING_BYTES = 128 * 1024 * 1024;
const BATCH = 64;
const BATCH_BYTES = 4 * 1024 * 1024;
const RETRY_MS = 100;
/** A topic that nobody writes any more goes after this; the writer says before that it is still there. */
const KEEP_MS = 3_600_000;
const AFTER_CLOSE_MS = 30_000;
const PATIENCE_MS = 5_000;

/** The parts of a payload; an empty one has one. */
export function partsOf(payload: Uint8Array): Buffer[] {
  const parts: Buffer[] = [];
  const bytes = asBuffer(payload);
  for (let at = 0; at === 0 || at < bytes.length; at += PART) parts.push(bytes.subarray(at, at + PART));
  return parts;
}

interface Entry {
  readonly position: number;
  readonly part: number;
  readonly payload: Buffer;
  readonly parts: number;
}

export class RedisTopicWriter implements TopicWriter {
  private readonly line: RedisLine;
  private readonly key: string;
  private readonly keep: number;
  private readonly waiting: Entry[] = [];
  private readonly onEnd: () => void;
  private waitingBytes = 0;
  private position = 0;
  private working: Promise<void> | undefined;
  private isClosed = false;

  constructor(line: RedisLine, key: string, keep: number, onEnd: () => void) {
    this.line = line;
    this.key = key;
    this.keep = keep;
    this.onEnd = onEnd;
  }

  append(payload: Uint8Array): number {
    checkPayload(payload);
    const position = ++this.position;
    if (this.isClosed || this.waitingBytes + payload.length > MAX_WAITING_BYTES) return position;
    const parts = partsOf(payload);
    for (const [index, part] of parts.entries()) this.waiting.push({ position, part: index, payload: part, parts: parts.length });
    this.waitingBytes += payload.length;
    this.working ??= this.work();
    return position;
  }

  async flushed(): Promise<void> {
    await this.working;
  }

  async close(): Promise<void> {
    this.stop();
    await this.line.call(['PEXPIRE', this.key, AFTER_CLOSE_MS], { timeoutMs: PATIENCE_MS }).catch(() => undefined);
  }

  /** Sends nothing more. */
  stop(): void {
    this.isClosed = true;
    this.waiting.length = 0;
    this.onEnd();
  }

  /** Says that the topic is still written. Throws what Redis throws. */
  async refresh(): Promise<void> {
    if (!this.isClosed) await this.line.call(['PEXPIRE', this.key, KEEP_MS], { timeoutMs: PATIENCE_MS });
  }

  private async work(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.nextBatch();
      if (await this.send(batch)) {
        this.waiting.splice(0, batch.length);
        for (const { payload } of batch) this.waitingBytes -= payload.length;
      } else await sleep(RETRY_MS);
    }
    this.working = undefined;
  }

  private nextBatch(): Entry[] {
    let bytes = 0;
    let count = 0;
    while (count < this.waiting.length && count < BATCH && (count === 0 || bytes < BATCH_BYTES))
      bytes += this.waiting[count++]!.payload.length;
    return this.waiting.slice(0, count);
  }

  /** @returns whether Redis has them all, whether by this attempt or the one before. */
  private async send(batch: readonly Entry[]): Promise<boolean> {
    const entries = batch.flatMap(({ position, part, parts, payload }) => [position, part, parts, payload]);
    try {
      await runScript(this.line, SCRIPTS.append, [this.key], [this.keep, KEEP_MS, ...entries], PATIENCE_MS);
      return true;
    } catch {
      return false;
    }
  }
}

export class RedisTopicReader implements Follower {
  readonly key: string;
  cursor: string;
  isReady = true;
  private readonly reader: TopicReader;
  private readonly signal: AbortSignal;
  private last: number;
  private parts: Buffer[] = [];
  private partial = 0;

  constructor(key: string, after: number, reader: TopicReader, signal: AbortSignal) {
    this.key = key;
    this.last = after;
    this.cursor = `${after}-18446744073709551615`;
    this.reader = reader;
    this.signal = signal;
  }

  /** Ids are positions: a topic goes on after any outage where it was. */
  readonly onConnected = (): void => undefined;

  readonly onEntries = (entries: readonly StreamEntry[]): void => {
    for (const entry of entries) {
      if (this.signal.aborted) return;
      this.take(entry);
    }
  };

  private take({ id, fields }: StreamEntry): void {
    const dash = id.indexOf('-');
    const [position, part] = [Number(id.slice(0, dash)), Number(id.slice(dash + 1))];
    const [payload, count] = [fields.get('p'), Number(fields.get('n'))];
    if (part === 0) {
      this.parts = [];
      this.partial = position;
    }
    if (this.partial !== position || part !== this.parts.length || payload === undefined || !(count > part)) {
      // The beginning was trimmed, or it is none of ours: the rest is of no use.
      this.partial = 0;
      return this.skipTo(position + 1);
    }
    this.parts.push(payload);
    if (this.parts.length < count) return;
    const whole = this.parts.length === 1 ? payload : Buffer.concat(this.parts);
    this.parts = [];
    this.skipTo(position);
    this.last = position;
    callOut(() => this.reader.onMessage({ position, payload: whole }));
  }

  private skipTo(next: number): void {
    if (next <= this.last + 1) return;
    const { last } = this;
    this.last = next - 1;
    callOut(() => this.reader.onGap(last, next));
  }
}
