import { add, connect, del, routerV2v, simpleNw, simpleSeg, vif, vmMac } from './openvnet-requests.js';
import { allAnswers, OpenvnetWorld, VMS, type Answers, type Order } from './openvnet-world.js';

const ORDERS: Order[] = ['before', 'after'];

let world: OpenvnetWorld;
beforeAll(async () => {
  world = await OpenvnetWorld.start();
}, 60_000);
afterAll(() => world.destroy(), 60_000);

const [odd, even] = [
  [1, 3, 5],
  [2, 4, 6],
];

/** Everybody reaches those of the own kind, at their addresses. */
function amongThemselves(): Record<string, Answers> {
  const kin = (n: number) => (n % 2 === 1 ? odd : even).filter((other) => other !== n);
  return Object.fromEntries(
    VMS.map((n) => [`vm${n}`, Object.fromEntries(kin(n).map((other) => [world.addresses.get(other)!, `vm${other}`]))]),
  );
}

/** What of answers came from these VMs' addresses. */
function only(answers: Record<string, Answers>, vms: readonly number[]): Record<string, Answers> {
  const addresses = vms.map((n) => world.addresses.get(n));
  return Object.fromEntries(
    Object.entries(answers).map(([vm, names]) => [
      vm,
      Object.fromEntries(Object.entries(names).filter(([address]) => addresses.includes(address))),
    ]),
  );
}

describe.each(ORDERS)('with agents that start %s the data', (order) => {
  /** vm1 and vm3 are on hypervisors of one L2, vm5 is behind a router. */
  async function crossesAsItShould(): Promise<void> {
    const near = order === 'after' ? 'direct' : 'tunnel';
    expect([await world.crossing(1, 3, near), await world.crossing(1, 5, 'tunnel')]).toEqual([near, 'tunnel']);
  }

  it('simple_nw: VMs of two networks with the same addresses reach their own and no others', async () => {
    await world.begin(order, simpleNw());
    expect(await world.lease(...VMS)).toEqual({
      vm1: '10.101.0.10',
      vm2: '10.101.0.10',
      vm3: '10.101.0.11',
      vm4: '10.101.0.11',
      vm5: '10.101.0.12',
      vm6: '10.101.0.12',
    });
    expect(await world.settledAnswers(amongThemselves())).toEqual(amongThemselves());
    await crossesAsItShould();
    await world.commonCheck();
  }, 60_000);

  it('simple_seg: VMs of two segments without networks do so too', async () => {
    await world.begin(order, simpleSeg());
    await world.configure('10.101.0');
    expect(await world.settledAnswers(amongThemselves())).toEqual(amongThemselves());
    await crossesAsItShould();
  }, 60_000);

  it('router_v2v: VMs of two routed networks reach one another, on one hypervisor, on one L2 and beyond', async () => {
    await world.begin(order, routerV2v());
    await world.lease(...VMS);
    expect(await world.settledAnswers(allAnswers(world))).toEqual(allAnswers(world));
  }, 60_000);

  it('event: what changes at run time changes who is reached, and nothing else', async () => {
    await world.begin(order, routerV2v());
    await world.lease(...VMS);
    const others = [3, 4, 5, 6];
    const reached = async () => {
      const expected = allAnswers(world, 1, ...others);
      expect(await world.settledAnswers(expected)).toEqual(expected);
    };
    /** Others reach one another as before, and vm1 nobody and by nobody. */
    const lost = async () => {
      const expected = { ...only(allAnswers(world, ...others), [2, ...others]), vm1: {} };
      expect(await world.settledAnswers(expected)).toEqual(expected);
    };
    const leasesOf = async () =>
      (await world.hotori.get('/interfaces/if-v1.json')) as { mac_leases: { uuid: string; ip_leases: { uuid: string }[] }[] };
    await reached();

    const [first] = (await leasesOf()).mac_leases;
    await world.sayAll(del(`ip_leases/${first!.ip_leases[0]!.uuid}`));
    await lost();
    await world.sayAll(add('ip_leases', { network_uuid: 'nw-vnet2', mac_lease_uuid: first!.uuid, ipv4_address: '10.102.0.20' }));
    expect(await world.lease(1)).toEqual({ vm1: '10.102.0.20' });
    await reached();

    await world.sayAll(del(`mac_leases/${first!.uuid}`));
    await lost();
    await world.sayAll(add('mac_leases', { uuid: 'ml-again', interface_uuid: 'if-v1', mac_address: vmMac(1) }));
    await world.sayAll(add('ip_leases', { network_uuid: 'nw-vnet2', mac_lease_uuid: 'ml-again', ipv4_address: '10.102.0.20' }));
    await reached();

    await world.sayAll(del('interfaces/if-v1'));
    await lost();
    await world.sayAll(vif(1, 'nw-vnet1', '10.101.0'));
    await world.lease(1);
    await reached();

    await world.sayAll(del('datapaths/dp-1'));
    // Those of the other hypervisors have only one another; what vm1 and vm2 have of each other is their own switch's affair.
    const apart = only(allAnswers(world, ...others), others);
    expect(await world.settledAnswers(apart)).toEqual(apart);
    expect(only(await world.answersTo(1), others)).toEqual({ vm1: {} });

    await world.sayAll(
      add('datapaths', { uuid: 'dp-new', node_id: 'vna1', display_name: 'node1', dpid: '0x0000aaaaaaaaaaaa' }),
      connect('dp-new', 1, 'networks', 'nw-vnet1', '02:00:00:aa:00:01'),
      connect('dp-new', 1, 'networks', 'nw-vnet2', '02:00:00:aa:00:02'),
      connect('dp-new', 1, 'route_links', 'rl-1', '02:00:10:aa:00:01'),
      add('interfaces/if-dp1eth0/ports', { datapath_uuid: 'dp-new', port_name: 'eth0', singular: 'true' }),
    );
    await reached();
    await world.commonCheck();
  }, 90_000);
});
