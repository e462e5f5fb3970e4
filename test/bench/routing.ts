/**
 * What virtual routers cost: a stream over chains of 1, 3 and 8 of them, seen hop by hop and collapsed, and with its source translated; rows and time to
 * compile.
 *
 * Owns: a real switch (userspace datapath), a `hotori all`, two VMs with iperf3 at the ends of the chain. What is compared takes turns, so that what else the
 * machine does falls on both. Of throughput the best is told, which has been disturbed the least; the CPU time of the switch for a gigabit depends on that less.
 */
import { createCompiler } from '../../flows/compile/compiler.js';
import { TABLES } from '../../flows/pipeline/tables.js';
import { inTransit, lan, records, type Plan } from '../flows/compile/routing-world.js';
import { eventually } from '../lab/eventually.js';
import type { Hotori } from '../lab/hotori.js';
import type { Hypervisor } from '../lab/hypervisor.js';
import { Lab } from '../lab/lab.js';
import type { Vm } from '../lab/vm.js';
import { percentile, type BenchResult } from './result.js';
import { costOf, cpuBetween } from './w/processes.js';

const bench = 'routing';
const CHAINS = [1, 3, 8];
const ROUNDS = 5;
const SECONDS = 1;
const COMPILES = 15;

export async function* benchRouting(): AsyncGenerator<BenchResult> {
  for (const count of CHAINS) {
    yield* compiling(count);
    yield* streaming(count);
  }
}

/** A compiler that has never seen the chain, and one that learns of a route in its middle. */
function* compiling(count: number): Generator<BenchResult> {
  const all = records(chainPlan(count));
  const at = `chain of ${count}`;
  const times: number[] = [];
  for (let i = 0; i < COMPILES; i++) {
    const compiler = createCompiler();
    const before = process.cpuUsage();
    compiler.update(all, []);
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1_000);
  }
  const compiler = createCompiler();
  compiler.update(all, []);
  const flows = [...compiler.tables.flows.values()];
  const rows = flows.filter(({ table }) => table === TABLES.FIB.id || table === TABLES.HOPS.id).length;
  yield { bench, case: at, metric: 'path_rows', value: rows, unit: 'flows', n: 1 };
  yield { bench, case: at, metric: 'flows', value: flows.length, unit: 'flows', n: 1 };
  const p50 = percentile(times, 0.5);
  yield { bench, case: at, metric: 'compile', value: p50, unit: 'ms', n: COMPILES, p50, p99: percentile(times, 0.99), note: 'CPU time' };
}

function chainPlan(count: number): Plan {
  const routers = Array.from({ length: count }, (_, i) => i + 1);
  const route = (router: number, prefix: string, via: string) => ({ router, prefix, type: 'forward' as const, via: [via] });
  return {
    modes: routers.map(() => 'virtual-hops'),
    transits: routers.slice(1).map((n) => [n - 1, n]),
    routes: [
      ...routers.slice(0, -1).map((n) => route(n, '0.0.0.0/0', inTransit(n, n + 1))),
      ...routers.slice(1).map((n) => route(n, lan(1), inTransit(n - 1, n - 1))),
    ],
    policies: [],
  };
}

/** A way to set the routers up; what is compared is compared with the first. */
interface Variant {
  readonly name: string;
  readonly operations: readonly { readonly method: string; readonly path: string; readonly body?: object }[];
}

function modesOf(count: number): Variant[] {
  return (['collapsed', 'virtual-hops'] as const).map((traceroute) => ({
    name: traceroute,
    operations: Array.from({ length: count }, (_, i) => ({ method: 'PUT', path: `/routers/rt-${i + 1}`, body: { traceroute } })),
  }));
}

/** Of one router: nothing, its own address for everybody behind it, an address for the VM alone. */
function translations(): Variant[] {
  const nat = (...rules: object[]) => ({ method: 'PUT', path: '/routers/rt-1', body: { nat: rules } });
  const floating = (over: object) => ({ method: 'PUT', path: '/floating_ips/fip-from', body: over });
  const nobody = floating({ interface_uuid: null });
  return [
    { name: 'not translated', operations: [nat(), nobody] },
    { name: 'source NAT', operations: [nat({ network_uuid: 'nw-1', ip_address: back(1) }), nobody] },
    { name: 'floating IP', operations: [nat(), floating({ interface_uuid: 'if-from' })] },
  ];
}

async function* streaming(count: number): AsyncGenerator<BenchResult> {
  const lab = await Lab.create();
  try {
    const hypervisor = await lab.addHypervisor();
    const hotori = await lab.startHotori({ ovs: hypervisor.ovs });
    await hotori.untilInstalled(20_000);
    const { from, to } = await define(lab, hypervisor, hotori, count);
    to.spawn(['iperf3', '-s']);
    await eventually('iperf3 answering', () => from.run(['iperf3', '-c', `10.60.${count}.10`, '-t', '1', '-J']), { timeoutMs: 15_000 });
    const compared = (variants: readonly Variant[]) => compare(variants, { hypervisor, hotori, from, count });
    yield* compared(modesOf(count));
    if (count > 1) return;
    await hotori.post('/floating_ips', { uuid: 'fip-from', network_uuid: 'nw-1', ip_address: '10.60.1.50', router_uuid: 'rt-1' });
    yield* compared(translations());
  } finally {
    await lab.destroy();
  }
}

interface Place {
  readonly hypervisor: Hypervisor;
  readonly hotori: Hotori;
  readonly from: Vm;
  readonly count: number;
}

const METRICS = { throughput: 'Mbit/s', cpu: 's/Gbit', megaflows: 'flows' } as const;
type Measured = Record<keyof typeof METRICS, number>;

async function* compare(variants: readonly Variant[], { hypervisor, hotori, from, count }: Place): AsyncGenerator<BenchResult> {
  const samples = variants.map((): Measured[] => []);
  const inTurn = [...variants.entries()];
  // Nobody is always the one after.
  for (let round = 0; round < ROUNDS; round++, inTurn.reverse())
    for (const [i, { operations }] of inTurn) {
      await hotori.post('/batch?wait=installed', { operations });
      // What was cached for the one before is not counted for this one.
      await hypervisor.ovs.revalidated();
      await hypervisor.ovs.appctl('revalidator/purge');
      samples[i]!.push(await stream(hypervisor, from, `10.60.${count}.10`));
    }
  for (const [i, { name }] of variants.entries())
    for (const [metric, unit] of Object.entries(METRICS) as [keyof Measured, string][]) {
      const of = (which: number) => samples[which]!.map((one) => one[metric]);
      const told = (which: number) => (metric === 'throughput' ? Math.max(...of(which)) : percentile(of(which), 0.5));
      const [value, base] = [told(i), told(0)];
      const peer = i === 0 ? {} : { peer: { name: variants[0]!.name, value: base }, ratio: value / base };
      yield { bench, case: `chain of ${count}, ${name}`, metric, value, unit, n: ROUNDS, ...peer };
    }
}

/** One TCP stream; the datapath flows are counted in its middle. */
async function stream({ ovs }: Hypervisor, from: Vm, to: string): Promise<Measured> {
  const { pid } = ovs.vswitchd;
  const before = costOf({ switch: [pid] });
  const running = from.run(['iperf3', '-c', to, '-t', String(SECONDS), '-J'], { timeoutMs: 30_000 });
  await new Promise((resolve) => setTimeout(resolve, (SECONDS * 1000) / 2));
  const dump = await ovs.appctl('dpctl/dump-flows');
  const megaflows = dump.split('\n').filter((line) => line.includes('ipv4(') && line.includes('proto=6')).length;
  const { end } = JSON.parse(await running) as { end: { sum_received: { bits_per_second: number; bytes: number } } };
  const cpu = cpuBetween(before, costOf({ switch: [pid] }))['switch']!;
  return { throughput: end.sum_received.bits_per_second / 1e6, cpu: cpu / ((end.sum_received.bytes * 8) / 1e9), megaflows };
}

const near = (i: number) => `10.60.${i - 1}.1`;
const back = (i: number) => `10.60.${i}.2`;

async function define(lab: Lab, hypervisor: Hypervisor, hotori: Hotori, count: number): Promise<{ from: Vm; to: Vm }> {
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  const post = (path: string, body: object) => ({ method: 'POST', path, body });
  const ends = [
    { name: 'from', n: 0, gateway: near(1) },
    { name: 'to', n: count, gateway: back(count) },
  ];
  await hotori.post('/batch?wait=installed', {
    operations: [
      ...[0, ...numbers].map((i) => post('/networks', { uuid: `nw-${i}`, ipv4_network: `10.60.${i}.0` })),
      ...numbers.map((i) =>
        post('/routers', {
          uuid: `rt-${i}`,
          networks: [
            { network_uuid: `nw-${i - 1}`, ip_address: near(i) },
            { network_uuid: `nw-${i}`, ip_address: back(i) },
          ],
          routes: [
            ...(i < count ? [{ destination: '0.0.0.0/0', via: near(i + 1) }] : []),
            ...(i > 1 ? [{ destination: '10.60.0.0/24', via: back(i - 1) }] : []),
          ],
        }),
      ),
      ...ends.map(({ name, n }) =>
        post('/interfaces', { uuid: `if-${name}`, mode: 'vif', network_uuid: `nw-${n}`, ipv4_address: `10.60.${n}.10` }),
      ),
    ],
  });
  const [from, to] = await Promise.all(
    ends.map(async ({ name, n, gateway }) => {
      const { mac_address } = await hotori.get(`/interfaces/if-${name}`);
      const vm = await lab.addVm(hypervisor, { name, iface_id: `if-${name}`, mac: mac_address });
      await vm.configure(`10.60.${n}.10/24`, gateway);
      return vm;
    }),
  );
  await eventually('the VMs reaching each other', async () => (await from!.ping(`10.60.${count}.10`, { count: 1 })).received === 1, {
    timeoutMs: 15_000,
  });
  return { from: from!, to: to! };
}
