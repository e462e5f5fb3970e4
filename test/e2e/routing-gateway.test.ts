/** Gateways to a physical network: OpenVNet's router_p2v and wanedge, with the host outside played by the underlay's router. */
import { parseIpv4, parseIpv6 } from '../../flows/net/ip.js';
import { eui64LinkLocal, parseMac } from '../../flows/net/mac.js';
import { eventually } from '../lab/eventually.js';
import type { Hotori } from '../lab/hotori.js';
import { Lab } from '../lab/lab.js';
import { UNDERLAY_BRIDGE, type Underlay } from '../lab/underlay.js';
import type { Vm } from '../lab/vm.js';
import { checkFabric } from './fabric-check.js';
import { stopped } from './overlay-world.js';
import { hopsOf } from './tenant-chains.js';
import { said } from './trace-real.js';
import { post } from './world.js';

/** Two hypervisors on the physical network, the third behind a router. */
const PLACES = [
  [1, 10],
  [1, 11],
  [2, 10],
] as const;
const OUTSIDE = { ipv4: '172.16.1.1', ipv6: 'fd16:1::1', global: '10.196.36.199' };
/** Of a VM of the second hypervisor. */
const FLOATING = '172.16.1.150';
const GATEWAY = { ipv4: '172.16.1.200', ipv6: 'fd16:1::200' };

/** Name, hypervisor, network, address, default router. p are VMs of the physical network, v of virtual ones. */
const VMS = [
  ['p1', 0, 'public1', '172.16.1.101', 'fd16:1::101', GATEWAY.ipv4, GATEWAY.ipv6],
  ['p3', 1, 'public1', '172.16.1.103', 'fd16:1::103', GATEWAY.ipv4, GATEWAY.ipv6],
  ['v2', 0, 'v2', '10.102.0.12', 'fd00:102::12', '10.102.0.1', 'fd00:102::1'],
  ['v4', 1, 'v2', '10.102.0.14', 'fd00:102::14', '10.102.0.1', 'fd00:102::1'],
  ['v5', 2, 'v1', '10.101.0.15', 'fd00:101::15', '10.101.0.1', 'fd00:101::1'],
] as const;

/** Gratuitous ARP, and a neighbour advertisement that nobody asked for. */
const ANNOUNCEMENTS = [
  /who-has 172\.16\.1\.200 tell 172\.16\.1\.200/,
  /fd16:1::200 > ff02::1: .*neighbor advertisement, tgt is fd16:1::200/,
];

/** How many were not answered, by what `ping` prints at its end. */
function lostOf(printed: string): number {
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(printed) ?? [];
  return Number(sent) - Number(received);
}

describe('a router with a port in a physical network', () => {
  let lab: Lab;
  let underlay: Underlay;
  let hotori: Hotori;
  const vms = new Map<string, Vm>();

  beforeAll(async () => {
    lab = await Lab.create();
    underlay = await lab.addUnderlay();
    for (const [i, [segment, host]] of PLACES.entries()) await underlay.attach(await lab.addHypervisor(`hv${i + 1}`), segment, host);
    hotori = await lab.startHotori({
      ovs: lab.hypervisors[0]!.ovs,
      vna: underlay.attachments.map(({ hypervisor: { ovs, name }, ipv4, segment }) => ({
        ovsdb: ovs.ovsdbEndpoint,
        datapath_type: ovs.datapathType,
        node_id: name,
        bridge_mappings: { underlay: UNDERLAY_BRIDGE, [`public${segment}`]: UNDERLAY_BRIDGE },
        overlay: { address: [ipv4] },
      })),
    });
    const outside = (...argv: [string, ...string[]]) => underlay.netns.run(argv);
    await outside('ip', 'link', 'set', 'lo', 'up');
    await outside('ip', 'addr', 'add', `${OUTSIDE.global}/32`, 'dev', 'lo');
    await outside('ip', 'route', 'add', '10.100.0.0/14', 'via', GATEWAY.ipv4);
    for (const n of [101, 102]) await outside('ip', '-6', 'route', 'add', `fd00:${n}::/64`, 'via', GATEWAY.ipv6);
    for (const [name, hypervisor] of VMS) vms.set(name, await lab.addVm(lab.hypervisors[hypervisor]!, { name, iface_id: `if-${name}` }));
    const subnet = (n: number) => ({ ipv4_network: `10.${n}.0.0`, ipv6_network: `fd00:${n}::` });
    const port = (n: number) => ({ network_uuid: `nw-v${n - 100}`, ip_addresses: [`10.${n}.0.1`, `fd00:${n}::1`] });
    await hotori.post('/batch?wait=installed', {
      operations: [
        post('networks', {
          uuid: 'nw-public1',
          mode: 'physical',
          physical_network: 'public1',
          ipv4_network: '172.16.1.0',
          ipv6_network: 'fd16:1::',
        }),
        post('networks', { uuid: 'nw-v1', ...subnet(101) }),
        post('networks', { uuid: 'nw-v2', ...subnet(102) }),
        post('routers', {
          uuid: 'rt-edge',
          networks: [
            {
              network_uuid: 'nw-public1',
              ip_addresses: Object.values(GATEWAY),
              mac_address: '02:00:00:00:ed:01',
              gateway_datapath_uuids: ['dp-hv1', 'dp-hv2'],
            },
            port(101),
            port(102),
          ],
          routes: [
            { destination: '0.0.0.0/0', via: OUTSIDE.ipv4 },
            { destination: '::/0', via: OUTSIDE.ipv6 },
          ],
        }),
        ...VMS.map(([name, , network, ipv4_address, ipv6_address]) =>
          post('interfaces', {
            uuid: `if-${name}`,
            mode: 'vif',
            mac_address: vms.get(name)!.mac,
            network_uuid: `nw-${network}`,
            ipv4_address,
            ipv6_address,
          }),
        ),
      ],
    });
    for (const [name, , , ipv4, ipv6, router, router6] of VMS) {
      await vms.get(name)!.configure(`${ipv4}/24`, router);
      await vms.get(name)!.configure(`${ipv6}/64`, router6);
    }
    await hotori.untilInstalled();
    await eventually('a way out', async () => (await ping('v5', OUTSIDE.global)) || undefined);
  }, 60_000);
  afterAll(async () => {
    try {
      await checkFabric({
        lab,
        hotori,
        vms: VMS.map(([name, hypervisor, , ipv4, ipv6]) => {
          const vm = vms.get(name)!;
          const mac = parseMac(vm.mac);
          return { hypervisor: hypervisor + 1, vm, mac, ipv4: [parseIpv4(ipv4)], ipv6: [parseIpv6(ipv6), eui64LinkLocal(mac)] };
        }),
        allowed: [],
      });
    } finally {
      await lab.destroy();
    }
  }, 60_000);

  const ping = async (from: string, to: string) => (await vms.get(from)!.ping(to, { count: 1 })).received > 0;

  it('joins physical and virtual networks, and VMs of both, wherever they are (router_p2v)', async () => {
    const failed: string[] = [];
    await Promise.all(
      VMS.flatMap(([from]) =>
        [...VMS.flatMap(([to, , , ipv4, ipv6]) => (to === from ? [] : [ipv4, ipv6])), ...Object.values(OUTSIDE)].map(async (to) => {
          // The first packet of all waits for the underlay's neighbours and may be lost.
          if (!((await ping(from, to)) || (await ping(from, to)))) failed.push(`${from} > ${to}`);
        }),
      ),
    );
    for (const [name, , , ipv4, ipv6] of VMS)
      for (const to of [ipv4, ipv6]) {
        const { code } = await underlay.netns.exec(['ping', '-n', '-c', '1', '-W', '2', to]);
        if (code !== 0) failed.push(`outside > ${name} ${to}`);
      }
    expect(failed).toEqual([]);
  }, 60_000);

  it('shows in a traceroute from both sides', async () => {
    const [v5, outside] = [vms.get('v5')!, underlay.netns];
    const trace = (from: Pick<Vm, 'exec'>, ...more: string[]) => hopsOf(from, 'traceroute', '-n', '-q', '1', '-w', '2', '-m', '5', ...more);
    expect({
      out: await trace(v5, OUTSIDE.global),
      out6: await trace(v5, '-6', OUTSIDE.ipv6),
      in: await trace(outside, '-I', '10.101.0.15'),
      in6: await trace(outside, '-6', '-I', 'fd00:101::15'),
    }).toEqual({
      out: ['10.101.0.1', OUTSIDE.global],
      out6: ['fd00:101::1', OUTSIDE.ipv6],
      in: [GATEWAY.ipv4, '10.101.0.15'],
      in6: [GATEWAY.ipv6, 'fd00:101::15'],
    });
  }, 30_000);

  /** Who says that the host is unreachable, by IPv4 and IPv6, when nobody has the address next to the gateway; they are asked together. */
  const silence = async (...names: readonly string[]) => {
    const asked = names.flatMap((name) =>
      ['172.16.1.77', 'fd16:1::77'].map(async (address) => {
        const { stdout } = await vms.get(name)!.exec(['ping', '-n', '-c', '1', '-W', '5', address]);
        return /From (\S+) icmp_seq=1 Destination (Host Unreachable|unreachable: Address unreachable)/.exec(stdout)?.[1] ?? stdout;
      }),
    );
    return Promise.all(asked);
  };

  it('says that a host outside is not there, by the port next to who asked, on its own hypervisor and on others', async () => {
    expect(await silence('v2', 'v4', 'v5')).toEqual([
      ...['10.102.0.1', 'fd00:102::1', '10.102.0.1', 'fd00:102::1'],
      ...['10.101.0.1', 'fd00:101::1'],
    ]);
  }, 30_000);

  it('translates what goes out by it, and leads in what is for a floating IP', async () => {
    await hotori.post('/batch?wait=installed', {
      operations: [
        { method: 'PUT', path: '/routers/rt-edge', body: { nat: [{ network_uuid: 'nw-public1', ip_address: GATEWAY.ipv4 }] } },
        post('floating_ips', { uuid: 'fip-v4', network_uuid: 'nw-public1', ip_address: FLOATING, interface_uuid: 'if-v4' }),
      ],
    });
    const outside = (...argv: [string, ...string[]]) => underlay.netns.run(argv);
    // Who comes with a private address gets no answer.
    await outside('ip', 'route', 'del', '10.100.0.0/14');
    const trace = (from: Pick<Vm, 'exec'>, to: string) => hopsOf(from, 'traceroute', '-n', '-I', '-q', '1', '-w', '2', '-m', '5', to);
    const seen = {
      masked: [await ping('v2', OUTSIDE.global), await ping('v5', OUTSIDE.global), await ping('v5', OUTSIDE.ipv4)],
      floating: await ping('v4', OUTSIDE.global),
      in: (await underlay.netns.exec(['ping', '-n', '-c', '1', '-W', '2', FLOATING])).code,
      hairpin: await ping('v5', FLOATING),
      out: await trace(vms.get('v5')!, OUTSIDE.global),
      back: await trace(underlay.netns, FLOATING),
      // Masked, behind a floating IP, and of another network than the router's first.
      silence: (await silence('v5', 'v4', 'v2')).filter((_, i) => i % 2 === 0).map((from) => /^10\.10[12]\.0\.1$/.test(from) || from),
    };
    await outside('ip', 'route', 'add', '10.100.0.0/14', 'via', GATEWAY.ipv4);
    expect(seen).toEqual({
      masked: [true, true, true],
      floating: true,
      in: 0,
      hairpin: true,
      out: ['10.101.0.1', OUTSIDE.global],
      back: [GATEWAY.ipv4, FLOATING],
      silence: [true, true, true],
    });
  }, 30_000);

  it('is traced up to what is outside, and from there', async () => {
    const [v5, outside] = [vms.get('v5')!, underlay.netns];
    const shown = (from: Pick<Vm, 'exec'>, ...more: string[]) =>
      hopsOf(from, 'traceroute', '-n', '-I', '-q', '1', '-w', '2', '-m', '5', ...more);
    const out = await said(hotori, { source: 'if-v5', destination: OUTSIDE.global });
    const into = await said(hotori, { source: `${OUTSIDE.ipv4}@nw-public1`, destination: FLOATING });
    const physical = await said(hotori, { source: 'if-p3', destination: 'if-v5' });
    const real = {
      out: await shown(v5, OUTSIDE.global),
      in: await shown(outside, FLOATING),
      physical: (await shown(vms.get('p3')!, '10.101.0.15')).slice(0, 2),
    };
    expect({ out, into, physical }).toEqual({
      out: {
        verdict: 'undecidable left_the_overlay',
        back: 'delivered',
        traceroute: [...real.out.slice(0, -1), '?'],
        seen: undefined,
        contradictions: [],
      },
      into: { verdict: 'delivered delivered', back: 'delivered', traceroute: real.in, seen: OUTSIDE.ipv4, contradictions: [] },
      // The answer would leave by the router's address, which its connection does not know.
      physical: { verdict: 'delivered delivered', back: 'dropped', traceroute: real.physical, seen: '172.16.1.103', contradictions: [] },
    });
  }, 30_000);

  /** By hypervisor, whether it answers who asks outside for the gateway's addresses, by ARP and by neighbour discovery. */
  const answers = async () => {
    const watches = await Promise.all(underlay.attachments.slice(0, 2).map((place) => underlay.watch(place, 'arp or icmp6', 'in')));
    for (const address of Object.values(GATEWAY)) await underlay.netns.exec(['ip', 'neigh', 'flush', 'to', address]);
    await underlay.netns.exec(['ping', '-n', '-c', '2', '-i', '0.3', GATEWAY.ipv4]);
    await underlay.netns.exec(['ping', '-n', '-c', '2', '-i', '0.3', GATEWAY.ipv6]);
    return Promise.all(
      watches.map(async (watch) => {
        await stopped(watch);
        return [/Reply 172\.16\.1\.200 is-at/, /advertisement, tgt is fd16:1::200/].map((answer) => answer.test(watch.output()));
      }),
    );
  };

  it('is heard of outside from its gateway alone', async () => {
    expect(await answers()).toEqual([
      [true, true],
      [false, false],
    ]);
  }, 30_000);

  it('moves to the next hypervisor within a second when its own is cut off, is announced from there, and stays', async () => {
    const [first, second] = underlay.attachments;
    const watch = await underlay.watch(second!, 'arp or icmp6', 'in');
    const pings = ['ping', '-n', '-i', '0.01', '-c', '300', '-W', '1'] as const;
    const running = [underlay.netns.exec([...pings, FLOATING]), vms.get('v5')!.exec([...pings, OUTSIDE.global])];
    await new Promise((resolve) => setTimeout(resolve, 500));
    await underlay.setCable(first!, false);
    const lost = (await Promise.all(running)).map(({ stdout }) => lostOf(stdout));
    process.stdout.write(`gateway whose cable is pulled: ${lost.join(' and ')} of 100 pings a second lost\n`);
    await stopped(watch);
    await underlay.setCable(first!, true);
    await eventually('its own joined again', async () => (await ping('v2', OUTSIDE.global)) || undefined);
    await hotori.untilInstalled();
    expect({
      announced: ANNOUNCEMENTS.map((one) => one.test(watch.output())),
      withinASecond: lost.map((n) => n > 0 && n <= 100),
      answers: await answers(),
    }).toEqual({
      announced: [true, true],
      withinASecond: [true, true],
      answers: [
        [false, false],
        [true, true],
      ],
    });
  }, 60_000);
});
