import { Bench } from './run.js';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.server.stop(0));

describe('vnctl translations', () => {
  it('adds, shows and deletes rows as OpenVNet did', async () => {
    await bench.ok('networks add --uuid nw-in --ipv4_network 10.0.1.0');
    await bench.ok('networks add --uuid nw-out --ipv4_network 203.0.113.0');
    await bench.ok('interfaces add --uuid if-vm --mode vif --network_uuid nw-in --ipv4_address 10.0.1.10');
    await bench.ok('route_links add --uuid rl-1');
    for (const [name, network, prefix] of [
      ['in', 'nw-in', '10.0.1'],
      ['out', 'nw-out', '203.0.113'],
    ]) {
      await bench.ok(
        `interfaces add --uuid if-${name} --mode simulated --enable_routing --enable_route_translation --network_uuid ${network} --ipv4_address ${prefix}.1`,
      );
      await bench.ok(`routes add --interface_uuid if-${name} --network_uuid ${network} --route_link_uuid rl-1 --ipv4_network ${prefix}.0`);
    }
    await bench.ok('translations add --uuid tr-1 --interface_uuid if-out --mode static_address --passthrough');
    const row = '--ingress_ipv4_address 203.0.113.1 --egress_ipv4_address 10.0.1.10';
    const ports = '--ingress_port_number 8080 --egress_port_number 80';
    await bench.ok(`translations static_address add tr-1 ${row} ${ports} --ingress_network_uuid nw-out`);
    const nobody = await bench.run(
      'translations static_address add tr-1 --ingress_ipv4_address 203.0.113.1 --egress_ipv4_address 10.0.1.99',
    );
    await bench.ok(`translations static_address add tr-1 ${row}`);
    const shown = await bench.ok('translations static_address show tr-1');
    await bench.ok(`translations static_address del tr-1 ${row} ${ports}`);
    const left = bench.controller.get('translation', 'tr-1')?.view;
    expect({ nobody: [nobody.code, nobody.err], shown: shown.match(/10\.0\.1\.10/g)?.length, left }).toEqual({
      nobody: [1, expect.stringContaining('nobody behind if-out has 10.0.1.99')],
      shown: 2,
      left: expect.objectContaining({
        passthrough: true,
        static_addresses: [
          {
            route_link_uuid: null,
            ingress_ipv4_address: '203.0.113.1',
            egress_ipv4_address: '10.0.1.10',
            ingress_port_number: null,
            egress_port_number: null,
          },
        ],
      }),
    });
  });
});
