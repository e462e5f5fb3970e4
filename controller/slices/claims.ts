/**
 * Which NIC is which interface.
 *
 * Owns: what a NIC lays claim to, and which claim holds. Both are pure functions of the model, so that every vnmgr comes to the same.
 * Promises: a NIC is the interface whose uuid its iface-id is, else the one that has a place of its port name, where the places of that interface allow. An interface is
 * in one place: claims by iface-id come before claims by port name; on one datapath the first NIC keeps it; of several datapaths the one where
 * it appeared last has it, as after a move, and an older claim that still stands does not win it back.
 */
import type { Binding } from '../../flows/model/binding.js';
import type { Interface } from '../../flows/model/entities/interface.js';
import { vifUuid, type VifRecord } from '../../flows/model/entities/presence.js';
import { portNameKey, vifIfaceKey, vifPortKey } from '../../flows/model/indexes.js';
import { mayBeOn, placeOf, placesOf } from '../../flows/model/places.js';
import { entityOf, type ModelView } from '../../flows/model/view.js';

/** What a NIC lays claim to. */
interface Claim {
  readonly interface_uuid: string;
  readonly by: 'iface_id' | 'port_name';
}

/** The binding of an interface, and the NICs that claim it in vain. */
export interface Standing {
  readonly binding: Binding | undefined;
  readonly losers: readonly VifRecord[];
}

const BINDING = 'bind-';
export const bindingUuid = (interfaceUuid: string) => `${BINDING}${interfaceUuid}`;
/** undefined: it is no binding's. */
export const interfaceOfBinding = (uuid: string) => (uuid.startsWith(BINDING) ? uuid.slice(BINDING.length) : undefined);

const NOWHERE: Standing = { binding: undefined, losers: [] };

export function standingOf(view: ModelView, interfaceUuid: string): Standing {
  const iface = entityOf(view, 'interface', interfaceUuid);
  if (iface === undefined) return NOWHERE;
  const claims: { readonly vif: VifRecord; readonly by: Claim['by'] }[] = [];
  for (const uuid of candidates(view, iface)) {
    const vif = entityOf(view, 'vif', uuid);
    if (vif === undefined) continue;
    const claim = claimOf(view, vif);
    if (claim?.interface_uuid === interfaceUuid) claims.push({ vif, by: claim.by });
  }
  if (claims.length === 0) return NOWHERE;
  const explicit = claims.filter(({ by }) => by === 'iface_id');
  const winner = winnerOf((explicit.length > 0 ? explicit : claims).map(({ vif }) => vif));
  return { binding: bindingOf(interfaceUuid, winner), losers: claims.flatMap(({ vif }) => (vif === winner ? [] : vif)) };
}

/** The interface that a NIC is, if no other claims it. */
export function claimOf(view: ModelView, vif: VifRecord): Claim | undefined {
  const named = entityOf(view, 'interface', vif.iface_id);
  // A NIC that names an interface is that one or none.
  if (named)
    return isPlugged(named) && mayBeOn(view, named, vif.datapath_uuid) ? { interface_uuid: named.uuid, by: 'iface_id' } : undefined;
  for (const interface_uuid of namesakes(view, vif))
    if (isPlugged(entityOf(view, 'interface', interface_uuid))) return { interface_uuid, by: 'port_name' };
  return undefined;
}

/** It is a port of the bridge: a VM's, or one that strangers are behind. */
const isPlugged = (iface: Interface | undefined) => iface?.mode === 'vif' || iface?.mode === 'promiscuous';

/** Interfaces with the port name of a NIC that its datapath may have, the datapath's own first. */
export function* namesakes(view: ModelView, { port_name, datapath_uuid }: VifRecord): Generator<string> {
  yield* placedAt(view, port_name, datapath_uuid);
  yield* placedAt(view, port_name, null);
}

/** Interfaces with a place of this port name that names this datapath, or none. */
export function* placedAt(view: ModelView, portName: string, datapath: string | null): Generator<string> {
  for (const uuid of view.lookup(portNameKey(portName, datapath))) {
    const place = placeOf(view, uuid);
    if (place) yield place.interface_uuid;
  }
}

/** NICs that may claim an interface. */
function candidates(view: ModelView, iface: Interface): ReadonlySet<string> {
  const found = new Set(view.lookup(vifIfaceKey(iface.uuid)));
  for (const { datapath_uuid, port_name } of placesOf(view, iface)) {
    if (port_name === null) continue;
    if (datapath_uuid !== null) found.add(vifUuid(datapath_uuid, port_name));
    else for (const vif of view.lookup(vifPortKey(port_name))) found.add(vif);
  }
  return found;
}

/** Of at least one. */
function winnerOf(vifs: readonly VifRecord[]): VifRecord {
  const first = new Map<string, VifRecord>();
  for (const vif of vifs) {
    const other = first.get(vif.datapath_uuid);
    if (other === undefined || isOlder(vif, other)) first.set(vif.datapath_uuid, vif);
  }
  return [...first.values()].reduce((newest, vif) => (isOlder(newest, vif) ? vif : newest));
}

function isOlder(a: VifRecord, b: VifRecord): boolean {
  return a.since === b.since ? a.uuid < b.uuid : a.since < b.since;
}

function bindingOf(interface_uuid: string, { datapath_uuid, port_name }: VifRecord): Binding {
  return { kind: 'binding', uuid: bindingUuid(interface_uuid), interface_uuid, datapath_uuid, port_name };
}
