/** Virtual routers as the tools in a VM see them: chains, modes of traceroute, errors, several next hops, floods. */
import { formatIp, parseIpv4, parseIpv6 } from '../../flows/net/ip.js';
import { encodeEthernet } from '../../flows/packet/ethernet.js';
import { encodeIcmpv4, encodeIcmpv6 } from '../../flows/packet/icmp.js';
import { encodeIpFrame } from '../../flows/packet/ip-frame.js';
import { encodeIpv4 } from '../../flows/packet/ipv4.js';
import { ETH_TYPE, IP_PROTOCOL } from '../../flows/packet/numbers.js';
import { udpFrame } from '../../flows/packet/probes.js';
import { eui64LinkLocal, parseMac } from '../../flows/net/mac.js';
import { run, type Argv } from '../lab/run.js';
import type { Vm } from '../lab/vm.js';
import { eventually } from '../lab/eventually.js';
import { costOf } from '../bench/w/processes.js';
import { back, definitions, DIVERTED, END, END6, near, numbers, ROUTERS, SWALLOWED } from './chain-world.js';
import { stopped } from './overlay-world.js';
import { World } from './world.js';

const linkLocal = ({ mac }: Vm) => `${formatIp({ family: 'ipv6', value: eui64LinkLocal(parseMac(mac)) })}%eth0`;

describe('a chain of eight virtual routers', () => {
  let world: World;
  let start: Vm;
  let other: Vm;
  let end: Vm;

  beforeAll(async () => {
    world = await World.start();
    await world.hotori.post('/batch?wait=installed', { operations: definitions() });
    const plug = async (name: string, n: number, host: number, gateway: (v6: boolean) => string) => {
      const { mac_address } = await world.hotori.get(`/interfaces/if-${name}`);
      const plugged = await world.lab.addVm(world.hypervisor, { name, iface_id: `if-${name}`, mac: mac_address });
      await plugged.configure(`10.50.${n}.${host}/24`, gateway(false));
      await plugged.configure(`fd50:${n + 10}::${host}/64`, gateway(true));
      return plugged;
    };
    start = await plug('start', 0, 10, (v6) => near(1, v6));
    other = await plug('other', 0, 11, (v6) => near(1, v6));
    end = await plug('end', 8, 10, (v6) => back(8, v6));
    await world.untilPlugged('start', 'other', 'end');
  }, 60_000);
  afterAll(async () => {
    const local = await Promise.all(
      [start, other, end].map(async ({ name, mac }) => {
        const { ipv4_address, ipv6_address } = await world.hotori.get(`/interfaces/if-${name}`);
        const port = Number(await world.hypervisor.ovs.vsctl('get', 'Interface', name, 'ofport'));
        return {
          mac: parseMac(mac),
          port,
          ipv4: [parseIpv4(ipv4_address)],
          ipv6: [parseIpv6(ipv6_address), eui64LinkLocal(parseMac(mac))],
        };
      }),
    );
    const routers = numbers(1, ROUTERS).flatMap((i) => [
      { mac: parseMac(`02:00:00:00:51:0${i}`), ipv4: [parseIpv4(near(i)), parseIpv4(`198.51.101.${i}`)], ipv6: [parseIpv6(near(i, true))] },
      { mac: parseMac(`02:00:00:00:52:0${i}`), ipv4: [parseIpv4(back(i)), parseIpv4('203.0.113.1')], ipv6: [parseIpv6('2001:db8::1')] },
    ]);
    await world.destroy({ cast: { local, others: routers, services: [22, 53, 7000, 7123, 33434] } });
  }, 60_000);

  /** What each line of hops names; `*` where nobody answered. */
  async function hops(from: Vm, ...argv: Argv): Promise<string[]> {
    const { stdout } = await from.exec(argv, { timeoutMs: 40_000 });
    return stdout.split('\n').flatMap((line) => /^\s*\d+(?:[:?.|-]*\s+|\s)\s*(\*|[0-9a-f.:]{3,})/.exec(line)?.[1] ?? []);
  }
  const traceroute = (from: Vm, ...more: string[]) => hops(from, 'traceroute', '-n', '-q', '1', '-w', '1', '-m', '12', ...more);
  const chain = (v6 = false) => [...numbers(1, ROUTERS).map((i) => near(i, v6)), v6 ? END6 : END];
  const mode = (i: number, traceroute: string | null) => ({ method: 'PUT', path: `/routers/rt-${i}`, body: { traceroute } });
  /** Resolves with the time at which they were installed, when they are in force for every packet. */
  const setModes = async (modes: Readonly<Record<number, string | null>>) => {
    await world.hotori.post('/batch?wait=installed', { operations: Object.entries(modes).map(([i, one]) => mode(Number(i), one)) });
    const installed = Date.now();
    await world.revalidated();
    return installed;
  };
  const allAs = (one: string | null) => Object.fromEntries(numbers(1, ROUTERS).map((i) => [i, one]));

  it('is listed hop by hop by every stock tool, under groups that let nothing in', async () => {
    const found = {
      udp: await traceroute(start, END),
      icmp: await traceroute(start, '-I', END),
      tcp: await traceroute(start, '-T', '-p', '22', END),
      udp6: await hops(start, 'traceroute6', '-n', '-q', '1', '-w', '1', '-m', '12', END6),
      icmp6: await traceroute(start, '-6', '-I', END6),
      mtr: await hops(start, 'mtr', '-n', '-r', '-c', '1', '-i', '0.2', '-G', '1', END),
      tracepath: [...new Set(await hops(start, 'tracepath', '-n', '-m', '12', END))],
      back: await traceroute(end, '10.50.0.11'),
    };
    const backwards = [
      ...numbers(1, ROUTERS)
        .map((i) => back(i))
        .reverse(),
      '10.50.0.11',
    ];
    const v4 = chain();
    expect(found).toEqual({ udp: v4, icmp: v4, tcp: v4, udp6: chain(true), icmp6: chain(true), mtr: v4, tracepath: v4, back: backwards });
  }, 60_000);

  it('answers echo at every address of every router, with a TTL that tells how far it is', async () => {
    const pings = numbers(1, ROUTERS).flatMap((i) => [near(i), back(i), near(i, true), back(i, true)]);
    const answers = await Promise.all(
      pings.map(async (address) => [address, /ttl=(\d+)/.exec((await start.ping(address, { count: 1 })).output)?.[1]] as const),
    );
    const away = (i: number) => String(255 - (i - 1));
    expect(answers).toEqual(
      numbers(1, ROUTERS).flatMap((i) => [near(i), back(i), near(i, true), back(i, true)].map((address) => [address, away(i)])),
    );
  }, 30_000);

  it('shows itself in each mode, mixed along the path, switched while others keep talking', async () => {
    const talk = other.spawn(['ping', '-n', '-i', '0.05', END]);
    const flowsOf = async (table: number) => (await world.hypervisor.ovs.flows()).filter((flow) => flow.includes(`table=${table},`));
    const seen: Record<string, string[]> = {};
    await setModes(allAs('collapsed'));
    // Echo, for a host sends few "port unreachable" a second.
    seen['collapsed'] = await traceroute(start, '-I', END);
    seen['collapsed6'] = await traceroute(start, '-6', '-I', END6);
    await setModes(allAs('off'));
    seen['off'] = await traceroute(start, '-I', END);
    await setModes(allAs(null));
    const before = await flowsOf(40);
    await setModes({ 2: 'off', 4: 'collapsed', 5: 'collapsed', 6: 'collapsed' });
    seen['mixed'] = await traceroute(start, '-I', END);
    const unchanged = (await flowsOf(40)).length === before.length;
    await setModes({ 2: null, 4: null, 5: null, 6: null });
    await talk.stop('SIGINT');
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(talk.output()) ?? [];
    expect({ seen, unchanged, lost: Number(sent) - Number(received) <= 1 }).toEqual({
      seen: {
        // The fourth has a policy, which makes no difference to the run.
        collapsed: [near(1), END],
        collapsed6: [near(1, true), END6],
        off: [...numbers(1, ROUTERS).map(() => '*'), END],
        mixed: [near(1), '*', near(3), near(4), near(7), near(8), END],
      },
      unchanged: true,
      lost: true,
    });
  }, 60_000);

  it('treats no packet as before once the switch has been over its cached flows since the change was installed', async () => {
    const receiver = end.spawn([
      process.execPath,
      '-e',
      "require('node:dgram').createSocket('udp4').on('message', (m) => console.log(String(m))).bind(9)",
    ]);
    await setModes(allAs('collapsed'));
    // The time it was sent, once a millisecond: crosses the chain collapsed, expires on its way otherwise.
    const sender = start.spawn([
      process.execPath,
      '-e',
      `const s = require('node:dgram').createSocket('udp4');
       s.bind(() => { s.setTTL(5); setInterval(() => s.send(String(Date.now()), 9, '${END}'), 1); });
       s.on('error', () => {});`,
    ]);
    const times = () => receiver.output().split('\n').filter(Boolean).map(Number);
    await eventually('the stream', () => times().length > 100);
    const installed = await setModes(allAs('off'));
    const inForce = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await sender.stop('SIGINT');
    await receiver.stop('SIGINT');
    await setModes(allAs(null));
    const last = Math.max(...times());
    process.stdout.write(`last packet of the mode before: ${last - installed} ms after the change was installed\n`);
    expect(times().filter((sent) => sent > inForce)).toEqual([]);
  }, 30_000);

  it('says why it does not deliver, from the router that knows', async () => {
    const told = async (from: Vm, to: string) => {
      const { output } = await from.ping(to, { count: 1 });
      return /From (\S+)[^\n]*icmp_seq=1 ([^\n]*)/.exec(output)?.slice(1, 3).join(' ') ?? 'silence';
    };
    expect({
      net: await told(start, '198.51.100.1'),
      net6: await told(start, '2001:db8::1'),
      host: await told(start, '10.50.8.99'),
      host6: await told(start, 'fd50:18::99'),
      prohibited: await told(start, '203.0.113.1'),
      blackhole: await told(start, '192.0.2.1'),
      scope: (await start.exec(['ping', '-6', '-n', '-c', '1', '-W', '1', '-I', linkLocal(start), END6])).stdout.includes(
        'Beyond scope of source address',
      ),
    }).toEqual({
      net: `${near(8)} Destination Net Unreachable`,
      net6: `${near(8, true)} Destination unreachable: No route`,
      host: `${near(8)} Destination Host Unreachable`,
      host6: `${near(8, true)} Destination unreachable: Address unreachable`,
      prohibited: `${near(8)} Packet filtered`,
      blackhole: 'silence',
      scope: true,
    });
  }, 30_000);

  it('refuses connections to a router, and those a policy prohibits, at once', async () => {
    const connect = async (port: number, to: string) => {
      const script = `const s = require('node:net').connect(${port}, '${to}'); s.on('error', (e) => console.log(e.code)); s.on('connect', () => process.exit());`;
      return (await start.exec([process.execPath, '-e', script])).stdout.trim();
    };
    expect([await connect(22, near(5)), await connect(7123, END), await connect(8000, END)]).toEqual([
      'ECONNREFUSED',
      'EHOSTUNREACH',
      'ECONNREFUSED',
    ]);
  }, 15_000);

  it('answers what an error is due to, and nothing else: no error, later fragment, multicast or stranger', async () => {
    const eth = { eth_src: parseMac(start.mac), eth_dst: parseMac('02:00:00:00:51:01'), ttl: 1 };
    const v4 = (dst: string, src = '10.50.0.10') => ({ family: 'ipv4', src: parseIpv4(src), dst: parseIpv4(dst) }) as const;
    const v6 = (dst: string, src = 'fd50:10::10') => ({ family: 'ipv6', src: parseIpv6(src), dst: parseIpv6(dst) }) as const;
    const ports = { src_port: 4000, dst_port: 33434 };
    const quoted = { code: 0, body: new Uint8Array(36) };
    const fragment = encodeIpv4({
      ...{ tos: 0, id: 7, dont_fragment: false, more_fragments: false, fragment_offset: 1480, ttl: 1, protocol: IP_PROTOCOL.UDP },
      ...{ src: parseIpv4('10.50.0.10'), dst: parseIpv4(END), options: new Uint8Array(0), payload: new Uint8Array(64) },
    });
    const silent = [
      encodeIpFrame({ ...eth, ip: v4(END) }, IP_PROTOCOL.ICMPV4, encodeIcmpv4({ type: 3, ...quoted })),
      encodeIpFrame({ ...eth, ip: v6(END6) }, IP_PROTOCOL.ICMPV6, encodeIcmpv6({ type: 1, ...quoted }, v6(END6))),
      encodeEthernet({ src: eth.eth_src, dst: eth.eth_dst, eth_type: ETH_TYPE.IPV4, payload: fragment }),
      udpFrame({ ...eth, ip: v4('224.0.0.9') }, ports),
      udpFrame({ ...eth, ip: v6('ff0e::9') }, ports),
      udpFrame({ ...eth, ip: v4(END, '10.50.0.99') }, ports),
      udpFrame({ ...eth, ip: v6(END6, 'fd50:10::99') }, ports),
    ];
    const due = [
      udpFrame({ ...eth, ip: v4(END) }, ports),
      udpFrame({ ...eth, ip: v6(END6) }, ports),
      encodeIpFrame({ ...eth, ttl: 64, ip: v4(near(1)) }, 253, new Uint8Array(8)),
      encodeIpFrame({ ...eth, ttl: 64, ip: v6(near(1, true)) }, 253, new Uint8Array(8)),
    ];
    const told = async (frames: readonly Uint8Array[]) => {
      const errors = '(icmp and icmp[0] != 0 and icmp[0] != 8) or (icmp6 and ip6[40] < 128)';
      const dump = start.spawn(['tcpdump', '-n', '-l', '-i', 'eth0', '-Q', 'in', errors]);
      await eventually('tcpdump listening', () => dump.output().includes('listening'));
      const hex = frames.map((frame) => `'${Buffer.from(frame).toString('hex')}'`).join();
      await start.run([
        'python3',
        '-c',
        `import socket;s=socket.socket(17,3);s.bind(('eth0',0));[s.send(bytes.fromhex(f)) for f in [${hex}]]`,
      ]);
      return (await stopped(dump)).map((line) => /(?:ICMP6?, |ICMP )(.*?)(?: for |, length|$)/.exec(line)?.[1] ?? line).sort();
    };
    expect({ silent: await told(silent), due: await told(due) }).toEqual({
      silent: [],
      due: [
        `${near(1)} protocol 253 unreachable`,
        'parameter problem, next header - octet 6',
        'time exceeded in-transit',
        'time exceeded in-transit',
      ],
    });
  }, 30_000);

  it('sends by policy before it looks at its routes: to another next hop, nowhere, or on', async () => {
    const filter = `udp and dst host ${END} and dst portrange ${DIVERTED}-${SWALLOWED + 1}`;
    const dumps = [other, end].map((vm) => vm.spawn(['tcpdump', '-n', '-l', '-i', 'eth0', '-Q', 'in', filter]));
    for (const dump of dumps) await eventually('tcpdump listening', () => dump.output().includes('listening'));
    const script = `const s = require('node:dgram').createSocket('udp4'); let left = 3; s.on('error', () => {});
      for (const port of [${DIVERTED}, ${SWALLOWED}, ${SWALLOWED + 1}]) s.send('x', port, '${END}', () => --left || s.close());`;
    await start.run([process.execPath, '-e', script]);
    const came = await Promise.all(dumps.map(async (dump) => (await stopped(dump)).map((line) => /\.(\d+): UDP/.exec(line)?.[1])));
    expect(came).toEqual([[String(DIVERTED)], [String(SWALLOWED + 1)]]);
  }, 15_000);

  it('spreads flows over several next hops, each flow by one', async () => {
    const dump = other.spawn(['tcpdump', '-n', '-l', '-i', 'eth0', '-Q', 'in', 'udp and dst net 198.51.101.0/24']);
    await eventually('tcpdump listening', () => Promise.resolve(dump.output().includes('listening')));
    const script = `const s = require('node:dgram').createSocket('udp4'); let left = 120;
      s.on('error', () => {});
      for (let i = 0; i < 40; i++) for (let n = 0; n < 3; n++) s.send('x', 9000 + i, '198.51.101.9', () => --left || s.close());`;
    await start.run([process.execPath, '-e', script]);
    await eventually('packets', () => Promise.resolve(dump.output().includes('198.51.101.9')));
    await dump.stop('SIGINT');
    const counts = new Map<string, number>();
    for (const [, port] of dump.output().matchAll(/198\.51\.101\.9\.(\d+):/g)) counts.set(port!, (counts.get(port!) ?? 0) + 1);
    expect([[...counts.values()].every((count) => count === 3), counts.size > 8, counts.size < 32]).toEqual([true, true, true]);
  }, 30_000);

  it('has an answer for others while one VM sends 10,000 packets a second that expire', async () => {
    const flood = start.spawn([
      process.execPath,
      '-e',
      `const s = require('node:dgram').createSocket('udp4'); let sent = 0;
       s.bind(() => { s.setTTL(1);
         const timer = setInterval(() => { for (let i = 0; i < 100; i++) { s.send('x', 9, '${END}'); sent++; } if (sent >= 60000) { clearInterval(timer); console.log('sent ' + sent); setTimeout(() => s.close(), 500); } }, 10); });
       s.on('error', () => {});`,
    ]);
    const cpuOf = () => costOf({ hotori: [world.hotori.process.pid] })['hotori']!.cpuSeconds;
    const [cpu, began] = [cpuOf(), Date.now()];
    const during: string[][] = [];
    for (let i = 0; i < 3; i++) during.push(await traceroute(other, '-I', END));
    const pings = await other.ping(near(1), { count: 3 });
    await run(['ip', '-n', other.netns.name, 'neigh', 'flush', 'all']);
    const arp = await other.ping(near(1), { count: 1 });
    const leased = await other.dhclient.start();
    await flood.exited;
    const used = (cpuOf() - cpu) / ((Date.now() - began) / 1_000);
    process.stdout.write(`CPU of Hotori while 60,000 packets expired: ${used.toFixed(2)} of a core\n`);
    const told = Number(
      (await start.run(['cat', '/proc/net/snmp']))
        .split('\n')
        .filter((line) => line.startsWith('Icmp:'))[1]!
        .split(' ')[5],
    );
    expect({ during, pings: pings.received, arp: arp.received, leased: leased.ip_address, sent: flood.output().trim() }).toEqual({
      during: [chain(), chain(), chain()],
      pings: 3,
      arp: 1,
      leased: '10.50.0.11',
      sent: 'sent 60000',
    });
    // At most what the responder gives one port: a burst of 200, then 100 a second, over the traceroutes before.
    expect(told).toBeLessThan(4000);
    expect(told).toBeGreaterThan(100);
    // It is handed a thirtieth of them, and answers a hundredth.
    expect(used).toBeLessThan(0.5);
  }, 60_000);
});
