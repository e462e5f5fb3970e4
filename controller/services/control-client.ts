/**
 * vnmgr as a webapi in another process sees it.
 *
 * Owns: asking whichever vnmgr answers, and another when that one is lost; asking the vna itself what only it knows.
 * Promises: a change is carried out once however often it had to be asked for, since all attempts bear one id.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { HotoriError } from '../../flows/model/errors.js';
import { BusError, type Bus } from '../bus/contract.js';
import type { ExecuteOptions, ExecuteResult, InstalledResult, Operation, Status, VnmgrCalls } from '../contract.js';
import type { Random } from '../kernel/ambient.js';
import {
  audienceSchema,
  CONTROL,
  executedSchema,
  installedSchema,
  statusSchema,
  type ControlRequest,
} from '../messages/control-service.js';
import type { LiveCommand, LiveReport } from '../messages/live.js';
import { MessageError } from '../messages/envelope.js';
import type { FlowEntry, TraceCheck, TraceProbe } from '../messages/slice.js';
import type { Replica } from '../replica.js';
import { ask, isUnreachable } from './exchange.js';
import type { ServiceLog } from './log.js';
import { askAcceptance, askChecks, askFlows, askLive } from './vna-questions.js';
import type { z } from 'zod';

export interface ControlClientParts {
  readonly bus: Bus;
  /** Where datapaths are looked up. */
  readonly replica: Pick<Replica, 'get'>;
  readonly random: Random;
  readonly log: ServiceLog;
}

/** One attempt. */
const ATTEMPT_MS = 10_000;
/** All attempts at a change, and at reading. */
const EXECUTE_MS = 30_000;
const READ_MS = 10_000;
/** How long to look for a vnmgr when there is none. */
const NOBODY_MS = 5_000;
/** How long to look whether the store, or the way to vnmgr, comes back. */
const AWAY_MS = 8_000;
const PAUSE_MS = 200;

export class ControlClient implements VnmgrCalls {
  private readonly parts: ControlClientParts;

  constructor(parts: ControlClientParts) {
    this.parts = parts;
  }

  execute(operations: readonly Operation[], { request_id }: ExecuteOptions = {}): Promise<ExecuteResult> {
    const id = request_id ?? Buffer.from(this.parts.random.bytes(16)).toString('hex');
    return this.ask('execute', { request_id: id, operations }, executedSchema, EXECUTE_MS);
  }

  status(): Promise<Status> {
    return this.ask('status', {}, statusSchema, READ_MS);
  }

  async waitInstalled(revision: number, timeoutMs: number, signal: AbortSignal): Promise<InstalledResult> {
    const until = performance.now() + timeoutMs;
    const body = () => ({ revision, timeout_ms: Math.max(0, until - performance.now()) });
    return this.ask('wait_installed', body, installedSchema, timeoutMs + READ_MS, timeoutMs + READ_MS, signal);
  }

  audience(uuid: string): Promise<readonly string[]> {
    return this.ask('audience', { uuid }, audienceSchema, READ_MS);
  }

  async flows(datapath_uuid: string, owner?: string): Promise<readonly FlowEntry[]> {
    this.checkDatapath(datapath_uuid);
    return askFlows(this.parts.bus, datapath_uuid, owner);
  }

  async acceptSlice(datapath_uuid: string): Promise<boolean> {
    this.checkDatapath(datapath_uuid);
    return askAcceptance(this.parts.bus, datapath_uuid);
  }

  async checkTraces(datapath_uuid: string, probes: readonly TraceProbe[]): Promise<readonly TraceCheck[]> {
    this.checkDatapath(datapath_uuid);
    return askChecks(this.parts.bus, datapath_uuid, probes);
  }

  async live(datapath_uuid: string, command: LiveCommand): Promise<LiveReport> {
    this.checkDatapath(datapath_uuid);
    return askLive(this.parts.bus, datapath_uuid, command);
  }

  private checkDatapath(uuid: string): void {
    if (this.parts.replica.get('datapath', uuid) === undefined) throw new HotoriError('unknown_uuid', `there is no datapath ${uuid}`);
  }

  /** Asks one vnmgr after another until one answers. */
  private async ask<K extends keyof ControlRequest, T>(
    kind: K,
    body: ControlRequest[K] | (() => ControlRequest[K]),
    schema: z.ZodType<T>,
    totalMs: number,
    attemptMs = ATTEMPT_MS,
    signal?: AbortSignal,
  ): Promise<T> {
    const until = performance.now() + totalMs;
    let nobodySince: number | undefined;
    let awaySince: number | undefined;
    let mayHaveActed = false;
    let lost: string | undefined;
    for (;;) {
      const left = until - performance.now();
      const options = {
        timeoutMs: Math.max(1, Math.min(attemptMs, left)),
        ...(signal === undefined ? {} : { signal }),
        ...(lost === undefined ? {} : { except: [lost] }),
      };
      try {
        const asked = await ask(this.parts.bus, CONTROL, kind, typeof body === 'function' ? body() : body, schema, options);
        return asked.answer;
      } catch (error) {
        if (error instanceof MessageError || (error instanceof BusError && error.code === 'failed')) throw this.misunderstood(error);
        const now = performance.now();
        if (error instanceof HotoriError && error.code === 'unavailable') {
          // vnmgr is stopping, or the store is away; asking again with the same id finds out what became of it.
          if (error.details['unknown'] === true) mayHaveActed = true;
          awaySince ??= now;
          if (now - awaySince > AWAY_MS || now >= until) throw mayHaveActed && error.details['unknown'] !== true ? doubtful(error) : error;
          await sleep(PAUSE_MS);
          signal?.throwIfAborted();
          continue;
        }
        if (!isUnreachable(error)) throw error;
        const isNobody = error.code === 'no_server';
        if (!isNobody && error.code !== 'overloaded' && !error.unsent) mayHaveActed = true;
        if (error.code === 'unavailable') awaySince ??= now;
        // With nobody else there, the one that was lost may be back.
        lost = isNobody ? undefined : error.server;
        nobodySince = isNobody ? (nobodySince ?? now) : undefined;
        const isHopeless = now - (nobodySince ?? now) > NOBODY_MS || (error.code === 'unavailable' && now - (awaySince ?? now) > AWAY_MS);
        if (isHopeless || now >= until) throw unanswered(kind, error, mayHaveActed);
        if (isNobody || error.code === 'unavailable') await sleep(PAUSE_MS);
        signal?.throwIfAborted();
      }
    }
  }

  private misunderstood(error: Error): HotoriError {
    this.parts.log.error({ reason: error.message }, 'vnmgr and this webapi do not understand each other');
    return new HotoriError('unavailable', 'vnmgr and this webapi do not understand each other; the log says more', { cause: error });
  }
}

/** Nothing was changed by the last attempt; what became of those before is not known. */
function doubtful(error: HotoriError): HotoriError {
  return new HotoriError(
    'unavailable',
    'the vnmgr that was asked first is lost, and the store cannot be asked; it is not known whether the change was made',
    {
      details: { unknown: true },
      cause: error,
    },
  );
}

function unanswered(kind: string, error: BusError, mayHaveActed: boolean): HotoriError {
  const why = error.code === 'unavailable' ? 'there is no connection to Redis' : 'no vnmgr answers';
  if (kind !== 'execute') return new HotoriError('unavailable', why, { cause: error });
  return mayHaveActed
    ? new HotoriError('unavailable', `${why}; it is not known whether the change was made`, { details: { unknown: true }, cause: error })
    : new HotoriError('unavailable', `${why}; nothing was changed`, { cause: error });
}
