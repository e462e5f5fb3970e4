/**
 * Turning operations into one change of the model.
 *
 * Owns: the order of things: apply every operation, derive what follows, keep what differs, check what must hold.
 * Promises: either everything wrong is thrown as one HotoriError and the draft is as before, or the draft holds the change. Cost follows the
 * operations, and large batches give way to other work now and then.
 */
import type { Draft } from '../../flows/model/draft.js';
import { isUserEntity, type Entity, type UserEntity } from '../../flows/model/entities.js';
import type { Check } from '../../flows/model/invariants/check.js';
import { checkChange } from '../../flows/model/invariants/invariants.js';
import { checkLoops } from '../../flows/model/invariants/loop-checks.js';
import { parseCreate, parseUpdate, type Parsed } from '../../flows/model/parse-input.js';
import { isKey, isStamp, sameValue } from '../../flows/model/same.js';
import type { Operation, Params, View } from '../contract.js';
import type { Random } from '../kernel/ambient.js';
import type { Breath } from '../kernel/breath.js';
import type { Counters } from '../store/contract.js';
import { etagMatches, etagOf, viewOf } from '../views.js';
import { createEntity } from './create.js';
import { deleteEntity } from './delete.js';
import { unlink } from './unlink.js';
import { derive } from './derive.js';
import { entityOf } from '../../flows/model/view.js';
import { observe } from './observe.js';
import { ownerOf } from './routers.js';
import type { Step } from './step.js';
import { updateEntity } from './update.js';
import { Workspace } from './workspace.js';

export interface TransactionContext {
  readonly random: Random;
  /** RFC 3339. */
  readonly now: string;
  /** Keys handed out so far. */
  readonly counters: Counters;
  /** The number that this transaction's revision will have. */
  readonly revision: number;
  readonly breath: Breath;
}

/** One entity that differs; before is undefined when it is new, after when it is gone. */
export interface EntityChange {
  readonly uuid: string;
  readonly before: Entity | undefined;
  readonly after: Entity | undefined;
}

export interface TransactionOutcome {
  /** Empty when nothing differs. */
  readonly changes: readonly EntityChange[];
  readonly counters: Counters;
  /** One per operation: the uuid created or updated, or the uuids deleted. */
  readonly outcomes: readonly Outcome[];
  /** One per operation, as ExecuteResult has them. */
  readonly results: readonly (View | readonly string[])[];
}

/** Applies operations to the draft as one transaction. */
export async function transact(draft: Draft, operations: readonly Step[], context: TransactionContext): Promise<TransactionOutcome> {
  draft.begin();
  const work = new Workspace(draft, operations, context.counters, context.now, context.random);
  try {
    const outcomes: Outcome[] = [];
    for (const [index, operation] of operations.entries()) {
      if (context.breath.isDue()) await context.breath.take();
      work.enter(index);
      outcomes.push(apply(work, operation, context.revision));
    }
    derive(work);
    settleStamps(draft, work.now);
    const changes = changesOf(draft);
    const check: Check = {
      view: draft,
      touched: (uuid) => draft.original(uuid) !== draft.get(uuid),
      report: (violation) => work.violated(violation),
    };
    for (const { before, after } of changes) {
      if (context.breath.isDue()) await context.breath.take();
      checkChange(check, before, after);
    }
    if (!work.refused) checkLoops(check, changes);
    if (work.refused) throw work.error();
    return { changes, counters: work.keys.counters(), outcomes, results: outcomes.map((outcome) => resultOf(draft, outcome)) };
  } catch (error) {
    draft.rollback();
    throw error;
  }
}

/** The uuid created or updated, or the uuids deleted. */
type Outcome = string | readonly string[];

function apply(work: Workspace, operation: Step, revision: number): Outcome {
  if (operation.verb === 'observe') {
    observe(work, operation, revision);
    return [];
  }
  if (operation.verb === 'take_over') {
    const iface = entityOf(work.draft, 'interface', operation.interface_uuid);
    if (iface) work.put({ ...iface, gateway_owner_uuid: operation.datapath_uuid });
    return [];
  }
  if (operation.verb === 'create') {
    const { kind } = operation;
    const params = checked(work, operation.params, (given) => parseCreate(kind, given));
    if (params) return createEntity(work, kind, params);
    if (typeof operation.params['uuid'] === 'string') work.abandon(operation.params['uuid']);
    return [];
  }
  if (operation.verb === 'unlink') return unlink(work, operation);
  const entity = found(work, operation);
  if (operation.verb === 'delete') return entity ? deleteEntity(work, entity.uuid, operation.cascade ?? false) : [];
  const params = checked(work, operation.params, (given) => parseUpdate(operation.kind, given));
  if (entity && params) updateEntity(work, entity.kind, entity, params);
  return operation.uuid;
}

/** The parameters as they should be. Bad ones are noted; a lone operation goes on without them, so that the good ones are checked against the model too. */
function checked<T>(work: Workspace, params: Params, parse: (params: Params) => Parsed<T>): T | undefined {
  const parsed = parse(params);
  if (parsed.ok) return parsed.value;
  work.refuseInput(parsed.reasons);
  if (!work.isAlone) return undefined;
  const bad = new Set(parsed.reasons.map(({ pointer }) => unescapePointer(pointer.split('/')[1] ?? '')));
  const rest = parse(Object.fromEntries(Object.entries(params).filter(([name]) => !bad.has(name))));
  return rest.ok ? rest.value : undefined;
}

function unescapePointer(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}

function found(work: Workspace, operation: Extract<Operation, { verb: 'update' | 'delete' }>): UserEntity | undefined {
  const entity = work.draft.get(operation.uuid);
  if (entity?.kind !== operation.kind || !isUserEntity(entity)) {
    if (!work.isStillborn(operation.uuid))
      work.refuse('unknown_uuid', [], `there is no ${operation.kind} ${operation.uuid}`, operation.uuid);
    return undefined;
  }
  if (operation.if_match !== undefined && !etagMatches(operation.if_match, etagOf(viewOf(work.draft, entity)))) {
    work.refuse('precondition_failed', [], `${operation.uuid} is no longer what If-Match names`, operation.uuid);
    return undefined;
  }
  const owner = ownerOf(work.draft, entity);
  if (owner !== undefined) {
    work.refuse('conflict', [], `${operation.uuid} belongs to ${owner}; change that instead`, operation.uuid);
    return undefined;
  }
  return entity;
}

/** Puts back what does not differ; dates what differs in a user's eyes. */
function settleStamps(draft: Draft, now: string): void {
  for (const [uuid, before] of draft.touched()) {
    const after = before && draft.get(uuid);
    if (before === undefined || after === undefined || before === after) continue;
    if (sameValue(before, after, isStamp)) draft.put(before);
    else if (isUserEntity(after) && !sameValue(before, after, (field) => isStamp(field) || isKey(field)))
      draft.put({ ...after, updated_at: now });
  }
}

function changesOf(draft: Draft): EntityChange[] {
  const changes: EntityChange[] = [];
  for (const [uuid, before] of draft.touched()) {
    const after = draft.get(uuid);
    if (before !== after) changes.push({ uuid, before, after });
  }
  return changes;
}

function resultOf(draft: Draft, outcome: Outcome): View | readonly string[] {
  if (typeof outcome !== 'string') return outcome;
  const entity = draft.get(outcome);
  // A later operation of the batch deleted it.
  if (entity === undefined || !isUserEntity(entity)) return { uuid: outcome };
  return viewOf(draft, entity);
}
