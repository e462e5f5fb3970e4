/**
 * Reads what the switch holds and tells the ledgers.
 *
 * Owns: the dump of flows, groups and meters, and what in it is ours: flows by cookie; groups that are wanted, or that a flow of ours sends to.
 * Promises: a dump is compared part by part as it arrives, matches, actions and cookies in full. Nothing is written here but meters, which
 * cannot travel in bundles; what differs becomes a difference in the ledgers. Foreign flows, groups and meters are left alone.
 */
import { flowKey, meterBody } from '../../flows/openflow/canonical.js';
import type { Flow, Group, Meter } from '../../flows/openflow/flow.js';
import { groupsOf, groupsOfFlow } from '../../flows/openflow/groups-of.js';
import { OWNER_COOKIE, OWNER_MASK } from '../../flows/pipeline/cookie.js';
import { PIPELINE_VERSION, TABLES } from '../../flows/pipeline/tables.js';
import { SwitchRejection } from '../channel/errors.js';
import type { Channel } from '../channel/contract.js';
import { isCanary, readCanary, type Canary } from './canary.js';
import type { Image } from './image.js';
import type { Drift } from './ledger.js';

export interface Findings {
  readonly flows: Drift;
  readonly groups: Drift;
}

const OURS = { cookie: OWNER_COOKIE, cookie_mask: OWNER_MASK };

/** The canary on the switch; undefined when there is none that we can read. */
export async function findCanary(channel: Channel, signal: AbortSignal): Promise<Canary | undefined> {
  let canary: Canary | undefined;
  const look = (flows: readonly Flow[]): void => {
    for (const flow of flows) canary ??= readCanary(flow);
  };
  await channel.dumpFlows({ ...OURS, table: TABLES.CANARY.id }, look, signal);
  return canary;
}

/**
 * Compares all of ours on the switch with what the ledgers believe and corrects that belief.
 * @param inFlight tells the keys on their way to the switch now, about which the dump proves nothing
 * @param wasSent true when something was sent to the switch since the dump began
 * @param change stamp of the differences found
 */
export async function takeStock(
  channel: Channel,
  image: Image,
  inFlight: () => readonly { readonly on: 'flow' | 'group'; readonly key: string | number }[],
  wasSent: () => boolean,
  change: () => number,
  signal: AbortSignal,
): Promise<Findings> {
  image.flows.beginSweep();
  image.groups.beginSweep();
  for (const { on, key } of inFlight()) {
    if (on === 'flow') image.flows.touch(key as string);
    else image.groups.touch(key as number);
  }
  let canary: Canary | undefined;
  const look = (flows: readonly Flow[]): Promise<void> => {
    for (const flow of flows) {
      if (isCanary(flow)) canary = readCanary(flow);
      else image.flows.see(flowKey(flow), flow);
    }
    // Parts arrive faster than they are compared: without a pause between them nothing else would run until the dump ends.
    return breath();
  };
  await channel.dumpFlows(OURS, look, signal);
  for (const group of await channel.dumpGroups(signal)) image.groups.see(group.group_id, group);
  disownForeignGroups(image);
  const findings = {
    flows: await breathing(image.flows.endSweep(change())),
    groups: await breathing(image.groups.endSweep(change())),
  };
  if (!wasSent()) image.canary = canary?.pipelineVersion === PIPELINE_VERSION ? canary.digest : undefined;
  return findings;
}

/**
 * Puts meters right; meters not named here are left alone.
 * @returns the ids put right, and what the switch refused
 */
export async function putMeters(
  channel: Channel,
  wanted: ReadonlyMap<number, Meter>,
  signal: AbortSignal,
): Promise<{ readonly put: readonly number[]; readonly refused: readonly { readonly meter_id: number; readonly message: string }[] }> {
  const held = new Map((await channel.dumpMeters(signal)).map((meter) => [meter.meter_id, meterBody(meter)]));
  const put: number[] = [];
  const refused: { meter_id: number; message: string }[] = [];
  for (const [id, meter] of wanted) {
    const body = held.get(id);
    if (body === meterBody(meter)) continue;
    try {
      await channel.meterMod(body === undefined ? 'add' : 'modify', meter);
      put.push(id);
    } catch (error) {
      if (!(error instanceof SwitchRejection)) throw error;
      refused.push({ meter_id: id, message: error.error.name });
    }
  }
  return { put, refused };
}

/** A group has no cookie. One that nobody wants is ours only if a flow or group of ours that nobody wants either sends to it. */
function disownForeignGroups(image: Image): void {
  const unwanted = new Map<number, Group>();
  for (const [id, group] of image.groups.extras()) if (!image.groups.wanted.has(id)) unwanted.set(id, group);
  if (unwanted.size === 0) return;
  const queue: number[] = [];
  for (const [key, flow] of image.flows.extras()) if (!image.flows.wanted.has(key)) queue.push(...groupsOfFlow(flow));
  const ours = new Set<number>();
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    const group = unwanted.get(id);
    if (group === undefined || ours.has(id)) continue;
    ours.add(id);
    for (const bucket of group.buckets) queue.push(...groupsOf(bucket.actions));
  }
  for (const id of unwanted.keys()) if (!ours.has(id)) image.groups.disown(id);
}

/** Lets the event loop run. */
function breath(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Runs a stepwise computation to its end and lets the event loop run between the steps. */
async function breathing<T>(steps: Generator<undefined, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await breath();
  }
}
