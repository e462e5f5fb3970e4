import { requestDurations } from '../../webapi/rest/app.js';
import type { Metrics } from '../../controller/kernel/metrics.js';
import { measureBus, measureStore, measureVna, measureVnmgr, newMetrics, timeVna, timeVnmgr } from '../../roles/metrics.js';
import { expectGenerated, markdownTable } from './generated.js';

const store = { epoch: () => 1 };
const bus = { isConnected: true };
const vnmgr = {
  revision: () => ({ incarnation: 'i', number: 1 }),
  status: () => Promise.resolve({ version: '', revision: { incarnation: 'i', number: 1 }, datapaths: [] }),
};

/** What each role of its own makes known. */
const ROLES: Readonly<Record<string, (metrics: Metrics) => void>> = {
  webapi: (metrics) => {
    measureBus(metrics, bus);
    measureStore(metrics, store);
    requestDurations(metrics);
  },
  vnmgr: (metrics) => {
    measureBus(metrics, bus);
    measureStore(metrics, store);
    timeVnmgr(metrics);
    measureVnmgr(metrics, vnmgr, { attached: 0 });
  },
  vna: (metrics) => {
    measureBus(metrics, bus);
    timeVna(metrics);
    measureVna(metrics, [], { counters: { gaps: 0, relists: 0 } });
  },
};

const all = Object.entries(ROLES).map(([role, measure]) => {
  const metrics = newMetrics('');
  measure(metrics);
  return { role, list: metrics.list() };
});

/** What operators of such a system look for, with the labels they expect. */
const EXPECTED = {
  hotori_vnmgr_revision: [],
  hotori_vnmgr_compile_seconds: ['kind'],
  hotori_vna_compile_seconds: ['kind'],
  hotori_vna_compile_mismatch_total: [],
  hotori_vna_desired_revision: [],
  hotori_vna_installed_revision: [],
  hotori_vna_flows: ['table'],
  hotori_vna_flow_ops_total: ['op', 'result'],
  hotori_vna_sync_seconds: [],
  hotori_vna_drift_total: ['kind'],
  hotori_vna_openflow_connected: [],
  hotori_vna_packet_in_total: ['reason', 'service'],
  hotori_vna_packet_in_dropped_total: ['limiter'],
  hotori_bus_gap_total: [],
  hotori_bus_relist_total: [],
  hotori_http_request_duration_seconds: ['method', 'route', 'code'],
  hotori_lease_epoch: [],
  hotori_eventloop_lag_seconds: [],
};

describe('metrics', () => {
  it('have the names and labels that dashboards are made for', () => {
    const labels = new Map(all.flatMap(({ list }) => list.map((metric) => [metric.name, metric.labels] as const)));
    const found = Object.keys(EXPECTED).map((name) => [name, labels.get(name)?.filter((label) => label !== 'bridge')]);
    expect(Object.fromEntries(found)).toEqual(EXPECTED);
  });

  it('are named by what they are: prefix, base unit, _total for counters', () => {
    const wrong = all
      .flatMap(({ list }) => list)
      .filter(
        ({ name, type }) =>
          !/^hotori_[a-z_]+$/.test(name) ||
          (type === 'counter') !== name.endsWith('_total') ||
          (type === 'histogram') !== name.endsWith('_seconds'),
      )
      .map(({ name }) => name);
    expect(new Set(wrong)).toEqual(new Set(['hotori_eventloop_lag_seconds']));
  });

  it('are listed in docs/operations/monitoring.md, by the roles that have them', () => {
    const byName = new Map<string, { roles: string[]; type: string; labels: readonly string[]; help: string }>();
    for (const { role, list } of all)
      for (const { name, type, labels, help } of list) {
        const known = byName.get(name);
        if (known) known.roles.push(role);
        else byName.set(name, { roles: [role], type, labels, help });
      }
    const rows = [...byName]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { roles, type, labels, help }]) => [`\`${name}\``, type, labels.join(', '), roles.join(', '), help]);
    expectGenerated('docs/operations/monitoring.md', 'metrics', markdownTable(['metric', 'type', 'labels', 'of', 'says'], rows));
  });
});
