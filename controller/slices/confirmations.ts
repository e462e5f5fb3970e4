/**
 * Which datapaths have installed a revision.
 *
 * Owns: whom each of the last HISTORY revisions concerns, and those who wait for one.
 * Assumes: what datapaths have installed is on the board, whichever vnmgr serves them.
 * Promises: a datapath counts when its slice changed at the revision, attached or not. For revisions from before this vnmgr started, when nobody
 * here knows whom they changed, every datapath that a vna ever presented counts.
 */
import { HotoriError } from '../../flows/model/errors.js';
import type { Applied, AppliedBoard } from '../applied/board.js';
import type { InstalledResult } from '../contract.js';
import type { Revision } from '../messages/slice.js';

const HISTORY = 10_000;

export interface KnownDatapaths {
  /** Every datapath that a vna ever presented. */
  presented(): Iterable<string>;
  /** Whether the datapath is (still) defined. */
  has(uuid: string): boolean;
}

export class Confirmations {
  private readonly board: AppliedBoard;
  private readonly datapaths: KnownDatapaths;
  /** Revisions that concern nobody are left out. */
  private readonly concerned = new Map<number, readonly string[]>();
  /** Revisions that concern a datapath and that it has not confirmed, as far as was looked; oldest first. */
  private readonly pending = new Map<string, number[]>();
  /** Called with the datapath of which something is new, else with none. */
  private readonly waiting = new Set<(datapath?: string) => void>();
  /** Whom revisions after this one concern is known. */
  private since: Revision;
  private latest: Revision;

  constructor(board: AppliedBoard, datapaths: KnownDatapaths, at: Revision) {
    this.board = board;
    this.datapaths = datapaths;
    this.since = this.latest = at;
  }

  /** Notes whom a commit concerns. */
  record(at: Revision, datapaths: readonly string[]): void {
    const { number } = (this.latest = at);
    if (datapaths.length > 0) this.concerned.set(number, datapaths);
    this.concerned.delete(number - HISTORY);
    for (const uuid of datapaths) {
      const pending = this.pendingOf(uuid);
      pending.push(number);
      // The oldest is what counts; what is in between would only pile up while the datapath is away.
      if (pending.length > HISTORY) pending.splice(1, 1);
      this.pending.set(uuid, pending);
    }
  }

  /** The store was read again. */
  restart(at: Revision): void {
    this.since = this.latest = at;
    this.concerned.clear();
    this.pending.clear();
    for (const look of [...this.waiting]) look();
  }

  /** What is known of a datapath has changed, or it is gone. */
  changed(datapath: string): void {
    if (!this.datapaths.has(datapath)) this.pending.delete(datapath);
    for (const look of [...this.waiting]) look(datapath);
  }

  /** The revision that a datapath is known to be at; null while nothing is known. */
  appliedRevision(datapath: string): number | null {
    const applied = this.appliedAt(this.board.get(datapath));
    if (applied === null || applied < this.since.number) return applied;
    const [oldest] = this.pendingOf(datapath);
    return oldest === undefined ? this.latest.number : oldest - 1;
  }

  /** Resolves when all concerned have confirmed. Throws HotoriError `wait_timeout`, `datapath_error`, `compacted` or `invalid_argument`, or the signal's reason. */
  async wait(revision: number, timeoutMs: number, signal: AbortSignal): Promise<InstalledResult> {
    signal.throwIfAborted();
    const { since, latest } = this;
    if (revision > latest.number)
      throw new HotoriError('invalid_argument', `revision ${revision} does not exist yet; the last one is ${latest.number}`);
    if (revision > since.number && revision <= latest.number - HISTORY)
      throw new HotoriError('compacted', `whom revision ${revision} concerns is no longer known; it is kept for ${HISTORY} revisions`);
    const concerned = [...(revision <= since.number ? this.datapaths.presented() : (this.concerned.get(revision) ?? []))];
    return new Promise((resolve, reject) => {
      const behind = new Set(concerned);
      const look = (only?: string) => {
        if (this.latest.incarnation !== latest.incarnation) return finish(() => reject(restoredError(revision)));
        for (const uuid of only === undefined ? [...behind] : [only]) {
          if (!behind.has(uuid)) continue;
          const applied = this.board.get(uuid);
          if (!this.datapaths.has(uuid) || (this.appliedAt(applied) ?? -1) >= revision) behind.delete(uuid);
          else if (applied?.error && applied.error.revision >= revision) {
            const { error } = applied;
            return finish(() => reject(datapathError(uuid, error)));
          }
        }
        const done = () => concerned.filter((uuid) => this.datapaths.has(uuid)).sort();
        if (behind.size === 0) finish(() => resolve({ installed: true, datapaths: done() }));
      };
      const timer = setTimeout(() => finish(() => reject(timeoutError(revision, [...behind].sort()))), timeoutMs);
      const onAbort = () => finish(() => reject(signal.reason as Error));
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        this.waiting.delete(look);
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      this.waiting.add(look);
      signal.addEventListener('abort', onAbort);
      look();
      // What is on the board may be from before the revision although nothing since concerned the datapath.
      if (revision <= since.number && this.waiting.has(look)) this.board.refresh();
    });
  }

  private appliedAt(applied: Applied | undefined): number | null {
    return applied?.incarnation === this.latest.incarnation ? applied.revision : null;
  }

  private pendingOf(datapath: string): number[] {
    const pending = this.pending.get(datapath);
    if (pending === undefined) return [];
    const applied = this.appliedAt(this.board.get(datapath)) ?? -1;
    const keep = pending.findIndex((revision) => revision > applied);
    if (keep === 0) return pending;
    const left = keep < 0 ? [] : pending.slice(keep);
    if (left.length === 0) this.pending.delete(datapath);
    else this.pending.set(datapath, left);
    return left;
  }
}

function timeoutError(revision: number, behind: readonly string[]): HotoriError {
  return new HotoriError('wait_timeout', `revision ${revision} is committed, but not yet installed on ${behind.join(', ')}`, {
    details: { datapaths: behind, revision },
  });
}

function datapathError(
  datapath_uuid: string,
  { message, uuids }: { readonly message: string; readonly uuids: readonly string[] },
): HotoriError {
  return new HotoriError('datapath_error', `${datapath_uuid} refuses it: ${message}`, { details: { datapath_uuid, message, uuids } });
}

function restoredError(revision: number): HotoriError {
  return new HotoriError('compacted', `the store was restored meanwhile: revision ${revision} may not be in it any more`);
}
