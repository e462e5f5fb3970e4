import fc from 'fast-check';
import { decodeArp, encodeArp } from '../../../flows/packet/arp.js';
import { internetChecksum, transportChecksum } from '../../../flows/packet/checksum.js';
import { decodeDhcp, encodedOptionLength, encodeDhcp, type DhcpMessage } from '../../../flows/packet/dhcpv4.js';
import { classlessRoutesOf, classlessRoutesOption } from '../../../flows/packet/dhcpv4-options.js';
import { decodeEthernet, encodeEthernet } from '../../../flows/packet/ethernet.js';
import { decodeIcmpv4, decodeIcmpv6, encodeIcmpv4, encodeIcmpv6 } from '../../../flows/packet/icmp.js';
import { decodeIpv4, encodeIpv4 } from '../../../flows/packet/ipv4.js';
import { decodeIpv6, encodeIpv6 } from '../../../flows/packet/ipv6.js';
import { decodeNd, encodeNd, type NdMessage } from '../../../flows/packet/nd.js';
import { decodeTcp, encodeTcp } from '../../../flows/packet/tcp.js';
import { decodeUdp, encodeUdp } from '../../../flows/packet/udp.js';
import { cidrOf } from '../../../flows/net/cidr.js';
import { bytes, ipEnds, ipv4, ipv6, mac, ndOption, uint16, uint32, uint8 } from './frames.js';

const words = (max: number) => fc.nat(max).chain((count) => fc.uint8Array({ minLength: 4 * count, maxLength: 4 * count }));
const ipv6Ends = ipEnds.filter((ends) => ends.family === 'ipv6');
const options = fc.array(ndOption, { maxLength: 4 });
const ndMessage: fc.Arbitrary<NdMessage> = fc.oneof(
  fc.record({ kind: fc.constant('router_solicit'), options }),
  fc.record({
    kind: fc.constant('router_advert'),
    hop_limit: uint8,
    managed: fc.boolean(),
    other: fc.boolean(),
    router_lifetime: uint16,
    reachable_time: uint32,
    retrans_timer: uint32,
    options,
  }),
  fc.record({ kind: fc.constant('neighbor_solicit'), target: ipv6, options }),
  fc.record({
    kind: fc.constant('neighbor_advert'),
    router: fc.boolean(),
    solicited: fc.boolean(),
    override: fc.boolean(),
    target: ipv6,
    options,
  }),
);
const dhcpMessage: fc.Arbitrary<DhcpMessage> = fc.record({
  op: fc.constantFrom('request', 'reply'),
  hops: uint8,
  xid: uint32,
  secs: uint16,
  flags: uint16,
  ciaddr: ipv4,
  yiaddr: ipv4,
  siaddr: ipv4,
  giaddr: ipv4,
  chaddr: mac,
  options: fc.uniqueArray(fc.record({ code: fc.integer({ min: 1, max: 254 }).filter((code) => code !== 52), data: bytes(600) }), {
    maxLength: 6,
    selector: ({ code }) => code,
  }),
});

describe('decoders read back what encoders write', () => {
  it('in Ethernet, tagged and not', () => {
    const frame = fc.record({
      dst: mac,
      src: mac,
      eth_type: fc.integer({ min: 0x600, max: 0xffff }).filter((type) => type !== 0x8100),
      payload: bytes(64),
    });
    fc.assert(fc.property(frame, (value) => expect(decodeEthernet(encodeEthernet(value))).toEqual({ ok: true, value })));
    fc.assert(
      fc.property(frame, uint16, (value, vlan_tci) =>
        expect(decodeEthernet(encodeEthernet({ ...value, vlan_tci }))).toEqual({ ok: true, value: { ...value, vlan_tci } }),
      ),
    );
  });

  it('in ARP', () => {
    fc.assert(
      fc.property(fc.record({ op: uint16, sha: mac, spa: ipv4, tha: mac, tpa: ipv4 }), (value) =>
        expect(decodeArp(encodeArp(value))).toEqual({ ok: true, value }),
      ),
    );
  });

  it('in IPv4 with options and fragments, and the padding of the frame is left out', () => {
    const packet = fc.record({
      tos: uint8,
      id: uint16,
      dont_fragment: fc.boolean(),
      more_fragments: fc.boolean(),
      fragment_offset: fc.nat(0x1fff).map((units) => 8 * units),
      ttl: uint8,
      protocol: uint8,
      src: ipv4,
      dst: ipv4,
      options: words(10),
      payload: bytes(64),
    });
    fc.assert(
      fc.property(packet, bytes(20), (value, padding) => {
        const encoded = encodeIpv4(value);
        expect(decodeIpv4(Uint8Array.of(...encoded, ...padding))).toEqual({ ok: true, value });
      }),
    );
  });

  it('in IPv6, and the padding of the frame is left out', () => {
    const packet = fc.record({
      traffic_class: uint8,
      flow_label: fc.nat(0xfffff),
      next_header: uint8,
      hop_limit: uint8,
      src: ipv6,
      dst: ipv6,
      payload: bytes(64),
    });
    fc.assert(
      fc.property(packet, bytes(20), (value, padding) =>
        expect(decodeIpv6(Uint8Array.of(...encodeIpv6(value), ...padding))).toEqual({ ok: true, value }),
      ),
    );
  });

  it('in ICMP of both families', () => {
    const message = fc.record({ type: uint8, code: uint8, body: fc.uint8Array({ minLength: 4, maxLength: 64 }) });
    fc.assert(fc.property(message, (value) => expect(decodeIcmpv4(encodeIcmpv4(value))).toEqual({ ok: true, value })));
    fc.assert(
      fc.property(message, ipv6Ends, (value, ends) => expect(decodeIcmpv6(encodeIcmpv6(value, ends), ends)).toEqual({ ok: true, value })),
    );
  });

  it('in neighbour discovery', () => {
    fc.assert(fc.property(ndMessage, (value) => expect(decodeNd(encodeNd(value))).toEqual({ ok: true, value })));
  });

  it('in UDP and TCP, with a checksum that holds', () => {
    const datagram = fc.record({ src_port: uint16, dst_port: uint16, payload: bytes(64) });
    const segment = fc.record({
      src_port: uint16,
      dst_port: uint16,
      seq: uint32,
      ack: uint32,
      flags: fc.nat(0xfff),
      window: uint16,
      urgent: uint16,
      options: words(10),
      payload: bytes(64),
    });
    fc.assert(
      fc.property(datagram, segment, ipEnds, (udp, tcp, ends) => {
        const [udpBytes, tcpBytes] = [encodeUdp(udp, ends), encodeTcp(tcp, ends)];
        expect([
          decodeUdp(udpBytes),
          decodeTcp(tcpBytes),
          transportChecksum(ends, 17, udpBytes),
          transportChecksum(ends, 6, tcpBytes),
        ]).toEqual([{ ok: true, value: udp }, { ok: true, value: tcp }, 0, 0]);
      }),
    );
  });

  it('in DHCP, options of more than 255 bytes among them', () => {
    fc.assert(
      fc.property(dhcpMessage, (value) => {
        const encoded = encodeDhcp(value);
        expect(decodeDhcp(encoded)).toEqual({ ok: true, value });
        expect(encoded).toHaveLength(Math.max(300, 241 + value.options.reduce((sum, option) => sum + encodedOptionLength(option), 0)));
      }),
    );
  });

  it('in classless routes', () => {
    const route = fc.record({
      destination: fc.tuple(ipv4, fc.nat(32)).map(([value, prefix]) => cidrOf({ family: 'ipv4', value }, prefix)),
      via: ipv4,
    });
    fc.assert(
      fc.property(dhcpMessage, fc.array(route), (message, routes) => {
        expect(classlessRoutesOf({ ...message, options: [classlessRoutesOption(routes)] })).toEqual(routes);
      }),
    );
  });
});

describe('encoders', () => {
  it('refuse what has no encoding', () => {
    const ip = {
      tos: 0,
      id: 0,
      dont_fragment: false,
      more_fragments: false,
      fragment_offset: 0,
      ttl: 1,
      protocol: 1,
      src: 1,
      dst: 2,
      options: new Uint8Array(0),
    };
    expect(() => encodeIpv4({ ...ip, payload: new Uint8Array(65516) })).toThrow('65536 bytes');
    expect(() => encodeIpv4({ ...ip, options: new Uint8Array(3), payload: new Uint8Array(0) })).toThrow('3 bytes');
    expect(() => encodeUdp({ src_port: 1, dst_port: 2, payload: new Uint8Array(65528) }, { family: 'ipv4', src: 1, dst: 2 })).toThrow(
      '65536 bytes',
    );
    expect(() => encodeNd({ kind: 'router_solicit', options: [{ kind: 'unknown', type: 200, data: new Uint8Array(5) }] })).toThrow(
      '7 bytes',
    );
  });
});

describe('internetChecksum', () => {
  it('agrees with published examples', () => {
    const of = (hex: string): number => internetChecksum(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
    // RFC 1071 §3: the sum is ddf2. Then an IPv4 header with and without its checksum b861.
    expect([
      of('0001 f203 f4f5 f6f7'),
      of('4500 0073 0000 4000 4011 0000 c0a8 0001 c0a8 00c7'),
      of('4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7'),
      of('01'),
      of(''),
    ]).toEqual([0xddf2 ^ 0xffff, 0xb861, 0, 0xfeff, 0xffff]);
  });

  it('folds the carries of the longest packet', () => {
    expect(internetChecksum(new Uint8Array(65534).fill(0xff))).toBe(0);
  });
});
