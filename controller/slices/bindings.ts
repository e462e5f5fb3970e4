/**
 * The bindings of all interfaces, kept in step with the model.
 *
 * Owns: the binding of every interface and the claims that lose, as claims.ts has them; which interfaces a change of the model can concern.
 * Promises: after every change the bindings are what they would be if computed anew; the cost follows the NICs and interfaces that changed.
 */
import type { Binding } from '../../flows/model/binding.js';
import type { Interface } from '../../flows/model/entities/interface.js';
import type { VifRecord } from '../../flows/model/entities/presence.js';
import { vifIfaceKey } from '../../flows/model/indexes.js';
import type { Model } from '../../flows/model/model.js';
import { entityOf, referrers } from '../../flows/model/view.js';
import type { EntityChange } from '../transaction/transaction.js';
import { namesakes, placedAt, standingOf } from './claims.js';

export interface BindingChange {
  readonly interface_uuid: string;
  readonly before: Binding | undefined;
  readonly after: Binding | undefined;
}

export class Bindings {
  private readonly model: Model;
  private readonly bindings = new Map<string, Binding>();
  /** NICs that claim an interface in vain, by interface. */
  private readonly losers = new Map<string, readonly VifRecord[]>();
  /** Interfaces claimed in vain, by datapath and NIC. */
  private readonly disputes = new Map<string, Map<string, string>>();

  /** @param model what it holds already is taken in. */
  constructor(model: Model) {
    this.model = model;
    const interfaces: string[] = [];
    for (const { kind, uuid } of model.values()) if (kind === 'interface') interfaces.push(uuid);
    this.settle(interfaces);
  }

  get(interfaceUuid: string): Binding | undefined {
    return this.bindings.get(interfaceUuid);
  }

  /** Follows changes of the model, which has them already. */
  update(changes: readonly EntityChange[]): BindingChange[] {
    const concerned = new Set<string>();
    for (const change of changes) this.noteConcerned(change, concerned);
    return this.settle(concerned);
  }

  /** What keeps NICs of a datapath from being the interface they claim, in words. */
  conflicts(datapath: string): string[] {
    return [...(this.disputes.get(datapath) ?? [])]
      .map(([vif, interface_uuid]) => {
        const port = entityOf(this.model, 'vif', vif)!.port_name;
        const { port_name, datapath_uuid } = this.bindings.get(interface_uuid)!;
        return `port ${port} claims ${interface_uuid}, which is plugged at port ${port_name} of ${datapath_uuid}`;
      })
      .sort();
  }

  private settle(interfaces: Iterable<string>): BindingChange[] {
    const bound: BindingChange[] = [];
    for (const interface_uuid of interfaces) {
      const before = this.bindings.get(interface_uuid);
      const { binding: after, losers } = standingOf(this.model, interface_uuid);
      this.setLosers(interface_uuid, losers);
      if (before?.datapath_uuid === after?.datapath_uuid && before?.port_name === after?.port_name) continue;
      if (after) this.bindings.set(interface_uuid, after);
      else this.bindings.delete(interface_uuid);
      bound.push({ interface_uuid, before, after });
    }
    return bound;
  }

  /** Collects the interfaces whose binding a change may alter. */
  private noteConcerned({ uuid, before, after }: EntityChange, concerned: Set<string>): void {
    for (const entity of [before, after])
      if (entity?.kind === 'vif') {
        if (entity.iface_id !== null) concerned.add(entity.iface_id);
        for (const one of namesakes(this.model, entity)) concerned.add(one);
      } else if (entity?.kind === 'interface_port') {
        concerned.add(entity.interface_uuid);
        this.noteNamesakes(entity.port_name, concerned);
      }
    const was = before?.kind === 'interface' ? before : undefined;
    const is = after?.kind === 'interface' ? after : undefined;
    if (claimTerms(was) === claimTerms(is)) return;
    concerned.add(uuid);
    // NICs that name it make no other claim while it exists; and one that is its datapath's own comes before one that is any's.
    if (was === undefined || is === undefined)
      for (const vif of this.model.lookup(vifIfaceKey(uuid)))
        for (const one of namesakes(this.model, entityOf(this.model, 'vif', vif)!)) concerned.add(one);
    for (const name of [was?.port_name, is?.port_name]) this.noteNamesakes(name, concerned);
    for (const { port_name } of referrers(this.model, 'interface_port', uuid)) this.noteNamesakes(port_name, concerned);
  }

  /** A place that names its datapath comes before one of the same port name that names none. */
  private noteNamesakes(name: string | null | undefined, concerned: Set<string>): void {
    if (name) for (const one of placedAt(this.model, name, null)) concerned.add(one);
  }

  private setLosers(interface_uuid: string, losers: readonly VifRecord[]): void {
    const had = this.losers.get(interface_uuid);
    if (had === undefined && losers.length === 0) return;
    for (const { datapath_uuid, uuid } of had ?? []) {
      const disputes = this.disputes.get(datapath_uuid);
      // Another interface may have become what the NIC claims.
      if (disputes?.get(uuid) === interface_uuid) disputes.delete(uuid);
      if (disputes?.size === 0) this.disputes.delete(datapath_uuid);
    }
    for (const { datapath_uuid, uuid } of losers) {
      let disputes = this.disputes.get(datapath_uuid);
      if (disputes === undefined) this.disputes.set(datapath_uuid, (disputes = new Map<string, string>()));
      disputes.set(uuid, interface_uuid);
    }
    if (losers.length > 0) this.losers.set(interface_uuid, losers);
    else this.losers.delete(interface_uuid);
  }
}

/** What of an interface decides which NICs can be it. */
function claimTerms(iface: Interface | undefined): string | undefined {
  return iface && `${iface.mode} ${iface.port_name ?? ''} ${iface.owner_datapath_uuid ?? ''}`;
}
