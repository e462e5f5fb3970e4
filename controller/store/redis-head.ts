/**
 * Where a Redis store is, and whether it is still where it was.
 *
 * Owns: the incarnation: beginning one when the server's history is not the one known, and refusing what another version wrote.
 * Promises: whoever looks before it reads or writes never takes one revision for another.
 */
import type { Random } from '../kernel/ambient.js';
import type { RedisArg, RedisReply } from '../redis/connection.js';
import { RedisError } from '../redis/errors.js';
import type { CallOptions, RedisLink } from '../redis/link.js';
import type { Revision } from '../messages/slice.js';
import { StoreError, type Counters } from './contract.js';
import type { StoreSchema } from './migrations.js';
import { list, type LogPosition } from './redis-log.js';
import { HEAD, RENEW, STORE_KEYS } from './redis-scripts.js';

export interface Head {
  readonly revision: Revision;
  /** Of the last change; empty before the first. */
  readonly id: string;
  readonly floor: number;
  readonly counters: Counters;
  /** How many incarnations there were, this one included. */
  readonly epoch: number;
}

export interface RedisHeadOptions {
  readonly keyPrefix: string;
  /** Names the store in errors. */
  readonly where: string;
  readonly random: Random;
  readonly schema: StoreSchema;
  /** Told what an operator should know. */
  readonly onNotice: (message: string) => void;
}

export class RedisHead {
  readonly keys: readonly string[];
  private readonly options: RedisHeadOptions;

  constructor(options: RedisHeadOptions) {
    this.options = options;
    this.keys = STORE_KEYS.map((key) => `${options.keyPrefix}${key}`);
  }

  /**
   * Looks. Begins a store where there is none, and a new incarnation where the server was restarted or promoted, or lacks what the caller has seen.
   * Throws StoreError `newer_schema`, `corrupt`; RedisError.
   * @param schema what the store has to have, if not this version's
   */
  async look(
    link: RedisLink,
    at?: LogPosition & { readonly incarnation: string },
    options: CallOptions = {},
    schema = this.options.schema.version,
  ): Promise<Head> {
    for (;;) {
      const reply = list(await link.call(this.script(HEAD, at?.incarnation ?? '', at?.number ?? 0, at?.id ?? ''), options));
      const state = String(reply[0]);
      if (state === 'replica') throw this.isReplica(link);
      if (state === 'headless') throw new StoreError('corrupt', `${this.options.where} has lost its head record`);
      if (state === 'new') {
        await this.renew(link, '', options);
        continue;
      }
      const [, stored, incarnation, number, id, floor] = reply.map(String);
      this.checkSchema(Number(stored), schema);
      if (state === 'ok') {
        const revision = { incarnation: incarnation!, number: Number(number) };
        return { revision, id: id!, floor: Number(floor), counters: countersOf(reply[6]!), epoch: Number(reply[7]) };
      }
      await this.renew(link, incarnation!, options);
      const why = state === 'restarted' ? 'its server was restarted or replaced' : 'it lacks a revision that was there';
      this.options.onNotice(`${this.options.where} begins a new incarnation at revision ${number}: ${why}`);
    }
  }

  /** The schema of what is stored; undefined where there is nothing yet. */
  async storedSchema(link: RedisLink): Promise<number | undefined> {
    const reply = list(await link.call(this.script(HEAD, '', 0, '')));
    return reply.length < 2 ? undefined : Number(reply[1]);
  }

  script(source: string, ...args: readonly RedisArg[]): readonly RedisArg[] {
    return ['EVAL', source, this.keys.length, ...this.keys, ...args];
  }

  /** What to throw when a replica answered: the next attempt looks for the master. */
  isReplica(link: RedisLink): RedisError {
    link.reconnect();
    return new RedisError('unavailable', `${this.options.where} is a replica; the master is wanted`);
  }

  private checkSchema(version: number, expected: number): void {
    const { where } = this.options;
    if (version > expected)
      throw new StoreError('newer_schema', `${where} was written by a newer version (schema ${version}; this one knows ${expected})`);
    if (version !== expected) throw new StoreError('corrupt', `${where} has schema ${version}, not ${expected}`);
  }

  private async renew(link: RedisLink, ended: string, options: CallOptions): Promise<void> {
    const incarnation = Buffer.from(this.options.random.bytes(8)).toString('hex');
    await link.call(this.script(RENEW, ended, incarnation, this.options.schema.version), options);
  }
}

function countersOf(reply: RedisReply): Counters {
  const all = list(reply);
  return Object.fromEntries(all.flatMap((name, i) => (i % 2 === 0 ? [[String(name), Number(all[i + 1])]] : [])));
}
