/**
 * A VM that moves to another hypervisor while everybody talks to it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../lab/eventually.js';
import type { Json } from '../lab/hotori.js';
import { routerV2v } from './openvnet-requests.js';
import { allAnswers, OpenvnetWorld } from './openvnet-world.js';
import { Traffic } from './traffic.js';

/** Packets of one pair, 100 a second, that may be lost once the port is up at the new place. */
const MOST_LOST = 10;

/**
 * When a port comes or goes, on whatever bridge, the userspace datapath of Open vSwitch 3.1.0 drops what it has in hand just then, of any port
 * (docs/troubleshooting.md): packets of a pair that may be lost on the hypervisors whose ports change.
 */
const BY_PORTS = 3;

/** To the VM that moves: from the hypervisor it leaves (routed), the one it comes to (in its network, and routed), and the third. */
const TO_MOVER = [2, 3, 4, 5] as const;
const OTHERS = [
  [3, 4],
  [5, 6],
  [3, 5],
  [4, 6],
  [2, 5],
] as const;

let world: OpenvnetWorld;
beforeAll(async () => {
  world = await OpenvnetWorld.start();
  await world.beginConnected(routerV2v());
}, 60_000);
afterAll(() => world.destroy(), 60_000);

const streamOf = ([from, to]: readonly [number, number]) => ({
  name: `vm${from}>vm${to}`,
  from: world.vm(from),
  to: world.addresses.get(to)!,
});

/** Whether no end of a stream is on the hypervisors between which VMs move. */
const isElsewhere = (stream: string) => [...stream.matchAll(/\d/g)].every(([vm]) => Number(vm) > 4);

/** What hypervisors dispute, in words. */
async function conflicts(): Promise<string[]> {
  const { datapaths } = await world.hotori.get('/status');
  return datapaths.flatMap((datapath: Json) => datapath.conflicts as string[]);
}

it.each([
  ['which nobody tidies up', 1, 2, false],
  ['which is tidied up before', 2, 1, true],
])(
  'a VM that leaves a hypervisor %s is reached at the other in time, and nobody else notices',
  async (_, from, to, isTidy) => {
    const mover = world.vm(1);
    const [old, next] = [world.lab.hypervisors[from - 1]!, world.lab.hypervisors[to - 1]!];
    expect(mover.hypervisor).toBe(old);
    const toMover = await Traffic.start(
      TO_MOVER.map((n) => streamOf([n, 1])),
      { interval: 0.01 },
    );
    const others = await Traffic.start(OTHERS.map(streamOf));

    if (isTidy) await mover.unplug();
    await mover.moveTo(next, 'if-v1');
    const up = Date.now();
    await eventually('the mover at its new place', async () => {
      const revision = await next.ovs.vsctl('--if-exists', 'get', 'Interface', mover.portName, 'external_ids:hotori-installed-revision');
      return revision.trim() !== '';
    });
    await world.hotori.untilInstalled();

    // Both places claim it: the newer has it, and keeps it.
    const disputed = isTidy ? [] : [expect.stringMatching(new RegExp(`if-v1.*dp-${to}`))];
    for (let looks = 0; looks < 5; looks++) {
      expect(await conflicts()).toEqual(disputed);
      await sleep(300);
    }
    if (!isTidy) await old.ovs.vsctl('del-port', 'br-int', mover.portName);
    await eventually('the dispute being over', async () => (await conflicts()).length === 0);
    await world.hotori.untilInstalled();

    const [moved, stayed] = await Promise.all([toMover.stop(), others.stop()]);
    expect([...stayed].filter(([name, { lost }]) => lost > (isElsewhere(name) ? 0 : BY_PORTS))).toEqual([]);
    const late = [...moved].map(([name, result]) => [name, result.lostAfter(up)] as const);
    expect(late.filter(([, lost]) => lost > MOST_LOST)).toEqual([]);
    expect(await world.settledAnswers(allAnswers(world))).toEqual(allAnswers(world));
    await world.commonCheck();
  },
  60_000,
);

it('a VM that leaves takes its connections out of the switch, and no others', async () => {
  const [mover, neighbour] = [world.vm(1), world.vm(2)];
  const [old, next] = [world.lab.hypervisors[0]!, world.lab.hypervisors[1]!];
  await world.hotori.post('/security_groups?wait=installed', {
    uuid: 'sg-open',
    rules: [{ direction: 'ingress', protocol: 'any', remote: { any: true } }],
  });
  const setGroups = async (security_group_uuids: readonly string[]) => {
    for (const n of [1, 2]) await world.hotori.put(`/interfaces/if-v${n}?wait=installed`, { security_group_uuids });
  };
  await setGroups(['sg-open']);
  const zoneOf = async (port: string) =>
    Number((await old.ovs.vsctl('get', 'Interface', port, 'external_ids:hotori-ct-zone')).replaceAll('"', ''));
  const zones = [await zoneOf(mover.portName), await zoneOf(neighbour.portName)];
  const connections = async () => {
    const dump = await old.ovs.appctl('dpctl/dump-conntrack');
    return zones.map((zone) => dump.split('\n').filter((line) => new RegExp(`zone=${zone}(,|$)`).test(line)).length > 0);
  };
  const streams = await Traffic.start([streamOf([3, 1]), streamOf([3, 2])]);
  expect(await connections()).toEqual([true, true]);

  await mover.moveTo(next, 'if-v1');
  await eventually('the connections of the mover being gone', async () => !(await connections())[0]);
  expect(await connections()).toEqual([false, true]);
  const results = await streams.stop();
  expect(results.get('vm3>vm2')!.lost).toBeLessThanOrEqual(BY_PORTS);

  await old.ovs.vsctl('del-port', 'br-int', mover.portName);
  await setGroups([]);
  await world.hotori.delete('/security_groups/sg-open');
  expect(await world.settledAnswers(allAnswers(world))).toEqual(allAnswers(world));
}, 60_000);
