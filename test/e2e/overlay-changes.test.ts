/**
 * What changes between hypervisors while VMs talk: how a pair is to be reached, who else there is, and what a vna is told of its own.
 */
import { eventually } from '../lab/eventually.js';
import path from 'node:path';
import { Fleet } from '../lab/fleet.js';
import type { Hotori, Json } from '../lab/hotori.js';
import { RedisServer } from '../lab/redis.js';
import type { Lab } from '../lab/lab.js';
import { UNDERLAY_BRIDGE, type Attachment, type Underlay } from '../lab/underlay.js';
import type { Vm } from '../lab/vm.js';
import { stopped } from './overlay-world.js';
import { startThree } from './three-hypervisors.js';
import { Traffic } from './traffic.js';
import { post } from './world.js';

const NARROW = 1400;

interface Site {
  readonly lab: Lab;
  readonly underlay: Underlay;
  readonly redis: RedisServer;
  readonly hotori: Fleet;
  /** What each vna is told of the overlay; counts from its next start. */
  readonly settings: readonly { overlay: object }[];
  readonly vms: readonly Vm[];
}

let site: Site;
beforeAll(async () => {
  site = await startThree(start);
}, 60_000);
afterAll(async () => {
  await site.hotori.close();
  await site.lab.destroy();
  await site.redis.stop();
}, 60_000);

/** hv1 and hv2 offer everything, hv1 over IPv6 too; hv3 has VXLAN alone, over a narrow underlay, and no VM yet. */
async function start(lab: Lab, underlay: Underlay): Promise<Site> {
  const wide = { encap: ['geneve', 'vxlan', 'gre'] };
  const offers = [wide, wide, { encap: ['vxlan'], underlay_mtu: NARROW }];
  const vna = underlay.attachments.map(({ hypervisor: { ovs, name }, ipv4, ipv6 }, i) => ({
    ovsdb: ovs.ovsdbEndpoint,
    datapath_type: ovs.datapathType,
    node_id: name,
    bridge_mappings: { underlay: UNDERLAY_BRIDGE },
    overlay: { address: i === 0 ? [ipv4, ipv6] : ipv4, probe_period: 0.3, ...offers[i] },
  }));
  const redis = await RedisServer.start(path.join(lab.dir, 'redis'));
  const dir = path.join(lab.dir, 'fleet');
  const hotori = await Fleet.make({ dir, ovs: lab.hypervisors[0]!.ovs, vna, redis: { url: redis.url } });
  await hotori.start();
  const subnet = { ipv4_network: '10.1.0.0', ipv4_prefix: 24, ipv6_network: 'fd00:1::', ipv6_prefix: 64 };
  const gateway = { mode: 'simulated', enable_routing: true, mac_address: '02:00:00:00:01:01', network_uuid: 'nw-a' };
  await hotori.post('/batch', {
    operations: [
      post('networks', { uuid: 'nw-a', ...subnet }),
      post('interfaces', { uuid: 'if-gw', ...gateway, ipv4_address: '10.1.0.1', ipv6_address: 'fd00:1::1' }),
      post('network_services', { uuid: 'ns-a', mode: 'dhcp', interface_uuid: 'if-gw' }),
    ],
  });
  const vms = [await addVm(lab, hotori, 0), await addVm(lab, hotori, 1)];
  await hotori.untilInstalled();
  return { lab, underlay, redis, hotori, settings: vna, vms };
}

/** On the nth hypervisor from 0; resolves when its port is open. */
async function addVm(lab: Lab, hotori: Hotori, n: number): Promise<Vm> {
  const name = `vm${n}`;
  const hypervisor = lab.hypervisors[n]!;
  const vm = await lab.addVm(hypervisor, { name, iface_id: `if-${name}` });
  const addresses = { ipv4_address: addressOf(n), ipv6_address: `fd00:1::1${n}` };
  await hotori.post('/interfaces', { uuid: `if-${name}`, mode: 'vif', network_uuid: 'nw-a', mac_address: vm.mac, ...addresses });
  await eventually(`the port of ${name} being open`, async () => {
    const revision = await hypervisor.ovs.vsctl('--if-exists', 'get', 'Interface', name, 'external_ids:hotori-installed-revision');
    return revision.trim() !== '';
  });
  await vm.configure(`${addressOf(n)}/24`);
  await vm.configure(`fd00:1::1${n}/64`);
  return vm;
}

const addressOf = (n: number) => `10.1.0.1${n}`;

/** What a VM is told by router advertisement. */
async function mtuTold(vm: Vm): Promise<string | undefined> {
  const { stdout } = await vm.exec(['rdisc6', '-1', '-w', '2000', 'eth0']);
  return /MTU\s*:\s*(\d+)/.exec(stdout)?.[1];
}

/** What carries pings of the first VM to the nth, by the words of tcpdump. */
async function carriers(to: number): Promise<string[]> {
  const [here, there] = [site.underlay.attachments[0]!, site.underlay.attachments[to]!];
  const watch = await site.underlay.watch(
    here,
    `(udp port 6081 or udp port 4789 or proto gre) and (host ${there.ipv4} or host ${there.ipv6})`,
  );
  await site.vms[0]!.ping(addressOf(to), { count: 3 });
  const lines = await stopped(watch);
  return [...new Set(lines.flatMap((line) => /Geneve|VXLAN|GREv0/.exec(line)?.[0] ?? []))].sort();
}

it('a pair that is told another encapsulation changes over to it, and back, without losing a packet', async () => {
  const traffic = await Traffic.start(
    [0, 1].map((n) => ({ name: `from ${n}`, from: site.vms[n]!, to: addressOf(1 - n) })),
    { interval: 0.01 },
  );
  const seen = [await carriers(1)];
  const pair = { uuid: 't-pair', datapath_uuid: 'dp-hv1', peer_datapath_uuid: 'dp-hv2' };
  await site.hotori.post('/tunnels?wait=installed', { ...pair, encapsulation: 'vxlan' });
  seen.push(await carriers(1));
  await site.hotori.put('/tunnels/t-pair?wait=installed', { encapsulation: 'gre' });
  seen.push(await carriers(1));
  await site.hotori.delete('/tunnels/t-pair?wait=installed');
  seen.push(await carriers(1));
  const lost = [...(await traffic.stop()).values()].map((result) => result.lost);
  // Watching begins with what is on the way already.
  expect({ seen: seen.map((kinds) => kinds.at(-1)), lost }).toEqual({ seen: ['Geneve', 'VXLAN', 'GREv0', 'Geneve'], lost: [0, 0] });
}, 60_000);

it('a hypervisor that joins with less changes what VMs are told and how it is reached, and nothing between the others', async () => {
  const before = await mtuTold(site.vms[0]!);
  const traffic = await Traffic.start([{ name: 'old pair', from: site.vms[0]!, to: addressOf(1) }], { interval: 0.01 });
  const newcomer = await addVm(site.lab, site.hotori, 2);
  await site.hotori.untilInstalled();
  await eventually('the newcomer being reached', async () => (await site.vms[0]!.ping(addressOf(2), { count: 1 })).received === 1);
  const told = { first: await mtuTold(site.vms[0]!), newcomer: await mtuTold(newcomer) };
  const leases = await site.vms[1]!.dhclient.start();
  const fits = async (size: number) =>
    (await site.vms[0]!.exec(['ping', '-n', '-M', 'do', '-c', '1', '-W', '1', '-s', String(size - 28), addressOf(2)])).code === 0;
  const result = { before, told, leased: leases['interface_mtu'], fits: [await fits(NARROW - 50), await fits(NARROW - 49)] };
  const [near, far] = [await carriers(1), await carriers(2)];
  const { lost } = (await traffic.stop()).get('old pair')!;
  expect({ ...result, near, far, lost }).toEqual({
    before: '1422',
    told: { first: '1350', newcomer: '1350' },
    leased: '1350',
    fits: [true, false],
    near: ['Geneve'],
    far: ['VXLAN'],
    lost: 0,
  });
}, 60_000);

it('a hypervisor whose vna is restarted with other encapsulations and another address changes over to these without losing a packet', async () => {
  const [, { hypervisor, ipv6 }] = site.underlay.attachments as [Attachment, Attachment];
  const isChanging = async (): Promise<boolean> => {
    const { datapaths } = await site.hotori.get('/status');
    const { conditions } = datapaths.find(({ uuid }: Json) => uuid === 'dp-hv2');
    return conditions.some(({ code }: Json) => code === 'overlay_changing');
  };
  const ports = async () => (await hypervisor.ovs.vsctl('list-ports', 'br-int')).trim().split('\n').sort();
  const before = await ports();
  const traffic = await Traffic.start(
    [0, 1].map((n) => ({ name: `from ${n}`, from: site.vms[n]!, to: addressOf(1 - n) })),
    { interval: 0.01 },
  );
  site.settings[1]!.overlay = { address: ipv6, probe_period: 0.3, encap: ['gre'] };
  await site.hotori.role('vna2').stop();
  await site.hotori.startRole('vna2');
  await eventually('the change being under way', isChanging);
  const both = await ports();
  // Its successor goes on where it was.
  await site.hotori.role('vna2').kill9();
  await site.hotori.startRole('vna2');
  await eventually('the change being over', async () => (await ports()).length === 2 && !(await isChanging()), { timeoutMs: 20_000 });
  const carrier = await carriers(1);
  const lost = [...(await traffic.stop()).values()].map((result) => result.lost);
  expect({ before, both, after: await ports(), carrier, lost }).toEqual({
    before: ['geneve-br-int', 'gre-br-int', 'vm1', 'vxlan-br-int'],
    both: ['geneve-br-int', 'gre-br-int', 'vm1', 'vxlan-br-int'],
    after: ['gre-br-int', 'vm1'],
    carrier: ['GREv0'],
    lost: [0, 0],
  });
}, 60_000);
