import { deriveDatapathId, planBridge, type BridgeSettings } from '../../../datapath/ovsdb/bridge-plan.js';
import { Replica } from '../../../datapath/ovsdb/replica.js';

const SETTINGS: BridgeSettings = { name: 'br-int', datapath_id: '00000000000000aa', datapath_type: 'netdev' };

const RIGHT = {
  name: 'br-int',
  fail_mode: 'secure',
  protocols: ['set', ['OpenFlow10', 'OpenFlow13']],
  datapath_type: 'netdev',
  other_config: [
    'map',
    [
      ['datapath-id', '00000000000000aa'],
      ['disable-in-band', 'true'],
      ['mac-table-size', '9'],
    ],
  ],
  external_ids: [
    'map',
    [
      ['hotori-managed', 'true'],
      ['owner', 'ops'],
    ],
  ],
} as const;

function tablesWith(bridge: Readonly<Record<string, unknown>> | undefined, root = true) {
  const replica = new Replica();
  if (root) replica.applyUpdate2({ Open_vSwitch: { root: { initial: {} } } });
  if (bridge !== undefined) replica.applyUpdate2({ Bridge: { bridge: { initial: bridge } } });
  return replica.tables;
}

describe('planBridge', () => {
  it('bridge that is right needs nothing', () => {
    expect(planBridge(tablesWith(RIGHT), SETTINGS)).toBeUndefined();
  });

  it('bridge that is missing is created in one transaction', () => {
    expect(planBridge(tablesWith(undefined), SETTINGS)).toEqual({
      repairs: ['created'],
      operations: [
        { op: 'insert', table: 'Interface', 'uuid-name': 'iface', row: { name: 'br-int', type: 'internal' } },
        { op: 'insert', table: 'Port', 'uuid-name': 'port', row: { name: 'br-int', interfaces: ['named-uuid', 'iface'] } },
        {
          op: 'insert',
          table: 'Bridge',
          'uuid-name': 'bridge',
          row: {
            name: 'br-int',
            ports: ['named-uuid', 'port'],
            fail_mode: 'secure',
            protocols: ['set', ['OpenFlow10', 'OpenFlow13']],
            datapath_type: 'netdev',
            other_config: [
              'map',
              [
                ['datapath-id', '00000000000000aa'],
                ['disable-in-band', 'true'],
              ],
            ],
            external_ids: ['map', [['hotori-managed', 'true']]],
          },
        },
        {
          op: 'mutate',
          table: 'Open_vSwitch',
          where: [['_uuid', '==', ['uuid', 'root']]],
          mutations: [['bridges', 'insert', ['set', [['named-uuid', 'bridge']]]]],
        },
        { op: 'comment', comment: 'hotori: create bridge br-int' },
      ],
    });
  });

  it('bridge waits for a database without a root row', () => {
    expect(planBridge(tablesWith(undefined, false), SETTINGS)).toBeUndefined();
  });

  it.each([
    ['fail_mode', { fail_mode: 'standalone' }, { fail_mode: 'secure' }],
    ['fail_mode', { fail_mode: ['set', []] }, { fail_mode: 'secure' }],
    ['datapath_type', { datapath_type: '' }, { datapath_type: 'netdev' }],
    ['protocols', { protocols: ['set', []] }, { protocols: ['set', ['OpenFlow10', 'OpenFlow13']] }],
    ['protocols', { protocols: ['set', ['OpenFlow15']] }, { protocols: ['set', ['OpenFlow15', 'OpenFlow13']] }],
  ])('bridge with another %s gets that column written and nothing else', (repair, wrong, row) => {
    expect(planBridge(tablesWith({ ...RIGHT, ...wrong }), SETTINGS)).toEqual({
      repairs: [repair],
      operations: [
        { op: 'update', table: 'Bridge', where: [['_uuid', '==', ['uuid', 'bridge']]], row },
        { op: 'comment', comment: `hotori: repair bridge br-int: ${repair}` },
      ],
    });
  });

  it('bridge with another datapath id keeps its other keys', () => {
    const wrong = {
      ...RIGHT,
      other_config: [
        'map',
        [
          ['datapath-id', '1'],
          ['disable-in-band', 'true'],
          ['mac-table-size', '9'],
        ],
      ],
    };
    expect(planBridge(tablesWith(wrong), SETTINGS)?.operations[0]).toEqual({
      op: 'mutate',
      table: 'Bridge',
      where: [['_uuid', '==', ['uuid', 'bridge']]],
      mutations: [
        ['other_config', 'delete', ['set', ['datapath-id']]],
        ['other_config', 'insert', ['map', [['datapath-id', '00000000000000aa']]]],
      ],
    });
  });

  it('bridge of the default datapath type is a system bridge', () => {
    expect(planBridge(tablesWith({ ...RIGHT, datapath_type: '' }), { ...SETTINGS, datapath_type: 'system' })).toBeUndefined();
  });
});

describe('deriveDatapathId', () => {
  it('datapath id depends on node and bridge and on nothing else', () => {
    const ids = [
      deriveDatapathId('hv1', 'br-int'),
      deriveDatapathId('hv1', 'br-int'),
      deriveDatapathId('hv1', 'br-ex'),
      deriveDatapathId('hv2', 'br-int'),
      deriveDatapathId('hv1b', 'r-int'),
    ];
    expect(ids.every((id) => /^[0-9a-f]{16}$/.test(id))).toBe(true);
    expect(ids[0]).toBe(ids[1]);
    expect(new Set(ids).size).toBe(4);
  });
});
