import { eventually } from '../lab/eventually.js';
import { UNDERLAY_BRIDGE } from '../lab/underlay.js';
import { OverlayWorld, stopped, type VnaEntry } from './overlay-world.js';
import { Traffic } from './traffic.js';

const ENCAPSULATED = '(udp port 6081 or udp port 4789 or proto gre)';

/** Resolves when both hypervisors send them. */
async function framesWithoutTunnels(world: OverlayWorld): Promise<void> {
  for (const { ovs } of world.lab.hypervisors.slice(0, 2))
    await eventually('frames without tunnels', async () =>
      (await ovs.ofctl(['dump-flows', 'br-int', 'table=98'])).includes('priority=110'),
    );
  await world.hotori.untilInstalled();
}

/** hv1 and hv2 are on one L2 and may do without tunnels there; hv3 is behind a router. */
describe('hypervisors on one physical L2', () => {
  let world: OverlayWorld;

  beforeAll(async () => {
    world = await OverlayWorld.start((places) => {
      const [one, two, three] = places.map(({ ipv4, segment }) => ({ address: ipv4, mac2mac: true, underlay: `l2-${segment}` }));
      return [one!, two!, three!];
    });
    // The other end is given the time to accept frames before any are sent.
    await framesWithoutTunnels(world);
  }, 60_000);
  afterAll(() => world.destroy(), 60_000);

  /** Lines of what crosses hv1's cable while vm1 sends five pings. */
  async function crossing(to: string, filter: string): Promise<number> {
    const watch = await world.underlay.watch(world.underlay.attachments[0]!, filter);
    await world.vm(1).ping(to, { count: 5 });
    return (await stopped(watch)).filter((line) => /echo (request|reply)/.test(line)).length;
  }

  it('carry frames between their VMs as they are, and everything else through tunnels', async () => {
    expect(await world.whoAnswers()).toEqual(world.expectedAnswers());
    expect({
      near: [await crossing('10.101.0.11', 'icmp and host 10.101.0.11'), await crossing('10.101.0.11', ENCAPSULATED)],
      near6: [await crossing('fd00:101::11', 'icmp6 and host fd00:101::11'), await crossing('fd00:101::11', ENCAPSULATED)],
      far: [await crossing('10.101.0.12', 'icmp and host 10.101.0.12'), await crossing('10.101.0.12', ENCAPSULATED)],
      whole: (await world.vm(1).ping('10.101.0.11', { count: 1, size: 1472 })).received,
    }).toEqual({ near: [10, 0], near6: [10, 0], far: [0, 10], whole: 1 });
  }, 60_000);

  it('turn to the tunnel and back without losing a packet when it is said that the pair is to use one', async () => {
    const traffic = await Traffic.start([{ name: 'near', from: world.vm(1), to: '10.101.0.11' }], { interval: 0.01 });
    const kinds = async () =>
      [await crossing('10.101.0.11', 'icmp and host 10.101.0.11'), await crossing('10.101.0.11', ENCAPSULATED)].map((n) => n > 0);
    const pair = { uuid: 't-near', datapath_uuid: 'dp-hv1', peer_datapath_uuid: 'dp-hv2' };
    await world.hotori.post('/tunnels?wait=installed', { ...pair, mac2mac: false });
    const tunnelled = await kinds();
    await world.hotori.delete('/tunnels/t-near?wait=installed');
    await framesWithoutTunnels(world);
    const alone = await kinds();
    expect({ tunnelled, alone, lost: (await traffic.stop()).get('near')!.lost }).toEqual({
      tunnelled: [false, true],
      alone: [true, false],
      lost: 0,
    });
  }, 60_000);

  it('turn to the tunnel, say why, and turn back, without losing a packet, when another network has one of the MACs', async () => {
    const traffic = await Traffic.start([{ name: 'near', from: world.vm(1), to: '10.101.0.11' }], { interval: 0.01 });
    await world.hotori.post('/interfaces?wait=installed', {
      uuid: 'if-twin',
      mode: 'vif',
      network_uuid: 'nw-2',
      mac_address: world.vm(1).mac,
      ipv4_address: '10.101.0.99',
    });
    const shared = [await crossing('10.101.0.11', 'icmp and host 10.101.0.11'), await crossing('10.101.0.11', ENCAPSULATED)].map(
      (n) => n > 0,
    );
    const conditions = (await world.hotori.get('/status')).datapaths.map((one: { conditions: { code: string }[] }) =>
      one.conditions.map(({ code }) => code),
    );
    await world.hotori.delete('/interfaces/if-twin?wait=installed');
    const alone = [await crossing('10.101.0.11', 'icmp and host 10.101.0.11'), await crossing('10.101.0.11', ENCAPSULATED)].map(
      (n) => n > 0,
    );
    expect({ shared, conditions, alone, lost: (await traffic.stop()).get('near')!.lost }).toEqual({
      shared: [false, true],
      conditions: [['shared_macs'], ['shared_macs'], []],
      alone: [true, false],
      lost: 0,
    });
  }, 60_000);

  it('turn to the tunnel without losing a packet when one of the two is restarted without it, which takes its port away', async () => {
    const { ovs } = world.lab.hypervisors[1]!;
    const patches = async () =>
      [...(await ovs.vsctl('list-ports', 'br-int')).split('\n'), ...(await ovs.vsctl('list-ports', UNDERLAY_BRIDGE)).split('\n')].filter(
        (name) => name.startsWith('patch-'),
      ).length;
    const before = await patches();
    const traffic = await Traffic.start([{ name: 'near', from: world.vm(1), to: '10.101.0.11' }], { interval: 0.01 });
    const [, entry] = world.vna as [VnaEntry, VnaEntry];
    entry.overlay = { ...entry.overlay, mac2mac: false };
    await world.hotori.restart();
    await eventually('the port being gone', async () => (await patches()) === 0, { timeoutMs: 20_000 });
    const direct = await crossing('10.101.0.11', 'icmp and host 10.101.0.11');
    expect({ before, direct, lost: (await traffic.stop()).get('near')!.lost }).toEqual({ before: 2, direct: 0, lost: 0 });
  }, 60_000);
});
