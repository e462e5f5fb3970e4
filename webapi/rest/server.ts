/**
 * The HTTP server.
 *
 * Owns: listening, limits of the protocol, stopping without cutting off who is being served.
 * Promises: after `stop` nothing of ours keeps the process alive.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { HostPort } from '../../controller/kernel/settings.js';
import { createApp, type AppOptions } from './app.js';

export interface WebServerOptions extends Omit<AppOptions, 'signal' | 'isReady'> {
  readonly listen: HostPort;
}

export interface WebServer {
  /** Where it listens; the port is the one chosen when 0 was asked for. */
  readonly address: HostPort;
  /** Stops accepting, ends waits and streams, lets the rest finish for `drainMs` milliseconds. */
  stop(drainMs: number): Promise<void>;
}

const SWEEP_MS = 50;

/** Thrown when the address cannot be listened on; the message is for an operator. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

export async function startWebServer(options: WebServerOptions): Promise<WebServer> {
  const stopping = new AbortController();
  const app = createApp({ ...options, signal: stopping.signal, isReady: () => !stopping.signal.aborted });
  const server = createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 300_000, headersTimeout: 30_000, keepAliveTimeout: 15_000 }, app);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => answerBroken(error.code, socket));
  await listen(server, options.listen);
  const { address, port } = server.address() as AddressInfo;

  return {
    address: { host: address, port },
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

function listen(server: Server, { host, port }: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new ListenError(`cannot listen on ${host}:${port}: ${reasonOf(error)}`, { cause: error })),
    );
    server.listen(port, host, resolve);
  });
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return 'another process listens there';
  if (error.code === 'EADDRNOTAVAIL') return 'this machine has no such address';
  if (error.code === 'EACCES') return 'not permitted';
  if (error.code === 'ENOTFOUND') return 'there is no such host';
  return error.message;
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
