import fc from 'fast-check';
import { Address4, Address6 } from 'ip-address';
import {
  broadcastOf,
  cidrContains,
  cidrCovers,
  cidrOf,
  cidrsOverlap,
  formatCidr,
  ipv4Mask,
  ipv4MaskPrefix,
  ipv6Mask,
  ipv6MaskPrefix,
  lastIp,
  networkIp,
  parseCidr,
  type Cidr,
} from '../../../flows/net/cidr.js';
import { formatIp, formatIpv4, formatIpv6, MAX_IPV4, MAX_IPV6, type Ip } from '../../../flows/net/ip.js';

const ip: fc.Arbitrary<Ip> = fc.oneof(
  fc.integer({ min: 0, max: MAX_IPV4 }).map((value): Ip => ({ family: 'ipv4', value })),
  fc.bigInt({ min: 0n, max: MAX_IPV6 }).map((value): Ip => ({ family: 'ipv6', value })),
);
const cidr = fc.tuple(ip, fc.nat(128)).map(([address, prefix]) => cidrOf(address, address.family === 'ipv4' ? prefix % 33 : prefix));
// A few bits and few addresses, so that prefixes meet.
const small = fc
  .tuple(fc.nat(15), fc.integer({ min: 28, max: 32 }))
  .map(([low, prefix]) => cidrOf({ family: 'ipv4', value: 0xfffffff0 + low }, prefix));
const addresses = (of: Cidr): string[] =>
  Array.from({ length: 16 }, (_, low): Ip => ({ family: 'ipv4', value: 0xfffffff0 + low }))
    .filter((a) => cidrContains(of, a))
    .map(formatIp);

describe('parseCidr', () => {
  it('reads back what formatCidr writes', () => {
    fc.assert(fc.property(cidr, (value) => expect(parseCidr(formatCidr(value))).toEqual(value)));
  });

  it.each([
    ['10.0.0.0', 'a prefix is an address, a slash and a number of bits'],
    ['10.0.0.5/24', '10.0.0.5 has host bits set; the network is 10.0.0.0/24'],
    ['2001:db8::1/64', '2001:db8::1 has host bits set; the network is 2001:db8::/64'],
    ['10.0.0.0/33', 'an IPv4 prefix has at most 32 bits'],
    ['::/129', 'an IPv6 prefix has at most 128 bits'],
    ['10.0.0.0/', '"" is not a number of bits'],
    ['10.0.0.0/08', '"08" is not a number of bits'],
    ['10.0.0.0/255.0.0.0', '"255.0.0." is not a number of bits'],
    ['10.0.0/24', '"10.0.0": an IPv4 address is four decimal numbers separated by dots'],
  ])('says what is wrong when given %j', (text, reason) => {
    expect(() => parseCidr(text)).toThrow(reason);
  });
});

describe('first and last address', () => {
  it('agree with ip-address', () => {
    fc.assert(
      fc.property(cidr, (value) => {
        const text = formatCidr(value);
        const peer = value.family === 'ipv4' ? new Address4(text) : new Address6(text);
        expect([networkIp(value).value, lastIp(value).value].map(BigInt)).toEqual([
          peer.startAddress().bigInt(),
          peer.endAddress().bigInt(),
        ]);
      }),
    );
  });

  it('broadcast exists where a subnet has one', () => {
    expect(
      ['10.0.0.0/24', '0.0.0.0/0', '10.0.0.4/30', '10.0.0.4/31', '10.0.0.4/32', '2001:db8::/64'].map((text) =>
        broadcastOf(parseCidr(text)),
      ),
    ).toEqual([0x0a0000ff, 0xffffffff, 0x0a000007, undefined, undefined, undefined]);
  });
});

describe('containment', () => {
  it('agrees with sets of addresses', () => {
    fc.assert(
      fc.property(small, small, (a, b) => {
        const inB = new Set(addresses(b));
        expect([cidrsOverlap(a, b), cidrCovers(b, a)]).toEqual([
          addresses(a).some((x) => inB.has(x)),
          addresses(a).every((x) => inB.has(x)),
        ]);
      }),
    );
  });

  it('holds between the ends of a prefix and not beyond, and never across families', () => {
    const inside = (text: string, ...values: Ip[]) => values.map((value) => cidrContains(parseCidr(text), value));
    expect([
      inside('2001:db8::/127', { family: 'ipv6', value: (0x20010db8n << 96n) + 1n }, { family: 'ipv6', value: (0x20010db8n << 96n) + 2n }),
      inside('0.0.0.0/0', { family: 'ipv4', value: MAX_IPV4 }, { family: 'ipv6', value: 0n }),
      inside('::/0', { family: 'ipv6', value: MAX_IPV6 }, { family: 'ipv4', value: 0 }),
      cidrsOverlap(parseCidr('::/0'), parseCidr('0.0.0.0/0')),
    ]).toEqual([[true, false], [true, false], [true, false], false]);
  });
});

describe('masks', () => {
  it('turn into their prefix length and back', () => {
    for (let prefix = 0; prefix <= 32; prefix++) expect(ipv4MaskPrefix(ipv4Mask(prefix))).toBe(prefix);
    for (let prefix = 0; prefix <= 128; prefix++) expect(ipv6MaskPrefix(ipv6Mask(prefix))).toBe(prefix);
    expect([formatIpv4(ipv4Mask(20)), formatIpv6(ipv6Mask(65))]).toEqual(['255.255.240.0', 'ffff:ffff:ffff:ffff:8000::']);
  });

  it('are refused when their ones are not on the left', () => {
    expect([ipv4MaskPrefix(0xff00ff00), ipv4MaskPrefix(1), ipv6MaskPrefix(1n), ipv6MaskPrefix(MAX_IPV6 << 1n)]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(() => ipv4Mask(33)).toThrow('33 is not a prefix length of ipv4');
    expect(() => ipv6Mask(-1)).toThrow(RangeError);
  });
});
