/** Waiting for the world outside to get somewhere. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface EventuallyOptions {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
}

/**
 * Asks until the answer is neither undefined nor false, and returns it. An attempt that throws counts as not yet.
 * Rejects after the time limit (10 s) naming `what` and the last error.
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T> | T,
  options: EventuallyOptions = {},
): Promise<Exclude<T, undefined | false>> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  do {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
    } catch (error) {
      last = error;
    }
    await sleep(options.everyMs ?? 50);
  } while (Date.now() < deadline);
  throw new Error(`${what}: not within ${timeoutMs} ms${last instanceof Error ? `: ${last.message}` : ''}`);
}
