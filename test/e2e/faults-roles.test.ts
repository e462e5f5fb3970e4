/**
 * Roles that die, hang and are cut off, each a process of its own, while traffic flows that none of it may touch.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../lab/eventually.js';
import { RedisServer } from '../lab/redis.js';
import { add, del, routerV2v } from './openvnet-requests.js';
import { OpenvnetWorld } from './openvnet-world.js';
import { isLong, nobody, survives } from './survival.js';

const ROLES = ['webapi1', 'vnmgr1', 'vnmgr2', 'vna2', 'redis'] as const;
type Role = (typeof ROLES)[number];
/** In the short run all in turn, else each on its own. */
const SETS: readonly (readonly Role[])[] = isLong ? ROLES.map((role) => [role]) : [ROLES];

/** What is said about a part that is gone. */
const OF_FAULTS: readonly RegExp[] = [
  /no connection to Redis/,
  /vnmgr does not answer; going to another/,
  /no vnmgr answers; what is installed stays/,
  /a vna shows no sign of life/,
  /vnmgr is not heard; working from the slice kept on disk/,
  /begins a new incarnation at revision/,
];

let world: OpenvnetWorld;
let redis: RedisServer;
beforeAll(async () => {
  world = await OpenvnetWorld.start();
  redis = await RedisServer.start(path.join(world.lab.dir, 'redis'));
  await world.beginConnected(routerV2v(), { url: redis.url, port: redis.port });
}, 90_000);
afterAll(async () => {
  await world.destroy();
  await redis.stop();
}, 60_000);

const signal = (role: Role, name: NodeJS.Signals) => (role === 'redis' ? redis.signal(name) : world.fleet.role(role).signal(name));

/** Something that every hypervisor has to hear of, and that is as before afterwards. */
async function changeAndBack(): Promise<void> {
  const lease = { uuid: 'il-more', network_uuid: 'nw-vnet1', interface_uuid: 'if-v1', ipv4_address: '10.101.0.99' };
  await world.say(add('ip_leases', lease));
  await world.say(del('ip_leases/il-more'));
}

/** Messages that Redis has taken for each vna so far, of what it is told of the model. */
async function messagesTold(): Promise<Record<string, number>> {
  const told: Record<string, number> = {};
  const keys = (await redis.cli('--scan', '--pattern', '{hotori}:bus:topic:slice/*')).split('\n').filter((key) => key !== '');
  for (const key of keys) {
    const [, node] = /slice\/vna:(\w+):/.exec(key)!;
    const stream = (await redis.cli('XINFO', 'STREAM', key)).split('\n');
    told[node!] = (told[node!] ?? 0) + Number(stream[stream.indexOf('entries-added') + 1]);
  }
  return told;
}

it('a change in a network that a hypervisor does not host sends it nothing', async () => {
  const { ovs } = world.lab.hypervisors[2]!;
  await world.sayAll(
    add('networks', { uuid: 'nw-alone', ipv4_network: '10.103.0.0', ipv4_prefix: '24', network_mode: 'virtual' }),
    add('interfaces', { uuid: 'if-alone', mode: 'vif', port_name: 'alone', network_uuid: 'nw-alone', ipv4_address: '10.103.0.10' }),
  );
  await ovs.vsctl('add-port', 'br-int', 'alone', '--', 'set', 'Interface', 'alone', 'type=internal');
  await eventually('the hypervisor hosting it', async () => {
    const revision = await ovs.vsctl('--if-exists', 'get', 'Interface', 'alone', 'external_ids:hotori-installed-revision');
    return revision.trim() !== '';
  });
  await world.hotori.untilInstalled();
  const revisions = () => Promise.all([1, 2, 3].map((n) => world.fleet.metric(`vna${n}`, 'hotori_vna_desired_revision')));
  const [before, at] = [await messagesTold(), await revisions()];
  for (let n = 0; n < 5; n++) {
    await world.say({ method: 'PUT', path: '/networks/nw-alone', params: { display_name: `alone${n}` } });
    await world.say(
      add('ip_leases', { uuid: 'il-alone', network_uuid: 'nw-alone', interface_uuid: 'if-alone', ipv4_address: '10.103.0.99' }),
    );
    await world.sayAll(del('ip_leases/il-alone'));
  }
  const [after, now] = [await messagesTold(), await revisions()];
  expect({
    messages: Object.fromEntries(Object.entries(after).map(([node, count]) => [node, count - before[node]!])),
    revisions: now.map((revision, i) => revision - at[i]!),
  }).toEqual({ messages: { vna1: 0, vna2: 0, vna3: 15 }, revisions: [0, 0, 15] });
  await ovs.vsctl('del-port', 'br-int', 'alone');
  await world.sayAll(del('interfaces/if-alone'), del('networks/nw-alone'));
}, 60_000);

describe('under continuous traffic, nobody loses anything', () => {
  it.each(SETS.map((set) => [set.join(', '), set] as const))(
    'when %s dies and comes back',
    async (_, roles) => {
      await survives(
        world,
        async () => {
          for (const role of roles) {
            if (role === 'redis') await redis.kill9();
            else await world.fleet.role(role).kill9();
            await sleep(1500);
            if (role === 'redis') await redis.run();
            else await world.fleet.startRole(role);
            await world.hotori.untilInstalled(30_000);
            await changeAndBack();
          }
        },
        nobody,
        OF_FAULTS,
      );
    },
    180_000,
  );

  it.each(SETS.map((set) => [set.join(', '), set] as const))(
    'when %s hangs and goes on',
    async (_, roles) => {
      await survives(
        world,
        async () => {
          for (const role of roles) {
            signal(role, 'SIGSTOP');
            await sleep(isLong ? 20_000 : 3000);
            signal(role, 'SIGCONT');
            await world.hotori.untilInstalled(30_000);
            await changeAndBack();
          }
        },
        nobody,
        OF_FAULTS,
      );
    },
    180_000,
  );

  it.each(isLong ? (['silence', 'refuse'] as const) : (['silence'] as const))(
    'when the way of a vna to vnmgr is cut for 10 s (%s)',
    async (how) => {
      const wire = world.fleet.wire(2);
      await survives(
        world,
        async () => {
          wire[how]();
          await changeAndBack();
          await sleep(10_000);
          wire.open();
        },
        nobody,
        OF_FAULTS,
      );
    },
    180_000,
  );
});
