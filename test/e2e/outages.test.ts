/**
 * Long outages, for `make soak`: a minute without Redis in which the hypervisor reboots, and processes killed at random while users write.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../oracle/random.js';
import { eventually } from '../lab/eventually.js';
import { Fleet } from '../lab/fleet.js';
import type { Hypervisor } from '../lab/hypervisor.js';
import { Lab } from '../lab/lab.js';
import { RedisServer } from '../lab/redis.js';
import type { Vm } from '../lab/vm.js';
import { Traffic } from './traffic.js';
import { expectTruth, Writers } from './writers.js';

const TIMEOUT = 600_000;
const OUTAGE_MS = 60_000;
const KILLS = 30;
const SEED = Number(process.env['SECURITY_SEED'] ?? 1);

let lab: Lab;
let redis: RedisServer;
let fleet: Fleet;
let hypervisor: Hypervisor;
let vms: [Vm, Vm];

describe('roles over Redis', () => {
  beforeAll(async () => {
    lab = await Lab.create();
    redis = await RedisServer.start(path.join(lab.dir, 'redis'));
    hypervisor = await lab.addHypervisor();
    const { ovs } = hypervisor;
    fleet = await Fleet.make({
      dir: path.join(lab.dir, 'fleet'),
      ovs,
      webapis: 2,
      redis: { url: redis.url },
      vna: [{ ovsdb: ovs.ovsdbEndpoint, datapath_type: ovs.datapathType, node_id: 'hv1' }],
    });
    await fleet.start();
    await fleet.post('/networks', { uuid: 'nw-a', mode: 'virtual', ipv4_network: '10.1.0.0', ipv4_prefix: 24 });
    vms = [
      await lab.addVm(hypervisor, { name: 'one', iface_id: 'if-one' }),
      await lab.addVm(hypervisor, { name: 'two', iface_id: 'if-two' }),
    ];
    for (const [index, { name, mac }] of vms.entries()) {
      const ipv4_address = `10.1.0.${index + 10}`;
      await fleet.post('/interfaces', { uuid: `if-${name}`, mode: 'vif', mac_address: mac, network_uuid: 'nw-a', ipv4_address });
      await vms[index]!.configure(`${ipv4_address}/24`);
    }
    await untilReaching();
  }, TIMEOUT);

  afterAll(async () => {
    await fleet.close();
    await lab.destroy();
    await redis.stop();
  }, TIMEOUT);

  async function untilReaching(): Promise<void> {
    const ping = async () => (await vms[0].ping('10.1.0.11', { count: 1 })).received === 1;
    await eventually('the VMs reaching each other', ping, { timeoutMs: 30_000 });
  }

  /** Everything is as it would be had nothing happened. */
  async function untilConverged(): Promise<void> {
    const change = async () =>
      (await fleet.request('PUT', '/interfaces/if-two?wait=installed&timeout=5', { display_name: 'x' })).status === 200;
    await eventually('a change being installed', change, { timeoutMs: 60_000 });
    await untilReaching();
  }

  it(
    'leave the data plane alone through a minute without Redis, and make up for it',
    async () => {
      const traffic = await Traffic.start([{ name: 'one-two', from: vms[0], to: '10.1.0.11' }]);
      const before = await fleet.metric('vna1', 'hotori_vna_flow_ops_total');
      const writers = Writers.start(fleet, ['webapi1', 'webapi2'], 'minute-');
      await writers.more(20);
      await redis.kill9();
      await sleep(OUTAGE_MS);
      await redis.run();
      await writers.more(20, 60_000);
      expectTruth(await writers.stop());
      await untilConverged();
      const lost = (await traffic.stop()).get('one-two')!.lost;
      expect({ lost, flow_mods: (await fleet.metric('vna1', 'hotori_vna_flow_ops_total')) - before }).toEqual({ lost: 0, flow_mods: 0 });
    },
    TIMEOUT,
  );

  it(
    'bring local networking up on a hypervisor that reboots without Redis',
    async () => {
      await redis.kill9();
      await fleet.role('vna1').kill9();
      await hypervisor.ovs.killVswitchd();
      await hypervisor.ovs.startVswitchd();
      await fleet.startRole('vna1');
      await untilReaching();
      await redis.run();
      await untilConverged();
    },
    TIMEOUT,
  );

  it(
    `tell the truth of every write while ${KILLS} processes are killed at random (seed ${SEED})`,
    async () => {
      const random = new Random(SEED);
      const writers = Writers.start(fleet, ['webapi1', 'webapi2'], 'random-');
      await writers.more(10);
      for (let n = 0; n < KILLS; n++) {
        const victim = random.pick([...fleet.names, 'redis']);
        await sleep(random.below(2_000));
        if (victim === 'redis') {
          await redis.kill9();
          await sleep(random.below(3_000));
          await redis.run();
        } else {
          await fleet.role(victim).kill9();
          await sleep(random.below(3_000));
          await fleet.startRole(victim);
        }
      }
      await fleet.revive();
      await writers.more(10, 60_000);
      expectTruth(await writers.stop());
      await untilConverged();
    },
    TIMEOUT,
  );
});
