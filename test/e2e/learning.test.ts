/**
 * Strangers behind a port: a segment in which MACs are learnt, over three hypervisors.
 */
import type { Vm } from '../lab/vm.js';
import { listening, OverlayWorld, stopped } from './overlay-world.js';
import { post } from './world.js';

const STATION = { mac: '0a:00:00:00:99:01', ip: '10.7.0.99' } as const;
const MACS = 'table=132';

let world: OverlayWorld;
/** Promiscuous on hv1 and hv2; ordinary on hv2 and hv3. */
let p1: Vm, p2: Vm, v2: Vm, v3: Vm;

beforeAll(async () => {
  world = await OverlayWorld.start((places) => {
    const [one, two, three] = places.map(({ ipv4 }) => ({ address: ipv4 }));
    return [one!, two!, three!];
  });
  const vms: Vm[] = [];
  for (const [name, hypervisor] of [
    ['p1', 0],
    ['p2', 1],
    ['v2', 1],
    ['v3', 2],
  ] as const)
    vms.push(await world.lab.addVm(world.lab.hypervisors[hypervisor]!, { name, iface_id: `if-${name}` }));
  [p1, p2, v2, v3] = vms as [Vm, Vm, Vm, Vm];
  await world.hotori.post('/batch?wait=installed', {
    operations: [
      post('segments', { uuid: 'seg-l', mode: 'virtual', learning: true }),
      ...vms.map((vm) =>
        post('interfaces', {
          uuid: `if-${vm.name}`,
          mode: vm.name.startsWith('p') ? 'promiscuous' : 'vif',
          segment_uuid: 'seg-l',
          mac_address: vm.mac,
        }),
      ),
    ],
  });
  for (const [i, vm] of [v2, v3].entries()) await vm.configure(`10.7.0.${i + 2}/24`);
  await world.untilReady();
}, 60_000);
afterAll(() => world.destroy(), 60_000);

/** Somebody with a MAC of their own behind a promiscuous port. */
async function appear(vm: Vm): Promise<void> {
  const dev = ['dev', 'station'];
  await vm.run(['ip', 'link', 'add', 'station', 'link', 'eth0', 'address', STATION.mac, 'type', 'macvlan', 'mode', 'bridge']);
  await vm.run(['ip', 'addr', 'add', `${STATION.ip}/24`, ...dev]);
  await vm.run(['ip', 'link', 'set', 'station', 'up']);
}

async function learnt(hypervisor: number): Promise<string[]> {
  const dump = await world.lab.hypervisors[hypervisor - 1]!.ovs.ofctl(['dump-flows', 'br-int', MACS]);
  return [...dump.matchAll(new RegExp(`dl_dst=${STATION.mac} actions=(.*)`, 'g'))].map(([, actions]) => actions!);
}

it('whoever is behind a promiscuous port is found from every hypervisor, without flooding once it is learnt, and where it has moved to', async () => {
  await appear(p1);
  const first = [(await v2.ping(STATION.ip, { count: 5 })).received, (await v3.ping(STATION.ip, { count: 5 })).received];
  const rows = [(await learnt(1)).length, (await learnt(2)).length, (await learnt(3)).length];
  const dump = v3.spawn(['tcpdump', '-n', '-l', '-i', 'eth0', '-Q', 'in', `icmp and dst ${STATION.ip}`]);
  await listening(dump);
  await v2.ping(STATION.ip, { count: 5 });
  const flooded = (await stopped(dump)).length;

  await p1.run(['ip', 'link', 'del', 'station']);
  await appear(p2);
  // As soon as it asks for anything, everybody hears where it is.
  await p2.ping('10.7.0.2', { count: 1 });
  const moved = [(await v2.ping(STATION.ip, { count: 5 })).received, (await v3.ping(STATION.ip, { count: 5 })).received];
  expect({ first, rows, flooded, moved }).toEqual({ first: [5, 5], rows: [1, 1, 1], flooded: 0, moved: [5, 5] });
}, 60_000);

it('nobody behind a promiscuous port passes for an interface, and nothing is flooded when the segment ceases to learn', async () => {
  const hears = async () => {
    const dump = v3.spawn(['tcpdump', '-n', '-l', '-i', 'eth0', '-Q', 'in', 'ether proto 0x0800']);
    await listening(dump);
    return async () => (await stopped(dump)).length;
  };
  const spoof = v2.mac.replaceAll(':', '');
  const send = (vm: Vm, frame: string) =>
    vm.run(['python3', '-c', `import socket;s=socket.socket(17,3);s.bind(('eth0',0));s.send(bytes.fromhex('${frame}'))`]);
  const frame = (from: string, to: string) => `${to}${from}080045000014000000004001000000000000ffffffff${'00'.repeat(30)}`;
  const unknown = '0a0000009977';

  const spoofed = await hears();
  await send(p1, frame(spoof, v3.mac.replaceAll(':', '')));
  const passed = await spoofed();
  const strange = await hears();
  await send(v2, frame(spoof, unknown));
  const floods = await strange();
  await world.hotori.put('/segments/seg-l?wait=installed', { learning: false });
  const quiet = await hears();
  await send(v2, frame(spoof, unknown));
  await send(p2, frame(STATION.mac.replaceAll(':', ''), v3.mac.replaceAll(':', '')));
  expect({ passed, floods, ceased: await quiet() }).toEqual({ passed: 0, floods: 1, ceased: 0 });
}, 60_000);
