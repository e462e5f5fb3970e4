import type { Operation, Params } from '../../controller/contract.js';
import type { UserKind } from '../../flows/model/entities.js';
import { create, refused, World } from './world.js';

/** A router between two networks and an outside, VMs in them, and a network that no router reaches. */
const setting: Operation[] = [
  create('datapath', { uuid: 'dp-1', display_name: 'one', node_id: 'one', dpid: '0xa' }),
  create('network', { uuid: 'nw-in', ipv4_network: '10.0.1.0', ipv6_network: 'fd00:1::' }),
  create('network', { uuid: 'nw-out', ipv4_network: '203.0.113.0' }),
  create('network', { uuid: 'nw-lone', ipv4_network: '10.0.9.0' }),
  create('network', { uuid: 'nw-twin', ipv4_network: '10.0.1.0' }),
  create('router', {
    uuid: 'rt-1',
    route_link_uuid: 'rl-1',
    networks: [
      { network_uuid: 'nw-in', ip_addresses: ['10.0.1.1', 'fd00:1::1'], interface_uuid: 'if-in' },
      { network_uuid: 'nw-out', ip_address: '203.0.113.1', interface_uuid: 'if-out' },
    ],
    nat: [{ network_uuid: 'nw-out', ip_address: '203.0.113.1' }],
  }),
  create('interface', { uuid: 'if-vm', mode: 'vif', network_uuid: 'nw-in', ipv4_address: '10.0.1.10', ipv6_address: 'fd00:1::10' }),
  create('interface', { uuid: 'if-both', mode: 'vif', network_uuid: 'nw-in', ipv4_address: '10.0.1.11' }),
  create('ip_lease', { uuid: 'il-second', interface_uuid: 'if-both', network_uuid: 'nw-in', ipv4_address: '10.0.1.12' }),
  create('interface', { uuid: 'if-bare', mode: 'vif' }),
  create('interface', { uuid: 'if-lone', mode: 'vif', network_uuid: 'nw-lone', ipv4_address: '10.0.9.10' }),
  create('interface', { uuid: 'if-x', mode: 'vif', network_uuid: 'nw-out', ipv4_address: '203.0.113.10' }),
  create('ip_lease', { uuid: 'il-x', network_uuid: 'nw-out', ipv4_address: '203.0.113.11' }),
  create('floating_ip', { uuid: 'fip-1', network_uuid: 'nw-out', ip_address: '203.0.113.50', interface_uuid: 'if-vm' }),
  create('route_link', { uuid: 'rl-tr' }),
  create('interface', {
    uuid: 'if-tr',
    mode: 'simulated',
    enable_routing: true,
    enable_route_translation: true,
    network_uuid: 'nw-out',
    ipv4_address: '203.0.113.3',
  }),
  create('route', { uuid: 'r-tr', interface_uuid: 'if-tr', network_uuid: 'nw-out', route_link_uuid: 'rl-tr', ipv4_network: '203.0.113.0' }),
  create('interface', {
    uuid: 'if-held',
    mode: 'simulated',
    enable_routing: true,
    enable_route_translation: true,
    mac_address: '02:00:00:00:00:01',
  }),
  create('ip_lease', { uuid: 'il-held', interface_uuid: 'if-held', network_uuid: 'nw-out', ipv4_address: '203.0.113.5' }),
  create('translation', {
    uuid: 'tr-held',
    interface_uuid: 'if-held',
    mode: 'static_address',
    static_addresses: [{ ingress_ipv4_address: '203.0.113.5', egress_ipv4_address: '10.0.1.10' }],
  }),
];

const update = (kind: UserKind, uuid: string, params: Params): Operation => ({ verb: 'update', kind, uuid, params });
const remove = (kind: UserKind, uuid: string): Operation => ({ verb: 'delete', kind, uuid });
const floating = (over: Params) =>
  create('floating_ip', { network_uuid: 'nw-out', router_uuid: 'rt-1', ip_address: '203.0.113.60', ...over });
const row = (over: Params) => ({ ingress_ipv4_address: '203.0.113.3', egress_ipv4_address: '10.0.1.10', ...over });
const translation = (...static_addresses: Params[]) =>
  create('translation', { uuid: 'tr-x', interface_uuid: 'if-tr', mode: 'static_address', static_addresses });
const nat = (over: Params) => update('router', 'rt-1', { nat: [{ network_uuid: 'nw-out', ip_address: '203.0.113.1', ...over }] });

let world: World;
beforeAll(async () => {
  world = await World.start();
  await world.vnmgr.execute(setting);
});

const cases: readonly [what: string, operation: Operation, code: string, reasons: readonly string[]][] = [
  [
    'an address outside the network',
    floating({ ip_address: '198.51.100.1' }),
    'invariant_violated',
    ['/ip_address: 198.51.100.1 is outside 203.0.113.0/24 of nw-out'],
  ],
  [
    'the broadcast address',
    floating({ ip_address: '203.0.113.255' }),
    'invariant_violated',
    ["/ip_address: 203.0.113.255 is no host's address in 203.0.113.0/24"],
  ],
  [
    'an address that is leased',
    floating({ ip_address: '203.0.113.11' }),
    'conflict',
    ['/ip_address: 203.0.113.11 is leased in nw-out, by il-x'],
  ],
  [
    'an address that stands for another',
    floating({ ip_address: '203.0.113.50' }),
    'conflict',
    ['/ip_address: 203.0.113.50 stands for something else already, by fip-1'],
  ],
  [
    'a family the network has not',
    floating({ ip_address: '2001:db8::1' }),
    'invariant_violated',
    ['/ip_address: nw-out has no ipv6 subnet', '/network_uuid: rt-1 has no IPv6 address in nw-out'],
  ],
  [
    'a target without such an address',
    floating({ interface_uuid: 'if-bare' }),
    'invalid_reference',
    ['/interface_uuid: if-bare has no IPv4 address'],
  ],
  [
    'a target with several',
    floating({ interface_uuid: 'if-both' }),
    'invalid_reference',
    ['/interface_uuid: if-both has 10.0.1.11, 10.0.1.12; say which by fixed_ip_address'],
  ],
  [
    'an address the target has not',
    floating({ interface_uuid: 'if-vm', fixed_ip_address: '10.0.1.99' }),
    'invalid_reference',
    ['/fixed_ip_address: if-vm does not have 10.0.1.99'],
  ],
  [
    'a target that nobody has',
    floating({ ip_lease_uuid: 'il-x' }),
    'invariant_violated',
    ['/ip_lease_uuid: nobody has 203.0.113.11: il-x is attached to nothing', '/ip_lease_uuid: 203.0.113.11 is itself in nw-out'],
  ],
  [
    'a target no router reaches',
    floating({ interface_uuid: 'if-lone' }),
    'invariant_violated',
    [expect.stringMatching(/^: no router leads from nw-out to nw-lone, where 10.0.9.10 is$|^\/ip_lease_uuid: no router leads from nw-out/)],
  ],
  [
    'a second address for a target',
    floating({ interface_uuid: 'if-vm' }),
    'conflict',
    [expect.stringContaining('203.0.113.50 stands for 10.0.1.10 already, by fip-1')],
  ],
  ['a router that is not there', floating({ router_uuid: 'rt-9' }), 'invalid_reference', ['/router_uuid: there is no router rt-9']],
  [
    'no router to be found',
    create('floating_ip', { network_uuid: 'nw-lone', ip_address: '10.0.9.50' }),
    'invariant_violated',
    ['/route_link_uuid: no router has a port in nw-lone'],
  ],
  [
    'a lease of an address that stands for another',
    create('ip_lease', { network_uuid: 'nw-out', ipv4_address: '203.0.113.50' }),
    'conflict',
    ['/ipv4_address: 203.0.113.50 stands for something else, by fip-1'],
  ],
  [
    'source NAT to an address somebody has',
    nat({ ip_address: '203.0.113.10' }),
    'conflict',
    [expect.stringMatching(/^\/nat\/0\/ip_address: 203.0.113.10 is leased in nw-out, by il-/)],
  ],
  [
    'source NAT to a floating IP',
    nat({ ip_address: '203.0.113.50' }),
    'conflict',
    ['/nat/0/ip_address: 203.0.113.50 stands for something else already, by fip-1'],
  ],
  [
    'source NAT of the wrong family',
    nat({ source: 'fd00:1::/64' }),
    'invariant_violated',
    ['/nat/0/source: fd00:1::/64 is ipv6, 203.0.113.1 is ipv4'],
  ],
  [
    'source NAT towards a network the router is not in',
    nat({ network_uuid: 'nw-lone', ip_address: '10.0.9.50' }),
    'invariant_violated',
    ['/nat/0/network_uuid: rt-1 has no IPv4 address in nw-lone'],
  ],
  [
    'source NAT on a hypervisor that is not there',
    nat({ datapath_uuid: 'dp-9' }),
    'invalid_reference',
    ['/nat/0/datapath_uuid: there is no datapath dp-9'],
  ],
  [
    'a rule at a link that is a router’s',
    create('nat_rule', { route_link_uuid: 'rl-1', network_uuid: 'nw-out', ip_address: '203.0.113.70' }),
    'conflict',
    [
      '/route_link_uuid: rl-1 belongs to rt-1; give it rules there',
      expect.stringMatching(/^\/source: everything leaves as 203.0.113.1 already, by nat-/),
    ],
  ],
  [
    'a translated port without the other',
    translation(row({ ingress_port_number: 80 })),
    'invariant_violated',
    ['/static_addresses/0/egress_port_number: ingress_port_number and egress_port_number go together'],
  ],
  [
    'a port out of range',
    translation(row({ ingress_port_number: 65536, egress_port_number: 80 })),
    'invalid_argument',
    ['/static_addresses/0/ingress_port_number: must be at most 65535'],
  ],
  [
    'an ingress address the interface has not',
    translation(row({ ingress_ipv4_address: '203.0.113.4' })),
    'invariant_violated',
    ['/static_addresses/0/ingress_ipv4_address: if-tr does not have 203.0.113.4: lease it to it'],
  ],
  [
    'an egress address that nobody has',
    translation(row({ egress_ipv4_address: '10.0.1.99' })),
    'invariant_violated',
    ['/static_addresses/0/egress_ipv4_address: nobody behind if-tr has 10.0.1.99'],
  ],
  [
    'two rows for one address',
    translation(row({}), row({ egress_ipv4_address: '10.0.1.11' })),
    'conflict',
    ['/static_addresses/1/ingress_ipv4_address: 203.0.113.3 is that of row 0 already'],
  ],
  [
    'a translation of what is no router’s',
    create('translation', { interface_uuid: 'if-vm', mode: 'static_address' }),
    'invariant_violated',
    ["/interface_uuid: if-vm is not a router's: that is simulated, with enable_routing"],
  ],
  [
    'a second tenant with the same prefix behind the same outside network',
    create('router', {
      uuid: 'rt-twin',
      networks: [
        { network_uuid: 'nw-twin', ip_address: '10.0.1.1' },
        { network_uuid: 'nw-out', ip_address: '203.0.113.2' },
      ],
      nat: [{ network_uuid: 'nw-out', ip_address: '203.0.113.2' }],
    }),
    'conflict',
    [expect.stringMatching(/^: nw-(in|twin): 10.0.1.0\/24 overlaps 10.0.1.0\/24 of nw-(in|twin) in the same routing domain$/)],
  ],
  [
    'deleting the lease of an address that is translated',
    remove('ip_lease', 'il-held'),
    'still_referenced',
    [': tr-held translates 203.0.113.5 of if-held'],
  ],
  [
    'giving an address that is translated to somebody else',
    update('ip_lease', 'il-held', { interface_uuid: 'if-tr' }),
    'conflict',
    ['/interface_uuid: tr-held translates 203.0.113.5 of if-held'],
  ],
  [
    'taking the routing from an interface that translates',
    update('interface', 'if-held', { enable_routing: false }),
    'invariant_violated',
    ['/enable_routing: tr-held needs an interface of a router'],
  ],
  [
    'a router leaving the network it translates to',
    update('router', 'rt-1', { networks: [{ network_uuid: 'nw-in', ip_addresses: ['10.0.1.1', 'fd00:1::1'] }], nat: [] }),
    'invariant_violated',
    [expect.stringContaining('fip-1 (203.0.113.50) needs rt-1 in nw-out')],
  ],
  ['deleting a router with floating IPs', remove('router', 'rt-1'), 'still_referenced', [expect.stringContaining('fip-1')]],
];

it.each(cases)('%s is refused, and nothing is changed', async (_what, operation, code, reasons) => {
  const before = world.vnmgr.revision();
  const error = await refused(world.vnmgr.execute([operation]));
  expect({
    code: error.code,
    reasons: error.reasons.map(({ pointer, detail }) => `${pointer}: ${detail}`),
    revision: world.vnmgr.revision(),
  }).toEqual({
    code,
    reasons,
    revision: before,
  });
});

it('a translation goes with its interface, and lets go of an address in the transaction that takes it away', async () => {
  const others = { static_addresses: [] };
  await world.vnmgr.execute([update('translation', 'tr-held', others), remove('ip_lease', 'il-held')]);
  await world.vnmgr.execute([remove('interface', 'if-held')]);
  expect(world.vnmgr.list('translation', { offset: 0, limit: 10 }).items).toEqual([]);
});

it('a floating IP stays when what it stands for goes', async () => {
  await world.vnmgr.execute([remove('interface', 'if-vm')]);
  const [left] = world.vnmgr.list('floating_ip', { offset: 0, limit: 10 }).items;
  expect(left).toMatchObject({ uuid: 'fip-1', ip_address: '203.0.113.50', ip_lease_uuid: null, route_link_uuid: 'rl-1' });
});
