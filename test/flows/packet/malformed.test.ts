import fc from 'fast-check';
import { decodeArp } from '../../../flows/packet/arp.js';
import { concatBytes } from '../../../flows/packet/bytes.js';
import type { IpEnds } from '../../../flows/packet/checksum.js';
import type { Decoded } from '../../../flows/packet/decoded.js';
import { decodeDhcp, encodeDhcp, type DhcpMessage } from '../../../flows/packet/dhcpv4.js';
import { classlessRoutesOf, ipv4Of, uint16Of, uint8Of } from '../../../flows/packet/dhcpv4-options.js';
import { decodeEthernet } from '../../../flows/packet/ethernet.js';
import { decodeIcmpv4, decodeIcmpv6 } from '../../../flows/packet/icmp.js';
import { decodeIpv4 } from '../../../flows/packet/ipv4.js';
import { decodeIpv6, walkExtensions } from '../../../flows/packet/ipv6.js';
import { decodeNd } from '../../../flows/packet/nd.js';
import { extractFields } from '../../../flows/packet/packet-view.js';
import { decodeTcp } from '../../../flows/packet/tcp.js';
import { decodeUdp } from '../../../flows/packet/udp.js';
import { alteredFrame } from './frames.js';

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');
const ends: IpEnds = { family: 'ipv6', src: 1n, dst: 2n };

/** Everything any decoder says of bytes at the places where it could be asked. */
function decodeEverything(frame: Uint8Array): unknown {
  const dhcp = decodeDhcp(frame.subarray(42));
  const options = dhcp.ok ? [uint8Of(dhcp.value, 53), uint16Of(dhcp.value, 57), ipv4Of(dhcp.value, 50), classlessRoutesOf(dhcp.value)] : [];
  const payload = frame.subarray(14);
  const v6 = decodeIpv6(payload);
  const v6Upper = v6.ok ? walkExtensions(v6.value) : v6;
  return [
    extractFields(frame),
    decodeEthernet(frame),
    decodeArp(payload),
    decodeIpv4(payload),
    v6,
    v6Upper,
    ...[34, 38, 54, 62].flatMap((offset) => {
      const upper = frame.subarray(offset);
      return [
        decodeUdp(upper),
        decodeTcp(upper),
        decodeIcmpv4(upper),
        decodeIcmpv6(upper, ends),
        decodeNd({ type: upper[0] ?? 0, code: 0, body: upper.subarray(4) }),
      ];
    }),
    dhcp,
    options,
  ];
}

const inside = (frame: Uint8Array, filler: number): Uint8Array => {
  const room = new Uint8Array(frame.length + 64).fill(filler);
  room.set(frame, 32);
  return room.subarray(32, 32 + frame.length);
};

describe('decoders', () => {
  it('neither throw nor see what surrounds the frame, for 3,000 damaged frames', () => {
    fc.assert(
      fc.property(alteredFrame, (frame) => {
        expect(decodeEverything(inside(frame, 0x00))).toEqual(decodeEverything(inside(frame, 0xff)));
      }),
      { numRuns: 3000 },
    );
  });

  it('do not throw for 200,000 frames of random changes', () => {
    const frames = fc.sample(alteredFrame, 2000);
    // xorshift: the changes must be cheap, and the seed be seen when one fails.
    const seed = Date.now() >>> 0 || 1;
    let state = seed;
    const random = (below: number): number => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) % below;
    };
    for (let run = 0; run < 200_000; run++) {
      const frame = frames[run % frames.length]!.slice();
      if (frame.length > 0) for (let change = random(4); change >= 0; change--) frame[random(frame.length)] = random(256);
      try {
        decodeEverything(frame);
      } catch (error) {
        throw new Error(`seed ${seed}, frame ${Buffer.from(frame).toString('hex')}`, { cause: error });
      }
    }
  }, 60_000);

  const ipv4Header = '4500 0014 0000 0000 4001 0000 0a000001 0a000002';
  const ipv6Header = (next: string, length: string): string => `60000000 ${length} ${next} 40 ${'00'.repeat(15)}01 ${'00'.repeat(15)}02`;
  const extensions = (next: string, payload: string): Decoded<unknown> => {
    const packet = decodeIpv6(hex(ipv6Header(next, (payload.replaceAll(' ', '').length / 2).toString(16).padStart(4, '0')) + payload));
    return packet.ok ? walkExtensions(packet.value) : packet;
  };

  it.each<[string, Decoded<unknown>, string, string]>([
    ['a frame of 13 bytes', decodeEthernet(new Uint8Array(13)), 'ethernet', 'truncated'],
    ['a tag without a type', decodeEthernet(hex('000000000001 000000000002 8100 0001')), 'ethernet', 'truncated'],
    ['802.3', decodeEthernet(hex('000000000001 000000000002 0003 424203')), 'ethernet', 'unsupported'],
    ['ARP cut short', decodeArp(new Uint8Array(27)), 'arp', 'truncated'],
    ['ARP for another hardware', decodeArp(hex(`0006 0800 0604 0001 ${'00'.repeat(20)}`)), 'arp', 'unsupported'],
    ['IPv4 cut short', decodeIpv4(hex(ipv4Header).subarray(0, 19)), 'ipv4', 'truncated'],
    ['IPv4 of version 5', decodeIpv4(hex(ipv4Header.replace('45', '55'))), 'ipv4', 'bad_version'],
    ['IPv4 header of 16 bytes', decodeIpv4(hex(ipv4Header.replace('45', '44'))), 'ipv4', 'bad_length'],
    ['IPv4 header beyond the packet', decodeIpv4(hex(ipv4Header.replace('45', '46'))), 'ipv4', 'bad_length'],
    ['IPv4 packet beyond the frame', decodeIpv4(hex(ipv4Header.replace('0014', '0015'))), 'ipv4', 'bad_length'],
    ['IPv4 checksum', decodeIpv4(hex(ipv4Header)), 'ipv4', 'bad_checksum'],
    ['IPv6 cut short', decodeIpv6(new Uint8Array(39)), 'ipv6', 'truncated'],
    ['IPv6 of version 4', decodeIpv6(hex(ipv6Header('3b', '0000').replace('6', '4'))), 'ipv6', 'bad_version'],
    ['IPv6 packet beyond the frame', decodeIpv6(hex(ipv6Header('3b', '0001'))), 'ipv6', 'bad_length'],
    ['an extension header of 4 bytes', extensions('00', '3b000000'), 'ipv6', 'truncated'],
    ['an extension header beyond the packet', extensions('3c', '3b01 0000 00000000'), 'ipv6', 'bad_length'],
    ['an authentication header beyond the packet', extensions('33', '3b01 0000 00000000'), 'ipv6', 'bad_length'],
    ['UDP cut short', decodeUdp(new Uint8Array(7)), 'udp', 'truncated'],
    ['UDP of length 7', decodeUdp(hex('0043 0044 0007 0000')), 'udp', 'bad_length'],
    ['UDP beyond the packet', decodeUdp(hex('0043 0044 0009 0000')), 'udp', 'bad_length'],
    ['TCP cut short', decodeTcp(new Uint8Array(19)), 'tcp', 'truncated'],
    ['TCP header of 16 bytes', decodeTcp(hex(`${'00'.repeat(12)} 4002 ${'00'.repeat(6)}`)), 'tcp', 'bad_length'],
    ['TCP header beyond the packet', decodeTcp(hex(`${'00'.repeat(12)} 6002 ${'00'.repeat(6)}`)), 'tcp', 'bad_length'],
    ['ICMP cut short', decodeIcmpv4(new Uint8Array(7)), 'icmpv4', 'truncated'],
    ['ICMP checksum', decodeIcmpv4(hex('0800 0000 00000000')), 'icmpv4', 'bad_checksum'],
    ['ICMPv6 checksum', decodeIcmpv6(hex('8000 0000 00000000'), ends), 'icmpv6', 'bad_checksum'],
    ['ND of another type', decodeNd({ type: 137, code: 0, body: new Uint8Array(36) }), 'nd', 'bad_type'],
    ['ND of code 1', decodeNd({ type: 133, code: 1, body: new Uint8Array(4) }), 'nd', 'bad_value'],
    ['ND cut short', decodeNd({ type: 135, code: 0, body: new Uint8Array(19) }), 'nd', 'truncated'],
    ['an ND option of length 0', decodeNd({ type: 133, code: 0, body: hex('00000000 0100 000000000000') }), 'nd', 'bad_length'],
    ['an ND option beyond the packet', decodeNd({ type: 133, code: 0, body: hex('00000000 0102 000000000000') }), 'nd', 'bad_length'],
    ['half an ND option header', decodeNd({ type: 133, code: 0, body: hex('00000000 01') }), 'nd', 'bad_length'],
    ['DHCP cut short', decodeDhcp(new Uint8Array(239)), 'dhcpv4', 'truncated'],
    ['DHCP of op 3', decodeDhcp(new Uint8Array(240).fill(3)), 'dhcpv4', 'bad_type'],
    ['DHCP without its cookie', decodeDhcp(concatBytes([hex('010106'), new Uint8Array(300)])), 'dhcpv4', 'unsupported'],
  ])('name layer and reason when given %s', (_, result, layer, reason) => {
    expect(result).toEqual({ ok: false, layer, reason });
  });
});

describe('walkExtensions', () => {
  const walk = (next_header: number, text: string) => walkExtensions({ next_header, payload: hex(text) });

  it('passes every extension header and stops at what it does not know', () => {
    expect(walk(0, `2b00 000000000000 3c00 000000000000 3302 ${'00'.repeat(14)} 2c00 000000000000 1100 0000 00000000 0102`)).toEqual({
      ok: true,
      value: { protocol: 17, fragment: undefined, payload: hex('0102'), named_at: 40 },
    });
    expect(walk(50, '0102')).toEqual({ ok: true, value: { protocol: 50, fragment: undefined, payload: hex('0102') } });
  });

  it('reads a first fragment on, and a later one not', () => {
    expect([walk(44, '3c00 0001 00000007 1100 000000000000 0102'), walk(44, '3c00 0010 00000007 1100 000000000000 0102')]).toEqual([
      { ok: true, value: { protocol: 17, fragment: { offset: 0, more_fragments: true, id: 7 }, payload: hex('0102'), named_at: 8 } },
      {
        ok: true,
        value: {
          protocol: 60,
          fragment: { offset: 16, more_fragments: false, id: 7 },
          payload: hex('1100 000000000000 0102'),
          named_at: 0,
        },
      },
    ]);
  });
});

describe('decodeDhcp', () => {
  const message: DhcpMessage = {
    op: 'request',
    hops: 0,
    xid: 1,
    secs: 0,
    flags: 0,
    ciaddr: 0,
    yiaddr: 0,
    siaddr: 0,
    giaddr: 0,
    chaddr: 2,
    options: [],
  };
  const withBytes = (changes: Record<number, string>): Uint8Array => {
    const bytes = encodeDhcp(message).slice();
    for (const [offset, text] of Object.entries(changes)) bytes.set(hex(text), Number(offset));
    return bytes;
  };
  const optionsOf = (bytes: Uint8Array): unknown => {
    const result = decodeDhcp(bytes);
    return result.ok ? result.value.options.map(({ code, data }) => [code, Buffer.from(data).toString('hex')]) : result.reason;
  };

  it('joins an option that comes in several pieces, also in file and sname (RFC 3396)', () => {
    expect(optionsOf(withBytes({ 240: '340103 3c0161 3501 01 3c0162 ff', 108: '3c0163 ff', 44: '3c0164 00 0c0165 ff' }))).toEqual([
      [52, '03'],
      [60, '61626364'],
      [53, '01'],
      [12, '65'],
    ]);
  });

  it('leaves file and sname alone unless they are overloaded', () => {
    expect([optionsOf(withBytes({ 240: '350101 ff', 108: '3cff' })), optionsOf(withBytes({ 240: '340101 ff', 108: '3cff' }))]).toEqual([
      [[53, '01']],
      'bad_length',
    ]);
  });

  it('forgives a missing end and refuses an option that reaches beyond it', () => {
    expect([
      optionsOf(withBytes({ 240: '350101' }).subarray(0, 243)),
      optionsOf(withBytes({ 240: '350101' }).subarray(0, 242)),
      optionsOf(withBytes({ 240: '350101' }).subarray(0, 241)),
    ]).toEqual([[[53, '01']], 'bad_length', 'bad_length']);
  });

  it('reads options of the wrong length as absent', () => {
    const wrong = { ...message, options: [53, 57, 50, 121].map((code) => ({ code, data: hex('ffffff') })) };
    expect([uint8Of(wrong, 53), uint16Of(wrong, 57), ipv4Of(wrong, 50), classlessRoutesOf(wrong), classlessRoutesOf(message)]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});
