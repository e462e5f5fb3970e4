import { Advertiser } from '../../../datapath/agent/advertising.js';
import type { Advertisement } from '../../../datapath/respond/contract.js';
import type { LocalPort } from '../../../flows/compile/contract.js';
import { parseCidr, type Ipv6Cidr } from '../../../flows/net/cidr.js';
import { parseIpv6 } from '../../../flows/net/ip.js';
import { decodeEthernet } from '../../../flows/packet/ethernet.js';
import { decodeIcmpv6 } from '../../../flows/packet/icmp.js';
import { decodeIpv6 } from '../../../flows/packet/ipv6.js';
import { decodeNd } from '../../../flows/packet/nd.js';
import { ManualClock } from './manual-clock.js';

const PERIOD_MS = 600_000;
const local = (n: number): LocalPort => ({ kind: 'local_port', uuid: `port-if-${n}`, interface_uuid: `if-${n}`, ofport: n, ct_zone: n });
const prefix = (text: string) => ({ prefix: parseCidr(text) as Ipv6Cidr, autonomous: false });
const ROUTER: Advertisement = {
  mac: 0x0200_0000_0001,
  is_router: true,
  mtu: 1442,
  prefixes: [prefix('fd00:1::/64')],
  dns_servers: [parseIpv6('fd00:1::53')],
};

/** What a frame tells: who speaks, router lifetime, and each prefix and resolver with its lifetime. */
function said(frame: Uint8Array): string {
  const ethernet = decodeEthernet(frame);
  const packet = ethernet.ok ? decodeIpv6(ethernet.value.payload) : ethernet;
  if (!ethernet.ok || !packet.ok) throw new Error('no IPv6');
  const icmp = decodeIcmpv6(packet.value.payload, { family: 'ipv6', src: packet.value.src, dst: packet.value.dst });
  const message = icmp.ok ? decodeNd(icmp.value) : icmp;
  if (!message.ok || message.value.kind !== 'router_advert') throw new Error('no router advertisement');
  const options = message.value.options.map((option) => {
    if (option.kind === 'prefix_information') return `${(option.prefix >> 64n).toString(16)}=${option.valid_lifetime}`;
    return option.kind === 'rdnss' ? `dns${option.servers.length}=${option.lifetime}` : '';
  });
  return [ethernet.value.src & 0xff, message.value.router_lifetime, ...options.filter(Boolean)].join(' ');
}

class Bench {
  readonly clock = new ManualClock();
  readonly stop = new AbortController();
  readonly sent: string[] = [];
  readonly running: Promise<void>;
  readonly advertiser: Advertiser;
  ports: LocalPort[];
  advertisements: readonly Advertisement[] = [ROUTER];
  isUp = true;

  constructor(ports: number) {
    this.ports = Array.from({ length: ports }, (_, i) => local(i + 1));
    this.advertiser = new Advertiser({
      ports: () => this.ports,
      advertisements: (uuid) => (uuid === 'if-7' ? [] : this.advertisements),
      send: (frame, ofport) => {
        if (this.isUp) this.sent.push(`${ofport}: ${said(frame)}`);
        return this.isUp;
      },
      clock: this.clock,
      random: () => 0.999,
    });
    this.running = this.advertiser.run(this.stop.signal);
  }

  /** What was sent since the last look. */
  async since(ms: number): Promise<string[]> {
    await this.clock.advance(ms);
    return this.sent.splice(0);
  }
}

const FULL = '1 65535 fd00000100000000=4294967295 dns1=4294967295';

describe('unsolicited router advertisements', () => {
  it('go to every local port when it comes and once in ten minutes, and to none when nobody speaks there', async () => {
    const bench = new Bench(20);
    const everyone = bench.ports.filter(({ ofport }) => ofport !== 7).map(({ ofport }) => `${ofport}: ${FULL}`);
    bench.advertiser.portsChanged();
    expect(await bench.since(1_000)).toEqual(everyone);
    expect(await bench.since(PERIOD_MS - 10_000)).toEqual([]);
    expect(await bench.since(11_000)).toEqual(everyone);
    bench.ports.push(local(21));
    bench.advertiser.portsChanged();
    expect(await bench.since(1_000)).toEqual([`21: ${FULL}`]);
    bench.stop.abort();
    expect(await bench.since(2 * PERIOD_MS)).toEqual([]);
    await bench.running;
  });

  it('tell at once what has changed, and take back what is so no more, once', async () => {
    const bench = new Bench(1);
    bench.advertiser.portsChanged();
    await bench.since(1_000);
    const change = async (advertisements: readonly Advertisement[]) => {
      bench.advertisements = advertisements;
      bench.advertiser.changed('all');
      return bench.since(1_000);
    };
    expect(await change([ROUTER])).toEqual([]);
    expect(await change([{ ...ROUTER, prefixes: [prefix('fd00:9::/64')], dns_servers: [] }])).toEqual([
      '1: 1 65535 fd00000900000000=4294967295 fd00000100000000=0 dns1=0',
    ]);
    // Another router for the same prefix: hosts keep the prefix.
    const other = { ...ROUTER, mac: 0x0200_0000_0002, prefixes: [prefix('fd00:9::/64')], dns_servers: [] };
    expect(await change([other])).toEqual(['1: 1 0', '1: 2 65535 fd00000900000000=4294967295']);
    expect(await change([])).toEqual(['1: 2 0 fd00000900000000=0']);
    expect(await change([])).toEqual([]);
    bench.stop.abort();
    await bench.running;
  });

  it('are told to the interfaces that changed, when they can be reached', async () => {
    const bench = new Bench(3);
    bench.isUp = false;
    bench.advertiser.portsChanged();
    expect(await bench.since(1_000)).toEqual([]);
    bench.isUp = true;
    bench.advertiser.portsChanged();
    expect(await bench.since(1_000)).toEqual([1, 2, 3].map((n) => `${n}: ${FULL}`));
    bench.isUp = false;
    bench.advertisements = [{ ...ROUTER, dns_servers: [] }];
    bench.advertiser.changed(['if-2', 'if-none']);
    expect(await bench.since(1_000)).toEqual([]);
    bench.isUp = true;
    bench.advertiser.portsChanged();
    expect(await bench.since(1_000)).toEqual(['2: 1 65535 fd00000100000000=4294967295 dns1=0']);
    bench.stop.abort();
    await bench.running;
  });
});
