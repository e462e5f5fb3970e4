/**
 * What each role measures.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Bus } from '../controller/bus/contract.js';
import type { VnmgrCalls } from '../controller/contract.js';
import { Metrics, type Reading } from '../controller/kernel/metrics.js';
import type { Revision } from '../controller/messages/slice.js';
import type { SliceClient } from '../controller/services/slice-client.js';
import type { Store } from '../controller/store/contract.js';
import type { SliceServer } from '../controller/services/slice-server.js';
import type { VnmgrParts } from '../controller/vnmgr.js';
import type { AgentTimes } from '../datapath/agent/agent-options.js';
import type { Agent } from '../datapath/agent/agent.js';
import type { FlowCount } from '../datapath/agent/flow-counters.js';

/** Between two looks at the clock, milliseconds. */
const LOOK_MS = 20;

/** Upper bounds, seconds: of what a process does by itself, and of what a switch has a part in. */
const WORK_BUCKETS = [0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5];
const SYNC_BUCKETS = [0.002, 0.005, 0.02, 0.1, 0.5, 2, 10];

const one = (value: number): Reading[] => [{ value }];

export function newMetrics(version: string): Metrics {
  const metrics = new Metrics();
  metrics.gauge({ name: 'hotori_build_info', help: 'The version of the program, as a label of 1.', labels: ['version'] }, () => [
    { labels: { version }, value: 1 },
  ]);
  const delay = monitorEventLoopDelay({ resolution: LOOK_MS });
  delay.enable();
  metrics.gauge(
    { name: 'hotori_eventloop_lag_seconds', help: 'How late the process came to what was due, at most since this was read last.' },
    () => {
      const late = Math.max(0, delay.max / 1e9 - LOOK_MS / 1e3);
      delay.reset();
      return one(late);
    },
  );
  return metrics;
}

export function measureBus(metrics: Metrics, bus: Pick<Bus, 'isConnected'>): void {
  metrics.gauge({ name: 'hotori_bus_connected', help: '1 while Redis answers.' }, () => one(bus.isConnected ? 1 : 0));
}

export function measureStore(metrics: Metrics, store: Pick<Store, 'epoch'>): void {
  metrics.gauge(
    {
      name: 'hotori_lease_epoch',
      help: 'Grows when Redis was restarted or replaced, or another process has taken the embedded store: who wrote before writes no more.',
    },
    () => one(store.epoch()),
  );
}

/** @returns what notes how long it took to work out what datapaths are to know. */
export function timeVnmgr(metrics: Metrics): NonNullable<VnmgrParts['onCompiled']> {
  const note = metrics.durations(
    {
      name: 'hotori_vnmgr_compile_seconds',
      help: 'Time to work out what each datapath is to know: of the whole model, or what a change makes different.',
      labels: ['kind'],
    },
    WORK_BUCKETS,
  );
  return (kind, seconds) => note({ kind }, seconds);
}

/** @returns what notes how long agents take. */
export function timeVna(metrics: Metrics): (bridge: string) => AgentTimes {
  const compiled = metrics.durations(
    {
      name: 'hotori_vna_compile_seconds',
      help: 'Time to compile flows: of a whole slice, or of a change of it.',
      labels: ['bridge', 'kind'],
    },
    WORK_BUCKETS,
  );
  const synced = metrics.durations(
    {
      name: 'hotori_vna_sync_seconds',
      help: 'Time from hearing of a revision until the switch has confirmed all that it asks for.',
      labels: ['bridge'],
    },
    SYNC_BUCKETS,
  );
  return (bridge) => ({
    compiled: (kind, seconds) => compiled({ bridge, kind }, seconds),
    synced: (seconds) => synced({ bridge }, seconds),
  });
}

/** @param vnmgr answers for every datapath, whoever serves it. */
export function measureVnmgr(
  metrics: Metrics,
  vnmgr: Pick<VnmgrCalls, 'status'> & { revision(): Revision },
  slices?: Pick<SliceServer, 'attached'>,
): void {
  metrics.gauge({ name: 'hotori_vnmgr_revision', help: 'Number of the last revision known here.' }, () => one(vnmgr.revision().number));
  if (slices)
    metrics.gauge({ name: 'hotori_vnmgr_attached', help: 'Datapaths whose vna is attached to this vnmgr.' }, () => one(slices.attached));
  const perDatapath = (name: string, help: string, read: (status: DatapathStatus) => number | null) =>
    metrics.gauge({ name: `hotori_vnmgr_datapath_${name}`, help, labels: ['datapath'] }, async () => {
      const { datapaths } = await vnmgr.status();
      return datapaths.flatMap((status) => {
        const value = read(status);
        return value === null ? [] : [{ labels: { datapath: status.uuid }, value }];
      });
    });
  perDatapath('connected', '1 while the vna of the datapath is attached somewhere and connected to its switch.', ({ connected }) =>
    connected ? 1 : 0,
  );
  perDatapath('lag_revisions', 'Revisions committed since the last one that the datapath is known to be at.', (status) =>
    status.applied_revision === null ? null : status.desired_revision - status.applied_revision,
  );
  perDatapath('error', '1 while something keeps the datapath from applying what it should.', ({ last_error }) =>
    last_error === null ? 0 : 1,
  );
  perDatapath('flows', 'Flows installed.', ({ flow_count }) => flow_count);
  perDatapath(
    'drift_repairs',
    'Flows and groups found altered in the switch and put right, since its vna started.',
    ({ drift_repairs }) => drift_repairs,
  );
}

type DatapathStatus = Awaited<ReturnType<VnmgrCalls['status']>>['datapaths'][number];

export function measureVna(metrics: Metrics, agents: readonly Agent[], source?: Pick<SliceClient, 'counters'>): void {
  const perBridge = (read: (agent: Agent) => number | null) => () =>
    agents.flatMap((agent) => {
      const value = read(agent);
      return value === null ? [] : [{ labels: { bridge: agent.bridge }, value }];
    });
  const labels = ['bridge'];
  metrics.gauge(
    { name: 'hotori_vna_desired_revision', help: 'Revision of the slice in use.', labels },
    perBridge((agent) => agent.health().desired_revision),
  );
  metrics.gauge(
    { name: 'hotori_vna_installed_revision', help: 'Revision of the last slice all of which the switch has confirmed.', labels },
    perBridge((agent) => agent.health().installed_revision),
  );
  metrics.gauge(
    { name: 'hotori_vna_openflow_connected', help: '1 while the switch is connected.', labels },
    perBridge((agent) => (agent.health().openflow_connected ? 1 : 0)),
  );
  metrics.gauge(
    { name: 'hotori_vna_attached', help: '1 while attached to a vnmgr.', labels },
    perBridge((agent) => (agent.health().attached ? 1 : 0)),
  );
  metrics.gauge({ name: 'hotori_vna_flows', help: 'Flows the switch has confirmed.', labels: ['bridge', 'table'] }, () =>
    agents.flatMap((agent) => [...agent.flowsByTable()].map(([table, value]) => ({ labels: { bridge: agent.bridge, table }, value }))),
  );
  metrics.gauge(
    { name: 'hotori_vna_slice_held', help: '1 while a slice is held back that would take most away.', labels },
    perBridge((agent) => (agent.health().held === null ? 0 : 1)),
  );
  metrics.counter(
    {
      name: 'hotori_vna_flow_ops_total',
      help: 'Flow and group modifications sent to the switch, by what became of them: done, refused, or undone with the bundle one was refused in.',
      labels: ['bridge', 'op', 'result'],
    },
    () =>
      agents.flatMap((agent) =>
        agent
          .counters()
          .flows.operations.counts()
          .map(({ op, result, count }) => ({ labels: { bridge: agent.bridge, op, result }, value: count })),
      ),
  );
  metrics.counter(
    { name: 'hotori_vna_drift_total', help: 'Flows and groups found in the switch that were not as wanted.', labels: ['bridge', 'kind'] },
    () =>
      agents.flatMap((agent) =>
        Object.entries<number>({ ...agent.counters().flows.drift }).map(([kind, value]) => ({
          labels: { bridge: agent.bridge, kind },
          value,
        })),
      ),
  );
  metrics.counter(
    {
      name: 'hotori_vna_packet_in_total',
      help: 'Packets the switch asked about, by its reason and by what for.',
      labels: ['bridge', 'reason', 'service'],
    },
    () =>
      agents.flatMap((agent) =>
        agent
          .counters()
          .punt_kinds.map(({ reason, service, count }) => ({ labels: { bridge: agent.bridge, reason, service }, value: count })),
      ),
  );
  metrics.counter(
    {
      name: 'hotori_vna_packet_in_dropped_total',
      help: 'Of those, not answered: there were too many of one port (port), or of all (queue).',
      labels: ['bridge', 'limiter'],
    },
    () =>
      agents.flatMap((agent) => {
        const { bridge } = agent;
        const { punts, punts_limited } = agent.counters();
        return [
          { labels: { bridge, limiter: 'port' }, value: punts_limited },
          { labels: { bridge, limiter: 'queue' }, value: punts.overflowed },
        ];
      }),
  );
  metrics.gauge(
    { name: 'hotori_vna_ways', help: 'Ways to other hypervisors, by whether probes are answered.', labels: ['bridge', 'state'] },
    () =>
      agents.flatMap((agent) =>
        Object.entries<number>({ ...agent.ways() }).map(([state, value]) => ({ labels: { bridge: agent.bridge, state }, value })),
      ),
  );
  metrics.counter({ name: 'hotori_vna_trace_checks_total', help: "Packets held against the switch's own trace.", labels }, () =>
    agents.map((agent) => ({ labels: { bridge: agent.bridge }, value: agent.counters().traces.checked })),
  );
  metrics.counter(
    { name: 'hotori_vna_trace_disagreements_total', help: 'Of those, where the switch does not do what its flows say: an alarm.', labels },
    () => agents.map((agent) => ({ labels: { bridge: agent.bridge }, value: agent.counters().traces.disagreements })),
  );
  metrics.counter(
    {
      name: 'hotori_vna_compile_checks_total',
      help: 'Times that all flows were compiled at once and compared with what changes led to.',
      labels,
    },
    () => agents.map((agent) => ({ labels: { bridge: agent.bridge }, value: agent.counters().compiled.checked })),
  );
  metrics.counter(
    { name: 'hotori_vna_compile_mismatch_total', help: 'Of those, where the two differed, which they must not: an alarm.', labels },
    () => agents.map((agent) => ({ labels: { bridge: agent.bridge }, value: agent.counters().compiled.mismatches })),
  );
  const drops = (pick: (count: FlowCount) => number) => async () => {
    const readings = agents.map(async (agent) =>
      [...(await agent.drops())].map(([reason, count]) => ({ labels: { bridge: agent.bridge, reason }, value: pick(count) })),
    );
    return (await Promise.all(readings)).flat();
  };
  const byReason = ['bridge', 'reason'];
  metrics.counter(
    { name: 'hotori_vna_dropped_packets_total', help: 'Packets the switch has dropped, by reason (docs/pipeline.md).', labels: byReason },
    drops(({ packets }) => packets),
  );
  metrics.counter(
    { name: 'hotori_vna_dropped_bytes_total', help: 'Bytes of the packets the switch has dropped.', labels: byReason },
    drops(({ bytes }) => bytes),
  );
  if (source === undefined) return;
  metrics.counter({ name: 'hotori_bus_gap_total', help: 'Times that slice messages were missing.' }, () => one(source.counters.gaps));
  metrics.counter({ name: 'hotori_bus_relist_total', help: 'Times that a whole slice was asked for.' }, () => one(source.counters.relists));
}
