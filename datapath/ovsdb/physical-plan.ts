/**
 * What has to be written so that the integration bridge is joined to the bridges of the physical networks it should be on.
 *
 * Owns: names of these patch ports, and the note of neighbours kept with them.
 * Promises: a pure function of the rows; ports that are right need nothing. Patch ports we did not make are left alone. The operator's bridge gets one port
 * of ours for each physical network and is otherwise not touched.
 */
import { createHash } from 'node:crypto';
import { findBridge, type BridgePlan } from './bridge-plan.js';
import { byUuid, setKeys, wireMap, wireSet, wireUuid, type Operation } from './operations.js';
import type { Row, Tables } from './schema.js';
import { addPort, findInterface, sameOptions, type TunnelState } from './tunnel-plan.js';

const PHYSICAL_KEY = 'hotori-physical';
const NEIGHBORS_KEY = 'hotori-neighbors';
/** Of a name that OpenFlow tells whole. */
const ID_LENGTH = 8;

/** Bridges by physical network. */
export type Wanted = ReadonlyMap<string, string>;

export interface PhysicalState extends TunnelState {
  /** What was noted with the port. */
  readonly note: string;
}

/** The two ends of the cable to the bridge of a physical network. */
export function physicalNames(bridge: string, physical: string, far: string): readonly [here: string, there: string] {
  const id = createHash('sha256').update(`${bridge}\0${far}\0${physical}`).digest('hex').slice(0, ID_LENGTH);
  return [`phys-${id}-i`, `phys-${id}-o`];
}

/** Those that are open at both ends. */
export function readPhysical(tables: Tables, bridge: string, wanted: Wanted): ReadonlyMap<string, PhysicalState> {
  const states = new Map<string, PhysicalState>();
  for (const [physical, far] of wanted) {
    const names = physicalNames(bridge, physical, far);
    const [one, other] = [findInterface(tables, bridge, names[0]), findInterface(tables, far, names[1])];
    if (one === undefined || other === undefined) continue;
    const isOpen = one.ofport !== null && one.ofport >= 1;
    const note = one.external_ids.get(NEIGHBORS_KEY) ?? '';
    states.set(physical, { port_name: names[0], ofport: isOpen ? one.ofport : null, error: isOpen ? null : one.error, note });
  }
  return states;
}

/** The link states of the NICs of a bridge. */
export function linksOf(tables: Tables, bridge: string): (string | null)[] {
  return [...(findBridge(tables, bridge)?.ports ?? [])].flatMap((uuid) =>
    [...(tables.Port.get(uuid)?.interfaces ?? [])].flatMap((interfaceUuid) => {
      const iface = tables.Interface.get(interfaceUuid);
      return iface === undefined || (iface.type !== '' && iface.type !== 'system') ? [] : [iface.link_state];
    }),
  );
}

/** undefined when nothing is to be done. @param notes by physical network, what is to be kept with its port. */
export function planPhysical(tables: Tables, bridge: string, wanted: Wanted, notes: ReadonlyMap<string, string>): BridgePlan | undefined {
  const near = findBridge(tables, bridge);
  if (near === undefined) return undefined;
  const operations: Operation[] = [];
  const repairs: string[] = [];
  const names = new Set<string>();
  let nth = 0;
  for (const [physical, far] of wanted) {
    const there = findBridge(tables, far);
    const ends = physicalNames(bridge, physical, far);
    for (const name of ends) names.add(name);
    if (there === undefined) continue;
    for (const [at, owner] of [near, there].entries()) {
      const options = { peer: ends[1 - at]! };
      const iface = findInterface(tables, owner.name, ends[at]!);
      if (iface !== undefined && iface.type === 'patch' && sameOptions(iface.options, options)) continue;
      repairs.push(`${physical}: ${ends[at]!}`);
      const row = { type: 'patch', options: wireMap(Object.entries(options)) };
      if (iface !== undefined) operations.push({ op: 'update', table: 'Interface', where: byUuid(iface._uuid), row });
      else
        operations.push(
          ...addPort(owner, `physical_${nth++}`, { name: ends[at]!, ...row, external_ids: wireMap([[PHYSICAL_KEY, bridge]]) }),
        );
    }
    const iface = findInterface(tables, bridge, ends[0]);
    const note = notes.get(physical);
    if (iface !== undefined && note !== undefined && note !== (iface.external_ids.get(NEIGHBORS_KEY) ?? ''))
      operations.push({
        op: 'mutate',
        table: 'Interface',
        where: byUuid(iface._uuid),
        mutations: setKeys('external_ids', { [NEIGHBORS_KEY]: note === '' ? null : note }),
      });
  }
  for (const { owner, port } of ours(tables, bridge)) {
    if (names.has(port.name)) continue;
    repairs.push(`removed ${port.name}`);
    const mutations: Extract<Operation, { op: 'mutate' }>['mutations'] = [['ports', 'delete', wireSet([wireUuid(port._uuid)])]];
    operations.push({ op: 'mutate', table: 'Bridge', where: byUuid(owner._uuid), mutations });
  }
  if (operations.length === 0) return undefined;
  return { operations, repairs };
}

/** Ends of cables that we made for this bridge, on whatever bridge. */
function ours(tables: Tables, bridge: string): { readonly owner: Row<'Bridge'>; readonly port: Row<'Port'> }[] {
  return [...tables.Bridge.values()].flatMap((owner) =>
    [...owner.ports].flatMap((uuid) => {
      const port = tables.Port.get(uuid);
      const [interfaceUuid] = port?.interfaces ?? [];
      const iface = interfaceUuid === undefined ? undefined : tables.Interface.get(interfaceUuid);
      return port !== undefined && iface?.external_ids.get(PHYSICAL_KEY) === bridge ? [{ owner, port }] : [];
    }),
  );
}
