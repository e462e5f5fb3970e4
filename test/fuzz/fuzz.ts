/**
 * Feeding the decoder broken messages.
 *
 * Owns: what must hold for every input: it ends quickly in a value or a DecodeError; the value encodes, and what it encodes to is a fixed point;
 * nothing outside the frame is read or referred to; the value is no larger than a small multiple of the input.
 */
import { isDeepStrictEqual } from 'node:util';
import { decodeMessage, encodeMessage } from '../../flows/openflow/codec.js';
import { DecodeError, EncodeError } from '../../flows/openflow/errors.js';
import type { Message } from '../../flows/openflow/message.js';
import { Writer } from '../../flows/openflow/writer.js';
import { Random } from '../codec/random.js';
import { MAX_INPUT, mutate } from './mutate.js';

export interface FuzzOptions {
  readonly inputs: number;
  readonly seed: number;
  /** Good messages to start from. */
  readonly corpus: readonly Uint8Array[];
  /** Called about every second. */
  readonly onProgress?: (done: number) => void;
}

export interface FuzzFailure {
  readonly why: string;
  readonly hex: string;
}

export interface FuzzReport {
  readonly inputs: number;
  readonly decoded: number;
  readonly refused: number;
  readonly seconds: number;
  readonly slowestMs: number;
  /** Heap in use at the end over that after the first tenth. */
  readonly heapGrowthMb: number;
  readonly failures: readonly FuzzFailure[];
}

const LIMIT_MS = 10;
const MAX_FAILURES = 20;
/** Values per byte of input that a decoded message may have: an OXM header of 4 bytes is an object with three of them. */
const VALUES_PER_BYTE = 2;
const GUARD = 64;
/** A message of nearly 64 KiB may grow past it when fields get their longer headers. */
const MAY_GROW = 24_000;

interface Frame {
  readonly buf: Uint8Array;
  readonly view: DataView;
}

function frame(fill: number): Frame {
  const buf = new Uint8Array(MAX_INPUT + 1 + 2 * GUARD + 4096).fill(fill);
  return { buf, view: new DataView(buf.buffer) };
}

function place({ buf }: Frame, input: Uint8Array, fill: number): void {
  buf.fill(fill, 0, GUARD);
  buf.set(input, GUARD);
  buf.fill(fill, GUARD + input.length, GUARD + input.length + GUARD);
}

type Outcome = { readonly xid: number; readonly message: Message } | DecodeError;

function attempt({ buf, view }: Frame, length: number): Outcome {
  try {
    return decodeMessage(buf, GUARD, GUARD + length, view);
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
}

/** Counts the values and checks that views stay within the frame. */
function size(value: unknown, from: number, to: number): number {
  if (value instanceof Uint8Array) {
    if (value.length > 0 && (value.byteOffset < from || value.byteOffset + value.length > to))
      throw new Error('a view that leaves the frame');
    return 1;
  }
  if (typeof value !== 'object' || value === null) return 1;
  let sum = 1;
  for (const key in value) sum += size((value as Record<string, unknown>)[key], from, to);
  return sum;
}

class Checker {
  readonly #writer = new Writer();
  readonly #again = new Writer();
  readonly #one = frame(0xaa);
  readonly #two = frame(0x55);
  readonly #back = frame(0);
  decoded = 0;
  refused = 0;
  slowestMs = 0;

  /** What is wrong with how the input was treated; undefined if nothing is. `thorough` does the expensive checks too. */
  check(input: Uint8Array, thorough: boolean): string | undefined {
    const length = input.length;
    place(this.#one, input, 0xaa);
    const start = performance.now();
    const outcome = attempt(this.#one, length);
    const elapsed = performance.now() - start;
    if (elapsed > this.slowestMs) this.slowestMs = elapsed;
    if (elapsed > LIMIT_MS && this.#isSlow(length)) return `took ${elapsed.toFixed(1)} ms`;
    if (thorough) {
      const problem = this.#outside(input, outcome);
      if (problem !== undefined) return problem;
    }
    if (outcome instanceof DecodeError) {
      this.refused += 1;
      return outcome.offset < 0 || outcome.offset > length ? `refused at byte ${outcome.offset} of ${length}` : undefined;
    }
    this.decoded += 1;
    return this.#roundtrip(outcome, length, thorough);
  }

  /** The machine may have been busy: slow is what is slow three times. */
  #isSlow(length: number): boolean {
    for (let i = 0; i < 3; i++) {
      const start = performance.now();
      attempt(this.#one, length);
      if (performance.now() - start <= LIMIT_MS) return false;
    }
    return true;
  }

  /** Other bytes around the frame must make no difference. */
  #outside(input: Uint8Array, outcome: Outcome): string | undefined {
    place(this.#two, input, 0x55);
    const other = attempt(this.#two, input.length);
    if (outcome instanceof DecodeError || other instanceof DecodeError) {
      const same =
        outcome instanceof DecodeError &&
        other instanceof DecodeError &&
        outcome.message === other.message &&
        outcome.ofCode === other.ofCode;
      return same ? undefined : 'depends on bytes outside the frame';
    }
    if (!isDeepStrictEqual(outcome, other)) return 'depends on bytes outside the frame';
    const values = size(outcome.message, GUARD, GUARD + input.length);
    return values > VALUES_PER_BYTE * input.length + 64 ? `${values} values from ${input.length} bytes` : undefined;
  }

  #roundtrip(outcome: Exclude<Outcome, DecodeError>, length: number, thorough: boolean): string | undefined {
    let first: Uint8Array;
    try {
      encodeMessage(this.#writer, outcome.message, outcome.xid);
      first = this.#writer.take();
    } catch (error) {
      if (error instanceof EncodeError && error.code === 'too_long' && length > MAY_GROW) return undefined;
      throw error;
    }
    place(this.#back, first, 0);
    const back = attempt(this.#back, first.length);
    if (back instanceof DecodeError) return `encodes to what is refused: ${back.message}`;
    encodeMessage(this.#again, back.message, back.xid);
    const second = this.#again.take();
    if (first.length !== second.length || !first.every((byte, i) => byte === second[i])) return 'encodes to something else the second time';
    return thorough && !isDeepStrictEqual(outcome, back) ? 'is another value after encoding' : undefined;
  }
}

export function fuzz(options: FuzzOptions): FuzzReport {
  const random = new Random(options.seed);
  const checker = new Checker();
  const buf = new Uint8Array(MAX_INPUT + 1 + 4096);
  const failures: FuzzFailure[] = [];
  const start = performance.now();
  let heap = 0;
  let last = start;
  let done = 0;
  for (; done < options.inputs && failures.length < MAX_FAILURES; done++) {
    const length = mutate(random, buf, random.pick(options.corpus), random.pick(options.corpus));
    const input = buf.subarray(0, length);
    let why: string | undefined;
    try {
      why = checker.check(input, done % 32 === 0);
    } catch (error) {
      why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
    if (why !== undefined) failures.push({ why, hex: Buffer.from(input).toString('hex') });
    if (done === Math.floor(options.inputs / 10)) heap = process.memoryUsage().heapUsed;
    if ((done & 0xffff) === 0 && performance.now() - last > 1000) {
      last = performance.now();
      options.onProgress?.(done);
    }
  }
  return {
    inputs: done,
    decoded: checker.decoded,
    refused: checker.refused,
    seconds: (performance.now() - start) / 1000,
    slowestMs: checker.slowestMs,
    heapGrowthMb: (process.memoryUsage().heapUsed - heap) / 2 ** 20,
    failures,
  };
}
