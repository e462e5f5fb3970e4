import { create, World } from './world.js';

const PUBLIC = { ipv4_network: '172.16.90.0', ipv4_prefix: 24, mode: 'physical' };

async function start(): Promise<World> {
  const world = await World.start();
  await world.vnmgr.execute([
    ...[1, 2].map((n) => create('datapath', { uuid: `dp-${n}`, display_name: '', node_id: `vna${n}`, dpid: `0x${n}` })),
    create('network', { uuid: 'nw-public', ...PUBLIC }),
    create('network', { uuid: 'nw-vnet', ipv4_network: '10.101.0.0' }),
    ...[1, 2].map((n) =>
      create('interface', {
        uuid: `if-dp${n}eth0`,
        mode: 'host',
        port_name: 'eth0',
        owner_datapath_uuid: `dp-${n}`,
        network_uuid: 'nw-public',
        ipv4_address: `172.16.90.1${n}`,
      }),
    ),
    ...[1, 2].map((n) =>
      create('datapath_network', { uuid: `dpn-${n}`, datapath_uuid: `dp-${n}`, network_uuid: 'nw-vnet', interface_uuid: `if-dp${n}eth0` }),
    ),
  ]);
  return world;
}

const endpoint = (world: World, uuid = 'dpn-1') => {
  const view = world.vnmgr.get('datapath_network', uuid)?.view;
  return view && [view['endpoint_address'], view['endpoint_network_uuid']];
};

describe('the endpoint of a datapath for a network', () => {
  it('is the first address of its host interface', async () => {
    expect(endpoint(await start())).toEqual(['172.16.90.11', 'nw-public']);
  });

  it('is the address of the lease that is named', async () => {
    const world = await start();
    await world.create('ip_lease', {
      uuid: 'il-second',
      interface_uuid: 'if-dp1eth0',
      network_uuid: 'nw-public',
      ipv4_address: '172.16.90.99',
    });
    await world.update('datapath_network', 'dpn-1', { ip_lease_uuid: 'il-second' });
    expect(endpoint(world)).toEqual(['172.16.90.99', 'nw-public']);
    await world.delete('ip_lease', 'il-second', true);
    expect(endpoint(world)).toEqual(['172.16.90.11', 'nw-public']);
  });

  it('goes with the address and comes with another', async () => {
    const world = await start();
    const { view } = world.vnmgr.get('interface', 'if-dp1eth0')!;
    await world.delete('ip_lease', (view['ip_leases'] as { uuid: string }[])[0]!.uuid);
    expect(endpoint(world)).toEqual([null, null]);
    await world.create('ip_lease', { interface_uuid: 'if-dp1eth0', network_uuid: 'nw-public', ipv4_address: '172.16.90.77' });
    expect(endpoint(world)).toEqual(['172.16.90.77', 'nw-public']);
  });

  it('is none while the interface is on another datapath', async () => {
    const world = await start();
    await world.update('interface', 'if-dp1eth0', { owner_datapath_uuid: null });
    expect(endpoint(world)).toEqual([null, null]);
    await world.create('interface_port', { uuid: 'ifp-1', interface_uuid: 'if-dp1eth0', datapath_uuid: 'dp-1' });
    expect(endpoint(world)).toEqual(['172.16.90.11', 'nw-public']);
    await world.delete('interface_port', 'ifp-1');
    expect(endpoint(world)).toEqual([null, null]);
  });
});

describe('a datapath that is deleted', () => {
  it('takes its rows along, and leaves its host interface for another', async () => {
    const world = await start();
    expect(await world.delete('datapath', 'dp-1')).toEqual(['dp-1', 'dpn-1']);
    expect(world.vnmgr.get('interface', 'if-dp1eth0')!.view).toMatchObject({ owner_datapath_uuid: null, port_name: null });

    await world.create('datapath', { uuid: 'dp-new', display_name: '', node_id: 'vna1', dpid: '0x1' });
    await world.create('datapath_network', {
      uuid: 'dpn-1',
      datapath_uuid: 'dp-new',
      network_uuid: 'nw-vnet',
      interface_uuid: 'if-dp1eth0',
    });
    expect(endpoint(world)).toEqual([null, null]);
    await world.create('interface_port', { interface_uuid: 'if-dp1eth0', datapath_uuid: 'dp-new', port_name: 'eth0' });
    expect(endpoint(world)).toEqual(['172.16.90.11', 'nw-public']);
  });
});
