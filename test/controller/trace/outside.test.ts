import type { TraceAnswer } from '../../../flows/trace/explain/answer.js';
import type { TraceQuestion } from '../../../flows/trace/explain/question.js';
import { create, refused, vif, World, type Vna } from '../world.js';
import { question, rule } from './trace-world.js';

/**
 * v1 and v2 behind rt-edge, whose port in the physical network pub is on dp-one; p1 in pub on dp-one. dp-three is not on it. The default route of rt-edge leads to
 * 172.16.1.1, whom nobody here has.
 */
async function startOutsideWorld(): Promise<{
  readonly world: World;
  readonly trace: (over: Partial<TraceQuestion>) => Promise<TraceAnswer>;
}> {
  const world = await World.start();
  const vm = (name: string, network: string, ipv4_address: string, security_group_uuids: string[] = []) =>
    create('interface', { uuid: `if-${name}`, mode: 'vif', network_uuid: `nw-${network}`, ipv4_address, security_group_uuids });
  const vnas: Vna[] = [];
  const attach = async (name: string, n: number, vifs: string[], physical_networks: string[]) => {
    const endpoints = [{ address: `192.0.2.${n}`, mac: null, underlay: 'underlay', mtu: 1500 }];
    const seen = vifs.map((one) => vif(`tap-${one}`, `if-${one}`));
    vnas.push(await world.attach(name, seen, { endpoints, encaps: ['geneve'], underlay: null, physical_networks }));
  };
  await attach('one', 1, ['p1'], ['pub']);
  await attach('two', 2, ['v1'], ['pub']);
  await attach('three', 3, ['v2', 'p3'], []);
  await world.vnmgr.execute([
    create('network', { uuid: 'nw-pub', mode: 'physical', physical_network: 'pub', ipv4_network: '172.16.1.0', ipv4_prefix: 24 }),
    create('network', { uuid: 'nw-v', ipv4_network: '10.1.0.0', ipv4_prefix: 24 }),
    create('router', {
      uuid: 'rt-edge',
      networks: [
        {
          network_uuid: 'nw-pub',
          ip_address: '172.16.1.200',
          mac_address: '02:00:00:00:ed:01',
          gateway_datapath_uuids: ['dp-one', 'dp-two'],
        },
        { network_uuid: 'nw-v', ip_address: '10.1.0.1' },
      ],
      routes: [{ destination: '0.0.0.0/0', via: '172.16.1.1' }],
    }),
    create('security_group', {
      uuid: 'sg-web',
      rules: [{ uuid: 'sgr-web', direction: 'ingress', protocol: 'tcp', ports: ['80'], remote: { any: true } }],
    }),
    vm('p1', 'pub', '172.16.1.101'),
    create('security_group', {
      uuid: 'sg-mail',
      rules: [
        rule('none', { direction: 'egress', ports: ['1-24', '26-65535'] }),
        rule('ping', { direction: 'egress', protocol: 'icmp' }),
        rule('all', { protocol: 'any' }),
      ],
    }),
    vm('p3', 'pub', '172.16.1.103'),
    vm('v1', 'v', '10.1.0.11', ['sg-mail']),
    vm('v2', 'v', '10.1.0.12', ['sg-web']),
  ]);
  return {
    world,
    trace: (over) => {
      for (const vna of vnas) vna.confirm();
      return world.vnmgr.trace({ question: question(over) });
    },
  };
}

/** Verdict, code, what it depends on; the routers; what traceroute shows; where it comes from and goes to; the way back. */
function told({ verdict, reason, hops, traceroute, visits, return: back }: TraceAnswer): object {
  return {
    said: `${verdict} ${reason.code}: ${reason.text}`,
    routers: hops.map(({ name, address }) => `${name} ${address}`),
    traceroute: traceroute.map(({ address, mark }) => (mark === '?' ? mark : (address ?? '*'))),
    way: visits.flatMap(({ datapath_uuid, by }) => [by, datapath_uuid]),
    back: back && `${back.verdict}: ${back.reason.text}`,
  };
}

const OUT = 'it leaves for pub, and depends on';

describe('a trace from and to outside', () => {
  let asked: Awaited<ReturnType<typeof startOutsideWorld>>;
  beforeAll(async () => (asked = await startOutsideWorld()));
  afterAll(() => asked.world.vnmgr.close());

  it.each<[string, Partial<TraceQuestion>, object]>([
    [
      'by a next hop: goes to the gateway, and depends on the next hop',
      { source: 'if-v1', destination: '198.51.100.7' },
      {
        said: `undecidable left_the_overlay: ${OUT} 172.16.1.1 there: whether that answers for its MAC, and what it does with a packet for 198.51.100.7`,
        routers: ['rt-edge 10.1.0.1'],
        traceroute: ['10.1.0.1', '?'],
        way: ['if-v1', 'dp-two', 'geneve', 'dp-one'],
        back: 'delivered: delivered to if-v1 on dp-two',
      },
    ],
    [
      'to somebody next to the gateway: depends on whether that is there',
      { source: 'if-v1', destination: '172.16.1.77' },
      {
        said: `undecidable left_the_overlay: ${OUT} 172.16.1.77 there: whether that answers for its MAC, and what it does with it`,
        routers: ['rt-edge 10.1.0.1'],
        traceroute: ['10.1.0.1', '?'],
        way: ['if-v1', 'dp-two', 'geneve', 'dp-one'],
        back: 'delivered: delivered to if-v1 on dp-two',
      },
    ],
    [
      'from a VM of the physical network: depends on whether somebody answers for the MAC',
      { source: 'if-p1', destination: '172.16.1.77' },
      {
        said: `undecidable left_the_overlay: ${OUT} 172.16.1.77 there: whether that answers for its MAC, and what it does with it`,
        routers: [],
        traceroute: ['?'],
        way: ['if-p1', 'dp-one'],
        back: 'delivered: delivered to if-p1 on dp-one',
      },
    ],
    [
      'which a rule does not let out: is decided',
      { source: 'if-v1', destination: '198.51.100.7', destination_port: 25 },
      {
        said: 'dropped egress_policy: no egress rule of if-v1 (sg-mail) admits tcp 10.1.0.11:40000 → 198.51.100.7:25',
        routers: [],
        traceroute: ['*'],
        way: ['if-v1', 'dp-two'],
        back: null,
      },
    ],
    [
      'between a VM of the physical network and one behind the gateway: is decided',
      { source: 'if-p1', destination: 'if-v2', destination_port: 80 },
      {
        said: 'delivered delivered: delivered to if-v2 on dp-three',
        routers: ['rt-edge 172.16.1.200'],
        traceroute: ['172.16.1.200', '10.1.0.12'],
        way: ['if-p1', 'dp-one', 'geneve', 'dp-three'],
        back: 'delivered: delivered to if-p1 on dp-one',
      },
    ],
    [
      'from a host outside: comes in by the gateway, and is decided, also the way back',
      { source: '172.16.1.9@nw-pub', destination: 'if-v2', destination_port: 80 },
      {
        said: 'delivered delivered: delivered to if-v2 on dp-three',
        routers: ['rt-edge 172.16.1.200'],
        traceroute: ['172.16.1.200', '10.1.0.12'],
        way: ['physical:pub', 'dp-one', 'geneve', 'dp-three'],
        back: 'delivered: delivered to 172.16.1.9 outside, in pub',
      },
    ],
    [
      'from a host outside that a rule keeps out: is decided',
      { source: '172.16.1.9@nw-pub', destination: 'if-v2', destination_port: 23 },
      {
        said: 'dropped ingress_policy: no ingress rule of if-v2 (sg-web) admits tcp 172.16.1.9:40000 → 10.1.0.12:23',
        routers: ['rt-edge 172.16.1.200'],
        traceroute: ['172.16.1.200', '*'],
        way: ['physical:pub', 'dp-one', 'geneve', 'dp-three'],
        back: null,
      },
    ],
    [
      'from a host behind a router outside: the way back depends on that router',
      { source: '198.51.100.7@nw-pub', destination: 'if-v1' },
      {
        said: 'delivered delivered: delivered to if-v1 on dp-two',
        routers: ['rt-edge 172.16.1.200'],
        traceroute: ['172.16.1.200', '10.1.0.11'],
        way: ['physical:pub', 'dp-one', 'geneve', 'dp-two'],
        back: `undecidable: ${OUT} 172.16.1.1 there: whether that answers for its MAC, and what it does with a packet for 198.51.100.7`,
      },
    ],
    [
      'from a host outside to a VM of its network: comes in where that is',
      { source: '172.16.1.9@nw-pub', destination: 'if-p1' },
      {
        said: 'delivered delivered: delivered to if-p1 on dp-one',
        routers: [],
        traceroute: ['172.16.1.101'],
        way: ['physical:pub', 'dp-one'],
        back: 'delivered: delivered to 172.16.1.9 outside, in pub',
      },
    ],
    [
      "between hosts outside: is outside's own affair",
      { source: '172.16.1.9@nw-pub', destination: '172.16.1.77' },
      {
        said: "undecidable unanswered: no hypervisor answers for 172.16.1.77 in nw-pub: what becomes of it is outside's own affair",
        routers: [],
        traceroute: [],
        way: [],
        back: null,
      },
    ],
    [
      'from a hypervisor that is not on the physical network: is dropped there',
      { source: 'if-p3', destination: '172.16.1.77' },
      {
        said: 'dropped unknown_arp: no interface has 172.16.1.77 in nw-pub',
        routers: [],
        traceroute: [],
        way: [],
        back: null,
      },
    ],
  ])('%s', async (_what, over, expected) => {
    expect(told(await asked.trace(over))).toEqual(expected);
  });

  it('follows a gateway that has moved, and translates there what leaves by it', async () => {
    const { world, trace } = await startOutsideWorld();
    await world.update('router', 'rt-edge', { nat: [{ network_uuid: 'nw-pub', ip_address: '172.16.1.200' }] });
    await world.create('floating_ip', { uuid: 'fip-2', network_uuid: 'nw-pub', ip_address: '172.16.1.150', interface_uuid: 'if-v2' });
    const rewrites = ({ hops }: { hops: TraceAnswer['hops'] }) =>
      hops.flatMap((hop) =>
        Object.entries(hop.rewrites).flatMap(([field, { before, after }]) =>
          field.startsWith('ip_') ? [`${field} ${before} → ${after}`] : [],
        ),
      );
    const masked = await trace({ source: 'if-v1', destination: '198.51.100.7' });
    const floating = await trace({ source: '172.16.1.9@nw-pub', destination: '172.16.1.150', destination_port: 80 });
    expect([
      rewrites(masked),
      rewrites(masked.return!),
      masked.return!.verdict,
      rewrites(floating),
      floating.verdict,
      floating.return!.verdict,
    ]).toEqual([
      ['ip_src 10.1.0.11 → 172.16.1.200'],
      ['ip_dst 172.16.1.200 → 10.1.0.11'],
      'delivered',
      ['ip_dst 172.16.1.150 → 10.1.0.12'],
      'delivered',
      'delivered',
    ]);
    await world.update('router', 'rt-edge', {
      networks: [
        { network_uuid: 'nw-pub', ip_address: '172.16.1.200', mac_address: '02:00:00:00:ed:01', gateway_datapath_uuids: ['dp-two'] },
        { network_uuid: 'nw-v', ip_address: '10.1.0.1' },
      ],
    });
    const moved = await trace({ source: 'if-v1', destination: '198.51.100.7' });
    expect(moved.visits.map(({ datapath_uuid }) => datapath_uuid)).toEqual(['dp-two']);
    await world.vnmgr.close();
  });

  it('asks nobody outside for a virtual network', async () => {
    expect(await refused(asked.trace({ source: '10.1.0.99@nw-v', destination: 'if-v2' }))).toMatchObject({ code: 'invalid_reference' });
  });
});
