import type { RespondContext, Response } from '../../../datapath/respond/contract.js';
import { respondIcmpError, type IcmpErrorKind } from '../../../datapath/respond/icmp-error.js';
import type { SentTo } from '../../../datapath/respond/sent-as.js';
import { TABLES } from '../../../flows/pipeline/tables.js';
import { parseIpv4, parseIpv6 } from '../../../flows/net/ip.js';
import { BROADCAST_MAC, parseMac } from '../../../flows/net/mac.js';
import { concatBytes } from '../../../flows/packet/bytes.js';
import { decodeIcmpv4, decodeIcmpv6, encodeIcmpv4, encodeIcmpv6 } from '../../../flows/packet/icmp.js';
import { encodeEthernet } from '../../../flows/packet/ethernet.js';
import { encodeIpFrame, type Envelope } from '../../../flows/packet/ip-frame.js';
import { encodeIpv4 } from '../../../flows/packet/ipv4.js';
import { decodeTcp, encodeTcp, TCP_FLAG } from '../../../flows/packet/tcp.js';
import { arpRequestFrame, echoRequestFrame, udpFrame } from '../../../flows/packet/probes.js';

const VM = parseMac('02:00:00:00:00:07');
const ROUTER = parseMac('02:00:00:00:00:01');
const v4: Envelope = {
  eth_src: VM,
  eth_dst: ROUTER,
  ttl: 1,
  ip: { family: 'ipv4', src: parseIpv4('10.1.0.7'), dst: parseIpv4('10.2.0.9') },
};
const v6: Envelope = {
  eth_src: VM,
  eth_dst: ROUTER,
  ttl: 1,
  ip: { family: 'ipv6', src: parseIpv6('2001:db8:1::7'), dst: parseIpv6('2001:db8:2::9') },
};
const FROM_V4 = parseIpv4('10.1.0.1');
const FROM_V6 = parseIpv6('2001:db8:1::1');
const ARRIVAL = 9;
const ports = { src_port: 0x8000, dst_port: 33434 };

/** A router port 9 that is known by an address of each family, and nothing else. */
const context: RespondContext = {
  dhcp: () => [],
  routerAdvertisements: () => [],
  gatewayOf: () => undefined,
  translated: () => undefined,
  macOf: () => undefined,
  addressFacing: (portKey, { family }) => {
    if (portKey !== ARRIVAL) return undefined;
    return family === 'ipv4' ? { family, value: FROM_V4 } : { family, value: FROM_V6 };
  },
};
const ask = (kind: IcmpErrorKind, data: Uint8Array, known = context, routers_crossed = 0): Response =>
  respondIcmpError(kind, { punt: { kind }, data, port_key: 7, arrival_key: ARRIVAL, routers_crossed }, known);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const plain = (hex: string): string => hex.replaceAll(/\s/g, '');

describe('ICMP errors', () => {
  it('quote what the sender sent to where that was translated, and leave by the port it came in on', () => {
    const dst = parseIpv4('203.0.113.50');
    const about = (frame: Uint8Array, sent_to?: SentTo) =>
      respondIcmpError(
        'time_exceeded',
        { punt: { kind: 'time_exceeded' }, data: frame, port_key: 7, arrival_key: ARRIVAL, sent_to },
        context,
      );
    const translated = udpFrame(v4, { ...ports, payload: Uint8Array.of(1) });
    const sent = udpFrame({ ...v4, ip: { ...v4.ip, dst } as typeof v4.ip }, { ...ports, dst_port: 8080, payload: Uint8Array.of(1) });
    const quoted = ({ frames }: Response) => text(frames[0]!.subarray(14 + 20 + 8, 14 + 20 + 8 + 20 + 6));
    expect(quoted(about(translated, { ip: { family: 'ipv4', value: dst }, port: 8080 }))).toBe(quoted(about(sent)));
  });

  it('go through the pipeline to a sender who is known by another address here, and to one on another hypervisor', () => {
    const mac = parseMac('02:00:00:00:00:99');
    const known: RespondContext = { ...context, translated: (vrf) => (vrf === 5 ? { mac, segment_key: 3 } : undefined) };
    const frame = udpFrame(v4, { ...ports, payload: Uint8Array.of(1) });
    const punted = { punt: { kind: 'time_exceeded' }, data: frame, port_key: 7, arrival_key: ARRIVAL, router_key: 2 } as const;
    const tables = ({ injected = [], frames }: Response) => [
      frames.length,
      injected.map(({ data, actions }) => [
        text(data.subarray(0, 6)),
        actions.flatMap((action) => (action.kind === 'resubmit' ? [action.table] : [])),
      ]),
    ];
    expect([
      tables(respondIcmpError('time_exceeded', { ...punted, metadata: (5n << 32n) | 4n }, known)),
      tables(respondIcmpError('time_exceeded', { ...punted, metadata: 6n << 32n, is_remote: true }, known)),
      tables(respondIcmpError('time_exceeded', { ...punted, metadata: 6n << 32n }, known)),
    ]).toEqual([
      [0, [['020000000099', [TABLES.L2L3.id]]]],
      [0, [['020000000007', [TABLES.FIB.id]]]],
      [1, []],
    ]);
  });

  it('time exceeded in IPv4, byte for byte', () => {
    const { outcome, frames } = ask('time_exceeded', udpFrame(v4, { ...ports, payload: Uint8Array.of(1, 2, 3, 4) }), context, 1);
    // Headers: 45c0+003c+0000+4000+fe01+0a01+0001+0a01+0007 = 19807 → 9808 and 4500+0020+0000+4000+0111+0a01+0007+0a02+0009 = 9a44.
    expect([outcome, frames.map(text)]).toEqual([
      'sent',
      [
        plain(`020000000007 020000000001 0800 45c0 003c 0000 4000 fe 01 67f7 0a010001 0a010007
          0b 00 0930 00000000
          4500 0020 0000 4000 01 11 65bb 0a010007 0a020009 8000 829a 000c e522 01020304`),
      ],
    ]);
  });

  it('port unreachable in IPv6, byte for byte', () => {
    const { outcome, frames } = ask('port_unreachable', udpFrame(v6, ports), context, 2);
    expect([outcome, frames.map(text)]).toEqual([
      'sent',
      [
        plain(`020000000007 020000000001 86dd 60000000 0038 3a fd 20010db80002${'00'.repeat(9)}09 20010db80001${'00'.repeat(9)}07
          01 04 3214 00000000
          60000000 0008 11 01 20010db80001${'00'.repeat(9)}07 20010db80002${'00'.repeat(9)}09 8000 829a 0008 a1be`),
      ],
    ]);
  });

  it('have the type of their kind and family and a checksum that holds', () => {
    const typeOf = (kind: IcmpErrorKind): unknown[] => {
      const [icmp4] = ask(kind, udpFrame(v4, ports)).frames;
      const [icmp6] = ask(kind, udpFrame(v6, ports)).frames;
      const four = decodeIcmpv4(icmp4!.subarray(34));
      const six = decodeIcmpv6(icmp6!.subarray(54), { family: 'ipv6', src: parseIpv6('2001:db8:1::1'), dst: parseIpv6('2001:db8:1::7') });
      return [four, six].map((message) => (message.ok ? [message.value.type, message.value.code] : message.reason));
    };
    const kinds = ['time_exceeded', 'net_unreachable', 'host_unreachable', 'prohibited'] as const;
    expect(kinds.map(typeOf)).toEqual(
      [
        [11, 0, 3, 0],
        [3, 0, 1, 0],
        [3, 1, 1, 3],
        [3, 13, 1, 1],
      ].map(([a, b, c, d]) => [
        [a, b],
        [c, d],
      ]),
    );
  });

  it('come from a link-local address for one who sends from one beyond its scope', () => {
    const src = parseIpv6('fe80::ff:fe00:7');
    const [frame] = ask('beyond_scope', udpFrame({ ...v6, ip: { ...v6.ip, src } as Envelope['ip'] }, ports)).frames;
    const expected = `86dd 60000000 0038 3a ff fe80${'00'.repeat(6)}000000fffe000001 fe80${'00'.repeat(6)}000000fffe000007 01 02`;
    expect(text(frame!.subarray(12, 56))).toBe(plain(expected));
  });

  it('go to the NIC that has the address, also when the frame crossed a router since', () => {
    const crossed = udpFrame({ ...v4, eth_src: parseMac('02:00:00:00:00:55') }, ports);
    const known = {
      ...context,
      macOf: (portKey: number, ip: unknown) =>
        portKey === 7 && JSON.stringify(ip) === JSON.stringify({ family: 'ipv4', value: v4.ip.src }) ? VM : undefined,
    };
    expect(text(ask('time_exceeded', crossed, known).frames[0]!).slice(0, 24)).toBe('020000000007020000000001');
  });

  describe('quote', () => {
    const payload = Uint8Array.from({ length: 3000 }, (_, index) => index);
    const quotation = (frame: Uint8Array, header: number): string => text(frame.subarray(header + 8));
    const expectQuoted = (data: Uint8Array, header: number, length: number): void => {
      const [frame] = ask('time_exceeded', data).frames;
      expect(quotation(frame!, header)).toBe(text(data.subarray(14, 14 + length)));
    };

    it('the packet without the padding of the frame', () => {
      const short = udpFrame(v4, ports);
      const [frame] = ask('time_exceeded', concatBytes([short, new Uint8Array(18).fill(0xee)])).frames;
      expect(quotation(frame!, 34)).toBe(text(short.subarray(14)));
    });

    it('as much as fits in 576 and 1280 bytes', () => {
      expectQuoted(udpFrame(v4, { ...ports, payload }), 34, 548);
      expectQuoted(udpFrame(v6, { ...ports, payload }), 54, 1232);
    });

    it('a packet of which the switch sent only the beginning', () => {
      expectQuoted(udpFrame(v4, { ...ports, payload }).subarray(0, 1500), 34, 548);
      expectQuoted(udpFrame(v6, { ...ports, payload }).subarray(0, 200), 54, 186);
    });

    it('options and a first fragment', () => {
      const base = {
        tos: 0,
        id: 1,
        dont_fragment: false,
        more_fragments: true,
        fragment_offset: 0,
        ttl: 1,
        protocol: 17,
        src: v4.ip.src as number,
        dst: v4.ip.dst as number,
      };
      const packet = encodeIpv4({ ...base, options: Uint8Array.of(7, 3, 4, 0), payload: payload.subarray(0, 16) });
      expectQuoted(encodeEthernet({ src: VM, dst: ROUTER, eth_type: 0x800, payload: packet }), 34, 40);
    });
  });

  const fragment = (offset: number): Uint8Array => {
    const packet = encodeIpv4({
      tos: 0,
      id: 1,
      dont_fragment: false,
      more_fragments: false,
      fragment_offset: offset,
      ttl: 1,
      protocol: 17,
      src: 0x0a010007,
      dst: 0x0a020009,
      options: new Uint8Array(0),
      payload: new Uint8Array(8),
    });
    return encodeEthernet({ src: VM, dst: ROUTER, eth_type: 0x800, payload: packet });
  };
  const icmp4 = (type: number): Uint8Array => encodeIpFrame(v4, 1, encodeIcmpv4({ type, code: 0, body: new Uint8Array(4) }));
  const icmp6 = (type: number): Uint8Array => encodeIpFrame(v6, 58, encodeIcmpv6({ type, code: 0, body: new Uint8Array(4) }, v6.ip));
  const from4 = (src: string): Uint8Array =>
    udpFrame({ ...v4, ip: { family: 'ipv4', src: parseIpv4(src), dst: v4.ip.dst as number } }, ports);
  const to4 = (dst: string): Uint8Array =>
    udpFrame({ ...v4, ip: { family: 'ipv4', src: v4.ip.src as number, dst: parseIpv4(dst) } }, ports);
  const between6 = (src: string, dst: string): Uint8Array =>
    udpFrame({ ...v6, ip: { family: 'ipv6', src: parseIpv6(src), dst: parseIpv6(dst) } }, ports);
  const host = '2001:db8::9';

  it.each<[string, Uint8Array]>([
    ...[3, 4, 5, 11, 12].map((type): [string, Uint8Array] => [`ICMP error ${type}`, icmp4(type)]),
    ...[1, 2, 3, 4, 100, 127, 137].map((type): [string, Uint8Array] => [`ICMPv6 error ${type}`, icmp6(type)]),
    ['ICMP without a type', encodeIpFrame(v4, 1, new Uint8Array(0))],
    ['ICMPv6 without a type', encodeIpFrame(v6, 58, new Uint8Array(0))],
    ['an ICMPv6 error behind an extension header', encodeIpFrame(v6, 60, Uint8Array.of(58, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0))],
    ['a later fragment', fragment(8)],
    ['a later IPv6 fragment', encodeIpFrame(v6, 44, Uint8Array.of(17, 0, 0, 8, 0, 0, 0, 1, 0, 0))],
    ...['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '240.0.0.1'].map((src): [string, Uint8Array] => [
      `IPv4 from ${src}`,
      from4(src),
    ]),
    ...['224.0.0.251', '255.255.255.255', '127.0.0.1'].map((dst): [string, Uint8Array] => [`IPv4 to ${dst}`, to4(dst)]),
    ...['::', '::1', 'ff02::1'].map((src): [string, Uint8Array] => [`IPv6 from ${src}`, between6(src, host)]),
    ['IPv6 to a group', between6(host, 'ff02::fb')],
    ['a broadcast frame', udpFrame({ ...v4, eth_dst: BROADCAST_MAC }, ports)],
    ['a multicast frame', udpFrame({ ...v6, eth_dst: parseMac('33:33:00:00:00:01') }, ports)],
    ['a frame from a group', udpFrame({ ...v4, eth_src: parseMac('01:00:5e:00:00:01') }, ports)],
    ['a tagged frame', encodeEthernet({ src: VM, dst: ROUTER, vlan_tci: 5, eth_type: 0x800, payload: udpFrame(v4, ports).subarray(14) })],
  ])('are not due to %s', (_, data) => {
    expect(ask('time_exceeded', data)).toEqual({ outcome: 'not_due', frames: [] });
  });

  it('are due to echo requests, first fragments and packets with extension headers', () => {
    const outcomes = [
      ask('time_exceeded', echoRequestFrame(v4)),
      ask('time_exceeded', echoRequestFrame(v6)),
      ask('time_exceeded', fragment(0)),
      ask('time_exceeded', encodeIpFrame(v6, 44, Uint8Array.of(17, 0, 0, 1, 0, 0, 0, 1, 0, 0))),
      ask('time_exceeded', encodeIpFrame(v6, 60, Uint8Array.of(58, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0))),
    ].map(({ outcome }) => outcome);
    expect(outcomes).toEqual(['sent', 'sent', 'sent', 'sent', 'sent']);
  });

  it('are not made of what is no IP packet, or where no address is known', () => {
    const broken = udpFrame(v4, ports).slice();
    broken[14 + 8] = 9;
    const outcomes = [
      respondIcmpError(
        'time_exceeded',
        { punt: { kind: 'time_exceeded' }, data: udpFrame(v4, ports), port_key: 7, arrival_key: 8 },
        context,
      ),
      respondIcmpError('net_unreachable', { punt: { kind: 'net_unreachable' }, data: udpFrame(v6, ports), port_key: 7 }, context),
      ask('time_exceeded', arpRequestFrame({ eth_src: VM, spa: 1, tpa: 2 })),
      ask('time_exceeded', broken),
      ask('time_exceeded', udpFrame(v6, ports).subarray(0, 53)),
      ask('time_exceeded', new Uint8Array(5)),
    ].map(({ outcome }) => outcome);
    expect(outcomes).toEqual(['not_due', 'not_due', 'not_due', 'malformed', 'malformed', 'malformed']);
  });

  describe('about what was for a router itself', () => {
    const bytes = (data: Uint8Array) => [...data];

    it('come from the address it was for, as far away as that is', () => {
      const [frame] = ask('port_unreachable', udpFrame(v4, ports), context, 3).frames;
      expect([bytes(frame!.subarray(26, 34)), frame![22], bytes(frame!.subarray(34, 36))]).toEqual([
        [10, 2, 0, 9, 10, 1, 0, 7],
        252,
        [3, 3],
      ]);
    });

    it('are resets where it was TCP, as RFC 9293 says, and never about resets', () => {
      const segment = (flags: number, payload = new Uint8Array(0)) => {
        const tcp = { src_port: 40000, dst_port: 22, seq: 1000, ack: 77, flags, window: 1, urgent: 0, options: new Uint8Array(0), payload };
        return encodeIpFrame(v4, 6, encodeTcp(tcp, v4.ip));
      };
      const answered = (data: Uint8Array) => {
        const { outcome, frames } = ask('port_unreachable', data);
        const decoded = frames[0] && decodeTcp(frames[0].subarray(34));
        return decoded?.ok ? [decoded.value.flags, decoded.value.seq, decoded.value.ack, decoded.value.src_port] : outcome;
      };
      expect([
        answered(segment(TCP_FLAG.SYN)),
        answered(segment(TCP_FLAG.ACK | TCP_FLAG.PSH, Uint8Array.of(1, 2))),
        answered(segment(TCP_FLAG.FIN, Uint8Array.of(1))),
        answered(segment(TCP_FLAG.RST)),
      ]).toEqual([
        [TCP_FLAG.RST | TCP_FLAG.ACK, 0, 1001, 22],
        [TCP_FLAG.RST, 77, 0, 22],
        [TCP_FLAG.RST | TCP_FLAG.ACK, 0, 1002, 22],
        'not_due',
      ]);
    });

    it('name in IPv6 the field with the protocol that is not known', () => {
      const problem = (data: Uint8Array) => bytes(ask('protocol_unreachable', data).frames[0]!.subarray(54, 62));
      const behind = encodeIpFrame(v6, 60, Uint8Array.of(132, 0, 1, 4, 0, 0, 0, 0, 9, 9, 9, 9));
      expect([problem(encodeIpFrame(v6, 132, new Uint8Array(4))), problem(behind)].map((words) => [words[0], words[1], words[7]])).toEqual([
        [4, 1, 6],
        [4, 1, 40],
      ]);
      expect(bytes(ask('protocol_unreachable', encodeIpFrame(v4, 132, new Uint8Array(4))).frames[0]!.subarray(34, 36))).toEqual([3, 2]);
    });
  });
});
