/**
 * The measurement, the same for each side.
 *
 * Owns: what is timed from when to when, and how often.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { FloorLab, type Floor, type Mods } from './floor.js';
import { costOf, cpuBetween, type Cost } from './processes.js';
import type { Side } from './side.js';
import { laterPort, type Workload } from './workload.js';

export interface Repetitions {
  readonly ports: number;
  readonly rules: number;
  /** Ends without a restart when false: a profile is written by a process that ends in order. */
  readonly restart: boolean;
}

export interface Figures {
  readonly bulkMs: number;
  /** CPU seconds of the load, by role. */
  readonly bulkCpu: Readonly<Record<string, number>>;
  readonly flows: readonly number[];
  /** Until the NIC is said to be installed; and until every hypervisor is up to date. */
  readonly addPortMs: readonly number[];
  readonly addPortEverywhereMs: readonly number[];
  /** CPU seconds of one addition, all roles. */
  readonly addPortCpu: number;
  /** Adding and removing alternate. */
  readonly ruleMs: readonly number[];
  readonly ruleCpu: number;
  readonly restart: Restart | undefined;
  /** What the switches take alone, where what programs them can say what it sends. */
  readonly floor: Floor | undefined;
  /** At the end, by role. */
  readonly cost: Readonly<Record<string, Cost>>;
}

export interface Restart {
  readonly doneMs: number;
  /** The fewest flows seen in the first hypervisor's tables, as a share of all. */
  readonly lowest: number;
  readonly flowMods: number | undefined;
}

const POLL_MS = 50;

export async function measure(side: Side, workload: Workload, { ports, rules, restart: isRestarted }: Repetitions): Promise<Figures> {
  await side.plug(workload.ports);
  await side.settle();
  await sleep(1_000);

  const beforeLoad = costOf(side.roles());
  const bulkMs = await timed(() => side.load());
  const bulkCpu = cpuBetween(beforeLoad, costOf(side.roles()));
  const flows = await Promise.all(side.switches.map((one) => one.flowCount()));

  const addPortMs: number[] = [];
  const addPortEverywhereMs: number[] = [];
  let addPortCpu = 0;
  let addPortMods: readonly Mods[] = [];
  for (let i = 0; i < ports; i++) {
    const port = laterPort(workload, i);
    await side.plug([port]);
    await side.settle();
    const mods = await side.flowMods?.();
    const before = costOf(side.roles());
    const start = performance.now();
    await side.addPort(port, () => void addPortMs.push(performance.now() - start));
    addPortEverywhereMs.push(performance.now() - start);
    await side.settle();
    addPortCpu += sum(cpuBetween(before, costOf(side.roles()))) / ports;
    if (mods !== undefined) addPortMods = [...addPortMods, between(mods, await side.flowMods!())];
  }

  const ruleMs: number[] = [];
  let ruleMods: Mods | undefined;
  const beforeRules = costOf(side.roles());
  for (let i = 0; i < rules; i++) {
    const mods = await side.flowMods?.();
    ruleMs.push(await timed(() => side.addRule(8000 + i)));
    await side.settle();
    if (mods !== undefined) ruleMods = between(mods, await side.flowMods!());
    ruleMs.push(await timed(() => side.removeRule()));
    await side.settle();
  }
  const ruleCpu = sum(cpuBetween(beforeRules, costOf(side.roles()))) / (2 * Math.max(1, rules));

  const cost = costOf(side.roles());
  const restart = isRestarted ? await measureRestart(side) : undefined;
  const floor = ruleMods === undefined ? undefined : await measureFloor(side, workload, addPortMods, ruleMods);
  return { bulkMs, bulkCpu, flows, addPortMs, addPortEverywhereMs, addPortCpu, ruleMs, ruleCpu, restart, floor, cost };
}

async function measureFloor(side: Side, workload: Workload, addPortMods: readonly Mods[], ruleMods: Mods): Promise<Floor> {
  await side.end?.();
  const lab = await FloorLab.on(side.switches);
  try {
    const addPortMs: number[] = [];
    for (const [i, mods] of addPortMods.entries()) {
      const { hypervisor, name } = laterPort(workload, i);
      addPortMs.push(...(await lab.change(mods, 1, { on: hypervisor, name })));
    }
    const ruleMs = await lab.change(ruleMods, 2 * addPortMods.length);
    return { addPortMs, ruleMs, bulkMs: await lab.bulk() };
  } finally {
    await lab.close();
  }
}

function between(before: Mods, after: Mods): Mods {
  return after.map((count, i) => count - before[i]!);
}

async function measureRestart(side: Side): Promise<Restart> {
  const [first] = side.switches;
  if (first === undefined) throw new Error('there is no hypervisor');
  const full = await first.flowCount();
  let lowest = full;
  let isOver = false;
  const watch = (async (): Promise<void> => {
    while (!isOver) {
      lowest = Math.min(lowest, await first.flowCount());
      await sleep(POLL_MS);
    }
  })();
  const doneMs = await timed(() => side.restart());
  isOver = true;
  await watch;
  return { doneMs, lowest: lowest / full, flowMods: (await side.flowMods?.())?.reduce((a, b) => a + b, 0) };
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function sum(values: Readonly<Record<string, number>>): number {
  return Object.values(values).reduce((total, value) => total + value, 0);
}
