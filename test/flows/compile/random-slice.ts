/**
 * Random changes to a small slice: every kind of record comes, changes and goes, also in orders no controller would send.
 */
import fc from 'fast-check';
import type { Chassis } from '../../../flows/model/entities/presence.js';
import type { InputRecord } from '../../../flows/pipeline/rule.js';
import {
  binding,
  chassis,
  addressSet,
  datapathNetwork,
  datapathSegment,
  dhcp,
  filter,
  filterStatic,
  floatingIp,
  groupRule,
  here,
  iface,
  ipLease,
  liveTrace,
  localPort,
  macLease,
  natRule,
  natZones,
  network,
  policyClass,
  route,
  routeLink,
  securityGroup,
  segment,
  tunnel,
  translation,
  tunnelPort,
  underlayPort,
} from './slice-builder.js';

const mac = (n: number) => `0a:00:00:00:00:${n.toString(16).padStart(2, '0')}`;
const small = (max: number) => fc.integer({ min: 1, max });

const NETWORKS = 3;
const VMS = 5;

const networks = fc.tuple(small(NETWORKS), fc.boolean(), fc.boolean(), fc.boolean()).map(([n, v6, inSegment, joined]) =>
  network(`n${n}`, n, {
    ...(v6 ? { ipv6_network: `fd00:${n}::`, ipv6_prefix: 64 } : {}),
    ...(inSegment ? { segment_uuid: 'seg-s', segment_key: 50, vrf_key: 1050 } : joined ? { vrf_key: 2000 } : {}),
  }),
);
const segments = fc.boolean().map((learning) => segment('s', 50, { learning }));
const vms = fc
  .tuple(
    small(VMS),
    fc.integer({ min: 0, max: 3 }),
    fc.string({ maxLength: 3 }),
    fc.boolean(),
    fc.constantFrom('vif' as const, 'vif' as const, 'promiscuous' as const),
  )
  .map(([n, cls, name, enable_filtering, mode]) =>
    iface(`vm${n}`, n, { policy_class_key: cls, display_name: name, enable_filtering, mode }),
  );
const routers = fc
  .tuple(small(NETWORKS), fc.boolean())
  .map(([n, routing]) => iface(`gw${n}`, 100 + n, { mode: 'simulated', enable_routing: routing, enable_route_translation: n < 3 }));
const macs = fc.oneof(
  fc
    .tuple(small(VMS), fc.boolean(), small(9), fc.boolean())
    .map(([n, seg, m, mac_shared]) => macLease(`vm${n}`, mac(n * 10 + m), { mac_shared, ...(seg ? { segment_uuid: 'seg-s' } : {}) })),
  small(NETWORKS).map((n) => macLease(`gw${n}`, mac(200 + n))),
);
const ips = fc.oneof(
  fc
    .tuple(small(VMS), small(NETWORKS), fc.boolean(), fc.boolean())
    .map(([n, w, v6, alone]) =>
      ipLease(`vm${n}`, `n${w}`, v6 ? `fd00:${w}::${n}` : `10.0.${w}.${10 + n}`, alone ? { mac_lease_uuid: null } : {}),
    ),
  fc.tuple(small(NETWORKS), fc.boolean()).map(([n, v6]) => ipLease(`gw${n}`, `n${n}`, v6 ? `fd00:${n}::ff` : `10.0.${n}.1`)),
);
const links = small(2).map((n) => routeLink(`l${n}`, n));
const routes = fc.tuple(small(NETWORKS), small(2), small(NETWORKS), fc.boolean(), fc.boolean()).map(([n, l, to, ingress, egress]) =>
  route(`${n}${l}`, n * 10 + l, {
    interface_uuid: `if-gw${n}`,
    network_uuid: `nw-n${n}`,
    route_link_uuid: `rl-l${l}`,
    ipv4_network: `10.0.${to}.0`,
    ipv4_prefix: 24,
    ingress,
    egress,
  }),
);
const rules = (group: number) =>
  fc
    .array(
      fc
        .record({
          n: small(4),
          direction: fc.constantFrom('ingress' as const, 'egress' as const),
          action: fc.constantFrom('allow' as const, 'allow' as const, 'drop' as const, 'reject' as const),
          priority: fc.constantFrom(500, 500, 1, 999),
          tier: fc.constantFrom(null, 'admin' as const),
          stateful: fc.boolean(),
          persist_established: fc.boolean(),
          log: fc.constantFrom(null, null, { rate: 5 }),
          protocol: fc.constantFrom('tcp' as const, 'any' as const, 'icmp' as const, 'icmpv6' as const, 'udp' as const),
          ports: fc.constantFrom([] as string[], ['22'], ['1000-1999', '80']),
          remote: fc.oneof(
            fc.constant({ any: true as const }),
            fc.constantFrom('10.0.1.0/24', 'fd00:1::/64', '0.0.0.0/0').map((cidr) => ({ cidr })),
            small(3).map((g) => ({ security_group_uuid: `sg-g${g}` })),
            small(2).map((n) => ({ address_set_uuid: `as-s${n}` })),
          ),
        })
        .map(({ n, ports, ...over }) =>
          groupRule(`${group}-${n}`, group * 10 + n, { ...over, ports: over.protocol === 'tcp' ? ports : [] }),
        ),
      { maxLength: 4 },
    )
    .map((list) => [...new Map(list.map((r) => [r.uuid, r])).values()]);
const groups = fc
  .tuple(small(3), fc.constantFrom('deny' as const, 'allow' as const))
  .chain(([g, rest]) => rules(g).map((list) => securityGroup(`g${g}`, list, { default: rest })));
const addressSets = fc
  .tuple(small(2), fc.subarray(['10.0.1.0/24', '10.0.1.7/32', 'fd00:1::/64', '0.0.0.0/0']))
  .map(([n, list]) => addressSet(`s${n}`, list));
const rows = fc
  .array(
    fc
      .record({
        protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'icmp' as const, 'arp' as const, 'ip' as const),
        action: fc.constantFrom('pass' as const, 'drop' as const, 'conn' as const),
        src_address: fc.constantFrom(null, '10.0.1.0/24', '10.0.1.11/32'),
        dst_address: fc.constantFrom(null, null, '10.0.1.12/32'),
        dst_port: fc.constantFrom(null, 22, 80),
      })
      .map((row) => filterStatic({ ...row, dst_port: row.protocol === 'tcp' || row.protocol === 'udp' ? row.dst_port : null })),
    { maxLength: 4 },
  )
  .map((list) => [...new Map(list.map((row) => [JSON.stringify({ ...row, action: '' }), row])).values()]);
const filters = fc
  .tuple(small(2), small(VMS), rows, fc.boolean(), fc.boolean())
  .map(([n, v, list, ingress_passthrough, egress_passthrough]) =>
    filter(`f${n}`, `vm${v}`, list, { ingress_passthrough, egress_passthrough }),
  );
const classes = fc.tuple(small(3), fc.subarray(['g1', 'g2', 'g3'], { minLength: 1 })).map(([key, members]) => policyClass(key, members));
const services = small(NETWORKS).map((n) => dhcp(`d${n}`, `gw${n}`));
const ports = fc.tuple(small(VMS), small(VMS)).map(([n, ofport]) => localPort(`vm${n}`, n * 10 + ofport));

const links12 = small(2).map((n) => `rl-l${n}`);
const floatingIps = fc
  .tuple(small(2), small(NETWORKS), links12, fc.boolean(), small(VMS), fc.boolean())
  .map(([n, net, route_link_uuid, v6, vm, isUsed]) =>
    floatingIp(String(n), v6 ? `fd00:${net}::5${n}` : `10.0.${net}.5${n}`, {
      network_uuid: `nw-n${net}`,
      route_link_uuid,
      ip_lease_uuid: isUsed ? `il-vm${vm}${v6 ? '-6' : ''}` : null,
    }),
  );
const natRules = fc
  .tuple(small(NETWORKS), links12, fc.boolean(), fc.constantFrom(null, '10.0.1.0/24'), fc.constantFrom(null, 'dp-a', 'dp-b'))
  .map(([net, route_link_uuid, own, source, datapath_uuid]) =>
    natRule(String(net), own ? `10.0.${net}.1` : `10.0.${net}.60`, { network_uuid: `nw-n${net}`, route_link_uuid, source, datapath_uuid }),
  );
const translations = fc
  .tuple(small(2), fc.boolean(), fc.boolean(), small(VMS), fc.constantFrom(null, 'rl-l1'))
  .map(([n, passthrough, withPorts, vm, route_link_uuid]) =>
    translation(
      String(n),
      `gw${n}`,
      [
        {
          route_link_uuid,
          ingress_ipv4_address: `10.0.${n}.1`,
          egress_ipv4_address: `10.0.${3 - n}.${10 + vm}`,
          ingress_port_number: withPorts ? 8080 : null,
          egress_port_number: withPorts ? 80 : null,
        },
      ],
      passthrough,
    ),
  );
const zones = small(2).map((n) => natZones(`l${n}`, 500 + 2 * n));

const bindings = fc.tuple(small(VMS), fc.constantFrom('a', 'b', 'c')).map(([n, datapath]) => binding(`vm${n}`, datapath));
const onTheL2 = (record: Chassis): Chassis => ({
  ...record,
  endpoints: record.endpoints.map((end) => ({ ...end, mac: '02:00:00:00:00:99' })),
});
const endpoints = fc.subarray(['192.0.2.', '2001:db8::'], { minLength: 1 });
const encaps = fc.shuffledSubarray(['geneve', 'vxlan', 'gre'] as const, { minLength: 1 });
const peers = fc
  .tuple(fc.constantFrom('a', 'b', 'c'), endpoints, encaps)
  .map(([name, prefixes, offered]) =>
    chassis(
      name,
      prefixes.map((prefix) => `${prefix}${name.charCodeAt(0) - 96}`),
      { encaps: offered },
    ),
  )
  .chain((record) => fc.boolean().map((onL2) => (onL2 ? onTheL2(record) : record)));
const selves = fc
  .tuple(endpoints, encaps, fc.constantFrom('auto' as const, 'explicit' as const), fc.subarray(['dp-b', 'dp-c']), fc.option(encaps))
  .map(([prefixes, offered, overlay_mode, settled_peers, before]) => {
    const own = onTheL2(
      chassis(
        'a',
        prefixes.map((prefix) => `${prefix}1`),
        { encaps: offered },
      ),
    );
    // It offered other encapsulations, at one address more.
    const accepts = before && {
      endpoints: [...own.endpoints, { ...own.endpoints[0]!, address: '192.0.2.9' }],
      encaps: before,
      underlay: null,
    };
    return here(own, { overlay_mode, settled_peers, ...(accepts === null ? {} : { accepts }) });
  });
const named = fc
  .tuple(
    fc.constantFrom('a', 'b', 'c'),
    small(NETWORKS),
    fc.boolean(),
    fc.constantFrom('192.0.2.1', '198.51.100.1', '2001:db8::9', null),
    fc.constantFrom('nw-u', 'nw-v'),
  )
  .map(([name, n, ofSegment, endpoint_address, endpoint_network_uuid]) => ({
    ...(ofSegment ? datapathSegment(name, 's') : datapathNetwork(name, `n${n}`)),
    endpoint_address,
    endpoint_network_uuid,
  }));
const pairs = fc
  .tuple(fc.constantFrom('b', 'c'), fc.constantFrom('geneve' as const, 'gre' as const, null), fc.boolean())
  .map(([other, encapsulation, mac2mac]) => tunnel('a', other, { encapsulation, mac2mac }));
const tunnels = fc.constantFrom('geneve' as const, 'vxlan' as const, 'gre' as const).map((encap) => tunnelPort(encap, 900 + encap.length));

// Of an interface there is one at a time.
const liveTraces = fc
  .tuple(
    small(VMS),
    fc.constantFrom({ protocol: 'udp' as const }, { destination: '10.0.2.0/24' }, { protocol: 'arp' as const }),
    fc.boolean(),
  )
  .map(([n, filter, dropped_only]) => liveTrace(n, `if-vm${n}`, { filter, dropped_only }));

const record: fc.Arbitrary<InputRecord> = fc.oneof(
  { weight: 3, arbitrary: networks },
  segments,
  { weight: 3, arbitrary: vms },
  { weight: 2, arbitrary: routers },
  { weight: 4, arbitrary: macs },
  { weight: 4, arbitrary: ips },
  links,
  { weight: 3, arbitrary: routes },
  { weight: 3, arbitrary: groups },
  { weight: 2, arbitrary: classes },
  addressSets,
  { weight: 2, arbitrary: filters },
  services,
  { weight: 4, arbitrary: ports },
  { weight: 4, arbitrary: bindings },
  { weight: 3, arbitrary: peers },
  { weight: 2, arbitrary: selves },
  { weight: 2, arbitrary: tunnels },
  { weight: 2, arbitrary: named },
  pairs,
  fc.constantFrom(underlayPort(999), underlayPort(998, 'underlay-old')),
  { weight: 3, arbitrary: floatingIps },
  { weight: 2, arbitrary: natRules },
  { weight: 2, arbitrary: translations },
  { weight: 3, arbitrary: zones },
  { weight: 2, arbitrary: liveTraces },
);

export type Change = { readonly put: InputRecord } | { readonly deleteAt: number };

/** A change puts a record or deletes one of those present (by position, taken modulo their number). */
export const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: record.map((put) => ({ put })) },
  { weight: 1, arbitrary: fc.nat(1000).map((deleteAt) => ({ deleteAt })) },
);
