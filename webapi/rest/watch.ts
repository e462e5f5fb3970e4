/**
 * The stream of changes, as server-sent events.
 *
 * Owns: one `change` event for each revision, heartbeats, what happens to a slow client.
 * Promises: a client costs no more than HIGH_WATER bytes of buffer plus one event: when it does not read, changes stop being fetched for it and go on from where
 * it is once it has caught up; one that does not read for `stallMs` is dropped. History that is gone ends the stream with a `compacted` event.
 */
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Controller, WatchEvent } from '../../controller/contract.js';
import { HotoriError } from '../../flows/model/errors.js';
import { watchControls, type WatchControls } from './controls.js';
import type { Endpoint } from './endpoint.js';
import { resolveRevision, REVISION_PATTERN, revisionText } from './revision.js';

const HIGH_WATER = 1024 * 1024;
/** Milliseconds a client is told to let pass before it connects again. */
const RETRY_MS = 2000;

export interface WatchLimits {
  readonly heartbeatMs: number;
  readonly stallMs: number;
  readonly maxClients: number;
}

export function watchEndpoint(controller: Controller, limits: WatchLimits): Endpoint {
  let clients = 0;
  return {
    method: 'GET',
    path: '/watch',
    operation_id: 'watch',
    summary: 'Follow changes as server-sent events; 410 when the revision is too old to go on from',
    tag: 'status',
    controls: watchControls,
    answer: z.string().describe('Events named change, each with {revision, incarnation, changes: [{op, kind, uuid, value}]}.'),
    media_type: 'text/event-stream',
    handle: ({ controls, headers, signal }) => {
      if (clients >= limits.maxClients) throw new HotoriError('unavailable', `${limits.maxClients} clients are watching already`);
      const now = controller.revision();
      const text = (controls as WatchControls).from ?? lastEventId(headers['last-event-id']);
      const from = text === undefined ? now.number : resolveRevision(text, now);
      return {
        stream: (response) => {
          new Watcher(controller, response, limits, signal, from).start();
          clients++;
          response.once('close', () => clients--);
        },
      };
    },
  };
}

function lastEventId(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && REVISION_PATTERN.test(header) ? header : undefined;
}

class Watcher {
  readonly #controller: Controller;
  readonly #response: ServerResponse;
  readonly #limits: WatchLimits;
  readonly #signal: AbortSignal;
  readonly #incarnation: string;
  #from: number;
  #stalled: NodeJS.Timeout | undefined;

  constructor(controller: Controller, response: ServerResponse, limits: WatchLimits, signal: AbortSignal, from: number) {
    this.#controller = controller;
    this.#response = response;
    this.#limits = limits;
    this.#signal = signal;
    this.#from = from;
    this.#incarnation = controller.revision().incarnation;
  }

  /** Throws HotoriError `compacted`, with nothing written yet. */
  start(): void {
    this.#subscribe();
    this.#writeHead();
    const heartbeat = setInterval(() => {
      if (this.#stalled === undefined && !this.#response.writableEnded) this.#response.write(': heartbeat\n\n');
    }, this.#limits.heartbeatMs);
    this.#response.once('close', () => {
      clearInterval(heartbeat);
      clearTimeout(this.#stalled);
    });
    this.#signal.addEventListener('abort', () => this.#response.end(), { once: true });
  }

  #writeHead(): void {
    if (this.#response.headersSent) return;
    this.#response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    });
    this.#response.write(`retry: ${RETRY_MS}\n\n`);
  }

  #subscribe(): void {
    const subscription = new AbortController();
    const cancel = () => subscription.abort();
    if (this.#signal.aborted) return;
    this.#signal.addEventListener('abort', cancel, { once: true });
    const sink = (event: WatchEvent) => {
      if (subscription.signal.aborted) return;
      this.#send(event);
      if (this.#response.writableLength <= HIGH_WATER) return;
      cancel();
      this.#signal.removeEventListener('abort', cancel);
      this.#waitForReader();
    };
    this.#controller.watch(this.#from, sink, subscription.signal, (error) => this.#endCompacted(error.message));
  }

  #send({ revision, changes }: WatchEvent): void {
    if (this.#response.writableEnded) return;
    this.#writeHead();
    const data = JSON.stringify({ revision: revision.number, incarnation: revision.incarnation, changes });
    this.#response.write(`event: change\nid: ${revisionText(revision)}\ndata: ${data}\n\n`);
    this.#from = revision.number;
  }

  #endCompacted(detail: string): void {
    if (this.#response.writableEnded) return;
    this.#writeHead();
    this.#response.end(`event: compacted\ndata: ${JSON.stringify({ detail })}\n\n`);
  }

  #waitForReader(): void {
    this.#stalled = setTimeout(() => this.#response.destroy(), this.#limits.stallMs);
    this.#response.once('drain', () => {
      clearTimeout(this.#stalled);
      this.#stalled = undefined;
      try {
        if (this.#controller.revision().incarnation !== this.#incarnation)
          throw new HotoriError('compacted', 'the store was restored meanwhile; read everything again');
        this.#subscribe();
      } catch (error) {
        this.#endCompacted(error instanceof HotoriError ? error.message : 'something went wrong inside');
      }
    });
  }
}
