/**
 * Bytes written by hand from the RFCs, so that encoder and decoder cannot be wrong in the same way.
 */
import { parseIpv4, parseIpv6 } from '../../../flows/net/ip.js';
import { parseMac } from '../../../flows/net/mac.js';
import { parseCidr, type Ipv4Cidr } from '../../../flows/net/cidr.js';
import { encodeDhcp } from '../../../flows/packet/dhcpv4.js';
import { classlessRoutesOption, textOption } from '../../../flows/packet/dhcpv4-options.js';
import { encodeNd } from '../../../flows/packet/nd.js';
import { arpRequestFrame, echoRequestFrame, neighborSolicitFrame, tcpSynFrame, udpFrame } from '../../../flows/packet/probes.js';
import { extractFields } from '../../../flows/packet/packet-view.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const plain = (text: string): string => text.replaceAll(/\s/g, '');
const A = parseMac('02:00:00:00:00:0a');
const B = parseMac('02:00:00:00:00:0b');
const v4 = { eth_src: A, eth_dst: B, ip: { family: 'ipv4', src: parseIpv4('10.0.0.1'), dst: parseIpv4('10.0.0.2') } } as const;

describe('frames', () => {
  it('ARP request', () => {
    expect(hex(arpRequestFrame({ eth_src: A, spa: v4.ip.src, tpa: v4.ip.dst }))).toBe(
      plain('ffffffffffff 02000000000a 0806 0001 0800 06 04 0001 02000000000a 0a000001 000000000000 0a000002'),
    );
  });

  it('ICMP echo request', () => {
    // Header: 4500+0020+0000+4000+4001+0a00+0001+0a00+0002 = d924. Message: 0800+1234+0001+abcd = c602.
    expect(hex(echoRequestFrame(v4, { id: 0x1234, seq: 1, data: Uint8Array.of(0xab, 0xcd, 0, 0) }))).toBe(
      plain('02000000000b 02000000000a 0800 4500 0020 0000 4000 40 01 26db 0a000001 0a000002 08 00 39fd 1234 0001 abcd0000'),
    );
  });

  it('UDP over IPv4 with an odd payload', () => {
    // Pseudo-header 0a00+0001+0a00+0002+0011+0009 = 141d; datagram 1000+2000+0009+6100 = 9109; together a526.
    expect(hex(udpFrame(v4, { src_port: 0x1000, dst_port: 0x2000, payload: Uint8Array.of(0x61) }))).toBe(
      plain('02000000000b 02000000000a 0800 4500 001d 0000 4000 40 11 26ce 0a000001 0a000002 1000 2000 0009 5ad9 61'),
    );
  });

  it('TCP SYN over IPv6', () => {
    const ip = { family: 'ipv6', src: parseIpv6('2001:db8::1'), dst: parseIpv6('2001:db8::2') } as const;
    // 2 × (2001+0db8) + 1 + 2 + 0014 + 0006 = 5b8f; segment 1000+0050+0000+0007+5002+ffff = 16058; together 1bbe7 → bbe8.
    expect(hex(tcpSynFrame({ eth_src: A, eth_dst: B, ip, ttl: 3 }, { src_port: 0x1000, dst_port: 80, seq: 7 }))).toBe(
      plain(`02000000000b 02000000000a 86dd 60000000 0014 06 03 20010db8${'00'.repeat(11)}01 20010db8${'00'.repeat(11)}02
        1000 0050 00000007 00000000 5002 ffff 4417 0000`),
    );
  });

  it('neighbour solicitation, and what a switch reads in it', () => {
    // Pseudo-header fe80+000a+ff02+0001+ff00+000b+0020+003a = 2fcf2; message 8700+fe80+000b+0101+0200+000a = 18896; together 48588 → 858c.
    const frame = neighborSolicitFrame({ eth_src: A, src: parseIpv6('fe80::a'), target: parseIpv6('fe80::b') });
    expect(hex(frame)).toBe(
      plain(`3333ff00000b 02000000000a 86dd 60000000 0020 3a ff fe80${'00'.repeat(13)}0a ff02${'00'.repeat(9)}01ff00000b
        87 00 7a73 00000000 fe80${'00'.repeat(13)}0b 01 01 02000000000a`),
    );
    expect(extractFields(frame)).toEqual({
      eth_src: A,
      eth_dst: parseMac('33:33:ff:00:00:0b'),
      eth_type: 0x86dd,
      vlan_tci: 0,
      vlan_vid: 0,
      vlan_pcp: 0,
      ipv6_src: parseIpv6('fe80::a'),
      ipv6_dst: parseIpv6('ff02::1:ff00:b'),
      ipv6_label: 0,
      nw_proto: 58,
      nw_tos: 0,
      ip_dscp: 0,
      nw_ecn: 0,
      nw_ttl: 255,
      ip_frag: 0,
      icmpv6_type: 135,
      icmpv6_code: 0,
      nd_target: parseIpv6('fe80::b'),
      nd_reserved: 0,
      nd_options_type: 1,
      nd_sll: A,
    });
  });
});

describe('options', () => {
  it('router advertisement with prefix, MTU, link address and resolver', () => {
    const message = encodeNd({
      kind: 'router_advert',
      hop_limit: 64,
      managed: true,
      other: true,
      router_lifetime: 1800,
      reachable_time: 1,
      retrans_timer: 2,
      options: [
        { kind: 'source_link_address', mac: A },
        { kind: 'mtu', mtu: 1450 },
        {
          kind: 'prefix_information',
          prefix: parseIpv6('2001:db8::'),
          prefix_length: 64,
          on_link: true,
          autonomous: false,
          valid_lifetime: 0xffffffff,
          preferred_lifetime: 3600,
        },
        { kind: 'rdnss', lifetime: 1200, servers: [parseIpv6('2001:db8::53')] },
      ],
    });
    expect([message.type, message.code, hex(message.body)]).toEqual([
      134,
      0,
      plain(`40 c0 0708 00000001 00000002 01 01 02000000000a 05 01 0000 000005aa
        03 04 40 80 ffffffff 00000e10 00000000 20010db8${'00'.repeat(12)}
        19 03 0000 000004b0 20010db8${'00'.repeat(11)}53`),
    ]);
  });

  it('classless routes as in the examples of RFC 3442', () => {
    const to = (text: string) => ({ destination: parseCidr(text) as Ipv4Cidr, via: parseIpv4('10.0.0.1') });
    const via = '0a000001';
    expect(
      hex(
        classlessRoutesOption(['0.0.0.0/0', '10.0.0.0/8', '10.17.0.0/16', '10.27.129.0/24', '10.229.0.128/25', '10.198.122.47/32'].map(to))
          .data,
      ),
    ).toBe(plain(`00 ${via} 08 0a ${via} 10 0a11 ${via} 18 0a1b81 ${via} 19 0ae50080 ${via} 20 0ac67a2f ${via}`));
  });

  it('a DHCP message is padded to 300 bytes', () => {
    const bytes = encodeDhcp({
      op: 'reply',
      hops: 1,
      xid: 0x01020304,
      secs: 5,
      flags: 0x8000,
      ciaddr: 0x0a000001,
      yiaddr: 0x0a000002,
      siaddr: 0x0a000003,
      giaddr: 0x0a000004,
      chaddr: A,
      options: [textOption(15, 'a.é'), { code: 116, data: new Uint8Array(0) }],
    });
    expect(hex(bytes)).toBe(
      plain(`02 01 06 01 01020304 0005 8000 0a000001 0a000002 0a000003 0a000004 02000000000a ${'00'.repeat(10)} ${'00'.repeat(192)}
        63825363 0f 03 612e3f 74 00 ff ${'00'.repeat(52)}`),
    );
  });
});
