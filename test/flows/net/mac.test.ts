import fc from 'fast-check';
import { AddressError } from '../../../flows/net/address-error.js';
import { formatIpv6, parseIpv6 } from '../../../flows/net/ip.js';
import { eui64Address, eui64LinkLocal, formatMac, ipv6MulticastMac, isMulticastMac, MAX_MAC, parseMac } from '../../../flows/net/mac.js';

const mac = fc.integer({ min: 0, max: MAX_MAC });

describe('parseMac', () => {
  it('reads back what formatMac writes, in either case', () => {
    fc.assert(fc.property(mac, (value) => parseMac(formatMac(value)) === value && parseMac(formatMac(value).toUpperCase()) === value));
    expect(formatMac(0x0a0000000001)).toBe('0a:00:00:00:00:01');
  });

  it.each([
    '',
    '0a:00:00:00:00',
    '0a:00:00:00:00:01:02',
    '0a-00-00-00-00-01',
    'a:0:0:0:0:1',
    '0a0000000001',
    '0g:00:00:00:00:01',
    ' 0a:00:00:00:00:01',
    '0a:00:00:00:00:01\n',
  ])('refuses %j', (text) => {
    expect(() => parseMac(text)).toThrow(AddressError);
  });
});

describe('formatMac', () => {
  it.each([-1, MAX_MAC + 1, 1.5, Number.NaN])('refuses %d', (value) => {
    expect(() => formatMac(value)).toThrow(RangeError);
  });
});

describe('isMulticastMac', () => {
  it('looks at the I/G bit', () => {
    expect(
      ['01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff', '33:33:00:00:00:01', '02:00:00:00:00:01', 'fe:ff:ff:ff:ff:ff'].map((text) =>
        isMulticastMac(parseMac(text)),
      ),
    ).toEqual([true, true, true, false, false]);
  });
});

describe('EUI-64 addresses', () => {
  it('flip the universal bit and put fffe in the middle (RFC 4291 appendix A)', () => {
    expect([
      formatIpv6(eui64LinkLocal(parseMac('02:00:00:00:00:01'))),
      formatIpv6(eui64LinkLocal(parseMac('34:56:78:9a:bc:de'))),
      formatIpv6(eui64Address(parseIpv6('2001:db8:1:2::ffff'), parseMac('0a:00:27:ff:00:01'))),
    ]).toEqual(['fe80::ff:fe00:1', 'fe80::3656:78ff:fe9a:bcde', '2001:db8:1:2:800:27ff:feff:1']);
  });
});

describe('ipv6MulticastMac', () => {
  it('is 33:33 and the low 32 bits of the group (RFC 2464 §7)', () => {
    expect(formatMac(ipv6MulticastMac(parseIpv6('ff02::1:ff0e:8c6c')))).toBe('33:33:ff:0e:8c:6c');
  });
});
