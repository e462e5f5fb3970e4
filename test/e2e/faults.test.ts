/**
 * What breaks while traffic flows, and whom it must not touch.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { routerV2v } from './openvnet-requests.js';
import { allAnswers, OpenvnetWorld, VMS } from './openvnet-world.js';
import { Traffic } from './traffic.js';

/** Within each hypervisor, between any two, within a network and routed. */
const PAIRS = [
  [1, 2],
  [3, 4],
  [5, 6],
  [1, 3],
  [3, 5],
  [5, 1],
  [2, 3],
  [4, 5],
  [6, 1],
] as const;
type Pair = (typeof PAIRS)[number];

/** The long matrix of `make soak`. */
const isLong = process.env['SOAK'] === '1';
const HYPERVISORS = isLong ? [1, 2, 3] : [2];
const ROUNDS = isLong ? 5 : 1;
const ENDS = isLong ? (['restarts', 'is killed and comes back'] as const) : (['restarts'] as const);

const hypervisorOf = (vm: number) => Math.ceil(vm / 2);
const isAt = (hypervisor: number) => (pair: Pair) => pair.some((vm) => hypervisorOf(vm) === hypervisor);
const leaves = (hypervisor: number) => (pair: Pair) => pair.filter((vm) => hypervisorOf(vm) === hypervisor).length === 1;
const nobody = () => false;

/** What faults of the kinds below leave in logs. */
const OF_FAULTS: RegExp[] = [];

let world: OpenvnetWorld;
beforeAll(async () => {
  world = await OpenvnetWorld.start();
  await world.begin('before', routerV2v());
  await world.lease(...VMS);
  expect(await world.settledAnswers(allAnswers(world))).toEqual(allAnswers(world));
}, 60_000);
afterAll(() => world.destroy(), 60_000);

/** Lets something break while everybody talks; then whoever is not touched has lost nothing, everybody talks again, and the common check passes. */
async function survives(fault: () => Promise<void>, isTouched: (pair: Pair) => boolean): Promise<void> {
  const streams = PAIRS.map(([from, to]) => ({ name: `vm${from}>vm${to}`, from: world.vm(from), to: world.addresses.get(to)! }));
  const traffic = await Traffic.start(streams);
  await fault();
  await world.hotori.untilInstalled(30_000);
  expect(await world.settledAnswers(allAnswers(world))).toEqual(allAnswers(world));
  await world.commonCheck(OF_FAULTS);
  const results = await traffic.stop();
  const of = (pairs: readonly Pair[]) => pairs.map(([from, to]) => [`vm${from}>vm${to}`, results.get(`vm${from}>vm${to}`)!] as const);
  const hurt = (pairs: readonly Pair[]) => of(pairs).filter(([, { lost }]) => lost > 0);
  const touched = PAIRS.filter(isTouched);
  expect(hurt(PAIRS.filter((pair) => !isTouched(pair)))).toEqual([]);
  // Otherwise nothing broke.
  expect(touched.length === 0 || hurt(touched).length > 0).toBe(true);
  expect(of(PAIRS).filter(([, { flowingAgain }]) => flowingAgain < 25)).toEqual([]);
}

describe('under continuous traffic, nobody loses anything', () => {
  it('when Hotori is killed and comes back', async () => {
    await survives(async () => {
      for (let round = 0; round < ROUNDS; round++) {
        await world.hotori.kill9();
        await sleep(1000);
        await world.hotori.start();
        if (round % 2 === 0) await world.hotori.untilInstalled();
      }
    }, nobody);
  }, 120_000);

  it('when Hotori hangs and goes on', async () => {
    await survives(async () => {
      for (let round = 0; round < ROUNDS; round++) {
        world.hotori.process.signal('SIGSTOP');
        await sleep(8000);
        world.hotori.process.signal('SIGCONT');
      }
    }, nobody);
  }, 120_000);
});

describe('under continuous traffic, only those it concerns lose anything', () => {
  it.each(HYPERVISORS.flatMap((n) => ENDS.map((end) => [n, end] as const)))(
    'when the switch of hypervisor %d %s',
    async (n, end) => {
      const { ovs } = world.lab.hypervisors[n - 1]!;
      await survives(async () => {
        if (end === 'restarts') await ovs.stopVswitchd();
        else await ovs.killVswitchd();
        await ovs.startVswitchd();
      }, isAt(n));
    },
    120_000,
  );

  it.each(HYPERVISORS)(
    'when the underlay of hypervisor %d is cut for 10 s',
    async (n) => {
      const cable = world.underlay.attachments[n - 1]!;
      await survives(async () => {
        await world.underlay.setCable(cable, false);
        await sleep(10_000);
        await world.underlay.setCable(cable, true);
      }, leaves(n));
    },
    120_000,
  );
});
