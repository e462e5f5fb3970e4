/**
 * What the bus asks of a connection to Redis, and commands in the forms the bus uses.
 *
 * Assumes: who calls is answered in order, and a command is executed at most once.
 */
import { createHash } from 'node:crypto';

export type RedisArg = string | number | Buffer;
export type RedisReply = Buffer | number | null | readonly RedisReply[];

/** A connection that makes itself anew when it is lost. */
export interface RedisLine {
  /** Throws an error with the first word of Redis' refusal as `reply`, or without when there was no answer; `sent` is false when nothing has left. */
  call(args: readonly RedisArg[], options: { readonly timeoutMs: number }): Promise<RedisReply>;
  readonly isConnected: boolean;
  /** Grows with every new connection: what was known of streams has to be checked then. */
  readonly generation: number;
}

/** A command that Redis runs in one step. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

export function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

export async function runScript(
  line: RedisLine,
  { lua, sha }: Script,
  keys: readonly string[],
  args: readonly RedisArg[],
  timeoutMs: number,
): Promise<RedisReply> {
  const rest = [keys.length, ...keys, ...args];
  try {
    return await line.call(['EVALSHA', sha, ...rest], { timeoutMs });
  } catch (error) {
    if (replyOf(error) !== 'NOSCRIPT') throw error;
    return line.call(['EVAL', lua, ...rest], { timeoutMs });
  }
}

/** The first word of the error that Redis answered with; undefined when it did not answer. */
export function replyOf(error: unknown): string | undefined {
  return error instanceof Error && 'reply' in error ? (error.reply as string | undefined) : undefined;
}

/** Whether the command that failed was never on its way. */
export function isUnsent(error: unknown): boolean {
  return error instanceof Error && 'sent' in error && error.sent === false && replyOf(error) === undefined;
}

/** A reply that is a list. */
export function listOf(reply: RedisReply | undefined): readonly RedisReply[] {
  return Array.isArray(reply) ? (reply as readonly RedisReply[]) : [];
}

/** The bytes without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
