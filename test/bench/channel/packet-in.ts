/**
 * `packet_in_response`: how many packet-ins per second a controller answers with a flow-mod and a packet-out.
 *
 * A generator written in C plays the switches; ours and the peers take turns as the controller, each a process of its own. Throughput mode: every switch
 * keeps 32 packet-ins unanswered; the latency of that mode is mostly waiting. The latency of one switch with one packet-in at a time is measured apart.
 * Peers run where they are installed: openvswitch-testcontroller (C, takes at most 16 switches) and python3-os-ken.
 */
import { access, mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Daemon } from '../../lab/daemon.js';
import { eventually } from '../../lab/eventually.js';
import { freePort } from '../../lab/free-port.js';
import { run, type Argv } from '../../lab/run.js';
import { percentile, type BenchResult } from '../result.js';

const ROUNDS = 3;
const WINDOW = 32;
const WARMUP_SECONDS = 2;
const SECONDS = 4;
/** Sources that are not compiled to JavaScript are read where they are; `npm run` starts in the project's directory. */
const SOURCES = path.resolve('test/bench/channel');
const TESTCONTROLLER_MAX_SWITCHES = 16;

interface Run {
  readonly responses_per_s: number;
  readonly flow_mods_per_s: number;
  readonly latency_p50_us: number;
  readonly latency_p99_us: number;
}

interface Controller {
  readonly name: 'hotori' | 'osken' | 'testcontroller';
  readonly argv: (port: number) => Argv;
  readonly maxSwitches: number;
}

const OURS: Controller = {
  name: 'hotori',
  argv: (port) => [process.execPath, path.join(import.meta.dirname, 'responder.js'), String(port)],
  maxSwitches: Infinity,
};
const PEERS: readonly (Controller & { readonly program: string })[] = [
  {
    name: 'testcontroller',
    program: '/usr/bin/ovs-testcontroller',
    argv: (port) => ['ovs-testcontroller', '--unixctl=none', `ptcp:${port}:127.0.0.1`],
    maxSwitches: TESTCONTROLLER_MAX_SWITCHES,
  },
  {
    name: 'osken',
    program: '/usr/bin/osken-manager',
    argv: (port) => [
      'osken-manager',
      '--ofp-listen-host',
      '127.0.0.1',
      '--ofp-tcp-listen-port',
      String(port),
      path.join(SOURCES, 'os-ken-learning-switch.py'),
    ],
    maxSwitches: Infinity,
  },
];

export async function* benchPacketIn(): AsyncGenerator<BenchResult> {
  const directory = await mkdtemp(path.join(tmpdir(), 'hotori-bench-'));
  try {
    const generator = path.join(directory, 'generator');
    await run(['cc', '-O2', '-o', generator, path.join(SOURCES, 'packet-in-generator.c')]);
    const peers: Controller[] = [];
    for (const peer of PEERS) if (await exists(peer.program)) peers.push(peer);
    for (const switches of [16, 64]) yield* throughput(directory, generator, peers, switches);
    yield* latency(directory, generator, peers);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function* throughput(
  directory: string,
  generator: string,
  peers: readonly Controller[],
  switches: number,
): AsyncGenerator<BenchResult> {
  const runs = await takeTurns(directory, generator, peers, switches, WINDOW);
  const ours = runs.get('hotori')!;
  const common = { bench: 'channel', case: 'packet_in_response', n: ROUNDS };
  const note = `${switches} switches, window ${WINDOW}`;
  yield { ...common, metric: 'rate', value: median(ours, 'responses_per_s'), unit: 'ops/s', note };
  for (const { name } of PEERS) {
    const theirs = runs.get(name);
    if (theirs === undefined) continue;
    const ratio = median(ours, 'responses_per_s') / median(theirs, 'responses_per_s');
    const peer = { name, value: median(theirs, 'responses_per_s') };
    yield { ...common, metric: `ratio_to_${name}`, value: ratio, unit: 'ratio', peer, ratio, note };
  }
  yield { ...common, metric: 'latency', value: median(ours, 'latency_p50_us'), unit: 'us', ...percentiles(ours), note };
}

async function* latency(directory: string, generator: string, peers: readonly Controller[]): AsyncGenerator<BenchResult> {
  const runs = await takeTurns(directory, generator, peers, 1, 1);
  for (const [name, results] of runs) {
    const note = `${name}, 1 switch, 1 packet-in at a time`;
    yield {
      bench: 'channel',
      case: 'packet_in_latency',
      metric: 'latency',
      value: median(results, 'latency_p50_us'),
      unit: 'us',
      n: ROUNDS,
      ...percentiles(results),
      note,
    };
  }
}

/** Runs per controller that can serve so many switches. */
async function takeTurns(
  directory: string,
  generator: string,
  peers: readonly Controller[],
  switches: number,
  window: number,
): Promise<Map<string, Run[]>> {
  const runs = new Map<string, Run[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const controller of [OURS, ...peers]) {
      if (switches > controller.maxSwitches) continue;
      const result = await measure(directory, generator, controller, switches, window);
      runs.set(controller.name, [...(runs.get(controller.name) ?? []), result]);
    }
  }
  return runs;
}

async function measure(directory: string, generator: string, controller: Controller, switches: number, window: number): Promise<Run> {
  const port = await freePort();
  const daemon = Daemon.start(controller.argv(port), path.join(directory, `${controller.name}.log`));
  try {
    await eventually(`${controller.name} listening`, () => canConnect(port), { timeoutMs: 20_000 });
    const output = await run([generator, ...[port, switches, window, WARMUP_SECONDS, SECONDS].map(String)], { timeoutMs: 60_000 });
    const result = JSON.parse(output) as Run;
    // A controller that only forwards does half of the work.
    if (result.flow_mods_per_s < 0.9 * result.responses_per_s) throw new Error(`${controller.name} answered without flow-mods: ${output}`);
    return result;
  } finally {
    await daemon.stop();
  }
}

function median(runs: readonly Run[], metric: keyof Run): number {
  return percentile(
    runs.map((r) => r[metric]),
    0.5,
  );
}

function percentiles(runs: readonly Run[]): { readonly p50: number; readonly p99: number } {
  return { p50: median(runs, 'latency_p50_us'), p99: median(runs, 'latency_p99_us') };
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

async function canConnect(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}
