import path from 'node:path';
import { eventually } from '../lab/eventually.js';
import { repositoryRoot } from '../lab/hotori.js';
import { Prober } from '../lab/probes.js';
import { run } from '../lab/run.js';
import type { Vm } from '../lab/vm.js';
import { post, World } from './world.js';

const any = { any: true };

/** web (tcp 80, icmp from anyone), inner (everything from members of inner), strict (egress only to nw-b, tcp). */
describe('security groups on a real switch', () => {
  let world: World;
  let web: Vm, inner1: Vm, inner2: Vm, open: Vm, strict: Vm;

  beforeAll(async () => {
    world = await World.start();
    await world.defineNetworks();
    const ingress = { direction: 'ingress' };
    await world.hotori.post('/batch', {
      operations: [
        post('security_groups', {
          uuid: 'sg-web',
          rules: [
            { uuid: 'sgr-web80', ...ingress, protocol: 'tcp', ports: ['80'], remote: any },
            { ...ingress, protocol: 'icmp', remote: any },
            { ...ingress, protocol: 'icmpv6', remote: any },
          ],
        }),
        post('security_groups', {
          uuid: 'sg-inner',
          rules: [{ ...ingress, protocol: 'any', remote: { security_group_uuid: 'sg-inner' } }],
        }),
        post('security_groups', {
          uuid: 'sg-strict',
          rules: [{ direction: 'egress', protocol: 'tcp', remote: { cidr: '10.2.0.0/24' } }],
        }),
      ],
    });
    [web, inner1, inner2, open, strict] = (await world.addVms(
      { name: 'web', network: 'a', host: 10, groups: ['sg-web'] },
      { name: 'in1', network: 'a', host: 11, groups: ['sg-inner'] },
      { name: 'in2', network: 'b', host: 12, groups: ['sg-inner'] },
      { name: 'open', network: 'b', host: 13 },
      { name: 'strict', network: 'a', host: 14, groups: ['sg-strict'] },
    )) as [Vm, Vm, Vm, Vm, Vm];
    for (const vm of [web, inner1, inner2, open]) {
      for (const port of ['80', '81']) {
        for (const family of ['-4', '-6']) vm.spawn(['nc', family, '-lk', port], `listen${port}${family}`);
      }
      await eventually('all ports open', async () => (await vm.run(['ss', '-ltnH'])).trim().split('\n').length === 4);
    }
  }, 60_000);
  afterAll(() => world.destroy(), 60_000);

  const connects = async (from: Vm, to: string, port: number) => (await from.exec(['nc', '-z', '-w', '1', to, String(port)])).code === 0;

  it('admit what a rule admits and nothing else, within a network and across the router, in both families', async () => {
    expect({
      web80: await connects(open, '10.1.0.10', 80),
      web81: await connects(open, '10.1.0.10', 81),
      web80v6: await connects(open, 'fd00:1::10', 80),
      web81v6: await connects(open, 'fd00:1::10', 81),
      webPing: (await open.ping('10.1.0.10')).received,
      webPing6: (await open.ping('fd00:1::10')).received,
      innerFromMember: await connects(inner1, '10.2.0.12', 81),
      innerFromMember6: await connects(inner1, 'fd00:2::12', 81),
      innerFromOutside: await connects(open, '10.2.0.12', 81),
      innerPingFromOutside: (await open.ping('10.2.0.12')).received,
      openFromWeb: await connects(web, '10.2.0.13', 81),
      strictToB: await connects(strict, '10.2.0.13', 80),
      strictToA: await connects(strict, '10.1.0.10', 80),
      strictPing: (await strict.ping('10.2.0.13')).received,
    }).toEqual({
      web80: true,
      web81: false,
      web80v6: true,
      web81v6: false,
      webPing: 3,
      webPing6: 3,
      innerFromMember: true,
      innerFromMember6: true,
      innerFromOutside: false,
      innerPingFromOutside: 0,
      openFromWeb: true,
      strictToB: true,
      strictToA: false,
      strictPing: 0,
    });
  }, 90_000);

  it('let ICMP errors of admitted connections back in, and traceroute through', async () => {
    const { stdout } = await inner1.exec(['traceroute', '-n', '-q', '1', '-w', '2', '-m', '3', '10.2.0.13']);
    const hops = stdout
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/)[1])
      .filter((hop) => hop !== undefined);
    expect(hops).toEqual(['10.1.0.1', '10.2.0.13']);
  }, 30_000);

  it('stop an established connection when its rule is removed, and admit new ones when it returns', async () => {
    const counter = open.spawn(['sh', '-c', 'i=0; while :; do i=$((i+1)); echo line$i; sleep 0.05; done | nc 10.1.0.10 80'], 'stream');
    const received = () =>
      web.run([
        'sh',
        '-c',
        "ss -tiH state established '( sport = :80 )' | grep -o 'bytes_received:[0-9]*' | cut -d: -f2 | sort -n | tail -1",
      ]);
    const bytes = async () => Number((await received()).trim() || '0');
    await eventually('the stream flowing', async () => (await bytes()) > 200);

    const group = await world.hotori.get('/security_groups/sg-web');
    await world.hotori.put('/security_groups/sg-web?wait=installed', {
      rules: group.rules.filter((rule: { uuid: string }) => rule.uuid !== 'sgr-web80').map(userRule),
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const stopped = await bytes();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const later = await bytes();
    const refused = await connects(inner1, '10.1.0.10', 80);
    await world.hotori.put('/security_groups/sg-web?wait=installed', { rules: group.rules.map(userRule) });
    const admitted = await connects(inner1, '10.1.0.10', 80);
    await counter.stop('SIGKILL');
    expect({ stopped: later - stopped, refused, admitted }).toEqual({ stopped: 0, refused: false, admitted: true });
  }, 60_000);

  it('join and leave take effect on members at once', async () => {
    await world.hotori.put('/interfaces/if-open?wait=installed', { security_group_uuids: ['sg-inner'] });
    const joined = await connects(open, '10.2.0.12', 81);
    await world.hotori.put('/interfaces/if-open?wait=installed', { security_group_uuids: [] });
    const left = await connects(open, '10.2.0.12', 81);
    expect({ joined, left }).toEqual({ joined: true, left: false });
  }, 30_000);

  it('count and log what each rule decides: packets, bytes and connections, in REST, vnctl and Prometheus', async () => {
    const rule = (uuid: string, port: string, action: string) => ({
      uuid,
      direction: 'ingress',
      protocol: 'udp',
      ports: [port],
      remote: any,
      action,
    });
    await world.hotori.post('/security_groups', {
      uuid: 'sg-count',
      rules: [
        { ...rule('sgr-yes', '5000', 'allow'), log: { rate: 2 } },
        { ...rule('sgr-no', '5001', 'drop'), log: { rate: 1 } },
      ],
    });
    await world.hotori.put('/interfaces/if-open?wait=installed', { security_group_uuids: ['sg-count'] });
    const sender = await Prober.start(inner1, world.lab.dir, []);
    const sent: Record<string, number> = {};
    for (const port of [5000, 5001, 5002]) {
      await sender.startStream(String(port), '10.2.0.13', port, 5);
      await new Promise((resolve) => setTimeout(resolve, 200));
      sent[port] = await sender.stopStream(String(port));
    }
    const bytes = 14 + 20 + 8 + 16;
    const expected = {
      rules: [
        { uuid: 'sgr-yes', packets: sent[5000]!, bytes: sent[5000]! * bytes, connections: 1 },
        { uuid: 'sgr-no', packets: sent[5001]!, bytes: sent[5001]! * bytes, connections: 0 },
      ],
      drops: { ingress_rule: sent[5001]!, ingress_policy: sent[5002]! },
    };
    const counted = async () => {
      const { rules } = await world.hotori.get('/security_groups/sg-count/statistics');
      const { drops } = await world.hotori.get('/interfaces/if-open/statistics');
      const of = (name: string) => (drops as { reason: string; packets: number }[]).find(({ reason }) => reason === name)?.packets ?? 0;
      return { rules: rules as object[], drops: { ingress_rule: of('ingress_rule'), ingress_policy: of('ingress_policy') } };
    };
    // The switch adds up what its cached flows have seen twice a second.
    await eventually('everything being counted', async () => (await counted()).drops.ingress_policy >= sent[5002]!);
    const seen = await counted();
    const vnctl = await run(
      [process.execPath, path.join(repositoryRoot(), 'dist/webapi/vnctl/main.js'), 'security_groups', 'statistics', 'sg-count'],
      {
        env: { HOTORI_SERVER: new URL(world.hotori.url).origin },
      },
    );
    const metrics = await (await fetch(new URL('/metrics', world.hotori.url))).text();

    // Ten more at once, and one when the rate allows a line again.
    const probes = Array.from({ length: 10 }, () => ({ protocol: 'udp' as const, dst: '10.2.0.13', port: 5000 }));
    await sender.probe(probes, 100);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    await sender.probe(probes.slice(0, 1), 100);
    const lines = await eventually('the lines', () => {
      const all = world.hotori
        .log()
        .split('\n')
        .filter((line) => line.includes('"rule":"sgr-yes"'))
        .map((line) => JSON.parse(line) as { suppressed: number });
      const told = all.reduce((sum, { suppressed }) => sum + suppressed + 1, 0);
      return Promise.resolve(told >= 12 ? all : undefined);
    });
    await sender.stop();
    expect({
      seen,
      vnctl: /sgr-yes\s+\d+\s+\d+\s+1\b/.test(vnctl),
      metric: /^hotori_vna_dropped_packets_total\{bridge="br-int",reason="ingress_policy"\} [1-9]/m.test(metrics),
      told: lines.reduce((sum, { suppressed }) => sum + suppressed + 1, 0),
      few: lines.length < 12,
      line: lines[0],
    }).toEqual({
      seen: { ...expected, rules: expected.rules.map((one) => expect.objectContaining(one) as object) },
      vnctl: true,
      metric: true,
      told: 12,
      few: true,
      line: expect.objectContaining({
        ...{ verdict: 'allowed', direction: 'ingress', security_group: 'sg-count', interface: 'if-open', protocol: 'udp' },
        ...{ src: '10.1.0.11', dst: '10.2.0.13', dst_port: 5000 },
      }) as object,
    });
  }, 60_000);

  it('a VM sends and receives nothing before its policy is in place', async () => {
    const early = await world.lab.addVm(world.hypervisor, { name: 'early', iface_id: 'if-early' });
    await early.configure('10.1.0.50/24', '10.1.0.1');
    await early.run(['ip', 'neigh', 'add', '10.1.0.10', 'lladdr', web.mac, 'dev', 'eth0']);
    const dump = web.spawn(['tcpdump', '-n', '-l', '-i', 'eth0', '-Q', 'in', 'host', '10.1.0.50']);
    await eventually('tcpdump listening', () => /listening on/.test(dump.output()));
    const before = (await early.ping('10.1.0.10', { count: 5, interval: 0.05 })).received;
    await dump.stop('SIGINT');
    const leaked = /(\d+) packets captured/.exec(dump.output())?.[1];
    await world.hotori.post('/interfaces?wait=installed', {
      uuid: 'if-early',
      mode: 'vif',
      network_uuid: 'nw-a',
      mac_address: early.mac,
      ipv4_address: '10.1.0.50',
      security_group_uuids: ['sg-web'],
    });
    const after = (await early.ping('10.1.0.10')).received;
    expect({ before, leaked, after }).toEqual({ before: 0, leaked: '0', after: 3 });
  }, 60_000);
});

/** A rule as a user would write it: without what the server added. */
function userRule(rule: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(rule).filter(([name, value]) => name !== 'rule_key' && value !== null));
}
