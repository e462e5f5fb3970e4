/**
 * The controller as a webapi of its own has it: a replica to read from, and some vnmgr for the rest.
 *
 * Promises: who has written reads what was written: a write is answered once the replica has it.
 */
import { HotoriError } from '../flows/model/errors.js';
import type { Controller, ExecuteOptions, ExecuteResult, InstalledResult, Operation, Status, VnmgrCalls } from './contract.js';
import type { LiveCommand, LiveReport } from './messages/live.js';
import type { FlowEntry, Revision, TraceCheck, TraceProbe } from './messages/slice.js';
import type { Replica } from './replica.js';
import { ReplicaReads, type Traces } from './replica-reads.js';

/** Milliseconds that a write which is committed waits for the replica to have it. */
const FOLLOW_MS = 10_000;

export interface ReplicaControllerParts {
  readonly version: string;
  readonly replica: Replica;
  readonly calls: VnmgrCalls;
  readonly traces: Traces;
}

export class ReplicaController extends ReplicaReads implements Controller {
  readonly version: string;
  protected readonly replica: Replica;
  private readonly calls: VnmgrCalls;
  protected readonly traces: Traces;

  constructor({ version, replica, calls, traces }: ReplicaControllerParts) {
    super();
    this.version = version;
    this.replica = replica;
    this.calls = calls;
    this.traces = traces;
  }

  async execute(operations: readonly Operation[], options?: ExecuteOptions): Promise<ExecuteResult> {
    const result = await this.calls.execute(operations, options);
    await this.follow(result.revision);
    return result;
  }

  status(): Promise<Status> {
    return this.calls.status();
  }

  waitInstalled(revision: number, timeoutMs: number, signal: AbortSignal): Promise<InstalledResult> {
    return this.calls.waitInstalled(revision, timeoutMs, signal);
  }

  audience(uuid: string): Promise<readonly string[]> {
    return this.calls.audience(uuid);
  }

  flows(datapath_uuid: string, owner?: string): Promise<readonly FlowEntry[]> {
    return this.calls.flows(datapath_uuid, owner);
  }

  acceptSlice(datapath_uuid: string): Promise<boolean> {
    return this.calls.acceptSlice(datapath_uuid);
  }

  checkTraces(datapath_uuid: string, probes: readonly TraceProbe[]): Promise<readonly TraceCheck[]> {
    return this.calls.checkTraces(datapath_uuid, probes);
  }

  live(datapath_uuid: string, command: LiveCommand): Promise<LiveReport> {
    return this.calls.live(datapath_uuid, command);
  }

  private async follow(revision: Revision): Promise<void> {
    const { incarnation, number } = this.replica.revision();
    if (incarnation === revision.incarnation && number >= revision.number) return;
    try {
      await this.replica.waitFor(revision, AbortSignal.timeout(FOLLOW_MS));
    } catch {
      throw new HotoriError('unavailable', `revision ${revision.number} is committed, but the store cannot be followed from here`, {
        details: { committed: true, revision: revision.number },
      });
    }
  }
}
