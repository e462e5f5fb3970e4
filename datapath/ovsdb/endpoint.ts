/**
 * Where an OVSDB server listens.
 *
 * Owns: the text form `unix:PATH` and `tcp:HOST:PORT`, as ovs-vsctl's `--db` takes it.
 * Promises: what is not one of the two forms is refused with the text named.
 */
import path from 'node:path';
import { OvsdbError } from './ovsdb-error.js';

export type Endpoint =
  { readonly kind: 'unix'; readonly path: string } | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** @throws OvsdbError `bad_endpoint` */
export function parseEndpoint(text: string): Endpoint {
  if (text.startsWith('unix:')) {
    const socket = text.slice('unix:'.length);
    if (socket !== '' && !socket.includes('\0')) return { kind: 'unix', path: socket };
  }
  const tcp = /^tcp:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(tcp?.[3]);
  const host = tcp?.[1] ?? tcp?.[2];
  if (host !== undefined && port >= 1 && port <= 65535) return { kind: 'tcp', host, port };
  throw new OvsdbError('bad_endpoint', `${JSON.stringify(text)} is not unix:PATH or tcp:HOST:PORT`);
}

/**
 * Where ovs-vswitchd speaks OpenFlow for a bridge, as `unix:PATH`: a socket in its run directory, which is where the OVSDB socket is too.
 * undefined for an OVSDB reached over TCP: the target must then be configured.
 */
export function openflowTargetOf(endpoint: Endpoint, bridge: string): string | undefined {
  return endpoint.kind === 'unix' ? `unix:${path.join(path.dirname(endpoint.path), `${bridge}.mgmt`)}` : undefined;
}
