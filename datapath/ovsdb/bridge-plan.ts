/**
 * What has to be written so that the integration bridge is as it should be.
 *
 * Owns: the settings of the bridge (ovs-vswitchd.conf.db(5), tables Bridge, Port, Interface) and their comparison.
 * Promises: a pure function of the rows; a bridge that is right needs nothing; settings we do not name are left alone. The Controller
 * rows of the bridge are never touched: the first one added, or the last one removed, makes the switch forget all flows.
 */
import { createHash } from 'node:crypto';
import { byUuid, newRow, setKeys, wireMap, wireSet, wireUuid, type Mutation, type Operation, type Wire } from './operations.js';
import type { Row, Tables } from './schema.js';

export interface BridgeSettings {
  readonly name: string;
  /** 16 lower-case hex digits. */
  readonly datapath_id: string;
  /** Which datapath of the switch carries the packets: the kernel's or the one in user space. */
  readonly datapath_type: 'system' | 'netdev';
}

export interface BridgePlan {
  readonly operations: readonly Operation[];
  /** What is created or put right, for the log. */
  readonly repairs: readonly string[];
}

/** OpenFlow13 is what we speak; OpenFlow10 is what ovs-ofctl speaks unless told otherwise. */
const PROTOCOLS = ['OpenFlow10', 'OpenFlow13'];
const NEEDED_PROTOCOL = 'OpenFlow13';
const MANAGED_KEY = 'hotori-managed';

/** The datapath id of a bridge nobody gave one: the same whenever the node and the bridge are called the same. Never zero. */
export function deriveDatapathId(nodeId: string, bridge: string): string {
  const digest = createHash('sha256').update(`${nodeId}\0${bridge}`).digest('hex').slice(0, 16);
  return /^0+$/.test(digest) ? '0000000000000001' : digest;
}

export function findBridge(tables: Tables, name: string): Row<'Bridge'> | undefined {
  for (const bridge of tables.Bridge.values()) if (bridge.name === name) return bridge;
  return undefined;
}

/** undefined when nothing is to be done. */
export function planBridge(tables: Tables, settings: BridgeSettings): BridgePlan | undefined {
  const bridge = findBridge(tables, settings.name);
  return bridge === undefined ? planCreation(tables, settings) : planRepair(bridge, settings);
}

/** undefined as long as there is no root row: the database has just been made and ovs-vswitchd or ovs-vsctl will initialise it. */
function planCreation(tables: Tables, settings: BridgeSettings): BridgePlan | undefined {
  const [root] = tables.Open_vSwitch.keys();
  if (root === undefined) return undefined;
  const { name } = settings;
  return {
    repairs: ['created'],
    operations: [
      { op: 'insert', table: 'Interface', 'uuid-name': 'iface', row: { name, type: 'internal' } },
      { op: 'insert', table: 'Port', 'uuid-name': 'port', row: { name, interfaces: newRow('iface') } },
      {
        op: 'insert',
        table: 'Bridge',
        'uuid-name': 'bridge',
        row: {
          name,
          ports: newRow('port'),
          fail_mode: 'secure',
          protocols: wireSet(PROTOCOLS),
          datapath_type: settings.datapath_type,
          other_config: wireMap(Object.entries(otherConfig(settings))),
          external_ids: wireMap([[MANAGED_KEY, 'true']]),
        },
      },
      { op: 'mutate', table: 'Open_vSwitch', where: byUuid(root), mutations: [['bridges', 'insert', wireSet([newRow('bridge')])]] },
      { op: 'comment', comment: `hotori: create bridge ${name}` },
    ],
  };
}

function planRepair(bridge: Row<'Bridge'>, settings: BridgeSettings): BridgePlan | undefined {
  const row: Record<string, Wire> = {};
  const mutations: Mutation[] = [];
  const repairs: string[] = [];

  if (bridge.fail_mode !== 'secure') {
    row['fail_mode'] = 'secure';
    repairs.push('fail_mode');
  }
  // The empty string is the default, `system`.
  if ((bridge.datapath_type === '' ? 'system' : bridge.datapath_type) !== settings.datapath_type) {
    row['datapath_type'] = settings.datapath_type;
    repairs.push('datapath_type');
  }
  if (!bridge.protocols.has(NEEDED_PROTOCOL)) {
    row['protocols'] = wireSet(bridge.protocols.size === 0 ? PROTOCOLS : [...bridge.protocols, NEEDED_PROTOCOL]);
    repairs.push('protocols');
  }
  for (const [key, value] of Object.entries(otherConfig(settings))) {
    if (bridge.other_config.get(key) === value) continue;
    mutations.push(...setKeys('other_config', { [key]: value }));
    repairs.push(`other_config:${key}`);
  }
  if (bridge.external_ids.get(MANAGED_KEY) !== 'true') {
    mutations.push(...setKeys('external_ids', { [MANAGED_KEY]: 'true' }));
    repairs.push(`external_ids:${MANAGED_KEY}`);
  }
  if (repairs.length === 0) return undefined;

  const where = [['_uuid', '==', wireUuid(bridge._uuid)]] as const;
  const operations: Operation[] = [];
  if (Object.keys(row).length > 0) operations.push({ op: 'update', table: 'Bridge', where, row });
  if (mutations.length > 0) operations.push({ op: 'mutate', table: 'Bridge', where, mutations });
  operations.push({ op: 'comment', comment: `hotori: repair bridge ${settings.name}: ${repairs.join(' ')}` });
  return { operations, repairs };
}

function otherConfig(settings: BridgeSettings): Record<string, string> {
  return { 'datapath-id': settings.datapath_id, 'disable-in-band': 'true' };
}
