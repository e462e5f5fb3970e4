/**
 * Listening for HTTP.
 */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HostPort } from './settings.js';

/** Thrown when the address cannot be listened on; the message is for an operator. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/** @returns where it listens; the port is the one chosen when 0 was asked for. Throws ListenError. */
export function listen(server: Server, { host, port }: HostPort): Promise<HostPort> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new ListenError(`cannot listen on ${host}:${port}: ${reasonOf(error)}`, { cause: error })),
    );
    server.listen(port, host, () => {
      const { address, port: chosen } = server.address() as AddressInfo;
      resolve({ host: address, port: chosen });
    });
  });
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return 'another process listens there';
  if (error.code === 'EADDRNOTAVAIL') return 'this machine has no such address';
  if (error.code === 'EACCES') return 'not permitted';
  if (error.code === 'ENOTFOUND') return 'there is no such host';
  return error.message;
}
