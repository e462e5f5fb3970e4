/**
 * Traffic that goes on while something else happens.
 *
 * Owns: a stock ping for each pair of VMs, and what it did not get answered.
 * Promises: every packet is accounted for by its sequence number; only the very last one, which may be under way when ping ends, is not.
 */
import type { Daemon } from '../lab/daemon.js';
import { eventually } from '../lab/eventually.js';
import type { Vm } from '../lab/vm.js';

/** Seconds between two packets of a pair. */
const INTERVAL = 0.02;

export interface TrafficOptions {
  /** Seconds between two packets of a pair. */
  readonly interval?: number;
}

export interface Stream {
  readonly name: string;
  readonly from: Vm;
  /** IPv4 address. */
  readonly to: string;
}

export interface StreamResult {
  readonly sent: number;
  readonly lost: number;
  /** Packets at the end that were answered without a gap. */
  readonly flowingAgain: number;
  /** Packets sent after this time (milliseconds since the epoch) that were lost. */
  lostAfter(time: number): number;
}

interface Running {
  readonly name: string;
  readonly ping: Daemon;
}

export class Traffic {
  readonly #streams: readonly Running[];

  private constructor(streams: readonly Running[]) {
    this.#streams = streams;
  }

  /** Resolves once every pair is being answered. What was lost until then counts as well. */
  static async start(streams: readonly Stream[], { interval = INTERVAL }: TrafficOptions = {}): Promise<Traffic> {
    const running = streams.map(({ name, from, to }) => ({
      name,
      ping: from.spawn(['ping', '-n', '-D', '-i', String(interval), to], `ping-${name}`),
    }));
    for (const { name, ping } of running)
      await eventually(`${name} being answered`, () => (ping.output().match(/icmp_seq=/g)?.length ?? 0) > 5);
    return new Traffic(running);
  }

  /** Ends it: what is on the way now is waited for, and what is sent from now on counts for nothing. @returns by name of the pair. */
  async stop(): Promise<Map<string, StreamResult>> {
    const end = Date.now();
    const isOver = ({ ping }: Running) => [...answersOf(ping.output()).values()].some((sentAt) => sentAt >= end);
    // A pair that is not answered any more never comes to that.
    await eventually('an answer to what was sent since', () => this.#streams.every(isOver), { timeoutMs: LATEST_MS }).catch(
      () => undefined,
    );
    const results = await Promise.all(
      this.#streams.map(async ({ name, ping }) => {
        await ping.stop('SIGINT');
        return [name, resultOf(ping.output(), end)] as const;
      }),
    );
    return new Map(results);
  }
}

/** Answers may be as late as this where everybody wants the processor. */
const LATEST_MS = 3_000;

/** When each packet that was answered was sent, milliseconds since the epoch, by its number. */
function answersOf(output: string): Map<number, number> {
  const answers = new Map<number, number>();
  for (const [, received, seq, rtt] of output.matchAll(/\[([\d.]+)\] \d+ bytes from \S+ icmp_seq=(\d+) .*time=([\d.]+) ms/g))
    answers.set(Number(seq), Number(received) * 1000 - Number(rtt));
  return answers;
}

function resultOf(output: string, end: number): StreamResult {
  const [, transmitted] = /(\d+) packets transmitted/.exec(output) ?? [];
  if (transmitted === undefined) throw new Error(`ping did not end as it should:\n${output.slice(-500)}`);
  const answered = answersOf(output);
  const firstAfter = [...answered].reduce((first, [seq, sentAt]) => (sentAt >= end ? Math.min(first, seq) : first), Infinity);
  let sent = Math.min(Number(transmitted), firstAfter - 1);
  // It may have been on its way when ping ended.
  if (firstAfter === Infinity && !answered.has(sent)) sent -= 1;
  let flowingAgain = 0;
  while (answered.has(sent - flowingAgain)) flowingAgain += 1;
  const missing = Array.from({ length: sent }, (_, index) => index + 1).filter((seq) => !answered.has(seq));
  return { sent, lost: missing.length, flowingAgain, lostAfter: (time) => missing.filter((seq) => sentAt(seq, answered) >= time).length };
}

/** Between the packets before and after it that were answered; before all times where none is before it, after all where none is after. */
function sentAt(seq: number, answered: ReadonlyMap<number, number>): number {
  const seqs = [...answered.keys()].sort((a, b) => a - b);
  const [before, after] = [seqs.findLast((one) => one < seq), seqs.find((one) => one > seq)];
  if (after === undefined) return Infinity;
  if (before === undefined) return -Infinity;
  const [from, to] = [answered.get(before)!, answered.get(after)!];
  return from + ((to - from) * (seq - before)) / (after - before);
}
