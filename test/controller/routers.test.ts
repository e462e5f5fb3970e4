import type { Operation, Params } from '../../controller/contract.js';
import type { UserKind } from '../../flows/model/entities.js';
import { create, refused, World } from './world.js';

const networks: Operation[] = [
  create('network', { uuid: 'nw-1', ipv4_network: '10.0.1.0', ipv6_network: 'fd00:1::' }),
  create('network', { uuid: 'nw-2', ipv4_network: '10.0.2.0', ipv6_network: 'fd00:2::' }),
  create('network', { uuid: 'nw-t', ipv4_network: '10.0.9.0' }),
  create('network', { uuid: 'nw-red', ipv4_network: '10.0.5.0', vrf: 'red' }),
  create('network', { uuid: 'nw-blue', ipv4_network: '10.0.6.0', vrf: 'blue' }),
  create('interface', { uuid: 'if-vm', mode: 'vif', network_uuid: 'nw-1', ipv4_address: '10.0.1.10', mac_address: '02:00:00:00:00:01' }),
];
const update = (kind: UserKind, uuid: string, params: Params): Operation => ({ verb: 'update', kind, uuid, params });
const remove = (kind: UserKind, uuid: string): Operation => ({ verb: 'delete', kind, uuid });

let world: World;
beforeEach(async () => {
  world = await World.start();
  await world.vnmgr.execute(networks);
});

const all = (kind: UserKind) => world.vnmgr.list(kind, { offset: 0, limit: 100 }).items;
const edge = (over: Params = {}) =>
  create('router', {
    uuid: 'rt-edge',
    networks: [
      { network_uuid: 'nw-1', ip_addresses: ['10.0.1.1', 'fd00:1::1'], mac_address: '02:00:00:00:01:01' },
      { network_uuid: 'nw-2', ip_address: '10.0.2.1' },
    ],
    ...over,
  });
const far = (via: string) =>
  create('router', {
    uuid: 'rt-far',
    networks: [{ network_uuid: 'nw-t', ip_address: '10.0.9.2' }],
    routes: [{ destination: '10.0.0.0/8', via }],
  });

async function why(...operations: Operation[]): Promise<string[]> {
  const before = world.vnmgr.revision();
  const { code, reasons } = await refused(world.vnmgr.execute(operations));
  expect(world.vnmgr.revision()).toEqual(before);
  return reasons.map(({ pointer, detail }) => `${code} ${pointer}: ${detail}`);
}

describe('a router', () => {
  it('is one request, and makes its route link, ports, addresses and routes under names that tell', async () => {
    const { results } = await world.vnmgr.execute([edge({ routes: [{ destination: '10.7.0.0/16', via: '10.0.1.10' }] })]);
    expect(results[0]).toMatchObject({
      uuid: 'rt-edge',
      vrf: null,
      traceroute: null,
      networks: [
        {
          network_uuid: 'nw-1',
          ip_addresses: ['10.0.1.1', 'fd00:1::1'],
          interface_uuid: 'if-edge-1',
          mac_address: '02:00:00:00:01:01',
        },
        { network_uuid: 'nw-2', ip_addresses: ['10.0.2.1'], interface_uuid: 'if-edge-2' },
      ],
      routes: [{ destination: '10.7.0.0/16', type: 'forward', via: ['10.0.1.10'] }],
      route_link_uuid: 'rl-edge',
    });
    const routes = all('route').map(
      ({ ipv4_network, ipv4_prefix, ipv6_network, interface_uuid, via, router_uuid }) =>
        `${router_uuid as string} ${(ipv4_network ?? ipv6_network) as string}/${(ipv4_prefix ?? 64) as number} ${(interface_uuid ?? via) as string}`,
    );
    expect({
      routes: routes.sort(),
      leases: all('ip_lease')
        .map(({ interface_uuid, ipv4_address, ipv6_address }) => `${interface_uuid as string} ${(ipv4_address ?? ipv6_address) as string}`)
        .sort(),
      link: world.vnmgr.get('route_link', 'rl-edge')?.view,
    }).toEqual({
      routes: [
        'rt-edge 10.0.1.0/24 if-edge-1',
        'rt-edge 10.0.2.0/24 if-edge-2',
        'rt-edge 10.7.0.0/16 10.0.1.10',
        'rt-edge fd00:1::/64 if-edge-1',
      ],
      leases: ['if-edge-1 10.0.1.1', 'if-edge-1 fd00:1::1', 'if-edge-2 10.0.2.1', 'if-vm 10.0.1.10'],
      link: expect.objectContaining({ router_uuid: 'rt-edge', traceroute: null, vrf: null }) as unknown,
    });
  });

  it('keeps what stays the same when it changes, and takes along what is no longer asked for', async () => {
    await world.vnmgr.execute([edge(), create('network_service', { uuid: 'ns-2', mode: 'dhcp', interface_uuid: 'if-edge-2' })]);
    const before = new Map([...world.disk.entities].map(([uuid, entity]) => [uuid, entity]));
    await world.vnmgr.execute([
      update('router', 'rt-edge', {
        networks: [{ network_uuid: 'nw-1', ip_addresses: ['10.0.1.1', '10.0.1.2'] }],
        routes: [{ destination: '0.0.0.0/0', via: ['10.0.1.10'] }],
        traceroute: 'collapsed',
      }),
    ]);
    const gone = [...before.keys()].filter((uuid) => !world.disk.entities.has(uuid)).map((uuid) => uuid.replace(/-.*/, ''));
    const fresh = [...world.disk.entities.keys()].filter((uuid) => !before.has(uuid)).map((uuid) => uuid.replace(/-.*/, ''));
    const changed = [...before].filter(([uuid, entity]) => {
      const now = world.disk.entities.get(uuid);
      return now !== undefined && JSON.stringify(now) !== JSON.stringify(entity);
    });
    expect({
      gone: gone.sort(),
      fresh: fresh.sort(),
      changed: changed.map(([uuid]) => uuid).filter((uuid) => !/^(nw|seg)-/.test(uuid)),
    }).toEqual({
      // The port in nw-2 with its leases, route and service; the IPv6 address with its route.
      gone: ['if', 'il', 'il', 'ml', 'ns', 'r', 'r'],
      fresh: ['il', 'r'],
      changed: expect.arrayContaining(['rt-edge', 'rl-edge']) as unknown,
    });
    expect(changed.filter(([uuid]) => /^(rt|rl|if|ml|il|r)-/.test(uuid))).toHaveLength(2);
  });

  it('put again as it is changes nothing', async () => {
    await world.vnmgr.execute([edge()]);
    const again = await world.vnmgr.execute([
      update('router', 'rt-edge', {
        networks: [
          { network_uuid: 'nw-1', ip_addresses: ['10.0.1.1', 'FD00:1::1'] },
          { network_uuid: 'nw-2', ip_addresses: ['10.0.2.1'] },
        ],
        routes: [],
      }),
    ]);
    expect(again.changed).toBe(false);
  });

  it('takes all that it made along when it is deleted', async () => {
    const before = [...world.disk.entities.keys()].sort();
    await world.vnmgr.execute([edge({ policy_routes: [{ priority: 1, type: 'blackhole' }] })]);
    await world.vnmgr.execute([remove('router', 'rt-edge')]);
    expect([...world.disk.entities.keys()].sort()).toEqual(before);
  });

  it('follows the prefix of a network that grows', async () => {
    await world.vnmgr.execute([edge()]);
    await world.vnmgr.execute([update('network', 'nw-2', { ipv4_network: '10.0.2.0', ipv4_prefix: 23 })]);
    expect(all('route').map(({ ipv4_network, ipv4_prefix }) => [ipv4_network, ipv4_prefix])).toContainEqual(['10.0.2.0', 23]);
  });

  it('loses its port in a network that is deleted with cascade', async () => {
    await world.vnmgr.execute([edge()]);
    expect(await why(remove('network', 'nw-2'))).toEqual(['still_referenced : still referred to by rt-edge']);
    await world.vnmgr.execute([{ verb: 'delete', kind: 'network', uuid: 'nw-2', cascade: true }]);
    expect([world.vnmgr.get('router', 'rt-edge')?.view['networks'], all('interface').map(({ uuid }) => uuid)]).toEqual([
      [expect.objectContaining({ network_uuid: 'nw-1' })],
      ['if-edge-1', 'if-vm'],
    ]);
  });

  it('is the only way to change what it made', async () => {
    await world.vnmgr.execute([edge()]);
    const [lease] = all('mac_lease').filter(({ interface_uuid }) => interface_uuid === 'if-edge-1');
    const belongs = (uuid: string) => [`conflict : ${uuid} belongs to rt-edge; change that instead`];
    expect([
      await why(update('interface', 'if-edge-1', { display_name: 'x' })),
      await why(remove('route_link', 'rl-edge')),
      await why(remove('mac_lease', lease!.uuid)),
      await why(create('ip_lease', { interface_uuid: 'if-edge-1', network_uuid: 'nw-1', ipv4_address: '10.0.1.9' })),
      await why(create('route', { route_link_uuid: 'rl-edge', type: 'blackhole', ipv4_network: '10.8.0.0', ipv4_prefix: 16 })),
    ]).toEqual([
      belongs('if-edge-1'),
      belongs('rl-edge'),
      belongs(lease!.uuid),
      ['conflict /interface_uuid: if-edge-1 belongs to rt-edge; give it addresses there'],
      ['conflict /route_link_uuid: rl-edge belongs to rt-edge; give it routes there'],
    ]);
  });

  it('may carry services, which know its ports by name', async () => {
    await world.vnmgr.execute([create('network_service', { uuid: 'ns-1', mode: 'dhcp', interface_uuid: 'if-edge-1' }), edge()]);
    expect(world.vnmgr.get('network_service', 'ns-1')?.view['interface_uuid']).toBe('if-edge-1');
  });
});

describe('a transaction is refused', () => {
  it.each<[string, Operation, string[]]>([
    [
      'for a network that is not there, by its place',
      edge({ networks: [{ network_uuid: 'nw-none', ip_address: '10.0.1.1' }] }),
      ['invalid_reference /networks/0/network_uuid: there is no network nw-none'],
    ],
    [
      'for an address outside its network',
      edge({
        networks: [
          { network_uuid: 'nw-1', ip_address: '10.0.1.1' },
          { network_uuid: 'nw-2', ip_address: '10.9.9.9' },
        ],
      }),
      ['invariant_violated /networks/1/ip_address: 10.9.9.9 is outside 10.0.2.0/24 of nw-2'],
    ],
    [
      'for an address that somebody has',
      edge({ networks: [{ network_uuid: 'nw-1', ip_addresses: ['10.0.1.1', '10.0.1.10'] }] }),
      [expect.stringMatching(/^conflict \/networks\/0\/ip_addresses\/1: 10\.0\.1\.10 is taken in nw-1 by il-/)],
    ],
    [
      'for a network named twice',
      edge({
        networks: [
          { network_uuid: 'nw-1', ip_address: '10.0.1.1' },
          { network_uuid: 'nw-1', ip_address: '10.0.1.2' },
        ],
      }),
      ['conflict /networks/1/network_uuid: nw-1 is there twice; give both addresses in one entry'],
    ],
    [
      'for a port without address',
      edge({ networks: [{ network_uuid: 'nw-1' }] }),
      ['missing_argument /networks/0/ip_address: is required'],
    ],
    [
      'for a next hop in no network of the router',
      edge({ routes: [{ destination: '10.7.0.0/16', via: '192.0.2.1' }] }),
      [
        'invariant_violated /routes/0/via: 192.0.2.1 is in no network that rl-edge has a port in (10.0.1.0/24 of nw-1, fd00:1::/64 of nw-1, 10.0.2.0/24 of nw-2, fd00:2::/64 of nw-2)',
      ],
    ],
    [
      'for a next hop that is nobody',
      edge({ routes: [{ destination: '10.7.0.0/16', via: ['10.0.1.10', '10.0.1.77'] }] }),
      ['invariant_violated /routes/0/via/1: nobody has 10.0.1.77 in nw-1'],
    ],
    [
      'for a next hop that is the router itself',
      edge({ routes: [{ destination: '10.7.0.0/16', via: '10.0.2.1' }] }),
      ["invariant_violated /routes/0/via: 10.0.2.1 is rl-edge's own address"],
    ],
    [
      'for a next hop of the other family',
      edge({ routes: [{ destination: 'fd00:7::/48', via: '10.0.1.10' }] }),
      ['invariant_violated /routes/0/via: 10.0.1.10 is ipv4, and what goes there is ipv6'],
    ],
    [
      'for a route that leads nowhere',
      edge({ routes: [{ destination: '10.7.0.0/16' }] }),
      ['invariant_violated /routes/0: is needed without via'],
    ],
    [
      'for a blackhole with a next hop',
      edge({ routes: [{ destination: '10.7.0.0/16', type: 'blackhole', via: '10.0.1.10' }] }),
      ['invariant_violated /routes/0/via: blackhole forwards nothing'],
    ],
    [
      'for two routes to one prefix',
      edge({
        routes: [
          { destination: '10.7.0.0/16', via: '10.0.1.10' },
          { destination: '10.7.0.0/16', type: 'prohibit' },
        ],
      }),
      [
        expect.stringMatching(/^conflict \/routes\/0\/destination: rl-edge already leads to 10\.7\.0\.0\/16 by r-/),
        expect.stringMatching(/^conflict \/routes\/1\/destination: rl-edge already leads to 10\.7\.0\.0\/16 by r-/),
      ],
    ],
    [
      'for host bits in a destination',
      edge({ routes: [{ destination: '10.7.0.1/16', type: 'blackhole' }] }),
      ['invalid_argument /routes/0/destination: "10.7.0.1/16": 10.7.0.1 has host bits set; the network is 10.7.0.0/16'],
    ],
    [
      'for networks of different routing tables',
      edge({
        networks: [
          { network_uuid: 'nw-1', ip_address: '10.0.1.1' },
          { network_uuid: 'nw-red', ip_address: '10.0.5.1' },
          { network_uuid: 'nw-blue', ip_address: '10.0.6.1' },
        ],
      }),
      ['conflict : nw-red: nw-red is in routing table red and is joined to nw-blue, which is in routing table blue'],
    ],
    [
      'for a network outside the routing table of the router',
      edge({ vrf: 'red' }),
      [
        'invariant_violated /networks/0/network_uuid: nw-1 is in no named routing table, rt-edge in routing table red',
        'invariant_violated /networks/1/network_uuid: nw-2 is in no named routing table, rt-edge in routing table red',
      ],
    ],
    [
      'for two policies of one priority',
      edge({
        policy_routes: [
          { priority: 5, type: 'blackhole' },
          { priority: 5, type: 'prohibit' },
        ],
      }),
      [
        expect.stringMatching(/^conflict \/policy_routes\/0\/priority: 5 is that of pbr-/),
        expect.stringMatching(/^conflict \/policy_routes\/1\/priority: 5 is that of pbr-/),
      ],
    ],
    [
      'for ports without a protocol, and families that do not meet',
      edge({ policy_routes: [{ priority: 5, ports: ['80'], source: '10.0.0.0/8', destination: 'fd00::/16', type: 'blackhole' }] }),
      [
        'invariant_violated /policy_routes/0/ports: any has no ports; tcp, udp and sctp have',
        'invariant_violated /policy_routes/0/destination: fd00::/16 is ipv6, 10.0.0.0/8 is ipv4',
      ],
    ],
    [
      'for a name that is taken',
      edge({ networks: [{ network_uuid: 'nw-1', ip_address: '10.0.1.1', interface_uuid: 'if-vm' }] }),
      ['duplicate_uuid /networks/0/interface_uuid: if-vm exists already'],
    ],
  ])('%s', async (_what, operation, reasons) => {
    expect((await why(operation)).slice(0, reasons.length)).toEqual(reasons);
  });

  it('for routes that send packets round, spelled out hop by hop', async () => {
    const toFar = { destination: '10.7.0.0/16', via: '10.0.9.2' };
    const onTransit = edge({
      networks: [
        { network_uuid: 'nw-1', ip_address: '10.0.1.1' },
        { network_uuid: 'nw-t', ip_address: '10.0.9.1' },
      ],
      routes: [toFar],
    });
    expect(await why(onTransit, far('10.0.9.1'))).toEqual([
      'invariant_violated /operations/0/routes/0: packets to 10.7.0.0/16 would go round: rt-edge sends 10.7.0.0/16 to 10.0.9.2, rt-far sends 10.0.0.0/8 to 10.0.9.1, which is back at rt-edge',
    ]);
    // One after the other: whoever closes the loop is refused.
    const near = create('router', { uuid: 'rt-far', networks: [{ network_uuid: 'nw-t', ip_address: '10.0.9.2' }] });
    await world.vnmgr.execute([near, onTransit]);
    expect(await why(update('router', 'rt-far', { routes: [{ destination: '0.0.0.0/0', via: '10.0.9.1' }] }))).toEqual([
      'invariant_violated /routes/0: packets to 10.7.0.0/16 would go round: rt-far sends 0.0.0.0/0 to 10.0.9.1, rt-edge sends 10.7.0.0/16 to 10.0.9.2, which is back at rt-far',
    ]);
    // A longer prefix that ends elsewhere leaves no loop.
    const routes = [
      { destination: '0.0.0.0/0', via: '10.0.9.1' },
      { destination: '10.7.0.0/16', type: 'blackhole' },
    ];
    expect((await world.vnmgr.execute([update('router', 'rt-far', { routes })])).changed).toBe(true);
    expect(await why(update('router', 'rt-far', { routes: routes.slice(0, 1) }))).toHaveLength(1);
  });

  it('for a loop over a router whose address comes last', async () => {
    await world.vnmgr.execute([
      create('route_link', { uuid: 'rl-a' }),
      create('route_link', { uuid: 'rl-b' }),
      ...['a', 'b'].flatMap((name, i) => [
        create('interface', {
          uuid: `if-${name}`,
          mode: 'simulated',
          enable_routing: true,
          network_uuid: 'nw-t',
          ipv4_address: `10.0.9.${i + 1}`,
        }),
        create('route', {
          uuid: `r-${name}`,
          interface_uuid: `if-${name}`,
          network_uuid: 'nw-t',
          route_link_uuid: `rl-${name}`,
          ipv4_network: '10.0.9.0',
        }),
      ]),
      create('route', { uuid: 'r-a7', route_link_uuid: 'rl-a', via: ['10.0.9.2'], ipv4_network: '10.7.0.0', ipv4_prefix: 16 }),
    ]);
    expect(
      await why(create('route', { uuid: 'r-b0', route_link_uuid: 'rl-b', via: ['10.0.9.1'], ipv4_network: '0.0.0.0', ipv4_prefix: 0 })),
    ).toEqual([
      'invariant_violated : packets to 10.7.0.0/16 would go round: rl-b sends 0.0.0.0/0 to 10.0.9.1 (r-b0), rl-a sends 10.7.0.0/16 to 10.0.9.2 (r-a7), which is back at rl-b',
    ]);
  });
});

describe('routing tables', () => {
  it('may have the same prefixes, and networks that name one are one domain', async () => {
    const red = create('network', { uuid: 'nw-red2', ipv4_network: '10.0.6.0', vrf: 'red' });
    await world.vnmgr.execute([red]);
    const key = (uuid: string) => (world.disk.entities.get(uuid) as { vrf_key: number }).vrf_key;
    expect([key('nw-red2') === key('nw-red'), key('nw-red') === key('nw-blue')]).toEqual([true, false]);
    expect(await why(create('network', { ipv4_network: '10.0.6.0', vrf: 'red' }))).toEqual([
      'conflict /ipv4_network: 10.0.6.0/24 overlaps 10.0.6.0/24 of nw-red2 in the same routing domain',
    ]);
    expect(await why(update('network', 'nw-blue', { vrf: 'red' }))).toEqual([
      'conflict /ipv4_network: 10.0.6.0/24 overlaps 10.0.6.0/24 of nw-red2 in the same routing domain',
    ]);
  });
});
