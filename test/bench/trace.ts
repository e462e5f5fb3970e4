/**
 * Traces, on a vnmgr in memory: the workload W(H,N,P) with every VM plugged.
 *
 * Owns: the command line, what is reported: the first trace (which compiles what it comes to), traces after it, a trace with a change that is not committed,
 * a plan; reachability among `--interfaces` on `--reach_hypervisors`, and plans there, with how long each kept the process from anything else, and the memory taken.
 */
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import type { Operation } from '../../controller/contract.js';
import { traceInput } from '../../flows/trace/explain/question.js';
import { create, vif, World } from '../controller/world.js';
import { percentile, type BenchResult } from './result.js';

export async function* benchTrace(args: readonly string[]): AsyncGenerator<BenchResult> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      hypervisors: { type: 'string', default: '4' },
      networks: { type: 'string', default: '50' },
      ports: { type: 'string', default: '20' },
      traces: { type: 'string', default: '500' },
      interfaces: { type: 'string', default: '10000' },
      reach_hypervisors: { type: 'string', default: '50' },
    },
  });
  const [h, n, p] = [Number(values.hypervisors), Number(values.networks), Number(values.ports)];
  const name = `W(${h},${n},${p})`;
  const world = await World.start();
  await define(world, h, n, p);
  const ask = async (i: number, operations?: Operation[]) => {
    const [from, to] = [i % (n * p), (i * 7919 + 1) % (n * p)];
    const source = `if-${Math.floor(from / p)}-${from % p}`;
    const destination = `if-${Math.floor(to / p)}-${to % p}`;
    const question = traceInput.parse({ source, destination: destination === source ? '10.0.0.1' : destination, destination_port: 22 });
    const before = performance.now();
    const { verdict } = await world.vnmgr.trace({ question, ...(operations === undefined ? {} : { operations }) });
    return { ms: performance.now() - before, verdict };
  };
  const first = await ask(0);
  yield { bench: 'trace', case: name, metric: 'first trace', value: first.ms, unit: 'ms', n: 1 };
  for (let i = 1; i <= h * 4; i++) await ask(i * p + 3);

  const count = Number(values.traces);
  const times: number[] = [];
  const since = worked();
  for (let i = 0; i < count; i++) times.push((await ask(i * 13 + 5)).ms);
  const total = times.reduce((sum, ms) => sum + ms, 0);
  yield {
    bench: 'trace',
    case: name,
    metric: 'traces',
    value: (count * 1000) / total,
    unit: '/s',
    n: count,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
  };

  yield { bench: 'trace', case: name, metric: 'CPU of a trace', value: (worked() - since) / count, unit: 'ms', n: count };

  const change: Operation = { verb: 'update', kind: 'interface', uuid: 'if-0-0', params: { security_group_uuids: [] } };
  const tried: number[] = [];
  for (let i = 0; i < 50; i++) tried.push((await ask(i * 13 + 5, [change])).ms);
  yield {
    bench: 'trace',
    case: name,
    metric: 'with a change',
    value: percentile(tried, 0.5),
    unit: 'ms',
    n: 50,
    p99: percentile(tried, 0.99),
  };

  const planned: number[] = [];
  for (let i = 0; i < 50; i++) {
    const before = performance.now();
    await world.vnmgr.plan([{ ...change, uuid: `if-${i % n}-0` }]);
    planned.push(performance.now() - before);
  }
  yield { bench: 'trace', case: name, metric: 'plan', value: percentile(planned, 0.5), unit: 'ms', n: 50, p99: percentile(planned, 0.99) };
  await world.vnmgr.close();
  yield* benchReach(Number(values.interfaces), Number(values.reach_hypervisors));
}

/** Everybody to everybody, five services, in a world of few classes: four networks and two groups. */
async function* benchReach(interfaces: number, h: number): AsyncGenerator<BenchResult> {
  const world = await World.start();
  const n = 4;
  await define(world, h, n, Math.ceil(interfaces / n));
  const uuids = world.vnmgr
    .list('interface', { offset: 0, limit: interfaces + n })
    .items.flatMap(({ uuid, mode }) => (mode === 'vif' ? [uuid] : []));
  const services = [22, 80, 443, 3306].map((port) => ({ protocol: 'tcp' as const, port }));
  const question = { sources: uuids, destinations: uuids, services: [...services, { protocol: 'icmp' as const }] };
  const name = `${uuids.length} × ${uuids.length} × 5 on ${h} hypervisors`;
  const { signal } = new AbortController();
  const trace = () =>
    world.vnmgr.trace({ question: traceInput.parse({ source: 'if-0-0', destination: `if-1-${h - 1}`, destination_port: 22 }) });
  const rules = [{ direction: 'ingress', protocol: 'tcp', ports: ['22', '80', '8080'], remote: { any: true } }];
  const change: Operation = { verb: 'update', kind: 'security_group', uuid: 'sg-web', params: { rules } };
  const work: readonly (readonly [string, () => Promise<number>])[] = [
    ['first trace', async () => (await trace()).visits.length],
    ['trace', async () => (await trace()).visits.length],
    ['first reachability', async () => (await world.vnmgr.reachability(question, signal)).cells.length],
    ['reachability', async () => (await world.vnmgr.reachability(question, signal)).cells.length],
    ['plan of a group that all have', async () => (await world.vnmgr.plan([change])).reachability.compared],
    ['plan of one interface', async () => (await world.vnmgr.plan([joins])).reachability.compared],
  ];
  const before = heap();
  for (const [metric, run] of work) {
    const { result, ms, cpu, held } = await timed(run);
    yield { bench: 'trace', case: name, metric, value: ms, unit: 'ms', n: result };
    yield { bench: 'trace', case: name, metric: `${metric}: CPU`, value: cpu, unit: 'ms', n: result };
    yield { bench: 'trace', case: name, metric: `${metric}: longest hold of the process`, value: held, unit: 'ms', n: 1 };
  }
  yield {
    bench: 'trace',
    case: name,
    metric: 'memory of the twin, all datapaths of the plan compiled',
    value: heap() - before,
    unit: 'MB',
    n: 1,
  };
  await world.vnmgr.close();
}

const joins: Operation = { verb: 'update', kind: 'interface', uuid: 'if-0-0', params: { security_group_uuids: [] } };

function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

/** Milliseconds of CPU. */
function worked(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** With the most work, in CPU time, between two timers that are due each millisecond. */
async function timed<T>(
  run: () => Promise<T>,
): Promise<{ readonly result: T; readonly ms: number; readonly cpu: number; readonly held: number }> {
  let last = worked();
  let held = 0;
  const look = () => {
    const now = worked();
    held = Math.max(held, now - last);
    last = now;
  };
  const tick = setInterval(look, 1);
  const before = performance.now();
  const workedBefore = worked();
  const result = await run();
  const ms = performance.now() - before;
  look();
  clearInterval(tick);
  return { result, ms, cpu: worked() - workedBefore, held };
}

/** Networks of VMs behind one router, a security group on each VM, VMs dealt out over the hypervisors. */
async function define(world: World, h: number, n: number, p: number): Promise<void> {
  const networks = Array.from({ length: n }, (_, i) => i);
  const rule = { direction: 'ingress', protocol: 'tcp', ports: ['22', '80', '443'], remote: { any: true } };
  await world.vnmgr.execute([
    create('security_group', { uuid: 'sg-web', rules: [rule] }),
    ...networks.map((i) => create('network', { uuid: `nw-${i}`, ipv4_network: `10.${i}.0.0`, ipv4_prefix: 16 })),
    create('router', { uuid: 'rt-all', networks: networks.map((i) => ({ network_uuid: `nw-${i}`, ip_address: `10.${i}.0.1` })) }),
    ...networks.flatMap((i) =>
      Array.from({ length: p }, (_, j) =>
        create('interface', {
          uuid: `if-${i}-${j}`,
          mode: 'vif',
          network_uuid: `nw-${i}`,
          ipv4_address: `10.${i}.${(j + 10) >> 8}.${(j + 10) & 255}`,
          security_group_uuids: ['sg-web'],
        }),
      ),
    ),
  ]);
  for (let one = 0; one < h; one++) {
    const vifs = networks.flatMap((i) =>
      Array.from({ length: p }, (_, j) => j)
        .filter((j) => (i + j) % h === one)
        .map((j) => vif(`t${i}-${j}`, `if-${i}-${j}`)),
    );
    const endpoints = [{ address: `192.0.2.${one + 1}`, mac: null, underlay: 'underlay', mtu: 1500 }];
    const vna = await world.attach(`hv${one}`, vifs, { endpoints, encaps: ['geneve'], underlay: null });
    vna.confirm();
  }
}
