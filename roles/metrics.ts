/**
 * What each role measures.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Bus } from '../controller/bus/contract.js';
import type { VnmgrCalls } from '../controller/contract.js';
import { Metrics, type Reading } from '../controller/kernel/metrics.js';
import type { Revision } from '../controller/messages/slice.js';
import type { SliceClient } from '../controller/services/slice-client.js';
import type { SliceServer } from '../controller/services/slice-server.js';
import type { Agent } from '../datapath/agent/agent.js';
import type { FlowCount } from '../datapath/agent/flow-counters.js';

/** Between two looks at the clock, milliseconds. */
const LOOK_MS = 20;

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

export function measureBus(metrics: Metrics, bus: Bus): void {
  metrics.gauge({ name: 'hotori_bus_connected', help: '1 while Redis answers.' }, () => one(bus.isConnected ? 1 : 0));
}

/** @param calls answers for every datapath, whoever serves it. */
export function measureVnmgr(metrics: Metrics, vnmgr: Pick<VnmgrCalls, 'status'> & { revision(): Revision }, slices?: SliceServer): void {
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

export function measureVna(metrics: Metrics, agents: readonly Agent[], source?: SliceClient): void {
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
    { name: 'hotori_vna_openflow_connected', help: '1 while the switch is connected.', labels },
    perBridge((agent) => (agent.health().openflow_connected ? 1 : 0)),
  );
  metrics.gauge(
    { name: 'hotori_vna_attached', help: '1 while attached to a vnmgr.', labels },
    perBridge((agent) => (agent.health().attached ? 1 : 0)),
  );
  metrics.gauge(
    { name: 'hotori_vna_flows', help: 'Flows the switch has confirmed.', labels },
    perBridge((agent) => agent.health().flow_count),
  );
  metrics.gauge(
    { name: 'hotori_vna_slice_held', help: '1 while a slice is held back that would take most away.', labels },
    perBridge((agent) => (agent.health().held === null ? 0 : 1)),
  );
  metrics.counter({ name: 'hotori_vna_flow_ops_total', help: 'Flow and group modifications sent to the switch.', labels }, () =>
    agents.map((agent) => ({ labels: { bridge: agent.bridge }, value: agent.counters().flows.modifications })),
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
  metrics.counter({ name: 'hotori_vna_packet_in_total', help: 'Packets the switch asked about.', labels }, () =>
    agents.map((agent) => ({ labels: { bridge: agent.bridge }, value: agent.counters().punts.received })),
  );
  metrics.counter({ name: 'hotori_vna_packet_in_dropped_total', help: 'Of those, dropped since there were too many.', labels }, () =>
    agents.map((agent) => ({ labels: { bridge: agent.bridge }, value: agent.counters().punts.overflowed })),
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
