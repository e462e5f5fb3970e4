/**
 * Which datapaths have installed a revision.
 *
 * Owns: who had something to install, per revision of the last HISTORY, and those who wait for it.
 * Promises: a datapath counts when its slice changed at the revision, connected or not. For revisions from before vnmgr started, when nobody
 * remembers whom they changed, every datapath counts and has to have confirmed its slice since.
 */
import { HotoriError } from '../../flows/model/errors.js';
import type { InstalledResult } from '../contract.js';
import type { Session } from './session.js';

const HISTORY = 10_000;

export class Confirmations {
  private readonly sessions: ReadonlyMap<string, Session>;
  private readonly started: number;
  /** By revision, the seq that brings it per datapath. Revisions that changed no slice are left out. */
  private readonly concerned = new Map<number, ReadonlyMap<string, number>>();
  private readonly waiting = new Set<() => void>();
  private latest: number;

  /** @param sessions of all datapaths of the model. @param started the revision at start. */
  constructor(sessions: ReadonlyMap<string, Session>, started: number) {
    this.sessions = sessions;
    this.started = started;
    this.latest = started;
  }

  /** Notes whom a commit concerns. */
  record(revision: number, seqs: ReadonlyMap<string, number>): void {
    this.latest = revision;
    if (seqs.size > 0) this.concerned.set(revision, seqs);
    this.concerned.delete(revision - HISTORY);
  }

  /** Something was confirmed, or a datapath is gone. */
  changed(): void {
    for (const look of [...this.waiting]) look();
  }

  /** Resolves when all concerned have confirmed. Throws HotoriError `wait_timeout`, `datapath_error`, `compacted` or `invalid_argument`, or the signal's reason. */
  async wait(revision: number, timeoutMs: number, signal: AbortSignal): Promise<InstalledResult> {
    signal.throwIfAborted();
    if (revision > this.latest)
      throw new HotoriError('invalid_argument', `revision ${revision} does not exist yet; the last one is ${this.latest}`);
    if (revision > this.started && revision <= this.latest - HISTORY)
      throw new HotoriError('compacted', `whom revision ${revision} concerns is no longer known; it is kept for ${HISTORY} revisions`);
    return new Promise((resolve, reject) => {
      const look = () => {
        const { done, behind, error } = this.progress(revision);
        if (error) finish(() => reject(error));
        else if (behind.length === 0) finish(() => resolve({ installed: true, datapaths: done }));
      };
      const timer = setTimeout(() => finish(() => reject(timeoutError(revision, this.progress(revision).behind))), timeoutMs);
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
    });
  }

  private progress(revision: number): { done: string[]; behind: string[]; error: HotoriError | undefined } {
    const done: string[] = [];
    const behind: string[] = [];
    let error: HotoriError | undefined;
    const seqs =
      revision <= this.started ? [...this.sessions.keys()].map((uuid) => [uuid, 0] as const) : (this.concerned.get(revision) ?? []);
    for (const [uuid, seq] of seqs) {
      // A datapath that was deleted since has nothing to confirm any more.
      const session = this.sessions.get(uuid);
      if (session === undefined) continue;
      const problem = session.errorAt(seq);
      if (problem) error ??= datapathError(uuid, problem);
      (session.hasApplied(seq) ? done : behind).push(uuid);
    }
    return { done: done.sort(), behind: behind.sort(), error };
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
