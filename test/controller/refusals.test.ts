import type { Operation, Params } from '../../controller/contract.js';
import type { UserKind } from '../../flows/model/entities.js';
import { create, refused, World } from './world.js';

/** Two networks on a router, a segment with a network in it, two VMs, a group in use, and a spare of each. */
const setting: Operation[] = [
  create('datapath', { uuid: 'dp-1', display_name: 'one', node_id: 'one', dpid: '0xa' }),
  create('segment', { uuid: 'seg-1', mode: 'virtual' }),
  create('segment', { uuid: 'seg-free', mode: 'virtual' }),
  create('network', { uuid: 'nw-1', ipv4_network: '10.0.1.0', ipv6_network: 'fd00:1::' }),
  create('network', { uuid: 'nw-2', ipv4_network: '10.0.2.0' }),
  create('network', { uuid: 'nw-seg', ipv4_network: '10.0.3.0', segment_uuid: 'seg-1' }),
  create('network', { uuid: 'nw-same', ipv4_network: '10.0.1.0' }),
  create('network', { uuid: 'nw-slaac', ipv6_network: 'fd00:5::', ipv6_slaac: true }),
  create('security_group', { uuid: 'sg-1', rules: [{ uuid: 'sgr-1', direction: 'ingress', protocol: 'tcp', remote: { any: true } }] }),
  create('security_group', { uuid: 'sg-2', rules: [{ direction: 'ingress', protocol: 'any', remote: { security_group_uuid: 'sg-1' } }] }),
  create('address_set', { uuid: 'as-1', addresses: ['10.9.0.0/16'] }),
  create('security_group', { uuid: 'sg-3', rules: [{ direction: 'ingress', protocol: 'any', remote: { address_set_uuid: 'as-1' } }] }),
  create('interface', {
    uuid: 'if-1',
    mode: 'vif',
    network_uuid: 'nw-1',
    ipv4_address: '10.0.1.10',
    mac_address: '02:00:00:00:00:01',
    security_group_uuids: ['sg-1'],
  }),
  create('interface', { uuid: 'if-2', mode: 'vif', port_name: 'tap2', owner_datapath_uuid: 'dp-1' }),
  create('mac_lease', { uuid: 'ml-2', interface_uuid: 'if-2', mac_address: '02:00:00:00:00:02' }),
  create('interface', { uuid: 'if-seg', mode: 'vif', network_uuid: 'nw-seg', ipv4_address: '10.0.3.10', mac_address: '02:00:00:00:00:03' }),
  create('interface', { uuid: 'if-r1', mode: 'simulated', enable_routing: true, network_uuid: 'nw-1', ipv4_address: '10.0.1.1' }),
  create('interface', { uuid: 'if-r2', mode: 'simulated', enable_routing: true, network_uuid: 'nw-2', ipv4_address: '10.0.2.1' }),
  create('interface', { uuid: 'if-rx', mode: 'simulated', enable_routing: true, network_uuid: 'nw-same', ipv4_address: '10.0.1.1' }),
  create('route_link', { uuid: 'rl-1' }),
  create('route', { uuid: 'r-1', interface_uuid: 'if-r1', network_uuid: 'nw-1', route_link_uuid: 'rl-1', ipv4_network: '10.0.1.0' }),
  create('route', { uuid: 'r-2', interface_uuid: 'if-r2', network_uuid: 'nw-2', route_link_uuid: 'rl-1', ipv4_network: '10.0.2.0' }),
  create('network_service', { uuid: 'ns-1', mode: 'dhcp', interface_uuid: 'if-r1' }),
  create('datapath', { uuid: 'dp-2', display_name: 'two', node_id: 'two', dpid: '0xb' }),
  create('interface', { uuid: 'if-host', mode: 'host', port_name: 'eth0', owner_datapath_uuid: 'dp-2' }),
  create('mac_lease', { uuid: 'ml-host', interface_uuid: 'if-host', mac_address: '02:00:00:00:0a:01' }),
  create('ip_lease', { uuid: 'il-host', interface_uuid: 'if-host', network_uuid: 'nw-same', ipv4_address: '10.0.1.20' }),
  create('ip_lease', { uuid: 'il-free', network_uuid: 'nw-same', ipv4_address: '10.0.1.21' }),
  create('datapath_network', {
    uuid: 'dpn-2',
    datapath_uuid: 'dp-2',
    network_uuid: 'nw-1',
    interface_uuid: 'if-host',
    ip_lease_uuid: 'il-host',
    mac_address: '02:00:00:bb:00:01',
  }),
  create('tunnel', { uuid: 't-1', datapath_uuid: 'dp-1', peer_datapath_uuid: 'dp-2', encapsulation: 'vxlan' }),
];

const update = (kind: UserKind, uuid: string, params: Params): Operation => ({ verb: 'update', kind, uuid, params });
const remove = (kind: UserKind, uuid: string): Operation => ({ verb: 'delete', kind, uuid });
const sg = (rule: Params) =>
  create('security_group', { uuid: 'sg-x', rules: [{ direction: 'ingress', protocol: 'tcp', remote: { any: true }, ...rule }] });

let world: World;
beforeAll(async () => {
  world = await World.start();
  await world.vnmgr.execute(setting);
});

/** `code pointer: detail` of each reason. */
async function why(...operations: Operation[]): Promise<string[]> {
  const before = world.vnmgr.revision();
  const { code, reasons } = await refused(world.vnmgr.execute(operations));
  expect(world.vnmgr.revision()).toEqual(before);
  return reasons.map(({ pointer, detail }) => `${code} ${pointer}: ${detail}`);
}

describe('a transaction is refused', () => {
  it.each<[string, Operation, string[]]>([
    [
      'for a reference to nothing',
      create('ip_lease', { network_uuid: 'nw-none', ipv4_address: '10.0.0.1' }),
      ['invalid_reference /network_uuid: there is no network nw-none'],
    ],
    [
      'for a group that is not there, by its place in the list',
      create('interface', { mode: 'vif', security_group_uuids: ['sg-2', 'sg-none', 'sg-1'] }),
      ['invalid_reference /security_group_uuids/1: there is no security_group sg-none'],
    ],
    [
      'for a rule about a group that is not there',
      sg({ remote: { security_group_uuid: 'sg-none' } }),
      ['invalid_reference /rules/0/remote/security_group_uuid: there is no security_group sg-none'],
    ],
    [
      'for a uuid that is taken',
      create('network', { uuid: 'nw-1', ipv4_network: '10.9.0.0' }),
      ['duplicate_uuid /uuid: nw-1 exists already'],
    ],
    [
      'for a dpid that is taken',
      create('datapath', { display_name: 'x', node_id: 'x', dpid: 'A' }),
      ['conflict /dpid: 0x000000000000000a is dp-1'],
    ],
    ['for a change of what is not there', update('network', 'nw-none', {}), ['unknown_uuid : there is no network nw-none']],
    ['for a delete of another kind of thing', remove('network', 'if-1'), ['unknown_uuid : there is no network if-1']],
    [
      'for a change of what is fixed',
      update('interface', 'if-1', { mode: 'simulated' }),
      ['invalid_argument /mode: is fixed when the interface is created'],
    ],

    ['for a network without subnet', create('network', {}), ['invariant_violated : a network needs ipv4_network, ipv6_network or both']],
    [
      'for host bits in a subnet',
      create('network', { ipv4_network: '10.0.0.5' }),
      ['invariant_violated /ipv4_network: has host bits set; the network is 10.0.0.0/24'],
    ],
    [
      'for a prefix length alone',
      create('network', { ipv4_network: '10.9.0.0', ipv6_prefix: 64 }),
      ['invariant_violated /ipv6_network: needed with ipv6_prefix'],
    ],
    [
      'for a subnet that is multicast',
      create('network', { ipv4_network: '224.0.0.0' }),
      ['invariant_violated /ipv4_network: 224.0.0.0/24 is multicast'],
    ],
    [
      'for a subnet that is link-local',
      create('network', { ipv6_network: 'fe80::' }),
      ['invariant_violated /ipv6_network: fe80::/64 is link-local, which every network has anyway'],
    ],
    [
      'for SLAAC with another prefix length',
      create('network', { ipv6_network: 'fd00:9::', ipv6_prefix: 80, ipv6_slaac: true }),
      ['invariant_violated /ipv6_slaac: needs an ipv6_network with ipv6_prefix 64'],
    ],
    [
      'for an MTU that IPv6 forbids',
      create('network', { ipv6_network: 'fd00:9::', mtu: 1000 }),
      ['invariant_violated /mtu: must be at least 1280 in a network with IPv6'],
    ],
    [
      'for two modes',
      create('network', { ipv4_network: '10.9.0.0', mode: 'virtual', network_mode: 'physical' }),
      ['invalid_argument /network_mode: is another name of mode, which is virtual'],
    ],
    [
      'for a subnet that leaves leases outside',
      update('network', 'nw-2', { ipv4_network: '10.0.9.0' }),
      [
        expect.stringMatching(
          /^invariant_violated : does not fit its leases: il-\w{8} \(10\.0\.2\.1 is outside 10\.0\.9\.0\/24 of nw-2\)$/,
        ),
      ],
    ],
    [
      'for networks that overlap in one routing domain',
      create('route', { interface_uuid: 'if-rx', network_uuid: 'nw-same', route_link_uuid: 'rl-1', ipv4_network: '10.0.7.0' }),
      ['conflict : nw-same: 10.0.1.0/24 overlaps 10.0.1.0/24 of nw-1 in the same routing domain'],
    ],
    [
      'for a network that overlaps another of its segment',
      create('network', { ipv4_network: '10.0.0.0', ipv4_prefix: 16, segment_uuid: 'seg-1' }),
      ['conflict /ipv4_network: 10.0.0.0/16 overlaps 10.0.3.0/24 of nw-seg in the same routing domain'],
    ],

    [
      'for an address outside the subnet',
      create('interface', { mode: 'vif', network_uuid: 'nw-1', ipv4_address: '10.0.2.9' }),
      ['invariant_violated /ipv4_address: 10.0.2.9 is outside 10.0.1.0/24 of nw-1'],
    ],
    [
      'for the network address',
      create('ip_lease', { network_uuid: 'nw-1', ipv4_address: '10.0.1.0' }),
      ['invariant_violated /ipv4_address: 10.0.1.0 is the network address of 10.0.1.0/24'],
    ],
    [
      'for the broadcast address',
      create('ip_lease', { network_uuid: 'nw-1', ipv4_address: '10.0.1.255' }),
      ['invariant_violated /ipv4_address: 10.0.1.255 is the broadcast address of 10.0.1.0/24'],
    ],
    [
      'for the anycast address of routers',
      create('ip_lease', { network_uuid: 'nw-1', ipv6_address: 'fd00:1::' }),
      ['invariant_violated /ipv6_address: fd00:1:: is the subnet-router anycast address of fd00:1::/64 (RFC 4291)'],
    ],
    [
      'for a family the network has not',
      create('ip_lease', { network_uuid: 'nw-2', ipv6_address: 'fd00::1' }),
      ['invariant_violated /ipv6_address: nw-2 has no IPv6 subnet'],
    ],
    [
      'for two addresses in one lease',
      create('ip_lease', { network_uuid: 'nw-1', ipv4_address: '10.0.1.9', ipv6_address: 'fd00:1::9' }),
      ['invalid_argument /ipv6_address: exactly one of ipv4_address and ipv6_address is needed'],
    ],
    [
      'for an address that a VM would not form by SLAAC',
      create('interface', { mode: 'vif', network_uuid: 'nw-slaac', ipv6_address: 'fd00:5::9', mac_address: '02:00:00:00:00:09' }),
      ['invariant_violated /ipv6_address: nw-slaac uses SLAAC, where 02:00:00:00:00:09 forms fd00:5::ff:fe00:9'],
    ],
    [
      'for an address without network',
      create('interface', { mode: 'vif', ipv4_address: '10.0.1.9' }),
      ['missing_argument /network_uuid: is required with an address'],
    ],
    [
      'for a MAC in another segment than its network',
      create('interface', {
        mode: 'vif',
        network_uuid: 'nw-seg',
        ipv4_address: '10.0.3.9',
        segment_uuid: 'seg-free',
        mac_address: '02:00:00:00:00:09',
      }),
      [expect.stringMatching(/^invariant_violated \/network_uuid: ml-\w{8} is in seg-free, nw-seg in seg-1$/)],
    ],
    [
      'for a second L2 domain on one MAC',
      create('ip_lease', { network_uuid: 'nw-2', ipv4_address: '10.0.2.9', interface_uuid: 'if-1' }),
      [expect.stringMatching(/^invariant_violated \/network_uuid: ml-\w{8} has an address in nw-1, which is another L2 domain than nw-2$/)],
    ],
    [
      'for an address on an interface without MAC',
      create('ip_lease', { network_uuid: 'nw-1', ipv4_address: '10.0.1.9', interface_uuid: 'if-none' }),
      ['invalid_reference /interface_uuid: there is no interface if-none'],
    ],
    [
      'for a mac_lease of another interface',
      create('ip_lease', { network_uuid: 'nw-1', ipv4_address: '10.0.1.9', interface_uuid: 'if-1', mac_lease_uuid: 'ml-2' }),
      ['invalid_reference /mac_lease_uuid: ml-2 belongs to if-2, not to if-1'],
    ],
    [
      'for a port name that is taken there',
      create('interface', { mode: 'vif', port_name: 'tap2', owner_datapath_uuid: 'dp-1' }),
      ['conflict /port_name: tap2 on dp-1 is already if-2'],
    ],
    [
      'for a router in a group',
      create('interface', { mode: 'simulated', security_group_uuids: ['sg-1'] }),
      ['invariant_violated /security_group_uuids: a simulated interface is not a VM and cannot be a member of groups'],
    ],

    [
      'for a route through a VM',
      create('route', { interface_uuid: 'if-1', network_uuid: 'nw-1', route_link_uuid: 'rl-1', ipv4_network: '10.0.9.0' }),
      ['invariant_violated /interface_uuid: if-1 is not a router port: its mode is vif, not simulated'],
    ],
    [
      'for a route through a port that is not in the network',
      create('route', { interface_uuid: 'if-r1', network_uuid: 'nw-2', route_link_uuid: 'rl-1', ipv4_network: '10.0.9.0' }),
      ['invariant_violated /interface_uuid: if-r1 has no IPv4 lease in nw-2'],
    ],
    [
      'for a route of a family its port has not',
      create('route', { interface_uuid: 'if-r1', network_uuid: 'nw-1', route_link_uuid: 'rl-1', ipv6_network: 'fd00:9::' }),
      ['invariant_violated /interface_uuid: if-r1 has no IPv6 lease in nw-1'],
    ],
    [
      'for a second way to one prefix',
      create('route', { interface_uuid: 'if-r2', network_uuid: 'nw-2', route_link_uuid: 'rl-1', ipv4_network: '10.0.1.0' }),
      ['conflict /ipv4_network: rl-1 already leads to 10.0.1.0/24 by r-1'],
    ],
    [
      'for a router port that routes and a service still need',
      update('interface', 'if-r1', { enable_routing: false }),
      ['invariant_violated : r-1 needs it: if-r1 is not a router port: enable_routing is off'],
    ],
    [
      'for a DHCP server on a VM',
      create('network_service', { mode: 'dhcp', interface_uuid: 'if-1' }),
      ['invariant_violated /interface_uuid: dhcp needs a simulated interface; if-1 is vif'],
    ],

    [
      'for ports of ICMP',
      sg({ protocol: 'icmp', ports: ['22'] }),
      ['invariant_violated /rules/0/ports: icmp has no ports; tcp, udp and sctp have'],
    ],
    ['for an ICMP type of TCP', sg({ icmp_type: 8 }), ['invariant_violated /rules/0/icmp_type: only with icmp and icmpv6']],
    ['for an ICMP code alone', sg({ protocol: 'icmp', icmp_code: 1 }), ['invariant_violated /rules/0/icmp_code: only with icmp_type']],
    ['for ICMPv6 over IPv4', sg({ protocol: 'icmpv6', family: 'ipv4' }), ['invariant_violated /rules/0/family: icmpv6 is ipv6']],
    [
      'for a prefix of the other family',
      sg({ family: 'ipv6', remote: { cidr: '10.0.0.0/8' } }),
      ['invariant_violated /rules/0/remote: 10.0.0.0/8 is ipv4, the rule is ipv6'],
    ],
    [
      'for ICMP from an IPv6 prefix',
      sg({ protocol: 'icmp', remote: { cidr: '::/0' } }),
      ['invariant_violated /rules/0/remote: ::/0 is ipv6, icmp is ipv4'],
    ],
    ['for port 0', sg({ ports: ['0'] }), ['invalid_argument /rules/0/ports/0: "0": ports begin at 1']],
    ['for a range from port 0', sg({ ports: ['22', '0-10'] }), ['invalid_argument /rules/0/ports/1: "0-10": ports begin at 1']],
    ['for port 65536', sg({ ports: ['65536'] }), ['invalid_argument /rules/0/ports/0: "65536": 65536 is more than 65535']],
    ['for a reversed range', sg({ ports: ['90-80'] }), ['invalid_argument /rules/0/ports/0: "90-80": 90 is more than 80']],
    [
      'for a drop without state',
      sg({ action: 'drop', stateful: false }),
      ['invariant_violated /rules/0/stateful: only with action allow; drop judges every packet'],
    ],
    [
      'for connections that outlive a rejection',
      sg({ action: 'reject', persist_established: true }),
      ['invariant_violated /rules/0/persist_established: only with action allow and stateful'],
    ],
    ['for a priority of 1000', sg({ priority: 1000 }), ['invalid_argument /rules/0/priority: must be at most 999']],
    [
      'for an address set that is not there',
      sg({ remote: { address_set_uuid: 'as-none' } }),
      ['invalid_reference /rules/0/remote/address_set_uuid: there is no address_set as-none'],
    ],
    ['for an address set that rules refer to', remove('address_set', 'as-1'), ['still_referenced : still referred to by sg-3']],
    [
      'for a prefix with host bits in an address set',
      create('address_set', { addresses: ['10.0.0.0/8', '10.0.0.1/8'] }),
      ['invalid_argument /addresses/1: "10.0.0.1/8": 10.0.0.1 has host bits set; the network is 10.0.0.0/8'],
    ],
    [
      'for ports in a row of a filter without any',
      create('filter', { interface_uuid: 'if-1', mode: 'static', statics: [{ protocol: 'icmp', action: 'pass', dst_port: 7 }] }),
      ['invariant_violated /statics/0/dst_port: icmp has no ports; tcp and udp have'],
    ],
    [
      'for two rows of a filter that match the same',
      create('filter', {
        interface_uuid: 'if-1',
        mode: 'static',
        statics: [
          { protocol: 'tcp', action: 'pass', src_address: '10.0.0.0/8' },
          { protocol: 'tcp', action: 'drop', src_address: '10.0.0.0/8', dst_port: 0 },
        ],
      }),
      ['conflict /statics/1: matches what row 0 matches'],
    ],
    [
      'for a filter of a router port',
      create('filter', { interface_uuid: 'if-r1', mode: 'static' }),
      ['invariant_violated /interface_uuid: if-r1 is simulated: nothing passes through it that could be filtered'],
    ],
    [
      'for 10,001 rules at once',
      create('security_group', {
        rules: Array.from({ length: 10_001 }, (_, n) => ({
          direction: 'ingress',
          protocol: 'tcp',
          ports: [String(n + 1)],
          remote: { any: true },
        })),
      }),
      ['invalid_argument /rules: must have at most 10000 items'],
    ],
    ['for a rule uuid of another group', sg({ uuid: 'sgr-1' }), ['conflict /rules/0/uuid: sgr-1 is a rule of sg-1']],

    [
      'for a group that VMs and rules refer to',
      remove('security_group', 'sg-1'),
      ['still_referenced : still referred to by if-1', 'still_referenced : still referred to by sg-2'],
    ],
    [
      'for a segment with a network',
      remove('segment', 'seg-1'),
      ['still_referenced : still referred to by nw-seg', expect.stringMatching(/^still_referenced : still referred to by ml-\w{8}$/)],
    ],
    [
      'for a place that is none',
      create('interface_port', { interface_uuid: 'if-1' }),
      ['invariant_violated : a port needs datapath_uuid, port_name or both'],
    ],
    [
      'for a second place on a datapath',
      create('interface_port', { interface_uuid: 'if-host', datapath_uuid: 'dp-2', port_name: 'eth1' }),
      ['conflict /datapath_uuid: if-host has a place on dp-2 already, by if-host'],
    ],
    [
      'for a port that is another interface there',
      create('interface_port', { interface_uuid: 'if-1', datapath_uuid: 'dp-1', port_name: 'tap2' }),
      ['conflict /port_name: tap2 on dp-1 is already if-2'],
    ],
    [
      'for a network that a datapath has already',
      create('datapath_network', { datapath_uuid: 'dp-2', network_uuid: 'nw-1', interface_uuid: 'if-host' }),
      ['conflict : dp-2 has nw-1 already, by dpn-2'],
    ],
    [
      'for the MAC of another datapath or row',
      create('datapath_segment', {
        datapath_uuid: 'dp-2',
        segment_uuid: 'seg-1',
        interface_uuid: 'if-host',
        mac_address: '02:00:00:BB:00:01',
      }),
      ['conflict /mac_address: 02:00:00:bb:00:01 is taken by dpn-2'],
    ],
    [
      'for a tunnel from a datapath to itself',
      create('tunnel', { datapath_uuid: 'dp-2', peer_datapath_uuid: 'dp-2' }),
      ['invariant_violated /peer_datapath_uuid: must be another datapath than datapath_uuid'],
    ],
    [
      'for a second tunnel between two datapaths',
      create('tunnel', { datapath_uuid: 'dp-2', peer_datapath_uuid: 'dp-1' }),
      ['conflict : dp-2 and dp-1 have a tunnel already, t-1'],
    ],
    [
      'for a tunnel in an encapsulation that there is not',
      create('tunnel', { datapath_uuid: 'dp-2', peer_datapath_uuid: 'dp-1', encapsulation: 'stt' }),
      [expect.stringMatching(/^invalid_argument \/encapsulation: .*geneve/)],
    ],
    [
      'for an underlay by a VM',
      create('datapath_route_link', { datapath_uuid: 'dp-2', route_link_uuid: 'rl-1', interface_uuid: 'if-1' }),
      ['invariant_violated /interface_uuid: needs an interface of mode host; if-1 is vif'],
    ],
    [
      'for an endpoint that its interface has not',
      update('datapath_network', 'dpn-2', { ip_lease_uuid: 'il-free' }),
      ['invariant_violated /ip_lease_uuid: il-free is attached to nothing, not on if-host'],
    ],
    [
      'for a lease that leaves the interface whose endpoint it is',
      update('ip_lease', 'il-host', { interface_uuid: null }),
      ['invariant_violated /interface_uuid: dpn-2 has it as an address of if-host'],
    ],
    ['for a lease that is an endpoint', remove('ip_lease', 'il-host'), ['still_referenced : still referred to by dpn-2']],
    ['for a datapath that owns an interface', remove('datapath', 'dp-1'), ['still_referenced : still referred to by if-2']],
  ])('%s', async (_, operation, reasons) => expect(await why(operation)).toEqual(reasons));

  it('for a MAC that is taken in the L2 domain, and not for one that is taken elsewhere', async () => {
    const mac_address = '02:00:00:00:00:01';
    expect(await why(create('interface', { mode: 'vif', network_uuid: 'nw-1', ipv4_address: '10.0.1.11', mac_address }))).toEqual([
      expect.stringMatching(/^conflict \/mac_address: 02:00:00:00:00:01 is taken in nw-1 by ml-\w{8}$/),
    ]);
    await world.vnmgr.execute([
      create('interface', { uuid: 'if-twin', mode: 'vif', network_uuid: 'nw-2', ipv4_address: '10.0.2.11', mac_address }),
    ]);
    await world.delete('interface', 'if-twin');
  });

  it('for an address that is taken in the network, and not for one that is taken elsewhere', async () => {
    expect(await why(create('ip_lease', { network_uuid: 'nw-1', ipv4_address: '10.0.1.10' }))).toEqual([
      expect.stringMatching(/^conflict \/ipv4_address: 10\.0\.1\.10 is taken in nw-1 by il-\w{8}$/),
    ]);
    await world.vnmgr.execute([create('ip_lease', { uuid: 'il-twin', network_uuid: 'nw-same', ipv4_address: '10.0.1.10' })]);
    await world.delete('ip_lease', 'il-twin');
  });

  it('for a lease that a route needs', async () => {
    const view = world.vnmgr.get('interface', 'if-r1')!.view as unknown as { ip_leases: { uuid: string }[] };
    expect(await why(remove('ip_lease', view.ip_leases[0]!.uuid))).toEqual([
      'invariant_violated : r-1 needs it: if-r1 has no IPv4 lease in nw-1',
    ]);
  });

  it('with everything that is wrong, bad parameters and what the good ones break alike', async () => {
    const bad = create('interface', {
      mode: 'vif',
      colour: 'red',
      mac_address: 'x',
      network_uuid: 'nw-1',
      ipv4_address: '10.0.2.9',
      security_group_uuids: ['sg-none'],
    });
    expect(await why(bad)).toEqual([
      'invalid_argument /mac_address: "x": a MAC address is six pairs of hex digits separated by colons',
      'invalid_argument /colour: interface has no such parameter',
      'invalid_argument /security_group_uuids/0: there is no security_group sg-none',
      'invalid_argument /ipv4_address: 10.0.2.9 is outside 10.0.1.0/24 of nw-1',
    ]);
  });

  it('with the reasons of every operation of a batch, without those that only follow from others', async () => {
    expect(
      await why(
        create('network', { uuid: 'nw-new', ipv4_network: '10.0.0.300' }),
        create('interface', { uuid: 'if-new', mode: 'vif', network_uuid: 'nw-new', ipv4_address: '10.0.0.3' }),
        create('interface', { uuid: 'if-other' }),
        create('mac_lease', { interface_uuid: 'if-other', mac_address: '02:00:00:00:00:0a' }),
        update('interface', 'if-other', { display_name: 'x' }),
        remove('security_group', 'sg-1'),
      ),
    ).toEqual([
      'invalid_argument /operations/0/ipv4_network: "10.0.0.300": 300 is more than 255',
      'invalid_argument /operations/2/mode: is required',
      'invalid_argument /operations/5: still referred to by if-1',
      'invalid_argument /operations/5: still referred to by sg-2',
    ]);
  });

  it('for what only follows from an operation, with that operation', async () => {
    const route = { interface_uuid: 'if-rx', network_uuid: 'nw-same', route_link_uuid: 'rl-1', ipv4_network: '10.0.7.0' };
    expect(await why(create('segment', { mode: 'virtual' }), create('route', route), create('interface', { mode: 'vif' }))).toEqual([
      'conflict /operations/1: nw-same: 10.0.1.0/24 overlaps 10.0.1.0/24 of nw-1 in the same routing domain',
    ]);
  });

  it('naming the entities that exist or that the user named, not those that were never made', async () => {
    const named = await refused(world.create('interface', { uuid: 'if-x', mode: 'vif', port_name: 'tap2', owner_datapath_uuid: 'dp-1' }));
    expect(named.reasons[0]).toMatchObject({ uuid: 'if-x' });
    const unnamed = await refused(world.create('interface', { mode: 'vif', port_name: 'tap2', owner_datapath_uuid: 'dp-1' }));
    expect(unnamed.reasons[0]).not.toHaveProperty('uuid');
  });
});
