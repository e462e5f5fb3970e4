/** What an operator meets that no other test shows: several bridges in one process, a switch that hangs, a crash during a batch, hosts that are told of changes. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseIpv4 } from '../../flows/net/ip.js';
import { parseMac } from '../../flows/net/mac.js';
import { decodeDhcp, encodeDhcp } from '../../flows/packet/dhcpv4.js';
import { DHCP_OPTION, DHCP_TYPE, uint8Of, uint8Option } from '../../flows/packet/dhcpv4-options.js';
import { Daemon } from '../lab/daemon.js';
import { eventually } from '../lab/eventually.js';
import { freePort } from '../lab/free-port.js';
import { repositoryRoot, type Hotori, type Json } from '../lab/hotori.js';
import { Lab } from '../lab/lab.js';
import type { Ovs } from '../lab/ovs.js';
import { run } from '../lab/run.js';
import type { Vm } from '../lab/vm.js';
import { post } from './world.js';

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.create();
});
afterEach(() => lab.destroy(), 15_000);

const vif = (name: string, host: number) =>
  post('interfaces', { uuid: `if-${name}`, mode: 'vif', network_uuid: 'nw-a', ipv4_address: `10.0.0.${host}` });

/** `hotori all` with a configuration file alone. */
class Configured {
  readonly url: string;
  readonly #argv: readonly [string, ...string[]];
  readonly #log: string;
  #daemon: Daemon | undefined;

  private constructor(api: string, file: string, log: string) {
    this.url = `http://${api}/api/1.0`;
    this.#argv = [process.execPath, path.join(repositoryRoot(), 'dist/main.js'), 'all', '--config', file];
    this.#log = log;
  }

  static async start(dir: string, text: string): Promise<Configured> {
    const api = `127.0.0.1:${await freePort()}`;
    const file = path.join(dir, 'hotori.yaml');
    await writeFile(file, `api: ${api}\nstate_dir: ${dir}/state\n${text}`);
    const hotori = new Configured(api, file, path.join(dir, 'hotori.log'));
    await hotori.start();
    return hotori;
  }

  async start(): Promise<void> {
    this.#daemon = Daemon.start(this.#argv, this.#log);
    await eventually('the API answering', async () => (await this.ask('GET', '/status')).status === 200);
  }

  async kill9(): Promise<void> {
    await this.#daemon?.kill9();
  }

  async stop(): Promise<unknown> {
    return this.#daemon?.stop('SIGTERM', 10_000);
  }

  async ask(method: string, at: string, body?: unknown): Promise<{ status: number; body: Json }> {
    const init = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(this.url + at, { method, ...init });
    return { status: response.status, body: await response.json() };
  }
}

describe('one process with two bridges of one Open vSwitch', () => {
  let ovs: Ovs;
  let hotori: Configured;
  const plug = (bridge: string, port: string, iface: string) =>
    ovs.vsctl('add-port', bridge, port, '--', 'set', 'interface', port, 'type=dummy', `external_ids:iface-id=${iface}`);

  beforeEach(async () => {
    ovs = await lab.addDummySwitch();
    const vna = ['one', 'two'].map((name) => `  - {ovsdb: "${ovs.ovsdbEndpoint}", node_id: ${name}, bridge: br-${name}}\n`);
    hotori = await Configured.start(lab.dir, `vna:\n${vna.join('')}`);
    const { status } = await hotori.ask('POST', '/batch', {
      operations: [post('networks', { uuid: 'nw-a', ipv4_network: '10.0.0.0' }), vif('v1', 11), vif('v2', 12)],
    });
    expect(status).toBe(200);
    await eventually('both bridges being there', () => ovs.vsctl('br-exists', 'br-one', '--', 'br-exists', 'br-two'));
    await plug('br-one', 'p1', 'if-v1');
    await plug('br-two', 'p2', 'if-v2');
    for (const port of ['p1', 'p2']) await untilInstalled(port);
  }, 30_000);
  afterEach(async () => {
    ovs.vswitchd.signal('SIGCONT');
    await hotori.stop();
  }, 15_000);

  const untilInstalled = (port: string) =>
    eventually(`${port} being installed`, async () =>
      (await ovs.vsctl('--if-exists', 'get', 'Interface', port, 'external_ids:hotori-installed-revision')).includes('"'),
    );

  it('waits for both, names those that hang, and waits on when asked again', async () => {
    const addresses = (...hosts: number[]) => ({
      operations: hosts.map((host, i) =>
        post('ip_leases', { interface_uuid: `if-v${i + 1}`, network_uuid: 'nw-a', ipv4_address: `10.0.0.${host}` }),
      ),
    });
    const done = await hotori.ask('POST', '/batch?wait=installed', addresses(21, 22));
    expect(done.body).toMatchObject({ installed: true, datapaths: ['dp-one', 'dp-two'] });

    ovs.vswitchd.signal('SIGSTOP');
    const late = await hotori.ask('POST', '/batch?wait=installed&timeout=0.5', addresses(31, 32));
    expect([late.status, late.body.datapaths, late.body.committed]).toEqual([504, ['dp-one', 'dp-two'], true]);
    ovs.vswitchd.signal('SIGCONT');
    const resumed = await hotori.ask('GET', `/status?revision=${late.body.revision}&wait=installed`);
    expect(resumed).toEqual({ status: 200, body: { installed: true, datapaths: ['dp-one', 'dp-two'], revision: late.body.revision } });
    expect(await ovs.flows('br-one')).toHaveLength((await ovs.flows('br-two')).length);
  }, 30_000);

  it('moves an interface to the bridge where it was seen last, and names the NIC that still claims it', async () => {
    const conflicts = async () => {
      const { body } = await hotori.ask('GET', '/status');
      return body.datapaths.map(({ uuid, conflicts: named }: Json) => [uuid, named]);
    };
    await plug('br-two', 'p3', 'if-v1');
    await untilInstalled('p3');
    expect(await conflicts()).toEqual([
      ['dp-one', ['port p1 claims if-v1, which is plugged at port p3 of dp-two']],
      ['dp-two', []],
    ]);
    await ovs.vsctl('del-port', 'p1');
    await eventually('the conflict being over', async () => !JSON.stringify(await conflicts()).includes('p1'));
    await ovs.vsctl('del-port', 'p3');
  }, 30_000);

  it('fills a bridge anew that somebody deleted, and its NICs when they are plugged again', async () => {
    const before = await ovs.flows('br-one');
    await ovs.vsctl('del-br', 'br-one');
    await eventually('the bridge being back', () => ovs.vsctl('br-exists', 'br-one'));
    await plug('br-one', 'p1', 'if-v1');
    await untilInstalled('p1');
    await eventually('its flows being back', async () => (await ovs.flows('br-one')).length === before.length);
    expect((await ovs.flows('br-two')).length).toBe(before.length);
  }, 30_000);

  it('killed during a batch has all of it or nothing when it returns', async () => {
    const operations = Array.from({ length: 3_000 }, (_, i) =>
      post('interfaces', { uuid: `if-b${i}`, mode: 'vif', network_uuid: 'nw-b', ipv4_address: `10.1.${i >> 8}.${(i & 255) + 1}` }),
    ).filter(({ body }) => !/\.25[56]$/.test((body as { ipv4_address: string }).ipv4_address));
    operations.unshift(post('networks', { uuid: 'nw-b', ipv4_network: '10.1.0.0', ipv4_prefix: 16 }));
    const found = new Set<string>();
    // What was acknowledged is there, what was not may be; never a part.
    for (const patience of [100, 300, 500, 10_000]) {
      const answer = hotori.ask('POST', '/batch', { operations }).then(
        ({ status }) => status,
        () => undefined,
      );
      const status = await Promise.race([answer, sleep(patience, undefined, { ref: false })]);
      await hotori.kill9();
      await hotori.start();
      const counts = await Promise.all(
        ['networks', 'interfaces', 'mac_leases', 'ip_leases'].map(
          async (one) => (await hotori.ask('GET', `/${one}?limit=1`)).body.total_count,
        ),
      );
      found.add(counts.join());
      if (status === 200) break;
    }
    const n = operations.length - 1;
    const nothing = [1, 2, 2, 2].join();
    const all = [2, n + 2, n + 2, n + 2].join();
    expect([...found].filter((counts) => counts !== nothing)).toEqual([all]);
  }, 60_000);
});

describe('a large model', () => {
  const NICS = 1_000;
  const LIMIT = 32 * 2 ** 20;

  it('arrives in one request of 32 MiB, and the flows of a thousand NICs are back after the switch was killed', async () => {
    const ovs = await lab.addDummySwitch();
    const hotori = await lab.startHotori({ ovs });
    await hotori.untilInstalled();
    const operations = [post('networks', { uuid: 'nw-a', ipv4_network: '10.0.0.0', ipv4_prefix: 8 })];
    for (let i = 1; operations.length < 20_000; i++) {
      const place = { network_uuid: 'nw-a', ipv4_address: `10.${i >> 14}.${(i >> 7) & 127}.${(i & 127) + 1}` };
      operations.push(post('interfaces', { uuid: `if-v${i}`, mode: 'vif', ...place }));
    }
    const before = (await hotori.get('/status'))['revision'] as number;
    const batch = async (bytes: number) => {
      const body = JSON.stringify({ operations }).padEnd(bytes);
      const response = await fetch(`${hotori.url}/batch`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      return [response.status, ((await response.json()) as Json).revision];
    };
    expect([await batch(LIMIT + 1), await batch(LIMIT)]).toEqual([
      [413, undefined],
      [200, before + 1],
    ]);
    for (let first = 1; first <= NICS; first += 100) {
      const ports = Array.from({ length: 100 }, (_, i) => `p${first + i}`).flatMap((port) => {
        const iface = ['type=dummy', `external_ids:iface-id=if-v${port.slice(1)}`];
        return ['--', 'add-port', 'br-int', port, '--', 'set', 'interface', port, ...iface];
      });
      await ovs.vsctl(...ports.slice(1));
    }
    const count = async () => Number(/flow_count=(\d+)/.exec(await ovs.ofctl(['dump-aggregate', 'br-int']))?.[1]);
    const all = await eventually('every NIC having its flows', async () => {
      const { applied_revision, desired_revision, flow_count } = (await hotori.get('/status')).datapaths[0];
      return applied_revision === desired_revision && flow_count > NICS * 10 && flow_count === (await count()) && flow_count;
    });
    await ovs.killVswitchd();
    await ovs.startVswitchd();
    await eventually('the flows being back', async () => (await count()) === all);
    expect(hotori.unexpectedWarnings([/no OpenFlow connection|connection_lost|hung up|trying again/])).toEqual([]);
  }, 60_000);
});

describe('a host', () => {
  let hotori: Hotori;
  let vm: Vm;

  beforeEach(async () => {
    const hypervisor = await lab.addHypervisor();
    hotori = await lab.startHotori({ ovs: hypervisor.ovs });
    await hotori.untilInstalled();
    vm = await lab.addVm(hypervisor, { name: 'v1', iface_id: 'if-v1', up: false });
    const addresses = { ipv4_address: '10.1.0.11', ipv6_address: 'fd00:1::11' };
    await hotori.post('/batch?wait=installed', {
      operations: [
        post('networks', { uuid: 'nw-a', ipv4_network: '10.1.0.0', ipv6_network: 'fd00:1::' }),
        post('interfaces', { uuid: 'if-v1', mode: 'vif', network_uuid: 'nw-a', mac_address: vm.mac, ...addresses }),
      ],
    });
  }, 30_000);
  afterEach(() => expect(hotori.unexpectedWarnings()).toEqual([]));

  const router = { uuid: 'if-gw', mode: 'simulated', enable_routing: true, network_uuid: 'nw-a', mac_address: '02:00:00:00:01:01' };

  it('that asks for nothing is told of an IPv6 router that comes later, and of another prefix', async () => {
    await vm.run(['sysctl', '-qw', 'net.ipv6.conf.eth0.router_solicitations=0', 'net.ipv6.conf.eth0.accept_ra=1']);
    await vm.setUp(true);
    const routes = async () => (await vm.run(['ip', '-6', 'route'])).split('\n').map((line) => line.split(' ').slice(0, 3).join(' '));
    await hotori.post('/interfaces?wait=installed', { ...router, ipv6_address: 'fd00:1::1' });
    await eventually('the default route', async () => (await routes()).includes('default via fe80::ff:fe00:101'));
    expect(await routes()).toContain('fd00:1::/64 dev eth0');

    const { items } = await hotori.get('/ip_leases');
    const leases = items.filter((lease: Json) => lease.ipv6_address !== null);
    await hotori.post('/batch?wait=installed', {
      operations: [
        ...leases.map(({ uuid }: Json) => ({ method: 'DELETE', path: `/ip_leases/${uuid}` })),
        { method: 'PUT', path: '/networks/nw-a', body: { ipv6_network: 'fd00:9::' } },
        ...leases.map(({ interface_uuid, ipv6_address }: Json) =>
          post('ip_leases', { interface_uuid, network_uuid: 'nw-a', ipv6_address: ipv6_address.replace('fd00:1', 'fd00:9') }),
        ),
      ],
    });
    await eventually('the new prefix', async () => (await routes()).includes('fd00:9::/64 dev eth0'));
    expect(await routes()).not.toContain('fd00:1::/64 dev eth0');
    await vm.configure('fd00:9::11/64');
    expect((await vm.ping('fd00:9::1')).received).toBe(3);
  }, 30_000);

  it('that renews an address it has lost is told so', async () => {
    await hotori.post('/batch?wait=installed', {
      operations: [
        post('interfaces', { ...router, ipv4_address: '10.1.0.1' }),
        post('network_services', { mode: 'dhcp', interface_uuid: 'if-gw' }),
      ],
    });
    await vm.setUp(true);
    await run(['ip', '-n', vm.netns.name, 'neigh', 'add', '10.1.0.1', 'lladdr', router.mac_address, 'dev', 'eth0']);
    expect(await renew('10.1.0.99')).toBe(DHCP_TYPE.NAK);
    expect(await renew('10.1.0.11')).toBe(DHCP_TYPE.ACK);
    await vm.configure('10.1.0.11/24');
    expect((await vm.ping('10.1.0.1')).received).toBe(3);
  }, 30_000);

  /** As a client in state RENEWING: by unicast, from the address it has. @returns the type of the answer */
  async function renew(address: string): Promise<number | undefined> {
    await run(['ip', '-n', vm.netns.name, 'addr', 'replace', `${address}/24`, 'dev', 'eth0']);
    const request = encodeDhcp({
      op: 'request',
      hops: 0,
      xid: 7,
      secs: 0,
      flags: 0,
      ciaddr: parseIpv4(address),
      yiaddr: 0,
      siaddr: 0,
      giaddr: 0,
      chaddr: parseMac(vm.mac),
      options: [uint8Option(DHCP_OPTION.MESSAGE_TYPE, DHCP_TYPE.REQUEST)],
    });
    const script = `
      const socket = require('node:dgram').createSocket('udp4');
      socket.on('message', (message) => (process.stdout.write(message.toString('hex')), socket.close()));
      socket.bind(68, () => socket.send(Buffer.from('${Buffer.from(request).toString('hex')}', 'hex'), 67, '10.1.0.1'));`;
    const answer = decodeDhcp(Buffer.from(await vm.run([process.execPath, '-e', script], { timeoutMs: 5_000 }), 'hex'));
    await run(['ip', '-n', vm.netns.name, 'addr', 'del', `${address}/24`, 'dev', 'eth0']);
    if (!answer.ok) throw new Error('no DHCP message');
    return uint8Of(answer.value, DHCP_OPTION.MESSAGE_TYPE);
  }
});
