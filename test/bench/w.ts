/**
 * The workload W(H,N,P) on real switches, beside OVN where its packages are installed.
 *
 * Owns: the command line, what is reported of the figures.
 * Assumes: root, for OVN; Open vSwitch with the dummy datapath for both.
 */
import { parseArgs } from 'node:util';
import { run } from '../lab/run.js';
import { percentile, type BenchResult } from './result.js';
import { alone } from './w/alone.js';
import type { Floor } from './w/floor.js';
import { HotoriSide } from './w/hotori-side.js';
import { measure, type Figures, type Repetitions, type Restart } from './w/measure.js';
import { isOvnInstalled } from './w/ovn-daemons.js';
import { OvnSide } from './w/ovn-side.js';
import { makeWorkload, MAX_PORTS } from './w/workload.js';

interface Peer {
  readonly name: string;
  readonly figures: Figures;
}

export async function* benchW(args: readonly string[]): AsyncGenerator<BenchResult> {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      hypervisors: { type: 'string', default: '2' },
      networks: { type: 'string', default: '20' },
      ports: { type: 'string', default: '20' },
      /** How many ports are added, rules changed: by us, and by the peer, who takes longer. */
      reps: { type: 'string', default: '100' },
      'peer-reps': { type: 'string', default: '10' },
      /** ovn, or none. */
      peer: { type: 'string', default: 'ovn' },
      restart: { type: 'boolean', default: true },
      /** A vnmgr, a webapi and a vna for each hypervisor, over Redis, instead of one process. */
      roles: { type: 'boolean', default: false },
      'node-args': { type: 'string', default: '' },
    },
  });
  const [H, N, P] = [Number(values.hypervisors), Number(values.networks), Number(values.ports)];
  if (!(H >= 1 && N >= 1 && P >= 1 && P <= MAX_PORTS)) throw new Error(`1 hypervisor or more, 1 network or more, 1 to ${MAX_PORTS} ports`);
  const workload = makeWorkload(H, N, P);
  const reps = Number(values.reps);
  const peerReps = Number(values['peer-reps']);

  const nodeArgs = values['node-args'].split(' ').filter((arg) => arg !== '');
  const repetitions = (count: number): Repetitions => ({ ports: count, rules: Math.ceil(count / 2), restart: values.restart });
  const own = await alone(
    (lab) => HotoriSide.start(lab, workload, nodeArgs, values.roles),
    (side) => measure(side, workload, repetitions(reps)),
  );
  let peer: Peer | undefined;
  if (values.peer === 'ovn' && isOvnInstalled()) {
    const version = /(\d+\.\d+\.\d+)/.exec(await run(['ovn-northd', '--version']))?.[1] ?? '?';
    peer = {
      name: `OVN ${version}`,
      figures: await alone(
        (lab) => OvnSide.start(lab, workload, version),
        (side) => measure(side, workload, repetitions(peerReps)),
      ),
    };
  }
  const note = peer === undefined ? (values.peer === 'ovn' ? 'OVN is not installed' : undefined) : undefined;
  for (const result of report(own, peer)) yield { ...result, case: result.case, ...(note === undefined ? {} : { note }) };
}

function* report(own: Figures, peer: Peer | undefined): Generator<BenchResult> {
  const bench = 'w';
  const of = (name: string, metric: string, unit: string, pick: (figures: Figures) => number, n = 1): BenchResult => {
    const value = pick(own);
    const base = { bench, case: name, metric, value, unit, n };
    if (peer === undefined) return base;
    const theirs = pick(peer.figures);
    return { ...base, peer: { name: peer.name, value: theirs }, ratio: value / theirs };
  };
  const spread = (samples: readonly number[]) => ({ p50: percentile(samples, 0.5), p99: percentile(samples, 0.99) });

  yield of('bulk', 'installed', 'ms', ({ bulkMs }) => bulkMs);
  yield of('bulk', 'cpu', 's', ({ bulkCpu }) => Object.values(bulkCpu).reduce((a, b) => a + b, 0));
  yield* byRole('bulk', 'cpu', 's', own.bulkCpu, peer && { name: peer.name, roles: peer.figures.bulkCpu });

  yield { ...of('add_port', 'p50', 'ms', ({ addPortMs }) => percentile(addPortMs, 0.5), own.addPortMs.length), ...spread(own.addPortMs) };
  yield of('add_port', 'p99', 'ms', ({ addPortMs }) => percentile(addPortMs, 0.99), own.addPortMs.length);
  const everywhere = own.addPortEverywhereMs;
  yield {
    ...of('add_port_everywhere', 'p50', 'ms', ({ addPortEverywhereMs: ms }) => percentile(ms, 0.5), everywhere.length),
    ...spread(everywhere),
  };
  yield of('add_port', 'cpu', 's', ({ addPortCpu }) => addPortCpu, own.addPortMs.length);

  yield { ...of('rule_change', 'p50', 'ms', ({ ruleMs }) => percentile(ruleMs, 0.5), own.ruleMs.length), ...spread(own.ruleMs) };
  yield of('rule_change', 'cpu', 's', ({ ruleCpu }) => ruleCpu, own.ruleMs.length);

  yield of('flows_per_hypervisor', 'flows', 'flows', ({ flows }) => Math.max(...flows), own.flows.length);
  if (peer !== undefined) {
    const value = Math.max(...own.flows) / Math.max(...peer.figures.flows);
    yield { bench, case: 'flows_per_hypervisor', metric: 'ratio_to_ovn', value, unit: 'ratio', n: own.flows.length };
  }

  if (own.floor !== undefined) yield* reportFloor(own, own.floor);

  if (own.restart !== undefined) {
    const { restart: theirs } = peer?.figures ?? {};
    const beside = (name: string, metric: string, unit: string, pick: (restart: Restart) => number): BenchResult => {
      const base = { bench, case: name, metric, value: pick(own.restart!), unit, n: 1 };
      return peer === undefined || theirs === undefined ? base : { ...base, peer: { name: peer.name, value: pick(theirs) } };
    };
    const { flowMods } = own.restart;
    if (flowMods !== undefined) yield { bench, case: 'restart', metric: 'flow_mods', value: flowMods, unit: 'flow-mods', n: 1 };
    yield beside('restart', 'table_lowest', 'of all flows', ({ lowest }) => lowest);
    yield beside('restart', 'done', 'ms', ({ doneMs }) => doneMs);
  }

  const rss = (figures: Figures) =>
    Object.fromEntries(Object.entries(figures.cost).map(([role, { rssMegabytes }]) => [role, rssMegabytes]));
  yield* byRole('memory', 'rss', 'MB', rss(own), peer && { name: peer.name, roles: rss(peer.figures) });
}

/** What the switches take without us, and how much more it is with us. */
function* reportFloor(own: Figures, floor: Floor): Generator<BenchResult> {
  const bench = 'w';
  const median = (samples: readonly number[]): number => percentile(samples, 0.5);
  for (const [name, ours, least, n] of [
    ['bulk', own.bulkMs, floor.bulkMs, 1],
    ['add_port', median(own.addPortMs), median(floor.addPortMs), floor.addPortMs.length],
    ['rule_change', median(own.ruleMs), median(floor.ruleMs), floor.ruleMs.length],
  ] as const) {
    yield { bench, case: 'floor', metric: name, value: least, unit: 'ms', n };
    yield { bench, case: name, metric: 'ratio_to_floor', value: ours / least, unit: 'ratio', n };
  }
}

/** A figure for each role of ours and the peer's; those of the same name beside each other. */
function* byRole(
  name: string,
  metric: string,
  unit: string,
  own: Readonly<Record<string, number>>,
  peer: { readonly name: string; readonly roles: Readonly<Record<string, number>> } | undefined,
): Generator<BenchResult> {
  for (const [role, value] of Object.entries(own)) {
    const base = { bench: 'w', case: `${name} ${role}`, metric, value, unit, n: 1 };
    const theirs = peer?.roles[role];
    yield peer === undefined || theirs === undefined ? base : { ...base, peer: { name: peer.name, value: theirs }, ratio: value / theirs };
  }
  for (const [role, value] of Object.entries(peer?.roles ?? {}))
    if (!(role in own)) yield { bench: 'w', case: `${name} ${role}`, metric, value, unit, n: 1, note: `of ${peer!.name}` };
}
