/**
 * A bus over Redis.
 *
 * Owns: two connections, the inbox of this member, its signs of life, and what it serves, writes, reads and watches.
 * Assumes: Redis 7 or later (or Valkey); memory policy `noeviction`.
 * Promises: the contract of contract.ts. A member that shows no sign of life for LIFE_BEATS seconds is lost to the others; one that was paused goes on by itself.
 */
import {
  BusError,
  type Answer,
  type Bus,
  type Handler,
  type RequestOptions,
  type TableChange,
  type TopicLimits,
  type TopicReader,
  type TopicWriter,
} from './contract.js';
import { checkPayload, checkValue } from './limits.js';
import { RedisInbox, type Letter } from './redis-inbox.js';
import { BusKeys } from './redis-keys.js';
import { asBuffer, runScript, type RedisLine } from './redis-line.js';
import { RedisReader } from './redis-reader.js';
import { SCRIPTS } from './redis-scripts.js';
import { RedisTopicReader, RedisTopicWriter } from './redis-topics.js';
import { listTable, PATIENCE_MS, RedisWatch } from './redis-watch.js';
import { Pending } from './pending.js';
import { Roster, type Servers } from './roster.js';

export interface RedisBusParts {
  /** Seen by others: letters, digits and `. _ : -`. */
  readonly member: string;
  /** Of every key, with its hash tag: `{hotori}:`. */
  readonly prefix: string;
  /** A connection for commands that are answered at once, and one of its own for those that wait. Whoever made them closes them, after the bus. */
  readonly commands: RedisLine;
  readonly blocking: RedisLine;
  /** Between two signs of life, milliseconds; a second when absent. */
  readonly beatMs?: number;
  /** How long it is followed who serves a subject that is not asked any more, milliseconds; a minute when absent. */
  readonly followMs?: number;
}

const BEAT_MS = 1_000;
/** Missed signs of life after which a member is lost. */
const LIFE_BEATS = 3.5;
const BEAT_PATIENCE_MS = 2_000;
/** Tables of subjects and topics go after an hour unless somebody says that they are still of use. */
const KEEP_BEATS = 300;
/** That are registered in one step. */
const SUBJECTS = 100;
const FOLLOW_MS = 60_000;

interface Served {
  readonly handler: Handler;
  readonly signal: AbortSignal;
}

export class RedisBus implements Bus {
  readonly member: string;
  private readonly keys: BusKeys;
  private readonly commands: RedisLine;
  private readonly blocking: RedisLine;
  private readonly reader: RedisReader;
  private readonly inbox: RedisInbox;
  private readonly pending = new Pending();
  private readonly serving = new Map<string, Served>();
  private readonly roster: Roster;
  private readonly watches = new Set<RedisWatch>();
  private readonly writers = new Set<RedisTopicWriter>();
  /** Tables that have been given another hour lately. */
  private readonly kept = new Set<string>();
  private readonly closing = new AbortController();
  private readonly beating: NodeJS.Timeout;
  private readonly lifeMs: number;
  private isBeating = false;
  private beats = 0;

  /** Returns at once; connects by itself. */
  constructor({ member, prefix, commands, blocking, beatMs = BEAT_MS, followMs = FOLLOW_MS }: RedisBusParts) {
    this.member = member;
    this.keys = new BusKeys(prefix);
    this.commands = commands;
    this.blocking = blocking;
    this.inbox = new RedisInbox(commands, this.keys, member, {
      onLetter: (letter) => this.take(letter),
      onLost: () => this.pending.failAll(() => new BusError('unavailable', 'Redis was lost, and perhaps the answer with it')),
      onReady: () => this.reader.wake(),
    });
    this.reader = new RedisReader(blocking, this.inbox);
    this.lifeMs = beatMs * LIFE_BEATS;
    this.roster = new Roster({
      member,
      followMs,
      watch: (subject, sink, signal) => this.watch(servingTable(subject), sink, signal),
      onLost: (server, subject) => this.pending.loseServer(server, subject),
    });
    this.beating = setInterval(() => void this.beat(), beatMs);
    // What makes the connection, so that it is known at once if there is none.
    commands.call(['PING'], { timeoutMs: PATIENCE_MS }).catch(() => undefined);
    void this.beat();
  }

  get isConnected(): boolean {
    return this.commands.isConnected && this.blocking.isConnected;
  }

  get isSettled(): boolean {
    return this.isConnected && performance.now() - this.reader.connectedAt > this.lifeMs;
  }

  async request(subject: string, payload: Uint8Array, options: RequestOptions): Promise<Answer> {
    options.signal?.throwIfAborted();
    this.checkOpen();
    checkPayload(payload);
    return this.roster.with(subject, (servers) => this.requestOf(servers, subject, payload, options));
  }

  private async requestOf(
    servers: Servers,
    subject: string,
    payload: Uint8Array,
    { timeoutMs, signal, except = [] }: RequestOptions,
  ): Promise<Answer> {
    const deadline = performance.now() + timeoutMs;
    // What is answered before there is an inbox is lost.
    await within(Promise.all([servers.known, this.inbox.opened]), Math.min(timeoutMs, PATIENCE_MS), signal);
    const refused = new Set(except);
    for (;;) {
      signal?.throwIfAborted();
      const live = [...servers.live].filter((member) => !refused.has(member));
      const server = live[servers.turn++ % live.length];
      if (server === undefined) throw new BusError('no_server', `nobody serves ${subject}`);
      const left = deadline - performance.now();
      let sent: Promise<boolean> = Promise.resolve(true);
      const answer = this.pending.add({ server, subject, timeoutMs: Math.max(left, 1), signal }, (id) => {
        sent = this.inbox
          .send(server, { kind: 'question', id, subject, payload, ttlMs: left }, this.keys.table(servingTable(subject))[1])
          .then(
            (found) => found,
            (error: unknown) => {
              this.pending.fail(id, error);
              return true;
            },
          );
        void sent.then((found) => {
          if (!found) this.pending.fail(id, new BusError('no_server', `nobody serves ${subject}`));
        });
      });
      // Whoever was not there has not acted on it: the next one is asked.
      const [found] = await Promise.all([sent, answer.catch(() => undefined)]);
      if (found) return answer;
      refused.add(server);
    }
  }

  serve(subject: string, handler: Handler, signal: AbortSignal): void {
    const served = { handler, signal };
    this.serving.set(subject, served);
    const end = () => {
      if (this.serving.get(subject) !== served) return;
      this.serving.delete(subject);
      void this.remove(servingTable(subject), this.member).catch(() => undefined);
    };
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    else void this.register([subject], true).catch(() => undefined);
  }

  write(topic: string, { keep }: TopicLimits): TopicWriter {
    const writer: RedisTopicWriter = new RedisTopicWriter(this.commands, this.keys.topic(topic), keep, () => this.writers.delete(writer));
    this.writers.add(writer);
    return writer;
  }

  read(topic: string, after: number, reader: TopicReader, signal: AbortSignal): void {
    if (signal.aborted) return;
    const follower = new RedisTopicReader(this.keys.topic(topic), after, reader, signal);
    signal.addEventListener('abort', () => this.reader.forget(follower), { once: true });
    this.reader.follow(follower);
  }

  async put(table: string, key: string, value: Uint8Array, ttlMs: number): Promise<void> {
    checkValue(value);
    const isKept = !this.kept.has(table);
    this.kept.add(table);
    const args = [key, asBuffer(value), Math.ceil(ttlMs), isKept ? 1 : 0];
    await this.run(() => runScript(this.commands, SCRIPTS.put, this.keys.table(table), args, PATIENCE_MS));
  }

  async remove(table: string, key: string): Promise<void> {
    await this.run(() => runScript(this.commands, SCRIPTS.remove, this.keys.table(table), [key], PATIENCE_MS));
  }

  async list(table: string): Promise<ReadonlyMap<string, Uint8Array>> {
    const { values } = await this.run(() => listTable(this.commands, this.keys.table(table)));
    return values;
  }

  watch(table: string, sink: (change: TableChange) => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    const watch = new RedisWatch(this.commands, this.keys.table(table), sink, signal, () => this.reader.wake());
    this.watches.add(watch);
    signal.addEventListener(
      'abort',
      () => {
        watch.stop();
        this.watches.delete(watch);
        this.reader.forget(watch);
      },
      { once: true },
    );
    this.reader.follow(watch);
  }

  async close(): Promise<void> {
    if (this.closing.signal.aborted) return;
    this.closing.abort();
    clearInterval(this.beating);
    this.pending.failAll(() => new BusError('closed', 'the bus was closed'));
    const subjects = [...this.serving.keys()];
    this.serving.clear();
    for (const writer of [...this.writers]) writer.stop();
    for (const watch of this.watches) watch.stop();
    this.roster.close();
    this.inbox.stop();
    this.reader.close();
    if (this.commands.isConnected) {
      const farewell = [
        ...subjects.map((subject) =>
          runScript(this.commands, SCRIPTS.remove, this.keys.table(servingTable(subject)), [this.member], BEAT_PATIENCE_MS),
        ),
        this.inbox.end(),
      ];
      await within(Promise.allSettled(farewell), BEAT_PATIENCE_MS).catch(() => undefined);
    }
  }

  private take(letter: Letter): void {
    const { kind, id, sender } = letter;
    if (kind === 'question') return void this.answer(letter);
    // Only the member that was asked may answer.
    if (this.pending.serverOf(id) !== sender) return;
    if (kind === 'answer') this.pending.settle(id, { payload: letter.payload, server: sender });
    else if (kind === 'not_served') this.pending.loseServer(sender, letter.subject);
    else this.pending.fail(id, new BusError(kind, `${sender} answers: ${kind}`, { server: sender }));
  }

  private async answer({ id, sender, subject, payload }: Letter): Promise<void> {
    const served = this.serving.get(subject);
    const reply = async (kind: Letter['kind'], bytes: Uint8Array = EMPTY): Promise<void> => {
      // A client that cannot be told finds out by its time-out, or is gone.
      await this.inbox.send(sender, { kind, id, subject, payload: bytes, ttlMs: Infinity }, undefined).catch(() => undefined);
    };
    if (served === undefined) return reply('not_served');
    try {
      const answer = await served.handler({ payload, client: sender, signal: served.signal });
      checkPayload(answer);
      await reply('answer', answer);
    } catch (error) {
      await reply(error instanceof BusError && error.code === 'too_large' ? 'too_large' : 'failed');
    }
  }

  /** @param isKept its tables stay for another hour. */
  private async register(subjects: readonly string[], isKept: boolean): Promise<void> {
    // Who is known to serve is asked at once.
    await this.inbox.opened;
    const served = subjects.filter((subject) => this.serving.has(subject));
    const calls: Promise<unknown>[] = [];
    for (let from = 0; from < served.length; from += SUBJECTS) {
      const keys = served.slice(from, from + SUBJECTS).flatMap((subject) => this.keys.table(servingTable(subject)));
      calls.push(runScript(this.commands, SCRIPTS.serve, keys, [this.member, Math.ceil(this.lifeMs), isKept ? 1 : 0], PATIENCE_MS));
    }
    await Promise.all(calls);
  }

  /** Shows signs of life and looks after what is over. */
  private async beat(): Promise<void> {
    if (this.isBeating) return;
    this.isBeating = true;
    this.roster.tidy();
    const isKeeping = this.beats++ % KEEP_BEATS === 0;
    const work = [
      this.inbox.beat(),
      this.register([...this.serving.keys()], isKeeping),
      ...[...this.watches].map((watch) => watch.sweep()),
    ];
    if (isKeeping) this.kept.clear();
    if (isKeeping) work.push(...[...this.writers].map((writer) => writer.refresh()));
    await Promise.allSettled(work);
    this.isBeating = false;
  }

  private async run<T>(command: () => Promise<T>): Promise<T> {
    this.checkOpen();
    try {
      return await command();
    } catch (error) {
      throw new BusError('unavailable', `Redis did not do it: ${String(error)}`, { cause: error });
    }
  }

  private checkOpen(): void {
    if (this.closing.signal.aborted) throw new BusError('closed', 'the bus was closed');
  }
}

const EMPTY = new Uint8Array(0);

function servingTable(subject: string): string {
  return `serve:${subject}`;
}

/** For what comes before anything is sent. Throws BusError `unavailable` when it takes longer, the signal's reason when aborted. */
function within<T>(work: Promise<T>, ms: number, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      settle();
    };
    const timer = setTimeout(() => finish(() => reject(new BusError('unavailable', 'Redis does not answer', { unsent: true }))), ms);
    const fail = (error: unknown) => finish(() => reject(error instanceof Error ? error : new Error(String(error))));
    const onAbort = () => fail(signal!.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    work.then((value) => finish(() => resolve(value)), fail);
  });
}
