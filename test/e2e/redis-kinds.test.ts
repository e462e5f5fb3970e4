/**
 * The roles over Redis under Sentinel and in a cluster, whose master dies while users write and VMs talk; and all roles in one process, twice, over one Redis.
 */
import path from 'node:path';
import { eventually } from '../lab/eventually.js';
import { Fleet } from '../lab/fleet.js';
import { Hotori, type Json } from '../lab/hotori.js';
import type { Hypervisor } from '../lab/hypervisor.js';
import { Lab } from '../lab/lab.js';
import type { Ovs } from '../lab/ovs.js';
import { RedisServer } from '../lab/redis.js';
import { RedisCluster } from '../lab/redis-cluster.js';
import { RedisSentinel } from '../lab/redis-sentinel.js';
import type { Vm } from '../lab/vm.js';
import { isLong } from './survival.js';
import { Traffic } from './traffic.js';
import { expectTruth, Writers } from './writers.js';

const TIMEOUT = 300_000;
/** In the long run one master after another dies. */
const DEATHS = isLong ? 5 : 1;

/** What a kind of Redis can do. */
interface Site {
  readonly url: string;
  master(): Promise<RedisServer>;
  /** Resolves when another one is the master and every server keeps up. */
  replaced(old: RedisServer): Promise<void>;
  stop(): Promise<void>;
}

async function sentinel(dir: string): Promise<Site> {
  const redis = await RedisSentinel.start(dir, { 'min-replicas-to-write': 1, 'min-replicas-max-lag': 3 });
  return {
    url: redis.url,
    master: () => redis.master(),
    replaced: async (old) => {
      await eventually('another master', async () => (await redis.master()) !== old, { timeoutMs: 30_000 });
      await old.run();
    },
    stop: () => redis.stop(),
  };
}

async function cluster(dir: string): Promise<Site> {
  const redis = await RedisCluster.start(dir);
  const pair = [await redis.holder(), redis.spare];
  await redis.replicate(pair[0]!);
  const isMaster = async (one: RedisServer) => one.isRunning && (await one.cli('role')).startsWith('master');
  return {
    url: redis.url,
    master: async () => ((await isMaster(pair[0]!)) ? pair[0]! : pair[1]!),
    replaced: async (old) => {
      const other = pair.find((one) => one !== old)!;
      await eventually('the replica being the master', () => isMaster(other), { timeoutMs: 30_000 });
      await old.run();
    },
    stop: () => redis.stop(),
  };
}

let lab: Lab;
let hypervisor: Hypervisor;
let vms: [Vm, Vm];

beforeAll(async () => {
  lab = await Lab.create();
  hypervisor = await lab.addHypervisor();
  await hypervisor.ovs.addBridge();
  vms = [
    await lab.addVm(hypervisor, { name: 'one', iface_id: 'if-one' }),
    await lab.addVm(hypervisor, { name: 'two', iface_id: 'if-two' }),
  ];
  for (const [index, vm] of vms.entries()) await vm.configure(`10.1.0.${index + 10}/24`);
}, TIMEOUT);
afterAll(() => lab.destroy(), TIMEOUT);

/** Two VMs in a network. */
function model(): { readonly network: object; readonly interfaces: readonly object[] } {
  const network = { uuid: 'nw-a', mode: 'virtual', ipv4_network: '10.1.0.0', ipv4_prefix: 24 };
  const place = { mode: 'vif', network_uuid: 'nw-a' };
  const interfaces = vms.map(({ name, mac }, i) => ({ uuid: `if-${name}`, mac_address: mac, ipv4_address: `10.1.0.${i + 10}`, ...place }));
  return { network, interfaces };
}

it.each([
  ['Sentinel', sentinel],
  ['cluster', cluster],
] as const)(
  'roles over Redis (%s) lose no acknowledged write and no packet when its master dies',
  async (kind, start) => {
    const site = await start(path.join(lab.dir, kind));
    const { ovs } = hypervisor;
    const fleet = await Fleet.make({
      dir: path.join(lab.dir, `fleet-${kind}`),
      ovs,
      webapis: 2,
      redis: { url: site.url, args: ['--durability', 'replicated'] },
      vna: [{ ovsdb: ovs.ovsdbEndpoint, datapath_type: ovs.datapathType, node_id: 'hv1' }],
    });
    try {
      await fleet.start();
      const { network, interfaces } = model();
      await fleet.post('/networks', network);
      for (const body of interfaces) await fleet.post('/interfaces', body);
      await fleet.untilInstalled(20_000);
      const traffic = await Traffic.start([{ name: 'one-two', from: vms[0], to: '10.1.0.11' }]);
      const before = await fleet.metric('vna1', 'hotori_vna_flow_ops_total');

      const writers = Writers.start(fleet, ['webapi1', 'webapi2']);
      for (let death = 0; death < DEATHS; death++) {
        await writers.more(10);
        const old = await site.master();
        await old.kill9();
        await site.replaced(old);
        await writers.more(10, 60_000);
      }
      expectTruth(await writers.stop());

      await eventually(
        'a change being installed',
        async () => (await fleet.request('PUT', '/interfaces/if-two?wait=installed&timeout=5', { display_name: 'again' })).status === 200,
        { timeoutMs: 30_000 },
      );
      const results = await traffic.stop();
      expect({
        lost: results.get('one-two')!.lost,
        flow_mods: (await fleet.metric('vna1', 'hotori_vna_flow_ops_total')) - before,
        // The loss of what the old master had not passed on would be detected the same way.
        detected: /begins a new incarnation/.test(fleet.log()),
      }).toEqual({ lost: 0, flow_mods: 0, detected: true });
    } finally {
      await fleet.close();
      await site.stop();
    }
  },
  TIMEOUT,
);

it(
  'two processes with all roles on one Redis are one Hotori: each installs what the other was told, and either may die',
  async () => {
    const redis = await RedisServer.start(path.join(lab.dir, 'redis'));
    const at = (ovs: Ovs, nodeId: string) => {
      const args = ['--redis', redis.url];
      return new Hotori({ dir: path.join(lab.dir, nodeId), ovs, nodeId, args });
    };
    const [near, far] = [at(hypervisor.ovs, 'hv1'), at(await lab.addDummySwitch(), 'hv2')];
    try {
      await Promise.all([near.start(), far.start()]);
      const { network, interfaces } = model();
      await far.post('/networks', network);
      for (const body of interfaces) await far.post('/interfaces?wait=installed', body);
      await near.untilInstalled();
      const traffic = await Traffic.start([{ name: 'one-two', from: vms[0], to: '10.1.0.11' }]);
      await near.kill9();
      await far.put('/interfaces/if-one', { display_name: 'renamed while its hypervisor had nobody' });
      await near.start();
      await near.untilInstalled();
      await far.kill9();
      expect((await near.get('/interfaces/if-one')).display_name).toMatch(/^renamed/);
      await redis.kill9();
      expect((await near.request('POST', '/segments', { mode: 'virtual' })).status).toBe(503);
      await redis.run();
      await eventually(
        'a write being possible',
        async () => (await near.request('POST', '/segments?wait=installed', { mode: 'virtual' })).status === 200,
        {
          timeoutMs: 20_000,
        },
      );
      const { flow_mods } = (await near.get('/status')).datapaths.find(({ uuid }: Json) => uuid === 'dp-hv1');
      expect({ lost: (await traffic.stop()).get('one-two')!.lost, flow_mods }).toEqual({ lost: 0, flow_mods: 0 });
    } finally {
      await Promise.all([near.stop(), far.stop()]);
      await redis.stop();
    }
  },
  TIMEOUT,
);
