import { Neighbors } from '../../../datapath/agent/neighbors.js';
import type { PuntedFrame } from '../../../datapath/respond/contract.js';
import type { Gateway, Neighbor } from '../../../flows/compile/contract.js';
import { parseCidr } from '../../../flows/net/cidr.js';
import { formatIpv4, parseIp, parseIpv4 } from '../../../flows/net/ip.js';
import { formatMac, parseMac } from '../../../flows/net/mac.js';
import { ARP_OP, decodeArp, encodeArp } from '../../../flows/packet/arp.js';
import { decodeEthernet, encodeEthernet } from '../../../flows/packet/ethernet.js';
import { ETH_TYPE } from '../../../flows/packet/numbers.js';
import { udpFrame } from '../../../flows/packet/probes.js';
import { ManualClock } from './manual-clock.js';

const MAC = parseMac('02:00:00:00:ed:01');
const OUTSIDE = parseMac('00:16:3e:00:00:09');
const VM = parseMac('0a:00:00:00:00:01');
const PHYSICAL = 30;
const NEXT_HOP = '192.0.2.254';

const GATEWAY: Gateway = {
  kind: 'gateway',
  uuid: 'gw-1',
  interface_uuid: 'if-edge',
  mac_lease_uuid: 'ml-edge',
  mac: MAC,
  segment_key: 9,
  vrf_key: 1,
  domain_uuid: 'nw-ext',
  port_key: 109,
  router_key: 5,
  router_keys: [5],
  addresses: [
    { ip: parseIp('192.0.2.1'), network_uuid: 'nw-ext', ip_lease_uuid: 'il-4' },
    { ip: parseIp('2001:db8::1'), network_uuid: 'nw-ext', ip_lease_uuid: 'il-6' },
  ],
  subnets: [parseCidr('192.0.2.0/24'), parseCidr('2001:db8::/64')],
  next_hops: [parseIp(NEXT_HOP)],
  datapath_uuid: 'dp-1',
  ofport: PHYSICAL,
  physical_network: 'ext',
  candidates: ['dp-1', 'dp-2'],
  contends: true,
};

class World {
  readonly clock = new ManualClock();
  /** `what time`, of what was sent outside. */
  readonly sent: string[] = [];
  readonly refused: number[] = [];
  gateways: readonly Gateway[] = [{ ...GATEWAY, next_hops: [] }];
  before: readonly Neighbor[] = [];
  readonly neighbors: Neighbors;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor() {
    this.neighbors = new Neighbors({
      gateways: () => this.gateways,
      send: (frame) => this.sent.push(`${textOf(frame)} ${this.clock.now() - 1_000}`) > 0,
      refuse: ({ port_key }) => void this.refused.push(port_key),
      before: () => this.before,
      onChange: () => undefined,
      clock: this.clock,
    });
    this.#running = this.neighbors.run(this.#stop.signal);
  }

  become(gateways: readonly Gateway[]): Promise<void> {
    this.gateways = gateways;
    this.neighbors.gatewaysChanged();
    return this.clock.settle();
  }

  /** A packet for somebody outside is handed over. */
  packet(port_key: number, to = '192.0.2.9'): Promise<void> {
    const ip = { family: 'ipv4', src: parseIpv4('10.0.1.11'), dst: parseIpv4(to) } as const;
    const data = udpFrame({ eth_src: VM, eth_dst: MAC, ip, ttl: 63 }, { src_port: 1, dst_port: port_key });
    this.neighbors.take({ punt: { kind: 'resolve' }, data, port_key });
    return this.clock.settle();
  }

  /** Somebody outside says who it is. */
  says(spa: string, sha = OUTSIDE): Promise<void> {
    const payload = encodeArp({ op: ARP_OP.REPLY, sha, spa: parseIpv4(spa), tha: MAC, tpa: parseIpv4('192.0.2.1') });
    const data = encodeEthernet({ dst: MAC, src: sha, eth_type: ETH_TYPE.ARP, payload });
    this.neighbors.take({ punt: { kind: 'neighbor' }, data, port_key: 109 } satisfies PuntedFrame);
    return this.clock.settle();
  }

  known(): Record<string, string> {
    return Object.fromEntries(this.neighbors.records().map(({ address, mac }) => [address, formatMac(mac)]));
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

function textOf(frame: Uint8Array): string {
  const ethernet = decodeEthernet(frame);
  if (!ethernet.ok) return 'malformed';
  const { dst, eth_type, payload } = ethernet.value;
  const arp = eth_type === ETH_TYPE.ARP ? decodeArp(payload) : undefined;
  if (arp?.ok !== true) return eth_type === ETH_TYPE.IPV6 ? 'nd' : `packet to ${formatMac(dst)}`;
  const { spa, tpa } = arp.value;
  return spa === tpa ? `announces ${formatIpv4(tpa)}` : `asks for ${formatIpv4(tpa)}`;
}

describe('neighbours of a gateway', () => {
  let world: World;
  beforeEach(async () => {
    world = new World();
    await world.become(world.gateways);
    await world.clock.advance(3_000);
    world.sent.length = 0;
  });
  afterEach(() => world.end());

  it('are asked for when there is something for them, which they get once they answer', async () => {
    await world.packet(1);
    await world.packet(2);
    await world.clock.advance(40);
    await world.says('192.0.2.9');
    expect([world.sent, world.known(), world.refused]).toEqual([
      ['asks for 192.0.2.9 3000', 'packet to 00:16:3e:00:00:09 3040', 'packet to 00:16:3e:00:00:09 3040'],
      { '192.0.2.9': '00:16:3e:00:00:09' },
      [],
    ]);
  });

  it('that stay silent are forgotten, and who sent them something is told, four at a time', async () => {
    for (const port_key of [1, 2, 3, 4, 5]) await world.packet(port_key);
    await world.clock.advance(4_000);
    expect([world.sent.map((line) => line.replace(/ \d+$/, '')), world.known(), world.refused]).toEqual([
      Array.from({ length: 5 }, () => 'asks for 192.0.2.9'),
      {},
      [1, 2, 3, 4],
    ]);
    // The next packet begins anew.
    await world.packet(6);
    expect(world.sent.length).toBe(6);
  });

  it('that routes lead to are asked for without end, and named while they are silent', async () => {
    await world.become([GATEWAY]);
    await world.clock.advance(20_000);
    const silent = world.neighbors.silent();
    await world.says(NEXT_HOP);
    expect([silent, world.sent.length > 6, world.neighbors.silent(), world.known()]).toEqual([
      [{ address: NEXT_HOP, interface_uuid: 'if-edge' }],
      true,
      [],
      { [NEXT_HOP]: '00:16:3e:00:00:09' },
    ]);
  });

  it('hear of a gateway that comes, by ARP and by an unsolicited advertisement, several times and then no more', async () => {
    await world.become([{ ...GATEWAY, ofport: null, next_hops: [] }]);
    await world.clock.advance(1_000);
    world.sent.length = 0;
    await world.become([{ ...GATEWAY, next_hops: [] }]);
    await world.clock.advance(10_000);
    expect(world.sent).toEqual([0, 100, 500, 2_000].flatMap((ms) => [`announces 192.0.2.1 ${4_000 + ms}`, `nd ${4_000 + ms}`]));
  });

  it('are known to who takes over from an agent that is gone, and asked whether it is still so', async () => {
    const other = new World();
    other.before = [{ kind: 'neighbor', uuid: 'n', mac_lease_uuid: 'ml-edge', address: '192.0.2.9', mac: OUTSIDE }];
    const before = other.known();
    await other.become(other.gateways);
    const after = other.known();
    expect([before, after, other.sent.filter((line) => line.startsWith('asks'))]).toEqual([
      { '192.0.2.9': '00:16:3e:00:00:09' },
      { '192.0.2.9': '00:16:3e:00:00:09' },
      ['asks for 192.0.2.9 0'],
    ]);
    await other.clock.advance(10_000);
    expect(other.known()).toEqual({});
    await other.end();
  });

  it('are those of the networks of the gateway only', async () => {
    await world.packet(1, '198.51.100.9');
    await world.says('198.51.100.9');
    expect([world.sent, world.known()]).toEqual([[], {}]);
  });
});
