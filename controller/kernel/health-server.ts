/**
 * The small HTTP server of a process that has no API: whether it lives, whether it is of use, what it measures.
 *
 * Promises: `/livez` answers as long as the process can answer anything; `/readyz` is 503 with a reason a line while something is missing.
 */
import { createServer, type ServerResponse } from 'node:http';
import { listen } from './listen.js';
import type { Metrics } from './metrics.js';
import type { HostPort } from './settings.js';

export interface HealthServerOptions {
  readonly listen: HostPort;
  readonly metrics: Metrics;
  /** What keeps the process from being of use, in words; empty when nothing does. */
  readonly missing: () => readonly string[];
}

export interface HealthServer {
  readonly address: HostPort;
  stop(): Promise<void>;
}

/** Throws ListenError. */
export async function startHealthServer({ listen: where, metrics, missing }: HealthServerOptions): Promise<HealthServer> {
  const server = createServer(
    { maxHeaderSize: 8 * 1024, requestTimeout: 10_000, headersTimeout: 5_000, keepAliveTimeout: 5_000 },
    (request, response) => {
      if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'only GET\n');
      switch (request.url?.split('?', 1)[0]) {
        case '/livez':
          return send(response, 200, 'ok\n');
        case '/readyz':
          return sendReadiness(response, missing());
        case '/metrics':
          metrics.text().then(
            (text) => send(response, 200, text, metrics.contentType),
            () => send(response, 500, 'the metrics cannot be read\n'),
          );
          return;
        default:
          send(response, 404, '/livez /readyz /metrics\n');
      }
    },
  );
  const address = await listen(server, where);
  return {
    address,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function sendReadiness(response: ServerResponse, missing: readonly string[]): void {
  if (missing.length === 0) send(response, 200, 'ok\n');
  else send(response, 503, missing.map((line) => `${line}\n`).join(''));
}

function send(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text), 'Cache-Control': 'no-cache' });
  response.end(text);
}
