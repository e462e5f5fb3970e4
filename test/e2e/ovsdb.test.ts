/** The integration bridge and the NICs on it, on a real OVSDB and a real (dummy) ovs-vswitchd. */
import { BridgeManager, type BridgeStatus } from '../../datapath/ovsdb/bridge-manager.js';
import { deriveDatapathId } from '../../datapath/ovsdb/bridge-plan.js';
import { parseEndpoint } from '../../datapath/ovsdb/endpoint.js';
import { OvsdbClient } from '../../datapath/ovsdb/ovsdb-client.js';
import type { OvsdbError } from '../../datapath/ovsdb/ovsdb-error.js';
import { readZones, VifWatcher, type VifChange } from '../../datapath/ovsdb/vif-watcher.js';
import { eventually } from '../lab/eventually.js';
import { Lab } from '../lab/lab.js';
import type { Ovs } from '../lab/ovs.js';

const LOG = { info: () => {}, warn: () => {} };
const DATAPATH_ID = deriveDatapathId('hv1', 'br-int');

/** What vna runs for one bridge, with everything it was told. */
class Subject {
  readonly client: OvsdbClient;
  readonly manager: BridgeManager;
  readonly watcher: VifWatcher;
  readonly statuses: BridgeStatus[] = [];
  readonly disturbances: string[] = [];
  readonly changes: VifChange[] = [];
  reports = 0;
  readonly #abort = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(ovs: Ovs) {
    const endpoint = parseEndpoint(ovs.ovsdbEndpoint);
    this.client = new OvsdbClient({ endpoint, random: Math.random, log: LOG });
    this.manager = new BridgeManager(this.client, {
      name: 'br-int',
      datapath_id: DATAPATH_ID,
      datapath_type: ovs.datapathType,
      endpoint,
      log: LOG,
      onStatus: (status) => this.statuses.push(status),
      onDisturbed: (what) => this.disturbances.push(...what),
    });
    this.watcher = new VifWatcher(this.client, {
      bridge: 'br-int',
      onReport: (report) => {
        this.reports += 1;
        this.changes.push(...report.changes);
      },
    });
    const { signal } = this.#abort;
    this.#running = Promise.all([this.client.run(signal), this.manager.run(signal), this.watcher.run(signal)]);
  }

  async untilReady(): Promise<void> {
    await eventually('the bridge ready', () => this.manager.status.phase === 'ready');
  }

  vif(name: string) {
    return this.watcher.vifs.get(name);
  }

  async untilPlugged(name: string): Promise<void> {
    await eventually(`${name} having an ofport`, () => this.vif(name)?.state === 'has_ofport');
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }
}

let lab: Lab;
let ovs: Ovs;
let subject: Subject;

beforeEach(async () => {
  lab = await Lab.create();
  ovs = await lab.addDummySwitch();
  subject = new Subject(ovs);
  await subject.untilReady();
}, 30_000);

afterEach(async () => {
  await subject.stop();
  await lab.destroy();
}, 30_000);

async function bridgeSettings(): Promise<string[]> {
  const columns = ['fail_mode', 'protocols', 'datapath_type', 'datapath_id', 'other_config', 'external_ids'];
  return (await ovs.vsctl('get', 'bridge', 'br-int', ...columns)).trim().replaceAll('"', '').split('\n');
}

const RIGHT = [
  'secure',
  '[OpenFlow10, OpenFlow13]',
  'system',
  DATAPATH_ID,
  `{datapath-id=${DATAPATH_ID}, disable-in-band=true}`,
  '{hotori-managed=true}',
];

describe('BridgeManager', () => {
  it('bridge is created as it should be, and the switch speaks OpenFlow where it is said to', async () => {
    expect(await bridgeSettings()).toEqual(RIGHT);
    expect(subject.manager.status).toEqual({
      phase: 'ready',
      dpid: `0x${DATAPATH_ID}`,
      openflow_target: `unix:${ovs.openflowSocket('br-int')}`,
      row_uuid: (await ovs.vsctl('get', 'bridge', 'br-int', '_uuid')).trim(),
      error: null,
    });
    expect(await ovs.ofctl(['show', subject.manager.status.openflow_target])).toContain(`dpid:${DATAPATH_ID}`);
    expect(subject.disturbances).toEqual(['created']);
  });

  it('settings that somebody changes are put right, flows and the settings of others left alone', async () => {
    await ovs.ofctl(['add-flow', 'br-int', 'table=7,actions=drop']);
    await ovs.vsctl(
      'set',
      'bridge',
      'br-int',
      'protocols=OpenFlow15',
      'other_config:datapath-id=00000000000000ff',
      'other_config:mac-table-size=77',
    );
    await ovs.vsctl('remove', 'bridge', 'br-int', 'external_ids', 'hotori-managed');
    await eventually('the bridge repaired', async () => {
      const [, protocols, , id, config, ids] = await bridgeSettings();
      return protocols!.includes('OpenFlow13') && id === RIGHT[3] && config!.includes('mac-table-size=77') && ids === RIGHT[5];
    });
    expect(await ovs.flows()).toHaveLength(1);
    expect(subject.disturbances).toEqual(expect.arrayContaining(['protocols', 'other_config:datapath-id', 'external_ids:hotori-managed']));
  }, 20_000);

  it('fail_mode is put right and reported, for the switch forgets its flows on it', async () => {
    await ovs.ofctl(['add-flow', 'br-int', 'table=7,actions=drop']);
    await ovs.vsctl('set-fail-mode', 'br-int', 'standalone');
    await eventually('fail_mode repaired', async () => (await bridgeSettings())[0] === 'secure');
    expect(subject.disturbances).toEqual(['created', 'fail_mode']);
  });

  it('a controller that somebody adds is left there and reported', async () => {
    await ovs.ofctl(['add-flow', 'br-int', 'table=7,actions=drop']);
    await ovs.vsctl('set-controller', 'br-int', 'tcp:127.0.0.1:1');
    await eventually('the disturbance reported', () => subject.disturbances.includes('controller'));
    expect((await ovs.vsctl('get-controller', 'br-int')).trim()).toBe('tcp:127.0.0.1:1');
    // The reason why we never do it.
    expect((await ovs.flows()).filter((flow) => flow.includes('table=7'))).toEqual([]);
  });

  it('a bridge that is deleted comes back as another row', async () => {
    const before = subject.manager.status.row_uuid;
    await ovs.vsctl('del-br', 'br-int');
    await eventually('the bridge back', () => subject.manager.status.phase === 'ready' && subject.manager.status.row_uuid !== before);
    expect(await bridgeSettings()).toEqual(RIGHT);
  });

  it('a bridge that is right is not written to', async () => {
    await subject.stop();
    const before = await ovs.vsctl('get', 'open_vswitch', '.', 'next_cfg');
    subject = new Subject(ovs);
    await subject.untilReady();
    expect([subject.disturbances, await ovs.vsctl('get', 'open_vswitch', '.', 'next_cfg')]).toEqual([[], before]);
  });

  it('two managers of one bridge that start at once agree', async () => {
    const other = new Subject(ovs);
    await ovs.vsctl('del-br', 'br-int');
    await eventually('the bridge back', () =>
      [subject, other].every((one) => one.manager.status.phase === 'ready' && one.manager.status.error === null),
    );
    expect(subject.manager.status.row_uuid).toBe(other.manager.status.row_uuid);
    await other.stop();
  });

  it('against somebody who keeps changing the bridge, repairs become rare', async () => {
    const deadline = Date.now() + 3_000;
    let changes = 0;
    while (Date.now() < deadline) {
      if ((await bridgeSettings())[0] === 'secure') {
        changes += 1;
        await ovs.vsctl('set-fail-mode', 'br-int', 'standalone');
      }
    }
    expect(changes).toBeGreaterThan(2);
    expect(changes).toBeLessThan(10);
  }, 20_000);
});

describe('VifWatcher', () => {
  it('NIC is seen, then has an ofport, then is gone', async () => {
    await ovs.addPort('br-int', 'vm1', 'if-one');
    await subject.untilPlugged('vm1');
    await eventually('its link and MAC', () => subject.vif('vm1')!.link_up && subject.vif('vm1')!.mac_in_use !== null);
    expect(subject.vif('vm1')).toEqual({
      port_name: 'vm1',
      row_uuid: (await ovs.vsctl('get', 'interface', 'vm1', '_uuid')).trim(),
      state: 'has_ofport',
      iface_id: 'if-one',
      ofport: Number(await ovs.vsctl('get', 'interface', 'vm1', 'ofport')),
      ct_zone: null,
      zone_interface: null,
      link_up: true,
      mac_in_use: JSON.parse(await ovs.vsctl('get', 'interface', 'vm1', 'mac_in_use')),
      installed_revision: null,
    });
    await ovs.vsctl('del-port', 'vm1');
    await eventually('vm1 gone', () => subject.vif('vm1') === undefined);

    const states = subject.changes.flatMap(({ after }) => (after === undefined ? [] : [after.state]));
    // On a busy machine the number may be there at the first look.
    expect(states.slice(states.lastIndexOf('seen') + 1).every((state) => state === 'has_ofport')).toBe(true);
    expect(subject.changes[0]).toMatchObject({ before: undefined, after: { iface_id: 'if-one' } });
    expect(subject.changes.at(-1)).toMatchObject({ port_name: 'vm1', after: undefined });
  });

  it('the local port, tunnels, patches, bonds and other bridges are no NICs', async () => {
    await ovs.vsctl('add-br', 'br-ex', '--', 'add-port', 'br-ex', 'other');
    await ovs.vsctl('add-port', 'br-int', 'p-ex', '--', 'set', 'interface', 'p-ex', 'type=patch', 'options:peer=p-int');
    await ovs.vsctl('add-port', 'br-int', 'tun', '--', 'set', 'interface', 'tun', 'type=geneve', 'options:remote_ip=flow');
    await ovs.vsctl('add-bond', 'br-int', 'bond0', 'b1', 'b2');
    await ovs.vsctl('add-port', 'br-int', 'tap', '--', 'set', 'interface', 'tap', 'type=internal');
    await subject.untilPlugged('tap');
    expect([...subject.watcher.vifs.keys()]).toEqual(['tap']);
  });

  it('change of iface-id, of ofport, and of the plug behind a name are reported', async () => {
    await ovs.addPort('br-int', 'vm1', 'if-one');
    await subject.untilPlugged('vm1');
    await ovs.vsctl('set', 'interface', 'vm1', 'external_ids:iface-id=if-two');
    await eventually('iface-id changed', () => subject.vif('vm1')?.iface_id === 'if-two');
    await ovs.vsctl('set', 'interface', 'vm1', 'ofport_request=77');
    await eventually('ofport changed', () => subject.vif('vm1')?.ofport === 77);
    const before = subject.vif('vm1')!.row_uuid;
    await ovs.vsctl('del-port', 'vm1', '--', 'add-port', 'br-int', 'vm1');
    await eventually('another plug', () => subject.vif('vm1') !== undefined && subject.vif('vm1')!.row_uuid !== before);
    expect(subject.vif('vm1')?.iface_id).toBeNull();
  });

  it('a device that cannot be opened stays seen', async () => {
    await ovs.vsctl('--no-wait', 'add-port', 'br-int', 'broken', '--', 'set', 'interface', 'broken', 'type=no-such-type');
    await eventually('broken seen', () => subject.vif('broken'));
    await eventually('an error of the switch', async () => (await ovs.vsctl('get', 'interface', 'broken', 'ofport')).trim() === '-1');
    await eventually('the client synced', () => subject.client.tables!.Interface.get(subject.vif('broken')!.row_uuid)!.ofport === -1);
    expect(subject.vif('broken')).toMatchObject({ state: 'seen', ofport: null });
  });

  it.each(['', 'a\nb', 'x'.repeat(256)])("iface-id %j could be nobody's", async (id) => {
    await ovs.vsctl('add-port', 'br-int', 'vm1', '--', 'set', 'interface', 'vm1', `external_ids:iface-id=${JSON.stringify(id)}`);
    await subject.untilPlugged('vm1');
    expect(subject.vif('vm1')?.iface_id).toBeNull();
  });

  it('conntrack zone and installed revision are kept with the plug, other keys left alone', async () => {
    await ovs.addPort('br-int', 'vm1', 'if-one');
    await subject.untilPlugged('vm1');
    const row = subject.vif('vm1')!.row_uuid;
    await subject.watcher.claimZone(row, 5, 'if-one');
    await subject.watcher.claimZone(row, 65535, 'if-two');
    await subject.watcher.writeBack(new Map([[row, '12']]));
    await eventually('both read back', () => subject.vif('vm1')?.ct_zone === 65535 && subject.vif('vm1')?.installed_revision === '12');
    expect((await ovs.vsctl('get', 'interface', 'vm1', 'external_ids')).trim()).toBe(
      '{hotori-ct-zone="65535", hotori-installed-revision="12", hotori-interface=if-two, iface-id=if-one}',
    );

    expect(readZones(subject.client.tables!)).toEqual(new Map([[65535, [subject.vif('vm1')!.row_uuid]]]));
    await subject.stop();
    subject = new Subject(ovs);
    await subject.untilPlugged('vm1');
    expect(subject.vif('vm1')).toMatchObject({ ct_zone: 65535, zone_interface: 'if-two', installed_revision: '12' });
    await subject.watcher.writeBack(new Map([[row, null]]));
    await eventually('removed', () => subject.vif('vm1')?.installed_revision === null);
  });

  it('what is written to a NIC that is gone is refused, also when another came under its name', async () => {
    const nobody = '00000000-0000-4000-8000-000000000000';
    await expect(subject.watcher.claimZone(nobody, 5, 'if-one')).rejects.toMatchObject({ code: 'no_row' });
    await subject.watcher.writeBack(new Map([[nobody, '12']]));
    await ovs.addPort('br-int', 'vm1');
    await subject.untilPlugged('vm1');
    const before = subject.vif('vm1')!.row_uuid;
    // Until the watcher knows that the NIC was plugged anew, what it writes must not reach the new row.
    const replugged = ovs.vsctl('--no-wait', 'del-port', 'vm1', '--', 'add-port', 'br-int', 'vm1');
    const outcomes: string[] = [];
    while (subject.vif('vm1')?.row_uuid === before) {
      outcomes.push(
        await subject.watcher.claimZone(before, 9, 'if-one').then(
          () => 'written',
          (error: unknown) => (error as OvsdbError).code,
        ),
      );
    }
    await replugged;
    expect(outcomes.every((outcome) => ['written', 'no_row'].includes(outcome))).toBe(true);
    expect(await ovs.vsctl('get', 'interface', 'vm1', 'external_ids')).not.toContain('hotori');
  });

  it.each([0, -1, 1.5, 65536])('zone %d is refused', async (zone) => {
    await expect(subject.watcher.claimZone('any', zone, 'if-one')).rejects.toThrow(RangeError);
  });

  it('many NICs plugged at once come in few reports', async () => {
    const before = subject.reports;
    const ports = Array.from({ length: 100 }, (_, index) => `vm${index}`);
    await ovs.vsctl(...ports.flatMap((port) => ['--', 'add-port', 'br-int', port]));
    await eventually('all with an ofport', () => ports.every((port) => subject.vif(port)?.state === 'has_ofport'));
    expect(subject.reports - before).toBeLessThan(20);
  }, 20_000);
});

describe('restarts', () => {
  it('ovsdb-server restarted: the NICs never leave, and changes made meanwhile are seen', async () => {
    await ovs.addPort('br-int', 'vm1', 'if-one');
    await subject.untilPlugged('vm1');
    const before = subject.vif('vm1')!;
    subject.changes.length = 0;
    await ovs.stopOvsdb();
    await eventually('the connection gone', () => !subject.client.isSynced);
    expect([subject.vif('vm1'), subject.manager.status.phase]).toEqual([before, 'ready']);

    await ovs.startOvsdb();
    await ovs.addPort('br-int', 'vm2');
    await subject.untilPlugged('vm2');
    await subject.untilReady();
    expect(subject.vif('vm1')).toMatchObject({ ofport: before.ofport, row_uuid: before.row_uuid });
    expect(subject.changes.filter((change) => change.after === undefined || change.after.ofport === null)).toEqual([
      expect.objectContaining({ port_name: 'vm2', before: undefined }),
    ]);
  }, 20_000);

  it('ovs-vswitchd killed and restarted: the NICs keep their ofports', async () => {
    await ovs.addPort('br-int', 'vm1', 'if-one');
    await ovs.addPort('br-int', 'vm2', 'if-two');
    await subject.untilPlugged('vm2');
    const before = subject.vif('vm2')!.ofport;
    await ovs.vsctl('del-port', 'vm1');
    await ovs.killVswitchd();
    await ovs.startVswitchd();
    await eventually('vm2 back', async () => (await ovs.ofctl(['--no-names', 'show', 'br-int'])).includes('(vm2)'));
    await subject.untilReady();
    expect(subject.vif('vm2')).toMatchObject({ state: 'has_ofport', ofport: before });
  }, 20_000);

  it('database deleted and made anew: the bridge comes back', async () => {
    await ovs.recreateDatabase();
    await eventually('the bridge back', async () => (await bridgeSettings())[0] === 'secure');
    await subject.untilReady();
    expect(await bridgeSettings()).toEqual(RIGHT);
  }, 20_000);
});
