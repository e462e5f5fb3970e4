import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from '../../datapath/agent/agent.js';
import type { Entity } from '../../flows/model/entities.js';
import { ScriptedSource } from '../datapath/agent/scripted-source.js';
import { dhcp, groupRule, iface, ipLease, macLease, network, policyClass, securityGroup } from '../flows/compile/slice-builder.js';
import { eventually } from '../lab/eventually.js';
import { Ovs } from '../lab/ovs.js';

const BRIDGE = 'br-int';
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** One agent process, as far as a test can tell. */
class Running {
  readonly agent: Agent;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(ovs: Ovs, source: ScriptedSource, auditPeriodMs: number) {
    this.agent = new Agent({
      sliceSource: source,
      node_id: 'test',
      bridge: BRIDGE,
      datapath_type: 'system',
      ovsdb: ovs.ovsdbEndpoint,
      openflow: null,
      auditPeriodMs,
      default_mtu: 1442,
      dhcp_lease_time: 3600,
      log: process.env['AGENT_LOG'] === undefined ? silent : { info: console.log, warn: console.log, error: console.log },
    });
    this.#done = this.agent.run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

const mac = (n: number): string => `0a:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`;

function vm(n: number): Entity[] {
  return [
    iface(`vm${n}`, n, { policy_class_key: 1, security_group_uuids: ['sg-web'] }),
    macLease(`vm${n}`, mac(n)),
    ipLease(`vm${n}`, 'a', `10.0.1.${n}`),
  ];
}

const base: Entity[] = [
  network('a', 1),
  iface('gw', 200, { mode: 'simulated' }),
  macLease('gw', '02:00:00:00:00:01'),
  ipLease('gw', 'a', '10.0.1.254'),
  dhcp('a', 'gw'),
  securityGroup('web', [groupRule('http', 7, { protocol: 'tcp', ports: ['80'] })]),
  policyClass(1, ['web']),
];

describe('an agent on a real Open vSwitch', () => {
  let dir: string;
  let ovs: Ovs;
  let source: ScriptedSource;
  let running: Running | undefined;

  const start = (auditPeriodMs = 60_000): Running => (running = new Running(ovs, source, auditPeriodMs));
  const plug = (n: number): Promise<string> =>
    ovs.vsctl('add-port', BRIDGE, `vm${n}`, '--', 'set', 'interface', `vm${n}`, `external_ids:iface-id=if-vm${n}`);
  const keyOf = async (n: number, key: string): Promise<string> =>
    (await ovs.vsctl('--if-exists', 'get', 'interface', `vm${n}`, `external_ids:${key}`)).trim().replaceAll('"', '');
  const installed = (n: number): Promise<string> =>
    eventually(`vm${n} marked as installed`, async () => (await keyOf(n, 'hotori-installed-revision')) || false);

  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'agent-'));
    ovs = new Ovs({ dir, dummy: true });
    await ovs.start();
    source = new ScriptedSource();
    source.put(...base, ...vm(1), ...vm(2));
  });

  afterEach(async () => {
    await running?.stop();
    running = undefined;
    await ovs.stop();
    await rm(dir, { recursive: true });
  });

  it('makes the bridge, fills it, and follows a NIC from plug to unplug', async () => {
    start();
    await eventually('a first snapshot applied', () => source.report?.applied_seq === source.seq && source.seq > 0);
    const empty = await ovs.flows(BRIDGE);

    await plug(1);
    await installed(1);
    const report = await source.applied();
    const zone = await keyOf(1, 'hotori-ct-zone');
    const full = await ovs.flows(BRIDGE);
    expect({ zone, interface: await keyOf(1, 'hotori-interface'), error: report.error, count: report.flow_count }).toEqual({
      zone: '1',
      interface: 'if-vm1',
      error: null,
      count: full.length,
    });
    expect(full.length).toBeGreaterThan(empty.length);

    await ovs.vsctl('del-port', BRIDGE, 'vm1');
    await eventually('the flows of the NIC gone', async () => (await ovs.flows(BRIDGE)).length === empty.length);
    expect(await ovs.flows(BRIDGE)).toEqual(
      empty.map((line) => (line.includes('table=253') ? expect.stringContaining('table=253') : line)),
    );
  });

  it('holds back a slice that takes most away and follows from nothing, until it is accepted', async () => {
    start();
    await eventually('a first snapshot applied', () => source.report?.applied_seq === source.seq && source.seq > 0);
    await plug(1);
    await installed(1);
    await source.applied();
    const before = await ovs.flows(BRIDGE);
    source.restart(network('a', 1));
    await eventually('it being held', () => source.report?.error?.message.includes('vnctl datapaths accept-slice dp-test'));
    expect(await ovs.flows(BRIDGE)).toEqual(before);
    expect([await source.acceptSlice!(), await source.acceptSlice!()]).toEqual([true, false]);
    const { error } = await source.applied();
    expect([error, (await ovs.flows(BRIDGE)).some((line) => line.includes(mac(1)))]).toEqual([null, false]);
  });

  it('sends nothing when it comes back and nothing has changed', async () => {
    const first = start();
    await eventually('the bridge', () => source.report?.applied_seq === source.seq && source.seq > 0);
    await plug(1);
    await plug(2);
    await Promise.all([installed(1), installed(2)]);
    await source.applied();
    const before = await ovs.flows(BRIDGE);
    await first.stop();
    expect(await ovs.flows(BRIDGE)).toEqual(before);

    const second = start(300);
    await eventually('applied again', () => source.report?.applied_seq === source.seq);
    await eventually('two audits', () => second.agent.counters().flows.audits >= 2);
    const { operations, ...counters } = second.agent.counters().flows;
    expect({ operations: operations.counts(), counters, flows: await ovs.flows(BRIDGE), report: source.report }).toEqual({
      operations: [],
      counters: { bundles: 0, modifications: 0, refusals: 0, audits: expect.any(Number), drift: { missing: 0, extra: 0, changed: 0 } },
      flows: before,
      report: {
        datapath_uuid: 'dp-test',
        connected: true,
        applied_seq: source.seq,
        flow_count: before.length,
        flow_mods: 0,
        drift_repairs: 0,
        error: null,
        conditions: [],
      },
    });
  });

  it.each(['killed', 'stopped'])('repairs the bridge within two seconds after ovs-vswitchd was %s and is back', async (how) => {
    start();
    await eventually('the bridge', () => source.report?.applied_seq === source.seq && source.seq > 0);
    await plug(1);
    await installed(1);
    const before = await ovs.flows(BRIDGE);
    if (how === 'killed') await ovs.killVswitchd();
    else await ovs.stopVswitchd();
    await eventually('the loss noticed', () => source.report?.connected === false);
    await sleep(700);
    await ovs.startVswitchd();
    const back = Date.now();
    await eventually('all flows back', async () => (await ovs.flows(BRIDGE)).length === before.length, { everyMs: 20 });
    expect(Date.now() - back).toBeLessThan(2_000);
    expect(await ovs.flows(BRIDGE)).toEqual(before);
    expect(source.report).toMatchObject({ connected: true, applied_seq: source.seq, error: null });
  });

  it('puts back what is altered by hand and leaves foreign flows and groups alone', async () => {
    const { agent } = start(300);
    await eventually('the bridge', () => source.report?.applied_seq === source.seq && source.seq > 0);
    await plug(1);
    await installed(1);
    const before = await ovs.flows(BRIDGE);
    const foreign = 'cookie=0x99, priority=77,tcp,tp_dst=9 actions=drop';
    await ovs.ofctl(['add-flow', BRIDGE, 'cookie=0x99,table=0,priority=77,tcp,tp_dst=9,actions=drop']);
    await ovs.ofctl(['add-group', BRIDGE, 'group_id=4711,type=all,bucket=output:1']);
    await ovs.ofctl(['del-flows', BRIDGE, 'table=96']);
    await ovs.ofctl(['mod-flows', BRIDGE, 'table=0,actions=drop']);
    await ovs.ofctl(['add-flow', BRIDGE, 'cookie=0x4801600000000001,table=96,priority=5,actions=drop']);
    const restored = async (): Promise<boolean> => {
      const flows = await ovs.flows(BRIDGE);
      return before.every((line) => flows.includes(line)) && flows.length === before.length + 1;
    };
    // mod-flows rewrites the actions of the foreign flow too, to what they were.
    await eventually('flows put back', restored);
    const flows = await ovs.flows(BRIDGE);
    expect({ foreign: flows.find((line) => line.includes('cookie=0x99')), groups: await ovs.ofctl(['dump-groups', BRIDGE]) }).toEqual({
      foreign,
      groups: expect.stringContaining('group_id=4711'),
    });
    expect(agent.counters().flows.drift).toEqual({ missing: expect.any(Number), extra: 1, changed: expect.any(Number) });
  });

  it('follows a NIC to another port number, and keeps its zone', async () => {
    start();
    await eventually('the bridge', () => source.report?.applied_seq === source.seq && source.seq > 0);
    await plug(1);
    await installed(1);
    await ovs.vsctl('set', 'interface', 'vm1', 'ofport_request=77');
    await eventually('flows with the new number', async () => (await ovs.flows(BRIDGE)).some((line) => line.includes('in_port=77')));
    expect(await keyOf(1, 'hotori-ct-zone')).toBe('1');
  });

  it('follows NICs that a restarted switch has numbered anew', async () => {
    start();
    await eventually('the bridge', () => source.report?.applied_seq === source.seq && source.seq > 0);
    await plug(1);
    await plug(2);
    await Promise.all([installed(1), installed(2)]);
    await ovs.stopVswitchd();
    await ovs.vsctl('--no-wait', 'set', 'interface', 'vm1', 'ofport_request=2', '--', 'set', 'interface', 'vm2', 'ofport_request=1');
    await ovs.startVswitchd();
    const portOf = async (n: number): Promise<string> => (await ovs.vsctl('get', 'interface', `vm${n}`, 'ofport')).trim();
    expect([await portOf(1), await portOf(2)]).toEqual(['2', '1']);
    const keysByPort = async (): Promise<(string | undefined)[]> => {
      const flows = await ovs.flows(BRIDGE);
      return [1, 2].map((port) => /set_field:(0x\d+)->reg1/.exec(flows.find((line) => line.includes(`in_port=${port},`)) ?? '')?.[1]);
    };
    await eventually('flows for the new numbers', async () => expect(await keysByPort()).toEqual(['0x2', '0x1']) === undefined);
  });

  it('asks for a snapshot when a message is missing, and attaches again when it is detached', async () => {
    start();
    await eventually('the bridge', () => source.report?.applied_seq === source.seq && source.seq > 0);
    source.lose(...vm(3));
    source.put(...vm(4));
    await plug(3);
    await installed(3);
    source.detach();
    await eventually('attached again', () => source.hellos.length === 2 && source.report?.applied_seq === source.seq);
    expect(source.hellos[1]?.vifs).toEqual([{ port_name: 'vm3', iface_id: 'if-vm3' }]);
  });

  it('shows the flows it wants in the words of the user', async () => {
    start();
    await eventually('the bridge', () => source.report?.applied_seq === source.seq && source.seq > 0);
    await plug(1);
    await installed(1);
    const all = await source.flows?.(undefined);
    const own = await source.flows?.('if-vm1');
    expect({ all: all?.length, own: own?.every((entry) => entry.owners.includes('if-vm1')) }).toEqual({
      all: (await ovs.flows(BRIDGE)).length - 1,
      own: true,
    });
    expect(own?.[0]).toEqual({
      table: 0,
      table_name: 'CLASSIFY',
      priority: expect.any(Number),
      text: expect.stringContaining('actions='),
      cookie: expect.stringMatching(/^0x48[0-9a-f]{14}$/),
      owners: expect.arrayContaining(['if-vm1']),
      rule: expect.any(String),
      packets: 0,
      bytes: 0,
    });
  });

  it('puts its flows back at once when somebody adds a controller, which makes the switch forget them', async () => {
    start();
    await eventually('the bridge', () => source.report?.applied_seq === source.seq && source.seq > 0);
    const before = await ovs.flows(BRIDGE);
    await ovs.vsctl('set-controller', BRIDGE, 'tcp:127.0.0.1:1');
    await eventually('flows put back', async () => (await ovs.flows(BRIDGE)).length === before.length);
    expect(await ovs.flows(BRIDGE)).toEqual(before);
  });
});
