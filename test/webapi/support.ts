/**
 * The API over a controller, without a socket of its own: supertest calls it in-process.
 */
import { Writable } from 'node:stream';
import { pino } from 'pino';
import supertest from 'supertest';
import type { Controller } from '../../controller/contract.js';
import { createApp, type AppOptions } from '../../webapi/rest/app.js';
import type { Vnmgr } from '../../controller/vnmgr.js';
import { World } from '../controller/world.js';

export type Api = ReturnType<typeof supertest>;

export interface TestApi {
  readonly api: Api;
  readonly controller: Controller;
  /** What was logged, one object for each line. */
  readonly log: Record<string, unknown>[];
  /** As when the server stops. */
  readonly stop: () => void;
}

export async function startApi(options: Partial<AppOptions> = {}): Promise<TestApi> {
  const controller = options.controller ?? (await startController());
  const log: Record<string, unknown>[] = [];
  const sink = new Writable({
    write: (line: Buffer, _encoding, done) => {
      log.push(JSON.parse(line.toString()) as Record<string, unknown>);
      done();
    },
  });
  const stopping = new AbortController();
  let requests = 0;
  const app = createApp({
    controller,
    logger: pino({ level: 'debug' }, sink),
    newRequestId: () => `req-${++requests}`,
    missing: () => (stopping.signal.aborted ? ['stopping'] : []),
    signal: stopping.signal,
    ...options,
  });
  return { api: supertest(app), controller, log, stop: () => stopping.abort() };
}

/** vnmgr on a store in memory; its time and chance are the same in every run. */
export async function startController(): Promise<Vnmgr> {
  return (await World.start()).vnmgr;
}

/** What a problem says, without what differs from run to run. */
export function problem(response: supertest.Response): { status: number; type: string; errors: string[] } {
  expect(response.headers['content-type']).toBe('application/problem+json');
  const { type, detail, errors, status } = response.body as {
    type: string;
    detail: string;
    status: number;
    errors: { pointer: string; detail: string }[];
  };
  expect(status).toBe(response.status);
  // The line for people says what the first reason says, and where.
  const [first] = errors;
  if (first) expect(detail.replace(/ \(and \d+ more\)$/, '')).toBe(`${first.pointer === '' ? '' : `${first.pointer}: `}${first.detail}`);
  return { status, type: type.replace('urn:hotori:error:', ''), errors: errors.map(({ pointer, detail }) => `${pointer} ${detail}`) };
}
