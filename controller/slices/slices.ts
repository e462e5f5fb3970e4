/**
 * What each datapath is to know.
 *
 * Owns: which scopes a datapath is interested in, by the interfaces plugged there and the gateways it may be, and the difference that a change makes to each slice. Of another
 * datapath one that shares an interest with it knows the chassis.
 * Promises: the deltas of all updates together make the slice that would be computed anew. A datapath that nothing changes for gets none.
 */
import { chassisUuid } from '../../flows/model/entities/presence.js';
import type { Interface } from '../../flows/model/entities/interface.js';
import { gatewaysOf } from '../../flows/model/gateways.js';
import type { Model } from '../../flows/model/model.js';
import { entityOf } from '../../flows/model/view.js';
import type { SliceRecord } from '../messages/slice.js';
import type { EntityChange } from '../transaction/transaction.js';
import type { BindingChange, Bindings } from './bindings.js';
import { bindingUuid, interfaceOfBinding } from './claims.js';
import { Interest, type Hearer } from './interest.js';
import { datapathScope, ScopeIndex, type Scopes, type ScopeUpdate } from './scopes.js';

export interface SliceChange {
  readonly puts: readonly SliceRecord[];
  /** uuids. */
  readonly deletes: readonly string[];
}

export class Slices {
  private readonly model: Model;
  private readonly bindings: Bindings;
  private readonly scopes: ScopeIndex;
  private readonly interest = new Interest();

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
    return new Set(this.scopes.of(uuid).flatMap((scope) => [...this.interest.listenersOf(scope)]));
  }

  /** The whole slice of a datapath. */
  slice(datapath: string): SliceRecord[] {
    const uuids = new Set<string>();
    for (const scope of this.interest.scopesOf(datapath)) {
      for (const uuid of this.scopes.in(scope)) uuids.add(uuid);
      for (const peer of this.interest.listenersOf(scope)) if (this.model.get(chassisUuid(peer))) uuids.add(chassisUuid(peer));
    }
    return [...uuids].map((uuid) => this.record(uuid)!);
  }

  /** What a record is in, as scopes.ts has it. */
  scopesOf(uuid: string): Scopes {
    return this.scopes.of(uuid);
  }

  /** Follows changes that the model and the bindings have already. @returns what changes, per datapath that something changes for. */
  update(changes: readonly EntityChange[], bound: readonly BindingChange[]): ReadonlyMap<string, SliceChange> {
    const { interest, scopes } = this;
    const update = scopes.update(changes, bound);
    interest.begin();
    this.shiftInterest(changes, update, new Map(bound.map((change) => [change.interface_uuid, change.before])));

    // What is new, or gone, is told by who heard of it before.
    const altered = new Set<string>();
    for (const { uuid, before, after } of changes) if (before && after) altered.add(uuid);
    for (const { interface_uuid, before, after } of bound) if (before && after) altered.add(bindingUuid(interface_uuid));
    const deltas = new Deltas((uuid) => this.record(uuid));
    for (const [uuid, was] of update.moved) deltas.consider(uuid, interest.audience(was, scopes.of(uuid)), altered.has(uuid));
    // What stays where it is, while who hears of it changes.
    const others = new Set<string>();
    for (const { gained, lost } of interest.shifted().values())
      for (const scope of [...gained, ...lost]) for (const uuid of scopes.in(scope)) if (!update.moved.has(uuid)) others.add(uuid);
    for (const uuid of others) deltas.consider(uuid, interest.audience(scopes.of(uuid), scopes.of(uuid)), false);
    this.considerChassis(changes, deltas, altered);
    return deltas.result();
  }

  /** Datapaths meet where one begins to be interested in what another is interested in, and part where that was the last they shared. */
  private considerChassis(changes: readonly EntityChange[], deltas: Deltas, altered: ReadonlySet<string>): void {
    const { interest } = this;
    /** Whose chassis to consider, by who may hear of it. */
    const pairs = new Map<string, Set<string>>();
    const note = (hearer: string, subject: string) => {
      const subjects = pairs.get(hearer);
      if (subjects) subjects.add(subject);
      else pairs.set(hearer, new Set([subject]));
    };
    for (const [datapath, { gained, lost }] of interest.shifted())
      for (const scope of [...gained, ...lost])
        for (const other of interest.everConcerned(scope)) {
          note(other, datapath);
          note(datapath, other);
        }
    const before = new Map<string, boolean>();
    for (const change of changes) {
      const chassis = change.after ?? change.before;
      if (chassis?.kind !== 'chassis') continue;
      before.set(chassis.datapath_uuid, change.before !== undefined);
      for (const scope of interest.scopesOf(chassis.datapath_uuid))
        for (const other of interest.listenersOf(scope)) note(other, chassis.datapath_uuid);
    }
    for (const [hearer, subjects] of pairs)
      for (const subject of subjects) {
        const uuid = chassisUuid(subject);
        const heard = (before.get(subject) ?? this.model.get(uuid) !== undefined) && interest.wasShared(subject, hearer);
        deltas.consider(uuid, [{ datapath: hearer, heard, hears: interest.isShared(subject, hearer) }], altered.has(uuid));
      }
  }

  private record(uuid: string): SliceRecord | undefined {
    const bound = interfaceOfBinding(uuid);
    return bound === undefined ? this.model.get(uuid) : this.bindings.get(bound);
  }

  /** Brings interest in line with where interfaces are plugged and what they are in. */
  private shiftInterest(
    changes: readonly EntityChange[],
    { moved, interfaces }: ScopeUpdate,
    wasBound: ReadonlyMap<string, { readonly datapath_uuid: string } | undefined>,
  ): void {
    const { interest } = this;
    for (const { uuid, before, after } of changes) {
      if (before?.kind !== 'datapath' && after?.kind === 'datapath') interest.count(uuid, datapathScope(uuid), 1);
      if (before?.kind === 'datapath' && after === undefined) interest.count(uuid, datapathScope(uuid), -1);
    }
    for (const [uuid, before] of interfaces) {
      const [was, is] = [moved.get(uuid)!, this.scopes.of(uuid)];
      const after = entityOf(this.model, 'interface', uuid);
      if (before !== after || was !== is) {
        for (const datapath of gatewaysAt(before)) for (const scope of was) interest.count(datapath, scope, -1);
        for (const datapath of gatewaysAt(after)) for (const scope of is) interest.count(datapath, scope, 1);
      }
      const now = this.bindings.get(uuid);
      const then = wasBound.has(uuid) ? wasBound.get(uuid) : now;
      if (then?.datapath_uuid === now?.datapath_uuid && was === is) continue;
      if (then) for (const scope of was) interest.count(then.datapath_uuid, scope, -1);
      if (now) for (const scope of is) interest.count(now.datapath_uuid, scope, 1);
    }
  }
}

/** The datapaths that hear of an interface's domain because the outside reaches it by them. */
function gatewaysAt(iface: Interface | undefined): readonly string[] {
  return iface === undefined ? [] : gatewaysOf(iface);
}

/** Collects the difference per datapath. */
class Deltas {
  private readonly record: (uuid: string) => SliceRecord | undefined;
  private readonly found = new Map<string, { puts: SliceRecord[]; deletes: string[] }>();

  constructor(record: (uuid: string) => SliceRecord | undefined) {
    this.record = record;
  }

  /** Notes what becomes of a record in some datapaths' slices. Each is to be considered once for each. */
  consider(uuid: string, audience: readonly Hearer[], isAltered: boolean): void {
    if (audience.length === 0) return;
    const record = this.record(uuid);
    for (const { datapath, heard, hears } of audience) {
      const kept = hears ? record : undefined;
      if (kept !== undefined && (!heard || isAltered)) this.of(datapath).puts.push(kept);
      else if (kept === undefined && heard) this.of(datapath).deletes.push(uuid);
    }
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
