import type { DhcpLease, RespondContext, Response } from '../../../datapath/respond/contract.js';
import { respondDhcp } from '../../../datapath/respond/dhcp-server.js';
import { SliceContext } from '../../../datapath/respond/slice-context.js';
import { formatIpv4, parseIpv4 } from '../../../flows/net/ip.js';
import { formatMac, parseMac } from '../../../flows/net/mac.js';
import { decodeDhcp, encodeDhcp, type DhcpMessage, type DhcpOption } from '../../../flows/packet/dhcpv4.js';
import { DHCP_OPTION, DHCP_TYPE, ipv4Option, uint16Option, uint8Option } from '../../../flows/packet/dhcpv4-options.js';
import { decodeEthernet } from '../../../flows/packet/ethernet.js';
import { decodeIpv4 } from '../../../flows/packet/ipv4.js';
import { dhcpDiscoverFrame, dhcpFrame, dhcpRequestFrame, udpFrame } from '../../../flows/packet/probes.js';
import { decodeUdp } from '../../../flows/packet/udp.js';
import { SLICE, VM_PORT } from './records.js';

const VM = parseMac('02:00:00:00:00:07');
const OWN = parseIpv4('10.1.0.7');
const SERVER = parseIpv4('10.1.0.2');
const OTHER = parseIpv4('10.1.0.9');
const SERVER_MAC = parseMac('02:00:00:00:00:02');

const context = new SliceContext();
context.apply(Object.values(SLICE), []);
const ask = (data: Uint8Array, asked: RespondContext = context): Response =>
  respondDhcp({ punt: { kind: 'dhcpv4' }, data, port_key: VM_PORT }, asked);
const withLeases = (...leases: DhcpLease[]): RespondContext => ({
  dhcp: () => leases,
  routerAdvertisements: () => [],
  gatewayOf: () => undefined,
  addressFacing: () => undefined,
  translated: () => undefined,
  macOf: () => undefined,
});
const LEASE = context.dhcp(VM_PORT, VM)[0]!;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const plain = (hex: string): string => hex.replaceAll(/\s/g, '');

/** A reply taken apart. */
const read = (frame: Uint8Array) => {
  const ethernet = decodeEthernet(frame);
  const packet = ethernet.ok ? decodeIpv4(ethernet.value.payload) : ethernet;
  const datagram = packet.ok ? decodeUdp(packet.value.payload) : packet;
  const message = datagram.ok ? decodeDhcp(datagram.value.payload) : datagram;
  if (!ethernet.ok || !packet.ok || !datagram.ok || !message.ok) throw new Error('not a DHCP message');
  return {
    eth_dst: formatMac(ethernet.value.dst),
    dst: formatIpv4(packet.value.dst),
    length: datagram.value.payload.length,
    yiaddr: formatIpv4(message.value.yiaddr),
    ciaddr: formatIpv4(message.value.ciaddr),
    options: message.value.options,
    type: message.value.options[0]!.data[0],
  };
};
const codes = (response: Response): number[] => read(response.frames[0]!).options.map(({ code }) => code);
const BROADCAST = { eth_dst: 'ff:ff:ff:ff:ff:ff', dst: '255.255.255.255' };
const UNICAST = { eth_dst: '02:00:00:00:00:07', dst: '10.1.0.7' };

describe('DHCPv4 server', () => {
  it('offers the lease with everything the network says, byte for byte', () => {
    const frame = dhcpDiscoverFrame({ chaddr: VM, xid: 0x11223344 });
    const { outcome, frames } = ask(frame);
    expect([outcome, frames.map(text)]).toEqual([
      'offered',
      [
        plain(`020000000007 020000000002 0800
          4500 0157 0000 4000 40 11 258c 0a010002 0a010007
          0043 0044 0143 96bb
          02 01 06 00 11223344 0000 0000 00000000 0a010007 00000000 00000000 020000000007 ${'00'.repeat(10)} ${'00'.repeat(192)}
          63825363 350102 3604 0a010002 3304 00000e10 3a04 00000708 3b04 00000c4e
          0104 ffffff00 7905 00 0a010001 0304 0a010001 1a02 05aa 0608 0a010035 c0000235 1c04 0a0100ff 0f06 612e74657374 ff`),
      ],
    ]);
  });

  it('refuses an address that is not the lease, byte for byte', () => {
    const { outcome, frames } = ask(dhcpRequestFrame({ chaddr: VM, xid: 0x11223344, requested_address: OTHER }));
    expect([outcome, frames.map(text)]).toEqual([
      'refused',
      [
        plain(`ffffffffffff 020000000002 0800
          4500 0148 0000 4000 40 11 2fa3 0a010002 ffffffff
          0043 0044 0134 e06d
          02 01 06 00 11223344 0000 0000 00000000 00000000 00000000 00000000 020000000007 ${'00'.repeat(10)} ${'00'.repeat(192)}
          63825363 350106 3604 0a010002 382e ${Buffer.from('requested address is not leased to this client').toString('hex')} ff 0000`),
      ],
    ]);
  });

  describe('REQUEST', () => {
    const own = { chaddr: VM };
    it.each<[string, Uint8Array, string, object | undefined]>([
      [
        'selecting',
        dhcpRequestFrame({ ...own, requested_address: OWN, server_id: SERVER }),
        'acknowledged',
        { ...UNICAST, ciaddr: '0.0.0.0', yiaddr: '10.1.0.7', type: 5 },
      ],
      [
        'selecting with the broadcast flag',
        dhcpRequestFrame({ ...own, flags: 0x8000, requested_address: OWN, server_id: SERVER }),
        'acknowledged',
        { ...BROADCAST, yiaddr: '10.1.0.7' },
      ],
      [
        'selecting another address',
        dhcpRequestFrame({ ...own, requested_address: OTHER, server_id: SERVER }),
        'refused',
        { ...BROADCAST, yiaddr: '0.0.0.0', type: 6 },
      ],
      ['selecting another server', dhcpRequestFrame({ ...own, requested_address: OTHER, server_id: OTHER }), 'other_server', undefined],
      ['after a reboot', dhcpRequestFrame({ ...own, requested_address: OWN }), 'acknowledged', { ...UNICAST, type: 5 }],
      [
        'after a reboot in another network',
        dhcpRequestFrame({ ...own, requested_address: parseIpv4('192.0.2.1') }),
        'refused',
        { ...BROADCAST, type: 6 },
      ],
      [
        'renewing',
        dhcpRequestFrame({ ...own, ciaddr: OWN, dst: SERVER, eth_dst: SERVER_MAC }),
        'acknowledged',
        { ...UNICAST, ciaddr: '10.1.0.7', yiaddr: '10.1.0.7' },
      ],
      [
        'renewing with another server',
        dhcpRequestFrame({ ...own, ciaddr: OWN, dst: OTHER, eth_dst: SERVER_MAC }),
        'other_server',
        undefined,
      ],
      ['rebinding', dhcpRequestFrame({ ...own, ciaddr: OWN, flags: 0x8000 }), 'acknowledged', UNICAST],
      ['renewing another address', dhcpRequestFrame({ ...own, ciaddr: OTHER }), 'refused', { ...BROADCAST, ciaddr: '0.0.0.0' }],
      ['without any address', dhcpRequestFrame(own), 'malformed', undefined],
    ])('%s', (_, frame, outcome, fields) => {
      const response = ask(frame);
      expect([response.outcome, response.frames.length]).toEqual([outcome, fields ? 1 : 0]);
      if (fields) expect(read(response.frames[0]!)).toMatchObject(fields);
    });
  });

  it('offers by broadcast when asked to, and never to an address the client only claims to have', () => {
    expect([
      read(ask(dhcpDiscoverFrame({ chaddr: VM, flags: 0x8000 })).frames[0]!),
      read(ask(dhcpDiscoverFrame({ chaddr: VM, ciaddr: OTHER })).frames[0]!),
    ]).toMatchObject([BROADCAST, { ...UNICAST, ciaddr: '0.0.0.0' }]);
  });

  it('tells INFORM the parameters without address and times, at the address the client has', () => {
    const response = ask(dhcpFrame(DHCP_TYPE.INFORM, { chaddr: VM, ciaddr: OTHER }));
    expect([response.outcome, read(response.frames[0]!), codes(response)]).toMatchObject([
      'acknowledged',
      { eth_dst: '02:00:00:00:00:07', dst: '10.1.0.9', ciaddr: '10.1.0.9', yiaddr: '0.0.0.0', type: 5 },
      [53, 54, 1, 121, 3, 26, 6, 28, 15],
    ]);
    expect(ask(dhcpFrame(DHCP_TYPE.INFORM, { chaddr: VM, ciaddr: parseIpv4('192.0.2.1') }))).toEqual({ outcome: 'no_lease', frames: [] });
  });

  it.each<[string, Uint8Array, string]>([
    ['RELEASE', dhcpFrame(DHCP_TYPE.RELEASE, { chaddr: VM, ciaddr: OWN, server_id: SERVER, dst: SERVER }), 'released'],
    ['DECLINE', dhcpFrame(DHCP_TYPE.DECLINE, { chaddr: VM, requested_address: OWN, server_id: SERVER }), 'declined'],
    ['DECLINE to another server', dhcpFrame(DHCP_TYPE.DECLINE, { chaddr: VM, requested_address: OWN, server_id: OTHER }), 'other_server'],
    ['a server message', dhcpFrame(DHCP_TYPE.OFFER, { chaddr: VM }), 'malformed'],
    ['a MAC without lease', dhcpDiscoverFrame({ chaddr: 1 }), 'no_lease'],
    ['a request for a MAC behind the NIC', Uint8Array.from([...dhcpDiscoverFrame({ chaddr: VM })].with(6 + 5, 8)), 'other_client'],
    [
      'another UDP port',
      udpFrame({ eth_src: VM, eth_dst: 1, ip: { family: 'ipv4', src: 0, dst: 1 } }, { src_port: 68, dst_port: 68 }),
      'malformed',
    ],
    [
      'something else than DHCP',
      udpFrame({ eth_src: VM, eth_dst: 1, ip: { family: 'ipv4', src: 0, dst: 1 } }, { src_port: 68, dst_port: 67 }),
      'malformed',
    ],
    ['IPv6', udpFrame({ eth_src: VM, eth_dst: 1, ip: { family: 'ipv6', src: 0n, dst: 1n } }, { src_port: 68, dst_port: 67 }), 'malformed'],
    ['nothing', new Uint8Array(0), 'malformed'],
  ])('does not answer %s', (_, frame, outcome) => {
    expect(ask(frame)).toEqual({ outcome, frames: [] });
  });

  it('does not answer relayed requests, replies and BOOTP', () => {
    const base: DhcpMessage = {
      op: 'request',
      hops: 0,
      xid: 1,
      secs: 0,
      flags: 0,
      ciaddr: 0,
      yiaddr: 0,
      siaddr: 0,
      giaddr: 0,
      chaddr: VM,
      options: [uint8Option(53, 1)],
    };
    const outcomeOf = (message: DhcpMessage): unknown =>
      ask(
        udpFrame(
          { eth_src: VM, eth_dst: 1, ip: { family: 'ipv4', src: 0, dst: 0xffffffff } },
          { src_port: 68, dst_port: 67, payload: encodeDhcp(message) },
        ),
      ).outcome;
    expect([
      outcomeOf(base),
      outcomeOf({ ...base, giaddr: 5 }),
      outcomeOf({ ...base, op: 'reply' }),
      outcomeOf({ ...base, options: [] }),
    ]).toEqual(['offered', 'other_client', 'malformed', 'malformed']);
  });

  it('chooses among several leases by what is asked for', () => {
    const second = { ...LEASE, address: OTHER, server_address: parseIpv4('10.1.0.3') };
    const both = withLeases(LEASE, second);
    const given = (frame: Uint8Array): unknown => {
      const { frames } = ask(frame, both);
      return frames.map((reply) => read(reply).yiaddr);
    };
    expect([
      given(dhcpDiscoverFrame({ chaddr: VM })),
      given(dhcpDiscoverFrame({ chaddr: VM, requested_address: OTHER })),
      given(dhcpDiscoverFrame({ chaddr: VM, requested_address: 1 })),
      given(dhcpRequestFrame({ chaddr: VM, requested_address: OTHER, server_id: second.server_address })),
      given(dhcpRequestFrame({ chaddr: VM, requested_address: OTHER, server_id: SERVER })),
      given(dhcpRequestFrame({ chaddr: VM, ciaddr: OTHER, dst: second.server_address })),
    ]).toEqual([['10.1.0.7'], ['10.1.0.9'], ['10.1.0.7'], ['10.1.0.9'], ['0.0.0.0'], ['10.1.0.9']]);
  });

  describe('options', () => {
    const discover = (...options: DhcpOption[]): Uint8Array => dhcpDiscoverFrame({ chaddr: VM, options });

    it('come in the order asked for, the mask first, what was not asked for last', () => {
      // The order of dhclient, then that of udhcpc, which does not ask for routes.
      const dhclient = Uint8Array.of(1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42);
      const udhcpc = Uint8Array.of(1, 3, 6, 12, 15, 28, 42);
      expect([
        codes(ask(discover({ code: DHCP_OPTION.PARAMETER_LIST, data: dhclient }))),
        codes(ask(discover({ code: DHCP_OPTION.PARAMETER_LIST, data: udhcpc }))),
      ]).toEqual([
        [53, 54, 51, 58, 59, 1, 28, 3, 15, 6, 26, 121],
        [53, 54, 51, 58, 59, 1, 3, 6, 15, 28, 121, 26],
      ]);
    });

    it('leave out what the network does not have', () => {
      const bare = {
        ...LEASE,
        router: undefined,
        dns_servers: [],
        domain_name: '',
        network: { ...LEASE.network, network: OWN, prefix: 32 },
      };
      expect(codes(ask(discover(), withLeases(bare)))).toEqual([53, 54, 51, 58, 59, 1, 26]);
    });

    it('return client id and relay information as they came, also in a refusal', () => {
      const id = { code: DHCP_OPTION.CLIENT_ID, data: Uint8Array.of(1, 2, 3) };
      const relay = { code: DHCP_OPTION.RELAY_AGENT, data: Uint8Array.of(1, 1, 9) };
      const offered = read(ask(discover(relay, id)).frames[0]!).options;
      const refused = read(ask(dhcpRequestFrame({ chaddr: VM, requested_address: 1, options: [relay, id] })).frames[0]!).options;
      expect([offered.slice(-2), refused.slice(-2)].map((options) => options.map(({ code, data }) => [code, text(data)]))).toEqual([
        [
          [61, '010203'],
          [82, '010109'],
        ],
        [
          [61, '010203'],
          [82, '010109'],
        ],
      ]);
    });

    it('stay within what the client takes, and keep what a lease needs', () => {
      const wordy = withLeases({ ...LEASE, domain_name: 'd'.repeat(255), dns_servers: [1, 2, 3, 4, 5, 6, 7, 8] });
      const id = { code: DHCP_OPTION.CLIENT_ID, data: new Uint8Array(240).fill(1) };
      const asked = [
        discover(),
        discover(id),
        discover(uint16Option(DHCP_OPTION.MAX_MESSAGE_SIZE, 1500), id),
        discover(uint16Option(DHCP_OPTION.MAX_MESSAGE_SIZE, 1), id),
        discover({ ...id, data: new Uint8Array(400) }),
      ];
      const replies = asked.map((frame) => ask(frame, wordy));
      expect(replies.map((reply) => [codes(reply), read(reply.frames[0]!).length <= 548])).toEqual([
        [[53, 54, 51, 58, 59, 1, 121, 3, 26, 6, 28], true],
        [[53, 54, 51, 58, 59, 1, 121, 3, 26, 61], true],
        [[53, 54, 51, 58, 59, 1, 121, 3, 26, 6, 28, 15, 61], false],
        [[53, 54, 51, 58, 59, 1, 121, 3, 26, 61], true],
        [[53, 54, 51, 58, 59, 1, 61], false],
      ]);
    });

    it('of the wrong length in a request are as good as absent', () => {
      expect(
        ask(dhcpRequestFrame({ chaddr: VM, options: [{ ...ipv4Option(DHCP_OPTION.REQUESTED_ADDRESS, OWN), data: new Uint8Array(3) }] }))
          .outcome,
      ).toBe('malformed');
    });
  });
});
