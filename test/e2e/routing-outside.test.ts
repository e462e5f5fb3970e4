/**
 * A host outside and VMs behind a gateway: eight routers in a row on two hypervisors as traceroute shows them from both sides, and OpenVNet's wanedge, where a
 * gateway translates.
 */
import { parseIpv4, parseIpv6 } from '../../flows/net/ip.js';
import { eui64LinkLocal, parseMac } from '../../flows/net/mac.js';
import { eventually } from '../lab/eventually.js';
import type { Hotori, Json } from '../lab/hotori.js';
import { Lab } from '../lab/lab.js';
import { UNDERLAY_BRIDGE, type Underlay } from '../lab/underlay.js';
import type { Vm } from '../lab/vm.js';
import { checkFabric } from './fabric-check.js';
import { seenAs, serve } from './nat-world.js';
import { hopsOf, numbers } from './tenant-chains.js';
import { listeningOn } from './three-hypervisors.js';
import { post } from './world.js';

const ROUTERS = 8;
const OUTSIDE = { ipv4: '172.16.1.1', ipv6: 'fd16:1::1', global: '10.196.36.199', global6: 'fd96::199' };
const GATEWAY = { ipv4: '172.16.1.200', ipv6: 'fd16:1::200' };
const FLOATING = { ipv4: '172.16.1.150', ipv6: 'fd16:1::150' };
/** Of the port that translates: its own, and what stands for w, by its port 80 alone and as a whole. */
const EDGE = { own: '172.16.1.210', port: '172.16.1.211', whole: '172.16.1.212' };

/** Router i is near the outside by the one and looks back to it from the network behind by the other. */
function near(i: number, v6: boolean): string {
  if (i === 1) return v6 ? GATEWAY.ipv6 : GATEWAY.ipv4;
  return v6 ? `fd70:${i - 1}::1` : `10.70.${i - 1}.1`;
}
const back = (i: number, v6: boolean) => (v6 ? `fd70:${i}::2` : `10.70.${i}.2`);

/** Name, hypervisor, network, host, groups. All are at the end of the chain but w and u. */
const VMS = [
  ['open', 2, 'd8', 10, []],
  ['shut', 2, 'd8', 11, ['sg-shut']],
  ['w', 2, 'w', 10, []],
  ['u', 1, 'w', 11, []],
] as const;
type Name = (typeof VMS)[number][0];
const addressesOf = (net: string, host: number) =>
  net === 'w' ? { ipv4: `10.71.0.${host}`, ipv6: `fd71::${host}` } : { ipv4: `10.70.8.${host}`, ipv6: `fd70:8::${host}` };
const addressOf = (name: Name, v6: boolean) => {
  const [, , net, host] = VMS.find(([one]) => one === name)!;
  return addressesOf(net, host)[v6 ? 'ipv6' : 'ipv4'];
};

let lab: Lab;
let underlay: Underlay;
let hotori: Hotori;
const vms = {} as Record<Name, Vm>;

function definitions() {
  const both = (of: (v6: boolean) => string) => [of(false), of(true)];
  const route = (v4: string, v6: string, via: (v6: boolean) => string) => [
    { destination: v4, via: via(false) },
    { destination: v6, via: via(true) },
  ];
  return [
    post('networks', { uuid: 'nw-ext', mode: 'physical', physical_network: 'ext', ipv4_network: '172.16.1.0', ipv6_network: 'fd16:1::' }),
    ...numbers(1, ROUTERS).map((i) => post('networks', { uuid: `nw-d${i}`, ipv4_network: `10.70.${i}.0`, ipv6_network: `fd70:${i}::` })),
    ...numbers(1, ROUTERS).map((i) =>
      post('routers', {
        uuid: `rt-${i}`,
        traceroute: 'virtual-hops',
        networks: [
          i === 1
            ? { network_uuid: 'nw-ext', ip_addresses: both((v6) => near(1, v6)), gateway_datapath_uuids: ['dp-hv1'] }
            : { network_uuid: `nw-d${i - 1}`, ip_addresses: both((v6) => near(i, v6)) },
          { network_uuid: `nw-d${i}`, ip_addresses: both((v6) => back(i, v6)) },
        ],
        routes: [
          ...(i === ROUTERS ? [] : route('10.70.8.0/24', 'fd70:8::/64', (v6) => near(i + 1, v6))),
          ...route('0.0.0.0/0', '::/0', (v6) => (i > 1 ? back(i - 1, v6) : v6 ? OUTSIDE.ipv6 : OUTSIDE.ipv4)),
        ],
      }),
    ),
    post('security_groups', { uuid: 'sg-shut', rules: [{ direction: 'egress', protocol: 'any', remote: { any: true } }] }),
    ...wanedge(),
    ...VMS.map(([name, , net, host, security_group_uuids]) => {
      const { ipv4, ipv6 } = addressesOf(net, host);
      const mac_address = vms[name].mac;
      const address = { network_uuid: `nw-${net}`, ipv4_address: ipv4, ...(net === 'w' ? {} : { ipv6_address: ipv6 }) };
      return post('interfaces', { uuid: `if-${name}`, mode: 'vif', mac_address, ...address, security_group_uuids });
    }),
  ];
}

/** As OpenVNet's users say it: the port outside is pinned to a datapath and translates. */
function wanedge() {
  const routing = { mode: 'simulated', enable_routing: true };
  return [
    post('networks', { uuid: 'nw-w', ipv4_network: '10.71.0.0' }),
    post('route_links', { uuid: 'rl-w' }),
    post('interfaces', { uuid: 'if-vnetgw', ...routing, network_uuid: 'nw-w', ipv4_address: '10.71.0.1' }),
    post('interfaces', {
      uuid: 'if-glo2vnetgw',
      ...routing,
      enable_route_translation: true,
      owner_datapath_uuid: 'dp-hv1',
      network_uuid: 'nw-ext',
      ipv4_address: EDGE.own,
    }),
    ...[EDGE.port, EDGE.whole].map((ipv4_address) =>
      post('ip_leases', { interface_uuid: 'if-glo2vnetgw', network_uuid: 'nw-ext', ipv4_address, enable_routing: true }),
    ),
    post('routes', { uuid: 'r-w', interface_uuid: 'if-vnetgw', network_uuid: 'nw-w', route_link_uuid: 'rl-w', ipv4_network: '10.71.0.0' }),
    post('routes', {
      uuid: 'r-glo',
      interface_uuid: 'if-glo2vnetgw',
      network_uuid: 'nw-ext',
      route_link_uuid: 'rl-w',
      ipv4_network: '172.16.1.0',
    }),
    post('routes', { uuid: 'r-all', route_link_uuid: 'rl-w', ipv4_network: '0.0.0.0', ipv4_prefix: 0, via: [OUTSIDE.ipv4] }),
  ];
}

beforeAll(async () => {
  lab = await Lab.create();
  underlay = await lab.addUnderlay();
  for (const n of [1, 2]) await underlay.attach(await lab.addHypervisor(`hv${n}`), 1, 9 + n);
  hotori = await lab.startHotori({
    ovs: lab.hypervisors[0]!.ovs,
    vna: underlay.attachments.map(({ hypervisor: { ovs, name }, ipv4 }) => ({
      ovsdb: ovs.ovsdbEndpoint,
      datapath_type: ovs.datapathType,
      node_id: name,
      bridge_mappings: { underlay: UNDERLAY_BRIDGE, ext: UNDERLAY_BRIDGE },
      overlay: { address: [ipv4] },
    })),
    // The eight say themselves how they show; the one that translates does not.
    args: ['--traceroute', 'off'],
  });
  const outside = (...argv: [string, ...string[]]) => underlay.netns.run(argv);
  await outside('ip', 'link', 'set', 'lo', 'up');
  await outside('ip', 'addr', 'add', `${OUTSIDE.global}/32`, 'dev', 'lo');
  await outside('ip', '-6', 'addr', 'add', `${OUTSIDE.global6}/128`, 'dev', 'lo', 'nodad');
  await outside('ip', 'route', 'add', '10.70.0.0/16', 'via', GATEWAY.ipv4);
  await outside('ip', '-6', 'route', 'add', 'fd70::/16', 'via', GATEWAY.ipv6);
  for (const [name, hypervisor] of VMS) vms[name] = await lab.addVm(lab.hypervisors[hypervisor - 1]!, { name, iface_id: `if-${name}` });
  await hotori.untilInstalled();
  await hotori.post('/batch?wait=installed', { operations: definitions() });
  for (const [name, , net] of VMS) {
    for (const v6 of net === 'w' ? [false] : [false, true])
      await vms[name].configure(`${addressOf(name, v6)}/${v6 ? 64 : 24}`, net === 'w' ? '10.71.0.1' : back(ROUTERS, v6));
    serve(vms[name], 80);
    await listeningOn(vms[name], 80);
  }
  await hotori.untilInstalled();
  await eventually('a way out', async () => (await vms.open.ping(OUTSIDE.global, { count: 1 })).received > 0);
}, 60_000);
afterAll(async () => {
  try {
    const endpoints = VMS.map(([name, hypervisor, net]) => {
      const mac = parseMac(vms[name].mac);
      const ipv6 = net === 'w' ? [] : [parseIpv6(addressOf(name, true)), eui64LinkLocal(mac)];
      return { hypervisor, vm: vms[name], mac, ipv4: [parseIpv4(addressOf(name, false))], ipv6 };
    });
    await checkFabric({ lab, hotori, vms: endpoints });
  } finally {
    await lab.destroy();
  }
}, 60_000);

type From = Pick<Vm, 'exec'>;
/** What each stock tool lists of the way to an address. */
async function listed(from: From, to: string): Promise<Record<string, string[]>> {
  const trace = (...more: string[]) => hopsOf(from, 'traceroute', '-n', '-q', '1', '-w', '1', '-m', '12', ...more, to);
  if (to.includes(':')) return { udp6: await trace('-6'), icmp6: await trace('-6', '-I') };
  // Shorter than the overlay carries; and first, for a host sends few "port unreachable" a second.
  const tracepath = [...new Set(await hopsOf(from, 'tracepath', '-n', '-l', '1300', '-m', '12', to))];
  return {
    tracepath,
    icmp: await trace('-I'),
    tcp: await trace('-T', '-p', '80'),
    mtr: await hopsOf(from, 'mtr', '-n', '-r', '-c', '1', '-i', '0.2', '-G', '1', to),
    udp: await trace(),
  };
}
const inwards = (v6: boolean) => numbers(1, ROUTERS).map((i) => near(i, v6));
const outwards = (v6: boolean) =>
  numbers(1, ROUTERS)
    .map((i) => back(i, v6))
    .reverse();
const asListed = (hops: readonly string[], to: string) =>
  Object.fromEntries(
    (to.includes(':') ? ['udp6', 'icmp6'] : ['udp', 'icmp', 'tcp', 'mtr', 'tracepath']).map((tool) => [tool, [...hops, to]]),
  );

it('shows eight routers to a host outside, and to a VM that lets nothing in, by every stock tool', async () => {
  for (const v6 of [false, true]) {
    const outside = v6 ? OUTSIDE.global6 : OUTSIDE.global;
    const inside = addressOf('open', v6);
    expect({ in: await listed(underlay.netns, inside), out: await listed(vms.shut, outside) }).toEqual({
      in: asListed(inwards(v6), inside),
      out: asListed(outwards(v6), outside),
    });
  }
}, 60_000);

it('shows them behind a floating IP, and behind the address of the gateway', async () => {
  await hotori.post('/batch?wait=installed', {
    operations: [
      {
        method: 'PUT',
        path: '/routers/rt-1',
        body: { nat: [GATEWAY.ipv4, GATEWAY.ipv6].map((ip_address) => ({ network_uuid: 'nw-ext', ip_address })) },
      },
      ...[FLOATING.ipv4, FLOATING.ipv6].map((ip_address, i) =>
        post('floating_ips', { uuid: `fip-${i}`, network_uuid: 'nw-ext', ip_address, router_uuid: 'rt-1', interface_uuid: 'if-open' }),
      ),
    ],
  });
  for (const [family, v6] of [
    ['ipv4', false],
    ['ipv6', true],
  ] as const) {
    const outside = v6 ? OUTSIDE.global6 : OUTSIDE.global;
    const to = FLOATING[family];
    expect({
      in: await listed(underlay.netns, to),
      floating: await listed(vms.open, outside),
      masked: await listed(vms.shut, outside),
    }).toEqual({ in: asListed(inwards(v6), to), floating: asListed(outwards(v6), outside), masked: asListed(outwards(v6), outside) });
  }
}, 60_000);

it('translates at a gateway what OpenVNet’s rows name, both ways, and nothing else (wanedge)', async () => {
  await hotori.post('/translations?wait=installed', {
    uuid: 'tr-w',
    interface_uuid: 'if-glo2vnetgw',
    mode: 'static_address',
    static_addresses: [
      { ingress_ipv4_address: EDGE.whole, egress_ipv4_address: addressOf('w', false) },
      { ingress_ipv4_address: EDGE.port, egress_ipv4_address: addressOf('u', false), ingress_port_number: 8080, egress_port_number: 80 },
    ],
  });
  const outside = underlay.netns;
  const fetched = async (address: string, port: number) => (await outside.exec(['nc', '-N', '-w', '2', address, String(port)])).stdout;
  const dump = await underlay.watch(underlay.attachments[0]!, `icmp and dst host ${OUTSIDE.global}`, 'in');
  const out = [await vms.w.ping(OUTSIDE.global, { count: 1 }), await vms.u.ping(OUTSIDE.global, { count: 1 })].map(
    ({ received }) => received,
  );
  const own = await vms.w.ping('10.71.0.1', { count: 1 });
  await dump.stop('SIGINT');
  expect({
    out,
    as: [...new Set([...dump.output().matchAll(/IP (\S+) > \S+ ICMP echo request/g)].map(([, from]) => from))],
    own: own.received,
    whole: await fetched(EDGE.whole, 80),
    port: await fetched(EDGE.port, 8080),
    other: await fetched(EDGE.port, 80),
    ping: (await outside.exec(['ping', '-n', '-c', '1', '-W', '1', EDGE.whole])).code,
    inside: await seenAs(vms.w, addressOf('u', false), 80),
    trace: await hopsOf(outside, 'traceroute', '-n', '-I', '-q', '1', '-w', '1', '-m', '4', EDGE.whole),
  }).toEqual({
    out: [1, 0],
    as: [EDGE.whole],
    own: 1,
    whole: OUTSIDE.ipv4,
    port: OUTSIDE.ipv4,
    other: '',
    ping: 0,
    inside: addressOf('w', false),
    trace: ['*', EDGE.whole],
  });
}, 30_000);

it('lets live traces follow packets out of the gateway, whoever translates them', async () => {
  const followed = async (name: Name, destination: string) => {
    const pinging = vms[name].spawn(['ping', '-n', '-i', '0.2', destination]);
    const { packets } = await hotori.post('/traces', { live: { interface: `if-${name}`, filter: { destination }, timeout: 5 } });
    await pinging.stop('SIGINT');
    const [{ verdict, reason, seen }] = packets;
    return [verdict, reason.code, ...seen.map((one: Json) => `${one.datapath_uuid} ${one.point} from ${one.packet.source.address}`)];
  };
  const before = await Promise.all(lab.hypervisors.map(({ ovs }) => ovs.flows()));
  expect([
    await followed('w', OUTSIDE.global),
    await followed('u', OUTSIDE.global),
    await followed('open', OUTSIDE.global),
    await followed('shut', OUTSIDE.global6),
  ]).toEqual([
    [
      ...['left', 'left', 'dp-hv2 entry from 10.71.0.10', 'dp-hv2 sent from 10.71.0.10'],
      ...['dp-hv1 arrival from 10.71.0.10', `dp-hv1 left from ${EDGE.whole}`],
    ],
    ['dropped', 'untranslated', 'dp-hv1 entry from 10.71.0.11', 'dp-hv1 dropped from 10.71.0.11'],
    [
      ...['left', 'left', 'dp-hv2 entry from 10.70.8.10', `dp-hv2 sent from ${FLOATING.ipv4}`],
      ...[`dp-hv1 arrival from ${FLOATING.ipv4}`, `dp-hv1 left from ${FLOATING.ipv4}`],
    ],
    [
      ...['left', 'left', 'dp-hv2 entry from fd70:8::11', 'dp-hv2 sent from fd70:8::11'],
      ...['dp-hv1 arrival from fd70:8::11', `dp-hv1 left from ${GATEWAY.ipv6}`],
    ],
  ]);
  expect(await Promise.all(lab.hypervisors.map(({ ovs }) => ovs.flows()))).toEqual(before);
}, 40_000);
