/**
 * Random operations over a small world, so that they meet.
 */
import fc from 'fast-check';
import type { Operation } from '../../controller/contract.js';
import type { UserKind } from '../../flows/model/entities.js';

const pick = <T>(...values: readonly T[]) => fc.constantFrom(...values);
const uuids = {
  datapath: ['dp-1', 'dp-2'],
  segment: ['seg-1', 'seg-2'],
  network: ['nw-1', 'nw-2', 'nw-3', 'nw-4'],
  interface: ['if-1', 'if-2', 'if-3', 'if-r1', 'if-r2', 'if-r3', 'if-h1', 'if-h2'],
  mac_lease: ['ml-1', 'ml-2'],
  ip_lease: ['il-1', 'il-2', 'il-3'],
  route_link: ['rl-1', 'rl-2'],
  route: ['r-1', 'r-2', 'r-3', 'r-4'],
  policy_route: ['pbr-1', 'pbr-2'],
  router: ['rt-1', 'rt-2'],
  security_group: ['sg-1', 'sg-2', 'sg-3'],
  network_service: ['ns-1'],
  interface_port: ['ifp-1', 'ifp-2', 'ifp-3'],
  datapath_network: ['dpn-1', 'dpn-2', 'dpn-3'],
  datapath_segment: ['dpseg-1'],
  datapath_route_link: ['dprl-1'],
  tunnel: ['t-1', 't-2'],
  address_set: ['as-1', 'as-2'],
  filter: ['fil-1', 'fil-2'],
  floating_ip: ['fip-1', 'fip-2'],
  nat_rule: ['nat-1', 'nat-2'],
  translation: ['tr-1', 'tr-2'],
} as const satisfies Record<UserKind, readonly string[]>;

const of = (kind: UserKind) => pick(...uuids[kind]);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const sets = (kind: UserKind) => fc.uniqueArray(of(kind), { maxLength: 2 });

const address = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 6 })).map(([net, host]) => `10.0.${net}.${host}`);
const mac = fc.integer({ min: 1, max: 6 }).map((n) => `02:00:00:00:00:0${n}`);
const rule = fc.record(
  {
    direction: pick('ingress', 'egress'),
    protocol: pick('tcp', 'any', 'icmp'),
    action: maybe(pick('allow', 'drop', 'reject')),
    priority: maybe(pick(1, 999)),
    ports: maybe(pick(['22'], ['80', '443'])),
    remote: fc.oneof(
      fc.constant({ any: true }),
      pick({ cidr: '10.0.0.0/8' }),
      of('security_group').map((security_group_uuid) => ({ security_group_uuid })),
      of('address_set').map((address_set_uuid) => ({ address_set_uuid })),
    ),
  },
  { requiredKeys: ['direction', 'protocol', 'remote'] },
);

const hostInterface = pick('if-h1', 'if-h2', 'if-h1', 'if-h2', 'if-1');
const underlay = {
  datapath_uuid: of('datapath'),
  interface_uuid: hostInterface,
  mac_address: pick('02:0d:00:00:00:01', '02:0d:00:00:00:02'),
  ip_lease_uuid: of('ip_lease'),
};
const underlayKeys = ['datapath_uuid', 'interface_uuid'] as const;
const table = fc.option(pick('red', 'blue'), { nil: null, freq: 4 });
const routerNetworks = fc
  .uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 3 })
  .chain((nets) => fc.tuple(...nets.map((net) => pick(1, 5).map((host) => ({ net, host })))))
  .map((list) => list.map(({ net, host }) => ({ network_uuid: `nw-${net}`, ip_address: `10.0.${net - 1}.${host}` })));
const routerRoutes = fc.array(
  fc.oneof(
    fc.record({ destination: pick('0.0.0.0/0', '10.9.0.0/16', '10.9.1.0/24'), via: address }),
    fc.record({ destination: pick('10.8.0.0/16', '10.9.1.0/24'), type: pick('blackhole', 'prohibit') }),
  ),
  { maxLength: 2 },
);

const routerNat = fc.array(
  fc.integer({ min: 1, max: 4 }).chain((net) =>
    fc.record(
      {
        network_uuid: fc.constant(`nw-${net}`),
        ip_address: pick(`10.0.${net - 1}.1`, `10.0.${net - 1}.77`),
        datapath_uuid: of('datapath'),
      },
      { requiredKeys: ['network_uuid', 'ip_address'] },
    ),
  ),
  { maxLength: 1 },
);

const creates: { readonly [K in UserKind]: fc.Arbitrary<Record<string, unknown>> } = {
  datapath: fc.record({ display_name: fc.constant('x'), node_id: fc.constant('node'), dpid: pick('0x1', '0x2') }),
  segment: fc.record({ mode: fc.constant('virtual') }),
  network: fc.record({
    ipv4_network: pick('10.0.0.0', '10.0.1.0', '10.0.2.0', '10.0.3.0'),
    ipv4_prefix: pick(24, 24, 24, 29),
    segment_uuid: fc.option(of('segment'), { nil: null, freq: 2 }),
    vrf: table,
  }),
  interface: fc.record(
    {
      mode: pick('vif', 'vif', 'simulated'),
      enable_routing: fc.boolean(),
      network_uuid: of('network'),
      ipv4_address: address,
      mac_address: mac,
      segment_uuid: of('segment'),
      port_name: pick('tap1', 'tap2'),
      owner_datapath_uuid: of('datapath'),
      security_group_uuids: sets('security_group'),
    },
    { requiredKeys: ['mode', 'enable_routing'] },
  ),
  mac_lease: fc.record({ interface_uuid: of('interface'), mac_address: mac, segment_uuid: fc.option(of('segment'), { nil: null }) }),
  ip_lease: fc.record(
    { network_uuid: of('network'), ipv4_address: address, interface_uuid: of('interface'), mac_lease_uuid: of('mac_lease') },
    { requiredKeys: ['network_uuid', 'ipv4_address'] },
  ),
  route_link: fc.record({ vrf: table, traceroute: pick('virtual-hops', 'collapsed', 'off', null) }),
  route: fc.record({
    interface_uuid: pick('if-r1', 'if-r2', 'if-r3'),
    network_uuid: of('network'),
    route_link_uuid: of('route_link'),
    ipv4_network: pick('10.0.0.0', '10.0.1.0', '10.0.2.0', '10.0.3.0'),
  }),
  policy_route: fc.record({
    route_link_uuid: of('route_link'),
    priority: pick(1, 2),
    source: pick(null, '10.0.1.0/24'),
    type: pick('forward', 'blackhole'),
    via: fc.oneof(fc.constant([]), fc.array(address, { minLength: 1, maxLength: 2 })),
  }),
  router: fc.record({ networks: routerNetworks, routes: routerRoutes, nat: routerNat }, { requiredKeys: ['networks', 'routes'] }),
  security_group: fc.record({ rules: fc.array(rule, { maxLength: 2 }) }),
  network_service: fc.record({ mode: fc.constant('dhcp'), interface_uuid: of('interface') }),
  interface_port: fc.record(
    { interface_uuid: of('interface'), datapath_uuid: of('datapath'), port_name: pick('tap1', 'tap2') },
    { requiredKeys: ['interface_uuid'] },
  ),
  datapath_network: fc.record({ network_uuid: of('network'), ...underlay }, { requiredKeys: ['network_uuid', ...underlayKeys] }),
  datapath_segment: fc.record({ segment_uuid: of('segment'), ...underlay }, { requiredKeys: ['segment_uuid', ...underlayKeys] }),
  datapath_route_link: fc.record(
    { route_link_uuid: of('route_link'), ...underlay },
    { requiredKeys: ['route_link_uuid', ...underlayKeys] },
  ),
  tunnel: fc.record({ datapath_uuid: of('datapath'), peer_datapath_uuid: of('datapath'), encapsulation: pick('gre', null) }),
  address_set: fc.record({ addresses: fc.subarray(['10.0.0.0/24', 'fd00::/8', '10.0.1.7/32']) }),
  filter: fc.record({
    interface_uuid: of('interface'),
    mode: fc.constant('static'),
    statics: fc.constantFrom(
      [],
      [{ protocol: 'tcp', action: 'conn', dst_port: 22 }],
      [{ protocol: 'ip', action: 'pass', src_address: '10.0.0.1' }],
    ),
  }),
  floating_ip: fc.record(
    { network_uuid: of('network'), ip_address: address, route_link_uuid: of('route_link'), interface_uuid: of('interface') },
    { requiredKeys: ['network_uuid', 'ip_address'] },
  ),
  nat_rule: fc.record(
    {
      route_link_uuid: of('route_link'),
      network_uuid: of('network'),
      ip_address: address,
      source: pick(null, '10.0.1.0/24'),
      datapath_uuid: of('datapath'),
    },
    { requiredKeys: ['route_link_uuid', 'network_uuid', 'ip_address'] },
  ),
  translation: fc.record({
    interface_uuid: pick('if-r1', 'if-r2', 'if-r3'),
    mode: fc.constant('static_address'),
    static_addresses: fc.array(fc.record({ ingress_ipv4_address: address, egress_ipv4_address: address }), { maxLength: 1 }),
  }),
};

const updates: Partial<Record<UserKind, fc.Arbitrary<Record<string, unknown>>>> = {
  datapath: fc.record({ display_name: pick('a', 'b') }),
  network: fc.record({ display_name: pick('a', 'b'), ipv4_network: pick('10.0.0.0', '10.0.1.0'), vrf: table }, { requiredKeys: [] }),
  interface: fc.record(
    {
      display_name: pick('a', 'b'),
      port_name: pick('tap1', 'tap2', null),
      owner_datapath_uuid: fc.option(of('datapath'), { nil: null }),
      enable_routing: fc.boolean(),
      security_group_uuids: sets('security_group'),
    },
    { requiredKeys: [] },
  ),
  mac_lease: fc.record({ interface_uuid: of('interface'), segment_uuid: fc.option(of('segment'), { nil: null }) }, { requiredKeys: [] }),
  ip_lease: fc.record({ interface_uuid: fc.option(of('interface'), { nil: null }), mac_lease_uuid: of('mac_lease') }, { requiredKeys: [] }),
  security_group: fc.record({ rules: fc.array(rule, { maxLength: 2 }) }),
  route: fc.record({ egress: fc.boolean() }),
  interface_port: fc.record({ port_name: pick('tap1', 'tap2', null) }),
  datapath_network: fc.record(
    { interface_uuid: hostInterface, ip_lease_uuid: fc.option(of('ip_lease'), { nil: null }) },
    { requiredKeys: [] },
  ),
  policy_route: fc.record({ priority: pick(1, 2, 3) }),
  tunnel: fc.record({ encapsulation: pick('vxlan', null), mac2mac: fc.boolean() }, { requiredKeys: [] }),
  router: fc.record({ networks: routerNetworks, routes: routerRoutes, nat: routerNat }, { requiredKeys: [] }),
  address_set: fc.record({ addresses: fc.subarray(['10.0.0.0/24', 'fd00::/8', '10.0.1.7/32']) }),
  filter: fc.record({ ingress_passthrough: fc.boolean() }),
  floating_ip: fc.record({ interface_uuid: fc.option(of('interface'), { nil: null }) }),
  nat_rule: fc.record({ source: pick(null, '10.0.1.0/24') }),
  translation: fc.record({ passthrough: fc.boolean() }),
};

/** A router port in a network of its own number: routes come about by chance too seldom otherwise. */
const router = fc.integer({ min: 1, max: 3 }).map((n): Operation[] => [
  {
    verb: 'create',
    kind: 'interface',
    params: { uuid: `if-r${n}`, mode: 'simulated', enable_routing: true, network_uuid: `nw-${n}`, ipv4_address: `10.0.${n - 1}.1` },
  },
  {
    verb: 'create',
    kind: 'route',
    params: {
      uuid: `r-${n}`,
      interface_uuid: `if-r${n}`,
      network_uuid: `nw-${n}`,
      route_link_uuid: 'rl-1',
      ipv4_network: `10.0.${n - 1}.0`,
    },
  },
]);
const plainNetwork = fc
  .integer({ min: 1, max: 4 })
  .map((n): Operation[] => [{ verb: 'create', kind: 'network', params: { uuid: `nw-${n}`, ipv4_network: `10.0.${n - 1}.0` } }]);
const plainVm = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 }), sets('security_group'))
  .map(([n, net, security_group_uuids]): Operation[] => [
    {
      verb: 'create',
      kind: 'interface',
      params: { uuid: `if-${n}`, mode: 'vif', network_uuid: `nw-${net}`, ipv4_address: `10.0.${net - 1}.1${n}`, security_group_uuids },
    },
  ]);

/** A hypervisor's own interface, and a network that crosses by it. */
const host = fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 4 })).map(([n, net]): Operation[] => [
  {
    verb: 'create',
    kind: 'interface',
    params: { uuid: `if-h${n}`, mode: 'host', owner_datapath_uuid: `dp-${n}`, network_uuid: 'nw-4', ipv4_address: `10.0.3.2${n}` },
  },
  {
    verb: 'create',
    kind: 'datapath_network',
    params: { uuid: `dpn-${n}`, datapath_uuid: `dp-${n}`, network_uuid: `nw-${net}`, interface_uuid: `if-h${n}` },
  },
]);

/** An outside network (nw-4) on the router of the first three, and addresses of it for what is behind. */
const translated = fc.integer({ min: 1, max: 3 }).map((n): Operation[] => [
  {
    verb: 'create',
    kind: 'interface',
    params: { uuid: 'if-r4', mode: 'simulated', enable_routing: true, network_uuid: 'nw-4', ipv4_address: '10.0.3.1' },
  },
  {
    verb: 'create',
    kind: 'route',
    params: { uuid: 'r-4', interface_uuid: 'if-r4', network_uuid: 'nw-4', route_link_uuid: 'rl-1', ipv4_network: '10.0.3.0' },
  },
  {
    verb: 'create',
    kind: 'floating_ip',
    params: { uuid: `fip-${n}`, network_uuid: 'nw-4', ip_address: `10.0.3.10${n}`, interface_uuid: `if-${n}` },
  },
  { verb: 'create', kind: 'nat_rule', params: { uuid: 'nat-1', route_link_uuid: 'rl-1', network_uuid: 'nw-4', ip_address: '10.0.3.1' } },
]);

const kinds = Object.keys(uuids) as UserKind[];
const creation = pick(...kinds).chain((kind) =>
  fc.tuple(of(kind), creates[kind]).map(([uuid, params]): Operation[] => [{ verb: 'create', kind, params: { uuid, ...defined(params) } }]),
);
const change = pick<UserKind>(...(Object.keys(updates) as UserKind[]), 'interface', 'interface').chain((kind) =>
  fc.tuple(of(kind), updates[kind]!).map(([uuid, params]): Operation[] => [{ verb: 'update', kind, uuid, params: defined(params) }]),
);
const deletion = pick<UserKind>(...kinds, 'interface', 'interface', 'route', 'route').chain((kind) =>
  fc.tuple(of(kind), fc.boolean()).map(([uuid, cascade]): Operation[] => [{ verb: 'delete', kind, uuid, cascade }]),
);
const single = fc.oneof(
  { weight: 5, arbitrary: creation },
  { weight: 2, arbitrary: plainNetwork },
  { weight: 5, arbitrary: plainVm },
  { weight: 4, arbitrary: router },
  { weight: 3, arbitrary: host },
  { weight: 2, arbitrary: translated },
  { weight: 6, arbitrary: change },
  { weight: 6, arbitrary: deletion },
);

/** Something to begin with, so that not everything random refers to nothing. */
export const beginning: Operation[] = [
  ...['sg-1', 'sg-2'].map((uuid): Operation => ({ verb: 'create', kind: 'security_group', params: { uuid } })),
  ...['rl-1', 'rl-2'].map((uuid): Operation => ({ verb: 'create', kind: 'route_link', params: { uuid } })),
  ...[1, 2].map((n): Operation => ({
    verb: 'create',
    kind: 'datapath',
    params: { uuid: `dp-${n}`, display_name: 'x', node_id: 'x', dpid: `0x${n}` },
  })),
  ...[1, 2, 3, 4].map((n): Operation => ({
    verb: 'create',
    kind: 'network',
    params: { uuid: `nw-${n}`, ipv4_network: `10.0.${n - 1}.0` },
  })),
  ...[1, 2, 3].map((n): Operation => ({
    verb: 'create',
    kind: 'interface',
    params: { uuid: `if-${n}`, mode: 'vif', network_uuid: `nw-${n}`, ipv4_address: `10.0.${n - 1}.9`, security_group_uuids: ['sg-1'] },
  })),
];

/** One transaction. */
export const operations: fc.Arbitrary<Operation[]> = fc.oneof(
  { weight: 4, arbitrary: single },
  { weight: 1, arbitrary: fc.array(single, { minLength: 2, maxLength: 4 }).map((list) => list.flat()) },
);

function defined(params: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined));
}
