/** Live traces: real packets followed over real switches, and nothing of it left. */
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../lab/eventually.js';
import type { Json } from '../lab/hotori.js';
import { address, address6, TraceWorld, type Name } from './trace-world.js';

describe('a live trace', () => {
  let world: TraceWorld;
  /** Everything in both switches before anything was traced. */
  let before: string[][];

  beforeAll(async () => {
    world = await TraceWorld.start();
    before = await flows();
  }, 60_000);
  afterAll(() => world.destroy(), 60_000);
  afterEach(async () => expect(await flows()).toEqual(before));

  const flows = () => Promise.all(world.lab.hypervisors.map(({ ovs }) => ovs.flows()));

  /** @returns everything in both switches then */
  const untilArmed = () =>
    eventually('rows of the trace', async () =>
      [await flows()].find((now) => now.every((rows) => rows.some((row) => row.includes('priority=60000,')))),
    );

  /** Sends again and again until the trace has seen enough: packets before the switches watch are nobody's. */
  async function whileSending<T>(work: Promise<T>, name: Name, ...argv: readonly [string, ...string[]]): Promise<T> {
    const stop = new AbortController();
    const sending = (async () => {
      while (!stop.signal.aborted) {
        await world.vms[name].exec(argv);
        await sleep(100);
      }
    })();
    try {
      return await work;
    } finally {
      stop.abort();
      await sending;
    }
  }

  const follow = (live: Json) => world.trace({ live: { timeout: 10, ...live } });
  const connecting = (to: string, port: number) => ['timeout', '0.3', 'nc', '-z', to, String(port)] as const;
  const pinging = (to: string, ...more: string[]) => ['ping', '-n', '-c', '1', '-W', '0.3', ...more, to] as const;

  /** What became of a packet, and where it was seen. */
  const told = ({ verdict, reason, seen, expected }: Json) => ({
    verdict,
    code: reason.code,
    at: `${reason.datapath_uuid} ${reason.table}`,
    seen: seen.map(({ datapath_uuid, point }: Json) => `${datapath_uuid} ${point}`),
    agrees: expected?.agrees ?? null,
  });

  it('follows packets to a port of the same hypervisor, through a router and through a tunnel', async () => {
    const filter = (to: string) => ({ interface: 'if-a1', filter: { protocol: 'tcp', destination: to, destination_port: 22 } });
    const [here, routed, there, there6] = [
      await whileSending(follow({ interface: 'if-a2', filter: { protocol: 'tcp' } }), 'a2', ...connecting(address('a1'), 443)),
      await whileSending(follow(filter(address('b1'))), 'a1', ...connecting(address('b1'), 22)),
      await whileSending(follow(filter(address('b2'))), 'a1', ...connecting(address('b2'), 22)),
      await whileSending(follow(filter(address6('c1'))), 'a1', ...connecting(address6('c1'), 22)),
    ].map(({ packets }) => packets[0]);
    const throughTunnel = ['dp-hv1 entry', 'dp-hv1 sent', 'dp-hv2 arrival', 'dp-hv2 delivered'];
    expect([here, routed, there, there6].map(told)).toEqual([
      { verdict: 'delivered', code: 'delivered', at: 'dp-hv1 OUT_LOCAL', seen: ['dp-hv1 entry', 'dp-hv1 delivered'], agrees: true },
      { verdict: 'delivered', code: 'delivered', at: 'dp-hv1 OUT_LOCAL', seen: ['dp-hv1 entry', 'dp-hv1 delivered'], agrees: true },
      { verdict: 'delivered', code: 'delivered', at: 'dp-hv2 OUT_LOCAL', seen: throughTunnel, agrees: true },
      { verdict: 'delivered', code: 'delivered', at: 'dp-hv2 OUT_LOCAL', seen: throughTunnel, agrees: true },
    ]);
    expect([routed.seen, there6.seen].map((seen) => seen.map(({ packet }: Json) => packet.ttl))).toEqual([
      [64, 63],
      [64, 62, 62, 62],
    ]);
    expect([there.reason.uuids, there.admitted_by]).toEqual([['if-b2'], ['sgr-ssh']]);
  }, 30_000);

  it('says where packets end and by whom: groups, rules, spoof checks, routes, routers, tunnels too narrow', async () => {
    const ended = async (live: Json, name: Name, ...argv: readonly [string, ...string[]]) => {
      const { packets } = await whileSending(follow(live), name, ...argv);
      const { verdict, code, at } = told(packets[0]);
      return [verdict, code, at, packets[0].reason.uuids];
    };
    const from = (uuid: string, filter: Json, more: Json = {}) => ({ interface: uuid, filter, ...more });
    const { a1 } = world.vms;
    const seen = [
      await ended(from('if-a1', { protocol: 'tcp', destination_port: 443 }), 'a1', ...connecting(address('b2'), 443)),
      await ended(from('if-a1', { protocol: 'tcp', destination_port: 23 }), 'a1', ...connecting(address('b2'), 23)),
      await ended(from('if-a1', { protocol: 'tcp', destination_port: 24 }), 'a1', ...connecting(address('b2'), 24)),
      await ended(from('if-a2', { protocol: 'tcp', destination_port: 22 }), 'a2', ...connecting(address('b1'), 22)),
      await ended(from('if-a1', { destination: '10.9.0.0/24' }, { dropped_only: true }), 'a1', ...pinging('10.9.0.1')),
      await ended(from('if-a1', { destination: '10.8.0.0/24' }), 'a1', ...pinging('10.8.0.1')),
      await ended(from('if-a1', { destination: '10.2.0.1' }), 'a1', ...pinging('10.2.0.1')),
      await ended(
        from('if-a1', { protocol: 'icmp' }),
        'a1',
        'sh',
        '-c',
        `ip route flush cache; ${pinging(address('b2'), '-s', '1440', '-M', 'do').join(' ')}`,
      ),
    ];
    await a1.netns.run(['ip', 'addr', 'add', '10.1.0.99/24', 'dev', 'eth0']);
    seen.push(await ended(from('if-a1', { source: '10.1.0.99' }), 'a1', ...pinging(address('b1'), '-I', '10.1.0.99')));
    await a1.netns.run(['ip', 'addr', 'del', '10.1.0.99/24', 'dev', 'eth0']);
    expect(seen).toEqual([
      ['dropped', 'ingress_policy', 'dp-hv2 IN_DENY', ['if-b2', 'sg-web']],
      ['dropped', 'ingress_rule', 'dp-hv2 IN_DENY', expect.arrayContaining(['sgr-never'])],
      ['rejected', 'ingress_rule', 'dp-hv2 IN_DENY', expect.arrayContaining(['sgr-no'])],
      ['dropped', 'egress_policy', 'dp-hv1 EG_DENY', ['if-a2', 'sg-out']],
      ['dropped', 'blackhole', 'dp-hv1 HOPS', expect.anything()],
      ['rejected', 'prohibited', 'dp-hv1 HOPS', expect.anything()],
      ['answered', 'answered', 'dp-hv1 ROUTER_SELF', expect.anything()],
      ['rejected', 'too_big', 'dp-hv1 TUNNEL_OUT', expect.anything()],
      ['dropped', 'spoof', 'dp-hv1 PORT_SEC', expect.anything()],
    ]);
  }, 60_000);

  it('knows of packets that are answered, expire or go to many', async () => {
    const forgetting = (command: string) => ['sh', '-c', `ip neigh flush dev eth0; ${command}`] as const;
    const ended = async (filter: Json, ...argv: readonly [string, ...string[]]) => {
      const { packets } = await whileSending(follow({ interface: 'if-a1', filter }), 'a1', ...argv);
      const { verdict, code, at, seen } = told(packets[0]);
      return [verdict, code, at, ...seen];
    };
    const seen = [
      await ended({ protocol: 'arp', destination: '10.1.0.1' }, ...forgetting(pinging('10.1.0.1').join(' '))),
      await ended({ protocol: 'icmpv6', icmp_type: 135 }, ...forgetting(pinging('fd00:1::1').join(' '))),
      await ended({ protocol: 'icmp', destination: address('c1') }, ...pinging(address('c1'), '-t', '2')),
      await ended({ destination: '10.1.0.255' }, ...pinging('10.1.0.255', '-b')),
      await ended({ protocol: 'tcp', destination: '10.2.0.1' }, ...connecting('10.2.0.1', 22)),
    ];
    expect(seen).toEqual([
      ['answered', 'answered', 'dp-hv1 LOCAL', 'dp-hv1 entry', 'dp-hv1 local'],
      ['answered', 'answered', 'dp-hv1 LOCAL', 'dp-hv1 entry', 'dp-hv1 local'],
      ['rejected', 'ttl', 'dp-hv1 HOPS', 'dp-hv1 entry', 'dp-hv1 refused'],
      // The only other port here has a group that does not admit it.
      ['dropped', 'ingress_policy', 'dp-hv1 IN_DENY', 'dp-hv1 entry', 'dp-hv1 dropped', 'dp-hv1 dropped'],
      ['rejected', 'local_service', 'dp-hv1 ROUTER_SELF', 'dp-hv1 entry', 'dp-hv1 refused'],
    ]);
  }, 30_000);

  it('does not keep the switches from being held against their flows', async () => {
    const live = follow({ interface: 'if-a1', filter: { protocol: 'tcp' }, timeout: 3 });
    await untilArmed();
    const asked = [
      { source: 'if-a1', destination: 'if-b2', destination_port: 22 },
      { source: 'if-a1', destination: 'if-b2', destination_port: 443 },
      { source: 'if-a1', destination: '10.2.0.1', destination_port: 22 },
      { source: 'if-b1', destination: 'if-a1', destination_port: 22 },
    ];
    const verified = await Promise.all(asked.map(async (question) => (await world.trace({ ...question, verify: true })).verified));
    await live;
    expect(verified.flat().map(({ agrees, difference }: Json) => difference ?? agrees)).toEqual(verified.flat().map(() => true));
  }, 20_000);

  it('is shown by vnctl, with an exit code', async () => {
    const live = (...args: string[]) => world.vnctl('trace', '--live', 'if-a1', ...args, '--timeout', '5');
    const delivered = await whileSending(live('--tcp', '22', '--to', address('b2')), 'a1', ...connecting(address('b2'), 22));
    const dropped = await whileSending(live('--tcp', '443', '--dropped-only', '--count', '2'), 'a1', ...connecting(address('b2'), 443));
    const nothing = await world.vnctl('trace', '--live', 'if-a1', '--protocol', '132', '--timeout', '1');
    expect([delivered.code, dropped.code, nothing.code]).toEqual([0, 4, 5]);
    expect(
      delivered.out
        .replaceAll(/\d\d:\d\d:\d\d\.\d{3}/g, 'TIME')
        // The first packet that is seen may be any of a connection.
        .replaceAll(/\d+ bytes/g, 'SIZE')
        .replaceAll(/11:\d{5}/g, '11:PORT')
        .split('\n')
        .slice(1),
    ).toEqual([
      ` 1  TIME  tcp 10.1.0.11:PORT → 10.2.0.12:22, ttl 64, SIZE`,
      '    dp-hv1  came in',
      '    dp-hv1  sent to dp-hv2, ttl 64 → 63',
      '    dp-hv2  arrived from dp-hv1',
      '    dp-hv2  went out of a port',
      '    DELIVERED: delivered to if-b2 on dp-hv2 [dp-hv2 OUT_LOCAL]',
      '    admitted by sgr-ssh',
      '1 of 1 packet seen',
      '',
    ]);
  }, 30_000);

  it('ends when its time is over, and says what it has seen until then', async () => {
    const answer = await follow({ interface: 'if-a1', filter: { protocol: 'udp', destination_port: 9 }, timeout: 1 });
    expect([answer.ended, answer.packets, answer.watched]).toEqual([
      'timeout',
      [],
      ['dp-hv1', 'dp-hv2'].map((datapath_uuid) => ({ datapath_uuid, error: null })),
    ]);
  }, 20_000);

  it('takes everything back at once when the one who asked has gone', async () => {
    const stop = new AbortController();
    const asked = fetch(new URL('/api/1.0/traces', world.hotori.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ live: { interface: 'if-a1', filter: { protocol: 'tcp' }, timeout: 60 } }),
      signal: stop.signal,
    }).catch(() => undefined);
    const armed = await untilArmed();
    stop.abort();
    await asked;
    await eventually('the flows from before', async () => JSON.stringify(await flows()) === JSON.stringify(before));
    expect(armed.map((rows, i) => rows.length > before[i]!.length)).toEqual([true, true]);
  }, 20_000);

  it('is gone after Hotori was killed and came back, and was no drift', async () => {
    const asked = follow({ interface: 'if-a1', filter: { protocol: 'tcp' }, timeout: 60 }).catch(() => undefined);
    await untilArmed();
    await world.hotori.kill9();
    await asked;
    await world.hotori.start();
    await world.hotori.untilInstalled();
    await eventually('the flows from before', async () => JSON.stringify(await flows()) === JSON.stringify(before));
    const { datapaths } = await world.hotori.get('/status');
    expect(datapaths.map(({ drift_repairs }: Json) => drift_repairs)).toEqual([0, 0]);
  }, 30_000);

  it('refuses what it cannot follow, and leaves the switches alone', async () => {
    const asked = async (live: Json, beside: Json = {}) => {
      const { status, body } = await world.hotori.request('POST', '/traces', { live, ...beside });
      return [status, body.type.split(':').at(-1), ...body.errors.map(({ pointer, detail }: Json) => `${pointer} ${detail}`)];
    };
    const tcp = { protocol: 'tcp' };
    expect([
      await asked({ interface: 'if-a1', filter: {} }),
      await asked({ interface: 'if-a1', filter: { source: '0.0.0.0/0', destination: '::/0' } }),
      await asked({ interface: 'if-a1', filter: { destination: '0.0.0.0/0' } }),
      await asked({ interface: 'if-a1', filter: { source: address('a1') } }),
      await asked({ interface: 'if-nobody', filter: tcp }),
      await asked({ interface: 'if-ghost', filter: tcp }),
      await asked({ interface: 'if-a1', filter: tcp, timeout: 61 }),
      await asked({ interface: 'if-a1', filter: tcp, timeout: 0 }),
      await asked({ interface: 'if-a1', filter: tcp, count: 0 }),
      await asked({ interface: 'if-a1', filter: { destination_port: 22 } }),
      await asked({ interface: 'if-a1', filter: { protocol: 'icmpv6', source: '10.1.0.1' } }),
      await asked({ interface: 'if-a1', filter: { destination: 'everybody' } }),
      await asked({ interface: 'if-a1', filter: { ...tcp, colour: 1 } }),
      await asked({ filter: tcp }),
      await asked({ interface: 'if-a1', filter: tcp }, { source: 'if-a1' }),
    ]).toMatchInlineSnapshot(`
     [
       [
         400,
         "invalid_argument",
         "/live/filter matches every packet; name a protocol, an address or a port",
       ],
       [
         400,
         "invalid_argument",
         "/live/filter/destination is of another family than 0.0.0.0/0",
       ],
       [
         400,
         "invalid_argument",
         "/live/filter matches every packet; name a protocol, an address or a port",
       ],
       [
         400,
         "invalid_argument",
         "/live/filter matches every packet of if-a1 from 10.1.0.11; name a protocol, a destination or a port",
       ],
       [
         422,
         "invalid_reference",
         "/live/interface there is no interface if-nobody",
       ],
       [
         400,
         "invalid_argument",
         "/live/interface if-ghost is plugged in nowhere: no packet comes from it",
       ],
       [
         400,
         "invalid_argument",
         "/live/timeout must be at most 60",
       ],
       [
         400,
         "invalid_argument",
         "/live/timeout must be at least 1",
       ],
       [
         400,
         "invalid_argument",
         "/live/count must be at least 1",
       ],
       [
         400,
         "invalid_argument",
         "/live/filter/destination_port needs protocol tcp, udp or sctp",
       ],
       [
         400,
         "invalid_argument",
         "/live/filter/source icmpv6 has no ipv4 addresses",
       ],
       [
         400,
         "invalid_argument",
         "/live/filter/destination must be an address or a prefix without bits behind it, not everybody",
       ],
       [
         400,
         "invalid_argument",
         "/live/filter/colour there is no such field",
       ],
       [
         400,
         "invalid_argument",
         "/live/interface is required",
       ],
       [
         400,
         "invalid_argument",
         "/source cannot stand beside live: a live trace follows the packets there are",
       ],
     ]
    `);
  }, 20_000);

  it('leaves nothing behind', () => world.check([]), 60_000);
});
