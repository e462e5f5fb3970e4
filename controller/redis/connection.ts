/**
 * One connection to one Redis server.
 *
 * Owns: connecting, authenticating, sending commands, telling replies from errors. ioredis is the codec and the socket; it neither queues, nor
 * connects again, nor repeats commands.
 * Promises: a command is sent once or not at all; every one is answered, at the latest when the connection ends.
 */
import { Redis } from 'ioredis';
import type { RedisAccess } from './access.js';
import { RedisError, textOf } from './errors.js';
import { addressText, type RedisAddress, type RedisCredentials } from './url.js';

export type RedisArg = string | number | Buffer;
/** What a command is answered with: bulk strings and status replies are Buffers. */
export type RedisReply = Buffer | number | null | readonly RedisReply[];

const CONNECT_MS = 5_000;
const KEEP_ALIVE_MS = 30_000;
const DENIED = ['NOAUTH', 'NOPERM', 'WRONGPASS'];

export interface RedisConnectionOptions {
  readonly address: RedisAddress;
  readonly tls: RedisAccess['tls'];
  readonly credentials: RedisCredentials | undefined;
  readonly database: number;
  /** Shown by CLIENT LIST. */
  readonly name: string;
}

export class RedisConnection {
  readonly address: RedisAddress;
  /** Resolves with the reason when the connection has ended. */
  readonly ended: Promise<RedisError>;
  private readonly redis: Redis;
  private isOpen = true;
  /** What the socket complained of, for those whose commands it took along. */
  private complaint: Error | undefined;

  private constructor(address: RedisAddress, redis: Redis) {
    this.address = address;
    this.redis = redis;
    redis.on('error', (error: Error) => (this.complaint ??= error));
    this.ended = new Promise((resolve) => redis.once('end', () => resolve(this.lost(undefined))));
    void this.ended.then(() => (this.isOpen = false));
  }

  /** Throws RedisError `unavailable`, `denied` or `misconfigured`. */
  static async open(options: RedisConnectionOptions): Promise<RedisConnection> {
    const { address, credentials, database, name } = options;
    const tls = options.tls(address);
    const redis = new Redis({
      ...address,
      ...(tls === undefined ? {} : { tls }),
      lazyConnect: true,
      connectTimeout: CONNECT_MS,
      keepAlive: KEEP_ALIVE_MS,
      retryStrategy: null,
      enableOfflineQueue: false,
      enableReadyCheck: false,
      disableClientInfo: true,
      autoResendUnfulfilledCommands: false,
    });
    const connection = new RedisConnection(address, redis);
    try {
      await redis.connect().catch((error: unknown) => {
        throw connection.lost(error);
      });
      if (credentials !== undefined)
        await connection.handshake(['AUTH', ...(credentials.user === undefined ? [] : [credentials.user]), credentials.password]);
      if (database !== 0) await connection.handshake(['SELECT', database]);
      // Rights to name itself are not everybody's.
      await connection.handshake(['CLIENT', 'SETNAME', name]).catch((error: unknown) => {
        if (!(error instanceof RedisError) || error.reply === undefined || error.reply === 'NOAUTH') throw error;
      });
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  /** The reply. Throws RedisError. @param timeoutMs after which the connection is given up: what it would say later, nobody could tell apart. */
  async send(args: readonly RedisArg[], timeoutMs: number): Promise<RedisReply> {
    if (!this.isOpen || this.redis.status !== 'ready') throw this.lost(undefined);
    const [command, ...rest] = args;
    const timer = setTimeout(() => {
      this.destroy(new Error(`no answer within ${Math.round(timeoutMs)} ms`));
    }, timeoutMs);
    try {
      return (await this.redis.callBuffer(String(command), ...rest)) as RedisReply;
    } catch (error) {
      throw this.redisError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the connection at once, with the commands on their way, which fail for that reason. */
  destroy(reason?: Error): void {
    this.complaint ??= reason;
    // Of many commands without an answer each gives the connection up.
    if (!this.isOpen) return;
    this.isOpen = false;
    this.redis.disconnect();
  }

  private handshake(args: readonly RedisArg[]): Promise<RedisReply> {
    return this.send(args, CONNECT_MS);
  }

  private redisError(error: unknown): RedisError {
    if (!(error instanceof Error) || error.name !== 'ReplyError') return this.lost(error, !isUnsent(error));
    const reply = error.message.split(' ', 1)[0]!;
    const what = `Redis at ${addressText(this.address)} answers: ${error.message}`;
    return new RedisError(DENIED.includes(reply) ? 'denied' : 'refused', what, { cause: error, reply });
  }

  private lost(error: unknown, sent = false): RedisError {
    const reason = this.complaint ?? error;
    const why = reason === undefined ? 'the connection was closed' : whyLost(reason);
    const code = isTlsRefusal(reason) ? 'denied' : 'unavailable';
    return new RedisError(code, `Redis at ${addressText(this.address)}: ${why}`, { cause: reason, sent });
  }
}

/** A socket that has ended, before its end has reached us: ioredis has no other word for it. */
function isUnsent(error: unknown): boolean {
  return textOf(error).startsWith("Stream isn't writeable");
}

const TLS_WORDS = /SSL routines:[^:]*:([^:]+):/;

/** Certificates that one side does not accept; asking again would not help. */
function isTlsRefusal(reason: unknown): boolean {
  const code = typeof reason === 'object' && reason !== null && 'code' in reason ? String(reason.code) : '';
  return TLS_WORDS.test(textOf(reason)) || /CERT|SELF_SIGNED|UNABLE_TO|ERR_SSL_|ERR_TLS_|EPROTO/.test(code);
}

/** Without the source lines of OpenSSL. */
function whyLost(reason: unknown): string {
  const text = textOf(reason);
  const words = TLS_WORDS.exec(text)?.[1];
  return words === undefined ? text : `TLS: ${words}`;
}
