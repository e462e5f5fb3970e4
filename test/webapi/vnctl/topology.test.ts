import { Bench } from './run.js';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.server.stop(0));

const TOPOLOGY = `
# two networks, a router, a group
networks:
  - uuid: nw-blue
    display_name: blue
    ipv4_network: 10.0.0.0
    ipv4_prefix: 24
  - {uuid: nw-red, ipv4_network: 10.1.0.0, ipv6_network: "2001:DB8::", dns_servers: [10.1.0.2]}
interfaces:
  - {uuid: if-vm, mode: vif, network_uuid: nw-blue, mac_address: "02:00:00:00:00:AA", ipv4_address: 10.0.0.5, security_group_uuids: [sg-web, sg-ssh]}
  - {uuid: if-blue, mode: simulated, enable_routing: true, network_uuid: nw-blue, ipv4_address: 10.0.0.1}
  - {uuid: if-red, mode: simulated, enable_routing: true, network_uuid: nw-red, ipv4_address: 10.1.0.1}
security_groups:
  - uuid: sg-web
    rules:
      - {direction: ingress, protocol: tcp, ports: ["80", "8000-8100"], remote: {any: true}}
      - {direction: ingress, protocol: icmp, remote: {security_group_uuid: sg-ssh}}
  - uuid: sg-ssh
    rules: [{direction: ingress, protocol: tcp, ports: ["22"], remote: {cidr: 10.0.0.0/8}}]
route_links:
  - {uuid: rl-a}
routes:
  - {uuid: r-blue, interface_uuid: if-blue, network_uuid: nw-blue, route_link_uuid: rl-a, ipv4_network: 10.0.0.0}
  - {uuid: r-red, interface_uuid: if-red, network_uuid: nw-red, route_link_uuid: rl-a, ipv4_network: 10.1.0.0}
network_services:
  - {uuid: ns-dhcp, mode: dhcp, interface_uuid: if-blue}
`;

/** Hypervisors, and what crosses between them. */
const UNDERLAY = `
datapaths:
  - {uuid: dp-1, display_name: one, dpid: "0xa", node_id: vna1}
  - {uuid: dp-2, display_name: two, dpid: "0xb", node_id: vna2}
segments: [{uuid: seg-a, mode: virtual}]
networks: [{uuid: nw-public, mode: physical, ipv4_network: 172.16.90.0}, {uuid: nw-a, ipv4_network: 10.101.0.0}]
interfaces:
  - {uuid: if-dp1eth0, mode: host, owner_datapath_uuid: dp-1, port_name: eth0, network_uuid: nw-public, ipv4_address: 172.16.90.10}
  - {uuid: if-vm, mode: vif}
interface_ports: [{uuid: ifp-a, interface_uuid: if-vm, datapath_uuid: dp-2, port_name: tap1}]
route_links: [{uuid: rl-a}]
datapath_networks: [{uuid: dpn-a, datapath_uuid: dp-1, network_uuid: nw-a, interface_uuid: if-dp1eth0, mac_address: "02:00:00:AA:00:01"}]
datapath_segments: [{uuid: dpseg-a, datapath_uuid: dp-1, segment_uuid: seg-a, interface_uuid: if-dp1eth0}]
datapath_route_links: [{uuid: dprl-a, datapath_uuid: dp-1, route_link_uuid: rl-a, interface_uuid: if-dp1eth0}]
tunnels: [{uuid: t-a, datapath_uuid: dp-1, peer_datapath_uuid: dp-2, encapsulation: vxlan, mac2mac: false}]
`;

describe('vnctl apply', () => {
  it('makes the model say what the file says in one revision, and nothing the second time', async () => {
    bench.files['lab.yaml'] = TOPOLOGY;
    expect(await bench.ok('apply -f lab.yaml')).toMatch(
      /^\+ nw-blue\n\+ nw-red\n(\+ \S+\n)*11 created, 0 changed, 0 unchanged; revision 1\n$/,
    );
    expect(await bench.ok('apply -f lab.yaml')).toBe('0 created, 0 changed, 11 unchanged; revision 1\n');
    expect(await bench.ok('apply -f -', TOPOLOGY)).toBe('0 created, 0 changed, 11 unchanged; revision 1\n');
    expect(bench.controller.revision().number).toBe(1);
  });

  it('changes what differs, and leaves alone what the file leaves out', async () => {
    bench.files['lab.yaml'] = TOPOLOGY;
    await bench.ok('apply -f lab.yaml');
    await bench.ok('networks modify nw-red --mtu 1400');
    bench.files['lab.yaml'] = TOPOLOGY.replace('display_name: blue', 'display_name: azure').replace('ports: ["22"]', 'ports: ["2222"]');
    expect(await bench.ok('apply -f lab.yaml')).toBe(
      '~ nw-blue display_name\n~ sg-ssh rules\n0 created, 2 changed, 9 unchanged; revision 3\n',
    );
    expect(bench.controller.get('network', 'nw-red')?.view).toMatchObject({ mtu: 1400 });
    expect(JSON.parse(await bench.ok('apply -f lab.yaml -o json'))).toEqual({ revision: 3, created: [], changed: [], unchanged: 11 });
  });

  it('changes nothing when anything is wrong, and names the lines', async () => {
    bench.files['lab.yaml'] = [
      'networks:',
      '  - uuid: nw-a',
      '    ipv4_network: 10.1.0.0',
      '    dns_servers: [10.0.0.2, 10.0.0.x]',
      '  - uuid: nw-b',
      '    ipv4_network: 10.0.0.0',
      '    colour: red',
      'security_groups:',
      '  - uuid: sg-a',
      '    rules:',
      '      - {direction: ingress, protocol: tcp, remote: {any: true}}',
      '      - direction: ingress',
      '        protocol: tcp',
      '        ports: ["70000"]',
      '        remote: {any: true}',
    ].join('\n');
    const { code, err } = await bench.run('apply -f lab.yaml');
    expect([code, err.split('\n').map((line) => line.split(': ').slice(0, 3).join(': '))]).toEqual([
      1,
      [
        'vnctl: lab.yaml:4: networks[0].dns_servers[1]',
        'vnctl: lab.yaml:7: networks[1].colour',
        'vnctl: lab.yaml:14: security_groups[0].rules[1].ports[0]',
        '',
      ],
    ]);
    expect(bench.controller.revision().number).toBe(0);
  });

  it.each([
    ['a: [', ['t:1: not YAML: ']],
    ['5', ['t:1: must have collections as keys']],
    ['networks: 5\nnothing: []', ['t:1: networks: must be a list', 't:2: nothing: there is no such collection; there are datapaths, ']],
    [
      'networks:\n  - display_name: x\n  - nw-a\n',
      ['t:2: networks[0]: must have a uuid, such as nw-a', 't:3: networks[1]: must have a uuid'],
    ],
    ['networks:\n  - uuid: nw-a\n  - uuid: nw-a\n', ['t:3: networks[1].uuid: nw-a is there already (t:2: networks[0].uuid)']],
  ])('refuses %j', async (text, expected) => {
    bench.files['t'] = text;
    const { code, err } = await bench.run('apply -f t');
    expect([
      code,
      err
        .split('\n')
        .slice(0, -1)
        .map((line, i) => line.slice(0, 'vnctl: '.length + expected[i]!.length)),
    ]).toEqual([1, expected.map((line) => `vnctl: ${line}`)]);
  });

  it('does not try to change what is fixed at creation', async () => {
    await bench.ok('segments add --uuid seg-a --mode virtual');
    bench.files['t'] = 'segments:\n  - uuid: seg-a\n    mode: physical\n';
    expect(await bench.run('apply -f t')).toEqual({
      code: 1,
      out: '',
      err: 'vnctl: t:3: segments[0].mode: seg-a has "virtual", which cannot be changed after it is created; delete it first\n',
    });
  });

  it('takes an empty file', async () => {
    bench.files['t'] = 'networks:\n# none yet\n';
    expect(await bench.ok('apply -f t')).toBe('0 created, 0 changed, 0 unchanged; revision 0\n');
  });
});

describe('vnctl export', () => {
  it.each([TOPOLOGY, UNDERLAY])('prints what apply makes the same model of', async (topology) => {
    bench.files['lab.yaml'] = topology;
    await bench.ok('apply -f lab.yaml');
    const exported = await bench.ok('export');
    expect(await bench.ok('apply -f -', exported)).toMatch(/^0 created, 0 changed, \d+ unchanged; revision 1\n$/);

    const other = await Bench.start();
    await other.ok('apply -f -', exported);
    expect(await other.ok('export')).toBe(exported);
    await other.server.stop(0);
  });

  it('prints a router in one piece, and what others call its parts stays true', async () => {
    const routers = `
networks:
  - {uuid: nw-blue, ipv4_network: 10.0.0.0}
  - {uuid: nw-red, ipv4_network: 10.1.0.0, ipv6_network: "2001:DB8::"}
interfaces:
  - {uuid: if-vm, mode: vif, network_uuid: nw-blue, ipv4_address: 10.0.0.5}
routers:
  - uuid: rt-a
    networks: [{network_uuid: nw-blue, ip_address: 10.0.0.1}, {network_uuid: nw-red, ip_addresses: [10.1.0.1, "2001:DB8::1"]}]
    routes: [{destination: 10.7.0.0/16, via: 10.0.0.5}, {destination: 10.8.0.0/16, type: blackhole}]
    policy_routes: [{priority: 1, source: 10.1.0.0/24, protocol: tcp, ports: ["80"], type: prohibit}]
    traceroute: collapsed
network_services:
  - {uuid: ns-dhcp, mode: dhcp, interface_uuid: if-a-blue}
`;
    expect(await bench.ok('apply -f -', routers)).toMatch(/5 created, 0 changed, 0 unchanged; revision 1\n$/);
    expect(await bench.ok('apply -f -', routers)).toBe('0 created, 0 changed, 5 unchanged; revision 1\n');
    const exported = await bench.ok('export');
    expect(await bench.ok('apply -f -', exported)).toMatch(/^0 created, 0 changed, \d+ unchanged; revision 1\n$/);
    const other = await Bench.start();
    await other.ok('apply -f -', exported);
    expect(await other.ok('export')).toBe(exported);
    expect((await other.ok('interfaces show if-a-red')).includes('2001:db8::1')).toBe(true);
    await other.server.stop(0);

    expect(await bench.ok('apply -f -', routers.replace('type: blackhole', 'type: prohibit'))).toBe(
      '~ rt-a routes\n0 created, 1 changed, 4 unchanged; revision 2\n',
    );
    expect(await bench.ok("routers modify rt-a --traceroute off --routes '[]'")).toContain('off');
  });

  it('of an empty model is an empty file', async () => {
    expect(await bench.ok('export')).toBe('{}\n');
    expect(await bench.ok('apply -f -', '{}\n')).toBe('0 created, 0 changed, 0 unchanged; revision 0\n');
  });
});
