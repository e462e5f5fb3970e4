/**
 * The gateway of a router that is cut off from the store: two hypervisors that may be it, every role a process of its own, over Redis.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eui64LinkLocal, parseMac } from '../../flows/net/mac.js';
import { parseIpv4, parseIpv6 } from '../../flows/net/ip.js';
import { eventually } from '../lab/eventually.js';
import { Fleet } from '../lab/fleet.js';
import { Lab } from '../lab/lab.js';
import { RedisServer } from '../lab/redis.js';
import { UNDERLAY_BRIDGE, type Underlay } from '../lab/underlay.js';
import type { Vm } from '../lab/vm.js';
import { checkFabric } from './fabric-check.js';
import { stopped } from './overlay-world.js';
import { post } from './world.js';

const GATEWAY = { ipv4: '172.16.1.200', ipv6: 'fd16:1::200' };
/** Of the nth hypervisor. */
const addressesOf = (n: number) => ({ ipv4: `10.101.0.1${n}`, ipv6: `fd00:101::1${n}` });
const NUMBERS = [1, 2] as const;
/** What is said about a part that is gone. */
const OF_FAULTS = [
  /no connection to Redis/,
  /no vnmgr answers; what is installed stays/,
  /vnmgr does not answer; going to another/,
  /vnmgr is not heard/,
];

let lab: Lab;
let underlay: Underlay;
let redis: RedisServer;
let fleet: Fleet;
const vms: Vm[] = [];

beforeAll(async () => {
  lab = await Lab.create();
  underlay = await lab.addUnderlay();
  for (const n of NUMBERS) await underlay.attach(await lab.addHypervisor(`hv${n}`), 1, 9 + n);
  redis = await RedisServer.start(path.join(lab.dir, 'redis'));
  fleet = await Fleet.make({
    dir: path.join(lab.dir, 'fleet'),
    ovs: lab.hypervisors[0]!.ovs,
    redis: { url: redis.url, port: redis.port },
    vna: underlay.attachments.map(({ hypervisor: { ovs, name }, ipv4 }) => ({
      ovsdb: ovs.ovsdbEndpoint,
      datapath_type: ovs.datapathType,
      node_id: name,
      bridge_mappings: { underlay: UNDERLAY_BRIDGE, ext: UNDERLAY_BRIDGE },
      overlay: { address: [ipv4] },
    })),
  });
  await fleet.start();
  await fleet.untilInstalled(30_000);
  await underlay.netns.run(['ip', 'route', 'add', '10.101.0.0/24', 'via', GATEWAY.ipv4]);
  for (const n of NUMBERS) vms.push(await lab.addVm(lab.hypervisors[n - 1]!, { name: `vm${n}`, iface_id: `if-vm${n}` }));
  await fleet.post('/batch?wait=installed', {
    operations: [
      post('networks', { uuid: 'nw-ext', mode: 'physical', physical_network: 'ext', ipv4_network: '172.16.1.0', ipv6_network: 'fd16:1::' }),
      post('networks', { uuid: 'nw-v', ipv4_network: '10.101.0.0', ipv6_network: 'fd00:101::' }),
      post('routers', {
        uuid: 'rt-edge',
        networks: [
          { network_uuid: 'nw-ext', ip_addresses: Object.values(GATEWAY), gateway_datapath_uuids: ['dp-hv1', 'dp-hv2'] },
          { network_uuid: 'nw-v', ip_addresses: ['10.101.0.1', 'fd00:101::1'] },
        ],
        routes: [{ destination: '0.0.0.0/0', via: '172.16.1.1' }],
      }),
      ...NUMBERS.map((n) => {
        const { ipv4, ipv6 } = addressesOf(n);
        const mac_address = vms[n - 1]!.mac;
        return post('interfaces', {
          uuid: `if-vm${n}`,
          mode: 'vif',
          mac_address,
          network_uuid: 'nw-v',
          ipv4_address: ipv4,
          ipv6_address: ipv6,
        });
      }),
    ],
  });
  for (const n of NUMBERS) {
    await vms[n - 1]!.configure(`${addressesOf(n).ipv4}/24`, '10.101.0.1');
    await vms[n - 1]!.configure(`${addressesOf(n).ipv6}/64`, 'fd00:101::1');
  }
  await fleet.untilInstalled();
  await eventually('a way in', async () => (await comesIn()).every(Boolean));
}, 90_000);
afterAll(async () => {
  try {
    const fabric = vms.map((vm, i) => {
      const { ipv4, ipv6 } = addressesOf(i + 1);
      const mac = parseMac(vm.mac);
      return { hypervisor: i + 1, vm, mac, ipv4: [parseIpv4(ipv4)], ipv6: [parseIpv6(ipv6), eui64LinkLocal(mac)] };
    });
    await checkFabric({ lab, hotori: fleet, vms: fabric, allowed: OF_FAULTS });
  } finally {
    await fleet.close();
    await redis.stop();
    await lab.destroy();
  }
}, 60_000);

/** By hypervisor, whether a VM of it is reached from outside. */
const comesIn = () =>
  Promise.all(NUMBERS.map(async (n) => (await underlay.netns.exec(['ping', '-n', '-c', '1', '-W', '2', addressesOf(n).ipv4])).code === 0));

/** Whether packets of the overlay reach the first hypervisor and leave it; its NIC on the physical network works either way. */
async function setOverlay(open: boolean): Promise<void> {
  const { ovs } = lab.hypervisors[0]!;
  if (open) await ovs.ofctl(['del-flows', UNDERLAY_BRIDGE, 'udp,tp_dst=6081']);
  else await ovs.ofctl(['add-flow', UNDERLAY_BRIDGE, 'priority=100,udp,tp_dst=6081,actions=drop']);
}

type Family = keyof typeof GATEWAY;
const FAMILIES = Object.keys(GATEWAY) as Family[];
const WHAT = {
  answers: [
    /> 172\.16\.1\.1: ICMP echo reply|Reply 172\.16\.1\.200 is-at/,
    /> fd16:1::1: (ICMP6, echo reply|.*advertisement, tgt is fd16:1::200)/,
  ],
  announced: [/who-has 172\.16\.1\.200 tell 172\.16\.1\.200/, /fd16:1::200 > ff02::1: .*neighbor advertisement, tgt is fd16:1::200/],
};

interface Seen {
  /** By family, how many of 100 pings a second to the router's address outside were not answered. */
  readonly lost: readonly number[];
  /** By hypervisor and family, the times of what it answered and announced in the name of the router. */
  readonly answers: readonly (readonly number[])[][];
  readonly announced: readonly (readonly number[])[][];
}

/** What is seen outside for so many seconds, in the midst of which something happens. */
async function watching(seconds: number, happens: () => Promise<void>): Promise<Seen> {
  const watches = await Promise.all(underlay.attachments.map((place) => underlay.watch(place, 'arp or icmp or icmp6', 'in')));
  const pings = FAMILIES.map((family) =>
    underlay.netns.exec(['ping', '-n', '-i', '0.01', '-c', String(seconds * 100), '-W', '1', GATEWAY[family]], { timeoutMs: 30_000 }),
  );
  await sleep(300);
  await happens();
  const lost = (await Promise.all(pings)).map(({ stdout }) => {
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
    return Number(sent) - Number(received);
  });
  await Promise.all(watches.map((watch) => stopped(watch)));
  const timesOf = (pattern: RegExp) =>
    watches.map((watch) =>
      watch
        .output()
        .split('\n')
        .flatMap((line) => (pattern.test(line) ? [Number.parseFloat(line)] : [])),
    );
  const byHypervisor = (patterns: readonly RegExp[]) => {
    const [ipv4, ipv6] = patterns.map(timesOf);
    return [0, 1].map((n) => [ipv4![n]!, ipv6![n]!]);
  };
  return { lost, answers: byHypervisor(WHAT.answers), announced: byHypervisor(WHAT.announced) };
}
/** On a busy machine lease or promise may come late, and then it stops until the next. */
const goesOn = (lost: readonly number[], seconds: number) => lost.map((n) => n < seconds * 10);
const some = (times: readonly (readonly number[])[][]) => times.map((families) => families.map((one) => one.length > 0));

it('goes on when it is cut off from Redis alone, for the other promises not to take over', async () => {
  const { lost, answers, announced } = await watching(3, () => {
    fleet.wire(1).silence();
    return Promise.resolve();
  });
  fleet.wire(1).open();
  process.stdout.write(`gateway cut off from Redis alone: ${lost.join(' and ')} of 300 pings lost\n`);
  expect({ goesOn: goesOn(lost, 3), answers: some(answers), announced: some(announced)[1] }).toEqual({
    goesOn: [true, true],
    answers: [
      [true, true],
      [false, false],
    ],
    announced: [false, false],
  });
}, 30_000);

it('stops before the other begins when it is cut off from Redis and from the other, which announces itself; and does not come back', async () => {
  fleet.wire(1).silence();
  const { lost, answers, announced } = await watching(4, () => setOverlay(false));
  const lastOf = (times: readonly number[]) => Math.max(...times);
  const stoppedFirst = FAMILIES.map((_, i) => lastOf(answers[0]![i]!) < Math.min(...answers[1]![i]!, ...announced[1]![i]!));
  process.stdout.write(`gateway cut off from Redis and from the other: ${lost.join(' and ')} of 100 pings a second lost\n`);
  expect({ stoppedFirst, withinASecond: lost.map((n) => n > 0 && n <= 100), answers: some(answers), announced: some(announced) }).toEqual({
    stoppedFirst: [true, true],
    withinASecond: [true, true],
    answers: [
      [true, true],
      [true, true],
    ],
    announced: [
      [false, false],
      [true, true],
    ],
  });

  await setOverlay(true);
  fleet.wire(1).open();
  await fleet.untilInstalled(30_000);
  const after = await watching(2, () => Promise.resolve());
  expect({ goesOn: goesOn(after.lost, 2), answers: some(after.answers) }).toEqual({
    goesOn: [true, true],
    answers: [
      [false, false],
      [true, true],
    ],
  });
  expect(await comesIn()).toEqual([true, true]);
}, 60_000);
