/**
 * What each datapath is to know.
 *
 * Owns: which scopes a datapath is interested in, by the interfaces plugged there and the gateways it may be, and the difference that a change makes to each slice. Of another
 * datapath one that shares an interest with it knows the chassis.
 * Promises: the deltas of all updates together make the slice that would be computed anew. A datapath that nothing changes for gets none.
 */
import { chassisUuid } from '../../flows/model/entities/presence.js';
import type { Entity } from '../../flows/model/entities.js';
import { gatewaysOf } from '../../flows/model/gateways.js';
import type { Model } from '../../flows/model/model.js';
import type { SliceRecord } from '../messages/slice.js';
import type { EntityChange } from '../transaction/transaction.js';
import type { BindingChange, Bindings } from './bindings.js';
import { Counted } from './counted.js';
import { datapathScope, ScopeIndex, type Moved, type Scope, type Scopes } from './scopes.js';

export interface SliceChange {
  readonly puts: readonly SliceRecord[];
  /** uuids. */
  readonly deletes: readonly string[];
}

const BINDING = 'bind-';

export class Slices {
  private readonly model: Model;
  private readonly bindings: Bindings;
  private readonly scopes: ScopeIndex;
  /** Scopes by datapath, counted by the interfaces there that are in them: plugged, or with the datapath among their gateways. */
  private readonly interest = new Counted<string, Scope>();
  private readonly listeners = new Counted<Scope, string>();

  /** @param model what it holds already is taken in. */
  constructor(model: Model, bindings: Bindings) {
    this.model = model;
    this.bindings = bindings;
    this.scopes = new ScopeIndex(model, bindings);
    const changes = [...model.values()].map((after) => ({ uuid: after.uuid, before: undefined, after }));
    this.shiftInterest(changes, this.scopes.update(changes, []), new Map());
  }

  /** The datapaths whose slice has a record, but for chassis. */
  audience(uuid: string): ReadonlySet<string> {
    return new Set(this.scopes.of(uuid).flatMap((scope) => [...this.listeners.get(scope).keys()]));
  }

  /** The whole slice of a datapath. */
  slice(datapath: string): SliceRecord[] {
    const uuids = new Set<string>();
    for (const scope of this.interest.get(datapath).keys()) {
      for (const uuid of this.scopes.in(scope)) uuids.add(uuid);
      for (const peer of this.listeners.get(scope).keys()) if (this.model.get(chassisUuid(peer))) uuids.add(chassisUuid(peer));
    }
    return [...uuids].map((uuid) => this.record(uuid)!);
  }

  /** What a record is in, as scopes.ts has it. */
  scopesOf(uuid: string): Scopes {
    return this.scopes.of(uuid);
  }

  /** Follows changes that the model and the bindings have already. @returns what changes, per datapath that something changes for. */
  update(changes: readonly EntityChange[], bound: readonly BindingChange[]): ReadonlyMap<string, SliceChange> {
    const wasBound = new Map(bound.map((change) => [change.interface_uuid, change.before]));
    const moved = this.scopes.update(changes, bound);
    const shifts = this.shiftInterest(changes, moved, wasBound);

    const altered = new Set(changes.map(({ uuid }) => uuid));
    for (const { interface_uuid } of bound) altered.add(`${BINDING}${interface_uuid}`);
    const deltas = new Deltas((uuid) => this.record(uuid));
    for (const [uuid, was] of moved) {
      const is = this.scopes.of(uuid);
      if (was === is && !altered.has(uuid)) continue;
      const concerned = new Set([...was, ...is].flatMap((scope) => [...this.listeners.get(scope).keys()]));
      for (const datapath of concerned)
        if (!shifts.has(datapath)) deltas.consider(datapath, uuid, this.hears(datapath, was), this.hears(datapath, is), altered.has(uuid));
    }
    for (const [datapath, shift] of shifts) {
      const had = (scopes: Scopes) =>
        scopes.some((scope) => (this.interest.has(datapath, scope) ? !shift.gained.has(scope) : shift.lost.has(scope)));
      const candidates = new Set(moved.keys());
      for (const scope of [...shift.gained, ...shift.lost]) for (const uuid of this.scopes.in(scope)) candidates.add(uuid);
      for (const uuid of candidates) {
        const is = this.scopes.of(uuid);
        deltas.consider(datapath, uuid, had(moved.get(uuid) ?? is), this.hears(datapath, is), altered.has(uuid));
      }
    }
    this.considerChassis(changes, shifts, deltas, altered);
    return deltas.result();
  }

  /** Datapaths meet where one begins to be interested in what another is interested in, and part where that was the last they shared. */
  private considerChassis(changes: readonly EntityChange[], shifts: Shifts, deltas: Deltas, altered: ReadonlySet<string>): void {
    const had = (datapath: string, scope: Scope) =>
      this.interest.has(datapath, scope) ? !shifts.get(datapath)?.gained.has(scope) : (shifts.get(datapath)?.lost.has(scope) ?? false);
    const shared = (a: string, b: string) => {
      for (const scope of this.interest.get(a).keys()) if (this.interest.has(b, scope)) return true;
      return false;
    };
    const sharedBefore = (a: string, b: string) => {
      for (const scope of this.interest.get(a).keys()) if (had(a, scope) && had(b, scope)) return true;
      for (const scope of shifts.get(a)?.lost ?? []) if (had(b, scope)) return true;
      return false;
    };
    const leavers = new Map<Scope, string[]>();
    for (const [datapath, { lost }] of shifts) for (const scope of lost) leavers.set(scope, [...(leavers.get(scope) ?? []), datapath]);

    /** Whose chassis to consider, by who may hear of it. */
    const pairs = new Map<string, Set<string>>();
    const note = (hearer: string, subject: string) => {
      const subjects = pairs.get(hearer);
      if (subjects) subjects.add(subject);
      else pairs.set(hearer, new Set([subject]));
    };
    for (const [datapath, { gained, lost }] of shifts)
      for (const scope of [...gained, ...lost])
        for (const other of [...this.listeners.get(scope).keys(), ...(leavers.get(scope) ?? [])]) {
          note(other, datapath);
          note(datapath, other);
        }
    const before = new Map<string, boolean>();
    for (const change of changes) {
      const chassis = change.after ?? change.before;
      if (chassis?.kind !== 'chassis') continue;
      before.set(chassis.datapath_uuid, change.before !== undefined);
      for (const scope of this.interest.get(chassis.datapath_uuid).keys())
        for (const other of this.listeners.get(scope).keys()) note(other, chassis.datapath_uuid);
    }
    for (const [hearer, subjects] of pairs)
      for (const subject of subjects) {
        const uuid = chassisUuid(subject);
        const was = (before.get(subject) ?? this.model.get(uuid) !== undefined) && sharedBefore(subject, hearer);
        deltas.consider(hearer, uuid, was, shared(subject, hearer), altered.has(uuid));
      }
  }

  private hears(datapath: string, scopes: Scopes): boolean {
    return scopes.some((scope) => this.interest.has(datapath, scope));
  }

  private record(uuid: string): SliceRecord | undefined {
    return uuid.startsWith(BINDING) ? this.bindings.get(uuid.slice(BINDING.length)) : this.model.get(uuid);
  }

  /** Brings interest in line with where interfaces are plugged and what they are in. @returns what changed, per datapath. */
  private shiftInterest(
    changes: readonly EntityChange[],
    moved: Moved,
    wasBound: ReadonlyMap<string, { readonly datapath_uuid: string } | undefined>,
  ): Shifts {
    const shifts = new Map<string, Shift>();
    const count = (datapath: string, scope: Scope, by: 1 | -1) => {
      if (!this.interest.add(datapath, scope, by)) return;
      this.listeners.add(scope, datapath, by);
      let shift = shifts.get(datapath);
      if (shift === undefined) shifts.set(datapath, (shift = { gained: new Set(), lost: new Set() }));
      const [to, from] = by === 1 ? [shift.gained, shift.lost] : [shift.lost, shift.gained];
      if (!from.delete(scope)) to.add(scope);
    };
    for (const { uuid, before, after } of changes) {
      if (before?.kind !== 'datapath' && after?.kind === 'datapath') count(uuid, datapathScope(uuid), 1);
      if (before?.kind === 'datapath' && after === undefined) count(uuid, datapathScope(uuid), -1);
    }
    const entityBefore = new Map(changes.map(({ uuid, before }) => [uuid, before]));
    for (const [uuid, scopes] of moved) {
      const after = this.model.get(uuid);
      const gateways = gatewaysAt(after);
      const left = entityBefore.has(uuid) ? gatewaysAt(entityBefore.get(uuid)) : gateways;
      if (left !== gateways || scopes !== this.scopes.of(uuid)) {
        for (const datapath of left) for (const scope of scopes) count(datapath, scope, -1);
        for (const datapath of gateways) for (const scope of this.scopes.of(uuid)) count(datapath, scope, 1);
      }
      const now = this.bindings.get(uuid);
      const was = wasBound.has(uuid) ? wasBound.get(uuid) : now;
      const is = this.scopes.of(uuid);
      if (was?.datapath_uuid === now?.datapath_uuid && scopes === is) continue;
      if (was) for (const scope of scopes) count(was.datapath_uuid, scope, -1);
      if (now) for (const scope of is) count(now.datapath_uuid, scope, 1);
    }
    return shifts;
  }
}

/** The datapaths that hear of an interface's domain because the outside reaches it by them. */
function gatewaysAt(entity: Entity | undefined): readonly string[] {
  return entity?.kind === 'interface' ? gatewaysOf(entity) : [];
}

/** Scopes a datapath has begun and ceased to be interested in. */
interface Shift {
  readonly gained: Set<Scope>;
  readonly lost: Set<Scope>;
}

type Shifts = ReadonlyMap<string, Shift>;

/** Collects the difference per datapath. */
class Deltas {
  private readonly record: (uuid: string) => SliceRecord | undefined;
  private readonly found = new Map<string, { puts: SliceRecord[]; deletes: string[] }>();

  constructor(record: (uuid: string) => SliceRecord | undefined) {
    this.record = record;
  }

  /** Notes what becomes of a record in a datapath's slice. Each is to be considered once. */
  consider(datapath: string, uuid: string, was: boolean, is: boolean, altered: boolean): void {
    const record = is ? this.record(uuid) : undefined;
    if (record !== undefined && (!was || altered)) this.of(datapath).puts.push(record);
    else if (record === undefined && was) this.of(datapath).deletes.push(uuid);
  }

  result(): ReadonlyMap<string, SliceChange> {
    return this.found;
  }

  private of(datapath: string): { puts: SliceRecord[]; deletes: string[] } {
    let delta = this.found.get(datapath);
    if (delta === undefined) this.found.set(datapath, (delta = { puts: [], deletes: [] }));
    return delta;
  }
}
