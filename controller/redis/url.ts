/**
 * The URL of a Redis.
 *
 * Owns: its forms:
 *   redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]
 *   redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT],…/MASTER[/DATABASE][?sentinel_user=…&sentinel_password=…]
 *   redis+cluster://[[USER]:PASSWORD@]HOST[:PORT],…
 * and the same with rediss for TLS. User and password are percent-encoded.
 */
import { RedisError } from './errors.js';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** What AUTH is given. The password alone is that of the user `default`. */
export interface RedisCredentials {
  readonly user: string | undefined;
  readonly password: string;
}

export interface RedisUrl {
  readonly mode: 'standalone' | 'sentinel' | 'cluster';
  /** The server; the Sentinels; some nodes of the cluster. At least one. */
  readonly addresses: readonly RedisAddress[];
  readonly tls: boolean;
  readonly credentials: RedisCredentials | undefined;
  readonly database: number;
  /** Set with `sentinel`: what the Sentinels call the master. */
  readonly master: string | undefined;
  readonly sentinelCredentials: RedisCredentials | undefined;
}

const FORM = /^(redis|rediss)(?:\+(sentinel|cluster))?:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const HOST = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/;

/** Throws RedisError `misconfigured`; the message does not repeat the URL, which may hold a password. */
export function parseRedisUrl(text: string): RedisUrl {
  const found = FORM.exec(text);
  if (found === null)
    throw wrong('must be redis://HOST:PORT, redis+sentinel://HOST:PORT,…/MASTER or redis+cluster://HOST:PORT,… (rediss for TLS)');
  const [, scheme, topology, userinfo, hosts, path = '', query = ''] = found;
  const mode = (topology ?? 'standalone') as RedisUrl['mode'];
  const addresses = hosts!.split(',').map((host) => parseAddress(host, mode === 'sentinel' ? 26379 : 6379));
  if (mode === 'standalone' && addresses.length > 1) throw wrong('names several servers; say redis+sentinel or redis+cluster');

  const steps = path === '' ? [] : path.split('/').map(decode);
  const master = mode === 'sentinel' ? steps.shift() : undefined;
  if (mode === 'sentinel' && !master) throw wrong('must end in / and the name the Sentinels know the master by');
  const database = mode === 'cluster' ? undefined : steps.shift();
  if (steps.length > 0 || (database !== undefined && !/^\d{1,4}$/.test(database)))
    throw wrong(
      mode === 'cluster'
        ? 'must end after the hosts: a cluster has one database'
        : 'must end in / and the number of a database, if in anything',
    );

  const params = new URLSearchParams(query);
  for (const name of params.keys())
    if (mode !== 'sentinel' || (name !== 'sentinel_user' && name !== 'sentinel_password'))
      throw wrong(`has no parameter ${JSON.stringify(name)}`);
  const sentinelPassword = params.get('sentinel_password');
  return {
    mode,
    addresses,
    tls: scheme === 'rediss',
    credentials: userinfo === undefined ? undefined : parseUserinfo(userinfo),
    database: Number(database ?? 0),
    master,
    sentinelCredentials:
      sentinelPassword === null ? undefined : { user: params.get('sentinel_user') ?? undefined, password: sentinelPassword },
  };
}

/** The URL without its secrets, for logs. */
export function redactRedisUrl(text: string): string {
  // Up to the last @, and no user where there is no colon: what is shown may be badly written.
  return text.replace(/\/\/(?:([^@/?#:]*:).*|.*)@/, '//$1***@').replace(/(sentinel_password=)[^&#]*/g, '$1***');
}

export function addressText({ host, port }: RedisAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function parseAddress(text: string, defaultPort: number): RedisAddress {
  const found = HOST.exec(text);
  const port = Number(found?.[3] ?? defaultPort);
  if (found === null || port < 1 || port > 65535) throw wrong(`has no host and port in ${JSON.stringify(text)}`);
  return { host: found[1] ?? found[2]!, port };
}

function parseUserinfo(text: string): RedisCredentials {
  const colon = text.indexOf(':');
  if (colon < 0) throw wrong('has a user without a password; a password alone is :PASSWORD@');
  return { user: decode(text.slice(0, colon)) || undefined, password: decode(text.slice(colon + 1)) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong('has % that is not followed by two hex digits of UTF-8');
  }
}

function wrong(message: string): RedisError {
  return new RedisError('misconfigured', message);
}
