/**
 * What has to be written so that the integration bridge is joined to the bridge of its underlay, for frames without a tunnel.
 *
 * Owns: names of these patch ports, and the note of who is sent such frames, kept with them.
 * Promises: a pure function of the rows; ports that are right need nothing. Patch ports we did not make are left alone. The operator's bridge gets one port of ours
 * and is otherwise not touched.
 */
import { createHash } from 'node:crypto';
import { findBridge, type BridgePlan } from './bridge-plan.js';
import { byUuid, setKeys, wireMap, type Operation } from './operations.js';
import type { Row, Tables } from './schema.js';
import { addPort, findInterface, MAX_NAME, removal, sameOptions, type TunnelState } from './tunnel-plan.js';

/** Whose ends of patches are: the integration bridge. */
const UNDERLAY_KEY = 'hotori-underlay';
const DIRECT_KEY = 'hotori-direct';

/** The two ends of the cable between the integration bridge and the underlay's. */
export function patchNames(bridge: string, underlay: string): readonly [here: string, there: string] {
  const id = createHash('sha256')
    .update(`${bridge}\0${underlay}`)
    .digest('hex')
    .slice(0, MAX_NAME - 'patch--i'.length);
  return [`patch-${id}-i`, `patch-${id}-o`];
}

export interface PatchState extends TunnelState {
  /** What was noted with it: the datapaths that frames went to without a tunnel. */
  readonly direct: readonly string[];
}

/** The port to the underlay's bridge; undefined while there is none that is open at both ends. */
export function readPatch(tables: Tables, bridgeName: string, underlay: string): PatchState | undefined {
  const [near, far] = patchNames(bridgeName, underlay);
  const [one, other] = [findInterface(tables, bridgeName, near), findInterface(tables, underlay, far)];
  if (one === undefined || other === undefined) return undefined;
  const direct = (one.external_ids.get(DIRECT_KEY) ?? '').split(' ').filter(Boolean);
  return { port_name: near, ofport: one.ofport !== null && one.ofport >= 1 ? one.ofport : null, error: one.error, direct };
}

interface End {
  readonly owner: Row<'Bridge'>;
  readonly port: Row<'Port'>;
  readonly iface: Row<'Interface'>;
}

/** Ends of cables that we made for this bridge, on whatever bridge. Looked for at every change of OVSDB; most hypervisors have none. */
function ours(tables: Tables, bridgeName: string): readonly End[] {
  const found = new Map<string, Row<'Interface'>>();
  for (const iface of tables.Interface.values()) if (iface.external_ids.get(UNDERLAY_KEY) === bridgeName) found.set(iface._uuid, iface);
  if (found.size === 0) return [];
  return [...tables.Bridge.values()].flatMap((owner) =>
    [...owner.ports].flatMap((uuid): End[] => {
      const port = tables.Port.get(uuid);
      const [interfaceUuid = ''] = port?.interfaces ?? [];
      const iface = found.get(interfaceUuid);
      return port !== undefined && iface !== undefined ? [{ owner, port, iface }] : [];
    }),
  );
}

/** Ours to other bridges than the underlay's, those that are open. */
export function readOldPatches(tables: Tables, bridgeName: string, underlay: string | undefined): readonly TunnelState[] {
  const wanted: readonly string[] = underlay === undefined ? [] : patchNames(bridgeName, underlay);
  return ours(tables, bridgeName).flatMap(({ owner, iface: { name, ofport } }) =>
    owner.name === bridgeName && !wanted.includes(name) && ofport !== null && ofport >= 1 ? [{ port_name: name, ofport, error: null }] : [],
  );
}

export interface WantedPatch {
  /** The bridge to be joined, if any. */
  readonly underlay: string | undefined;
  /** Whether those to other bridges stay. */
  readonly keepsOthers: boolean;
}

/** Joins nothing while there is no bridge at either end. */
export function planPatches(tables: Tables, bridgeName: string, { underlay, keepsOthers }: WantedPatch): BridgePlan {
  const operations = underlay === undefined ? [] : planPatch(tables, bridgeName, underlay);
  const repairs = operations.length === 0 ? [] : [`joined to ${underlay!}`];
  const wanted: readonly string[] = underlay === undefined ? [] : patchNames(bridgeName, underlay);
  for (const { owner, port, iface } of ours(tables, bridgeName)) {
    if (wanted.includes(port.name)) continue;
    // Nothing is sent by it any more: who comes back to it begins anew.
    if (keepsOthers && iface.external_ids.has(DIRECT_KEY)) operations.push(noteOf(iface, ''));
    if (keepsOthers) continue;
    operations.push(removal(owner, port));
    repairs.push(`removed ${port.name}`);
  }
  return { operations, repairs };
}

/** Nothing while there is no bridge at either end. */
function planPatch(tables: Tables, bridgeName: string, underlay: string): Operation[] {
  const ends = [findBridge(tables, bridgeName), findBridge(tables, underlay)] as const;
  const [here, there] = ends;
  if (here === undefined || there === undefined) return [];
  const names = patchNames(bridgeName, underlay);
  return ends.flatMap((bridge, at): Operation[] => {
    const name = names[at]!;
    const options = { peer: names[1 - at]! };
    const iface = findInterface(tables, bridge!.name, name);
    const row = { type: 'patch', options: wireMap(Object.entries(options)) };
    const isOurs = iface?.external_ids.get(UNDERLAY_KEY) === bridgeName;
    if (iface === undefined) return addPort(bridge!, `patch_${at}`, { name, ...row, external_ids: wireMap([[UNDERLAY_KEY, bridgeName]]) });
    const where = byUuid(iface._uuid);
    const isRight = iface.type === 'patch' && sameOptions(iface.options, options);
    return [
      ...(isRight ? [] : [{ op: 'update', table: 'Interface', where, row } as const]),
      ...(isOurs
        ? []
        : [{ op: 'mutate', table: 'Interface', where, mutations: setKeys('external_ids', { [UNDERLAY_KEY]: bridgeName }) } as const]),
    ];
  });
}

/** Notes the datapaths that frames go to without a tunnel, for the next process; nothing when that is noted already, or there is no patch. */
export function planDirectNote(tables: Tables, bridgeName: string, underlay: string, direct: readonly string[]): Operation[] {
  const iface = findInterface(tables, bridgeName, patchNames(bridgeName, underlay)[0]);
  const note = direct.join(' ');
  if (iface === undefined || (iface.external_ids.get(DIRECT_KEY) ?? '') === note) return [];
  return [noteOf(iface, note)];
}

function noteOf(iface: Row<'Interface'>, note: string): Operation {
  const mutations = setKeys('external_ids', { [DIRECT_KEY]: note === '' ? null : note });
  return { op: 'mutate', table: 'Interface', where: byUuid(iface._uuid), mutations };
}
