import type { Response } from '../../../datapath/respond/contract.js';
import { respondRouterSolicit } from '../../../datapath/respond/router-advertiser.js';
import { SliceContext } from '../../../datapath/respond/slice-context.js';
import type { SliceRecord } from '../../../controller/messages/slice.js';
import { parseIpv6 } from '../../../flows/net/ip.js';
import { parseMac } from '../../../flows/net/mac.js';
import { concatBytes } from '../../../flows/packet/bytes.js';
import { encodeIcmpv6 } from '../../../flows/packet/icmp.js';
import { encodeIpFrame } from '../../../flows/packet/ip-frame.js';
import { encodeNd, type NdMessage } from '../../../flows/packet/nd.js';
import { routerSolicitFrame } from '../../../flows/packet/probes.js';
import { SLICE, VM_PORT } from './records.js';

const VM = parseMac('02:00:00:00:00:07');
const LINK_LOCAL = parseIpv6('fe80::ff:fe00:7');

const ask = (data: Uint8Array, slice: readonly SliceRecord[] = Object.values(SLICE)): Response => {
  const context = new SliceContext();
  context.apply(slice, []);
  return respondRouterSolicit({ punt: { kind: 'router_solicit' }, data, port_key: VM_PORT }, context);
};
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const plain = (hex: string): string => hex.replaceAll(/\s/g, '');
/** A message to all routers, as it should be but for what is told. */
const sent = (message: NdMessage, { src = LINK_LOCAL, ttl = 255, code = 0, damage = 0 } = {}): Uint8Array => {
  const ip = { family: 'ipv6', src, dst: parseIpv6('ff02::2') } as const;
  const icmp = encodeIcmpv6({ ...encodeNd(message), code }, ip);
  icmp[2]! ^= damage;
  return encodeIpFrame({ eth_src: VM, eth_dst: parseMac('33:33:00:00:00:02'), ip, ttl }, 58, icmp);
};

describe('router advertiser', () => {
  it('answers the sender, byte for byte', () => {
    const { outcome, frames } = ask(routerSolicitFrame({ eth_src: VM, src: LINK_LOCAL }));
    expect([outcome, frames.map(text)]).toEqual([
      'advertised',
      [
        plain(`020000000007 020000000001 86dd 60000000 0058 3a ff
          fe80 000000000000 0000 00ff fe00 0001 fe80 000000000000 0000 00ff fe00 0007
          86 00 7867 40 00 ffff 00000000 00000000
          01 01 020000000001
          05 01 0000 000005aa
          03 04 40 80 ffffffff ffffffff 00000000 20010db8 0001 ${'00'.repeat(10)}
          19 03 0000 ffffffff 20010db8 0001 ${'00'.repeat(8)} 0053`),
      ],
    ]);
  });

  it('answers to all nodes when the sender has no address yet', () => {
    const [frame] = ask(routerSolicitFrame({ eth_src: VM, src: 0n })).frames;
    expect([text(frame!).slice(0, 12), text(frame!).slice(76, 108)]).toEqual(['333300000001', 'ff020000000000000000000000000001']);
  });

  it('says what the network is: autonomous addresses, no router, no resolver, an MTU IPv6 cannot have', () => {
    const network = { ...SLICE.network, ipv6_slaac: true, mtu: 1000, dns_servers: [] };
    const [frame] = ask(
      routerSolicitFrame({ eth_src: VM, src: LINK_LOCAL }),
      Object.values({ ...SLICE, network, router: { ...SLICE.router, enable_routing: false } }),
    ).frames;
    // From the flags on: hop limit, flags, lifetime, timers, then link address and prefix only.
    expect(text(frame!).slice(116)).toBe(
      plain(`4000 0000 00000000 00000000 01 01 020000000001 03 04 40 c0 ffffffff ffffffff 00000000 20010db8 0001 ${'00'.repeat(10)}`),
    );
  });

  const solicit: NdMessage = { kind: 'router_solicit', options: [] };
  it.each<[string, Uint8Array, string]>([
    ['one that crossed a router', sent(solicit, { ttl: 254 }), 'malformed'],
    ['a wrong checksum', sent(solicit, { damage: 1 }), 'malformed'],
    ['a code', sent(solicit, { code: 1 }), 'malformed'],
    [
      'a link address of nobody',
      sent({ kind: 'router_solicit', options: [{ kind: 'source_link_address', mac: VM }] }, { src: 0n }),
      'malformed',
    ],
    ['a neighbour solicitation', sent({ kind: 'neighbor_solicit', target: 1n, options: [] }), 'malformed'],
    [
      'one with an extension header',
      encodeIpFrame(
        { eth_src: VM, eth_dst: 1, ip: { family: 'ipv6', src: LINK_LOCAL, dst: 2n }, ttl: 255 },
        60,
        concatBytes([Uint8Array.of(58, 0, 0, 0, 0, 0, 0, 0)]),
      ),
      'malformed',
    ],
    ['IPv4', encodeIpFrame({ eth_src: VM, eth_dst: 1, ip: { family: 'ipv4', src: 1, dst: 2 } }, 58, new Uint8Array(8)), 'malformed'],
    ['nothing', new Uint8Array(0), 'malformed'],
    ['a NIC without addresses', routerSolicitFrame({ eth_src: 5, src: LINK_LOCAL }), 'no_lease'],
  ])('does not answer %s', (_, frame, outcome) => {
    expect(ask(frame)).toEqual({ outcome, frames: [] });
  });

  it('answers the plain solicitation those differ from', () => {
    expect(ask(sent(solicit)).outcome).toBe('advertised');
  });
});
