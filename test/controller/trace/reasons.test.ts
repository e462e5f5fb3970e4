import type { TraceQuestion } from '../../../flows/trace/explain/question.js';
import { create, vif, World, type Vna } from '../world.js';
import { question } from './trace-world.js';

const filter = (name: string, row: object, over: object = {}) =>
  create('filter', { uuid: `fil-${name}`, interface_uuid: `if-${name}`, mode: 'static', statics: [row], ...over });

/** Two networks behind a router that is silent about TTLs, one that no router has; one and two have a tunnel, three has none to them. */
async function startWorld(): Promise<{ readonly world: World; readonly vnas: Vna[] }> {
  const world = await World.start();
  const chassis = (n: number, encap: 'geneve' | 'gre') => ({
    endpoints: [{ address: `192.0.2.${n}`, mac: null, underlay: 'underlay', mtu: 1500 }],
    encaps: [encap],
    underlay: null,
  });
  const vm = (name: string, network: string, ipv4_address: string, over: object = {}) =>
    create('interface', { uuid: `if-${name}`, mode: 'vif', network_uuid: `nw-${network}`, ipv4_address, ...over });
  const filtered = { enable_filtering: true };
  await world.vnmgr.execute([
    ...(['a', 'b', 'c'] as const).map((name, n) =>
      create('network', { uuid: `nw-${name}`, ipv4_network: `10.${n + 1}.0.0`, ipv4_prefix: 24, mtu: n === 1 ? 1300 : null }),
    ),
    vm('hop', 'b', '10.2.0.77'),
    vm('plain', 'a', '10.1.0.10'),
    vm('sends', 'a', '10.1.0.11', filtered),
    vm('gets', 'b', '10.2.0.12', filtered),
    vm('far', 'b', '10.2.0.13'),
    vm('apart', 'c', '10.3.0.14'),
    vm('remote', 'b', '10.2.0.15'),
    create('router', {
      uuid: 'rt-ab',
      traceroute: 'off',
      networks: ['a', 'b'].map((name, n) => ({ network_uuid: `nw-${name}`, ip_address: `10.${n + 1}.0.1` })),
      routes: [{ destination: '10.9.0.0/24', via: '10.2.0.77' }],
    }),
    filter(
      'sends',
      { protocol: 'tcp', action: 'drop', src_address: '10.2.0.0/24', src_port: 22 },
      { egress_passthrough: true, ingress_passthrough: true },
    ),
    filter('gets', { protocol: 'tcp', action: 'pass', dst_port: 80 }, { egress_passthrough: true, ingress_passthrough: false }),
  ]);
  const vnas = [
    await world.attach(
      'one',
      ['plain', 'sends', 'apart'].map((name) => vif(`tap-${name}`, `if-${name}`)),
      chassis(1, 'geneve'),
    ),
    await world.attach(
      'two',
      ['gets', 'remote'].map((name) => vif(`tap-${name}`, `if-${name}`)),
      chassis(2, 'geneve'),
    ),
    await world.attach('three', [vif('tap-far', 'if-far')], chassis(3, 'gre')),
  ];
  return { world, vnas };
}

describe('the reason of a trace', () => {
  let world: World;
  let vnas: Vna[];
  beforeAll(async () => ({ world, vnas } = await startWorld()));
  afterAll(() => world.vnmgr.close());

  const asked = async (over: Partial<TraceQuestion>) => {
    const { verdict, reason, hops } = await world.vnmgr.trace({ question: question({ source: 'if-plain', ...over }) });
    return { said: `${verdict} ${reason.code}: ${reason.text}`, by: reason.uuids, table: reason.table, hops };
  };

  it.each<[string, Partial<TraceQuestion>, string, readonly string[], string | null]>([
    [
      'a filter of the sender',
      { source: 'if-sends', destination: 'if-remote', destination_port: 22 },
      'dropped egress_filter: the filter of if-sends does not let tcp 10.1.0.11:40000 → 10.2.0.15:22 out',
      ['fil-sends', 'if-sends'],
      'EG_FILTER',
    ],
    [
      'a filter of the receiver',
      { destination: 'if-gets', destination_port: 22 },
      'dropped ingress_filter: the filter of if-gets does not let tcp 10.1.0.10:40000 → 10.2.0.12:22 in',
      ['fil-gets', 'if-gets'],
      'IN_FILTER',
    ],
    [
      'nothing: a filter lets it through',
      { destination: 'if-gets', destination_port: 80 },
      'delivered delivered: delivered to if-gets on dp-two',
      ['if-gets'],
      null,
    ],
    [
      'hypervisors without a tunnel',
      { destination: 'if-far' },
      'dropped no_tunnel: there is no way from dp-one to dp-three: they have no encapsulation in common',
      ['dp-one', 'dp-three'],
      'OUT_REMOTE',
    ],
    [
      'no router',
      { source: 'if-apart', destination: 'if-remote' },
      'dropped no_router: 10.2.0.15 is not in nw-c, and no router is there that if-apart could send it to',
      ['nw-c'],
      null,
    ],
    ['a missing neighbour', { destination: '10.2.0.99' }, 'rejected no_neighbor: no interface has 10.2.0.99 in nw-b', ['nw-b'], 'NEIGH'],
    [
      'a next hop that is plugged nowhere',
      { destination: '10.9.0.5' },
      'dropped not_plugged: if-hop has 10.2.0.77, and is plugged in nowhere',
      ['if-hop'],
      'L2_LOOKUP',
    ],
    [
      'a TTL that runs out in silence',
      { destination: 'if-remote', ttl: 1 },
      'dropped ttl: the TTL of the packet from 10.1.0.10 runs out at rt-ab, which does not say so',
      ['rt-ab'],
      'HOPS',
    ],
    [
      'the MTU of the way',
      { destination: 'if-remote', size: 1490, df: true },
      'rejected too_big: it is longer than the 1442 bytes that the way from dp-one to dp-two carries',
      ['dp-one', 'dp-two'],
      'TUNNEL_OUT',
    ],
  ])('is %s', async (_what, over, said, by, table) => {
    for (const vna of vnas) vna.confirm();
    const answer = await asked(over);
    expect({ said: answer.said, by: answer.by, table: answer.table }).toEqual({ said, by, table });
  });

  it('is that a datapath has not applied the revision yet, with what keeps it', async () => {
    await world.update('network', 'nw-c', { display_name: 'later' });
    const { lastSeq } = vnas[0]!;
    vnas[0]!.confirm({ seq: lastSeq, message: 'the switch refuses', uuids: [] }, lastSeq - 1);
    const { said, by } = await asked({ destination: 'if-remote' });
    expect([said.replace(/\d+/g, 'N'), by]).toEqual([
      'undecidable not_applied_yet: dp-one has applied revision N, not N yet: the switch refuses',
      ['dp-one'],
    ]);
    for (const vna of vnas) vna.confirm();
  });

  it('comes with the MTU of each router it is behind: of the network it goes on in, or of the tunnel where that is less', async () => {
    const { hops } = await asked({ destination: 'if-remote' });
    expect(hops.map(({ name, mtu }) => [name, mtu])).toEqual([['rt-ab', 1300]]);
  });
});
