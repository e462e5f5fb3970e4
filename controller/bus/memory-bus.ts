/**
 * A bus within one process.
 *
 * Owns: what the members of one broker have said; who of them can be reached.
 * Assumes: members are well behaved with the bytes they hand over: they are not copied.
 * Promises: the contract of contract.ts. A member that is cut off is to the others what a dead or paused process is, after `graceMs`; it goes on when
 * it is joined again.
 */
import { callOut } from '../kernel/call-out.js';
import {
  BusError,
  MAX_PAYLOAD,
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
import { Pending } from './pending.js';

/** Messages that wait for a transport that is away. */
const MAX_WAITING = 10_000;

interface Topic {
  readonly keep: number;
  readonly messages: { readonly position: number; readonly payload: Uint8Array }[];
}

interface Table {
  readonly values: Map<string, { readonly value: Uint8Array; readonly timer: NodeJS.Timeout }>;
}

export class MemoryBroker {
  readonly topics = new Map<string, Topic>();
  readonly tables = new Map<string, Table>();
  readonly members = new Map<string, MemoryBus>();
  readonly graceMs: number;
  /** Requests go to the servers in turn. */
  turn = 0;

  /** @param graceMs how long a member is cut off before it counts as lost. */
  constructor(graceMs = 100) {
    this.graceMs = graceMs;
  }

  join(member: string): Bus {
    const bus = new MemoryBus(this, member);
    this.members.set(member, bus);
    return bus;
  }

  /** Nothing goes in or out of the member. */
  cut(member: string): void {
    this.members.get(member)!.cut();
  }

  restore(member: string): void {
    this.members.get(member)!.restore();
  }

  topic(name: string, keep: number): Topic {
    let topic = this.topics.get(name);
    if (topic === undefined) this.topics.set(name, (topic = { keep, messages: [] }));
    return topic;
  }

  table(name: string): Table {
    let table = this.tables.get(name);
    if (table === undefined) this.tables.set(name, (table = { values: new Map() }));
    return table;
  }

  set(name: string, key: string, value: Uint8Array | undefined, ttlMs: number): void {
    const { values } = this.table(name);
    clearTimeout(values.get(key)?.timer);
    if (value === undefined) values.delete(key);
    else values.set(key, { value, timer: setTimeout(() => this.set(name, key, undefined, 0), ttlMs).unref() });
    this.changed();
  }

  /** Everybody looks at what concerns them. */
  changed(): void {
    for (const member of this.members.values()) member.wake();
  }
}

class MemoryBus implements Bus {
  readonly member: string;
  private readonly broker: MemoryBroker;
  private readonly handlers = new Map<string, { readonly handler: Handler; readonly signal: AbortSignal }>();
  private readonly pending = new Pending();
  private readonly watchers = new Set<() => void>();
  /** What came in while cut off, or waits to be handed over. */
  private inbox: (() => void)[] = [];
  private outbox: (() => void)[] = [];
  private cutSince: NodeJS.Timeout | undefined;
  private isCut = false;
  private isLost = false;
  private isClosed = false;
  private isAwake = false;

  constructor(broker: MemoryBroker, member: string) {
    this.broker = broker;
    this.member = member;
  }

  get isConnected(): boolean {
    return !this.isCut && !this.isClosed;
  }

  get isSettled(): boolean {
    return this.isConnected;
  }

  cut(): void {
    this.isCut = true;
    this.cutSince = setTimeout(() => {
      this.isLost = true;
      for (const other of this.broker.members.values()) other.pending.loseServer(this.member);
    }, this.broker.graceMs);
  }

  restore(): void {
    clearTimeout(this.cutSince);
    this.isCut = this.isLost = false;
    for (const send of this.outbox.splice(0)) send();
    this.wake();
  }

  wake(): void {
    if (this.isAwake) return;
    this.isAwake = true;
    setImmediate(() => {
      this.isAwake = false;
      if (!this.isConnected) return;
      for (const deliver of this.inbox.splice(0)) deliver();
      for (const look of [...this.watchers]) look();
    });
  }

  async request(subject: string, payload: Uint8Array, { timeoutMs, signal, except = [] }: RequestOptions): Promise<Answer> {
    signal?.throwIfAborted();
    this.checkOpen();
    checkPayload(payload);
    if (this.isCut) throw new BusError('unavailable', 'the bus is away');
    const servers = [...this.broker.members.values()].filter(
      (bus) => bus.handlers.has(subject) && !bus.isLost && !except.includes(bus.member),
    );
    const server = servers[this.broker.turn++ % servers.length];
    if (server === undefined) throw new BusError('no_server', `nobody serves ${subject}`);
    return this.pending.add({ server: server.member, subject, timeoutMs, signal }, (id) => {
      server.deliver(() => server.answer(subject, payload, this, id));
    });
  }

  serve(subject: string, handler: Handler, signal: AbortSignal): void {
    this.handlers.set(subject, { handler, signal });
    const end = () => {
      this.handlers.delete(subject);
      for (const other of this.broker.members.values()) other.pending.loseServer(this.member, subject);
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  }

  write(topic: string, { keep }: TopicLimits): TopicWriter {
    const { messages } = this.broker.topic(topic, keep);
    let position = 0;
    const waiting = new Set<number>();
    return {
      append: (payload) => {
        const message = { position: ++position, payload };
        const send = () => {
          waiting.delete(message.position);
          messages.push(message);
          if (messages.length > keep) messages.shift();
          this.broker.changed();
        };
        if (this.isConnected) send();
        else if (waiting.size < MAX_WAITING) {
          waiting.add(message.position);
          this.outbox.push(send);
        }
        return message.position;
      },
      flushed: async () => {
        while (waiting.size > 0 && !this.isClosed) await new Promise((resolve) => setTimeout(resolve, 5));
      },
      close: () => {
        this.broker.topics.delete(topic);
        return Promise.resolve();
      },
    };
  }

  read(topic: string, after: number, { onMessage, onGap }: TopicReader, signal: AbortSignal): void {
    let last = after;
    this.look(() => {
      for (const message of [...(this.broker.topics.get(topic)?.messages ?? [])]) {
        if (signal.aborted) return;
        if (message.position <= last) continue;
        const before = last;
        last = message.position;
        if (message.position !== before + 1) callOut(() => onGap(before, message.position));
        callOut(() => onMessage(message));
      }
    }, signal);
  }

  put(table: string, key: string, value: Uint8Array, ttlMs: number): Promise<void> {
    return this.act(() => {
      checkValue(value);
      this.broker.set(table, key, value, ttlMs);
    });
  }

  remove(table: string, key: string): Promise<void> {
    return this.act(() => this.broker.set(table, key, undefined, 0));
  }

  list(table: string): Promise<ReadonlyMap<string, Uint8Array>> {
    return this.act(() => new Map([...this.broker.table(table).values].map(([key, { value }]) => [key, value])));
  }

  watch(table: string, sink: (change: TableChange) => void, signal: AbortSignal): void {
    let known: Map<string, Uint8Array> | undefined;
    this.look(() => {
      const now = new Map([...this.broker.table(table).values].map(([key, { value }]) => [key, value]));
      const change = new Map<string, Uint8Array | undefined>();
      for (const key of known?.keys() ?? []) if (!now.has(key)) change.set(key, undefined);
      for (const [key, value] of now) if (known?.get(key) !== value) change.set(key, value);
      const isFirst = known === undefined;
      known = now;
      if (isFirst || change.size > 0) callOut(() => sink(change));
    }, signal);
  }

  close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.cutSince);
    this.broker.members.delete(this.member);
    this.pending.failAll(() => new BusError('closed', 'the bus was closed'));
    for (const other of this.broker.members.values()) other.pending.loseServer(this.member);
    this.watchers.clear();
    return Promise.resolve();
  }

  private look(act: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.watchers.add(act);
    signal.addEventListener('abort', () => this.watchers.delete(act), { once: true });
    this.wake();
  }

  private deliver(act: () => void): void {
    this.inbox.push(act);
    this.wake();
  }

  private answer(subject: string, payload: Uint8Array, client: MemoryBus, id: string): void {
    const server = this.handlers.get(subject);
    const reply = (settle: () => void) => {
      const send = () => client.deliver(settle);
      if (this.isConnected) send();
      else this.outbox.push(send);
    };
    if (server === undefined) return reply(() => client.pending.loseServer(this.member));
    const { handler, signal } = server;
    Promise.resolve()
      .then(() => handler({ payload, client: client.member, signal }))
      .then(
        (answer) =>
          reply(() => {
            if (answer.length > MAX_PAYLOAD) client.pending.fail(id, new BusError('too_large', 'the answer is too large', this.where()));
            else client.pending.settle(id, { payload: answer, server: this.member });
          }),
        (cause: unknown) =>
          reply(() => client.pending.fail(id, new BusError('failed', `${this.member} failed`, { ...this.where(), cause }))),
      );
  }

  private where(): { server: string } {
    return { server: this.member };
  }

  private act<T>(work: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.checkOpen();
      if (this.isCut) throw new BusError('unavailable', 'the bus is away');
      resolve(work());
    });
  }

  private checkOpen(): void {
    if (this.isClosed) throw new BusError('closed', 'the bus was closed');
  }
}
