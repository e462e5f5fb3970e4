/**
 * What has to be written so that the bridge has the tunnel ports it should have.
 *
 * Owns: the names and options of tunnel ports (ovs-vswitchd.conf.db(5), Interface, "Tunnel Options") and their comparison.
 * Promises: a pure function of the rows; ports that are right need nothing. Ports we did not make are left alone, whatever their names.
 */
import { createHash } from 'node:crypto';
import type { Encapsulation } from '../../flows/model/entities/presence.js';
import { findBridge, type BridgePlan } from './bridge-plan.js';
import { byUuid, newRow, wireMap, wireSet, wireUuid, type Operation, type WireRow } from './operations.js';
import type { Row, Tables } from './schema.js';

const TUNNEL_KEY = 'hotori-tunnel';

/**
 * Where to, from where and for which segment is for each flow to say. Geneve is summed: the outer UDP checksum covers the VNI and the option. VXLAN is sent without, as
 * RFC 7348 §5 would have it, and GRE too. Over IPv6 the UDP checksum is there in any case.
 */
const OPTIONS = {
  geneve: { remote_ip: 'flow', key: 'flow', csum: 'true' },
  vxlan: { remote_ip: 'flow', key: 'flow' },
  gre: { remote_ip: 'flow', key: 'flow' },
} as const satisfies Record<Encapsulation, Readonly<Record<string, string>>>;

/** The longest name of a port that OpenFlow tells whole. */
export const MAX_NAME = 15;

/** Always the same for a bridge, and unlike that of another bridge of the switch. */
export function tunnelPortName(encap: Encapsulation, bridge: string): string {
  const name = `${encap}-${bridge}`;
  if (name.length <= MAX_NAME) return name;
  return `${encap}-${createHash('sha256').update(bridge).digest('hex').slice(0, 8)}`;
}

export interface TunnelState {
  readonly port_name: string;
  /** 1–0xfffffeff; null until the switch has opened it, and when it cannot. */
  readonly ofport: number | null;
  /** What the switch has against it. */
  readonly error: string | null;
}

interface Found {
  readonly port: Row<'Port'>;
  readonly iface: Row<'Interface'>;
}

/** Ports of the bridge that we made as tunnels. */
function findTunnels(tables: Tables, bridgeName: string): Map<string, Found> {
  const found = new Map<string, Found>();
  for (const portUuid of findBridge(tables, bridgeName)?.ports ?? []) {
    const port = tables.Port.get(portUuid);
    const [interfaceUuid] = port?.interfaces ?? [];
    const iface = interfaceUuid === undefined ? undefined : tables.Interface.get(interfaceUuid);
    const encap = iface?.external_ids.get(TUNNEL_KEY);
    if (port !== undefined && iface !== undefined && encap !== undefined) found.set(encap, { port, iface });
  }
  return found;
}

/** Of each encapsulation that has a port of ours. */
export function readTunnels(tables: Tables, bridgeName: string): ReadonlyMap<Encapsulation, TunnelState> {
  const states = new Map<Encapsulation, TunnelState>();
  for (const [encap, { iface }] of findTunnels(tables, bridgeName)) {
    const { ofport, error, name } = iface;
    const isOpen = ofport !== null && ofport >= 1;
    states.set(encap as Encapsulation, { port_name: name, ofport: isOpen ? ofport : null, error: isOpen ? null : error });
  }
  return states;
}

export function findInterface(tables: Tables, bridgeName: string, name: string): Row<'Interface'> | undefined {
  for (const portUuid of findBridge(tables, bridgeName)?.ports ?? []) {
    const port = tables.Port.get(portUuid);
    if (port?.name !== name) continue;
    const [interfaceUuid] = port.interfaces;
    return interfaceUuid === undefined ? undefined : tables.Interface.get(interfaceUuid);
  }
  return undefined;
}

/** Nothing as long as there is no bridge. */
export function planTunnels(tables: Tables, bridgeName: string, wanted: readonly Encapsulation[]): BridgePlan {
  const operations: Operation[] = [];
  const repairs: string[] = [];
  const bridge = findBridge(tables, bridgeName);
  if (bridge === undefined) return { operations, repairs };
  const found = findTunnels(tables, bridgeName);
  for (const encap of wanted) {
    const have = found.get(encap);
    if (have === undefined) {
      operations.push(...creation(bridge, encap));
      repairs.push(`created ${tunnelPortName(encap, bridgeName)}`);
      continue;
    }
    const { iface } = have;
    const wrong = iface.type !== encap || !sameOptions(iface.options, OPTIONS[encap]);
    if (!wrong) continue;
    const row = { type: encap, options: wireMap(Object.entries(OPTIONS[encap])) };
    operations.push({ op: 'update', table: 'Interface', where: byUuid(iface._uuid), row });
    repairs.push(`repaired ${iface.name}`);
  }
  for (const [encap, { port, iface }] of found) {
    if (wanted.includes(encap as Encapsulation)) continue;
    operations.push(removal(bridge, port));
    repairs.push(`removed ${iface.name}`);
  }
  return { operations, repairs };
}

function creation(bridge: Row<'Bridge'>, encap: Encapsulation): Operation[] {
  const name = tunnelPortName(encap, bridge.name);
  const row = { name, type: encap, options: wireMap(Object.entries(OPTIONS[encap])), external_ids: wireMap([[TUNNEL_KEY, encap]]) };
  return addPort(bridge, encap, row);
}

/** @param id Names the new rows within the transaction. */
export function addPort(bridge: Row<'Bridge'>, id: string, iface: WireRow & { readonly name: string }): Operation[] {
  return [
    { op: 'insert', table: 'Interface', 'uuid-name': `iface_${id}`, row: iface },
    { op: 'insert', table: 'Port', 'uuid-name': `port_${id}`, row: { name: iface.name, interfaces: newRow(`iface_${id}`) } },
    { op: 'mutate', table: 'Bridge', where: byUuid(bridge._uuid), mutations: [['ports', 'insert', wireSet([newRow(`port_${id}`)])]] },
  ];
}

export function removal(bridge: Row<'Bridge'>, port: Row<'Port'>): Operation {
  const mutations: Extract<Operation, { op: 'mutate' }>['mutations'] = [['ports', 'delete', wireSet([wireUuid(port._uuid)])]];
  return { op: 'mutate', table: 'Bridge', where: byUuid(bridge._uuid), mutations };
}

export function sameOptions(have: ReadonlyMap<string, string>, want: Readonly<Record<string, string>>): boolean {
  const entries = Object.entries(want);
  return have.size === entries.length && entries.every(([key, value]) => have.get(key) === value);
}
