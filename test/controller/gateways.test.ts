import type { Operation, Params } from '../../controller/contract.js';
import { create, refused, World } from './world.js';

let world: World;
beforeEach(async () => {
  world = await World.start();
  await world.vnmgr.execute([
    create('datapath', { uuid: 'dp-a', display_name: '', dpid: '0x13a', node_id: 'a' }),
    create('datapath', { uuid: 'dp-b', display_name: '', dpid: '0x13b', node_id: 'b' }),
    create('network', { uuid: 'nw-v', ipv4_network: '10.0.1.0' }),
    create('network', { uuid: 'nw-ext', mode: 'physical', physical_network: 'ext', ipv4_network: '192.0.2.0' }),
  ]);
});

const edge = (gateways: string[], over: Params = {}): Operation =>
  create('router', {
    uuid: 'rt-edge',
    networks: [
      { network_uuid: 'nw-v', ip_address: '10.0.1.1' },
      { network_uuid: 'nw-ext', ip_address: '192.0.2.200', gateway_datapath_uuids: gateways, ...over },
    ],
  });

async function why(...operations: Operation[]): Promise<string[]> {
  const before = world.vnmgr.revision();
  const { code, reasons } = await refused(world.vnmgr.execute(operations));
  expect(world.vnmgr.revision()).toEqual(before);
  return reasons.map(({ pointer, detail }) => `${code} ${pointer}: ${detail}`);
}

describe('a gateway', () => {
  it('has its datapath hear of the domain without any NIC there, for as long as it is one', async () => {
    const vna = await world.attach('a');
    const networks = () => vna.uuids().filter((uuid) => uuid.startsWith('nw-'));
    expect(networks()).toEqual([]);
    await world.vnmgr.execute([edge(['dp-a'])]);
    expect(networks()).toEqual(['nw-ext', 'nw-v']);
    await world.update('router', 'rt-edge', {
      networks: [{ network_uuid: 'nw-ext', ip_address: '192.0.2.200', gateway_datapath_uuids: [] }],
    });
    expect(networks()).toEqual([]);
  });

  it('keeps its datapath from being deleted, or lets it go', async () => {
    await world.vnmgr.execute([edge(['dp-a', 'dp-b'])]);
    const { code } = await refused(world.delete('datapath', 'dp-a'));
    expect(code).toBe('still_referenced');
    await world.delete('datapath', 'dp-a', true);
    expect(world.vnmgr.get('interface', 'if-edge-ext')!.view).toMatchObject({ gateway_datapath_uuids: ['dp-b'] });
  });

  it('is refused where it cannot be one, and where its address or its L2 is taken', async () => {
    await world.vnmgr.execute([edge(['dp-a'])]);
    const gateway_datapath_uuids = ['dp-a'];
    const other = { uuid: 'rt-2', networks: [{ network_uuid: 'nw-ext', ip_address: '192.0.2.200', gateway_datapath_uuids: ['dp-b'] }] };
    const physical = { uuid: 'nw-x', mode: 'physical', ipv4_network: '198.51.100.0' };
    expect({
      vif: await why(create('interface', { uuid: 'if-x', mode: 'vif', gateway_datapath_uuids })),
      virtual: await why(
        create('interface', {
          uuid: 'if-x',
          mode: 'simulated',
          enable_routing: true,
          network_uuid: 'nw-v',
          ipv4_address: '10.0.1.2',
          gateway_datapath_uuids,
        }),
      ),
      unknown: await why(
        create('interface', { uuid: 'if-x', mode: 'simulated', enable_routing: true, gateway_datapath_uuids: ['dp-none'] }),
      ),
      taken: await why(create('router', other)),
      l2: await why(create('network', { ...physical, physical_network: 'ext' })),
      mode: await why(create('network', { ...physical, mode: 'virtual', physical_network: 'ext' })),
    }).toEqual({
      vif: ['invariant_violated /gateway_datapath_uuids: only a router port (mode simulated, enable_routing) is a gateway'],
      virtual: ['invariant_violated /gateway_datapath_uuids: if-x has no address in a physical network'],
      unknown: [
        'invalid_reference /gateway_datapath_uuids/0: there is no datapath dp-none',
        'invalid_reference /gateway_datapath_uuids: if-x has no address in a physical network',
      ],
      taken: [expect.stringMatching(/^conflict \/networks\/0\/ip_address: 192\.0\.2\.200 is taken in nw-ext by il-/)],
      l2: ['conflict /physical_network: ext is the L2 of nw-ext; networks of one L2 are in one segment'],
      mode: ['invariant_violated /physical_network: only with mode physical; it is virtual'],
    });
  });
});
