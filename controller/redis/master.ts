/**
 * Finding the server to talk to.
 *
 * Owns: asking Sentinels who the master is, and cluster nodes who has our keys. All keys share a hash tag, so one server has them all.
 * Promises: whoever is named first and answers is believed; that it really takes writes is found out by writing.
 */
import type { RedisAccess } from './access.js';
import { RedisConnection, type RedisReply } from './connection.js';
import { RedisError } from './errors.js';
import type { RedisAddress } from './url.js';

const ASK_MS = 2_000;

/** Where our keys are. Throws RedisError: that of the last one asked. */
export async function findMaster(access: RedisAccess, name: string): Promise<RedisAddress> {
  const { mode, addresses } = access.url;
  if (mode === 'standalone') return addresses[0]!;
  let last = new RedisError('unavailable', 'nobody to ask');
  for (const address of addresses)
    try {
      return await (mode === 'sentinel' ? askSentinel(access, address, name) : askNode(access, address, name));
    } catch (error) {
      if (!(error instanceof RedisError)) throw error;
      last = error;
    }
  throw last;
}

async function askSentinel(access: RedisAccess, address: RedisAddress, name: string): Promise<RedisAddress> {
  const { url, tls } = access;
  const connection = await RedisConnection.open({ address, tls, credentials: url.sentinelCredentials, database: 0, name });
  try {
    const found = texts(await connection.send(['SENTINEL', 'get-master-addr-by-name', url.master!], ASK_MS));
    if (found === undefined) throw new RedisError('misconfigured', `the Sentinels know no master ${JSON.stringify(url.master)}`);
    return { host: found[0]!, port: Number(found[1]) };
  } finally {
    connection.destroy();
  }
}

async function askNode(access: RedisAccess, address: RedisAddress, name: string): Promise<RedisAddress> {
  const { url, tls, keyPrefix } = access;
  const connection = await RedisConnection.open({ address, tls, credentials: url.credentials, database: 0, name });
  try {
    await connection.send(['EXISTS', `${keyPrefix}meta`], ASK_MS);
    return address;
  } catch (error) {
    const moved = error instanceof RedisError && error.reply === 'MOVED' ? /MOVED \d+ (.*):(\d+)$/.exec(error.message) : null;
    if (moved === null) throw error;
    // A node that does not know its own name leaves it out.
    return { host: moved[1] === '' ? address.host : moved[1]!, port: Number(moved[2]) };
  } finally {
    connection.destroy();
  }
}

function texts(reply: RedisReply): string[] | undefined {
  return Array.isArray(reply) ? reply.map((one) => String(one)) : undefined;
}
