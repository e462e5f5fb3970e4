/**
 * Where a channel connects to or listens, in Open vSwitch's notation (ovsdb(7), "Connection Methods").
 *
 * Owns: `unix:PATH`, `tcp:HOST[:PORT]`, `ssl:HOST[:PORT]` and, to listen, `punix:PATH`, `ptcp:[PORT][:HOST]`, `pssl:[PORT][:HOST]`.
 * Promises: a target that parses is complete: every part has a value.
 */
import { ChannelError } from './errors.js';

/** IANA's port for OpenFlow. */
export const OPENFLOW_PORT = 6653;

export type Target =
  | { readonly transport: 'unix'; readonly path: string }
  | { readonly transport: 'tcp' | 'tls'; readonly host: string; readonly port: number };

/** @throws ChannelError `invalid_target` */
export function parseActiveTarget(text: string): Target {
  const [method, rest] = cut(text);
  if (method === 'unix' && rest !== '') return { transport: 'unix', path: rest };
  if (method === 'tcp' || method === 'ssl') {
    const parts = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(rest);
    const host = parts?.[1] ?? parts?.[2];
    if (host !== undefined) return { transport: transportOf(method), host, port: parsePort(text, parts?.[3]) };
  }
  throw invalid(text);
}

/** Without a host, listens on every address. Port 0 lets the system choose. @throws ChannelError `invalid_target` */
export function parsePassiveTarget(text: string): Target {
  const [method, rest] = cut(text);
  if (method === 'punix' && rest !== '') return { transport: 'unix', path: rest };
  if (method === 'ptcp' || method === 'pssl') {
    const parts = /^(\d*)(?::(?:\[([^\]]+)\]|([^:]+)))?$/.exec(rest);
    if (parts !== null) {
      return {
        transport: transportOf(method.slice(1)),
        host: parts[2] ?? parts[3] ?? '::',
        port: parsePort(text, parts[1] === '' ? undefined : parts[1]),
      };
    }
  }
  throw invalid(text);
}

function cut(text: string): [method: string, rest: string] {
  const colon = text.indexOf(':');
  return colon < 0 ? ['', text] : [text.slice(0, colon), text.slice(colon + 1)];
}

function transportOf(method: string): 'tcp' | 'tls' {
  return method === 'ssl' ? 'tls' : 'tcp';
}

function parsePort(text: string, digits: string | undefined): number {
  if (digits === undefined) return OPENFLOW_PORT;
  const port = Number(digits);
  if (port > 65_535) throw invalid(text);
  return port;
}

function invalid(text: string): ChannelError {
  return new ChannelError(
    'invalid_target',
    `'${text}' is not a connection target such as unix:/run/openvswitch/br0.mgmt, tcp:192.0.2.1:6653 or ptcp:6653`,
  );
}
