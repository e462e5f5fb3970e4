/**
 * What a change would do, before it is made.
 *
 * Owns: making a plan on a twin: entities that would differ, flows that would come, change and go on each datapath, reachability that would open or close.
 * Promises: flows are those that vnas would make of the change, and nothing is left of it in the twin.
 */
import type { FlowKey } from '../../flows/compile/contract.js';
import { isUserEntity, type UserKind } from '../../flows/model/entities.js';
import { sameValue } from '../../flows/model/same.js';
import type { Flow } from '../../flows/openflow/flow.js';
import { flowToString } from '../../flows/openflow/text-flow.js';
import { tableName } from '../../flows/trace/explain/names.js';
import type { EntityChange } from '../transaction/transaction.js';
import { MOST_PLANNED_DATAPATHS, MOST_PLANNED_FLOWS, MOST_PLANNED_TABLES, type Plan, type PlanFlow } from '../messages/plan.js';
import { planReach, type PlannedReach } from './plan-reach.js';
import { inverse, type Twin } from './twin.js';

export function* planOf(twin: Twin, changes: readonly EntityChange[]): Generator<void, Omit<Plan, 'revision'>> {
  const concerned = [...twin.apply(changes).keys()].sort();
  twin.apply(inverse(changes));
  // Compiled as they are, so that the change shows.
  const counted: string[] = [];
  for (let flows = 0; counted.length < Math.min(concerned.length, MOST_PLANNED_DATAPATHS) && flows < MOST_PLANNED_TABLES;) {
    const uuid = concerned[counted.length]!;
    counted.push(uuid);
    yield* twin.compile(uuid);
    flows += twin.at(uuid)?.tables.flows.size ?? 0;
  }
  const known = new Map(counted.map((uuid) => [uuid, new Set(twin.at(uuid)?.tables.flows.keys())]));

  twin.apply(changes);
  const after = counted.map((uuid) => newFlows(twin, uuid, known.get(uuid)!));
  const deltas = new Map(twin.deltas);
  twin.apply(inverse(changes));
  const datapaths = counted.flatMap((datapath_uuid, at): Plan['datapaths'] => {
    const deleted = deltas.get(datapath_uuid)?.flows_deleted ?? [];
    const gone = [...deleted].flatMap(([key, flow]) => (known.get(datapath_uuid)!.has(key) ? [flow] : []));
    // Who made them is known again, now that they are back.
    const removed = gone.slice(0, MOST_PLANNED_FLOWS).map((flow) => described(twin, datapath_uuid, 'remove', flow));
    const { added, changed, flows } = after[at]!;
    if (added + changed + gone.length === 0) return [];
    return [{ datapath_uuid, added, changed, removed: gone.length, flows: [...flows, ...removed].slice(0, MOST_PLANNED_FLOWS) }];
  });
  const entities = changes.flatMap(entityOf);
  const uncounted = concerned.slice(counted.length);
  // Without other flows nothing goes elsewhere.
  const reachability = datapaths.length + uncounted.length === 0 ? NOTHING_COMPARED : yield* planReach(twin, changes);
  return { dry_run: true, changed: changes.length > 0, entities, datapaths, reachability, uncounted };
}

const NOTHING_COMPARED: PlannedReach = { services: [], changes: [], compared: 0, notes: [] };

function newFlows(
  twin: Twin,
  uuid: string,
  known: ReadonlySet<FlowKey>,
): { readonly added: number; readonly changed: number; readonly flows: readonly PlanFlow[] } {
  const put = [...(twin.deltas.get(uuid)?.flows_put ?? [])];
  const flows = put.slice(0, MOST_PLANNED_FLOWS).map(([key, flow]) => described(twin, uuid, known.has(key) ? 'change' : 'add', flow));
  const changed = put.filter(([key]) => known.has(key)).length;
  return { added: put.length - changed, changed, flows };
}

function described(twin: Twin, uuid: string, op: PlanFlow['op'], flow: Flow): PlanFlow {
  const made = twin.at(uuid)?.provenance(flow.cookie);
  return {
    op,
    table: flow.table,
    table_name: tableName(flow.table),
    text: flowToString(flow),
    rule: made?.rule ?? null,
    uuids: [...(made?.uuids ?? [])],
  };
}

function entityOf({ uuid, before, after }: EntityChange): Plan['entities'] {
  const entity = after ?? before;
  if (entity === undefined || !isUserEntity(entity)) return [];
  const kind: UserKind = entity.kind;
  if (before === undefined || after === undefined) return [{ op: before === undefined ? 'create' : 'delete', kind, uuid, fields: [] }];
  const values = (one: object) => one as Readonly<Record<string, unknown>>;
  const isOwn = (field: string) => /^(kind|updated_at)$|_key$/.test(field);
  const fields = Object.keys(after).filter(
    (field) => !isOwn(field) && !sameValue(values(before)[field], values(after)[field], () => false),
  );
  return [{ op: 'update', kind, uuid, fields }];
}
