/**
 * Roles that die, hang and are cut off, each a process of its own, while traffic flows that none of it may touch.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
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
