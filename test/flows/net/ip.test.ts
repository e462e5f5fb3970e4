import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { Address6 } from 'ip-address';
import { AddressError } from '../../../flows/net/address-error.js';
import {
  formatIp,
  formatIpv4,
  formatIpv6,
  ipv4Bytes,
  ipv4FromBytes,
  ipv6Bytes,
  ipv6FromBytes,
  isLinkLocalIpv6,
  isLoopbackIpv4,
  isMulticastIpv4,
  isMulticastIpv6,
  MAX_IPV6,
  parseIp,
  parseIpv4,
  parseIpv6,
  solicitedNode,
} from '../../../flows/net/ip.js';

const ipv4 = fc.integer({ min: 0, max: 0xffffffff });
// Random 128 bits hardly ever have runs of zero groups, so groups are drawn with many zeros.
const ipv6 = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n));
const nearly = (alphabet: string) => fc.string({ unit: fc.constantFrom(...Array.from(alphabet)), maxLength: 24 });

const accepts = (parse: (text: string) => unknown, text: string): boolean => {
  try {
    parse(text);
    return true;
  } catch (error) {
    if (!(error instanceof AddressError) || error.reason === '') throw error;
    return false;
  }
};

describe('parseIpv4', () => {
  it('reads back what formatIpv4 writes', () => {
    fc.assert(fc.property(ipv4, (value) => parseIpv4(formatIpv4(value)) === value && isIPv4(formatIpv4(value))));
  });

  it('accepts exactly what node:net accepts when texts are nearly addresses', () => {
    fc.assert(
      fc.property(nearly('0125.. x'), (text) => accepts(parseIpv4, text) === isIPv4(text)),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['10.0.0.010', '"10.0.0.010": 010 has a leading zero, which some programs read as octal'],
    ['10.0.0', '"10.0.0": an IPv4 address is four decimal numbers separated by dots'],
    ['10.0.0.256', '"10.0.0.256": 256 is more than 255'],
    ['0x0a.0.0.1', '"0x0a.0.0.1": "0x0a" is not a decimal number from 0 to 255'],
    ['10.0.0.1 ', '"10.0.0.1 ": "1 " is not a decimal number from 0 to 255'],
    ['', '"": an IPv4 address is four decimal numbers separated by dots'],
    ['1'.repeat(100), `"${'1'.repeat(64)}…": an IPv4 address is four decimal numbers separated by dots`],
  ])('says what is wrong when given %j', (text, message) => {
    expect(() => parseIpv4(text)).toThrow(new AddressError(text, message.slice(message.indexOf('": ') + 3)));
    expect(() => parseIpv4(text)).toThrow(message);
  });
});

describe('parseIpv6', () => {
  it('reads back what formatIpv6 writes', () => {
    fc.assert(fc.property(ipv6, (value) => parseIpv6(formatIpv6(value)) === value && isIPv6(formatIpv6(value))));
  });

  it('accepts exactly what node:net accepts, with the same value as ip-address, when texts are nearly addresses', () => {
    const groups = fc.array(fc.oneof(fc.constantFrom('', '0', 'ffff', '1.2.3.4', '12345', 'g'), nearly('0f')), { maxLength: 10 });
    fc.assert(
      fc.property(
        fc.oneof(
          nearly('0aF:::.1'),
          groups.map((words) => words.join(':')),
        ),
        (text) => {
          expect([text, accepts(parseIpv6, text)]).toEqual([text, isIPv6(text)]);
          if (isIPv6(text)) expect(parseIpv6(text)).toBe(new Address6(text).bigInt());
        },
      ),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['fe80::1%eth0', 'a zone is not part of an address here'],
    ['1::2::3', '"::" may appear once'],
    ['1:2:3', 'it has 3 groups of 16 bits, not 8, and no "::"'],
    ['1:2:3:4::5:6:7:8', '"::" stands for at least one group, and there is none left'],
    ['12345::', '"12345" is not one to four hex digits'],
    ['::1.2.3.04', '04 has a leading zero, which some programs read as octal'],
    ['1.2.3.4', 'an IPv6 address has colons'],
  ])('says what is wrong when given %j', (text, reason) => {
    expect(() => parseIpv6(text)).toThrow(reason);
  });
});

describe('formatIpv6', () => {
  // The examples of RFC 5952 §4 and §5.
  it.each([
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:DB8::AAAA', '2001:db8::aaaa'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['::192.0.2.1', '::c000:201'],
  ])('writes %s as %s', (text, canonical) => {
    expect(formatIpv6(parseIpv6(text))).toBe(canonical);
  });

  it('agrees with ip-address when the address is not IPv4-mapped', () => {
    fc.assert(
      fc.property(
        ipv6.filter((value) => value >> 32n !== 0xffffn),
        (value) => formatIpv6(value) === Address6.fromBigInt(value).correctForm(),
      ),
    );
  });
});

describe('parseIp', () => {
  it('names the family it found', () => {
    expect([parseIp('10.0.0.1'), parseIp('::1'), formatIp(parseIp('10.0.0.1')), formatIp(parseIp('0::1'))]).toEqual([
      { family: 'ipv4', value: 0x0a000001 },
      { family: 'ipv6', value: 1n },
      '10.0.0.1',
      '::1',
    ]);
  });
});

describe('byte forms', () => {
  it('are inverse and most significant first', () => {
    fc.assert(fc.property(ipv4, (value) => ipv4FromBytes(ipv4Bytes(value)) === value));
    fc.assert(fc.property(ipv6, (value) => ipv6FromBytes(ipv6Bytes(value)) === value));
    expect([[...ipv4Bytes(0x0a000001)], ipv6Bytes(MAX_IPV6 - 1n)[15], ipv6Bytes(1n << 127n)[0]]).toEqual([[10, 0, 0, 1], 0xfe, 0x80]);
  });

  it('refuse another number of bytes', () => {
    expect(() => ipv4FromBytes(new Uint8Array(3))).toThrow(RangeError);
    expect(() => ipv6FromBytes(new Uint8Array(17))).toThrow(RangeError);
  });
});

describe('address classes', () => {
  it('begin and end where their prefixes do', () => {
    const v4 = (text: string) => [isMulticastIpv4(parseIpv4(text)), isLoopbackIpv4(parseIpv4(text))];
    const v6 = (text: string) => [isMulticastIpv6(parseIpv6(text)), isLinkLocalIpv6(parseIpv6(text))];
    expect(['223.255.255.255', '224.0.0.0', '239.255.255.255', '240.0.0.0', '127.255.255.255', '128.0.0.0'].map(v4)).toEqual([
      [false, false],
      [true, false],
      [true, false],
      [false, false],
      [false, true],
      [false, false],
    ]);
    expect(['feff::', 'ff00::', 'fe80::', 'febf::', 'fec0::'].map(v6)).toEqual([
      [false, false],
      [true, false],
      [false, true],
      [false, true],
      [false, false],
    ]);
  });

  it('solicited-node group keeps the low 24 bits', () => {
    // RFC 4291 §2.7.1
    expect(formatIpv6(solicitedNode(parseIpv6('4037::01:800:200e:8c6c')))).toBe('ff02::1:ff0e:8c6c');
  });
});
