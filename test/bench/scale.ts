/**
 * A large site simulated: many datapaths in few vna processes, one vnmgr, one Redis.
 *
 * Owns: the processes, what is measured of them.
 * Assumes: what a switch costs is not asked here: switches and their OVSDB are fakes that take every flow, in processes of their own that count for nothing.
 */
import type { ChildProcess } from 'node:child_process';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../lab/eventually.js';
import type { Json } from '../lab/hotori.js';
import { Lab } from '../lab/lab.js';
import { APPEND_ALWAYS, RedisServer } from '../lab/redis.js';
import { percentile, type BenchResult } from './result.js';
import { startChild } from './scale/child.js';
import { hostAddress, interfaceUuid, operationsOf, type ScalePlan } from './scale/plan.js';
import { costOf, cpuBetween, type Roles } from './w/processes.js';

const VNA_PROCESSES = 8;
const SWITCH_PROCESSES = 2;
/** Operations of one request. */
const BATCH = 1_000;
const PATIENCE_MS = 1_800_000;

export async function* benchScale(args: readonly string[]): AsyncGenerator<BenchResult> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      datapaths: { type: 'string', default: '1000' },
      ports: { type: 'string', default: '100' },
      /** Datapaths that share a network. */
      span: { type: 'string', default: '2' },
      /** Changes measured. */
      reps: { type: 'string', default: '50' },
    },
  });
  const [datapaths, ports, span] = [Number(values.datapaths), Number(values.ports), Number(values.span)];
  if (!(datapaths >= 1 && ports >= 1 && span >= 1 && span * ports <= 2_000)) throw new Error('a network holds 2,000 interfaces at most');
  const lab = await Lab.create();
  const children: ChildProcess[] = [];
  const redis = await RedisServer.start(`${lab.dir}/redis`, { ...APPEND_ALWAYS, 'latency-monitor-threshold': 10 });
  try {
    const plan: ScalePlan = { dir: lab.dir, redis: redis.url, datapaths, ports, span };
    const start = async (role: 'controller' | 'switches' | 'vna', processes: number): Promise<{ pids: number[]; said: string[] }> => {
      const started = await Promise.all(
        Array.from({ length: processes }, (_, i) => {
          const from = Math.floor((i * datapaths) / processes);
          return startChild(role, { plan, from, to: Math.floor(((i + 1) * datapaths) / processes) });
        }),
      );
      children.push(...started.map(({ child }) => child));
      return { pids: started.map(({ child }) => child.pid!), said: started.map(({ said }) => said) };
    };
    await start('switches', Math.min(SWITCH_PROCESSES, datapaths));
    const controller = await start('controller', 1);
    const begun = performance.now();
    const vna = await start('vna', Math.min(VNA_PROCESSES, datapaths));
    const site = new Site(controller.said[0]!, redis, plan, { vnmgr: controller.pids, vna: vna.pids, redis: [redis.pid] });
    yield* site.measure(begun, Number(values.reps));
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await redis.stop();
    await lab.destroy();
  }
}

class Site {
  readonly #url: string;
  readonly #redis: RedisServer;
  readonly #plan: ScalePlan;
  readonly #roles: Roles;

  constructor(api: string, redis: RedisServer, plan: ScalePlan, roles: Roles) {
    this.#redis = redis;
    this.#url = `http://${api}/api/1.0`;
    this.#plan = plan;
    this.#roles = roles;
  }

  async *measure(begun: number, reps: number): AsyncGenerator<BenchResult> {
    const { datapaths, ports, span } = this.#plan;
    const of = (name: string, metric: string, value: number, unit: string, n = 1): BenchResult => {
      const note = `${datapaths} datapaths of ${ports} interfaces, networks of ${span * ports} on ${span} datapaths`;
      return { bench: 'scale', case: name, metric, value, unit, n, note };
    };
    await this.#settle();
    yield of('attach', 'all_attached', performance.now() - begun, 'ms', datapaths);

    const before = costOf(this.#roles);
    const loading = performance.now();
    const operations = [...operationsOf(this.#plan)];
    for (let at = 0; at < operations.length; at += BATCH)
      await this.#ask('POST', '/batch', { operations: operations.slice(at, at + BATCH) });
    yield of('load', 'committed', performance.now() - loading, 'ms', operations.length);
    await this.#settle();
    yield of('load', 'installed', performance.now() - loading, 'ms', datapaths * ports);
    const cpu = cpuBetween(before, costOf(this.#roles));
    for (const [role, seconds] of Object.entries(cpu)) yield of(`load ${role}`, 'cpu', seconds, 's');

    const { datapaths: all } = await this.#ask('GET', '/status');
    const flows = all.map(({ flow_count }: Json) => flow_count as number) as number[];
    yield of('load', 'flows_per_datapath', percentile(flows, 0.5), 'flows', flows.length);
    for (const [role, { rssMegabytes }] of Object.entries(costOf(this.#roles))) yield of(`memory ${role}`, 'rss', rssMegabytes, 'MB');

    // What being there costs is not what a change costs.
    const idle = await this.#cpuOf(() => sleep(5_000));
    const times: number[] = [];
    await this.#redis.cli('LATENCY', 'RESET');
    const busy = await this.#cpuOf(async () => {
      for (let i = 0; i < reps; i++) times.push(await this.#change(i));
    });
    const seconds = busy.seconds - (idle.seconds * busy.ms) / idle.ms;
    yield {
      ...of('change', 'acknowledged', percentile(times, 0.5), 'ms', reps),
      p50: percentile(times, 0.5),
      p99: percentile(times, 0.99),
    };
    yield of('change', 'slowest', Math.max(...times), 'ms', reps);
    // Every change waits for the disk of Redis several times.
    yield of('change redis', 'slowest_fsync', await this.#slowestFsync(), 'ms');
    yield of('change', 'cpu', Math.max(0, seconds) / reps, 's', reps);
    yield of('idle', 'cpu', idle.seconds / (idle.ms / 1000), 's per s');
  }

  /** One address more for an interface: its own datapath and those that share its network have something to do. @returns milliseconds until all have done it */
  async #change(i: number): Promise<number> {
    const { datapaths, ports, span } = this.#plan;
    const d = (i * 37) % datapaths;
    const network = Math.floor(d / span);
    const lease = {
      interface_uuid: interfaceUuid(d, 0),
      network_uuid: `nw-${network}`,
      ipv4_address: hostAddress(network, 1 + span * (ports + Math.floor(i / datapaths)) + (d % span)),
    };
    const start = performance.now();
    const { datapaths: concerned } = await this.#ask('POST', '/ip_leases?wait=installed&timeout=300', lease);
    if (concerned.length === 0) throw new Error('the change concerned nobody');
    return performance.now() - start;
  }

  /** Milliseconds; 0 when none took ten. */
  async #slowestFsync(): Promise<number> {
    const history = (await this.#redis.cli('LATENCY', 'HISTORY', 'aof-fsync-always')).trim();
    // A line for when, a line for how long.
    return Math.max(0, ...history.split('\n').map((line, index) => (index % 2 === 1 ? Number(line) : 0)));
  }

  async #cpuOf(work: () => Promise<unknown>): Promise<{ seconds: number; ms: number }> {
    const before = costOf(this.#roles);
    const start = performance.now();
    await work();
    const ms = performance.now() - start;
    return { seconds: Object.values(cpuBetween(before, costOf(this.#roles))).reduce((sum, one) => sum + one, 0), ms };
  }

  /** All datapaths are there and up to date. */
  async #settle(): Promise<void> {
    await eventually(
      'every datapath being up to date',
      async () => {
        const { datapaths } = await this.#ask('GET', '/status');
        return (
          datapaths.length === this.#plan.datapaths &&
          datapaths.every(
            ({ connected, applied_revision, desired_revision }: Json) =>
              connected && applied_revision !== null && applied_revision >= desired_revision,
          )
        );
      },
      { timeoutMs: PATIENCE_MS, everyMs: 500 },
    );
  }

  async #ask(method: string, at: string, body?: object): Promise<Json> {
    const init = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(this.#url + at, { method, ...init });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${at}: ${response.status} ${text}`);
    return JSON.parse(text);
  }
}
