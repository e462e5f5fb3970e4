/**
 * What the operations of one transaction work on.
 *
 * Owns: the draft with its keys and made-up names, who touched what, and everything found wrong.
 */
import type { Draft } from '../../flows/model/draft.js';
import type { Entity } from '../../flows/model/entities.js';
import { HotoriError, summaryOf, type ErrorCode, type Reason } from '../../flows/model/errors.js';
import { INPUTS } from '../../flows/model/inputs.js';
import type { Violation } from '../../flows/model/invariants/check.js';
import { pointer, type InputReason } from '../../flows/model/parse-input.js';
import type { Params } from '../contract.js';
import type { Random } from '../kernel/ambient.js';
import type { Counters } from '../store/contract.js';
import { KeyRing } from './keys.js';
import { makeMac, makeUuid } from './names.js';
import type { Step } from './step.js';

/** More would not help anybody. */
const MAX_REASONS = 1000;

/** When reasons of several codes meet, the first of these speaks for all. */
const RANK: readonly ErrorCode[] = [
  'unavailable',
  'invalid_argument',
  'invalid_uuid',
  'missing_argument',
  'unknown_uuid',
  'precondition_failed',
  'duplicate_uuid',
  'still_referenced',
  'invalid_reference',
  'invariant_violated',
  'conflict',
];

export class Workspace {
  readonly draft: Draft;
  readonly keys: KeyRing;
  /** RFC 3339, the time of the transaction. */
  readonly now: string;
  /** mac_leases that get their segment from the network they turn out to be in. */
  readonly segmentFollowsNetwork = new Set<string>();
  private readonly random: Random;
  private readonly operations: readonly Step[];
  private current = 0;
  private mover: number | undefined;
  /** Which operation touched an entity last. */
  private readonly touchedBy = new Map<string, number>();
  /** Of entities that follow from another: where in the parameters of the operation on that one they come from. */
  private readonly origins = new Map<string, readonly PropertyKey[]>();
  private readonly reasons: { readonly index: number; readonly code: ErrorCode; readonly reason: Reason }[] = [];
  /** uuids whose create was refused: what refers to them is not wrong because of that. */
  private readonly stillborn = new Set<string>();
  /** Parameters that were refused, per operation: complaints that they are missing would only repeat that. */
  private readonly ignored = new Map<number, readonly string[]>();

  constructor(draft: Draft, operations: readonly Step[], counters: Counters, now: string, random: Random) {
    this.draft = draft;
    this.operations = operations;
    this.keys = new KeyRing(draft, counters);
    this.now = now;
    this.random = random;
  }

  /** The operation that is being applied. */
  enter(index: number): void {
    this.current = index;
  }

  put(entity: Entity): void {
    this.touchedBy.set(entity.uuid, this.current);
    this.draft.put(entity);
  }

  /** Puts what follows from another entity, on account of the operation that touched that one. */
  putFor(cause: string, entity: Entity, origin: readonly PropertyKey[]): void {
    this.touchedBy.set(entity.uuid, this.touchedBy.get(cause) ?? this.current);
    this.origins.set(entity.uuid, origin);
    this.draft.put(entity);
  }

  delete(uuid: string): void {
    this.touchedBy.set(uuid, this.current);
    this.draft.delete(uuid);
  }

  newUuid(prefix: string, taken: (uuid: string) => boolean = (uuid) => this.draft.get(uuid) !== undefined): string {
    return makeUuid(prefix, this.random, taken);
  }

  newMac(): string {
    return makeMac(this.random, this.draft);
  }

  /** Notes something wrong with the current operation. */
  refuse(code: ErrorCode, path: readonly PropertyKey[], detail: string, uuid?: string): void {
    this.note(this.current, code, pointer(path), detail, uuid);
  }

  /** Notes that parameters of the current operation did not parse. The operation may go on without them, to find what else is wrong. */
  refuseInput(reasons: readonly InputReason[]): void {
    for (const reason of reasons) this.note(this.current, reason.code, reason.pointer, reason.detail);
    this.ignored.set(this.current, [...new Set(reasons.map((reason) => reason.pointer.split('/', 2).join('/')))]);
  }

  /** Notes that the current operation should have created this. */
  abandon(uuid: string): void {
    this.stillborn.add(uuid);
  }

  /** Whether an entity is missing only because its create was refused. */
  isStillborn(uuid: string): boolean {
    return this.stillborn.has(uuid);
  }

  /** Notes a broken invariant with the operation that touched the entity last; where none did, with the last that can have moved routing domains. */
  violated(violation: Violation): void {
    const { uuid, code, detail, target } = violation;
    if (target !== undefined && this.stillborn.has(target)) return;
    const index = this.touchedBy.get(uuid);
    if (index === undefined) {
      this.note((this.mover ??= this.lastToMoveDomains()), code, '', `${uuid}: ${detail}`, uuid);
      return;
    }
    const known = this.draft.original(uuid) !== undefined || this.isNamed(index, uuid);
    this.note(index, code, this.pointerTo(index, violation), detail, known ? uuid : undefined);
  }

  /** Whether the transaction is one operation: then what its good parameters break cannot be the fault of another. */
  get isAlone(): boolean {
    return this.operations.length === 1;
  }

  get refused(): boolean {
    return this.reasons.length > 0;
  }

  error(): HotoriError {
    const code = RANK.find((one) => this.reasons.some((noted) => noted.code === one)) ?? 'internal';
    const reasons = [...this.reasons].sort((a, b) => a.index - b.index).map(({ reason }) => reason);
    return new HotoriError(code, summaryOf(reasons), { reasons });
  }

  /** An entity that no operation touched changes only with its routing domain. */
  private lastToMoveDomains(): number {
    let last = 0;
    for (const [uuid, index] of this.touchedBy) if (/^(nw|seg|r|rt)-/.test(uuid) && index > last) last = index;
    return last;
  }

  private note(index: number, code: ErrorCode, at: string, detail: string, uuid?: string): void {
    const ignored = this.ignored.get(index);
    if (this.reasons.length >= MAX_REASONS || ignored?.some((one) => at === '' || at === one || at.startsWith(`${one}/`))) return;
    const where = this.operations.length > 1 ? `/operations/${index}${at}` : at;
    if (this.reasons.some(({ reason }) => reason.pointer === where && reason.detail === detail)) return;
    this.reasons.push({ index, code, reason: { pointer: where, detail, ...(uuid === undefined ? {} : { uuid }) } });
  }

  /** Whether the user wrote this uuid in the operation. */
  private isNamed(index: number, uuid: string): boolean {
    const operation = this.operations[index];
    if (operation === undefined || operation.verb === 'observe' || operation.verb === 'take_over') return false;
    if (operation.verb === 'create') return operation.params['uuid'] === uuid;
    return (operation.verb === 'unlink' ? operation.of : operation.uuid) === uuid;
  }

  /** The parameter that sets a field of an entity; the whole operation where none does. */
  private pointerTo(index: number, { uuid, path }: Violation): string {
    const operation = this.operations[index];
    const [field, member] = path;
    if (operation === undefined || !('params' in operation)) return '';
    const origin = this.origins.get(uuid);
    if (origin !== undefined) return pointer(placeIn(operation.params, origin, path));
    if (field === undefined) return '';
    const kind = (this.draft.get(uuid) ?? this.draft.original(uuid))?.kind;
    const isOwn = kind === operation.kind || (operation.kind === 'interface' && (kind === 'mac_lease' || kind === 'ip_lease'));
    if (!isOwn || !(field in INPUTS[operation.kind][operation.verb].shape)) return '';
    const given = operation.params[field];
    // Sets are sorted in the entity, so a member is found by value.
    if (typeof member === 'string' && Array.isArray(given)) return pointer([field, given.indexOf(member)]);
    return pointer(path);
  }
}

/** The parameter that a field of what follows from a router comes from; the whole operation where none does. */
function placeIn(params: Params, origin: readonly PropertyKey[], path: readonly PropertyKey[]): readonly PropertyKey[] {
  const [list, index, field, nth] = origin;
  const given = list === undefined ? undefined : params[list as string];
  const entry = Array.isArray(given) ? (given[index as number] as Record<string, unknown> | undefined) : undefined;
  if (list === undefined || index === undefined || entry === undefined) return [];
  const place = [list, index];
  if (field === 'ip_addresses') return entry['ip_addresses'] === undefined ? [...place, 'ip_address'] : [...place, field, nth!];
  const named = field ?? (path[0] === 'ipv4_network' || path[0] === 'ipv6_network' ? 'destination' : path[0]);
  if (typeof named !== 'string' || entry[named] === undefined) return place;
  return Array.isArray(entry[named]) && path.length > 1 ? [...place, named, ...path.slice(1)] : [...place, named];
}
