/**
 * What is sent to one member: a stream of letters.
 *
 * Owns: writing letters into the inboxes of others, in parts where they are large; putting those that come in together again; taking from the
 * stream what has been read.
 * Promises: parts of a letter that never becomes whole are dropped in the end.
 */
import { BusError, MAX_PAYLOAD } from './contract.js';
import type { BusKeys } from './redis-keys.js';
import { isUnsent, listOf, runScript, sleep, type RedisArg, type RedisLine, type RedisReply } from './redis-line.js';
import { precedes, type Bell, type StreamEntry } from './redis-reader.js';
import { SCRIPTS } from './redis-scripts.js';
import { partsOf } from './redis-topics.js';

export interface Letter {
  readonly kind: 'question' | 'answer' | 'failed' | 'too_large' | 'not_served';
  /** Of the request, by the client's count. */
  readonly id: string;
  readonly sender: string;
  readonly subject: string;
  readonly payload: Uint8Array;
}

export interface OutgoingLetter extends Omit<Letter, 'sender'> {
  /** A question that is older when it is read is of no interest any more. */
  readonly ttlMs: number;
}

export interface InboxEvents {
  readonly onLetter: (letter: Letter) => void;
  /** Letters may have been lost with the transport. */
  readonly onLost: () => void;
  /** Reading may go on. */
  readonly onReady: () => void;
}

/** Letters that wait for a member; more are refused. */
const MAX_WAITING = 10_000;
const KEEP_MS = 60_000;
const RETRY_MS = 200;
const PATIENCE_MS = 3_000;
const TRIM_AFTER = 256;
const MAX_PARTIAL_MS = 60_000;
const KINDS: ReadonlySet<string> = new Set<Letter['kind']>(['question', 'answer', 'failed', 'too_large', 'not_served']);

interface Partial {
  readonly parts: Buffer[];
  readonly since: number;
  bytes: number;
}

export class RedisInbox implements Bell {
  readonly key: string;
  /** Resolves once there is a stream for letters. */
  readonly opened: Promise<void>;
  cursor = '0-0';
  isReady = false;
  private readonly line: RedisLine;
  private readonly keys: BusKeys;
  private readonly member: string;
  private readonly events: InboxEvents;
  private readonly partial = new Map<string, Partial>();
  private untrimmed = 0;
  private opening = 0;
  private isStopped = false;
  private wasOpen = false;
  private tellOpened!: () => void;
  /** Redis' clock less ours, milliseconds. */
  private ahead = 0;

  constructor(line: RedisLine, keys: BusKeys, member: string, events: InboxEvents) {
    this.line = line;
    this.keys = keys;
    this.member = member;
    this.key = keys.inbox(member);
    this.events = events;
    this.opened = new Promise((resolve) => (this.tellOpened = resolve));
  }

  /**
   * @param ends where the recipient's registration ends, for a question.
   * @returns false when there is no such member (any more). Throws BusError `overloaded`, `unavailable`.
   */
  async send(to: string, { kind, id, subject, payload, ttlMs }: OutgoingLetter, ends: string | undefined): Promise<boolean> {
    const inbox = this.keys.inbox(to);
    const parts = partsOf(payload);
    const ttl = Number.isFinite(ttlMs) ? Math.ceil(ttlMs) : 0;
    const recipient = [ends === undefined ? '' : to, MAX_WAITING];
    const sent = parts.map((part, index) => {
      const head = ['k', kind, 'i', id, 's', this.member, 'u', subject, 'o', index, 'n', parts.length, 't', ttl];
      return runScript(this.line, SCRIPTS.send, [inbox, ends ?? inbox], [...recipient, ...head, 'p', part], PATIENCE_MS);
    });
    let outcomes: RedisReply[];
    try {
      outcomes = await Promise.all(sent);
    } catch (error) {
      // Without one of its parts the letter is none.
      throw new BusError('unavailable', `Redis did not take it: ${String(error)}`, { cause: error, unsent: isUnsent(error) });
    }
    if (outcomes.includes(-1)) throw new BusError('overloaded', `${to} does not keep up`, { server: to });
    return !outcomes.includes(0);
  }

  /** Makes the stream grow, so that whoever waits for it looks again. */
  nudge(): void {
    if (this.line.isConnected && !this.isStopped) this.call('XADD', this.key, '*', 'k', 'nudge').catch(() => undefined);
  }

  readonly onConnected = (): void => void this.open();

  readonly onEntries = (entries: readonly StreamEntry[]): void => {
    this.untrimmed += entries.length;
    if (this.untrimmed >= TRIM_AFTER) void this.trim().catch(() => undefined);
    for (const entry of entries) this.take(entry);
  };

  /** Keeps the stream alive; throws what Redis throws. */
  async beat(): Promise<void> {
    const limit = performance.now() - MAX_PARTIAL_MS;
    for (const [id, { since }] of this.partial) if (since < limit) this.partial.delete(id);
    if (!this.isReady) return;
    if (this.untrimmed > 0) await this.trim();
    // Clocks are set right now and then.
    await this.compareClocks();
    if ((await this.call('PEXPIRE', this.key, KEEP_MS)) === 0) await this.open();
  }

  /** Reads no more. */
  stop(): void {
    this.isReady = false;
    this.isStopped = true;
    this.opening++;
  }

  /** Removes the stream. */
  async end(): Promise<void> {
    this.stop();
    await this.call('UNLINK', this.key);
  }

  /** Finds where to read on. A stream that is shorter than what was read from it is another one: letters were lost with the one before. */
  private async open(): Promise<void> {
    const opening = ++this.opening;
    this.isReady = false;
    while (opening === this.opening && !this.isStopped) {
      try {
        const [last] = listOf(await this.call('XREVRANGE', this.key, '+', '-', 'COUNT', 1));
        const isNew = last === undefined || precedes(String(listOf(last)[0]), this.cursor);
        if (isNew) {
          if (this.wasOpen) this.events.onLost();
          this.cursor = '0-0';
          await this.call('XADD', this.key, '*', 'k', 'nudge');
        }
        await this.call('PEXPIRE', this.key, KEEP_MS);
        await this.compareClocks();
        if (opening !== this.opening) return;
        this.wasOpen = true;
        this.isReady = true;
        this.tellOpened();
        return this.events.onReady();
      } catch {
        await sleep(RETRY_MS);
      }
    }
  }

  private async compareClocks(): Promise<void> {
    const [seconds, micros] = listOf(await this.call('TIME'));
    this.ahead = Number(seconds) * 1000 + Number(micros) / 1000 - performance.now();
  }

  private call(...args: readonly RedisArg[]): Promise<RedisReply> {
    return this.line.call(args, { timeoutMs: PATIENCE_MS });
  }

  /** The last entry stays: it says up to where the stream has been. */
  private async trim(): Promise<void> {
    this.untrimmed = 0;
    await this.call('XTRIM', this.key, 'MINID', this.cursor);
  }

  private take({ id: entryId, fields }: StreamEntry): void {
    const text = (name: string) => fields.get(name)?.toString() ?? '';
    const kind = text('k');
    const payload = fields.get('p');
    if (!KINDS.has(kind) || payload === undefined) return;
    const [id, sender, subject] = [text('i'), text('s'), text('u')];
    const [index, count, ttl] = [Number(text('o')), Number(text('n')), Number(text('t'))];
    const whole = count === 1 ? payload : this.gather(`${sender} ${kind} ${id}`, index, count, payload);
    if (whole === undefined) return;
    const age = ttl > 0 ? this.ahead + performance.now() - Number(entryId.slice(0, entryId.indexOf('-'))) : 0;
    // Its client waits no more; after a long pause there may be many of them.
    if (kind === 'question' && ttl > 0 && age > ttl) return;
    this.events.onLetter({ kind: kind as Letter['kind'], id, sender, subject, payload: whole });
  }

  private gather(letter: string, index: number, count: number, part: Buffer): Buffer | undefined {
    let partial = this.partial.get(letter);
    if (index === 0) this.partial.set(letter, (partial = { parts: [], since: performance.now(), bytes: 0 }));
    if (partial === undefined || partial.parts.length !== index || partial.bytes + part.length > MAX_PAYLOAD) {
      this.partial.delete(letter);
      return undefined;
    }
    partial.parts.push(part);
    partial.bytes += part.length;
    if (partial.parts.length < count) return undefined;
    this.partial.delete(letter);
    return Buffer.concat(partial.parts);
  }
}
