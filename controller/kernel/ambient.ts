/**
 * Time and chance, passed in wherever they are used.
 *
 * Promises: nothing in controller/ reads a clock or a random source but through these, so that tests can replay a run exactly.
 */
import { randomBytes } from 'node:crypto';

export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  now(): number;
}

export interface Random {
  /** Unpredictable bytes. */
  bytes(count: number): Uint8Array;
}

export const systemClock: Clock = { now: () => Date.now() };
export const systemRandom: Random = { bytes: (count) => randomBytes(count) };
