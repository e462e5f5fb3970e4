import { parseIpv4 } from '../../flows/net/ip.js';
import { parseMac } from '../../flows/net/mac.js';
import type { IpEnds } from '../../flows/packet/checksum.js';
import { encodeIcmpv4 } from '../../flows/packet/icmp.js';
import { encodeIpFrame } from '../../flows/packet/ip-frame.js';
import { ICMPV4_TYPE, IP_PROTOCOL } from '../../flows/packet/numbers.js';
import { encodeTcp, TCP_FLAG } from '../../flows/packet/tcp.js';
import { DROP_REASONS, type DropReason } from '../../flows/pipeline/tables.js';
import { eventually } from '../lab/eventually.js';
import { Prober } from '../lab/probes.js';
import type { Vm } from '../lab/vm.js';
import { post, World } from './world.js';

const any = { any: true };
const ingress = { direction: 'ingress' };
const REWRITES = Number(process.env['SECURITY_REWRITES'] ?? 1000);

/**
 * client, other: no groups. server: udp and tcp 80, ping. plain1, plain2: only rules without state. hard1, hard2: reject everything in both directions.
 */
describe('security groups and what they remember', () => {
  let world: World;
  let client: Vm, server: Vm, plain1: Vm, plain2: Vm, hard1: Vm, hard2: Vm;
  let fromClient: Prober, atServer: Prober, fromPlain: Prober, fromHard: Prober;
  const serverRules = [
    { ...ingress, protocol: 'udp', ports: ['80'], remote: any },
    { ...ingress, protocol: 'tcp', ports: ['80'], remote: any },
    { ...ingress, protocol: 'icmp', icmp_type: 8, remote: any },
    { ...ingress, protocol: 'icmpv6', icmp_type: 128, remote: any },
  ];

  beforeAll(async () => {
    world = await World.start();
    await world.defineNetworks();
    const both = (rule: object) => ['ingress', 'egress'].map((direction) => ({ direction, ...rule }));
    await world.hotori.post('/batch', {
      operations: [
        post('security_groups', { uuid: 'sg-server', rules: serverRules }),
        post('security_groups', {
          uuid: 'sg-plain',
          rules: [
            ...both({ protocol: 'udp', ports: ['80'], remote: any, stateful: false }),
            { ...ingress, protocol: 'tcp', ports: ['80'], remote: any, stateful: false },
          ],
        }),
        post('security_groups', { uuid: 'sg-hard', rules: both({ protocol: 'any', remote: any, action: 'reject' }) }),
      ],
    });
    [client, server, plain1, plain2, hard1, hard2] = (await world.addVms(
      { name: 'client', network: 'a', host: 10 },
      { name: 'server', network: 'b', host: 11, groups: ['sg-server'] },
      { name: 'plain1', network: 'a', host: 12, groups: ['sg-plain'] },
      { name: 'plain2', network: 'a', host: 13, groups: ['sg-plain'] },
      { name: 'hard1', network: 'a', host: 14, groups: ['sg-hard'] },
      { name: 'hard2', network: 'a', host: 15 },
    )) as [Vm, Vm, Vm, Vm, Vm, Vm];
    [fromClient, atServer, fromPlain, , fromHard] = (await Promise.all(
      [client, server, plain1, plain2, hard1].map((vm) => Prober.start(vm, world.lab.dir, [80, 443])),
    )) as [Prober, Prober, Prober, Prober, Prober];
  }, 60_000);
  afterAll(() => world.destroy(), 60_000);

  const rewrite = (rules: readonly object[], wait = true) =>
    world.hotori.put(`/security_groups/sg-server${wait ? '?wait=installed' : ''}`, { rules });
  const dropped = async (reason: DropReason, name?: string): Promise<number> => {
    const flows = await world.hypervisor.ovs.ofctl(['--no-names', 'dump-flows', 'br-int', 'table=250']);
    const code = `reg15=0x${DROP_REASONS[reason].code.toString(16)}/0xffff`;
    const lines = flows.split('\n').filter((line) => line.includes(code) && (name === undefined || line.includes('priority=20')));
    return lines.reduce((sum, line) => sum + Number(/n_packets=(\d+)/.exec(line)![1]), 0);
  };
  /** A frame as if the client had sent it. */
  const send = async (to: string, mac: string, protocol: number, payload: (ip: IpEnds) => Uint8Array): Promise<void> => {
    const ip: IpEnds = { family: 'ipv4', src: parseIpv4('10.1.0.10'), dst: parseIpv4(to) };
    const frame = encodeIpFrame({ eth_src: parseMac(client.mac), eth_dst: parseMac(mac), ip }, protocol, payload(ip));
    const port = (await world.hypervisor.ovs.vsctl('get', 'Interface', 'client', 'ofport')).trim();
    const hex = Buffer.from(frame).toString('hex');
    await world.hypervisor.ovs.ofctl(['packet-out', 'br-int', `in_port=${port} packet=${hex} actions=resubmit(,0)`]);
  };
  const sendTcp = (to: string, mac: string, flags: number) =>
    send(to, mac, IP_PROTOCOL.TCP, (ip) =>
      encodeTcp(
        {
          ...{ src_port: 4444, dst_port: 80, seq: 1, ack: 1, flags, window: 1000, urgent: 0 },
          options: new Uint8Array(0),
          payload: new Uint8Array(0),
        },
        ip,
      ),
    );
  const now = (): number => Number(process.hrtime.bigint()) / 1e6;

  it('let fragments of what is admitted pass, and only those', async () => {
    const ping = async (to: string) => (await client.ping(to, { count: 2, size: 4000 })).received;
    const big = (to: string, port: number) =>
      client.exec(['sh', '-c', `head -c 4000 /dev/zero | nc -u -w 1 ${to} ${port} | wc -c`]).then(({ stdout }) => Number(stdout));
    const unanswered = async () => {
      await client.exec(['sh', '-c', "(printf 'S\\0\\0\\0\\1'; head -c 3995 /dev/zero) | nc -u -w 1 10.1.0.12 80"]);
      return (await fromPlain.received())['10.1.0.10/80']?.count ?? 0;
    };
    expect({
      ping4: await ping('10.2.0.11'),
      ping6: await ping('fd00:2::11'),
      udp: await big('10.2.0.11', 80),
      udp6: await big('fd00:2::11', 80),
      'udp again': await big('10.2.0.11', 80),
      'another port': await big('10.2.0.11', 443),
      'without state': await unanswered(),
    }).toEqual({ ping4: 2, ping6: 2, udp: 4000, udp6: 4000, 'udp again': 4000, 'another port': 0, 'without state': 1 });
  }, 60_000);

  it('never ask conntrack for ports without stateful policy, and stop asking when the last stateful rule goes', async () => {
    const flowsOf = async (vm: Vm): Promise<string[]> => {
      await fromPlain.probe([
        { protocol: 'udp', dst: '10.1.0.13', port: 80 },
        { protocol: 'udp', dst: '10.1.0.13', port: 443 },
        { protocol: 'tcp', dst: '10.1.0.13', port: 80 },
      ]);
      const dump = await world.hypervisor.ovs.appctl('dpctl/dump-flows', '--names');
      return dump.split('\n').filter((line) => line.includes(`in_port(${vm.portName})`) && line.includes('ipv4('));
    };
    const stateful = (lines: readonly string[]) => lines.filter((line) => /ct_state|ct_mark|ct_zone|recirc\(|ct\(/.test(line));
    const plainRules = (await world.hotori.get('/security_groups/sg-plain')).rules as object[];
    const without = await flowsOf(plain1);
    await world.hotori.put('/security_groups/sg-plain?wait=installed', {
      rules: [...plainRules.map(settable), { ...ingress, protocol: 'tcp', ports: ['22'], remote: any }],
    });
    const mixed = await flowsOf(plain1);
    await world.hotori.put('/security_groups/sg-plain?wait=installed', { rules: plainRules.map(settable) });
    await eventually('flows of the mixed policy being gone', async () => stateful(await flowsOf(plain1)).length === 0, {
      timeoutMs: 20_000,
    });
    expect({ seen: without.length > 0, without: stateful(without), mixed: stateful(mixed).length > 0 }).toEqual({
      seen: true,
      without: [],
      mixed: true,
    });
  }, 60_000);

  it('drop and count what conntrack calls invalid', async () => {
    const before = await dropped('ingress_invalid', 'server');
    await sendTcp('10.2.0.11', '02:00:00:00:01:01', TCP_FLAG.SYN | TCP_FLAG.ACK);
    const after = await eventually('the drop being counted', async () => {
      const count = await dropped('ingress_invalid', 'server');
      return count > before ? count : undefined;
    });
    expect(after - before).toBe(1);
  }, 30_000);

  it('stop what is revoked within 100 ms of the answer, and let persistent connections go on until a rule drops them', async () => {
    const late: number[] = [];
    await fromClient.startStream('revoked', '10.2.0.11', 80, 1);
    for (let round = 0; round < 5; round++) {
      await rewrite(serverRules);
      await eventually('the stream flowing', async () => ((await atServer.received({ reset: true }))['10.1.0.10/80']?.count ?? 0) > 0);
      await rewrite(serverRules.slice(1));
      const installed = now();
      await new Promise((resolve) => setTimeout(resolve, 300));
      const { last } = (await atServer.received())['10.1.0.10/80'] ?? { last: 0 };
      late.push(Math.max(0, Math.round(last - installed)));
    }
    await fromClient.stopStream('revoked');
    console.info(`last packet after installed, ms: ${late.join(' ')}`);

    const persistent = serverRules.map((rule) => ({ ...rule, persist_established: true }));
    await rewrite(persistent);
    server.spawn(['nc', '-lk', '8080'], 'persist');
    await rewrite([...persistent, { ...ingress, protocol: 'tcp', ports: ['8080'], remote: any, persist_established: true }]);
    const nc = client.spawn(['sh', '-c', 'while :; do echo x; sleep 0.02; done | nc 10.2.0.11 8080'], 'stream');
    const bytes = async () =>
      Number(
        (
          await server.run([
            'sh',
            '-c',
            "ss -tiH state established '( sport = :8080 )' | grep -o 'bytes_received:[0-9]*' | cut -d: -f2 | tail -1",
          ])
        ).trim() || '0',
      );
    const grows = async (): Promise<boolean> => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      const before = await bytes();
      await new Promise((resolve) => setTimeout(resolve, 400));
      return (await bytes()) > before;
    };
    await eventually('the connection', async () => (await bytes()) > 0);
    await rewrite(persistent);
    const outlived = await grows();
    const [afresh] = await fromClient.probe([{ protocol: 'tcp', dst: '10.2.0.11', port: 8080 }]);
    await rewrite([...persistent, { ...ingress, protocol: 'tcp', ports: ['8080'], remote: any, action: 'drop' }]);
    const dropsIt = !(await grows());
    await nc.stop('SIGKILL');
    await rewrite(serverRules);
    expect({ late: late.filter((ms) => ms > 100), outlived, afresh, dropsIt }).toEqual({
      late: [],
      outlived: true,
      afresh: 'drop',
      dropsIt: true,
    });
  }, 60_000);

  it(`neither admit what two policies forbid nor drop what both allow while one replaces the other ${REWRITES} times`, async () => {
    const policies = [
      serverRules,
      [
        { ...ingress, protocol: 'udp', ports: ['1-79', '80', '81-442'], remote: { cidr: '10.1.0.0/24' }, priority: 700 },
        { ...ingress, protocol: 'udp', ports: ['443'], remote: any, action: 'drop', priority: 900 },
        { ...ingress, protocol: 'any', remote: any, priority: 600, log: { rate: 1 } },
      ],
    ];
    await atServer.received({ reset: true });
    await fromClient.startStream('allowed', '10.2.0.11', 80, 2);
    await fromClient.startStream('forbidden', '10.2.0.11', 443, 2);
    for (let n = 0; n < REWRITES; n++) await rewrite(policies[n % 2]!, n % 20 === 19);
    const sent = { allowed: await fromClient.stopStream('allowed'), forbidden: await fromClient.stopStream('forbidden') };
    await new Promise((resolve) => setTimeout(resolve, 300));
    const got = await atServer.received();
    await rewrite(serverRules);
    console.info(`datagrams under ${REWRITES} rewrites: ${JSON.stringify(sent)}`);
    expect({
      lost: sent.allowed - (got['10.1.0.10/80']?.distinct ?? 0),
      leaked: got['10.1.0.10/443']?.count ?? 0,
      forbidden: sent.forbidden > 0,
    }).toEqual({
      lost: 0,
      leaked: 0,
      forbidden: true,
    });
  }, 120_000);

  it('reject at once, and never a reset or an error', async () => {
    const dump = hard2.spawn(['tcpdump', '-n', '-l', '-i', 'eth0', 'ip', 'or', 'ip6'], 'reject');
    const answers = client.spawn(['tcpdump', '-n', '-l', '-i', 'eth0', '-Q', 'in', 'src', 'host', '10.1.0.15'], 'answers');
    for (const capture of [dump, answers]) await eventually('tcpdump listening', () => /listening on/.test(capture.output()));
    const own = await fromHard.probe([
      { protocol: 'tcp', dst: '10.1.0.15', port: 80 },
      { protocol: 'udp', dst: '10.1.0.15', port: 80 },
      { protocol: 'tcp', dst: '10.2.0.11', port: 80 },
    ]);
    await world.hotori.put('/interfaces/if-hard2?wait=installed', { security_group_uuids: ['sg-hard'] });
    // Conntrack calls an error about nothing invalid before a rule sees it.
    const refused = async () => (await dropped('ingress_rule')) + (await dropped('ingress_invalid'));
    const before = await refused();
    await sendTcp('10.1.0.15', hard2.mac, TCP_FLAG.RST);
    await sendTcp('10.1.0.15', hard2.mac, TCP_FLAG.RST | TCP_FLAG.ACK);
    for (const type of [ICMPV4_TYPE.UNREACHABLE, ICMPV4_TYPE.TIME_EXCEEDED])
      await send('10.1.0.15', hard2.mac, IP_PROTOCOL.ICMPV4, () => encodeIcmpv4({ type, code: 0, body: new Uint8Array(32) }));
    await eventually('all of them being dropped', async () => (await refused()) - before >= 4);
    const toErrors = answers
      .output()
      .split('\n')
      .filter((line) => / IP /.test(line));
    const theirs = await fromClient.probe([
      { protocol: 'tcp', dst: '10.1.0.15', port: 80 },
      { protocol: 'udp', dst: '10.1.0.15', port: 80 },
      { protocol: 'tcp', dst: 'fd00:1::15', port: 80 },
      { protocol: 'udp', dst: 'fd00:1::15', port: 80 },
    ]);
    // The rejection of one that rejects everything is judged by nobody: dropped once, the packet that was rejected.
    const rejections = async () => (await dropped('ingress_rule')) + (await dropped('egress_rule'));
    const atFirst = await rejections();
    await fromHard.probe([{ protocol: 'udp', dst: '10.1.0.15', port: 80 }]);
    const [routed] = await fromClient.probe([{ protocol: 'tcp', dst: '10.1.0.14', port: 80 }]);
    const few = (await rejections()) - atFirst < 5;
    for (const capture of [dump, answers]) await capture.stop('SIGINT');
    const heard = dump
      .output()
      .split('\n')
      .filter((line) => / IP6? /.test(line) && !/ICMP6/.test(line)).length;
    expect({ own, toErrors, theirs, routed, heard, few }).toEqual({
      own: ['reject', 'reject', 'reject'],
      toErrors: [],
      theirs: ['reject', 'reject', 'reject', 'reject'],
      routed: 'reject',
      heard: 0,
      few: true,
    });
  }, 30_000);

  it('reject no more often than the rate of a port, however much is sent', async () => {
    const answers = client.spawn(['tcpdump', '-n', '-l', '-i', 'eth0', '-Q', 'in', 'icmp', 'and', 'src', 'host', '10.1.0.15'], 'rate');
    await eventually('tcpdump listening', () => /listening on/.test(answers.output()));
    const rejected = () =>
      answers
        .output()
        .split('\n')
        .filter((line) => /unreachable/.test(line)).length;
    const before = await dropped('ingress_rule');
    const started = now();
    await fromClient.startStream('flood', '10.1.0.15', 80, 1);
    await eventually('the burst being used up', async () => (await dropped('ingress_rule')) - before > 1500, { timeoutMs: 20_000 });
    await fromClient.stopStream('flood');
    const count = rejected();
    const seconds = (now() - started) / 1000;
    await answers.stop('SIGINT');
    console.info(`${count} rejections in ${seconds.toFixed(1)} s`);
    expect({ some: count >= 100, few: count <= 100 + 50 * seconds }).toEqual({ some: true, few: true });
  }, 60_000);
});

/** A rule as a user would write it. */
function settable(rule: object): object {
  return Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== null));
}
