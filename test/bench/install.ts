/**
 * From POST of an interface to its flows being in the switch.
 *
 * Owns: a real ovs-vswitchd (dummy datapath) and a `hotori all`; NICs are plugged before, so only our own path is measured:
 * REST, transaction, durable commit, slice, compile, bundle, barrier, answer.
 */
import { readFile } from 'node:fs/promises';
import type { Hotori } from '../lab/hotori.js';
import { Lab } from '../lab/lab.js';
import type { Ovs } from '../lab/ovs.js';
import { percentile, type BenchResult } from './result.js';

const SAMPLES = 50;
const NETWORK_SIZE = 250;

export async function* benchInstall(): AsyncGenerator<BenchResult> {
  for (const present of [10, 1000]) yield* measure(present);
}

async function* measure(present: number): AsyncGenerator<BenchResult> {
  const lab = await Lab.create();
  try {
    const ovs = await lab.addDummySwitch();
    const hotori = await lab.startHotori({ ovs });
    await hotori.untilInstalled(20_000);
    await plug(ovs, present + SAMPLES);
    await define(hotori, present);
    const bench = 'install';
    const at = `${present} interfaces present`;

    const times: number[] = [];
    for (let i = present; i < present + SAMPLES; i++) {
      const start = performance.now();
      const response = await hotori.request('POST', '/interfaces?wait=installed&timeout=10', interfaceOf(i));
      times.push(performance.now() - start);
      if (response.status !== 200 || response.body.datapaths.length === 0) throw new Error(JSON.stringify(response.body));
    }
    const p50 = percentile(times, 0.5);
    yield { bench, case: at, metric: 'post_to_installed', value: p50, unit: 'ms', n: SAMPLES, p50, p99: percentile(times, 0.99) };

    const { datapaths } = await hotori.get('/status');
    yield {
      bench,
      case: at,
      metric: 'flows_per_interface',
      value: datapaths[0].flow_count / (present + SAMPLES),
      unit: 'flows',
      n: present + SAMPLES,
    };
    yield { bench, case: at, metric: 'rss', value: await residentMegabytes(hotori.process.pid), unit: 'MB', n: 1 };
  } finally {
    await lab.destroy();
  }
}

async function plug(ovs: Ovs, count: number): Promise<void> {
  for (let first = 0; first < count; first += 100) {
    const args: string[] = [];
    for (let i = first; i < Math.min(count, first + 100); i++) {
      args.push('--', 'add-port', 'br-int', `p${i}`, '--', 'set', 'interface', `p${i}`, 'type=dummy', `external_ids:iface-id=if-v${i}`);
    }
    await ovs.vsctl(...args.slice(1));
  }
}

async function define(hotori: Hotori, present: number): Promise<void> {
  const operations: object[] = [
    { method: 'POST', path: '/security_groups', body: groupBody() },
    { method: 'POST', path: '/route_links', body: { uuid: 'rl-1' } },
  ];
  for (let n = 0; n <= present / NETWORK_SIZE; n++) {
    const subnet = { ipv4_network: `10.${n}.0.0`, ipv4_prefix: 22 };
    const port = { uuid: `if-gw${n}`, mode: 'simulated', enable_routing: true, network_uuid: `nw-${n}`, ipv4_address: `10.${n}.0.1` };
    operations.push(
      { method: 'POST', path: '/networks', body: { uuid: `nw-${n}`, ...subnet } },
      { method: 'POST', path: '/interfaces', body: port },
      { method: 'POST', path: '/network_services', body: { mode: 'dhcp', interface_uuid: `if-gw${n}` } },
      {
        method: 'POST',
        path: '/routes',
        body: { interface_uuid: `if-gw${n}`, network_uuid: `nw-${n}`, route_link_uuid: 'rl-1', ...subnet },
      },
    );
  }
  for (let i = 0; i < present; i++) operations.push({ method: 'POST', path: '/interfaces', body: interfaceOf(i) });
  await hotori.post('/batch?wait=installed&timeout=60', { operations });
}

function interfaceOf(i: number): object {
  const n = Math.floor(i / NETWORK_SIZE);
  const host = (i % NETWORK_SIZE) + 2;
  return { uuid: `if-v${i}`, mode: 'vif', network_uuid: `nw-${n}`, ipv4_address: `10.${n}.0.${host}`, security_group_uuids: ['sg-all'] };
}

/** Five rules, as in the workload the peers are measured with. */
function groupBody(): object {
  const tcp = (port: string) => ({ direction: 'ingress', protocol: 'tcp', ports: [port], remote: { any: true } });
  return {
    uuid: 'sg-all',
    rules: [
      tcp('22'),
      tcp('80'),
      tcp('443'),
      { direction: 'ingress', protocol: 'any', remote: { security_group_uuid: 'sg-all' } },
      { direction: 'ingress', protocol: 'icmp', remote: { any: true } },
    ],
  };
}

async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? NaN) / 1024;
}
