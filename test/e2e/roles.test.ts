/**
 * The roles as processes of their own: two vnmgr, two webapi and a vna with a real switch, over a real Redis, and what is left when they die.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon } from '../lab/daemon.js';
import { eventually } from '../lab/eventually.js';
import { freePort, repositoryRoot, type Json } from '../lab/hotori.js';
import type { Hypervisor } from '../lab/hypervisor.js';
import { Lab } from '../lab/lab.js';
import { RedisServer } from '../lab/redis-server.js';
import type { Argv } from '../lab/run.js';
import { TcpProxy } from '../lab/tcp-proxy.js';
import type { Vm } from '../lab/vm.js';
import { Traffic } from './traffic.js';

const TIMEOUT = 120_000;
const MAIN = path.join(repositoryRoot(), 'dist/main.js');
/** What docs/operations/install.md gives the users of Redis. */
const VNA_RULES = [
  '~{hotori}:bus:*',
  '+ping +time +eval +evalsha +xread +xadd +xtrim +xlen +xrevrange +pexpire +exists +unlink',
  '+hget +hset +hdel +zadd +zrem +zscore +zrangebyscore +client|setname',
].join(' ');
const CORE_RULES = '~{hotori}:* +@all -@admin -@dangerous +info';

let lab: Lab;
let redis: RedisServer;
let wire: TcpProxy;
let hypervisor: Hypervisor;
let ports: Record<string, number>;
const running = new Map<string, Daemon>();
let vms: [Vm, Vm];

beforeAll(async () => {
  lab = await Lab.create();
  redis = await RedisServer.start([
    ...['--user', 'core', 'on', '>core-secret', ...CORE_RULES.split(' ')],
    ...['--user', 'vna', 'on', '>vna-secret', ...VNA_RULES.split(' ')],
    // Turned off, it would take what was committed along: Redis 7.0 reads its own file back with the rights of this user.
    ...['--user', 'default', 'on', '>default-secret', '~*', '&*', '+@all'],
  ]);
  wire = await TcpProxy.start(redis.port);
  hypervisor = await lab.addHypervisor();
  ports = {};
  for (const name of ['webapi1', 'webapi2', 'vnmgr1', 'vnmgr2', 'vna', 'stranger']) {
    // One that was free may be offered again.
    do ports[name] = await freePort();
    while (Object.values(ports).filter((port) => port === ports[name]).length > 1);
  }
  for (const name of ['vnmgr1', 'vnmgr2', 'webapi1', 'webapi2', 'vna']) start(name);
  await eventually('a webapi answering', async () => (await call('webapi1', 'GET', '/status')).status === 200, { timeoutMs: 30_000 });
  await create('webapi1', 'networks', { uuid: 'nw-a', mode: 'virtual', ipv4_network: '10.1.0.0', ipv4_prefix: 24 });
  vms = [
    await lab.addVm(hypervisor, { name: 'one', iface_id: 'if-one' }),
    await lab.addVm(hypervisor, { name: 'two', iface_id: 'if-two' }),
  ];
  for (const [index, vm] of vms.entries()) {
    const address = `10.1.0.${index + 10}`;
    await create('webapi2', 'interfaces', {
      uuid: `if-${vm.name}`,
      mode: 'vif',
      mac_address: vm.mac,
      network_uuid: 'nw-a',
      ipv4_address: address,
    });
    await vm.configure(`${address}/24`);
  }
  await eventually('the VMs reaching each other', async () => (await vms[0].ping('10.1.0.11', { count: 1 })).received === 1, {
    timeoutMs: 20_000,
  });
}, TIMEOUT);

afterAll(async () => {
  await Promise.all([...running.values()].map((daemon) => daemon.stop()));
  await wire.close();
  await lab.destroy();
  await redis.remove();
}, TIMEOUT);

function start(name: string, more: readonly string[] = []): Daemon {
  const role = name.replace(/\d$/, '');
  const url = role === 'vna' ? `redis://vna:vna-secret@127.0.0.1:${wire.port}` : `redis://core:core-secret@127.0.0.1:${redis.port}`;
  const listen = `127.0.0.1:${ports[name]}`;
  const { ovs } = hypervisor;
  const places = {
    webapi: ['--api', listen],
    vnmgr: ['--vnmgr-listen', listen],
    vna: [
      '--vna-listen',
      listen,
      '--state-dir',
      path.join(lab.dir, 'vna'),
      '--ovsdb',
      ovs.ovsdbEndpoint,
      '--datapath-type',
      'netdev',
      '--node-id',
      'hv1',
    ],
  }[role]!;
  const argv: Argv = [process.execPath, '--enable-source-maps', MAIN, role, '--redis', url, ...places, ...more];
  const daemon = Daemon.start(argv, path.join(lab.dir, `${name}.log`));
  running.set(name, daemon);
  return daemon;
}

async function call(name: string, method: string, where: string, body?: object): Promise<{ status: number; headers: Headers; body: Json }> {
  const response = await fetch(`http://127.0.0.1:${ports[name]}/api/1.0${where}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

async function create(name: string, collection: string, body: object): Promise<void> {
  const { status, body: answer } = await call(name, 'POST', `/${collection}`, body);
  if (status !== 200) throw new Error(JSON.stringify(answer));
}

/** The sum of a metric's series. */
async function metric(name: string, what: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${ports[name]}/metrics`)).text();
  const values = text.split('\n').filter((line) => line.startsWith(`${what}{`) || line.startsWith(`${what} `));
  return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

const served = async (): Promise<Json> => (await call('webapi1', 'GET', '/status')).body.datapaths[0];

describe('roles over Redis', () => {
  it(
    'lose and double no write while vnmgrs are killed and paused',
    async () => {
      let isOver = false;
      const acknowledged: string[] = [];
      const refused: Json[] = [];
      const writers = ['webapi1', 'webapi2'].map(async (name) => {
        for (let n = 0; !isOver; n++) {
          const display_name = `${name}-${n}`;
          const { status, body } = await call(name, 'POST', '/segments', { mode: 'virtual', display_name });
          if (status === 200) acknowledged.push(display_name);
          else refused.push({ display_name, ...body });
        }
      });
      for (const victim of ['vnmgr1', 'vnmgr2']) {
        await sleep(500);
        await running.get(victim)!.kill9();
        await sleep(500);
        start(victim);
        await eventually(
          `${victim} being up again`,
          () =>
            running
              .get(victim)!
              .output()
              .match(/vnmgr is up/g)!.length > 1,
          { timeoutMs: 20_000 },
        );
      }
      for (const victim of ['vnmgr1', 'vnmgr2']) {
        running.get(victim)!.signal('SIGSTOP');
        await sleep(5_000);
        running.get(victim)!.signal('SIGCONT');
        await sleep(500);
      }
      isOver = true;
      await Promise.all(writers);
      const { body } = await call('webapi2', 'GET', '/segments?limit=1000');
      const names: string[] = body.items.map(({ display_name }: Json) => display_name);
      expect({ refused, total: body.total_count, twice: names.filter((name, index) => names.indexOf(name) !== index) }).toEqual({
        refused: [],
        total: acknowledged.length,
        twice: [],
      });
      expect(names.sort()).toEqual([...acknowledged].sort());
      expect(acknowledged.length).toBeGreaterThan(20);
    },
    TIMEOUT,
  );

  it(
    'say when a change is installed, whichever is asked',
    async () => {
      const groups = await call('webapi1', 'POST', '/security_groups?wait=installed', { uuid: 'sg-a' });
      const change = await call('webapi2', 'PUT', '/interfaces/if-one?wait=installed&timeout=20', { display_name: 'renamed' });
      expect([groups.status, change.status, change.body.installed]).toEqual([200, 200, true]);
      const revision = change.headers.get('Hotori-Revision')!;
      const asked = await call('webapi1', 'GET', `/status?wait=installed&revision=${revision}&timeout=20`);
      expect([asked.status, asked.body.installed]).toEqual([200, true]);
      const flows = await call('webapi2', 'GET', `/datapaths/${(await served()).uuid}/flows?owner=if-one`);
      expect(flows.body.total_count).toBeGreaterThan(0);
    },
    TIMEOUT,
  );

  it(
    'leave the traffic alone when Redis dies, the vna is cut off, and every vnmgr is gone',
    async () => {
      const traffic = await Traffic.start([{ name: 'one-two', from: vms[0], to: '10.1.0.11' }], { interval: 0.01 });
      const before = await metric('vna', 'hotori_vna_flow_ops_total');
      await redis.kill9();
      await sleep(2_000);
      const without = await call('webapi1', 'POST', '/segments', { mode: 'virtual', uuid: 'seg-without' }).catch(() => undefined);
      await redis.restart();
      await eventually(
        'a write being possible',
        async () => (await call('webapi1', 'POST', '/segments', { mode: 'virtual', uuid: 'seg-with' })).status === 200,
        { timeoutMs: 20_000 },
      );
      wire.silence();
      await sleep(6_000);
      wire.open();
      await eventually('the vna being attached', async () => (await served()).served_by !== null, { timeoutMs: 20_000 });
      for (const name of ['vnmgr1', 'vnmgr2']) await running.get(name)!.kill9();
      const unanswered = await call('webapi1', 'POST', '/segments', { mode: 'virtual', uuid: 'seg-nobody' });
      for (const name of ['vnmgr1', 'vnmgr2']) start(name);
      await eventually(
        'a change being installed',
        async () => (await call('webapi1', 'PUT', '/interfaces/if-two?wait=installed&timeout=5', { display_name: 'again' })).status === 200,
        { timeoutMs: 30_000 },
      );
      const results = await traffic.stop();
      expect({
        lost: results.get('one-two')!.lost,
        flow_mods: (await metric('vna', 'hotori_vna_flow_ops_total')) - before,
        without: without?.status,
        unanswered: [unanswered.status, unanswered.headers.get('Retry-After') !== null],
      }).toEqual({ lost: 0, flow_mods: 0, without: 503, unanswered: [503, true] });
    },
    TIMEOUT,
  );

  it(
    'bring the ports up again from the slice on disk when everything else is gone',
    async () => {
      await eventually('the slice being on disk', async () => (await served()).connected === true);
      await sleep(2_000);
      await running.get('vna')!.stop();
      await redis.kill9();
      // What a reboot leaves of the flows.
      await hypervisor.ovs.ofctl(['del-flows', 'br-int']);
      start('vna');
      await eventually('the VMs reaching each other', async () => (await vms[0].ping('10.1.0.11', { count: 1 })).received === 1, {
        timeoutMs: 30_000,
      });
      expect((await fetch(`http://127.0.0.1:${ports['vna']}/readyz`)).status).toBe(200);
      await redis.restart();
      await eventually('the vna being attached', async () => (await served()).connected === true, { timeoutMs: 30_000 });
    },
    TIMEOUT,
  );

  it(
    'give nothing to who has not got the right password, and the store to no vna',
    async () => {
      const stranger = Daemon.start(
        [
          process.execPath,
          MAIN,
          'vnmgr',
          '--redis',
          `redis://core:wrong@127.0.0.1:${redis.port}`,
          '--vnmgr-listen',
          `127.0.0.1:${ports['stranger']}`,
        ],
        path.join(lab.dir, 'stranger.log'),
      );
      await stranger.exited;
      expect(stranger.output()).toMatch(/WRONGPASS/);
      const asVna = (...argv: string[]) => redis.cli('--user', 'vna', '--pass', 'vna-secret', '--no-auth-warning', ...argv);
      for (const command of [
        ['HGETALL', '{hotori}:entities'],
        ['SET', '{hotori}:x', '1'],
        ['FLUSHALL'],
        ['CONFIG', 'GET', '*'],
        ['KEYS', '*'],
      ])
        expect((await asVna(...command)).stdout).toMatch(/NOPERM/);
    },
    TIMEOUT,
  );
});
