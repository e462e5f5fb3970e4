/**
 * Migrating a Redis store.
 *
 * Owns: one process doing it, while others wait or, being older, stop.
 */
import { StoreError, type Lease } from './contract.js';
import { migrated, type StoreSchema } from './migrations.js';
import type { StoreCodec } from './codec.js';
import type { RedisCommitter } from './redis-commit.js';
import type { RedisHead } from './redis-head.js';
import type { RedisLink } from '../redis/link.js';

const LEASE = 'migration';
const PATIENCE_MS = 120_000;

export interface RedisMigrationParts {
  readonly head: RedisHead;
  readonly link: RedisLink;
  readonly committer: RedisCommitter;
  readonly codec: StoreCodec;
  readonly schema: StoreSchema;
  readonly scan: (visit: (uuid: string, value: Buffer) => void) => Promise<void>;
  readonly lease: (name: string, signal: AbortSignal) => Promise<Lease>;
}

/** Brings an older store to the schema. Does nothing for one that is new, or of this version, or newer. Throws StoreError, RedisError. */
export async function migrateRedis(parts: RedisMigrationParts): Promise<void> {
  const { head, link, committer, codec, schema } = parts;
  const isOlder = async () => ((await head.storedSchema(link)) ?? schema.version) < schema.version;
  if (!(await isOlder())) return;
  const lease = await parts.lease(LEASE, AbortSignal.timeout(PATIENCE_MS));
  try {
    while (await isOlder()) {
      const from = (await head.storedSchema(link))!;
      const { revision } = await head.look(link, undefined, {}, from);
      const puts: ReturnType<StoreCodec['upgraded']>[] = [];
      await parts.scan((uuid, value) => puts.push(codec.upgraded(uuid, migrated(schema, from, codec.decode(value, uuid)))));
      const change = { revision: revision.number + 1, puts, deletes: [], counters: {}, requests: [] };
      try {
        await committer.commit([change], revision, lease, { schema: from, logRevisions: 1 });
      } catch (error) {
        // Older ones go on writing until they hear of it: once more, then.
        if (!(error instanceof StoreError) || error.code !== 'conflict') throw error;
      }
    }
  } finally {
    await lease.release();
  }
}
