/**
 * Reads what the switch holds and tells the ledgers.
 *
 * Owns: the dump of flows, groups and meters, and what in it is ours: flows by cookie; groups that are wanted, or that a flow of ours sends to.
 * Promises: flows are read in portions, each of which is settled before the next; a dump is compared part by part as it arrives, matches, actions and cookies in full. Nothing is written here but meters, which
 * cannot travel in bundles; what differs becomes a difference in the ledgers. Foreign flows, groups and meters are left alone.
 */
import { flowKey, meterBody } from '../../flows/openflow/canonical.js';
import type { Flow, Group, Meter } from '../../flows/openflow/flow.js';
import { groupsOf, groupsOfFlow } from '../../flows/openflow/groups-of.js';
import { makeCookie, OWNER_COOKIE, OWNER_MASK } from '../../flows/pipeline/cookie.js';
import { PIPELINE_VERSION, TABLES } from '../../flows/pipeline/tables.js';
import { SwitchRejection } from '../channel/errors.js';
import type { Channel, FlowFilter } from '../channel/contract.js';
import { isCanary, readCanary, type Canary } from './canary.js';
import type { Image } from './image.js';
import type { Drift } from './ledger.js';
import type { Portion } from './portions.js';

export interface Findings {
  readonly flows: Drift;
  readonly groups: Drift;
}

const CANARY_COOKIE = makeCookie(TABLES.CANARY.id, 0n);
const MAX_EXAMPLES = 5;
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

export interface Stocktaking {
  /** What is read at a time; all at once when undefined. */
  readonly portions?: readonly Portion[];
  /** Resolves when the next portion may be read. */
  readonly pace?: () => Promise<void>;
  /** The keys on their way to the switch now, about which a dump proves nothing. */
  readonly inFlight: () => readonly { readonly on: 'flow' | 'group'; readonly key: string | number }[];
  /** A number that differs when something has been sent to the switch in between; undefined while something is on its way. */
  readonly sent: () => number | undefined;
  /** Stamp of the differences found. */
  readonly change: () => number;
  readonly signal: AbortSignal;
}

/** Compares all of ours on the switch with what the ledgers believe and corrects that belief. */
export async function takeStock(channel: Channel, image: Image, taking: Stocktaking): Promise<Findings> {
  const { portions = [undefined], pace, inFlight, change, signal } = taking;
  const flows: Drift = { missing: 0, extra: 0, changed: 0, examples: [] };
  /** Groups that flows of ours send to which nobody wants. */
  const sentTo: number[] = [];
  for (const portion of portions) {
    await pace?.();
    image.flows.beginSweep();
    for (const { on, key } of inFlight()) if (on === 'flow') image.flows.touch(key as string);
    await readFlows(channel, image, portion?.filter ?? OURS, taking);
    for (const [key, flow] of image.flows.extras()) if (!image.flows.wanted.has(key)) sentTo.push(...groupsOfFlow(flow));
    addDrift(flows, await breathing(image.flows.endSweep(change(), portion)));
  }
  image.groups.beginSweep();
  for (const { on, key } of inFlight()) if (on === 'group') image.groups.touch(key as number);
  for (const group of await channel.dumpGroups(signal)) image.groups.see(group.group_id, group);
  disownForeignGroups(image, sentTo);
  return { flows, groups: await breathing(image.groups.endSweep(change())) };
}

/** Shows the ledger what flows there are, and learns what the canary says when it is among them. */
async function readFlows(channel: Channel, image: Image, filter: FlowFilter, { sent, signal }: Stocktaking): Promise<void> {
  let canary: Canary | undefined;
  const before = sent();
  const look = (flows: readonly Flow[]): Promise<void> => {
    for (const flow of flows) {
      if (isCanary(flow)) canary = readCanary(flow);
      else image.flows.see(flowKey(flow), flow);
    }
    // Parts arrive faster than they are compared: without a pause between them nothing else would run until the dump ends.
    return breath();
  };
  await channel.dumpFlows(filter, look, signal);
  const isCanaryAmong = (CANARY_COOKIE & filter.cookie_mask) === filter.cookie;
  if (isCanaryAmong && before !== undefined && before === sent())
    image.canary = canary?.pipelineVersion === PIPELINE_VERSION ? canary.digest : undefined;
}

function addDrift(sum: Drift, { missing, extra, changed, examples }: Drift): void {
  sum.missing += missing;
  sum.extra += extra;
  sum.changed += changed;
  sum.examples.push(...examples.slice(0, MAX_EXAMPLES - sum.examples.length));
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

/**
 * A group has no cookie. One that nobody wants is ours only if a flow or group of ours that nobody wants either sends to it.
 * @param sentTo what such flows send to
 */
function disownForeignGroups(image: Image, sentTo: readonly number[]): void {
  const unwanted = new Map<number, Group>();
  for (const [id, group] of image.groups.extras()) if (!image.groups.wanted.has(id)) unwanted.set(id, group);
  if (unwanted.size === 0) return;
  const queue = [...sentTo];
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
