/**
 * What breaks while traffic flows, and whom it must not touch.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { routerV2v } from './openvnet-requests.js';
import { OpenvnetWorld } from './openvnet-world.js';
import { isAt, isLong, leaves, nobody, survives } from './survival.js';

const HYPERVISORS = isLong ? [1, 2, 3] : [2];
const ROUNDS = isLong ? 5 : 1;
const ENDS = isLong ? (['restarts', 'is killed and comes back'] as const) : (['restarts'] as const);

let world: OpenvnetWorld;
beforeAll(async () => {
  world = await OpenvnetWorld.start();
  await world.beginConnected(routerV2v());
}, 60_000);
afterAll(() => world.destroy(), 60_000);

describe('under continuous traffic, nobody loses anything', () => {
  it('when Hotori is killed and comes back', async () => {
    await survives(
      world,
      async () => {
        for (let round = 0; round < ROUNDS; round++) {
          await world.hotori.kill9();
          await sleep(1000);
          await world.hotori.start();
          if (round % 2 === 0) await world.hotori.untilInstalled();
        }
      },
      nobody,
    );
  }, 120_000);

  it('when Hotori hangs and goes on', async () => {
    await survives(
      world,
      async () => {
        for (let round = 0; round < ROUNDS; round++) {
          world.hotori.process.signal('SIGSTOP');
          await sleep(8000);
          world.hotori.process.signal('SIGCONT');
        }
      },
      nobody,
    );
  }, 120_000);
});

describe('under continuous traffic, only those it concerns lose anything', () => {
  it.each(HYPERVISORS.flatMap((n) => ENDS.map((end) => [n, end] as const)))(
    'when the switch of hypervisor %d %s',
    async (n, end) => {
      const { ovs } = world.lab.hypervisors[n - 1]!;
      await survives(
        world,
        async () => {
          if (end === 'restarts') await ovs.stopVswitchd();
          else await ovs.killVswitchd();
          await ovs.startVswitchd();
        },
        isAt(n),
      );
    },
    120_000,
  );

  it.each(HYPERVISORS)(
    'when the underlay of hypervisor %d is cut for 10 s',
    async (n) => {
      const cable = world.underlay.attachments[n - 1]!;
      await survives(
        world,
        async () => {
          await world.underlay.setCable(cable, false);
          await sleep(10_000);
          await world.underlay.setCable(cable, true);
        },
        leaves(n),
      );
    },
    120_000,
  );
});
