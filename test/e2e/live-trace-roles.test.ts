/** Live traces where every role is a process of its own and tunnels are VXLAN, and what is left of them when processes die. */
import path from 'node:path';
import { eventually } from '../lab/eventually.js';
import { Fleet } from '../lab/fleet.js';
import type { Json } from '../lab/hotori.js';
import { Lab } from '../lab/lab.js';
import { RedisServer } from '../lab/redis.js';
import { UNDERLAY_BRIDGE } from '../lab/underlay.js';
import type { Vm } from '../lab/vm.js';
import { Traffic } from './traffic.js';
import { post } from './world.js';

/** v1 and v2 are on the first hypervisor, the others on the second; x is outside the router that translates. */
const ADDRESSES = { v1: '10.60.1.11', v2: '10.60.1.12', v3: '10.60.1.13', v4: '10.60.1.14', x: '203.0.113.10' } as const;
type Name = keyof typeof ADDRESSES;
const NAMES = Object.keys(ADDRESSES) as Name[];
const isOnFirst = (name: Name) => name === 'v1' || name === 'v2';
const ROUTER = { in: '10.60.1.1', out: '203.0.113.1' } as const;

let lab: Lab;
let redis: RedisServer;
let fleet: Fleet;
const vms = {} as Record<Name, Vm>;
/** Everything in both switches before anything was traced. */
let before: string[][];

beforeAll(async () => {
  lab = await Lab.create();
  redis = await RedisServer.start(path.join(lab.dir, 'redis'));
  const underlay = await lab.addUnderlay();
  for (const n of [1, 2]) await underlay.attach(await lab.addHypervisor(`hv${n}`), 1, 9 + n);
  fleet = await Fleet.make({
    dir: path.join(lab.dir, 'fleet'),
    ovs: lab.hypervisors[0]!.ovs,
    webapis: 2,
    redis: { url: redis.url, port: redis.port },
    vna: underlay.attachments.map(({ hypervisor: { ovs, name }, ipv4 }) => ({
      ovsdb: ovs.ovsdbEndpoint,
      datapath_type: ovs.datapathType,
      node_id: name,
      bridge_mappings: { underlay: UNDERLAY_BRIDGE },
      overlay: { address: [ipv4], encap: ['geneve', 'vxlan'] },
    })),
  });
  await fleet.start();
  for (const name of NAMES) vms[name] = await lab.addVm(lab.hypervisors[isOnFirst(name) ? 0 : 1]!, { name, iface_id: `if-${name}` });
  const port = (side: 'in' | 'out') => ({ network_uuid: `nw-${side}`, ip_addresses: [ROUTER[side]] });
  await fleet.post('/batch', {
    operations: [
      post('networks', { uuid: 'nw-in', ipv4_network: '10.60.1.0' }),
      post('networks', { uuid: 'nw-out', ipv4_network: '203.0.113.0' }),
      post('routers', { uuid: 'rt-nat', networks: [port('in'), port('out')], nat: [{ network_uuid: 'nw-out', ip_address: ROUTER.out }] }),
      ...NAMES.map((name) => {
        const place = { network_uuid: name === 'x' ? 'nw-out' : 'nw-in', ipv4_address: ADDRESSES[name] };
        return post('interfaces', { uuid: `if-${name}`, mode: 'vif', mac_address: vms[name].mac, ...place });
      }),
    ],
  });
  // What VMs say by themselves is none of the packets that are counted here.
  for (const name of NAMES) await vms[name].netns.run(['sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1']);
  for (const name of NAMES) await vms[name].configure(`${ADDRESSES[name]}/24`, name === 'x' ? ROUTER.out : ROUTER.in);
  for (const [from, to] of [
    ['v1', 'v3'],
    ['v2', 'v4'],
    ['v1', 'x'],
  ] as const)
    await eventually(`${from} reaching ${to}`, async () => (await vms[from].ping(ADDRESSES[to], { count: 1 })).received === 1, {
      timeoutMs: 30_000,
    });
  before = await flows();
}, 120_000);

afterAll(async () => {
  await fleet.close();
  await lab.destroy();
  await redis.stop();
}, 60_000);

const flows = () => Promise.all(lab.hypervisors.map(({ ovs }) => ovs.flows()));
const ours = (rows: readonly string[][]) => rows.flat().filter((row) => row.includes('priority=60000,'));
const untilArmed = () =>
  eventually('rows of the trace', async () => [await flows()].find((now) => now.every((rows) => ours([rows]).length > 0)));
const untilGone = (timeoutMs?: number) =>
  eventually('no row of the trace', async () => ours(await flows()).length === 0, timeoutMs === undefined ? {} : { timeoutMs });

async function whilePinging<T>(work: Promise<T>, from: Name, to: string): Promise<T> {
  const pinging = vms[from].spawn(['ping', '-n', '-i', '0.2', to]);
  try {
    return await work;
  } finally {
    await pinging.stop('SIGINT');
  }
}

const follow = (live: Json, webapi = 'webapi1') => fleet.ask(webapi, 'POST', '/traces', { live: { timeout: 10, ...live } });
const seen = ({ packets }: Json) =>
  packets.map(({ verdict, seen: places }: Json) => [verdict, ...places.map((p: Json) => `${p.datapath_uuid} ${p.point}`)]);

/** Cached flows of the frames of a VM, without what changes by itself. */
async function cached({ mac }: Vm): Promise<string[]> {
  const text = await lab.hypervisors[0]!.ovs.appctl('dpctl/dump-flows');
  const lines = text.split('\n').filter((line) => line.includes(`eth(src=${mac}`));
  return lines.map((line) => line.replace(/, packets:.*?(?=, actions)/, '')).sort();
}

it('is told by both hypervisors of packets that are translated on their way', async () => {
  const { body } = await whilePinging(follow({ interface: 'if-v1', filter: { destination: ADDRESSES.x } }, 'webapi2'), 'v1', ADDRESSES.x);
  const from = body.packets[0].seen.map(({ packet }: Json) => packet.source.address);
  expect([seen(body), from]).toEqual([
    [['delivered', 'dp-hv1 entry', 'dp-hv1 sent', 'dp-hv2 arrival', 'dp-hv2 delivered']],
    [ADDRESSES.v1, ROUTER.out, ROUTER.out, ROUTER.out],
  ]);
  expect(await flows()).toEqual(before);
}, 40_000);

it('is told by both hypervisors of packets in a VXLAN tunnel, which has no room for a mark', async () => {
  const pair = { datapath_uuid: 'dp-hv1', peer_datapath_uuid: 'dp-hv2', encapsulation: 'vxlan' };
  await fleet.post('/tunnels?wait=installed', pair);
  before = await flows();
  const near = await whilePinging(
    follow({ interface: 'if-v1', filter: { protocol: 'icmp', destination: ADDRESSES.v3 }, count: 3 }),
    'v1',
    ADDRESSES.v3,
  );
  expect(seen(near.body)).toEqual([1, 2, 3].map(() => ['delivered', 'dp-hv1 entry', 'dp-hv1 sent', 'dp-hv2 arrival', 'dp-hv2 delivered']));
  expect(await flows()).toEqual(before);
}, 40_000);

it('leaves the traffic of others, their cached flows and their counters alone', async () => {
  const { ovs } = lab.hypervisors[0]!;
  const drops = async () => (await ovs.ofctl(['dump-flows', 'br-int', 'table=250'])).match(/n_packets=\d+/g)!.join();
  const others = await Traffic.start(
    [
      { name: 'others', from: vms.v2, to: ADDRESSES.v4 },
      { name: 'followed', from: vms.v1, to: ADDRESSES.v3 },
    ],
    { interval: 0.01 },
  );
  const [cachedBefore, dropsBefore] = [await cached(vms.v2), await drops()];
  const answer = follow({ interface: 'if-v1', filter: { protocol: 'icmp' }, count: 100 });
  await untilArmed();
  await ovs.appctl('revalidator/wait');
  const cachedMeanwhile = await cached(vms.v2);
  const { body } = await answer;
  const results = await others.stop();
  expect({
    lost: [...results].map(([name, { lost }]) => [name, lost]),
    cached: cachedMeanwhile,
    drops: await drops(),
    packets: new Set(body.packets.map(({ verdict }: Json) => verdict)),
    count: body.packets.length,
  }).toEqual({
    lost: [
      ['others', 0],
      ['followed', 0],
    ],
    cached: cachedBefore,
    drops: dropsBefore,
    packets: new Set(['delivered']),
    count: 100,
  });
  expect(cachedBefore).not.toEqual([]);
  expect(await flows()).toEqual(before);
}, 40_000);

it('is over at once for a second one who asks about the same interface', async () => {
  const first = follow({ interface: 'if-v1', filter: { protocol: 'udp' }, timeout: 3 });
  await untilArmed();
  const second = await follow({ interface: 'if-v1', filter: { protocol: 'tcp' } }, 'webapi2');
  const { body } = await first;
  expect([second.status, second.body.type, second.body.detail, body.ended]).toEqual([
    409,
    'urn:hotori:error:conflict',
    'packets of if-v1 are being traced already; try again later',
    'timeout',
  ]);
  expect(await flows()).toEqual(before);
}, 20_000);

it('leaves no row anywhere when the one who asked is killed along with the webapi and every vnmgr', async () => {
  const asked = follow({ interface: 'if-v1', filter: { protocol: 'icmp' }, timeout: 60, count: 100 }, 'webapi2').catch(() => undefined);
  await untilArmed();
  for (const role of ['webapi2', 'vnmgr1', 'vnmgr2']) await fleet.role(role).kill9();
  await asked;
  await untilGone(15_000);
  const after = await flows();
  await fleet.revive();
  expect(after).toEqual(before);
}, 90_000);

it('ends in the switch itself when the agent of a hypervisor is killed', async () => {
  await eventually(
    'every hypervisor being served',
    async () => (await fleet.get('/status')).datapaths.every(({ connected }: Json) => connected),
    {
      timeoutMs: 30_000,
    },
  );
  const asked = follow({ interface: 'if-v1', filter: { protocol: 'icmp' }, timeout: 2, count: 100 });
  await untilArmed();
  await fleet.role('vna2').kill9();
  const { body } = await asked;
  expect(ours([(await flows())[1]!]).length).toBeGreaterThan(0);
  await untilGone(20_000);
  await fleet.startRole('vna2');
  await eventually('the flows from before', async () => JSON.stringify(await flows()) === JSON.stringify(before), { timeoutMs: 30_000 });
  const { datapaths } = await fleet.get('/status');
  expect([body.watched.map(({ error }: Json) => error === null), datapaths.map(({ drift_repairs }: Json) => drift_repairs)]).toEqual([
    [true, false],
    [0, 0],
  ]);
}, 90_000);
