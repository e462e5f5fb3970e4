/**
 * Requests on their way into the store.
 *
 * Owns: the queue; running what waits as one group, each request on top of the ones before it; compare-and-set with other writers; answering a
 * request that was committed before.
 * Promises: requests are committed one after another, those that wait together in one step. What is refused or changes nothing was judged by the
 * newest state of the store. A request is carried out once, whatever is lost on the way: where the outcome of a commit is unknown, the log tells.
 */
import { setTimeout } from 'node:timers/promises';
import { Draft } from '../../flows/model/draft.js';
import { isUserEntity } from '../../flows/model/entities.js';
import { HotoriError } from '../../flows/model/errors.js';
import type { ExecuteResult, View } from '../contract.js';
import type { Clock, Random } from '../kernel/ambient.js';
import { Breath } from '../kernel/breath.js';
import { RandomPool } from '../kernel/random-pool.js';
import type { Revision } from '../messages/slice.js';
import type { Replica } from '../replica.js';
import { StoreError, type Store, type StoredChange } from '../store/contract.js';
import { viewOf } from '../views.js';
import { KnownRequests } from './known-requests.js';
import type { Step } from './step.js';
import { transact, type EntityChange, type TransactionOutcome } from './transaction.js';

export interface QueueParts {
  readonly store: Store;
  readonly replica: Replica;
  readonly clock: Clock;
  readonly random: Random;
}

/** Operations that may reach the disk together; more would make the first wait for the last. */
const GROUP_OPERATIONS = 256;
/** Milliseconds that a request waits for a store that is out of reach. */
const PATIENCE_MS = 10_000;
const RETRY_MS = 100;
/** How far back requests are known after a start. */
const RECALLED_REVISIONS = 1_000;
/** Times that others may come first before a group is run without giving way in between. */
const PATIENT_ATTEMPTS = 3;

interface Request {
  /** What to do, asked for when its turn has come. */
  readonly steps: () => readonly Step[];
  readonly id: string | undefined;
  readonly since: number;
  readonly resolve: (result: ExecuteResult) => void;
  readonly reject: (error: unknown) => void;
}

/** A request that has been run, with the revision it will have. */
interface Run {
  readonly request: Request;
  readonly revision: number;
  readonly outcome: TransactionOutcome | undefined;
  /** Why it is refused. */
  readonly error: unknown;
  /** It neither says nor depends on what vnas see. */
  readonly isOfUsers: boolean;
}

export class TransactionQueue {
  private readonly parts: QueueParts;
  /** Names are made of it, many to a large request. */
  private readonly random: Random;
  private readonly known = new KnownRequests();
  /** What comes under an id that is being carried out is the same request. */
  private readonly running = new Map<string, Promise<ExecuteResult>>();
  private readonly waiting: Request[] = [];
  /** Changes applied since the group under way was run. */
  private seen: StoredChange[] = [];
  private isCarryingOut = false;
  /** Whether something of the group under way may be in the store, or may yet come there. */
  private isInDoubt = false;
  private ready: Promise<void>;
  private working: Promise<void> | undefined;
  private closed = false;

  constructor(parts: QueueParts) {
    this.parts = parts;
    this.random = new RandomPool(parts.random);
    this.ready = this.recall();
  }

  /** Finishes what was asked for; nothing more is accepted. */
  async close(): Promise<void> {
    this.closed = true;
    await this.working;
  }

  /** A change of the store was applied, whoever committed it. */
  changed(change: StoredChange): void {
    if (this.isCarryingOut) this.seen.push(change);
    this.known.note(change);
  }

  /** The store was read again: what it holds of requests is to be read again too. */
  reloaded(): void {
    this.known.clear();
    this.ready = this.recall();
  }

  /**
   * Carries out what `steps` says when its turn has come, and again when another writer came first.
   * @param id under which it is carried out once
   */
  run(steps: () => readonly Step[], id?: string): Promise<ExecuteResult> {
    if (this.closed) return Promise.reject(new HotoriError('unavailable', 'the controller is stopping'));
    const same = id === undefined ? undefined : this.running.get(id);
    if (same) return same;
    const result = new Promise<ExecuteResult>((resolve, reject) => {
      this.waiting.push({ steps, id, since: performance.now(), resolve, reject });
      this.working ??= this.work();
    });
    if (id === undefined) return result;
    const forget = () => this.running.delete(id);
    result.then(forget, forget);
    this.running.set(id, result);
    return result;
  }

  private async work(): Promise<void> {
    // What is asked for in one turn is committed together.
    await Promise.resolve();
    this.isCarryingOut = true;
    while (this.waiting.length > 0) {
      const group = this.nextGroup();
      try {
        await this.carryOut(group);
      } catch (error) {
        for (const { reject } of group) reject(this.isInDoubt && error instanceof StoreError ? unknownError(error) : refusalOf(error));
      }
    }
    this.isCarryingOut = false;
    // In the same turn as the last look at the queue: whoever comes later starts anew.
    this.working = undefined;
  }

  private nextGroup(): Request[] {
    const group: Request[] = [];
    for (let operations = 0; operations < GROUP_OPERATIONS && this.waiting.length > 0;) {
      const request = this.waiting.shift()!;
      operations += request.steps().length;
      group.push(request);
    }
    return group;
  }

  private async carryOut(group: readonly Request[]): Promise<void> {
    const { replica } = this.parts;
    const until = Math.min(...group.map(({ since }) => since)) + PATIENCE_MS;
    let left = group;
    this.isInDoubt = false;
    for (let attempt = 1; ; attempt++) {
      this.seen = [];
      left = await this.answerKnown(left, until);
      if (left.length === 0) return;
      let runs = await this.runAll(left, attempt);
      for (;;) {
        const base = replica.revision();
        if (await this.settle(runs.flatMap(changeOf), base, until)) {
          this.answer(runs);
          return;
        }
        // Others came first. What vnas see does not bear on what users ask for: then only the numbers change.
        const { seen } = this;
        const isAhead = replica.revision().incarnation === base.incarnation && replica.revision().number - base.number === seen.length;
        if (!isAhead || !seen.every(isOfVnas) || !runs.every((run) => run.isOfUsers)) break;
        runs = runs.map((run) => ({ ...run, revision: run.revision + seen.length }));
        this.seen = [];
      }
    }
  }

  /** @returns false when what was run has to be run, or at least numbered, anew; the replica is where the store is then. */
  private async settle(changes: readonly StoredChange[], base: Revision, until: number): Promise<boolean> {
    if (changes.length > 0) return this.commit(changes, base, until);
    // A refusal, or that nothing differs, counts only as the newest state has it.
    await this.catchUp(until);
    return sameRevision(this.parts.replica.revision(), base);
  }

  /** Runs requests, each on top of the ones before it. */
  private async runAll(requests: readonly Request[], attempt: number): Promise<Run[]> {
    const { replica, clock } = this.parts;
    const { random } = this;
    const breath = new Breath(attempt > PATIENT_ATTEMPTS ? Infinity : undefined);
    replica.hold();
    try {
      const draft = new Draft(replica.model);
      const runs: Run[] = [];
      let counters = replica.counters();
      let { number: revision } = replica.revision();
      for (const request of requests) {
        try {
          const now = new Date(clock.now()).toISOString();
          const steps = request.steps();
          const outcome = await transact(draft, steps, { random, now, counters, revision: revision + 1, breath });
          if (outcome.changes.length > 0) revision++;
          counters = { ...counters, ...outcome.counters };
          runs.push({ request, revision, outcome, error: undefined, isOfUsers: isOfUsers(steps, outcome) });
        } catch (error) {
          runs.push({ request, revision, outcome: undefined, error, isOfUsers: true });
        }
      }
      return runs;
    } finally {
      replica.release();
    }
  }

  /** @returns whether the store took the changes; false when others came first, or nobody knows: then the replica is where the store is now. */
  private async commit(changes: readonly StoredChange[], base: Revision, until: number): Promise<boolean> {
    const { store, replica } = this.parts;
    // Others came first while it was prepared.
    if (changes[0]!.revision !== replica.revision().number + 1) return false;
    try {
      await store.commit(changes, base);
    } catch (error) {
      if (!(error instanceof StoreError) || (error.code !== 'conflict' && error.code !== 'unavailable')) throw error;
      if (error.code === 'unavailable') this.isInDoubt = true;
      try {
        await this.catchUp(until);
        if (sameRevision(replica.revision(), base)) await this.pause(error, until);
      } catch (failure) {
        throw failure;
      }
      return false;
    }
    for (const change of changes) replica.take(change);
    return true;
  }

  /** Lets a store that took nothing, though nobody came first, have some time. */
  private async pause(error: StoreError, until: number): Promise<void> {
    if (performance.now() > until) throw error;
    await setTimeout(RETRY_MS);
  }

  /** Brings the replica to where the store is, waiting for one that is out of reach. */
  private async catchUp(until: number): Promise<void> {
    await this.patiently(() => this.parts.replica.catchUp(), until);
    await this.ready;
  }

  private async patiently<T>(attempt: () => Promise<T>, until: number): Promise<T> {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== 'unavailable' || this.closed || performance.now() > until) throw error;
      }
      await setTimeout(RETRY_MS);
    }
  }

  /** Answers the requests that are in the store already. @returns the others. */
  private async answerKnown(requests: readonly Request[], until: number): Promise<readonly Request[]> {
    await this.ready;
    const { store, replica } = this.parts;
    const known = requests.filter(({ id }) => id !== undefined && this.known.get(id));
    if (known.length === 0) return requests;
    // Somebody else may have committed it, and not know yet whether it will stay.
    const { incarnation } = replica.revision();
    const last = Math.max(...known.map(({ id }) => this.known.get(id!)!.revision));
    try {
      await this.patiently(() => store.settle({ incarnation, number: last }), until);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (error.code !== 'compacted') throw unknownError(error);
      // It did not stay: what is known now is known from the store as it was restored.
      await this.catchUp(until);
      return this.answerKnown(requests, until);
    }
    for (const { id, resolve } of known) {
      const { revision, outcomes } = this.known.get(id!)!;
      resolve({ revision: { incarnation, number: revision }, changed: true, results: outcomes.map((outcome) => this.resultOf(outcome)) });
    }
    return requests.filter((request) => !known.includes(request));
  }

  private resultOf(outcome: string | readonly string[]): View | readonly string[] {
    if (typeof outcome !== 'string') return outcome;
    const { model } = this.parts.replica;
    const entity = model.get(outcome);
    return entity && isUserEntity(entity) ? viewOf(model, entity) : { uuid: outcome };
  }

  private answer(runs: readonly Run[]): void {
    const { incarnation } = this.parts.replica.revision();
    for (const { request, revision, outcome, error } of runs) {
      if (outcome === undefined) request.reject(error);
      else request.resolve({ revision: { incarnation, number: revision }, changed: outcome.changes.length > 0, results: outcome.results });
    }
  }

  /** Reads from the log which requests were committed lately. */
  private async recall(): Promise<void> {
    const { store, replica } = this.parts;
    for (let trimmed = 0; !this.closed;) {
      const at = replica.revision();
      try {
        const changes = await store.changesSince({ ...at, number: Math.max(store.floor(), at.number - RECALLED_REVISIONS) });
        for (const change of changes) this.known.note(change);
        return;
      } catch (error) {
        const { code } = error instanceof StoreError ? error : { code: undefined };
        if (code !== 'unavailable' && (code !== 'compacted' || ++trimmed > PATIENT_ATTEMPTS)) return;
      }
      await setTimeout(RETRY_MS);
    }
  }
}

function changeOf({ request: { id }, revision, outcome }: Run): StoredChange | readonly never[] {
  if (outcome === undefined || outcome.changes.length === 0) return [];
  return {
    revision,
    puts: outcome.changes.flatMap(({ after }) => after ?? []),
    deletes: outcome.changes.flatMap(({ uuid, after }) => (after ? [] : uuid)),
    counters: outcome.counters,
    requests: id === undefined ? [] : [{ id, outcomes: outcome.outcomes }],
  };
}

/** Whether a change is only of what vnas see. */
function isOfVnas({ puts, deletes }: StoredChange): boolean {
  return puts.every(({ kind }) => kind === 'vif' || kind === 'chassis') && deletes.every((uuid) => /^(vif|ch)-/.test(uuid));
}

/** A datapath takes along what its vna sees. */
function isOfUsers(steps: readonly Step[], { changes }: TransactionOutcome): boolean {
  const touchesDatapath = ({ before, after }: EntityChange) => (after ?? before)?.kind === 'datapath';
  return steps.every(({ verb }) => verb !== 'observe') && !changes.some(touchesDatapath);
}

function sameRevision(a: Revision, b: Revision): boolean {
  return a.number === b.number && a.incarnation === b.incarnation;
}

function unknownError(cause: unknown): HotoriError {
  return new HotoriError(
    'unavailable',
    'the store does not answer, and whether the change was made is not known yet; asking again under the same request id will tell',
    { details: { unknown: true }, cause },
  );
}

function refusalOf(error: unknown): unknown {
  return error instanceof StoreError ? new HotoriError('unavailable', `nothing was changed: ${error.message}`, { cause: error }) : error;
}
