/**
 * CBOR in and out of a store, what comes in checked.
 *
 * Promises: damage is a StoreError `corrupt` that names the thing; nothing else is thrown.
 */
import { Encoder } from 'cbor-x';
import { z } from 'zod';
import { entitySchema, type Entity } from '../../flows/model/entities.js';
import { arrayHead } from '../kernel/cbor.js';
import { StoreError, type StoredChange } from './contract.js';

const requestSchema = z.object({ id: z.string(), outcomes: z.array(z.union([z.string(), z.array(z.string())])) });

/** A change as the log has it, entities among it as they are stored. */
export const changeSchema = z.object({
  puts: z.array(entitySchema),
  deletes: z.array(z.string()),
  counters: z.record(z.string(), z.int()),
  requests: z.array(requestSchema).default([]),
});

/** Where the empty array stands in `{puts: [], …}`: after a head of 3 bytes and `puts` as text. */
const PUTS_AT = 8;

export interface EncodedChanges {
  /** As the log has them. */
  readonly log: readonly Buffer[];
  /** What each entity is stored as in the end, by uuid; undefined where it is deleted. */
  readonly entities: ReadonlyMap<string, Buffer | undefined>;
}

export class StoreCodec {
  private readonly where: string;
  private readonly cbor = new Encoder({ useRecords: false, mapsAsObjects: true });

  /** @param where names the store in errors, such as `the store in /var/lib/hotori`. */
  constructor(where: string) {
    this.where = where;
  }

  /** It shares its memory with what is encoded before and after: nothing to keep for long. */
  encode(value: unknown): Buffer {
    return this.cbor.encode(value);
  }

  /** What is to be written for changes that follow one another. */
  encodeChanges(changes: readonly StoredChange[]): EncodedChanges {
    const log: Buffer[] = [];
    const entities = new Map<string, Buffer | undefined>();
    for (const change of changes) {
      const puts = change.puts.map((entity) => this.encode(entity));
      for (const uuid of change.deletes) entities.set(uuid, undefined);
      for (const [index, { uuid }] of change.puts.entries()) entities.set(uuid, puts[index]);
      log.push(this.encodeChange(change, puts));
    }
    return { log, entities };
  }

  /** Without the revision, which is its key. @param puts as they are stored: encoding them is most of the work, and done once. */
  private encodeChange({ deletes, counters, requests }: StoredChange, puts: readonly Buffer[]): Buffer {
    const frame = this.encode({ puts: [], deletes, counters, ...(requests.length === 0 ? {} : { requests }) });
    return Buffer.concat([frame.subarray(0, PUTS_AT), arrayHead(puts.length), ...puts, frame.subarray(PUTS_AT + 1)]);
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
