/** The channel and a real Open vSwitch, over each transport and in both directions. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { connectChannel } from '../../datapath/channel/connect.js';
import type { PacketIn, TableMod } from '../../datapath/channel/contract.js';
import { listenChannels } from '../../datapath/channel/listen.js';
import type { OpenFlowChannel } from '../../datapath/channel/openflow-channel.js';
import type { ChannelOptions } from '../../datapath/channel/options.js';
import type { Flow, Group, Meter } from '../../flows/openflow/flow.js';
import { eventually } from '../lab/eventually.js';
import { Lab } from '../lab/lab.js';
import type { Ovs } from '../lab/ovs.js';

const BRIDGE = 'br0';
const EVERYTHING = { cookie: 0n, cookie_mask: 0n };
const CONTROLLER_PORT = 0xfffffffd;
const LOCAL_PORT = 0xfffffffe;

let lab: Lab;
let ovs: Ovs;
const open: OpenFlowChannel[] = [];

beforeAll(async () => {
  lab = await Lab.create();
  ovs = await lab.addDummySwitch();
  await ovs.addBridge(BRIDGE);
  await ovs.vsctl(
    'set',
    'bridge',
    BRIDGE,
    'protocols=OpenFlow13',
    '--',
    'add-port',
    BRIDGE,
    'p1',
    '--',
    'set',
    'interface',
    'p1',
    'type=dummy',
    'ofport_request=1',
  );
});
afterEach(async () => {
  for (const channel of open.splice(0)) channel.close();
  for (const command of ['del-flows', 'del-groups', 'del-meters']) await ovs.ofctl([command, BRIDGE]);
});
afterAll(() => lab.destroy());

const managed = () => `unix:${ovs.openflowSocket(BRIDGE)}`;

async function connect(target = managed(), options: ChannelOptions = {}): Promise<OpenFlowChannel> {
  const channel = await connectChannel(target, options);
  open.push(channel);
  return channel;
}

function aFlow(n: number, overrides: Partial<Flow> = {}): Flow {
  return {
    table: n % 10,
    priority: 100,
    match: [
      { field: 'eth_type', value: 0x0800 },
      { field: 'ip_dst', value: 0x0a000000 + n },
    ],
    instructions: [{ kind: 'apply_actions', actions: [{ kind: 'output', port: 1 }] }],
    cookie: BigInt(n),
    ...overrides,
  };
}

const adds = (count: number): TableMod[] => Array.from({ length: count }, (_, n) => ({ kind: 'flow_add', flow: aFlow(n) }));

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('was expected to reject');
    },
    (error: unknown) => error,
  );
}

async function flowCount(): Promise<number> {
  return (await ovs.flows(BRIDGE)).length;
}

describe('over a Unix socket', () => {
  it('the bridge tells its datapath id', async () => {
    const channel = await connect();
    const id = (await ovs.vsctl('get', 'bridge', BRIDGE, 'datapath_id')).trim();
    expect(`"${channel.features.datapath_id.toString(16).padStart(16, '0')}"`).toBe(id);
    expect(channel.features).toMatchObject({ n_tables: 254, auxiliary_id: 0 });
  });

  it('a bundle of thousands of flows is installed and read back', async () => {
    const channel = await connect();
    await channel.bundle(adds(10_000));
    expect(await channel.countFlows(EVERYTHING)).toBe(10_000);
    const cookies = new Set<bigint>();
    let parts = 0;
    await channel.dumpFlows(EVERYTHING, (flows) => {
      parts++;
      for (const flow of flows) cookies.add(flow.cookie);
    });
    expect(cookies.size).toBe(10_000);
    expect(parts).toBeGreaterThan(10);
    const seven: Flow[] = [];
    await channel.dumpFlows({ cookie: 7n, cookie_mask: 0xffffffffffffffffn }, (flows) => void seven.push(...flows));
    expect(seven).toMatchObject([{ ...aFlow(7), match: expect.arrayContaining(aFlow(7).match.slice()) }]);
    await channel.bundle([{ kind: 'flow_delete_strict', flow: aFlow(7) }]);
    expect(await channel.countFlows({ ...EVERYTHING, table: 7 })).toBe(999);
  });

  it('a bundle with a flow that cannot be applied is rolled back and names it', async () => {
    const channel = await connect();
    await channel.bundle(adds(10));
    const bad = aFlow(3_000, { instructions: [{ kind: 'apply_actions', actions: [{ kind: 'group', group_id: 99 }] }] });
    const error = await rejection(channel.bundle([...adds(3_000).slice(10), { kind: 'flow_add', flow: bad }, ...adds(10)]));
    expect(error).toMatchObject({ name: 'BundleError', index: 2_990, error: { type: 2, code: 9, name: 'OFPBAC_BAD_OUT_GROUP' } });
    expect(await flowCount()).toBe(10);
  });

  it('a bundle with a flow that the switch cannot read is not applied in part', async () => {
    const channel = await connect();
    // TCP ports without TCP: refused where it arrives, long before the commit.
    const bad = aFlow(5, { match: [{ field: 'tcp_dst', value: 80 }] });
    const error = await rejection(channel.bundle([...adds(5), { kind: 'flow_add', flow: bad }, ...adds(5)]));
    expect(error).toMatchObject({ name: 'BundleError', index: 5, error: { name: 'OFPBMC_BAD_PREREQ' } });
    expect(await flowCount()).toBe(0);
  });

  it('groups go before the flows that use them in one bundle', async () => {
    const channel = await connect();
    const group: Group = {
      group_id: 4,
      type: 'select',
      buckets: [1, 2].map((weight) => ({ weight, actions: [{ kind: 'output', port: 1 }] })),
    };
    const user = aFlow(1, { instructions: [{ kind: 'apply_actions', actions: [{ kind: 'group', group_id: 4 }] }] });
    await channel.bundle([
      { kind: 'group_add', group },
      { kind: 'flow_add', flow: user },
    ]);
    expect(await channel.dumpGroups()).toMatchObject([{ group_id: 4, type: 'select', buckets: [{ weight: 1 }, { weight: 2 }] }]);
    await channel.bundle([
      { kind: 'group_modify', group: { ...group, type: 'all', buckets: [{ actions: [] }] } },
      { kind: 'flow_delete_strict', flow: user },
    ]);
    expect(await channel.dumpGroups()).toMatchObject([{ group_id: 4, type: 'all', buckets: [{ actions: [] }] }]);
    await channel.bundle([{ kind: 'group_delete', group_id: 4 }]);
    expect(await channel.dumpGroups()).toEqual([]);
  });

  it('meters are added, changed, refused and deleted', async () => {
    const channel = await connect();
    const meter: Meter = { meter_id: 7, flags: 2, bands: [{ kind: 'drop', rate: 100, burst_size: 10 }] };
    await channel.meterMod('add', meter);
    expect(await rejection(channel.meterMod('add', meter))).toMatchObject({ error: { name: 'OFPMMFC_METER_EXISTS' } });
    await channel.meterMod('modify', { ...meter, bands: [{ kind: 'drop', rate: 200, burst_size: 10 }] });
    expect(await channel.dumpMeters()).toMatchObject([{ meter_id: 7, bands: [{ kind: 'drop', rate: 200 }] }]);
    await channel.meterMod('delete', meter);
    expect(await channel.dumpMeters()).toEqual([]);
  });

  it('conntrack of a zone is flushed', async () => {
    await (await connect()).ctFlushZone(42);
  });

  it('a punt reaches the punt connection alone, with its userdata and registers', async () => {
    const programmingPunts: PacketIn[] = [];
    const punts: PacketIn[] = [];
    const programming = await connect(managed(), { onPacketIn: (packet) => void programmingPunts.push(packet) });
    const punt = await connect();
    await programming.setAsync({ packet_in: 7, port_status: 0, flow_removed: 0 });
    await punt.enablePunts(9, (packet) => void punts.push({ ...packet, data: packet.data.slice(), userdata: packet.userdata.slice() }));
    const userdata = Uint8Array.of(0x48, 1, 2, 3);
    await programming.bundle([
      {
        kind: 'flow_add',
        flow: {
          table: 0,
          priority: 1,
          match: [],
          cookie: 0x1234n,
          instructions: [
            {
              kind: 'apply_actions',
              actions: [
                { kind: 'set_field', field: 'reg1', value: 77 },
                { kind: 'controller', controller_id: 9, max_len: 0xffff, reason: 'invalid_ttl', userdata },
              ],
            },
          ],
        },
      },
    ]);
    const frame = Buffer.alloc(64, 0x11);
    punt.packetOut(frame, CONTROLLER_PORT, [{ kind: 'output', port: 0xfffffff9 }]);
    await eventually('the punt', () => punts.length > 0);
    await programming.barrier();
    expect(programmingPunts).toEqual([]);
    expect(punts.map((p) => ({ ...p, data: [...p.data], userdata: [...p.userdata] }))).toEqual([
      {
        data: [...frame],
        full_length: 64,
        table: 0,
        cookie: 0x1234n,
        reason: 2,
        metadata: expect.arrayContaining([{ field: 'reg1', value: 77 }]),
        userdata: [...userdata],
      },
    ]);
    expect(punt.snapshot().events.packet_outs_dropped).toBe(0);
  });

  it('a packet-out leaves by the port named', async () => {
    const channel = await connect();
    const before = await transmitted();
    for (let n = 0; n < 50; n++) channel.packetOut(Buffer.alloc(64, n), LOCAL_PORT, [{ kind: 'output', port: 1 }]);
    await channel.barrier();
    await eventually('fifty packets on the port', async () => (await transmitted()) - before === 50);
    channel.packetOut(Buffer.alloc(64), LOCAL_PORT, [{ kind: 'group', group_id: 1_234 }]);
    await eventually('the error of a bad packet-out', () => channel.snapshot().errors.OFPBAC_BAD_OUT_GROUP === 1);
  });

  it('a stale generation is refused, a replaced master is told and may not write', async () => {
    const old = await connect();
    const young = await connect();
    const generation = BigInt(Date.now());
    await old.requestRole('master', generation);
    await young.requestRole('master', generation + 1n);
    await eventually('the demotion', () => old.snapshot().events.demotions === 1);
    expect(await rejection(old.bundle(adds(1)))).toMatchObject({ code: 'not_master' });
    expect(await rejection(old.requestRole('master', generation))).toMatchObject({ error: { name: 'OFPRRFC_STALE' } });
    // Generations outlive connections in Open vSwitch.
    const late = await connect();
    expect(await rejection(late.requestRole('master', generation))).toMatchObject({ error: { name: 'OFPRRFC_STALE' } });
    await young.bundle(adds(1));
    await young.requestRole('equal', generation + 1n);
  });

  it('nothing is sent to a connection that did not ask', async () => {
    const messages: string[] = [];
    const silent = await connect(managed(), {
      onMessage: (message) => messages.push(message.kind),
      onPacketIn: () => void messages.push('packet_in'),
    });
    const curious: string[] = [];
    const other = await connect(managed(), { onMessage: (message) => curious.push(message.kind) });
    await other.setAsync({ packet_in: 0, port_status: 7, flow_removed: 0 });
    await ovs.vsctl('add-port', BRIDGE, 'p2', '--', 'set', 'interface', 'p2', 'type=dummy');
    await eventually('the port status', () => curious.includes('port_status'));
    await silent.barrier();
    expect(messages).toEqual([]);
  });

  it('killing the switch ends the connection and every request', async () => {
    const channel = await connect();
    const work = rejection(channel.bundle(adds(50_000)));
    await ovs.killVswitchd();
    expect(await channel.closed).toMatchObject({ code: 'connection_lost' });
    expect(await work).toMatchObject({ code: 'connection_lost' });
    await ovs.startVswitchd();
    expect(await (await connect()).countFlows(EVERYTHING)).toBe(0);
  });
});

describe.each(['tcp', 'ssl'])('over %s', (method) => {
  const files: Record<string, string> = {};
  const read = (name: string) => readFileSync(files[name]!, 'utf8');
  const options = (): ChannelOptions =>
    method === 'ssl' ? { tls: { ca: read('ca.crt'), cert: read('us.crt'), key: read('us.key') } } : {};

  beforeAll(async () => {
    if (method !== 'ssl') return;
    for (const name of ['ca', 'us', 'switch'])
      for (const kind of ['key', 'csr', 'crt']) files[`${name}.${kind}`] = path.join(lab.dir, `${name}.${kind}`);
    const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' });
    const key = ['-newkey', 'rsa:2048', '-nodes', '-days', '2'];
    openssl('req', '-x509', ...key, '-subj', '/CN=test CA', '-keyout', files['ca.key']!, '-out', files['ca.crt']!);
    for (const name of ['us', 'switch']) {
      openssl('req', '-new', ...key, '-subj', `/CN=${name}`, '-keyout', files[`${name}.key`]!, '-out', files[`${name}.csr`]!);
      const [csr, crt] = [files[`${name}.csr`]!, files[`${name}.crt`]!];
      openssl(
        'x509',
        '-req',
        '-in',
        csr,
        '-CA',
        files['ca.crt']!,
        '-CAkey',
        files['ca.key']!,
        '-CAcreateserial',
        '-days',
        '2',
        '-out',
        crt,
      );
    }
    await ovs.vsctl('set-ssl', files['switch.key']!, files['switch.crt']!, files['ca.crt']!);
  });
  afterEach(() => ovs.vsctl('del-controller', BRIDGE));

  it('the bridge connects to us, and connects again when we hang up', async () => {
    const channels: OpenFlowChannel[] = [];
    const names: unknown[] = [];
    const listener = await listenChannels(`p${method}:0:127.0.0.1`, options(), (channel, peer) => {
      channels.push(channel);
      names.push(peer.certificate?.subject.CN);
    });
    try {
      await ovs.vsctl(
        'set-controller',
        BRIDGE,
        `${method}:127.0.0.1:${listener.port}`,
        '--',
        'set',
        'controller',
        BRIDGE,
        'max_backoff=1000',
      );
      await eventually('the bridge', () => channels.length > 0);
      await channels[0]!.bundle(adds(2_000));
      expect(await channels[0]!.countFlows(EVERYTHING)).toBe(2_000);
      expect(names[0]).toBe(method === 'ssl' ? 'switch' : undefined);
      channels[0]!.close();
      await eventually('the bridge again', () => channels.length > 1);
      expect(await channels[1]!.countFlows(EVERYTHING)).toBe(2_000);
    } finally {
      await listener.close();
    }
  });

  it('we connect to the bridge', async () => {
    const port = 20_000 + (process.pid % 20_000);
    await ovs.vsctl('set-controller', BRIDGE, `p${method}:${port}:127.0.0.1`);
    const channel = await eventually('the bridge to listen', () => connect(`${method}:127.0.0.1:${port}`, options()));
    await channel.bundle(adds(2_000));
    expect(await flowCount()).toBe(2_000);
    expect(await channel.probe(1_000)).toBeGreaterThan(0);
  });
});

/** Packets that have left by port 1. */
async function transmitted(): Promise<number> {
  const dump = await ovs.ofctl(['dump-ports', BRIDGE, '1']);
  return Number(/tx pkts=(\d+)/.exec(dump)?.[1]);
}
