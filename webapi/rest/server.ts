/**
 * The HTTP server.
 *
 * Owns: listening, limits of the protocol, stopping without cutting off who is being served.
 * Promises: after `stop` nothing of ours keeps the process alive.
 */
import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { listen } from '../../controller/kernel/listen.js';
import type { HostPort } from '../../controller/kernel/settings.js';
import { createApp, type AppOptions } from './app.js';

export interface WebServerOptions extends Omit<AppOptions, 'signal' | 'missing'> {
  /** What keeps the API from being of use, in words. */
  readonly missing?: () => readonly string[];
  readonly listen: HostPort;
}

export interface WebServer {
  /** Where it listens; the port is the one chosen when 0 was asked for. */
  readonly address: HostPort;
  /** Stops accepting, ends waits and streams, lets the rest finish for `drainMs` milliseconds. */
  stop(drainMs: number): Promise<void>;
}

const SWEEP_MS = 50;

export async function startWebServer(options: WebServerOptions): Promise<WebServer> {
  const stopping = new AbortController();
  const missing = () => (stopping.signal.aborted ? ['stopping'] : (options.missing?.() ?? []));
  const app = createApp({ ...options, signal: stopping.signal, missing });
  const server = createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 300_000, headersTimeout: 30_000, keepAliveTimeout: 15_000 }, app);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => answerBroken(error.code, socket));
  const address = await listen(server, options.listen);

  return {
    address,
    stop: async (drainMs) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      stopping.abort();
      // A connection kept alive is idle again once its last answer is out.
      const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
      const end = setTimeout(() => server.closeAllConnections(), drainMs);
      await closed;
      clearInterval(sweep);
      clearTimeout(end);
    },
  };
}

/** What is not HTTP never becomes a request; it still gets an answer before the connection ends. */
function answerBroken(code: string | undefined, socket: Duplex): void {
  if (!socket.writable) return;
  const line =
    code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  socket.end(`HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
