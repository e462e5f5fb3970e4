/**
 * Security groups: a rule more in a group of 1,000 members on four hypervisors, a member more, and connections through the policy tables.
 *
 * Owns: the command line, what is reported. The workload and both sides are those of the benchmark `w`.
 * Assumes: root; Open vSwitch with the dummy datapath for changes, the userspace datapath for connections.
 */
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { repositoryRoot } from '../lab/hotori.js';
import { Prober } from '../lab/probes.js';
import { run } from '../lab/run.js';
import type { Vm } from '../lab/vm.js';
import { post, World } from '../e2e/world.js';
import { percentile, type BenchResult } from './result.js';
import { alone } from './w/alone.js';
import { FloorLab, type Mods } from './w/floor.js';
import { HotoriSide } from './w/hotori-side.js';
import { isOvnInstalled } from './w/ovn-daemons.js';
import { OvnSide } from './w/ovn-side.js';
import type { Side } from './w/side.js';
import { laterPort, makeWorkload, type Workload } from './w/workload.js';

const HYPERVISORS = 4;
const NETWORKS = 10;

interface Figures {
  readonly ruleMs: readonly number[];
  readonly joinMs: readonly number[];
  /** On the hypervisor with the most. */
  readonly flows: number;
  /** Modifications sent to all switches, for one rule and for one member; where that can be asked. */
  readonly ruleMods: Mods | undefined;
  readonly joinMods: Mods | undefined;
  /** What the switches take alone. */
  readonly floor: { readonly ruleMs: readonly number[]; readonly joinMs: readonly number[] } | undefined;
}

export async function* benchSg(args: readonly string[]): AsyncGenerator<BenchResult> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      members: { type: 'string', default: '1000' },
      reps: { type: 'string', default: '30' },
      'peer-reps': { type: 'string', default: '5' },
      connections: { type: 'string', default: '3000' },
      /** ovn, or none. */
      peer: { type: 'string', default: 'ovn' },
      'node-args': { type: 'string', default: '' },
    },
  });
  const workload = makeWorkload(HYPERVISORS, NETWORKS, Math.round(Number(values.members) / NETWORKS));
  const nodeArgs = values['node-args'].split(' ').filter((arg) => arg !== '');
  const own = await alone(
    (lab) => HotoriSide.start(lab, workload, nodeArgs),
    (side) => measure(side, workload, Number(values.reps)),
  );
  const isBeside = values.peer === 'ovn' && isOvnInstalled();
  let peer: { readonly name: string; readonly figures: Figures } | undefined;
  if (isBeside) {
    const version = /(\d+\.\d+\.\d+)/.exec(await run(['ovn-northd', '--version']))?.[1] ?? '?';
    const figures = await alone(
      (lab) => OvnSide.start(lab, workload, version),
      (side) => measure(side, workload, Number(values['peer-reps'])),
    );
    peer = { name: `OVN ${version}`, figures };
  }
  const note = isBeside ? {} : { note: values.peer === 'ovn' ? 'OVN is not installed' : 'without a peer' };
  const beside = (name: string, metric: string, unit: string, n: number, pick: (figures: Figures) => number): BenchResult => {
    const base = { bench: 'sg', case: name, metric, value: pick(own), unit, n, ...note };
    return peer === undefined
      ? base
      : { ...base, peer: { name: peer.name, value: pick(peer.figures) }, ratio: pick(own) / pick(peer.figures) };
  };
  const spread = (samples: readonly number[]) => ({ p50: percentile(samples, 0.5), p99: percentile(samples, 0.99) });
  yield { ...beside('rule_added', 'p50', 'ms', own.ruleMs.length, ({ ruleMs }) => percentile(ruleMs, 0.5)), ...spread(own.ruleMs) };
  yield { ...beside('member_joins', 'p50', 'ms', own.joinMs.length, ({ joinMs }) => percentile(joinMs, 0.5)), ...spread(own.joinMs) };
  for (const [name, mods] of [
    ['rule_added', own.ruleMods],
    ['member_joins', own.joinMods],
  ] as const)
    if (mods !== undefined)
      yield { bench: 'sg', case: name, metric: 'flow_mods', value: sum(mods), unit: `flow-mods on ${HYPERVISORS} hypervisors`, n: 1 };
  if (own.floor !== undefined)
    for (const [name, ours, least] of [
      ['rule_added', own.ruleMs, own.floor.ruleMs],
      ['member_joins', own.joinMs, own.floor.joinMs],
    ] as const) {
      const floor = percentile(least, 0.5);
      yield { bench: 'sg', case: 'floor', metric: name, value: floor, unit: 'ms', n: least.length };
      yield { bench: 'sg', case: name, metric: 'ratio_to_floor', value: percentile(ours, 0.5) / floor, unit: 'ratio', n: least.length };
    }
  yield beside('flows_per_hypervisor', 'flows', 'flows', HYPERVISORS, ({ flows }) => flows);
  if (Number(values.connections) > 0) yield* connections(Number(values.connections));
}

async function measure(side: Side, workload: Workload, reps: number): Promise<Figures> {
  const joining = laterPort(workload, 0);
  await side.plug([...workload.ports, joining]);
  await side.load();
  await side.addPort(joining);
  await side.settle();
  const flows = Math.max(...(await Promise.all(side.switches.map((one) => one.flowCount()))));
  const timed = async (work: () => Promise<void>): Promise<number> => {
    const started = performance.now();
    await work();
    return performance.now() - started;
  };
  const modsOf = async (work: () => Promise<unknown>): Promise<Mods | undefined> => {
    const before = await side.flowMods?.();
    await work();
    await side.settle();
    const after = await side.flowMods?.();
    return before === undefined ? undefined : after?.map((count, i) => count - before[i]!);
  };
  const ruleMs: number[] = [];
  const joinMs: number[] = [];
  const ruleMods = await modsOf(() => side.addRule(7999));
  await side.removeRule();
  await side.leave(joining);
  const joinMods = await modsOf(() => side.join(joining));
  for (let i = 0; i < reps; i++) {
    ruleMs.push(await timed(() => side.addRule(8000 + i)));
    await side.removeRule();
    await side.leave(joining);
    joinMs.push(await timed(() => side.join(joining)));
  }
  const floor = ruleMods === undefined || joinMods === undefined ? undefined : await measureFloor(side, ruleMods, joinMods, 2 * reps);
  return { ruleMs, joinMs, flows, ruleMods, joinMods, floor };
}

async function measureFloor(side: Side, ruleMods: Mods, joinMods: Mods, reps: number): Promise<Figures['floor']> {
  await side.end?.();
  const lab = await FloorLab.on(side.switches);
  try {
    return { ruleMs: await lab.change(ruleMods, reps), joinMs: await lab.change(joinMods, reps) };
  } finally {
    await lab.close();
  }
}

function sum(mods: Mods): number {
  return mods.reduce((total, count) => total + count, 0);
}

/**
 * Through the tables of a VM whose group admits them, and past all tables with NORMAL: TCP connections opened and closed by a program in a VM, which bounds both;
 * and datagrams of one connection each, as fast as a VM sends them.
 */
async function* connections(count: number): AsyncGenerator<BenchResult> {
  const world = await World.start();
  try {
    await world.defineNetworks();
    const rules = (['tcp', 'udp'] as const).flatMap((protocol) =>
      Array.from({ length: 20 }, (_, i) => ({ direction: 'ingress', protocol, ports: [String(80 + i)], remote: { any: true } })),
    );
    await world.hotori.post('/batch', { operations: [post('security_groups', { uuid: 'sg-bench', rules })] });
    const [client, server] = (await world.addVms(
      { name: 'client', network: 'a', host: 10 },
      { name: 'server', network: 'a', host: 11, groups: ['sg-bench'] },
    )) as [Vm, Vm];
    // Ports stay taken for a minute; looking for one that is free among few costs more than the connection.
    await client.run(['sysctl', '-qw', 'net.ipv4.ip_local_port_range=1024 65535']);
    const [prober] = [await Prober.start(client, world.lab.dir, []), await Prober.start(server, world.lab.dir, [80])];
    const tcp = () => tcpRate(prober, count);
    let port = 80;
    const udp = () => datagramRate(client, server, ++port);
    const [policyTcp, policyUdp] = [await best(tcp), await best(udp)];
    await world.hypervisor.ovs.ofctl(['add-flow', 'br-int', 'table=0,priority=65535,cookie=0x1,actions=NORMAL']);
    const [normalTcp, normalUdp] = [await best(tcp), await best(udp)];
    const figure = (metric: string, unit: string, n: number, value: number, normal: number, note: string): BenchResult => ({
      ...{ bench: 'sg', case: 'connections', metric, unit, n, value, peer: { name: 'NORMAL on the same bridge', value: normal } },
      ...{ ratio: value / normal, note },
    });
    yield figure('tcp', 'TCP connections/s', count, policyTcp, normalTcp, 'a node program in a VM bounds both; userspace datapath');
    yield figure('udp', 'datagrams/s received, each a connection', NEW_FLOWS, policyUdp, normalUdp, 'best of three; userspace datapath');
  } finally {
    await world.destroy({ commonCheck: false });
  }
}

/** One call of it to get going, then the best of three. */
async function best(rate: () => Promise<number>): Promise<number> {
  await rate();
  const rates: number[] = [];
  for (let i = 0; i < 3; i++) rates.push(await rate());
  return Math.max(...rates);
}

async function tcpRate(prober: Prober, count: number): Promise<number> {
  const started = performance.now();
  const batch = Array.from({ length: 100 }, () => ({ protocol: 'tcp' as const, dst: '10.1.0.11', port: 80 }));
  for (let done = 0; done < count; done += batch.length) {
    const outcomes = await prober.probe(batch, 10_000);
    if (outcomes.some((outcome) => outcome !== 'allow')) throw new Error('a connection was not admitted');
  }
  return count / ((performance.now() - started) / 1000);
}

const NEW_FLOWS = 40_000;

async function datagramRate(client: Vm, server: Vm, port: number): Promise<number> {
  const received = async () => Number(await server.run(['cat', '/sys/class/net/eth0/statistics/rx_packets']));
  const before = await received();
  const program = path.join(repositoryRoot(), 'test/bench/new-flows.py');
  const ends = [client.mac, server.mac, '10.1.0.10', '10.1.0.11'];
  const seconds = Number(await client.run(['python3', program, 'eth0', ...ends, String(port), String(NEW_FLOWS)]));
  await new Promise((resolve) => setTimeout(resolve, 200));
  return ((await received()) - before) / seconds;
}
