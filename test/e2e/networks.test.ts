import { eventually } from '../lab/eventually.js';
import type { Vm } from '../lab/vm.js';
import { World } from './world.js';

/** VM a1 and a2 in nw-a, b1 in nw-b; no security groups. */
describe('networks and routers on a real switch', () => {
  let world: World;
  let a1: Vm, a2: Vm, b1: Vm;

  beforeAll(async () => {
    world = await World.start();
    await world.defineNetworks();
    [a1, a2, b1] = (await world.addVms(
      { name: 'a1', network: 'a', host: 11 },
      { name: 'a2', network: 'a', host: 12 },
      { name: 'b1', network: 'b', host: 11 },
    )) as [Vm, Vm, Vm];
  }, 60_000);
  afterAll(() => world.destroy(), 60_000);

  it('VMs reach each other in a network and across the router in both families', async () => {
    const pings: Record<string, number> = {};
    for (const [vm, target] of [
      [a1, '10.1.0.12'],
      [a1, 'fd00:1::12'],
      [a1, '10.2.0.11'],
      [a1, 'fd00:2::11'],
      [b1, '10.1.0.12'],
      [b1, 'fd00:1::12'],
    ] as const) {
      pings[`${vm.name} ${target}`] = (await vm.ping(target)).received;
    }
    expect(pings).toEqual({
      'a1 10.1.0.12': 3,
      'a1 fd00:1::12': 3,
      'a1 10.2.0.11': 3,
      'a1 fd00:2::11': 3,
      'b1 10.1.0.12': 3,
      'b1 fd00:1::12': 3,
    });
  }, 60_000);

  it('a router answers echo on each of its addresses in both families', async () => {
    const received: Record<string, number> = {};
    for (const target of ['10.1.0.1', '10.2.0.1', 'fd00:1::1', 'fd00:2::1']) received[target] = (await a1.ping(target)).received;
    expect(received).toEqual({ '10.1.0.1': 3, '10.2.0.1': 3, 'fd00:1::1': 3, 'fd00:2::1': 3 });
  }, 60_000);

  it('stock traceroute shows the router and then the destination, by UDP, ICMP and TCP and in IPv6', async () => {
    const hops = async (vm: Vm, ...argv: readonly string[]) => {
      const { stdout } = await vm.exec(['traceroute', '-n', '-q', '1', '-w', '2', '-m', '4', ...argv]);
      return stdout
        .split('\n')
        .slice(1)
        .map((line) => line.trim().split(/\s+/)[1])
        .filter((hop) => hop !== undefined);
    };
    expect({
      udp: await hops(a1, '10.2.0.11'),
      icmp: await hops(a1, '-I', '10.2.0.11'),
      tcp: await hops(a1, '-T', '-p', '80', '10.2.0.11'),
      ipv6: await hops(a1, '-6', 'fd00:2::11'),
      router: await hops(a1, '10.1.0.1'),
      same: await hops(a1, '10.1.0.12'),
    }).toEqual({
      udp: ['10.1.0.1', '10.2.0.11'],
      icmp: ['10.1.0.1', '10.2.0.11'],
      tcp: ['10.1.0.1', '10.2.0.11'],
      ipv6: ['fd00:1::1', 'fd00:2::11'],
      router: ['10.1.0.1'],
      same: ['10.1.0.12'],
    });
  }, 60_000);

  it('dhclient gets address, routes, DNS, MTU and lease time from the responder', async () => {
    const c1 = await world.lab.addVm(world.hypervisor, { name: 'c1', iface_id: 'if-c1' });
    await world.hotori.post('/interfaces?wait=installed', {
      uuid: 'if-c1',
      mode: 'vif',
      network_uuid: 'nw-a',
      mac_address: c1.mac,
      ipv4_address: '10.1.0.77',
    });
    const lease = await c1.dhclient.start();
    expect(lease).toMatchObject({
      ip_address: '10.1.0.77',
      subnet_mask: '255.255.255.0',
      routers: '10.1.0.1',
      domain_name_servers: '10.1.0.1',
      interface_mtu: '1442',
      dhcp_server_identifier: '10.1.0.1',
    });
    expect((await c1.ping('10.2.0.11')).received).toBe(3);
  }, 60_000);

  it('a router solicitation is answered with the prefix, no autoconfiguration and the router', async () => {
    const { stdout } = await a1.exec(['rdisc6', '-1', '-w', '2000', 'eth0']);
    const said = Object.fromEntries(
      stdout
        .split('\n')
        .map((line) => /^\s*(.+?)\s*:\s(.+)$/.exec(line))
        .filter((m) => m !== null)
        .map((m) => [m[1]!, m[2]!.trim()]),
    );
    expect(said).toMatchObject({
      'Stateful address conf.': 'No',
      Prefix: 'fd00:1::/64',
      'On-link': 'Yes',
      'Autonomous address conf.': 'No',
      MTU: '1442 bytes (valid)',
      'Source link-layer address': '02:00:00:00:01:01',
    });
  }, 30_000);

  it('unicast goes to exactly one port and broadcast to all but the sender', async () => {
    const seen = async (vm: Vm, filter: string, during: () => Promise<unknown>) => {
      const dump = vm.spawn(['tcpdump', '-n', '-l', '-i', 'eth0', '-Q', 'in', filter]);
      await eventually('tcpdump listening', () => /listening on/.test(dump.output()));
      await during();
      await new Promise((resolve) => setTimeout(resolve, 500));
      await dump.stop('SIGINT');
      return Number(/(\d+) packets captured/.exec(dump.output())?.[1] ?? -1);
    };
    const unicast = () => a1.ping('10.1.0.12', { count: 5 });
    const broadcast = () => a1.exec(['ping', '-n', '-b', '-c', '3', '-i', '0.2', '10.1.0.255']);
    const [own, other, toOther, toOtherNetwork] = [
      await seen(a2, 'icmp[icmptype] = icmp-echo', unicast),
      await seen(b1, 'icmp', unicast),
      await seen(a2, 'icmp and dst 10.1.0.255', broadcast),
      await seen(b1, 'icmp', broadcast),
    ];
    expect({ own, other, toOther, toOtherNetwork }).toEqual({ own: 5, other: 0, toOther: 3, toOtherNetwork: 0 });
  }, 60_000);

  it('a VM cannot send with a MAC, IP, ARP or ND address that is not its own', async () => {
    const dump = a2.spawn([
      'tcpdump',
      '-n',
      '-l',
      '-i',
      'eth0',
      '-Q',
      'in',
      'host 10.1.0.99 or ether src 02:de:ad:00:00:01 or host fd00:1::99',
    ]);
    await eventually('tcpdump listening', () => /listening on/.test(dump.output()));
    await a1.run(['ip', 'addr', 'add', '10.1.0.99/24', 'dev', 'eth0']);
    await a1.run(['ip', 'addr', 'add', 'fd00:1::99/64', 'dev', 'eth0', 'nodad']);
    const results = {
      ip: (await a1.exec(['ping', '-n', '-c', '2', '-i', '0.2', '-W', '1', '-I', '10.1.0.99', '10.1.0.12'])).code,
      ip6: (await a1.exec(['ping', '-n', '-c', '2', '-i', '0.2', '-W', '1', '-I', 'fd00:1::99', 'fd00:1::12'])).code,
      arp: (await a1.exec(['arping', '-c', '2', '-w', '2', '-I', 'eth0', '-s', '10.1.0.99', '10.1.0.12'])).code,
      mac: 0 as number | null,
    };
    await a1.run(['ip', 'addr', 'del', '10.1.0.99/24', 'dev', 'eth0']);
    await a1.run(['ip', 'addr', 'del', 'fd00:1::99/64', 'dev', 'eth0']);
    await a1.run(['ip', 'link', 'set', 'eth0', 'address', '02:de:ad:00:00:01']);
    results.mac = (await a1.exec(['ping', '-n', '-c', '2', '-i', '0.2', '-W', '1', '10.1.0.12'])).code;
    await a1.run(['ip', 'link', 'set', 'eth0', 'address', a1.mac]);
    await dump.stop('SIGINT');
    expect({ results, captured: /(\d+) packets captured/.exec(dump.output())?.[1] }).toEqual({
      results: { ip: 1, ip6: 1, arp: 1, mac: 1 },
      captured: '0',
    });
  }, 60_000);

  it('an interface deleted over REST is unreachable at once and reachable again when created anew', async () => {
    await world.hotori.delete('/interfaces/if-a2?wait=installed');
    expect((await a1.ping('10.1.0.12')).received).toBe(0);
    await world.hotori.post('/interfaces?wait=installed', {
      uuid: 'if-a2',
      mode: 'vif',
      network_uuid: 'nw-a',
      mac_address: a2.mac,
      ipv4_address: '10.1.0.12',
      ipv6_address: 'fd00:1::12',
    });
    expect((await a1.ping('10.1.0.12')).received).toBe(3);
  }, 60_000);
});
