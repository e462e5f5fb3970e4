/**
 * The roles as processes of their own: two vnmgr, two webapi and a vna with a real switch, over a real Redis that wants TLS, a certificate and
 * a user of everybody, and what is left when they die.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisBus } from '../../controller/bus/redis-bus.js';
import { systemRandom } from '../../controller/kernel/ambient.js';
import { encodeMessage } from '../../controller/messages/envelope.js';
import { redisAccess } from '../../controller/redis/access.js';
import { RedisConnections } from '../../controller/redis/connections.js';
import { STORE_SCHEMA_VERSION } from '../../controller/store/contract.js';
import { Certificates } from '../lab/certificates.js';
import { Daemon } from '../lab/daemon.js';
import { documentedBlocks } from '../lab/documented-blocks.js';
import { documentedMetrics, shownMetrics } from '../lab/documented-metrics.js';
import { eventually } from '../lab/eventually.js';
import { freePort } from '../lab/free-port.js';
import { Fleet } from '../lab/fleet.js';
import { repositoryRoot, type Json } from '../lab/hotori.js';
import type { Hypervisor } from '../lab/hypervisor.js';
import { Lab } from '../lab/lab.js';
import { APPEND_ALWAYS, RedisServer } from '../lab/redis.js';
import type { Vm } from '../lab/vm.js';
import { Traffic } from './traffic.js';
import { Writers } from './writers.js';

const TIMEOUT = 120_000;
const MAIN = path.join(repositoryRoot(), 'dist/main.js');
/** What docs/operations/install.md gives a user of Redis. */
function rulesOf(user: string): string[] {
  const lines = documentedBlocks('operations/install.md', 'redis.conf').join('\n').split('\n');
  const [, rules] = lines
    .map((line) => /^user (\S+)\s+on >\S+ (.*)$/.exec(line))
    .find((match) => match?.[1] === user)!
    .slice(1);
  return rules!.split(' ');
}

let lab: Lab;
let certificates: Certificates;
let redis: RedisServer;
let fleet: Fleet;
let hypervisor: Hypervisor;
let vms: [Vm, Vm];

const urlOf = (user: string, password: string) => `rediss://${user}:${password}@127.0.0.1:${redis.port}`;
/** What it says on the command line of who has this certificate. */
const certifiedAs = (name: string) => [
  ...['--redis-tls-ca', certificates.pem('ca'), '--redis-tls-cert', certificates.pem(name), '--redis-tls-key', certificates.key(name)],
];

beforeAll(async () => {
  lab = await Lab.create();
  certificates = await Certificates.in(path.join(lab.dir, 'tls'));
  for (const name of ['ca', 'stranger']) await certificates.authority(name);
  for (const name of ['server', 'client']) await certificates.certify('ca', name);
  redis = await RedisServer.start(
    path.join(lab.dir, 'redis'),
    { ...APPEND_ALWAYS, ...certificates.redisConfig('ca', 'server', await freePort()) },
    [
      ...['--user', 'core', 'on', '>core-secret', ...rulesOf('hotori')],
      ...['--user', 'vna', 'on', '>vna-secret', ...rulesOf('vna')],
      // Turned off, it would take what was committed along: Redis 7.0 reads its own file back with the rights of this user.
      ...['--user', 'default', 'on', '>default-secret', '~*', '&*', '+@all'],
    ],
  );
  hypervisor = await lab.addHypervisor();
  const { ovs } = hypervisor;
  fleet = await Fleet.make({
    dir: path.join(lab.dir, 'fleet'),
    ovs,
    webapis: 2,
    redis: { url: urlOf('core', 'core-secret'), vnaUrl: urlOf('vna', 'vna-secret'), port: redis.port, args: certifiedAs('client') },
    vna: [{ ovsdb: ovs.ovsdbEndpoint, datapath_type: ovs.datapathType, node_id: 'hv1' }],
  });
  await fleet.start();
  await fleet.post('/networks', { uuid: 'nw-a', mode: 'virtual', ipv4_network: '10.1.0.0', ipv4_prefix: 24 });
  vms = [
    await lab.addVm(hypervisor, { name: 'one', iface_id: 'if-one' }),
    await lab.addVm(hypervisor, { name: 'two', iface_id: 'if-two' }),
  ];
  for (const [index, vm] of vms.entries()) {
    const ipv4_address = `10.1.0.${index + 10}`;
    const said = { uuid: `if-${vm.name}`, mode: 'vif', mac_address: vm.mac, network_uuid: 'nw-a', ipv4_address };
    expect((await fleet.ask('webapi2', 'POST', '/interfaces', said)).status).toBe(200);
    await vm.configure(`${ipv4_address}/24`);
  }
  await untilReaching(20_000);
}, TIMEOUT);

afterAll(async () => {
  await fleet.close();
  await lab.destroy();
  await redis.stop();
}, TIMEOUT);

/** Of redis-cli. */
const overTls = () => [
  '--tls',
  '--cacert',
  certificates.pem('ca'),
  '--cert',
  certificates.pem('client'),
  '--key',
  certificates.key('client'),
];
const asAdmin = () => [...overTls(), '--pass', 'default-secret', '--no-auth-warning'];

const call = (name: string, method: string, where: string, body?: object) => fleet.ask(name, method, where, body);
const served = async (): Promise<Json> => (await call('webapi1', 'GET', '/status')).body.datapaths[0];

async function untilReaching(timeoutMs: number): Promise<void> {
  await eventually('the VMs reaching each other', async () => (await vms[0].ping('10.1.0.11', { count: 1 })).received === 1, { timeoutMs });
}

describe('roles over Redis', () => {
  it(
    'lose and double no write while vnmgrs are killed and paused',
    async () => {
      const writers = Writers.start(fleet, ['webapi1', 'webapi2']);
      for (const victim of ['vnmgr1', 'vnmgr2']) {
        await writers.more(5);
        await fleet.role(victim).kill9();
        await writers.more(5);
        await fleet.startRole(victim);
        await eventually(
          `${victim} being up again`,
          () =>
            fleet
              .role(victim)
              .output()
              .match(/vnmgr is up/g)!.length > 1,
          {
            timeoutMs: 20_000,
          },
        );
      }
      for (const victim of ['vnmgr1', 'vnmgr2']) {
        fleet.role(victim).signal('SIGSTOP');
        // Others go on while it sleeps, so that what it has under way is stale when it wakes.
        await sleep(5_000);
        fleet.role(victim).signal('SIGCONT');
        await writers.more(5);
      }
      const { acknowledged, refused, unknown, there } = await writers.stop();
      expect({ refused, unknown, there }).toEqual({ refused: [], unknown: [], there: acknowledged });
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
      for (const name of fleet.names)
        expect([name, (await fleet.look(name, '/livez')).status, (await fleet.look(name, '/readyz')).status]).toEqual([name, 200, 200]);
      // Who serves it, and the other.
      for (const name of ['vnmgr1', 'vnmgr2'])
        expect({
          connected: await fleet.metric(name, 'hotori_vnmgr_datapath_connected'),
          lag: await fleet.metric(name, 'hotori_vnmgr_datapath_lag_revisions'),
          error: await fleet.metric(name, 'hotori_vnmgr_datapath_error'),
        }).toEqual({ connected: 1, lag: 0, error: 0 });
      const flows = await call('webapi2', 'GET', `/datapaths/${(await served()).uuid}/flows?owner=if-one`);
      expect(flows.body.total_count).toBeGreaterThan(0);
    },
    TIMEOUT,
  );

  it(
    'trace, plan and say who reaches whom in any webapi, and have the switch asked by its vna',
    async () => {
      await fleet.role('vna1').stop();
      const asked = async (name: string) => {
        const { body } = await call(name, 'POST', '/traces', {
          source: 'if-one',
          destination: 'if-two',
          destination_port: 22,
          verify: true,
        });
        const [verified] = body.verified;
        return { verdict: body.verdict, agrees: verified.agrees, what: verified.difference?.what ?? null };
      };
      const gone = await asked('webapi1');
      await fleet.startRole('vna1', ['--trace-audit-rate', '600']);
      const checks = (which: string) => fleet.metric('vna1', `hotori_vna_trace_${which}_total`).catch(() => 0);
      await eventually('packets being held against the switch', async () => (await checks('checks')) > 0, { timeoutMs: 30_000 });
      const seen = [await asked('webapi1'), await asked('webapi2')];
      const before = await checks('disagreements');
      // Of an owner that the agent does not look after.
      await hypervisor.ovs.ofctl(['add-flow', 'br-int', 'table=72,priority=60000,cookie=0x77,ip,actions=drop']);
      const lied = await asked('webapi2');
      await eventually('the alarm', async () => (await checks('disagreements')) > 0, { timeoutMs: 30_000 });
      await hypervisor.ovs.ofctl(['del-flows', 'br-int', 'table=72,cookie=0x77/-1']);
      const fine = { verdict: 'delivered', agrees: true, what: null };
      expect({ gone: gone.agrees, seen, before, lied }).toEqual({
        gone: null,
        seen: [fine, fine],
        before: 0,
        lied: { ...fine, agrees: false, what: 'tables of pass 0' },
      });
      const reach = await call('webapi2', 'POST', '/reachability', {
        sources: ['if-one'],
        destinations: ['if-two'],
        services: [{ protocol: 'tcp', port: 22 }],
      });
      const plan = await call('webapi1', 'PUT', '/interfaces/if-two?dry_run=true', { security_group_uuids: ['sg-a'] });
      expect([reach.body.cells.map(({ verdict }: Json) => verdict), plan.body.reachability.changes.map(({ op }: Json) => op)]).toEqual([
        ['delivered'],
        ['closes'],
      ]);
    },
    TIMEOUT,
  );

  it(
    'measure themselves under the names that are documented, and say of which datapath and revision they speak',
    async () => {
      const { uuid } = await served();
      const text = async (name: string) => (await fleet.look(name, '/metrics')).text;
      const roleOf = (name: string) => name.replace(/\d$/, '');
      for (const name of fleet.names) expect([name, shownMetrics(await text(name))]).toEqual([name, documentedMetrics(roleOf(name))]);

      await fleet.role('vna1').stop();
      await fleet.startRole('vna1', ['--compile-check-period', '0.3']);
      const checks = () => fleet.metric('vna1', 'hotori_vna_compile_checks_total').catch(() => 0);
      await eventually('its flows having been compiled at once for a check', async () => (await checks()) >= 2, { timeoutMs: 60_000 });
      await fleet.untilInstalled(20_000);
      const change = await call('webapi1', 'PUT', '/networks/nw-a?wait=installed', { display_name: 'measured' });
      const at = Number(change.headers.get('Hotori-Revision')!.split(':').at(-1));
      const value = (name: string) => fleet.metric('vna1', `hotori_vna_${name}`);
      const now = await text('vna1');
      expect({
        revisions: [await value('desired_revision'), await value('installed_revision')],
        mismatches: await value('compile_mismatch_total'),
        synced: (await value('sync_seconds_count')) >= 2,
        compiled: /^hotori_vna_compile_seconds_count\{bridge="br-int",kind="full"\} 1$/m.test(now),
        flows: /^hotori_vna_flows\{bridge="br-int",table="L2_LOOKUP"\} [1-9]/m.test(now),
        epoch: await fleet.metric('vnmgr1', 'hotori_lease_epoch'),
      }).toEqual({ revisions: [at, at], mismatches: 0, synced: true, compiled: true, flows: true, epoch: 1 });

      const said = fleet
        .role('vna1')
        .output()
        .split('\n')
        .filter((line) => line.includes('"bridge":"br-int"'))
        .map((line) => JSON.parse(line));
      const silent = said.filter(({ datapath, revision: its }) => !/^(dp-|0x)/.test(String(datapath)) || its === undefined);
      expect(silent).toEqual([]);
      expect(
        said.filter(({ msg }) => msg === 'switch adopted').map(({ datapath, revision: its }) => [datapath, typeof its]),
      ).toContainEqual([uuid, 'number']);
      expect(fleet.log()).toMatch(new RegExp(`"datapath":"${uuid}","revision":\\d+,.*"msg":"a vna is attached"`));
    },
    TIMEOUT,
  );

  it(
    'delete what is named by what it says, too',
    async () => {
      const { uuid } = await served();
      await fleet.post('/interfaces', { uuid: 'if-host', mode: 'host', owner_datapath_uuid: uuid, port_name: 'eth9' });
      await fleet.post(`/datapaths/${uuid}/networks/nw-a`, { interface_uuid: 'if-host' });
      expect((await call('webapi2', 'DELETE', `/datapaths/${uuid}/networks/nw-a`)).status).toBe(200);
      expect((await call('webapi1', 'GET', `/datapaths/${uuid}/networks`)).body.items).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'leave the traffic alone when Redis dies and every vnmgr is gone',
    async () => {
      const traffic = await Traffic.start([{ name: 'one-two', from: vms[0], to: '10.1.0.11' }], { interval: 0.01 });
      const before = await fleet.metric('vna1', 'hotori_vna_flow_ops_total');
      await redis.kill9();
      const without = await call('webapi1', 'POST', '/segments', { mode: 'virtual', uuid: 'seg-without' });
      for (const name of ['webapi1', 'vnmgr1']) {
        expect((await fleet.look(name, '/livez')).status).toBe(200);
        expect(await fleet.look(name, '/readyz')).toMatchObject({ status: 503, text: expect.stringMatching(/no connection to Redis/) });
      }
      // Whoever has a slice is of use.
      expect((await fleet.look('vna1', '/readyz')).status).toBe(200);
      await redis.run();
      await eventually(
        'a write being possible',
        async () => (await call('webapi1', 'POST', '/segments', { mode: 'virtual', uuid: 'seg-with' })).status === 200,
        { timeoutMs: 20_000 },
      );

      for (const name of ['vnmgr1', 'vnmgr2']) await fleet.role(name).kill9();
      const unanswered = await call('webapi1', 'POST', '/segments', { mode: 'virtual', uuid: 'seg-nobody' });

      for (const name of ['vnmgr1', 'vnmgr2']) await fleet.startRole(name);
      await eventually(
        'a change being installed',
        async () => (await call('webapi1', 'PUT', '/interfaces/if-two?wait=installed&timeout=5', { display_name: 'again' })).status === 200,
        { timeoutMs: 30_000 },
      );

      const results = await traffic.stop();
      expect({
        lost: results.get('one-two')!.lost,
        flow_mods: (await fleet.metric('vna1', 'hotori_vna_flow_ops_total')) - before,
        without: [without.status, without.body.unknown ?? false],
        unanswered: [unanswered.status, unanswered.headers.get('Retry-After') !== null],
      }).toEqual({ lost: 0, flow_mods: 0, without: [503, false], unanswered: [503, true] });
    },
    TIMEOUT,
  );

  it(
    'bring the ports up again from the slice on disk when everything else is gone',
    async () => {
      await eventually('the vna being attached', async () => (await served()).connected === true);
      await fleet.role('vna1').stop();
      await redis.kill9();
      // What a reboot leaves of the flows.
      await hypervisor.ovs.ofctl(['del-flows', 'br-int']);
      await fleet.startRole('vna1');
      await untilReaching(30_000);
      expect(await fleet.look('vna1', '/readyz')).toMatchObject({ status: 200 });
      await redis.run();
      await eventually('the vna being attached', async () => (await served()).connected === true, { timeoutMs: 30_000 });
    },
    TIMEOUT,
  );

  it(
    'live on whatever bytes come over the bus, and name who speaks another version',
    async () => {
      const tls = {
        redis_tls_ca: certificates.pem('ca'),
        redis_tls_cert: certificates.pem('client'),
        redis_tls_key: certificates.key('client'),
      };
      const access = redisAccess({ redis: urlOf('core', 'core-secret'), redis_prefix: 'hotori', ...tls });
      const connections = new RedisConnections({ access, random: systemRandom, name: 'mallory' });
      const line = connections.link('commands');
      const bus = new RedisBus({ member: 'mallory', prefix: connections.keyPrefix, commands: line, blocking: connections.link('reader') });
      const rubbish = Buffer.from('9f1bffffffffffffffff00c3', 'hex');
      const pids = fleet.names.map((name) => fleet.role(name).pid);
      const ask = (subject: string, payload: Uint8Array) => bus.request(subject, payload, { timeoutMs: 3_000 }).catch(() => undefined);
      try {
        const { uuid, served_by } = await served();
        for (const subject of ['control', 'slices', `slices/${served_by}`, `datapath/${uuid}`])
          for (const payload of [rubbish, encodeMessage('attach', { hello: 1 }), encodeMessage('status', {}, 999)])
            await ask(subject, payload);
        for (const table of ['claims', 'applied', 'vnmgrs', 'applied-wanted', 'serve:control'])
          await bus.put(table, 'mallory', rubbish, 60_000);
        // No message at all, in every stream there is.
        for (let cursor = '0'; ;) {
          const [next, keys] = (await line.call(['SCAN', cursor, 'MATCH', '{hotori}:bus:*', 'TYPE', 'stream'])) as [Buffer, Buffer[]];
          for (const key of keys)
            await eventually('rubbish in the stream', async () => {
              const [last] = (await line.call(['XREVRANGE', key, '+', '-', 'COUNT', 1])) as [[Buffer, unknown]?];
              const [at] = String(last?.[0] ?? '0-0').split('-');
              // Fails when somebody else was quicker.
              return line.call(['XADD', key, `${BigInt(at!) + 1n}-0`, 'rubbish', rubbish]);
            });
          cursor = String(next);
          if (cursor === '0') break;
        }
        await eventually(
          'a change being installed',
          async () =>
            (await call('webapi1', 'PUT', '/interfaces/if-two?wait=installed&timeout=5', { display_name: 'after' })).status === 200,
          { timeoutMs: 30_000 },
        );
      } finally {
        await bus.close();
        await connections.close();
      }
      expect(fleet.names.map((name) => fleet.role(name).isRunning && fleet.role(name).pid)).toEqual(pids);
      expect(fleet.log()).toMatch(
        /"peer":"mallory","reason":"a message of version 999 came[^"]*","msg":"a program of another version speaks to us"/,
      );
      expect(fleet.log()).toMatch(/"peer":"mallory","reason":"a message of \d+ bytes is not? [^"]*","msg":"a message cannot be read"/);
    },
    TIMEOUT,
  );

  it(
    'live on what is damaged in the store, name it, and go on when it is mended; one that starts does not',
    async () => {
      const pids = fleet.names.map((name) => fleet.role(name).pid);
      const admin = (...command: string[]) => redis.cli(...asAdmin(), ...command);
      const rename = (to: string) => call('webapi2', 'PUT', '/networks/nw-a?wait=installed&timeout=5', { display_name: to });
      await admin('HSET', '{hotori}:entities', 'seg-damaged', 'rubbish');
      expect((await rename('while an entity is damaged')).status).toBe(200);
      const argv = ['vnmgr', '--redis', urlOf('core', 'core-secret'), ...certifiedAs('client'), '--vnmgr-listen', '127.0.0.1:0'];
      const started = Daemon.start([process.execPath, MAIN, ...argv], path.join(lab.dir, 'on-damage.log'));
      expect([await started.exited, started.output()]).toEqual([
        { code: 1, signal: null },
        expect.stringMatching(/^hotori: .*seg-damaged in the store in .*(cannot be read|is damaged)/m),
      ]);
      await admin('HDEL', '{hotori}:entities', 'seg-damaged');

      // The change that would come next is there, and is none.
      const at = Number((await admin('HGET', '{hotori}:meta', 'revision')).trim());
      const previous = (await admin('HGET', '{hotori}:meta', 'commit')).trim();
      await admin('XADD', '{hotori}:log', `${at + 1}-0`, 'id', 'x', 'previous', previous, 'change', 'rubbish');
      const damage = new RegExp(
        `revision ${at + 1} of the log in the store in .* cannot be read.*"msg":"the store cannot be followed; trying again"`,
      );
      for (const name of ['webapi1', 'vnmgr1']) await eventually(`${name} naming the damage`, () => damage.test(fleet.role(name).output()));
      const refused = await rename('while the log is damaged');
      await admin('XDEL', '{hotori}:log', `${at + 1}-0`);
      await admin('XSETID', '{hotori}:log', `${at}-0`);
      await eventually('a write being possible', async () => (await rename('mended')).status === 200, { timeoutMs: 30_000 });
      expect(refused.status).toBe(503);
      // Once, and not with every attempt.
      expect(fleet.role('webapi1').output().match(new RegExp(damage, 'g'))).toHaveLength(1);
      expect(fleet.names.map((name) => fleet.role(name).isRunning && fleet.role(name).pid)).toEqual(pids);
    },
    TIMEOUT,
  );

  it(
    'refuse a second vna under the same node id, and another bridge with the same dpid, and name both',
    async () => {
      const { ovs } = await lab.addHypervisor('hv2');
      const begin = (name: string, ...argv: string[]) => {
        const state = ['--state-dir', path.join(lab.dir, `second-${name}`), '--vna-listen', '127.0.0.1:0', '--datapath-type', 'netdev'];
        const redisArgs = ['--redis', urlOf('vna', 'vna-secret'), ...certifiedAs('client')];
        return Daemon.start(
          [process.execPath, MAIN, 'vna', ...redisArgs, ...state, '--ovsdb', ovs.ovsdbEndpoint, ...argv],
          path.join(lab.dir, `${name}.log`),
        );
      };
      const before = await served();
      const dpid = (await call('webapi1', 'GET', `/datapaths/${before.uuid}`)).body.dpid as string;
      const refusal = (node: string, hint: string) =>
        new RegExp(`datapath ${dpid} of node ${node} is served by the vna vna:hv1:\\w+ of node hv1; ${hint}`);
      const twin = begin('twin', '--node-id', 'hv1');
      await eventually('the twin being refused', () => refusal('hv1', 'two hypervisors have one node id').test(twin.output()), {
        timeoutMs: 20_000,
      });
      await twin.stop();
      const other = begin('other', '--node-id', 'hv2', '--datapath-id', dpid.slice(2));
      await eventually('the other being refused', () => refusal('hv2', 'two bridges have one dpid').test(other.output()), {
        timeoutMs: 20_000,
      });
      await other.stop();
      expect(fleet.log()).toMatch(
        /"datapath":"0x\w+","revision":\d+,"node_id":"hv2","vna":"vna:hv2:\w+","other_node_id":"hv1","other_vna":"vna:hv1:\w+","msg":"a second vna for one datapath is refused"/,
      );
      expect(await served()).toMatchObject({ uuid: before.uuid, connected: true, served_by: before.served_by });
    },
    TIMEOUT,
  );

  it(
    'do not start on a store that a newer version has written, and say so',
    async () => {
      const setSchema = (version: string) => redis.cli(...asAdmin(), 'HSET', '{hotori}:meta', 'schema', version);
      await setSchema('99');
      const begin = (role: string) => {
        const argv = [role, '--redis', urlOf('core', 'core-secret'), ...certifiedAs('client')];
        return Daemon.start([process.execPath, MAIN, ...argv], path.join(lab.dir, `old-${role}.log`));
      };
      const old = ['vnmgr', 'webapi'].map(begin);
      for (const { exited } of old) expect(await exited).toEqual({ code: 1, signal: null });
      for (const one of old)
        expect(one.output()).toMatch(/^hotori: the store in .* was written by a newer version \(schema 99; this one knows \d+\)$/m);
      await setSchema(String(STORE_SCHEMA_VERSION));
    },
    TIMEOUT,
  );

  it(
    'give nothing to who has not got the right password or certificate, and the store to no vna',
    async () => {
      const begin = (role: 'vnmgr' | 'vna', url: string, certificate: string) => {
        const state = role === 'vna' ? ['--state-dir', path.join(lab.dir, 'stranger')] : [];
        const argv = [role, '--redis', url, ...certifiedAs(certificate), ...state, `--${role}-listen`, '127.0.0.1:0'];
        const log = path.join(lab.dir, `stranger-${role}-${certificate}.log`);
        return Daemon.start([process.execPath, MAIN, ...argv], log);
      };
      const wrong = begin('vnmgr', urlOf('core', 'wrong'), 'client');
      const unknown = begin('vnmgr', urlOf('core', 'core-secret'), 'stranger');
      const curious = begin('vna', urlOf('vna', 'wrong'), 'client');
      await Promise.all([wrong.exited, unknown.exited]);
      expect(wrong.output()).toMatch(/^hotori: .*WRONGPASS/m);
      expect(unknown.output()).toMatch(/^hotori: .*unknown ca/m);
      // A vna waits for better times, and says what for.
      await eventually('the vna being refused', () => /no connection to Redis: .*WRONGPASS/.test(curious.output()));
      await curious.stop();
      expect((await call('webapi1', 'GET', '/status')).body.datapaths).toHaveLength(1);
      for (const command of ['HGETALL {hotori}:entities', 'SET {hotori}:x 1', 'FLUSHALL', 'CONFIG GET *', 'KEYS *'])
        expect(await redis.cli(...overTls(), '--user', 'vna', '--pass', 'vna-secret', '--no-auth-warning', ...command.split(' '))).toMatch(
          /NOPERM/,
        );
    },
    TIMEOUT,
  );
});
