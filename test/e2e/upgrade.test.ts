/**
 * An upgrade between two versions, process by process as docs/operations/upgrade.md says, under traffic. For `make soak`: the older version is built from the
 * history of this repository, which a shallow clone lacks.
 */
import { symlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon } from '../lab/daemon.js';
import { eventually } from '../lab/eventually.js';
import { Fleet } from '../lab/fleet.js';
import { repositoryRoot } from '../lab/hotori.js';
import type { Lab } from '../lab/lab.js';
import { RedisServer } from '../lab/redis.js';
import { run } from '../lab/run.js';
import { UNDERLAY_BRIDGE, type Underlay } from '../lab/underlay.js';
import type { Vm } from '../lab/vm.js';
import { startThree } from './three-hypervisors.js';
import { Traffic } from './traffic.js';
import { post } from './world.js';

const TIMEOUT = 600_000;
/** The last commit with version 2 of the pipeline and version 1 of the store's schema. */
const OLDER = process.env['UPGRADE_FROM'] ?? '49144a564303fc1917dc85ac046a9213dbc9e7e6';

/** Within a network and routed, on one hypervisor and between them. */
const PAIRS = [
  [0, 1],
  [0, 2],
  [0, 3],
  [2, 4],
  [4, 0],
  [5, 3],
] as const;

let lab: Lab;
let underlay: Underlay;
let redis: RedisServer;
let fleet: Fleet;
let vms: Vm[];

beforeAll(async () => {
  ({ lab, underlay } = await startThree((lab, underlay) => Promise.resolve({ lab, underlay })));
  redis = await RedisServer.start(path.join(lab.dir, 'redis'));
  fleet = await Fleet.make({
    dir: path.join(lab.dir, 'fleet'),
    ovs: lab.hypervisors[0]!.ovs,
    redis: { url: redis.url },
    vna: underlay.attachments.map(({ hypervisor: { ovs, name }, ipv4 }) => ({
      ovsdb: ovs.ovsdbEndpoint,
      datapath_type: ovs.datapathType,
      node_id: name,
      bridge_mappings: { underlay: UNDERLAY_BRIDGE },
      overlay: { address: ipv4 },
    })),
  });
  fleet.useProgram(await build(OLDER, path.join(lab.dir, 'older')));
  await fleet.start();
  vms = await define();
}, TIMEOUT);

afterAll(async () => {
  await fleet.close();
  await lab.destroy();
  await redis.stop();
}, TIMEOUT);

/** @returns the main.js of a version of this repository, built in a directory */
async function build(commit: string, dir: string): Promise<string> {
  const root = repositoryRoot();
  await run(['mkdir', '-p', dir]);
  await run(['git', '-C', root, 'archive', '--format=tar', '-o', path.join(dir, 'tree.tar'), commit]);
  await run(['tar', 'xf', path.join(dir, 'tree.tar'), '-C', dir]);
  await symlink(path.join(root, 'node_modules'), path.join(dir, 'node_modules'));
  const compile = [
    process.execPath,
    path.join(root, 'node_modules/typescript/bin/tsc'),
    '-p',
    path.join(dir, 'tsconfig.build.json'),
  ] as const;
  // What has been compiled already is noted beside the modules, which are this version's.
  await run([...compile, '--tsBuildInfoFile', path.join(dir, 'tsbuildinfo')], { timeoutMs: 300_000 });
  return path.join(dir, 'dist/main.js');
}

/** Two networks with a router between them, a stateful group, two VMs on each hypervisor, one in each network. */
async function define(): Promise<Vm[]> {
  const any = { protocol: 'any', remote: { security_group_uuid: 'sg-all' } };
  await fleet.post('/batch', {
    operations: [
      post('security_groups', { uuid: 'sg-all', rules: [{ direction: 'ingress', ...any }] }),
      post('route_links', { uuid: 'rl-1' }),
      ...[1, 2].flatMap((n) => [
        post('networks', { uuid: `nw-${n}`, ipv4_network: `10.${n}.0.0`, ipv4_prefix: 24 }),
        post('interfaces', {
          uuid: `if-gw${n}`,
          mode: 'simulated',
          enable_routing: true,
          mac_address: `02:00:00:00:0${n}:01`,
          network_uuid: `nw-${n}`,
          ipv4_address: `10.${n}.0.1`,
        }),
        post('routes', {
          uuid: `r-${n}`,
          interface_uuid: `if-gw${n}`,
          network_uuid: `nw-${n}`,
          route_link_uuid: 'rl-1',
          ipv4_network: `10.${n}.0.0`,
          ipv4_prefix: 24,
        }),
      ]),
    ],
  });
  const all: Vm[] = [];
  for (const n of [0, 1, 2, 3, 4, 5]) {
    const hypervisor = lab.hypervisors[Math.floor(n / 2)]!;
    const vm = await lab.addVm(hypervisor, { name: `vm${n}`, iface_id: `if-vm${n}`, mtu: 1442 });
    const place = { mode: 'vif', mac_address: vm.mac, network_uuid: `nw-${(n % 2) + 1}`, ipv4_address: addressOf(n) };
    await fleet.post('/interfaces', { uuid: `if-vm${n}`, ...place, security_group_uuids: ['sg-all'] });
    await vm.configure(`${addressOf(n)}/24`, `10.${(n % 2) + 1}.0.1`);
    all.push(vm);
  }
  await fleet.untilInstalled(30_000);
  // The older version does not try its ways before the first packet goes there.
  for (const [from, to] of PAIRS)
    await eventually('everybody being reached', async () => (await all[from]!.ping(addressOf(to), { count: 1 })).received === 1);
  return all;
}

const addressOf = (n: number) => `10.${(n % 2) + 1}.0.1${n}`;

/** A connection over which a number goes there and back fifty times a second. */
async function talk(from: number, to: number): Promise<Daemon> {
  const echo = "require('net').createServer((s) => s.on('error', () => {}).pipe(s)).listen(9)";
  vms[to]!.spawn([process.execPath, '-e', echo]);
  await eventually('the echo listening', async () => (await vms[to]!.run(['ss', '-ltnH'])).includes(':9 '));
  const client = `const s = require('net').connect(9, '${addressOf(to)}'); let n = 0;
    setInterval(() => s.write(++n + '\\n'), 20); s.on('data', (d) => process.stdout.write(d)); s.on('close', () => console.log('closed'));`;
  const daemon = vms[from]!.spawn([process.execPath, '-e', client]);
  await eventually('the connection', () => daemon.output().length > 0);
  return daemon;
}

it(
  'replaces every process by one of this version without losing a packet or a connection',
  async () => {
    const traffic = await Traffic.start(
      PAIRS.map(([from, to]) => ({ name: `vm${from}>vm${to}`, from: vms[from]!, to: addressOf(to) })),
      { interval: 0.01 },
    );
    const connections = await Promise.all([talk(0, 3), talk(4, 2)]);
    const schemas = [await redis.cli('hget', '{hotori}:meta', 'schema')];
    fleet.useProgram(path.join(repositoryRoot(), 'dist/main.js'));
    for (const name of ['vnmgr1', 'vnmgr2', 'webapi1', 'vna1', 'vna2', 'vna3']) {
      await fleet.role(name).stop('SIGTERM', 15_000);
      await fleet.startRole(name);
      await eventually(`${name} being ready`, async () => (await fleet.look(name, '/readyz')).status === 200, { timeoutMs: 60_000 });
      await fleet.untilInstalled(60_000);
    }
    const renamed = await fleet.request('PUT', '/interfaces/if-vm0?wait=installed', { display_name: 'upgraded' });
    await sleep(1_000);
    schemas.push(await redis.cli('hget', '{hotori}:meta', 'schema'));
    const results = await traffic.stop();
    const silent = connections.filter((one) => !one.isRunning || one.output().includes('closed'));
    const errors = fleet
      .log()
      .split('\n')
      .filter((line) => /"level":(50|60)/.test(line));
    expect({
      status: renamed.status,
      schemas,
      silent: silent.length,
      errors,
      lost: [...results].filter(([, { lost }]) => lost > 0),
    }).toEqual({
      status: 200,
      schemas: ['1\n', '2\n'],
      silent: 0,
      errors: [],
      lost: [],
    });
  },
  TIMEOUT,
);
