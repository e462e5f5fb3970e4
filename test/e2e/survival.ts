/**
 * What it means to survive a fault.
 *
 * Owns: who talks to whom meanwhile.
 */
import { allAnswers, type OpenvnetWorld } from './openvnet-world.js';
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
export type Pair = (typeof PAIRS)[number];

/** The long matrix of `make soak`. */
export const isLong = process.env['SOAK'] === '1';

const hypervisorOf = (vm: number) => Math.ceil(vm / 2);
export const isAt = (hypervisor: number) => (pair: Pair) => pair.some((vm) => hypervisorOf(vm) === hypervisor);
export const leaves = (hypervisor: number) => (pair: Pair) => pair.filter((vm) => hypervisorOf(vm) === hypervisor).length === 1;
export const nobody = () => false;

/** Lets something break while everybody talks; then whoever is not touched has lost nothing, everybody talks again, and the common check passes. */
export async function survives(
  world: OpenvnetWorld,
  fault: () => Promise<void>,
  isTouched: (pair: Pair) => boolean,
  allowed: readonly RegExp[] = [],
): Promise<void> {
  const streams = PAIRS.map(([from, to]) => ({ name: `vm${from}>vm${to}`, from: world.vm(from), to: world.addresses.get(to)! }));
  const traffic = await Traffic.start(streams);
  await fault();
  await world.hotori.untilInstalled(30_000);
  expect(await world.settledAnswers(allAnswers(world))).toEqual(allAnswers(world));
  await world.commonCheck(allowed);
  const results = await traffic.stop();
  const of = (pairs: readonly Pair[]) => pairs.map(([from, to]) => [`vm${from}>vm${to}`, results.get(`vm${from}>vm${to}`)!] as const);
  const hurt = (pairs: readonly Pair[]) => of(pairs).filter(([, { lost }]) => lost > 0);
  const touched = PAIRS.filter(isTouched);
  expect(hurt(PAIRS.filter((pair) => !isTouched(pair)))).toEqual([]);
  // Otherwise nothing broke.
  expect(touched.length === 0 || hurt(touched).length > 0).toBe(true);
  expect(of(PAIRS).filter(([, { flowingAgain }]) => flowingAgain < 25)).toEqual([]);
}
