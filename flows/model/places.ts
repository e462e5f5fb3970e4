/**
 * Where an interface may be.
 *
 * Owns: what its own owner_datapath_uuid and port_name, and its interface_ports, say together.
 */
import type { Interface } from './entities/interface.js';
import { referrers, type ModelView } from './view.js';

export interface Place {
  /** The interface, or the interface_port that says so. */
  readonly uuid: string;
  readonly interface_uuid: string;
  /** null: any. */
  readonly datapath_uuid: string | null;
  /** null: whatever port names the interface. */
  readonly port_name: string | null;
}

/** Its own place; undefined where it names neither a datapath nor a port. */
export function ownPlace({ uuid, owner_datapath_uuid, port_name }: Interface): Place | undefined {
  if (owner_datapath_uuid === null && port_name === null) return undefined;
  return { uuid, interface_uuid: uuid, datapath_uuid: owner_datapath_uuid, port_name };
}

/** Every place named; none means anywhere, by name only. */
export function placesOf(view: ModelView, iface: Interface): Place[] {
  const own = ownPlace(iface);
  return [...(own ? [own] : []), ...referrers(view, 'interface_port', iface.uuid)];
}

/** The place that the uuid of an interface or interface_port stands for. */
export function placeOf(view: ModelView, uuid: string): Place | undefined {
  const entity = view.get(uuid);
  if (entity?.kind === 'interface') return ownPlace(entity);
  return entity?.kind === 'interface_port' ? entity : undefined;
}

/** Whether it may be on a datapath: on any, where no place is named, else where one is. */
export function mayBeOn(view: ModelView, iface: Interface, datapath: string): boolean {
  const places = placesOf(view, iface);
  return places.length === 0 || places.some(({ datapath_uuid }) => datapath_uuid === null || datapath_uuid === datapath);
}

/** Whether one of its places names the datapath. */
export function belongsTo(view: ModelView, iface: Interface, datapath: string): boolean {
  return placesOf(view, iface).some(({ datapath_uuid }) => datapath_uuid === datapath);
}
