/**
 * A second model beside the one that counts, to compile and try things on.
 *
 * Owns: a copy of the model with its bindings and slices, and the datapaths of it that somebody has asked about, compiled.
 * Assumes: entities are never altered, so both models share them.
 * Promises: `apply` costs what the change is; what is applied can be taken back by `inverse`, and everything is as before then. A datapath is compiled when
 * it is first needed, in steps, and follows from then on.
 */
import type { FlowDelta } from '../../flows/compile/contract.js';
import type { Entity } from '../../flows/model/entities.js';
import { endpointKey, kindIndex, macKey } from '../../flows/model/indexes.js';
import { Model } from '../../flows/model/model.js';
import { entityOf } from '../../flows/model/view.js';
import { formatMac, isMulticastMac } from '../../flows/net/mac.js';
import { NotCompiled, type Realm, type RealmSite } from '../../flows/trace/explain/realm.js';
import type { Microflow } from '../../flows/trace/microflow.js';
import { Bindings } from '../slices/bindings.js';
import type { Scopes } from '../slices/scopes.js';
import { Slices, type SliceChange } from '../slices/slices.js';
import type { EntityChange } from '../transaction/transaction.js';
import { DatapathTwin, type TwinOptions } from './datapath-twin.js';
import { l2Of } from './local-records.js';

export class Twin implements Realm {
  readonly model = new Model();
  private readonly options: TwinOptions;
  private readonly bindings: Bindings;
  private readonly slices: Slices;
  private readonly datapaths = new Map<string, DatapathTwin>();

  constructor(options: TwinOptions) {
    this.options = options;
    this.bindings = new Bindings(this.model);
    this.slices = new Slices(this.model, this.bindings);
  }

  /** Takes a whole model, in steps, into one that is empty. */
  *fill(entities: Iterable<Entity>): Generator<void> {
    const sorted = [...entities].sort((a, b) => rankOf(a) - rankOf(b));
    for (let at = 0; at < sorted.length; at += PART) {
      this.apply(sorted.slice(at, at + PART).map((after) => ({ uuid: after.uuid, before: undefined, after })));
      yield;
    }
  }

  at(datapathUuid: string): DatapathTwin | undefined {
    const known = this.datapaths.get(datapathUuid);
    if (known === undefined) {
      if (entityOf(this.model, 'datapath', datapathUuid) === undefined) return undefined;
      throw new NotCompiled(datapathUuid);
    }
    // The one used last is the last.
    this.datapaths.delete(datapathUuid);
    this.datapaths.set(datapathUuid, known);
    return known;
  }

  /** Nothing may be applied before the last step is done. */
  *compile(datapathUuid: string): Generator<void> {
    if (this.datapaths.has(datapathUuid) || entityOf(this.model, 'datapath', datapathUuid) === undefined) return;
    const made = new DatapathTwin(datapathUuid, this.options);
    yield* made.fill(this.slices.slice(datapathUuid));
    this.datapaths.set(datapathUuid, made);
  }

  /** Forgets the tables of datapaths that were not asked about for longest, for as long as there are more flows than that; one is kept. */
  shrink(mostFlows: number): void {
    let flows = 0;
    for (const [at, [uuid, { tables }]] of [...this.datapaths].reverse().entries()) {
      flows += tables.flows.size;
      if (at > 0 && flows > mostFlows) this.datapaths.delete(uuid);
    }
  }

  *on(physicalNetwork: string): Generator<string> {
    for (const uuid of this.model.from(kindIndex('chassis'), '')) {
      const chassis = entityOf(this.model, 'chassis', uuid)!;
      if (chassis.physical_networks.includes(physicalNetwork)) yield chassis.datapath_uuid;
    }
  }

  endingAt(address: string): RealmSite | undefined {
    for (const uuid of this.model.from(kindIndex('chassis'), '')) {
      const chassis = entityOf(this.model, 'chassis', uuid);
      if (chassis?.endpoints.some((endpoint) => endpoint.address === address)) return this.at(chassis.datapath_uuid);
    }
    for (const uuid of this.model.lookup(endpointKey(address))) {
      const row = this.model.get(uuid);
      if (row !== undefined && 'endpoint_address' in row) return this.at(row.datapath_uuid);
    }
    return undefined;
  }

  /** A frame for one MAC is taken in only where that is plugged. */
  *sharing(l2: string, frame: Microflow): Generator<RealmSite> {
    const mac = frame.number('eth_dst');
    const owners = isMulticastMac(mac) ? undefined : new Set(this.datapathsWith(formatMac(mac)));
    for (const uuid of this.model.from(kindIndex('chassis'), '')) {
      const chassis = entityOf(this.model, 'chassis', uuid)!;
      if (owners?.has(chassis.datapath_uuid) === false) continue;
      const site = l2Of(chassis) === l2 ? this.at(chassis.datapath_uuid) : undefined;
      if (site !== undefined) yield site;
    }
  }

  placeOf(interfaceUuid: string): { readonly datapath_uuid: string; readonly port_name: string } | undefined {
    return this.bindings.get(interfaceUuid);
  }

  /** What a record is in, as slices/scopes.ts has it. */
  scopesOf(uuid: string): Scopes {
    return this.slices.scopesOf(uuid);
  }

  /** Datapaths that hear of an interface. */
  hearing(interfaceUuid: string): string[] {
    return [...this.slices.audience(interfaceUuid)].sort();
  }

  /** @returns the datapaths whose slices change, with how. */
  apply(changes: readonly EntityChange[]): ReadonlyMap<string, SliceChange> {
    this.model.apply(
      changes.flatMap(({ after }) => after ?? []),
      changes.flatMap(({ uuid, after }) => (after === undefined ? [uuid] : [])),
    );
    const slices = this.slices.update(changes, this.bindings.update(changes));
    this.deltas.clear();
    for (const [uuid, change] of slices) {
      const datapath = this.datapaths.get(uuid);
      if (datapath !== undefined) this.deltas.set(uuid, datapath.apply(change));
    }
    for (const { uuid, before, after } of changes) if (before?.kind === 'datapath' && after === undefined) this.datapaths.delete(uuid);
    return slices;
  }

  /** What the last change did to the tables of datapaths that were compiled then. */
  readonly deltas = new Map<string, FlowDelta>();

  private *datapathsWith(mac: string): Generator<string> {
    for (const uuid of this.model.lookup(macKey(mac))) {
      const place = this.placeOf(entityOf(this.model, 'mac_lease', uuid)?.interface_uuid ?? '');
      if (place !== undefined) yield place.datapath_uuid;
    }
  }
}

/** Entities that are taken in one go: some milliseconds of work. */
const PART = 200;

/** What others refer to comes before them. */
const RANKS: Partial<Record<Entity['kind'], number>> = { interface: 1, mac_lease: 2, ip_lease: 3, vif: 4 };

function rankOf({ kind }: Entity): number {
  return RANKS[kind] ?? 0;
}

/** What takes changes back. */
export function inverse(changes: readonly EntityChange[]): EntityChange[] {
  return changes.map(({ uuid, before, after }) => ({ uuid, before: after, after: before }));
}
