/**
 * Asking and answering in messages.
 *
 * Owns: checking what comes in on both sides, and saying in the log whose messages cannot be understood.
 * Promises: a handler sees checked messages only. A peer that speaks another version is refused and named, once a minute at most.
 */
import { setMaxListeners } from 'node:events';
import type { z } from 'zod';
import { BusError, type Bus, type RequestOptions } from '../bus/contract.js';
import { decodeMessage, decodeOutcome, encodeMessage, encodeOutcome, MessageError } from '../messages/envelope.js';
import type { ServiceLog } from './log.js';

const COMPLAIN_EVERY_MS = 60_000;
const MAX_COMPLAINTS = 1_000;

export type Schemas = Readonly<Record<string, z.ZodType>>;
export type Handlers<S extends Schemas> = {
  readonly [K in keyof S]: (body: z.output<S[K]>, client: string, signal: AbortSignal) => Promise<unknown>;
};

/** Answers the messages of a subject until the signal. */
export function answerMessages<S extends Schemas>(
  bus: Bus,
  subject: string,
  schemas: S,
  handlers: Handlers<S>,
  log: ServiceLog,
  signal: AbortSignal,
): void {
  const complaints = new Complaints(log);
  // Any number of requests under way may listen to it.
  setMaxListeners(0, signal);
  bus.serve(
    subject,
    ({ payload, client, signal: ending }) =>
      encodeOutcome(async () => {
        try {
          const { kind, body } = decodeMessage<unknown>(payload, schemas);
          return await handlers[kind]!(body as never, client, ending);
        } catch (error) {
          if (error instanceof MessageError) complaints.of(client, error);
          else if (!(error instanceof Error) || error.name !== 'HotoriError')
            log.error({ err: error, subject, client }, 'a request failed');
          throw error;
        }
      }),
    signal,
  );
}

export interface Asked<T> {
  readonly answer: T;
  readonly server: string;
}

/** Throws HotoriError as the other side did, BusError, MessageError. */
export async function ask<T>(
  bus: Bus,
  subject: string,
  kind: string,
  body: unknown,
  schema: z.ZodType<T>,
  options: RequestOptions,
): Promise<Asked<T>> {
  const { payload, server } = await bus.request(subject, encodeMessage(kind, body), options);
  return { answer: decodeOutcome(payload, schema), server };
}

/** Whether the one that was asked, or the way there, is at fault; another one may be asked, or the same later. */
export function isUnreachable(error: unknown): error is BusError {
  return error instanceof BusError && error.code !== 'too_large' && error.code !== 'closed';
}

/** What cannot be understood is said, but not again and again. */
export class Complaints {
  private readonly log: ServiceLog;
  private readonly last = new Map<string, number>();

  constructor(log: ServiceLog) {
    this.log = log;
  }

  of(peer: string, error: MessageError): void {
    const now = performance.now();
    const key = `${peer} ${error.code}`;
    if (now - (this.last.get(key) ?? -Infinity) < COMPLAIN_EVERY_MS) return;
    if (this.last.size >= MAX_COMPLAINTS) this.last.clear();
    this.last.set(key, now);
    this.log.error(
      { peer, reason: error.message },
      error.code === 'version' ? 'a program of another version speaks to us' : 'a message cannot be read',
    );
  }
}
