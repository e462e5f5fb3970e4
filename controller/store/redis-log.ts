/**
 * Reading the log of a Redis store.
 *
 * Owns: entries of the stream and the chain they form: each names the change before it, so that a reader knows that it is still on the line of history
 * it began on.
 * Promises: a hole or a break in the chain is thrown, never passed on.
 */
import type { RedisReply } from '../redis/connection.js';
import type { Revision } from '../messages/slice.js';
import type { StoreCodec } from './codec.js';
import { StoreError, type StoredChange } from './contract.js';

/** A place in the history: the revision and the id of its change; undefined where that is not known. */
export interface LogPosition {
  readonly number: number;
  readonly id: string | undefined;
}

export interface LogEntry {
  readonly number: number;
  readonly id: string;
  readonly previous: string;
  readonly change: StoredChange;
}

/** The entry that has to follow a position. Throws StoreError `compacted` when it does not, `corrupt`. */
export function nextEntry(codec: StoreCodec, at: LogPosition, reply: RedisReply): LogEntry {
  const [entryId, fields] = list(reply);
  const number = Number(/^(\d+)-0$/.exec(String(entryId))?.[1]);
  const values = new Map<string, Buffer>();
  const all = list(fields ?? null);
  for (let i = 0; i + 1 < all.length; i += 2) values.set(String(all[i]), all[i + 1] as Buffer);
  const [id, previous, change] = [values.get('id'), values.get('previous'), values.get('change')];
  if (!Number.isSafeInteger(number) || id === undefined || previous === undefined || change === undefined)
    throw new StoreError('corrupt', `entry ${String(entryId)} of the log is none of ours`);
  if (number !== at.number + 1) throw new StoreError('compacted', `the log goes on at revision ${number} after ${at.number}`);
  if (at.id !== undefined && String(previous) !== at.id)
    throw new StoreError('compacted', `the log goes on from another revision ${at.number} than the one known`);
  return { number, id: String(id), previous: String(previous), change: codec.change(number, change) };
}

/** The entries of an XREAD of one stream; empty when there were none in time. */
export function entriesRead(reply: RedisReply): readonly RedisReply[] {
  if (reply === null) return [];
  return list(list(list(reply)[0] ?? null)[1] ?? null);
}

export function list(reply: RedisReply): readonly RedisReply[] {
  return Array.isArray(reply) ? (reply as readonly RedisReply[]) : [];
}

const REMEMBERED = 2_000;

/** The ids of the last changes seen, by revision, within one incarnation. */
export class Positions {
  private readonly ids = new Map<number, string>();
  private incarnation: string | undefined;

  note({ incarnation, number }: Revision, id: string): void {
    if (this.incarnation !== incarnation) this.ids.clear();
    this.incarnation = incarnation;
    this.ids.delete(number);
    this.ids.set(number, id);
    for (const oldest of this.ids.keys()) {
      if (this.ids.size <= REMEMBERED) break;
      this.ids.delete(oldest);
    }
  }

  idOf({ incarnation, number }: Revision): string | undefined {
    return incarnation === this.incarnation ? this.ids.get(number) : undefined;
  }
}
