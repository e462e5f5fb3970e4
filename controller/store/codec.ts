/**
 * CBOR in and out of a store, what comes in checked.
 *
 * Promises: damage is a StoreError `corrupt` that names the thing; nothing else is thrown.
 */
import { Encoder } from 'cbor-x';
import { z } from 'zod';
import { entitySchema, type Entity } from '../../flows/model/entities.js';
import { StoreError, type StoredChange } from './contract.js';

const requestSchema = z.object({ id: z.string(), outcomes: z.array(z.union([z.string(), z.array(z.string())])) });

const changeSchema = z.object({
  puts: z.array(entitySchema),
  deletes: z.array(z.string()),
  counters: z.record(z.string(), z.int()),
  requests: z.array(requestSchema).default([]),
});

export class StoreCodec {
  private readonly where: string;
  private readonly cbor = new Encoder({ useRecords: false, mapsAsObjects: true });

  /** @param where names the store in errors, such as `the store in /var/lib/hotori`. */
  constructor(where: string) {
    this.where = where;
  }

  encode(value: unknown): Buffer {
    // The encoder reuses its buffer.
    return Buffer.from(this.cbor.encode(value));
  }

  /** Without the revision, which is its key. */
  encodeChange({ puts, deletes, counters, requests }: StoredChange): Buffer {
    return this.encode({ puts, deletes, counters, ...(requests.length === 0 ? {} : { requests }) });
  }

  entity(stored: Buffer, uuid?: string): Entity {
    const what = uuid ?? 'an entity';
    return this.check(entitySchema, this.decode(stored, what), what);
  }

  /** An entity as it came out of a migration. */
  upgraded(uuid: string, value: unknown): Entity {
    return this.check(entitySchema, value, uuid);
  }

  change(revision: number, stored: Buffer): StoredChange {
    const what = `revision ${revision} of the log`;
    return { revision, ...this.check(changeSchema, this.decode(stored, what), what) };
  }

  decode(stored: Buffer, what: string): unknown {
    try {
      return this.cbor.decode(stored);
    } catch (error) {
      throw new StoreError(
        'corrupt',
        `${what} in ${this.where} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
        error,
      );
    }
  }

  check<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    const name = z.object({ uuid: z.string() }).safeParse(value).data?.uuid;
    throw new StoreError('corrupt', `${name ?? what} in ${this.where} is damaged: ${z.prettifyError(result.error)}`, result.error);
  }
}
