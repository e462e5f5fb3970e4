/**
 * How a process reaches its Redis, from the configuration.
 *
 * Owns: turning settings into what connections need. TLS files are read again for each connection, so a renewed certificate is taken up by itself.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { RedisError, textOf } from './errors.js';
import { parseRedisUrl, redactRedisUrl, type RedisAddress, type RedisUrl } from './url.js';

/** The settings concerned, as the configuration has them. */
export interface RedisSettings {
  readonly redis: string;
  /** Paths of PEM files. Without a CA, those the system trusts. */
  readonly redis_tls_ca: string | null;
  readonly redis_tls_cert: string | null;
  readonly redis_tls_key: string | null;
  /** Keeps installations on one Redis apart. */
  readonly redis_prefix: string;
}

export interface RedisAccess {
  readonly url: RedisUrl;
  /** Without secrets. */
  readonly text: string;
  /** What every key starts with. In braces, so that all are in one slot of a cluster. */
  readonly keyPrefix: string;
  /** What TLS to that server needs; undefined without TLS. Throws RedisError `misconfigured`. */
  readonly tls: (address: RedisAddress) => ConnectionOptions | undefined;
}

/** Throws RedisError `misconfigured`. */
export function redisAccess(settings: RedisSettings): RedisAccess {
  const url = parseRedisUrl(settings.redis);
  const { redis_tls_ca: ca, redis_tls_cert: cert, redis_tls_key: key } = settings;
  const tls = ({ host }: RedisAddress): ConnectionOptions | undefined => {
    if (!url.tls) return undefined;
    return {
      minVersion: 'TLSv1.2',
      ...(ca === null ? {} : { ca: readPem(ca) }),
      ...(cert === null ? {} : { cert: readPem(cert) }),
      ...(key === null ? {} : { key: readPem(key) }),
      ...(isIP(host) === 0 ? { servername: host } : {}),
    };
  };
  // What is wrong with the files shows at the start.
  tls(url.addresses[0]!);
  return { url, text: redactRedisUrl(settings.redis), keyPrefix: `{${settings.redis_prefix}}:`, tls };
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new RedisError('misconfigured', `${path} cannot be read: ${textOf(error)}`, { cause: error });
  }
}
