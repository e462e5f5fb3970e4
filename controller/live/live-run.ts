/**
 * One live trace, from arming to the answer.
 *
 * Owns: whom to ask to watch, collecting what they see, when it is enough, and taking everything back.
 * Assumes: a vna that nobody collects from withdraws the trace by itself (messages/live.ts).
 * Promises: those who receive watch before the sender does. When `run` settles, every vna that was asked and answers has withdrawn the trace; the
 * others are named, and do so by themselves.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { HotoriError, summaryOf, type Reason } from '../../flows/model/errors.js';
import { cidrContains, parsePrefix } from '../../flows/net/cidr.js';
import { parseIp } from '../../flows/net/ip.js';
import type { TraceAnswer } from '../../flows/trace/explain/answer.js';
import type { TraceRequest, VnmgrCalls } from '../contract.js';
import type { Random } from '../kernel/ambient.js';
import type { LiveAnswer, LiveJourney, LiveSeen } from './answer.js';
import { Expectations, explained } from './expectation.js';
import { endsOf, Journeys, outcomeOf, type Journey, type Sighting } from './journeys.js';
import type { LiveQuestion } from './question.js';

/** What the model has of an interface when a trace of it begins. */
export interface Surroundings {
  readonly revision: number;
  readonly incarnation: string;
  readonly isKnown: boolean;
  readonly addresses: readonly string[];
  /** Where it is plugged. */
  readonly datapath_uuid: string | null;
  /** Datapaths that packets of it may come to. */
  readonly hearing: readonly string[];
}

export interface LiveParts {
  readonly question: LiveQuestion;
  readonly signal: AbortSignal;
  readonly calls: Pick<VnmgrCalls, 'live'>;
  readonly random: Random;
  readonly traces: {
    trace(request: TraceRequest): Promise<TraceAnswer>;
    surroundings(interfaceUuid: string): Promise<Surroundings>;
  };
}

interface Watcher {
  readonly datapath_uuid: string;
  error: string | null;
}

/** Seconds that agents keep watching beyond the time we wait. */
const SPARE_S = 2;
/** Datapaths that are asked at most; what packets do on others is not seen. */
const MOST_WATCHERS = 64;
/** After its last sighting a packet that has ended somewhere is waited for so long, and one that has not; milliseconds. */
const SETTLED_MS = 250;
const PATIENCE_MS = 1_500;
const TICK_MS = 50;
const ARM_MS = 3_000;
const DISARM_MS = 2_000;
const UNWATCHED = 'too many hypervisors have a part in that routing domain; this one was not asked';

export class LiveRun {
  private readonly parts: LiveParts;
  private readonly id: string;
  private readonly journeys = new Journeys();
  private readonly over = new AbortController();
  private readonly watchers = new Map<string, Watcher>();
  private missed = 0;
  /** What broke that ought not to. */
  private failure: Error | undefined;

  constructor(parts: LiveParts) {
    this.parts = parts;
    this.id = Buffer.from(parts.random.bytes(12)).toString('hex');
  }

  async run(): Promise<LiveAnswer> {
    const { question, traces, signal } = this.parts;
    const around = await traces.surroundings(question.interface);
    const from = checked(question, around);
    const stop = () => this.over.abort();
    signal.addEventListener('abort', stop, { once: true });
    let ended: LiveAnswer['ended'] = 'timeout';
    try {
      if (signal.aborted) throw gone();
      await this.arm(from, around);
      ended = await this.untilEnough(from);
    } finally {
      this.over.abort();
      signal.removeEventListener('abort', stop);
      await Promise.all([...this.watching()].map((watcher) => this.disarm(watcher)));
    }
    return {
      revision: around.revision,
      incarnation: around.incarnation,
      live: question,
      ended,
      watched: [...this.watchers.values()].map(({ datapath_uuid, error }) => ({ datapath_uuid, error })),
      missed: this.missed,
      packets: await this.described(),
    };
  }

  private *watching(): Iterable<Watcher> {
    for (const watcher of this.watchers.values()) if (watcher.error === null) yield watcher;
  }

  private readonly isWatched = (datapath: string): boolean => this.watchers.get(datapath)?.error === null;

  private async arm(from: string, { hearing }: Surroundings): Promise<void> {
    const others = hearing.filter((uuid) => uuid !== from);
    for (const uuid of [from, ...others]) this.watchers.set(uuid, { datapath_uuid: uuid, error: null });
    for (const uuid of others.slice(MOST_WATCHERS - 1)) this.watchers.get(uuid)!.error = UNWATCHED;
    const receivers = [...this.watching()].filter(({ datapath_uuid }) => datapath_uuid !== from);
    await Promise.all(
      receivers.map(async (watcher) => {
        try {
          await this.watchAt(watcher);
        } catch (error) {
          watcher.error = asError(error).message;
        }
      }),
    );
    if (this.parts.signal.aborted) throw gone();
    await this.watchAt(this.watchers.get(from)!);
  }

  /** It is collected from as soon as it watches: one that is not withdraws the trace. */
  private async watchAt(watcher: Watcher): Promise<void> {
    const { datapath_uuid } = watcher;
    const late = sleep(ARM_MS, undefined, { ref: false }).then(() => {
      throw new HotoriError('unavailable', `the vna of ${datapath_uuid} does not answer`);
    });
    await Promise.race([this.armAt(datapath_uuid), late]);
    void this.collect(watcher);
  }

  private async armAt(datapath: string): Promise<void> {
    const { interface: interface_uuid, filter, dropped_only, timeout } = this.parts.question;
    await this.parts.calls.live(datapath, {
      act: 'arm',
      trace_id: this.id,
      interface_uuid,
      filter,
      dropped_only,
      seconds: timeout + SPARE_S,
    });
  }

  /** One that cannot be told withdraws the trace by itself. */
  private async disarm(watcher: Watcher): Promise<void> {
    const told = this.parts.calls.live(watcher.datapath_uuid, { act: 'disarm', trace_id: this.id }).then(
      () => undefined,
      (error: unknown) => asError(error).message,
    );
    const error = await Promise.race([told, sleep(DISARM_MS, 'its agent does not answer', { ref: false })]);
    if (error !== undefined) watcher.error = `${error}; it ends the trace by itself`;
  }

  private async collect(watcher: Watcher): Promise<void> {
    const { calls } = this.parts;
    const { datapath_uuid } = watcher;
    const isOver = () => this.over.signal.aborted;
    while (!isOver()) {
      try {
        const { observations, missed, over: isWithdrawn } = await calls.live(datapath_uuid, { act: 'collect', trace_id: this.id });
        if (isOver()) return;
        this.missed += missed;
        for (const observation of observations) this.journeys.add({ ...observation, datapath_uuid }, performance.now());
        if (isWithdrawn) throw new HotoriError('unavailable', 'its agent has withdrawn the trace');
      } catch (error) {
        if (isOver()) return;
        if (error instanceof HotoriError) watcher.error = error.message;
        else this.failure = asError(error);
        return;
      }
    }
  }

  /** @param from where the packets come in */
  private async untilEnough(from: string): Promise<LiveAnswer['ended']> {
    const { question, signal } = this.parts;
    const deadline = performance.now() + question.timeout * 1000;
    while (!signal.aborted) {
      if (this.failure !== undefined) throw this.failure;
      const now = performance.now();
      const { counted } = this;
      if (counted.length >= question.count && counted.slice(0, question.count).every((one) => this.isDone(one, now))) return 'count';
      if (now >= deadline) return counted.length >= question.count ? 'count' : 'timeout';
      const source = this.watchers.get(from)!;
      if (source.error !== null && counted.length === 0) throw new HotoriError('unavailable', `${from}: ${source.error}`);
      await sleep(Math.min(TICK_MS, deadline - now));
    }
    throw gone();
  }

  /** The packets that count: those that were seen to come in, or of which it was told that they were dropped. */
  private get counted(): Journey[] {
    const { dropped_only } = this.parts.question;
    return this.journeys.all.filter(({ sightings }) => dropped_only || sightings.some(({ point }) => point === 'entry'));
  }

  private isDone(journey: Journey, now: number): boolean {
    const hasEnded = endsOf(journey, this.isWatched).length > 0;
    return hasEnded ? now - journey.lastHeard >= SETTLED_MS : now - journey.firstHeard >= PATIENCE_MS;
  }

  private async described(): Promise<LiveJourney[]> {
    const { question, traces } = this.parts;
    const expectations = new Expectations(question.interface, (request) => traces.trace(request));
    const journeys = this.counted.slice(0, question.count);
    return Promise.all(
      journeys.map(async (journey) => {
        const outcome = outcomeOf(journey, this.isWatched);
        const sightings = inOrder(journey.sightings);
        const [first] = sightings as [Sighting];
        const expected = await expectations.of(outcome, sightings);
        const rules = sightings.flatMap(({ point, egress_rule, ingress_rule }) => (point === 'dropped' ? [] : [egress_rule, ingress_rule]));
        const admitted_by = [...new Set(rules.filter((rule) => rule !== null))];
        return {
          packet: first.packet,
          at: timeOf(first.at),
          ...outcome,
          reason: explained(outcome, expected),
          admitted_by,
          seen: sightings.map(seenOf),
          expected,
        };
      }),
    );
  }
}

/** Throws when nothing can be followed. @returns the datapath where packets come in */
function checked({ interface: uuid, filter }: LiveQuestion, around: Surroundings): string {
  const refuse = (code: 'invalid_argument' | 'invalid_reference', reason: Reason) => {
    throw new HotoriError(code, summaryOf([reason]), { reasons: [reason] });
  };
  if (!around.isKnown) refuse('invalid_reference', { pointer: '/interface', detail: `there is no interface ${uuid}`, uuid });
  if (around.datapath_uuid === null)
    refuse('invalid_argument', { pointer: '/interface', detail: `${uuid} is plugged in nowhere: no packet comes from it`, uuid });
  const names = Object.entries(filter).filter(([, value]) => value !== undefined);
  if (names.length === 1 && filter.source !== undefined && isAmong(around.addresses, filter.source))
    refuse('invalid_argument', {
      pointer: '/filter',
      detail: `matches every packet of ${uuid} from ${filter.source}; name a protocol, a destination or a port`,
    });
  return around.datapath_uuid!;
}

function isAmong(addresses: readonly string[], prefix: string): boolean {
  const cidr = parsePrefix(prefix);
  return addresses.some((address) => cidrContains(cidr, parseIp(address)));
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function gone(): HotoriError {
  return new HotoriError('unavailable', 'nobody waits for the answer any more');
}

/** By its way: where it came in, then where it was sent, datapath by datapath; the clocks of hypervisors need not agree. */
function inOrder(sightings: readonly Sighting[]): Sighting[] {
  const rest = [...sightings];
  const ordered: Sighting[] = [];
  const takeAll = (datapath: string): void => {
    const here = rest.filter(({ datapath_uuid }) => datapath_uuid === datapath);
    for (const one of here) rest.splice(rest.indexOf(one), 1);
    ordered.push(...here);
    for (const { peer_uuid, point } of here) if (point === 'sent' && peer_uuid !== null) takeAll(peer_uuid);
  };
  const entry = sightings.find(({ point }) => point === 'entry');
  if (entry !== undefined) takeAll(entry.datapath_uuid);
  for (let next = rest[0]; next !== undefined; next = rest[0]) takeAll(next.datapath_uuid);
  return ordered;
}

function seenOf({ at, ...seen }: Sighting): LiveSeen {
  return { ...seen, at: timeOf(at) };
}

function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
