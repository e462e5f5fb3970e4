import { DROP_REASONS } from '../../flows/pipeline/tables.js';
import { eventually } from '../lab/eventually.js';
import type { Attachment } from '../lab/underlay.js';
import type { Vm } from '../lab/vm.js';
import { listening, OverlayWorld, stopped } from './overlay-world.js';
import { CHAIN, CHAIN_END, chainHop, defineTenantChains, hopsOf, numbers } from './tenant-chains.js';
import { listeningOn } from './three-hypervisors.js';
import { post } from './world.js';

const ENCAPSULATED = '(udp port 6081 or udp port 4789 or proto gre or ip6 proto gre)';

/** Geneve between hv1 and hv2, VXLAN and GRE to hv3, which is reached over IPv6. */
describe('networks over three hypervisors', () => {
  let world: OverlayWorld;
  let c1: Vm;

  beforeAll(async () => {
    world = await OverlayWorld.start(([one, two, three]) => [
      { address: [one!.ipv4, one!.ipv6], encap: ['geneve', 'vxlan'] },
      { address: [two!.ipv4, two!.ipv6], encap: ['geneve', 'gre'] },
      { address: [three!.ipv6], encap: ['vxlan', 'gre'] },
    ]);
    c1 = await defineChain(world);
  }, 60_000);
  afterAll(() => world.destroy(), 60_000);

  it('each VM reaches those of its network on every hypervisor, in both families, and nobody of the other with the same addresses', async () => {
    expect(await world.whoAnswers()).toEqual(world.expectedAnswers());
  }, 60_000);

  it('each pair of hypervisors uses the encapsulation and the underlay that both offer', async () => {
    const [one, two] = world.underlay.attachments;
    const near = await world.underlay.watch(one!, ENCAPSULATED);
    const far = await world.underlay.watch(two!, ENCAPSULATED);
    for (const [from, to] of [
      [1, '10.101.0.11'],
      [1, '10.101.0.12'],
      [3, '10.101.0.12'],
    ] as const)
      await world.vm(from).ping(to, { count: 1 });
    const kinds = (lines: readonly string[]) =>
      [...new Set(lines.map((line) => /IP6?|Geneve|VXLAN|GREv0/g[Symbol.match](line)?.slice(0, 2).join(' ')))]
        .filter((kind) => kind?.includes(' '))
        .sort();
    expect([kinds(await stopped(near)), kinds(await stopped(far))]).toEqual([
      ['IP Geneve', 'IP6 VXLAN'],
      ['IP Geneve', 'IP6 GREv0'],
    ]);
  }, 30_000);

  it('the very first packet between two hypervisors arrives: their ways were tried before', async () => {
    const seen = await Promise.all(
      world.underlay.attachments.map(async ({ hypervisor: { ovs } }) => (await ovs.appctl('tnl/neigh/show')).trim().split('\n').length > 2),
    );
    expect({ seen, answers: await world.whoAnswers() }).toEqual({ seen: [true, true, true], answers: world.expectedAnswers() });
  }, 30_000);

  it('a way without a route, without a neighbour, or that nobody answers is named, and no more when it is back', async () => {
    const [one, , three] = world.underlay.attachments as [Attachment, Attachment, Attachment];
    const said = async () => {
      const { datapaths } = await world.hotori.get('/status');
      return datapaths.map(({ conditions }: { conditions: { code: string; uuids: string[] }[] }) =>
        conditions.map(({ code, uuids }) => `${code} ${uuids.join()}`).sort(),
      );
    };
    const become = (what: string, expected: readonly (readonly string[])[]) =>
      eventually(what, async () => JSON.stringify(await said()) === JSON.stringify(expected)).catch(async () =>
        expect(await said()).toEqual(expected),
      );
    const quiet = [[], [], []];
    await become('all ways answering', quiet);

    const forward = (on: 0 | 1) => world.underlay.netns.run(['sysctl', '-qw', `net.ipv6.conf.all.forwarding=${on}`]);
    const gateway = (verb: string) =>
      world.underlay.netns.run(['ip', '-6', 'addr', verb, `fd16:${three.segment}::1/64`, 'dev', `l2-${three.segment}`, 'nodad']);
    await forward(0);
    await gateway('del');
    await three.hypervisor.ovs.appctl('tnl/neigh/flush');
    await become('a gateway that is gone being named', [
      ['peer_silent dp-hv3'],
      ['peer_silent dp-hv3'],
      ['no_underlay_neighbour dp-hv1', 'no_underlay_neighbour dp-hv2'],
    ]);
    await gateway('add');
    // An advertisement that passes by a cached flow teaches the switch nothing; without traffic such a flow lasts ten seconds.
    await three.hypervisor.ovs.appctl('revalidator/purge');
    await forward(1);
    await become('all ways answering again', quiet);

    const route = (verb: string) => one.hypervisor.netns.run(['ip', '-6', 'route', verb, 'default', 'via', `fd16:${one.segment}::1`]);
    await route('del');
    await become('a missing route being named', [['no_underlay_route dp-hv3'], [], ['peer_silent dp-hv1']]);
    await route('add');
    await become('all ways answering once more', quiet);
  }, 60_000);

  it('a broadcast leaves once for each hypervisor with ports in the network and goes no further than their ports', async () => {
    const watches = await Promise.all(world.underlay.attachments.map((place) => world.underlay.watch(place, ENCAPSULATED)));
    const inside = [3, 4, 5].map((n) => world.vm(n).spawn(['tcpdump', '-n', '-l', '-i', 'eth0', '-Q', 'in', 'icmp and dst 10.101.0.255']));
    await Promise.all(inside.map((dump) => listening(dump)));
    await world.vm(1).exec(['ping', '-n', '-b', '-c', '3', '-i', '0.2', '-W', '1', '10.101.0.255']);
    const outside = await Promise.all(
      watches.map(async (watch) => (await stopped(watch)).filter((line) => /10\.101\.0\.255/.test(line)).length),
    );
    const seen = await Promise.all(inside.map(async (dump) => (await stopped(dump)).length));
    expect({ outside, seen }).toEqual({ outside: [6, 3, 3], seen: [3, 0, 3] });
  }, 30_000);

  it('groups are enforced where the receiver is, by members wherever they are, and rejections come back', async () => {
    const ingress = { direction: 'ingress', protocol: 'tcp', ports: ['7'] };
    await world.hotori.post('/batch?wait=installed', {
      operations: [
        post('security_groups', { uuid: 'sg-friends' }),
        post('security_groups', {
          uuid: 'sg-guarded',
          rules: [
            { ...ingress, remote: { security_group_uuid: 'sg-friends' } },
            { ...ingress, remote: { any: true }, action: 'reject', priority: 100 },
          ],
        }),
        { method: 'PUT', path: '/interfaces/if-vm1', body: { security_group_uuids: ['sg-friends'] } },
        { method: 'PUT', path: '/interfaces/if-vm3', body: { security_group_uuids: ['sg-guarded'] } },
      ],
    });
    const ask = async (from: number, to: string) => {
      const { code, stderr } = await world.vm(from).exec(['nc', '-v', '-z', '-w', '3', to, '7']);
      return code === 0 ? 'admitted' : /refused/.test(stderr) ? 'rejected' : 'silence';
    };
    const seen = [await ask(1, '10.101.0.11'), await ask(5, '10.101.0.11'), await ask(1, 'fd00:101::11'), await ask(5, 'fd00:101::11')];
    await world.hotori.put('/interfaces/if-vm5?wait=installed', { security_group_uuids: ['sg-friends'] });
    // What was installed before is in force for every packet when cached flows have been looked at again.
    await Promise.all(world.lab.hypervisors.map(({ ovs }) => ovs.revalidated()));
    const joined = await ask(5, '10.101.0.11');
    await world.hotori.post('/batch?wait=installed', {
      operations: [1, 3, 5].map((n) => ({ method: 'PUT', path: `/interfaces/if-vm${n}`, body: { security_group_uuids: [] } })),
    });
    expect({ seen, joined }).toEqual({ seen: ['admitted', 'rejected', 'admitted', 'rejected'], joined: 'admitted' });
  }, 30_000);

  it('what comes from an address that is no hypervisor is refused and counted', async () => {
    const [one] = world.underlay.attachments;
    const { code } = DROP_REASONS.unknown_peer;
    const before = await world.dropped(1, code);
    const dump = world.vm(1).spawn(['tcpdump', '-n', '-l', '-i', 'eth0', '-Q', 'in', 'ether src 02:de:ad:00:00:01']);
    await listening(dump);
    const frame = `${world.vm(1).mac.replaceAll(':', '')}02dead00000188b5${'00'.repeat(46)}`;
    // Geneve: no options, protocol Ethernet, each VNI that could be one of ours.
    const send = `const s = require('dgram').createSocket('udp4'); let left = 20;
      for (let vni = 1; vni <= 20; vni++)
        s.send(Buffer.from('00006558' + vni.toString(16).padStart(6, '0') + '00' + '${frame}', 'hex'), 6081, '${one!.ipv4}', () => --left || s.close());`;
    await world.underlay.netns.run(['ping', '-c', '1', one!.ipv4]);
    await world.underlay.netns.run([process.execPath, '-e', send]);
    const refused = await eventually('20 packets refused', async () => {
      const count = (await world.dropped(1, code)) - before;
      return count >= 20 ? count : undefined;
    });
    const seen = (await stopped(dump)).length;
    expect({ seen, refused }).toEqual({ seen: 0, refused: 20 });
  }, 30_000);

  it('a chain of three routers is walked where a packet starts: it crosses the underlay once, and every router shows in a traceroute', async () => {
    const hops = async (to: string, ...more: string[]) =>
      (await c1.exec(['traceroute', '-n', '-q', '1', '-w', '2', '-m', '5', ...more, to])).stdout
        .split('\n')
        .slice(1)
        .flatMap((line) => line.trim().split(/\s+/)[1] ?? []);
    await c1.ping('10.4.0.12', { count: 1 });
    const watch = await world.underlay.watch(world.underlay.attachments[0]!, ENCAPSULATED);
    const received = [(await c1.ping('10.4.0.12', { count: 5 })).received, (await c1.ping('fd00:4::12', { count: 5 })).received];
    const crossings = (await stopped(watch)).filter((line) => /echo (request|reply)/.test(line)).length;
    expect({ received, crossings, v4: await hops('10.4.0.12'), v6: await hops('fd00:4::12', '-6') }).toEqual({
      received: [5, 5],
      crossings: 20,
      v4: ['10.1.0.1', '10.2.0.2', '10.3.0.2', '10.4.0.12'],
      v6: ['fd00:1::1', 'fd00:2::2', 'fd00:3::2', 'fd00:4::12'],
    });
  }, 60_000);

  it('groups hold across hypervisors: only members come in, and answers to what a member began', async () => {
    await world.hotori.post('/security_groups', {
      uuid: 'sg-in',
      rules: [{ direction: 'ingress', protocol: 'any', remote: { security_group_uuid: 'sg-in' } }],
    });
    for (const n of [1, 3]) await world.hotori.put(`/interfaces/if-vm${n}?wait=installed`, { security_group_uuids: ['sg-in'] });
    const answer = async (from: number, to: string) => (await world.vm(from).exec(['nc', '-N', '-w', '1', to, '7'])).stdout;
    const answers = {
      memberIn: await answer(3, '10.101.0.10'),
      memberIn6: await answer(3, 'fd00:101::10'),
      strangerIn: await answer(5, '10.101.0.10'),
      strangerIn6: await answer(5, 'fd00:101::10'),
      out: await answer(1, '10.101.0.12'),
      out6: await answer(1, 'fd00:101::12'),
      ping: (await world.vm(5).ping('10.101.0.11', { count: 1 })).received,
    };
    for (const n of [1, 3]) await world.hotori.put(`/interfaces/if-vm${n}?wait=installed`, { security_group_uuids: [] });
    expect(answers).toEqual({ memberIn: 'vm1', memberIn6: 'vm1', strangerIn: '', strangerIn6: '', out: 'vm5', out6: 'vm5', ping: 0 });
  }, 60_000);

  it('a packet too long for the overlay is answered with what fits, from the router or, within a network, in the name of its destination', async () => {
    const tooLong = async (vm: Vm, to: string, size: number) => {
      const { stdout, stderr } = await vm.exec(['ping', '-n', '-M', 'do', '-c', '1', '-W', '1', '-s', String(size), to]);
      return /From (\S+) icmp_seq=1 (?:Frag needed and DF set \(mtu = (\d+)\)|Packet too big: mtu=(\d+))/
        .exec(stdout + stderr)
        ?.slice(1)
        .filter(Boolean)
        .join(' ');
    };
    // It may have heard what fits from its router already.
    await c1.run(['sysctl', '-qw', 'net.ipv6.conf.eth0.mtu=1500']);
    expect({
      geneve4: await tooLong(world.vm(1), '10.101.0.11', 1472),
      geneve6: await tooLong(world.vm(1), 'fd00:101::11', 1452),
      vxlan4: await tooLong(world.vm(1), '10.101.0.12', 1472),
      gre6: await tooLong(world.vm(3), 'fd00:101::12', 1452),
      routed4: await tooLong(c1, '10.4.0.12', 1472),
      routed6: await tooLong(c1, 'fd00:4::12', 1452),
      fits: (await world.vm(5).ping('10.101.0.10', { count: 1, size: 1402 })).received,
    }).toEqual({
      geneve4: '10.101.0.11 1442',
      geneve6: 'fd00:101::11 1442',
      vxlan4: '10.101.0.12 1430',
      gre6: 'fd00:101::12 1438',
      routed4: '10.3.0.2 1430',
      routed6: 'fd00:3::2 1430',
      fits: 1,
    });
  }, 60_000);

  it('TCP fills the overlay between every pair, though VMs believe in an MTU of 1500', async () => {
    const megabits: Record<string, boolean> = {};
    for (const [server, client, to] of [
      [1, 3, '10.101.0.10'],
      [1, 5, 'fd00:101::10'],
      [3, 5, '10.101.0.11'],
    ] as const) {
      const daemon = world.vm(server).spawn(['iperf3', '-s', '-1']);
      await listeningOn(world.vm(server), 5201);
      const { stdout } = await world.vm(client).exec(['iperf3', '-J', '-t', '1', '-c', to]);
      await daemon.stop();
      const sum = (JSON.parse(stdout) as { end?: { sum_received?: { bits_per_second: number } } }).end?.sum_received;
      megabits[`vm${client}>vm${server}`] = (sum?.bits_per_second ?? 0) > 1e6;
    }
    expect(megabits).toEqual({ 'vm3>vm1': true, 'vm5>vm1': true, 'vm5>vm3': true });
  }, 60_000);

  it('VMs are told an MTU that fits every overlay there could be', async () => {
    const { stdout } = await c1.exec(['rdisc6', '-1', '-w', '2000', 'eth0']);
    expect(/MTU\s*:\s*(\d+)/.exec(stdout)?.[1]).toBe('1422');
  }, 30_000);

  it('eight routers of two tenants with the same addresses are listed by every tool, as far as they are to be seen, and each comes to its own', async () => {
    await defineTenantChains(world);
    const who = async (n: number, to: string) => (await world.vm(n).exec(['nc', '-N', '-w', '2', to, '7'])).stdout;
    for (const n of [1, 2]) await world.vm(n).ping(CHAIN_END.ipv4, { count: 1 });
    const trace = (n: number, ...more: string[]) => hopsOf(world.vm(n), 'traceroute', '-n', '-q', '1', '-w', '2', '-m', '12', ...more);
    const all = {
      who: await Promise.all([1, 2].flatMap((n) => [who(n, CHAIN_END.ipv4), who(n, CHAIN_END.ipv6)])),
      udp: await trace(1, CHAIN_END.ipv4),
      icmp: await trace(2, '-I', CHAIN_END.ipv4),
      tcp: await trace(1, '-T', '-p', '7', CHAIN_END.ipv4),
      udp6: await trace(2, '-6', CHAIN_END.ipv6),
      mtr: await hopsOf(world.vm(1), 'mtr', '-n', '-r', '-c', '1', '-i', '0.2', '-G', '1', CHAIN_END.ipv4),
      tracepath: [...new Set(await hopsOf(world.vm(2), 'tracepath', '-n', '-m', '12', CHAIN_END.ipv4))],
    };
    const [v4, v6] = [false, true].map((six) => [...numbers(1, CHAIN).map((i) => chainHop(i, six)), six ? CHAIN_END.ipv6 : CHAIN_END.ipv4]);
    expect(all).toEqual({ who: ['end1', 'end1', 'end2', 'end2'], udp: v4, icmp: v4, tcp: v4, udp6: v6, mtr: v4, tracepath: v4 });

    const mode = (i: number, traceroute: string) => ({ method: 'PUT', path: `/routers/rt-t2c${i}`, body: { traceroute } });
    const operations = [mode(2, 'collapsed'), mode(3, 'collapsed'), mode(4, 'collapsed'), mode(6, 'off')];
    await world.hotori.post('/batch?wait=installed', { operations });
    expect([await trace(2, '-I', CHAIN_END.ipv4), await trace(1, '-I', CHAIN_END.ipv4)]).toEqual([
      [chainHop(1), chainHop(2), chainHop(5), '*', chainHop(7), chainHop(8), CHAIN_END.ipv4],
      v4,
    ]);
  }, 60_000);
});

/** nw-r1 10.1.0.0/24 – r1 – 10.2.0.0/24 – r2 – 10.3.0.0/24 – r3 – nw-r4 10.4.0.0/24; c1 on hv1 in the first, c2 on hv3 in the last. */
async function defineChain(world: OverlayWorld): Promise<Vm> {
  const networks = [1, 2, 3, 4].map((n) =>
    post('networks', { uuid: `nw-r${n}`, ipv4_network: `10.${n}.0.0`, ipv4_prefix: 24, ipv6_network: `fd00:${n}::`, ipv6_prefix: 64 }),
  );
  const port = (router: number, network: number, host: number, to: readonly number[]) => {
    const name = `${router}${network}`;
    const place = { interface_uuid: `if-gw${name}`, network_uuid: `nw-r${network}`, route_link_uuid: `rl-r${router}` };
    return [
      post('interfaces', {
        uuid: `if-gw${name}`,
        mode: 'simulated',
        enable_routing: true,
        mac_address: `02:00:00:00:0${network}:0${host}`,
        network_uuid: `nw-r${network}`,
        ipv4_address: `10.${network}.0.${host}`,
        ipv6_address: `fd00:${network}::${host}`,
      }),
      ...to.flatMap((n) => [
        post('routes', { uuid: `r-${name}-${n}`, ...place, ipv4_network: `10.${n}.0.0`, ipv4_prefix: 24 }),
        post('routes', { uuid: `r-${name}-${n}v6`, ...place, ipv6_network: `fd00:${n}::`, ipv6_prefix: 64 }),
      ]),
    ];
  };
  const vms: Vm[] = [];
  for (const [name, hypervisor] of [
    ['c1', 0],
    ['c2', 2],
  ] as const)
    vms.push(await world.lab.addVm(world.lab.hypervisors[hypervisor]!, { name, iface_id: `if-${name}` }));
  const [c1, c2] = vms as [Vm, Vm];
  const vif = (vm: Vm, n: number, host: number) =>
    post('interfaces', {
      uuid: `if-${vm.name}`,
      mode: 'vif',
      mac_address: vm.mac,
      network_uuid: `nw-r${n}`,
      ipv4_address: `10.${n}.0.${host}`,
      ipv6_address: `fd00:${n}::${host}`,
    });
  await world.hotori.post('/batch?wait=installed', {
    operations: [
      ...networks,
      ...[1, 2, 3].map((n) => post('route_links', { uuid: `rl-r${n}` })),
      ...port(1, 1, 1, [1]),
      ...port(1, 2, 1, [2, 3, 4]),
      ...port(2, 2, 2, [2, 1]),
      ...port(2, 3, 1, [3, 4]),
      ...port(3, 3, 2, [3, 2, 1]),
      ...port(3, 4, 1, [4]),
      vif(c1, 1, 11),
      vif(c2, 4, 12),
    ],
  });
  await c1.configure('10.1.0.11/24', '10.1.0.1');
  await c1.configure('fd00:1::11/64', 'fd00:1::1');
  await c2.configure('10.4.0.12/24', '10.4.0.1');
  await c2.configure('fd00:4::12/64', 'fd00:4::1');
  await world.untilReady();
  return c1;
}
