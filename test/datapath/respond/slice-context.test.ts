import fc from 'fast-check';
import type { SliceRecord } from '../../../controller/messages/slice.js';
import { SliceContext, type SliceContextOptions } from '../../../datapath/respond/slice-context.js';
import { parseCidr } from '../../../flows/net/cidr.js';
import { parseIp, parseIpv4, parseIpv6 } from '../../../flows/net/ip.js';
import { parseMac } from '../../../flows/net/mac.js';
import { dhcpService, macLease } from '../../flows/model/values.js';
import { iface, ipLease, network, SLICE, VM_PORT } from './records.js';

const VM_MAC = parseMac('02:00:00:00:00:07');
const LEASE = {
  address: parseIpv4('10.1.0.7'),
  network: parseCidr('10.1.0.0/24'),
  server_mac: parseMac('02:00:00:00:00:02'),
  server_address: parseIpv4('10.1.0.2'),
  router: parseIpv4('10.1.0.1'),
  dns_servers: [parseIpv4('10.1.0.53'), parseIpv4('192.0.2.53')],
  domain_name: 'a.test',
  mtu: 1450,
  lease_seconds: 3600,
};
const ADVERTISEMENT = {
  mac: parseMac('02:00:00:00:00:01'),
  is_router: true,
  mtu: 1450,
  prefixes: [{ prefix: parseCidr('2001:db8:1::/64'), autonomous: false }],
  dns_servers: [parseIpv6('2001:db8:1::53')],
};

const contextOf = (records: readonly SliceRecord[], options?: SliceContextOptions): SliceContext => {
  const context = new SliceContext(options);
  context.apply(records, []);
  return context;
};
/** The slice with some records replaced or, when undefined, left out. */
const slice = (changes: Partial<Record<keyof typeof SLICE, SliceRecord | undefined>> = {}, ...more: SliceRecord[]): SliceRecord[] =>
  [...Object.values({ ...SLICE, ...changes }), ...more].filter((record) => record !== undefined);
const answers = (context: SliceContext) => ({
  dhcp: context.dhcp(VM_PORT, VM_MAC),
  advertisements: context.routerAdvertisements(VM_PORT, VM_MAC),
  macs: ['10.1.0.7', '2001:db8:1::7', 'fe80::ff:fe00:7'].map((ip) => context.macOf(VM_PORT, parseIp(ip))),
});

describe('SliceContext', () => {
  it('knows lease, advertisement and MAC of a NIC', () => {
    expect(answers(contextOf(slice()))).toEqual({ dhcp: [LEASE], advertisements: [ADVERTISEMENT], macs: [VM_MAC, VM_MAC, VM_MAC] });
  });

  it('knows nothing of another port or MAC', () => {
    const context = contextOf(slice());
    expect([
      context.dhcp(8, VM_MAC),
      context.dhcp(VM_PORT, 1),
      context.routerAdvertisements(VM_PORT, 1),
      context.macOf(VM_PORT, parseIp('10.1.0.1')),
      context.macOf(8, parseIp('10.1.0.7')),
    ]).toEqual([[], [], [], undefined, undefined]);
  });

  it('tells for whom answers may differ after a change', () => {
    const told: (readonly string[] | 'all')[] = [];
    const context = contextOf(slice(), { onChange: (interfaces) => told.push(interfaces === 'all' ? 'all' : [...interfaces]) });
    told.length = 0;
    context.apply([{ ...SLICE.vmIpv4, ipv4_address: '10.1.0.8' }], []);
    context.apply([], [SLICE.vmIpv4.uuid]);
    context.apply([{ ...SLICE.network, mtu: 1400 }], []);
    context.apply([{ ...SLICE.router, enable_routing: false }], []);
    context.apply([], [SLICE.router.uuid]);
    expect(told).toEqual([['if-vm'], ['if-vm'], 'all', 'all', 'all']);
  });

  it('says nothing of routes when there is no router', () => {
    const context = contextOf(slice({ router: { ...SLICE.router, enable_routing: false } }));
    expect([context.dhcp(VM_PORT, VM_MAC), context.routerAdvertisements(VM_PORT, VM_MAC)]).toEqual([
      [{ ...LEASE, router: undefined }],
      [{ ...ADVERTISEMENT, is_router: false }],
    ]);
  });

  it('leases nothing without a service, and advertises nothing without someone who speaks IPv6', () => {
    expect([
      contextOf(slice({ dhcp: undefined })).dhcp(VM_PORT, VM_MAC),
      contextOf(slice({ dhcp: { ...SLICE.dhcp, mode: 'dns' } })).dhcp(VM_PORT, VM_MAC),
      contextOf(slice({ serverIpv4: undefined })).dhcp(VM_PORT, VM_MAC),
      contextOf(slice({ server: { ...SLICE.server, mode: 'vif' } })).dhcp(VM_PORT, VM_MAC),
      contextOf(slice({ vmIpv4: undefined })).dhcp(VM_PORT, VM_MAC),
      contextOf(slice({ routerIpv6: undefined })).routerAdvertisements(VM_PORT, VM_MAC),
      contextOf(slice({ network: network('nw-a', { ipv4_network: '10.1.0.0', ipv4_prefix: 24 }) })).routerAdvertisements(VM_PORT, VM_MAC),
    ]).toEqual([[], [], [], [], [], [], []]);
  });

  it('chooses server and router with the lowest address', () => {
    const more = [
      iface('if-0', 3, { mode: 'simulated', enable_routing: true }),
      macLease('ml-0', 'if-0', '02:00:00:00:00:03'),
      ipLease('il-04', 'ml-0', 'nw-a', '10.1.0.254'),
      ipLease('il-06', 'ml-0', 'nw-a', '2001:db8:1::fffe'),
      dhcpService('ns-0', 'if-0'),
    ];
    expect(answers(contextOf(slice({}, ...more)))).toEqual(answers(contextOf(slice())));
    const lower = [...more, ipLease('il-04', 'ml-0', 'nw-a', '10.1.0.0'), ipLease('il-06', 'ml-0', 'nw-a', '2001:db8:1::')];
    const context = contextOf(slice({}, ...lower));
    expect([context.dhcp(VM_PORT, VM_MAC), context.routerAdvertisements(VM_PORT, VM_MAC)]).toEqual([
      [{ ...LEASE, server_mac: 0x020000000003, server_address: parseIpv4('10.1.0.0'), router: parseIpv4('10.1.0.0') }],
      [{ ...ADVERTISEMENT, mac: 0x020000000003 }],
    ]);
  });

  it('takes MTU and lease time from its options where the network has none', () => {
    const context = contextOf(slice({ network: { ...SLICE.network, mtu: null, ipv6_slaac: true } }), {
      default_mtu: 1400,
      lease_seconds: 60,
    });
    expect([context.dhcp(VM_PORT, VM_MAC), context.routerAdvertisements(VM_PORT, VM_MAC)]).toEqual([
      [{ ...LEASE, mtu: 1400, lease_seconds: 60 }],
      [{ ...ADVERTISEMENT, mtu: 1400, prefixes: [{ prefix: parseCidr('2001:db8:1::/64'), autonomous: true }] }],
    ]);
  });

  it('joins the networks of one NIC: leases by address, one advertisement for each speaker', () => {
    const second = [
      network('nw-b', {
        ipv4_network: '10.0.0.0',
        ipv4_prefix: 16,
        ipv6_network: '2001:db8:2::',
        ipv6_prefix: 64,
        mtu: 1400,
        dns_servers: ['2001:db8:2::53', '2001:db8:1::53'],
      }),
      ipLease('il-vmb4', 'ml-vm', 'nw-b', '10.0.0.7'),
      ipLease('il-router-b', 'ml-router', 'nw-b', '2001:db8:2::1'),
      ipLease('il-server-b', 'ml-server', 'nw-b', '10.0.0.2'),
    ];
    const context = contextOf(slice({}, ...second));
    expect([
      context.dhcp(VM_PORT, VM_MAC).map(({ address, mtu }) => [address, mtu]),
      context.routerAdvertisements(VM_PORT, VM_MAC),
    ]).toEqual([
      [
        [parseIpv4('10.0.0.7'), 1400],
        [parseIpv4('10.1.0.7'), 1450],
      ],
      [
        {
          ...ADVERTISEMENT,
          mtu: 1400,
          prefixes: [...ADVERTISEMENT.prefixes, { prefix: parseCidr('2001:db8:2::/64'), autonomous: false }],
          dns_servers: [parseIpv6('2001:db8:1::53'), parseIpv6('2001:db8:2::53')],
        },
      ],
    ]);
  });

  it('gives a lease of an interface alone to its first MAC', () => {
    const context = contextOf(
      slice({ vmIpv4: ipLease('il-vm4', 'if-vm', 'nw-a', '10.1.0.7') }, macLease('ml-vmb', 'if-vm', '02:00:00:00:00:08')),
    );
    expect([context.dhcp(VM_PORT, VM_MAC), context.dhcp(VM_PORT, 0x020000000008)]).toEqual([[LEASE], []]);
  });

  it('forgets what a new snapshot does not have', () => {
    const context = contextOf(slice());
    context.replace(slice({ vmIpv4: undefined, router: undefined }));
    expect(answers(context)).toEqual(answers(contextOf(slice({ vmIpv4: undefined, router: undefined }))));
    context.replace([]);
    expect(answers(context)).toEqual({ dhcp: [], advertisements: [], macs: [undefined, undefined, undefined] });
  });

  it('answers the same however the slice came to be', () => {
    const pool: SliceRecord[] = [
      ...slice(),
      iface('if-vm', 9),
      iface('if-vm', VM_PORT, { mode: 'simulated', enable_routing: true }),
      { ...SLICE.router, mode: 'vif' },
      { ...SLICE.server, enable_routing: true },
      macLease('ml-router', 'if-server', '02:00:00:00:00:09'),
      macLease('ml-vmb', 'if-vm', '02:00:00:00:00:07'),
      ipLease('il-vm4', 'ml-router', 'nw-a', '10.1.0.7'),
      ipLease('il-vm4', 'if-vm', 'nw-a', '10.1.0.77'),
      ipLease('il-server4', 'ml-router', 'nw-b', '10.1.0.3'),
      network('nw-b', { ipv4_network: '10.1.0.0', ipv4_prefix: 16 }),
      network('nw-a', { ipv4_network: '10.1.0.0', ipv4_prefix: 20 }),
      dhcpService('ns-dhcp', 'if-router'),
    ];
    const change = fc.record({
      puts: fc.array(fc.constantFrom(...pool), { maxLength: 6 }),
      deletes: fc.array(fc.constantFrom(...pool.map(({ uuid }) => uuid)), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), fc.func(fc.nat()), (changes, order) => {
        const context = contextOf(slice());
        const held = new Map(slice().map((record) => [record.uuid, record]));
        for (const { puts, deletes } of changes) {
          context.apply(puts, deletes);
          for (const uuid of deletes) held.delete(uuid);
          for (const record of puts) held.set(record.uuid, record);
        }
        const shuffled = [...held.values()].sort((a, b) => order(a.uuid) - order(b.uuid));
        expect(answers(context)).toEqual(answers(contextOf(shuffled)));
      }),
      { numRuns: 500 },
    );
  });
});
