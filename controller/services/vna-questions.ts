/**
 * What is asked of the vna of a datapath, wherever it is attached.
 *
 * Promises: HotoriError `unavailable` when it does not answer.
 */
import type { z } from 'zod';
import { HotoriError } from '../../flows/model/errors.js';
import type { Bus } from '../bus/contract.js';
import { acceptedSchema, datapathOf, flowEntriesSchema, traceChecksSchema } from '../messages/slice-service.js';
import { liveReportSchema, type LiveCommand, type LiveReport } from '../messages/live.js';
import type { FlowEntry, TraceCheck, TraceProbe } from '../messages/slice.js';
import { ask, isUnreachable } from './exchange.js';

const ANSWER_MS = 10_000;

export function askFlows(bus: Bus, datapath_uuid: string, owner: string | undefined): Promise<readonly FlowEntry[]> {
  return askVna(bus, datapath_uuid, 'flows', { owner }, flowEntriesSchema);
}

/** @returns false when it holds no slice back. */
export async function askAcceptance(bus: Bus, datapath_uuid: string): Promise<boolean> {
  return (await askVna(bus, datapath_uuid, 'accept_slice', {}, acceptedSchema)).accepted;
}

export function askChecks(bus: Bus, datapath_uuid: string, probes: readonly TraceProbe[]): Promise<readonly TraceCheck[]> {
  return askVna(bus, datapath_uuid, 'check_traces', { probes }, traceChecksSchema);
}

export function askLive(bus: Bus, datapath_uuid: string, command: LiveCommand): Promise<LiveReport> {
  return askVna(bus, datapath_uuid, 'live', command, liveReportSchema);
}

async function askVna<T>(bus: Bus, datapath_uuid: string, kind: string, body: object, schema: z.ZodType<T>): Promise<T> {
  try {
    return (await ask(bus, datapathOf(datapath_uuid), kind, body, schema, { timeoutMs: ANSWER_MS })).answer;
  } catch (error) {
    if (isUnreachable(error)) throw new HotoriError('unavailable', `the vna of ${datapath_uuid} does not answer`, { cause: error });
    throw error;
  }
}
