/**
 * What a restart of Hotori costs those who are talking: packets.
 *
 * Owns: four VMs on the userspace datapath, two of them behind stateful groups, each pinging another 200 times a second, inside a network and
 * across the router, while Hotori ends, stays away and comes back.
 * Promises: a packet counts as lost when its answer never came; the last one of each pair, which may be on its way at the end, is forgiven.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { World } from '../e2e/world.js';
import { pingCounts, type Vm } from '../lab/vm.js';
import type { BenchResult } from './result.js';

const REPETITIONS = 3;
const INTERVAL_S = 0.005;
/** How long Hotori stays away. */
const AWAY_MS = 1_000;
const LEAD_MS = 500;

const ENDINGS: Readonly<Record<string, (world: World) => Promise<void>>> = {
  'kill -9': (world) => world.hotori.kill9(),
  SIGTERM: (world) => world.hotori.stop(),
};

export async function* benchRestart(): AsyncGenerator<BenchResult> {
  const world = await World.start();
  try {
    await world.defineNetworks();
    const rules = [{ direction: 'ingress', protocol: 'icmp', remote: { any: true } }];
    await world.hotori.post('/security_groups', { uuid: 'sg-ping', rules });
    const [a1, a2, b1, b2] = (await world.addVms(
      { name: 'a1', network: 'a', host: 11, groups: ['sg-ping'] },
      { name: 'a2', network: 'a', host: 12 },
      { name: 'b1', network: 'b', host: 11, groups: ['sg-ping'] },
      { name: 'b2', network: 'b', host: 12 },
    )) as [Vm, Vm, Vm, Vm];
    const pairs = [
      [a1, '10.1.0.12'],
      [a2, '10.2.0.11'],
      [b1, '10.2.0.12'],
      [b2, '10.1.0.11'],
    ] as const;
    for (const [name, end] of Object.entries(ENDINGS)) {
      for (const [vm, target] of pairs) await vm.ping(target, { count: 2 });
      for (let i = 0; i < REPETITIONS; i++) yield* measure(world, name, end, pairs);
    }
  } finally {
    await world.lab.destroy();
  }
}

async function* measure(
  world: World,
  name: string,
  end: (world: World) => Promise<void>,
  pairs: readonly (readonly [Vm, string])[],
): AsyncGenerator<BenchResult> {
  const pings = pairs.map(([vm, target]) => vm.spawn(['ping', '-n', '-q', '-i', String(INTERVAL_S), target]));
  await sleep(LEAD_MS);
  await end(world);
  await sleep(AWAY_MS);
  const start = performance.now();
  await world.hotori.start();
  await world.hotori.untilInstalled();
  const doneMs = performance.now() - start;
  await sleep(LEAD_MS);
  for (const ping of pings) await ping.stop('SIGINT');

  const counts = pings.map((ping) => pingCounts(ping.output()));
  const sent = counts.reduce((sum, one) => sum + one.sent, 0);
  const lost = counts.reduce((sum, one) => sum + Math.max(0, one.sent - one.received - 1), 0);
  const bench = 'restart';
  yield { bench, case: name, metric: 'packets_lost', value: lost, unit: 'packets', n: sent };
  yield { bench, case: name, metric: 'flow_mods', value: await world.flowMods(), unit: 'flow-mods', n: 1 };
  yield { bench, case: name, metric: 'done', value: doneMs, unit: 'ms', n: 1 };
}
