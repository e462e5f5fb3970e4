/**
 * Frames for property tests: every kind the codecs know, whole and damaged.
 */
import fc from 'fast-check';
import type { IpEnds } from '../../../flows/packet/checksum.js';
import { concatBytes } from '../../../flows/packet/bytes.js';
import { DHCP_OPTION, uint8Option } from '../../../flows/packet/dhcpv4-options.js';
import { encodeEthernet } from '../../../flows/packet/ethernet.js';
import { encodeIcmpv6 } from '../../../flows/packet/icmp.js';
import { encodeIpFrame, type Envelope } from '../../../flows/packet/ip-frame.js';
import { encodeNd, type NdOption } from '../../../flows/packet/nd.js';
import { ETH_TYPE, IP_PROTOCOL } from '../../../flows/packet/numbers.js';
import {
  arpRequestFrame,
  dhcpFrame,
  echoRequestFrame,
  neighborSolicitFrame,
  routerSolicitFrame,
  tcpSynFrame,
  udpFrame,
} from '../../../flows/packet/probes.js';

export const mac = fc.integer({ min: 0, max: 0xffffffffffff });
export const ipv4 = fc.integer({ min: 0, max: 0xffffffff });
export const ipv6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
export const uint8 = fc.nat(0xff);
export const uint16 = fc.nat(0xffff);
export const uint32 = fc.nat(0xffffffff);
export const bytes = (max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: max });

export const ipEnds: fc.Arbitrary<IpEnds> = fc.oneof(
  fc.record({ family: fc.constant('ipv4'), src: ipv4, dst: ipv4 }),
  fc.record({ family: fc.constant('ipv6'), src: ipv6, dst: ipv6 }),
);
export const envelope: fc.Arbitrary<Envelope> = fc.record({ eth_src: mac, eth_dst: mac, ip: ipEnds, ttl: uint8, tos: uint8 });

export const ndOption: fc.Arbitrary<NdOption> = fc.oneof(
  fc.record({ kind: fc.constantFrom('source_link_address', 'target_link_address'), mac }),
  fc.record({ kind: fc.constant('mtu'), mtu: uint32 }),
  fc.record({
    kind: fc.constant('prefix_information'),
    prefix: ipv6,
    prefix_length: uint8,
    on_link: fc.boolean(),
    autonomous: fc.boolean(),
    valid_lifetime: uint32,
    preferred_lifetime: uint32,
  }),
  fc.record({ kind: fc.constant('rdnss'), lifetime: uint32, servers: fc.array(ipv6, { minLength: 1, maxLength: 3 }) }),
  fc.record({
    kind: fc.constant('unknown'),
    type: fc.integer({ min: 26, max: 255 }),
    data: fc.constantFrom(6, 14).chain((n) => fc.uint8Array({ minLength: n, maxLength: n })),
  }),
);

const neighborAdvertFrame = fc.tuple(envelope, ipv6, fc.array(ndOption, { maxLength: 3 })).map(([at, target, options]) => {
  const ip: IpEnds = { family: 'ipv6', src: target, dst: 1n };
  const message = encodeNd({ kind: 'neighbor_advert', router: true, solicited: true, override: false, target, options });
  return encodeIpFrame({ ...at, ip }, IP_PROTOCOL.ICMPV6, encodeIcmpv6(message, ip));
});

/** A chain of extension headers, then UDP or anything. */
const extendedFrame = fc
  .tuple(
    envelope,
    fc.array(fc.constantFrom(0, 43, 44, 51, 60), { maxLength: 4 }),
    fc.constantFrom(17, 58, 59, 6),
    bytes(60),
    fc.constantFrom(0, 0, 1, 8, 9, 16),
  )
  .map(([at, chain, last, payload, fragment]) => {
    const headers = chain.map((type, index) => {
      const next = chain[index + 1] ?? last;
      if (type === 44) return Uint8Array.of(next, 0, 0, fragment, 0, 0, 0, 1);
      return type === 51 ? Uint8Array.of(next, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1) : Uint8Array.of(next, 0, 0, 0, 0, 0, 0, 0);
    });
    return encodeIpFrame({ ...at, ip: { family: 'ipv6', src: 1n, dst: 2n } }, chain[0] ?? last, concatBytes([...headers, payload]));
  });

/** Well-formed frames of every kind. */
export const wholeFrame: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.tuple(mac, ipv4, ipv4).map(([eth_src, spa, tpa]) => arpRequestFrame({ eth_src, spa, tpa })),
  fc.tuple(envelope, bytes(64)).map(([at, data]) => echoRequestFrame(at, { id: 1, seq: 2, data })),
  fc.tuple(envelope, uint16, uint16, bytes(64)).map(([at, src_port, dst_port, payload]) => udpFrame(at, { src_port, dst_port, payload })),
  fc.tuple(envelope, uint16, uint16).map(([at, src_port, dst_port]) => tcpSynFrame(at, { src_port, dst_port })),
  fc.tuple(mac, ipv6, ipv6).map(([eth_src, src, target]) => neighborSolicitFrame({ eth_src, src, target })),
  fc.tuple(mac, fc.oneof(ipv6, fc.constant(0n))).map(([eth_src, src]) => routerSolicitFrame({ eth_src, src })),
  neighborAdvertFrame,
  extendedFrame,
  fc
    .tuple(uint8, mac, ipv4)
    .map(([type, chaddr, ciaddr]) => dhcpFrame(type, { chaddr, ciaddr, options: [uint8Option(DHCP_OPTION.PARAMETER_LIST, 1)] })),
  fc.tuple(envelope, fc.constantFrom(2, 132, 47, 255), bytes(40)).map(([at, protocol, payload]) => encodeIpFrame(at, protocol, payload)),
  fc
    .tuple(mac, mac, fc.constantFrom(ETH_TYPE.RARP, ETH_TYPE.QINQ, 0x88cc), bytes(60))
    .map(([src, dst, eth_type, payload]) => encodeEthernet({ src, dst, eth_type, payload })),
);

const tagged = fc
  .tuple(wholeFrame, uint16)
  .map(([frame, tci]) => concatBytes([frame.subarray(0, 12), Uint8Array.of(0x81, 0, tci >> 8, tci), frame.subarray(12)]));
const snapped = wholeFrame.map((frame) =>
  concatBytes([frame.subarray(0, 12), Uint8Array.of(0, frame.length & 0xff, 0xaa, 0xaa, 3, 0, 0, 0), frame.subarray(12)]),
);

/** Bytes where lengths, types and flags are hit more often than the rest. */
const damage = fc.array(
  fc.tuple(
    fc.oneof(fc.nat(70), fc.constantFrom(12, 13, 14, 16, 17, 18, 19, 20, 21, 23, 46, 47, 54, 55)),
    fc.oneof(uint8, fc.constantFrom(0, 1, 0xff)),
  ),
  { maxLength: 3 },
);

/** Frames cut, lengthened or with some bytes changed. */
export const alteredFrame: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.oneof({ weight: 6, arbitrary: wholeFrame }, tagged, snapped),
    damage,
    fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, fc.nat(90)),
    bytes(6),
  )
  .map(([frame, changes, cut, more]) => {
    const altered = concatBytes([frame.subarray(0, cut ?? frame.length), more]);
    for (const [offset, value] of changes) if (offset < altered.length) altered[offset] = value;
    return altered;
  });
