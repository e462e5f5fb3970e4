/**
 * One ordered set of modifications that brings the switch closer to what is wanted.
 *
 * Owns: the choice of the differences that are due, their order, the digest that results.
 * Promises: a group is there before the flows that use it and goes after them; a flow is there before the ones that lead to it (tables from
 * last to first) and goes after them. Applied as one bundle the order decides only what the switch can accept; applied in pieces, each prefix is safe.
 * A group stays while a flow that the switch keeps for now sends to it: the switch would delete that flow along with it (OpenFlow 1.3 §6.4).
 */
import { groupsOfFlow } from '../../flows/openflow/groups-of.js';
import type { TableMod } from '../channel/contract.js';
import type { FlowKey } from '../../flows/compile/contract.js';
import type { Flow, Group } from '../../flows/openflow/flow.js';
import type { Image } from './image.js';
import type { Difference, Entry } from './ledger.js';

export type Step = { readonly mod: TableMod; readonly since: number } & (
  | { readonly on: 'flow'; readonly key: FlowKey; readonly entry: Entry<Flow> | undefined }
  | { readonly on: 'group'; readonly key: number; readonly entry: Entry<Group> | undefined }
);

export interface DueOptions {
  /** Milliseconds of the clock; what was refused waits for its time. */
  readonly now: number;
  /** False while deletions are held back. */
  readonly deletions: boolean;
}

export function planBatch(image: Image, options: DueOptions): readonly Step[] {
  const groupPuts: Step[] = [];
  const groupDeletes: Step[] = [];
  for (const [key, difference] of image.groups.differences) {
    const entry = image.groups.wanted.get(key);
    if (!isDue(difference, entry, options)) continue;
    if (entry === undefined)
      groupDeletes.push({ on: 'group', key, entry, since: difference.since, mod: { kind: 'group_delete', group_id: key } });
    else {
      const kind = difference.held === undefined ? 'group_add' : 'group_modify';
      groupPuts.push({ on: 'group', key, entry, since: difference.since, mod: { kind, group: entry.value } });
    }
  }

  const flowPuts = new ByTable();
  const flowDeletes = new ByTable();
  for (const [key, difference] of image.flows.differences) {
    const entry = image.flows.wanted.get(key);
    if (!isDue(difference, entry, options)) continue;
    if (entry !== undefined)
      flowPuts.add(entry.value.table, { on: 'flow', key, entry, since: difference.since, mod: { kind: 'flow_add', flow: entry.value } });
    else if (difference.held !== undefined) {
      const { table, priority, match } = difference.held.value;
      const mod = { kind: 'flow_delete_strict', flow: { table, priority, match } } as const;
      flowDeletes.add(table, { on: 'flow', key, entry, since: difference.since, mod });
    }
  }
  return sparingGroups(image, [groupPuts, ...flowPuts.lists().reverse(), ...flowDeletes.lists(), groupDeletes].flat());
}

/** The steps without the deletion of groups that a flow sends to which the switch holds and the steps leave as it is. */
export function sparingGroups(image: Image, steps: readonly Step[]): readonly Step[] {
  if (steps.at(-1)?.mod.kind !== 'group_delete') return steps;
  const changed = new Set<FlowKey>();
  for (const step of steps) if (step.on === 'flow') changed.add(step.key);
  const used = new Set<number>();
  // A flow that is wanted as it is sends to no group that is not wanted.
  for (const [key, { held }] of image.flows.differences) {
    if (held !== undefined && !changed.has(key)) for (const id of groupsOfFlow(held.value)) used.add(id);
  }
  return steps.filter(({ mod }) => mod.kind !== 'group_delete' || !used.has(mod.group_id));
}

/** When the next refused difference is due, milliseconds of the clock; Infinity when none waits. */
export function nextRetry(image: Image): number {
  let next = Infinity;
  for (const [, { refusal }] of image.flows.refusals()) next = Math.min(next, refusal.retryAt);
  for (const [, { refusal }] of image.groups.refusals()) next = Math.min(next, refusal.retryAt);
  return next;
}

/** The digest of what the switch holds once these steps are done. */
export function digestAfter(image: Image, steps: readonly Step[]): bigint {
  let { digest } = image;
  for (const step of steps)
    digest ^= step.on === 'flow' ? image.flows.digestChange(step.key, step.entry) : image.groups.digestChange(step.key, step.entry);
  return digest;
}

function isDue<V>({ refusal }: Difference<V>, wanted: Entry<V> | undefined, options: DueOptions): boolean {
  return (refusal === undefined || refusal.retryAt <= options.now) && (wanted !== undefined || options.deletions);
}

/** Steps by the table of their flow. */
class ByTable {
  readonly #steps = new Map<number, Step[]>();

  add(table: number, step: Step): void {
    const steps = this.#steps.get(table);
    if (steps === undefined) this.#steps.set(table, [step]);
    else steps.push(step);
  }

  /** From the first table to the last. */
  lists(): Step[][] {
    return [...this.#steps].sort(([a], [b]) => a - b).map(([, steps]) => steps);
  }
}
