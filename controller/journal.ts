/**
 * The commits as watchers see them.
 *
 * Owns: the last commits in memory, and bringing each watcher from where it left off to now and then along.
 * Assumes: the store's log reaches further back than this memory.
 * Promises: a watcher gets every commit that changes something users know of, once and in order. Views show an entity as the commit left it, joined with what belongs to it now.
 */
import { isUserEntity, KINDS, type Entity, type UserKind } from '../flows/model/entities.js';
import { HotoriError } from '../flows/model/errors.js';
import type { ModelView } from '../flows/model/view.js';
import type { WatchEvent } from './contract.js';
import { callOut } from './kernel/call-out.js';
import type { Revision } from './messages/slice.js';
import { StoreError, type Store, type StoredChange } from './store/contract.js';
import { viewOf } from './views.js';

const MAX_COMMITS = 1_000;
const MAX_ENTITIES = 100_000;
const READ_RETRY_MS = 1_000;

export class Journal {
  private readonly store: Store;
  private readonly model: ModelView;
  private readonly recent: StoredChange[] = [];
  /** By what wakes them, what ends them. */
  private readonly watchers = new Map<() => void, (error: HotoriError) => void>();
  private entities = 0;
  private at: Revision;

  constructor(store: Store, model: ModelView, at: Revision) {
    this.store = store;
    this.model = model;
    this.at = at;
  }

  append(change: StoredChange): void {
    this.at = { ...this.at, number: change.revision };
    this.recent.push(change);
    this.entities += sizeOf(change);
    while (this.recent.length > MAX_COMMITS || (this.entities > MAX_ENTITIES && this.recent.length > 1))
      this.entities -= sizeOf(this.recent.shift()!);
    for (const wake of [...this.watchers.keys()]) wake();
  }

  /** The store was read again: what came before cannot be followed from here. */
  restart(at: Revision): void {
    this.at = at;
    this.recent.length = 0;
    this.entities = 0;
    for (const end of [...this.watchers.values()]) end(new HotoriError('compacted', 'the store was read again; read everything again'));
  }

  /** Calls `sink` for each commit after `from`. Throws HotoriError `compacted` when some are gone. */
  watch(from: number, sink: (event: WatchEvent) => void, signal: AbortSignal, onEnd: (error: HotoriError) => void = () => undefined): void {
    if (from > this.at.number || from < this.store.floor())
      throw new HotoriError(
        'compacted',
        `changes can be watched from revision ${this.store.floor()} to ${this.at.number}; read everything again`,
      );
    if (signal.aborted) return;
    let next = from + 1;
    let reading = false;
    const show = (change: StoredChange) => {
      next = change.revision + 1;
      const event = this.eventOf(change);
      // What only vnmgr knows of is no event.
      if (event.changes.length > 0) callOut(() => sink(event));
    };
    const wake = () => {
      while (!reading && !signal.aborted && next <= this.at.number) {
        const change = this.recent[next - this.at.number + this.recent.length - 1];
        if (change) show(change);
        else readBack();
      }
    };
    const end = (error: HotoriError) => {
      if (this.watchers.delete(wake) && !signal.aborted) callOut(() => onEnd(error));
    };
    const readBack = () => {
      reading = true;
      this.store.changesSince({ ...this.at, number: next - 1 }).then(
        (changes) => {
          // The store may be ahead of the model, which the views are made from.
          for (const change of changes) if (this.watchers.has(wake) && change.revision === next && next <= this.at.number) show(change);
          reading = false;
          if (this.watchers.has(wake)) wake();
        },
        (error: unknown) => {
          // Else the log was trimmed past a watcher that has only just begun.
          if (error instanceof StoreError && error.code === 'unavailable') setTimeout(readBack, READ_RETRY_MS).unref();
          else end(new HotoriError('compacted', 'changes were lost on the way; read everything again', { cause: error }));
        },
      );
    };
    this.watchers.set(wake, end);
    signal.addEventListener('abort', () => this.watchers.delete(wake), { once: true });
    wake();
  }

  private eventOf(change: StoredChange): WatchEvent {
    const deletes = change.deletes.flatMap((uuid) => {
      const kind = userKindOf(uuid);
      return kind ? [{ op: 'delete' as const, kind, uuid }] : [];
    });
    const puts = change.puts.flatMap((entity: Entity) =>
      isUserEntity(entity) ? [{ op: 'put' as const, kind: entity.kind, uuid: entity.uuid, value: viewOf(this.model, entity) }] : [],
    );
    return { revision: { ...this.at, number: change.revision }, changes: [...deletes, ...puts] };
  }
}

function sizeOf(change: StoredChange): number {
  return change.puts.length + change.deletes.length;
}

const KIND_BY_PREFIX: ReadonlyMap<string, UserKind> = new Map((Object.keys(KINDS) as UserKind[]).map((kind) => [KINDS[kind].prefix, kind]));

function userKindOf(uuid: string): UserKind | undefined {
  return KIND_BY_PREFIX.get(uuid.slice(0, uuid.indexOf('-')));
}
