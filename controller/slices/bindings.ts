/**
 * Which NIC is which interface.
 *
 * Owns: what every vna has seen, kept while it is away, and the binding that follows.
 * Promises: a NIC is the interface whose uuid its iface-id is, else the one whose port_name it has, where owner_datapath_uuid allows. An interface
 * is bound in one place: whoever claims it second waits, and is named, until the first lets go; only a place whose vna is gone gives way at once.
 */
import type { Binding } from '../../flows/model/binding.js';
import type { Interface } from '../../flows/model/entities.js';
import { portNameKey } from '../../flows/model/indexes.js';
import { entityOf, type ModelView } from '../../flows/model/view.js';
import type { VifObservation } from '../messages/slice.js';
import type { EntityChange } from '../transaction/transaction.js';

export interface BindingChange {
  readonly interface_uuid: string;
  readonly before: Binding | undefined;
  readonly after: Binding | undefined;
}

/** A NIC that a vna has seen. */
interface Nic {
  readonly datapath: string;
  readonly port_name: string;
  readonly iface_id: string | null;
  /** Order of first sight. */
  readonly order: number;
}

/** What a NIC lays claim to. */
interface Claim {
  readonly nic: Nic;
  readonly by: 'iface_id' | 'port_name';
}

export const bindingUuid = (interfaceUuid: string) => `bind-${interfaceUuid}`;

export class Bindings {
  private readonly model: ModelView;
  private readonly nics = new Map<string, Map<string, Nic>>();
  private readonly byIfaceId = new Map<string, Set<Nic>>();
  private readonly byPortName = new Map<string, Set<Nic>>();
  private readonly claimed = new Map<Nic, string>();
  private readonly claims = new Map<string, Map<Nic, Claim>>();
  private readonly holders = new Map<string, { readonly nic: Nic; readonly binding: Binding }>();
  private readonly present = new Set<string>();
  private seen = 0;

  constructor(model: ModelView) {
    this.model = model;
  }

  get(interfaceUuid: string): Binding | undefined {
    return this.holders.get(interfaceUuid)?.binding;
  }

  /** A vna has come, and these are the NICs of its datapath. */
  arrive(datapath: string, vifs: readonly VifObservation[]): BindingChange[] {
    this.present.add(datapath);
    return this.take(datapath, vifs, this.claimedAt(datapath));
  }

  /** Takes the whole set of NICs a datapath has now. */
  report(datapath: string, vifs: readonly VifObservation[]): BindingChange[] {
    return this.take(datapath, vifs, new Set());
  }

  /** The vna has gone. What it saw stays, but gives way. */
  leave(datapath: string): BindingChange[] {
    this.present.delete(datapath);
    return this.settle(this.claimedAt(datapath));
  }

  /** Follows changes of the model, which has them already. */
  modelChanged(changes: readonly EntityChange[]): BindingChange[] {
    const contested = new Set<string>();
    const again = new Set<Nic>();
    for (const { uuid, before, after } of changes) {
      if (before?.kind === 'datapath' && after === undefined) {
        for (const nic of [...(this.nics.get(uuid)?.values() ?? [])]) this.forgetNic(nic, contested);
        this.nics.delete(uuid);
        this.present.delete(uuid);
      }
      const [was, is] = [before, after].map((entity) => (entity?.kind === 'interface' ? entity : undefined));
      if (claimTerms(was) === claimTerms(is)) continue;
      for (const nic of this.byIfaceId.get(uuid) ?? []) again.add(nic);
      for (const name of [was?.port_name, is?.port_name]) if (name) for (const nic of this.byPortName.get(name) ?? []) again.add(nic);
    }
    for (const nic of again) this.reclaim(nic, contested);
    return this.settle(contested);
  }

  /** What keeps NICs of a datapath from being the interface they claim, in words. */
  conflicts(datapath: string): string[] {
    const found: string[] = [];
    for (const nic of this.nics.get(datapath)?.values() ?? []) {
      const uuid = this.claimed.get(nic);
      const holder = uuid === undefined ? undefined : this.holders.get(uuid)?.nic;
      if (holder !== undefined && holder !== nic)
        found.push(`port ${nic.port_name} claims ${uuid!}, which is plugged at port ${holder.port_name} of ${holder.datapath}`);
    }
    return found;
  }

  private take(datapath: string, vifs: readonly VifObservation[], contested: Set<string>): BindingChange[] {
    const known = getOrMake(this.nics, datapath, () => new Map<string, Nic>());
    const wanted = new Map(vifs.map((vif) => [vif.port_name, vif.iface_id]));
    for (const [port_name, nic] of known) if (wanted.get(port_name) !== nic.iface_id) this.forgetNic(nic, contested);
    for (const [port_name, iface_id] of wanted)
      if (!known.has(port_name)) this.addNic({ datapath, port_name, iface_id, order: this.seen++ }, contested);
    return this.settle(contested);
  }

  /** The interfaces that NICs of a datapath claim. */
  private claimedAt(datapath: string): Set<string> {
    const claimed = new Set<string>();
    for (const nic of this.nics.get(datapath)?.values() ?? []) {
      const uuid = this.claimed.get(nic);
      if (uuid !== undefined) claimed.add(uuid);
    }
    return claimed;
  }

  private addNic(nic: Nic, contested: Set<string>): void {
    getOrMake(this.nics, nic.datapath, () => new Map<string, Nic>()).set(nic.port_name, nic);
    getOrMake(this.byPortName, nic.port_name, () => new Set<Nic>()).add(nic);
    if (nic.iface_id !== null) getOrMake(this.byIfaceId, nic.iface_id, () => new Set<Nic>()).add(nic);
    this.reclaim(nic, contested);
  }

  private forgetNic(nic: Nic, contested: Set<string>): void {
    this.nics.get(nic.datapath)?.delete(nic.port_name);
    removeFrom(this.byPortName, nic.port_name, nic);
    if (nic.iface_id !== null) removeFrom(this.byIfaceId, nic.iface_id, nic);
    this.release(nic, contested);
  }

  /** Decides anew what a NIC claims. */
  private reclaim(nic: Nic, contested: Set<string>): void {
    this.release(nic, contested);
    const claim = this.claimOf(nic);
    if (claim === undefined) return;
    this.claimed.set(nic, claim.uuid);
    getOrMake(this.claims, claim.uuid, () => new Map<Nic, Claim>()).set(nic, { nic, by: claim.by });
    contested.add(claim.uuid);
  }

  private release(nic: Nic, contested: Set<string>): void {
    const uuid = this.claimed.get(nic);
    if (uuid === undefined) return;
    this.claimed.delete(nic);
    const claims = this.claims.get(uuid)!;
    claims.delete(nic);
    if (claims.size === 0) this.claims.delete(uuid);
    contested.add(uuid);
  }

  private claimOf(nic: Nic): { uuid: string; by: Claim['by'] } | undefined {
    const allowed = (iface: Interface) => iface.owner_datapath_uuid === null || iface.owner_datapath_uuid === nic.datapath;
    const named = entityOf(this.model, 'interface', nic.iface_id);
    // A NIC that names an interface is that one or none.
    if (named) return named.mode === 'vif' && allowed(named) ? { uuid: named.uuid, by: 'iface_id' } : undefined;
    let found: Interface | undefined;
    for (const uuid of [nic.datapath, null].flatMap((owner) => [...this.model.lookup(portNameKey(nic.port_name, owner))])) {
      const iface = entityOf(this.model, 'interface', uuid);
      if (iface?.mode !== 'vif' || !allowed(iface)) continue;
      if (found === undefined || iface.owner_datapath_uuid !== null) found = iface;
    }
    return found && { uuid: found.uuid, by: 'port_name' };
  }

  private settle(contested: ReadonlySet<string>): BindingChange[] {
    const changes: BindingChange[] = [];
    for (const interface_uuid of contested) {
      const held = this.holders.get(interface_uuid);
      const winner = this.winnerOf(interface_uuid, held?.nic);
      if (winner === held?.nic) continue;
      if (winner === undefined) this.holders.delete(interface_uuid);
      const stays = winner?.datapath === held?.binding.datapath_uuid && winner?.port_name === held?.binding.port_name;
      const after = stays ? held?.binding : winner && bindingOf(interface_uuid, winner);
      if (winner && after) this.holders.set(interface_uuid, { nic: winner, binding: after });
      // The same port under another iface-id is the same place.
      if (stays) continue;
      changes.push({ interface_uuid, before: held?.binding, after });
    }
    return changes;
  }

  private winnerOf(interfaceUuid: string, holder: Nic | undefined): Nic | undefined {
    let best: Claim | undefined;
    for (const claim of this.claims.get(interfaceUuid)?.values() ?? [])
      if (best === undefined || this.comesBefore(claim, best, holder)) best = claim;
    return best?.nic;
  }

  private comesBefore(a: Claim, b: Claim, holder: Nic | undefined): boolean {
    const rank = ({ nic, by }: Claim) => [
      this.present.has(nic.datapath) ? 0 : 1,
      nic === holder ? 0 : 1,
      by === 'iface_id' ? 0 : 1,
      nic.order,
    ];
    const [left, right] = [rank(a), rank(b)];
    const differs = left.findIndex((value, index) => value !== right[index]);
    return left[differs]! < right[differs]!;
  }
}

function bindingOf(interface_uuid: string, { datapath: datapath_uuid, port_name }: Nic): Binding {
  return { kind: 'binding', uuid: bindingUuid(interface_uuid), interface_uuid, datapath_uuid, port_name };
}

/** What of an interface decides which NICs can be it. */
function claimTerms(iface: Interface | undefined): string | undefined {
  return iface && `${iface.mode} ${iface.port_name ?? ''} ${iface.owner_datapath_uuid ?? ''}`;
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}

function removeFrom<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key);
  set?.delete(value);
  if (set?.size === 0) map.delete(key);
}
