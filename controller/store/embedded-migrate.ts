/**
 * Migrating an embedded store.
 *
 * Assumes: a transaction that the caller ends, or undoes when this throws.
 */
import type { RootDatabase } from 'lmdb';
import type { StoreCodec } from './codec.js';
import { ALL_ENTITIES, ALL_OF_LOG, entityKey } from './embedded-keys.js';
import { migrated, type StoreSchema } from './migrations.js';

/** What is said of a store in its head record, as far as it is migrated. */
interface Head {
  readonly schema_version: number;
  readonly revision: number;
  readonly log_floor: number;
  readonly log_bytes: number;
}

/** Brings every entity to the schema, as one revision before which the log does not reach. Throws StoreError `corrupt`. @returns the head that goes with it. */
export function migrateEmbedded<H extends Head>(db: RootDatabase<Buffer>, codec: StoreCodec, schema: StoreSchema, head: H): H {
  if (head.schema_version === schema.version) return head;
  const entities = [...db.getRange(ALL_ENTITIES)].map(({ key, value }) => {
    const uuid = String((key as string[])[1]);
    return codec.upgraded(uuid, migrated(schema, head.schema_version, codec.decode(value, uuid)));
  });
  for (const entity of entities) db.putSync(entityKey(entity.uuid), codec.encode(entity));
  for (const { key } of [...db.getRange(ALL_OF_LOG)]) db.removeSync(key);
  const revision = head.revision + 1;
  return { ...head, schema_version: schema.version, revision, log_floor: revision, log_bytes: 0 };
}
