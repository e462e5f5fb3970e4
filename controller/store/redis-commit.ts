/**
 * Committing to a Redis store.
 *
 * Owns: the arguments of the script, the attempts, waiting for a replica.
 * Promises: a commit whose connection is lost is tried again under its own id until it is known to have happened or not to; only when the time is up
 * is the caller told that nobody knows.
 */
import type { Random } from '../kernel/ambient.js';
import type { Revision } from '../messages/slice.js';
import type { RedisArg, RedisReply } from '../redis/connection.js';
import { RedisError } from '../redis/errors.js';
import type { RedisLink } from '../redis/link.js';
import type { StoreCodec } from './codec.js';
import { StoreError, type Counters, type Lease, type StoredChange } from './contract.js';
import type { StoreSchema } from './migrations.js';
import { worthAnotherTry } from './redis-errors.js';
import type { RedisHead } from './redis-head.js';
import { list, type Positions } from './redis-log.js';
import { COMMIT } from './redis-scripts.js';

const LOG_REVISIONS = 10_000;
const LOG_BYTES = 64 * 2 ** 20;
const COMMIT_MS = 10_000;
const ATTEMPT_MS = 5_000;
/** How long the connection is blocked for a replica in one go. */
const WAIT_MS = 1_000;

export interface RedisCommitterOptions {
  /** Its own: it is blocked while a replica is waited for. */
  readonly link: RedisLink;
  readonly settledKey: string;
  readonly where: string;
  readonly codec: StoreCodec;
  readonly head: RedisHead;
  readonly schema: StoreSchema;
  readonly positions: Positions;
  readonly random: Random;
  readonly durability: 'local' | 'replicated';
  readonly logRevisions?: number;
  readonly commitMs?: number;
}

/** What is special about the commit of a migration. */
export interface MigrationCommit {
  /** The schema before. */
  readonly schema: number;
  readonly logRevisions: number;
}

/** What became of one attempt: the script's answer, and how many replicas have it. */
interface Attempt {
  readonly reply: readonly RedisReply[];
  readonly replicas: number;
}

export class RedisCommitter {
  private readonly options: RedisCommitterOptions;

  constructor(options: RedisCommitterOptions) {
    this.options = options;
  }

  /** @returns the floor of the log. Throws StoreError as Store.commit does; RedisError, when nothing was written. */
  async commit(
    changes: readonly StoredChange[],
    expected: Revision,
    lease: Lease | undefined,
    migration?: MigrationCommit,
  ): Promise<number | undefined> {
    if (!changes.every((change, index) => change.revision === expected.number + 1 + index))
      throw new StoreError('conflict', `the changes do not follow revision ${expected.number}`);
    if (changes.length === 0) return undefined;
    const { positions, random, head, where, link } = this.options;
    const id = Buffer.from(random.bytes(12)).toString('hex');
    const until = this.deadline();
    const at = { ...expected, id: positions.idOf(expected) };
    const first = [expected.incarnation, expected.number, at.id ?? '', id];
    const rest = this.argumentsOf(changes, lease, migration);
    /** Whether an attempt may have been executed, or may yet be. */
    let inDoubt = false;
    let last: RedisError | undefined;
    for (;;) {
      const timeoutMs = Math.min(until - performance.now(), ATTEMPT_MS);
      if (timeoutMs <= 0) throw this.undecided(inDoubt, last);
      try {
        const { reply, replicas } = await this.send(head.script(COMMIT, ...first, inDoubt ? 1 : '', ...rest), timeoutMs);
        switch (String(reply[0])) {
          case 'ok':
            for (const [index, { revision }] of changes.entries()) positions.note({ ...expected, number: revision }, `${id}:${index + 1}`);
            if (this.options.durability === 'replicated' && replicas < 1) await this.replicate(until);
            return Number(reply[1]);
          case 'conflict':
            throw new StoreError('conflict', `the store is at revision ${whereItIs(expected, reply)}, not at ${expected.number}`);
          case 'fenced':
            throw new StoreError('fenced', `the lease ${lease?.name} is somebody else's`);
          case 'replica':
            last = head.isReplica(link);
            break;
          case 'forgotten':
            throw this.undecided(true, last);
          case 'alone':
            if (inDoubt) throw this.undecided(true, last);
            throw new StoreError('failed', `${where} has no replica that keeps up, which durability: replicated needs`);
          // `restarted`, `regressed`, `schema`
          default:
            await head.look(link, at, { timeoutMs }, migration?.schema).catch((error: unknown) => {
              if (!(error instanceof RedisError) || error.code !== 'unavailable') throw error;
            });
        }
      } catch (error) {
        if (!(error instanceof RedisError)) throw error;
        last = error;
        inDoubt ||= error.sent;
        const again = error.code === 'unavailable' || (inDoubt && worthAnotherTry(error));
        if (!again) throw inDoubt ? this.undecided(true, error) : error;
      }
    }
  }

  /** Resolves when a replica has all that the master has. Throws StoreError `unavailable`, RedisError. */
  async replicate(until = this.deadline()): Promise<void> {
    const { link, settledKey, where } = this.options;
    for (;;) {
      const left = until - performance.now();
      if (left <= 0)
        throw new StoreError('unavailable', `no replica of ${where} has confirmed the change; it is lost if the master is lost now`);
      try {
        // WAIT looks at what its own connection wrote; what was written before that is with the replica too, then.
        const commands = [
          ['SET', settledKey, 1],
          ['WAIT', 1, WAIT_MS],
        ];
        const [, replicas] = await link.callAll(commands, { timeoutMs: Math.max(left, 2 * WAIT_MS) });
        if (Number(replicas) >= 1) return;
      } catch (error) {
        if (!(error instanceof RedisError)) throw error;
        if (error.code !== 'unavailable' && !worthAnotherTry(error)) throw error;
      }
    }
  }

  private async send(script: readonly RedisArg[], timeoutMs: number): Promise<Attempt> {
    const wait = this.options.durability === 'replicated' ? [['WAIT', 1, WAIT_MS]] : [];
    const [reply, replicas] = await this.options.link.callAll([script, ...wait], { timeoutMs });
    return { reply: list(reply!), replicas: Number(replicas ?? 0) };
  }

  /** The script's arguments but for those that differ between attempts. */
  private argumentsOf(
    changes: readonly StoredChange[],
    lease: Lease | undefined,
    migration: MigrationCommit | undefined,
  ): readonly RedisArg[] {
    const { codec, durability, schema } = this.options;
    const logRevisions = migration?.logRevisions ?? this.options.logRevisions;
    const { log, entities } = codec.encodeChanges(changes);
    const puts = [...entities].flatMap(([uuid, value]) => (value === undefined ? [] : [uuid, value]));
    const deletes = [...entities].flatMap(([uuid, value]) => (value === undefined ? [uuid] : []));
    const moved = Object.entries(changes.reduce<Counters>((counters, change) => ({ ...counters, ...change.counters }), {})).flat();
    return [
      migration?.schema ?? schema.version,
      logRevisions ?? LOG_REVISIONS,
      LOG_BYTES,
      durability === 'replicated' ? 1 : '',
      lease?.name ?? '',
      lease?.token ?? '',
      changes.length,
      puts.length / 2,
      deletes.length,
      moved.length / 2,
      schema.version,
      ...log,
      ...puts,
      ...deletes,
      ...moved,
    ];
  }

  private deadline(): number {
    return performance.now() + (this.options.commitMs ?? COMMIT_MS);
  }

  private undecided(inDoubt: boolean, error: RedisError | undefined): StoreError {
    const why = error?.message ?? 'no answer in time';
    return inDoubt
      ? new StoreError('unavailable', `it is not known whether ${this.options.where} has the change: ${why}`, error)
      : new StoreError('failed', `${this.options.where} was not reached: ${why}`, error);
  }
}

function whereItIs({ incarnation }: Revision, [, now, number]: readonly RedisReply[]): string {
  return String(now) === incarnation ? String(number) : `${String(number)} of another incarnation`;
}
